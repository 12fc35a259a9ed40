import Canonical
import Chain
import Concurrency
public import Crypto
import HTTPClient
public import Ledger
public import Wire

/// A client of a node's HTTP interface, or of those of several nodes of one chain: it sends transactions, looks things
/// up, and believes no proof unchecked.
///
/// Of several nodes it asks one, and goes on at the next where that one cannot be reached, breaks off or is in no
/// state to answer: with the same question, and a transaction as the very same bytes. It stays with a node that works.
/// How high nodes stand may differ for a moment, so what is read after a change may be a little older than before it:
/// every answer says of which height it is.
///
/// Its chain is pinned: a node that serves another chain is refused, and headers, certificates and proofs are checked
/// against the pinned genesis and the changes of its validators since, each of which is proved. What carries no proof,
/// such as a list of transactions, is as good as the node that says it.
///
/// All calls block and belong on threads of one's own, never into Swift's cooperative pool. One client serves any
/// number of threads. Reading calls are repeated a few times where no node can be reached or all ask to be left alone
/// for a while.
public final class NodeClient: Sendable {
    /// The chain that is talked about.
    public enum Pin: Sendable {
        /// Its genesis, to be had from somebody who is trusted.
        case genesis(Genesis)
        /// The genesis's hash; the genesis itself is fetched from the node and must have it.
        case hash(Digest)
    }

    /// Bounds of a client.
    public struct Limits: Sendable {
        /// For one answer, where the node is not asked to wait. A node that has frozen is left after so long.
        public var requestMilliseconds = 20_000
        /// For a connection.
        public var connectMilliseconds = 10_000
        /// Tries of a reading call at each node, the first included.
        public var triesMax = 5
        /// Bytes of one answer.
        public var answerBytesMax = 16 << 20
        /// How long a node may take with a transaction in one request before it is asked again.
        public var waitSeconds = 30
        /// How long after a transaction's `validUntil` its fate is asked for.
        public var graceMilliseconds: UInt64 = 20_000
        /// Requests at a time.
        public var connectionsMax = 16
        /// The organisation whose node it has to be, where only that one may get a token's signature. None: whichever
        /// the node says that it is. For clients of one node.
        public var validator: OrganisationID?

        public init() {}
    }

    /// What a client takes from outside, so that tests can decide it.
    struct Surroundings: Sendable {
        var now: @Sendable () -> UInt64 = { wallClockMilliseconds() }
        /// Waits so many milliseconds, or until the client is stopped.
        var sleep: @Sendable (_ milliseconds: Int, _ isStopped: @Sendable () -> Bool) -> Void = {
            milliseconds, isStopped in
            let sliceMilliseconds = 50
            var left = milliseconds
            while left > 0, !isStopped() {
                _ = Waiter<Int>().wait(within: UInt64(min(left, sliceMilliseconds)))
                left -= sliceMilliseconds
            }
        }
    }

    /// Nodes that a client may have.
    public static let nodesMax = 16

    /// In the order in which they are asked.
    let nodes: [Node]
    public let genesisHash: Digest
    /// Whom it speaks for; nobody reads only what is public.
    public let identity: Identity?
    let limits: Limits
    let http: HTTPClient
    let surroundings: Surroundings
    let cancellation: HTTPCancellation
    let shared: Shared

    /// Where a node is, and the token that it gave to this client.
    final class Node: Sendable {
        let index: Int
        /// Scheme, host, port and the path under which the interface lies, without a slash at its end.
        let url: String
        let token = Locked<Token?>(nil)

        init(_ index: Int, _ url: String) {
            self.index = index
            self.url = url
        }
    }

    /// What clients of the same nodes share.
    final class Shared: Sendable {
        struct State: Sendable {
            var genesis: Genesis?
            /// Index of the node that is asked.
            var current = 0
            /// Indices of those that serve the pinned chain.
            var checked: Set<Int> = []
            /// At the newest change of the validators that was followed.
            var lightClient: LightClient?
        }

        let state: Locked<State>
        init(_ genesis: Genesis?) { state = Locked(State(genesis: genesis)) }
    }

    /// A client of one node. Connects to nothing yet.
    /// - Parameters:
    ///   - url: such as `https://node.example:8443`.
    ///   - authorities: a PEM file of the authorities that vouch for the node; where none is given, the machine's.
    /// - Throws: ``NodeClientError`` `.tls` where the file cannot be read, `.urlInvalid`.
    public convenience init(
        _ url: String, pin: Pin, authorities: String? = nil, identity: Identity? = nil, limits: Limits = Limits()
    ) throws(NodeClientError) {
        try self.init([url], pin: pin, authorities: authorities, identity: identity, limits: limits)
    }

    /// A client of several nodes of one chain, at most ``nodesMax``, which asks the first one first. Connects to
    /// nothing yet.
    /// - Parameter authorities: a PEM file of the authorities that vouch for all of them.
    /// - Throws: ``NodeClientError`` `.tls` where the file cannot be read; `.urlInvalid`, also for none or too many.
    public convenience init(
        _ urls: [String], pin: Pin, authorities: String? = nil, identity: Identity? = nil, limits: Limits = Limits()
    ) throws(NodeClientError) {
        try self.init(
            urls, pin: pin, authorities: authorities, identity: identity, limits: limits, surroundings: Surroundings())
    }

    convenience init(
        _ urls: [String], pin: Pin, authorities: String? = nil, identity: Identity? = nil, limits: Limits = Limits(),
        surroundings: Surroundings
    ) throws(NodeClientError) {
        guard (1...Self.nodesMax).contains(urls.count) else {
            throw NodeClientError(.urlInvalid, "A client has 1 to \(Self.nodesMax) nodes, not \(urls.count).")
        }
        var trimmed: [String] = []
        for url in urls { trimmed.append(try Self.trimmed(url)) }
        var configuration = HTTPClientConfiguration()
        configuration.connectionsMax = limits.connectionsMax
        if let authorities { configuration.authorities = .file(authorities) }
        let http: HTTPClient
        do throws(HTTPClientError) { http = try HTTPClient(configuration) } catch {
            throw NodeClientError(.tls, "\(error.place): \(error.reason)")
        }
        let (hash, genesis): (Digest, Genesis?) =
            switch pin {
            case .genesis(let genesis): (genesis.hash, genesis)
            case .hash(let hash): (hash, nil)
            }
        self.init(
            urls: trimmed, genesisHash: hash, identity: identity, limits: limits, http: http,
            surroundings: surroundings, cancellation: HTTPCancellation(), shared: Shared(genesis))
    }

    private static func trimmed(_ url: String) throws(NodeClientError) -> String {
        var trimmed = url
        while trimmed.hasSuffix("/") { trimmed.removeLast() }
        guard ["http://", "https://"].contains(where: { trimmed.hasPrefix($0) && trimmed.count > $0.count }),
            !trimmed.contains("?"), !trimmed.contains("#")
        else {
            throw NodeClientError(
                .urlInvalid, "A node's URL is such as https://node.example:8443, with http or https and a host.")
        }
        return trimmed
    }

    private init(
        urls: [String], genesisHash: Digest, identity: Identity?, limits: Limits, http: HTTPClient,
        surroundings: Surroundings, cancellation: HTTPCancellation, shared: Shared
    ) {
        nodes = urls.enumerated().map { Node($0.offset, $0.element) }
        self.genesisHash = genesisHash
        self.identity = identity
        self.limits = limits
        self.http = http
        self.surroundings = surroundings
        self.cancellation = cancellation
        self.shared = shared
    }

    /// The same nodes, asked in the name of another; connections are shared, and ``stop()`` ends both.
    public func speaking(for identity: Identity) -> NodeClient {
        NodeClient(
            urls: nodes.map(\.url), genesisHash: genesisHash, identity: identity, limits: limits, http: http,
            surroundings: surroundings, cancellation: cancellation, shared: shared)
    }

    /// Ends all calls in hand and all later ones, from any thread.
    public func stop() { cancellation.cancel() }

    public var isStopped: Bool { cancellation.isCancelled }

    // MARK: The chain

    /// What the node says of its chain's newest certified height.
    /// - Throws: ``NodeClientError``; `.genesisDiffers` for another chain than the pinned one.
    public func chain() throws(NodeClientError) -> Stamped<ChainHead> {
        try asking { (node) throws(NodeClientError) in try chain(at: node) }
    }

    func chain(at node: Node) throws(NodeClientError) -> Stamped<ChainHead> {
        let head = try read("/v1/chain", at: node).value(Form.chainHead.stamped("chain"))
        guard head.value.genesis == genesisHash else {
            throw NodeClientError(
                .genesisDiffers,
                "The node at \(node.url) serves the chain \(head.value.genesis), and the pinned one is \(genesisHash).")
        }
        shared.state.withLock { _ = $0.checked.insert(node.index) }
        return head
    }

    /// The versions of the rules that the node's program executes, as it says itself.
    public func rulesKnown() throws(NodeClientError) -> ClosedRange<UInt32> {
        do throws(NodeClientError) {
            return try read("/v1/software").value(Form.software.stamped("software")).value.rules
        } catch {
            // A program from before there was this question.
            guard error.status == 404 else { throw error }
            return 1...1
        }
    }

    /// The chain's genesis: the pinned one, or the node's once it has the pinned hash.
    public func genesis() throws(NodeClientError) -> Genesis {
        if let genesis = shared.state.withLock({ $0.genesis }) { return genesis }
        let genesis = try asking { (node) throws(NodeClientError) in
            let bytes = try readBytes("/v1/genesis", at: node)
            guard let genesis = try? Genesis(canonicalBytes: bytes), genesis.hash == genesisHash else {
                throw NodeClientError(
                    .genesisDiffers,
                    "The genesis of the node at \(node.url) does not have the pinned hash \(genesisHash).")
            }
            return genesis
        }
        shared.state.withLock { $0.genesis = genesis }
        return genesis
    }

    /// Makes sure once that the node serves the pinned chain.
    func checkChain(at node: Node) throws(NodeClientError) {
        if !shared.state.withLock({ $0.checked.contains(node.index) }) { _ = try chain(at: node) }
    }
}
