import Chain
import Concurrency
import Crypto
public import Ledger
import Node
import Wallet
import Wire

/// One other member's node: votes wait for it in a bounded list that its own thread empties, and whoever is behind asks
/// it for certificates and blocks. Nothing that it says is believed, and it costs its own thread and these bounds.
final class Peer: Sendable {
    let configuration: PeerConfiguration
    private let organisation: OrganisationID
    /// What is public is asked by this one, and all others end with it.
    private let client: NodeClient
    private let clock: @Sendable () -> UInt64
    private let report: @Sendable (PeerReport) -> Void
    private let state: Locked<State>
    private let wakes = Mailbox<Void>(countMax: 1)
    private let ended = Waiter<Void>()
    private let thread = Locked<WorkerThread?>(nil)

    private struct State: Sendable {
        var standing: PeerStanding
        /// That wait to be sent, in the order in which they came.
        var votes: [Vote] = []
        /// As this node's organisation by each voting key that is here: keys are exchanged, and the peer may not have
        /// come so far, or further.
        var validators: [NodeClient]
        /// As an observer by the same keys.
        var observers: [NodeClient]
        /// Which of them it last took this node for.
        var known: [Errand: Int] = [:]
        /// Not asked for anything before this moment, by a clock that never jumps.
        var askedFrom = ContinuousClock.now
        var asking = Backoff(first: Peer.firstMilliseconds, longest: Peer.longestMilliseconds)
        /// The kind of failure that was reported and still holds.
        var reported: String?
        /// What was reported last and when, so that a peer that comes and goes is not told of each time.
        var told: (code: String, at: ContinuousClock.Instant)?

        /// Adds votes that are not there yet; of more than may wait the newest stay.
        mutating func keep(_ newer: [Vote]) {
            votes += newer.filter { !votes.contains($0) }
            votes.removeFirst(max(0, votes.count - Peer.votesMax))
        }
    }

    /// What it is asked for under a name that it has to know.
    private enum Errand {
        /// To take votes, which only a validator's node brings.
        case votes
        /// What validators and observers may read.
        case reading
    }

    /// How long a peer that failed is left alone, at first and at most.
    private static let firstMilliseconds = 500
    private static let longestMilliseconds = 10_000
    /// Votes that wait; of more the newest stay, since a node that is so far behind asks for certificates.
    static let votesMax = VoteList.countMax
    /// The same kind of failure is told of at most this often.
    private static let tellEvery = Duration.seconds(30)
    /// Bytes of an answer: a list of final blocks, whose last piece may go beyond its bound.
    private static let answerBytesMax = 24 << 20
    private static let requestMilliseconds = 5_000
    /// One for votes, one for what is asked, one to spare.
    private static let connectionsMax = 3

    init(
        _ configuration: PeerConfiguration, genesis: Genesis, organisation: OrganisationID, keys: [SecretKey],
        clock: @escaping @Sendable () -> UInt64, report: @escaping @Sendable (PeerReport) -> Void
    ) throws(NodeClientError) {
        self.configuration = configuration
        self.organisation = organisation
        self.clock = clock
        self.report = report
        var limits = NodeClient.Limits()
        limits.requestMilliseconds = Self.requestMilliseconds
        limits.answerBytesMax = Self.answerBytesMax
        limits.connectionsMax = Self.connectionsMax
        // How often it is tried is decided here.
        limits.triesMax = 1
        limits.validator = configuration.organisation
        client = try NodeClient(
            configuration.url, pin: .genesis(genesis), authorities: configuration.authorities, limits: limits)
        state = Locked(
            State(
                standing: PeerStanding(organisation: configuration.organisation, url: configuration.url),
                validators: [], observers: []))
        for key in keys { add(key) }
    }

    /// This node has one more voting key.
    func add(_ key: SecretKey) {
        let validator = client.speaking(for: Identity(.validator(organisation), key))
        let observer = client.speaking(for: Identity(.observer(key.publicKey), key))
        state.withLock { state in
            state.validators.append(validator)
            state.observers.append(observer)
            state.known = [:]
        }
    }

    var standing: PeerStanding { state.withLock { $0.standing } }

    /// Votes that wait to be sent.
    var waiting: [Vote] { state.withLock { $0.votes } }

    func start() {
        thread.withLock { $0 = WorkerThread("peer-\(configuration.organisation.number)") { [self] in sendVotes() } }
    }

    /// Ends what is under way, and then the thread.
    func stop() {
        client.stop()
        wakes.close()
        ended.fulfil(())
        thread.withLock { thread in
            defer { thread = nil }
            return thread
        }?.join()
    }

    // MARK: Votes

    /// Puts a vote into the list; one that waits already is not put there twice.
    func post(_ vote: Vote) {
        state.withLock { $0.keep([vote]) }
        wakes.post(())
    }

    private func sendVotes() {
        var backoff = Backoff()
        var random = SystemRandomNumberGenerator()
        while wakes.take(within: nil) != nil {
            while true {
                let votes = state.withLock { state in
                    defer { state.votes = [] }
                    return state.votes
                }
                if votes.isEmpty || client.isStopped { break }
                do throws(NodeClientError) {
                    note(try known(for: .votes) { (client) throws(NodeClientError) in try client.bring(votes) }.height)
                    backoff = Backoff()
                } catch {
                    if client.isStopped { return }
                    note(error)
                    // What came meanwhile is newer.
                    state.withLock { state in
                        let newer = state.votes
                        state.votes = votes
                        state.keep(newer)
                    }
                    let wait = backoff.next(asked: error.retryAfterMilliseconds, using: &random)
                    if ended.wait(within: UInt64(wait)) != nil { return }
                }
            }
        }
    }

    // MARK: Asking

    /// Whether it may be asked now, after what it did last.
    var mayBeAsked: Bool { state.withLock { $0.askedFrom <= .now } }

    /// Its first certificate above a height; nil where it has none, or failed.
    func certificate(above height: UInt64) -> Certificate? {
        asking { () throws(NodeClientError) in try client.certificate(above: height) } ?? nil
    }

    /// Its final blocks above a height; none where it has none, or failed.
    func finals(above height: UInt64) -> [FinalBlocks] {
        reading { (client) throws(NodeClientError) in try client.finals(above: height) } ?? []
    }

    /// Its header of a height and its tables' sub-roots there; nil where it does not stand so high yet, or failed.
    func subRoots(at height: UInt64) -> (header: Header, roots: SubRoots)? {
        reading { (client) throws(NodeClientError) in try client.subRoots(at: height) } ?? nil
    }

    /// Asks for what is only for validators and observers.
    private func reading<Value>(
        _ body: (NodeClient) throws(NodeClientError) -> NodeClient.FromPeer<Value>
    ) -> Value? {
        asking { () throws(NodeClientError) in try known(for: .reading, body) }
    }

    /// Asks under the name that it last took this node for, then under the others: a key may become a validator's, or
    /// cease to be one's, at any height.
    private func known<Value>(
        for errand: Errand, _ body: (NodeClient) throws(NodeClientError) -> Value
    ) throws(NodeClientError) -> Value {
        let (clients, first) = state.withLock { state in
            (state.validators + (errand == .reading ? state.observers : []), state.known[errand] ?? 0)
        }
        var refusal: NodeClientError?
        for index in Array(clients.indices[first...]) + Array(clients.indices[..<first]) {
            do throws(NodeClientError) {
                let answer = try body(clients[index])
                state.withLock { $0.known[errand] = index }
                return answer
            } catch {
                guard error.code == Self.keyNotValid else { throw error }
                refusal = refusal ?? error
            }
        }
        throw refusal!
    }

    private static let keyNotValid = NodeClientError.Code(rawValue: "key-not-valid")

    /// Where it says that it stands, asked now; nil where it does not answer.
    func head() -> UInt64? {
        do throws(NodeClientError) {
            let head = try client.chain()
            note(head.stamp.height)
            return head.stamp.height
        } catch {
            if !client.isStopped { note(error) }
            return nil
        }
    }

    private func asking<Value>(
        _ body: () throws(NodeClientError) -> NodeClient.FromPeer<Value>
    ) -> Value? {
        do throws(NodeClientError) {
            let answer = try body()
            note(answer.height)
            state.withLock { $0.asking = Backoff(first: Self.firstMilliseconds, longest: Self.longestMilliseconds) }
            return answer.value
        } catch {
            if !client.isStopped {
                note(error)
                leaveAlone()
            }
            return nil
        }
    }

    /// What it answered turned out to prove nothing.
    func blame(_ reason: String) {
        note(code: "proves-nothing", "\(place): \(reason)")
        leaveAlone()
    }

    private func leaveAlone() {
        var random = SystemRandomNumberGenerator()
        state.withLock { state in
            state.askedFrom = .now + .milliseconds(state.asking.next(using: &random))
        }
    }

    // MARK: Standing

    private var place: String { "\(configuration.organisation) at \(configuration.url)" }

    private func note(_ height: UInt64) {
        let isBack = state.withLock { state in
            if height > 0 { state.standing.height = height }
            state.standing.answeredAt = clock()
            state.standing.failure = nil
            defer { state.reported = nil }
            return state.reported != nil
        }
        if isBack { report(PeerReport(organisation: configuration.organisation, failure: nil)) }
    }

    private func note(_ error: NodeClientError) { note(code: error.code.rawValue, sentence(error)) }

    private func note(code: String, _ sentence: String) {
        let isNew = state.withLock { state in
            state.standing.failedAt = clock()
            state.standing.failure = sentence
            state.standing.failures += 1
            if state.reported == code { return false }
            if let told = state.told, told.code == code, told.at + Self.tellEvery > .now { return false }
            state.reported = code
            state.told = (code, .now)
            return true
        }
        if isNew { report(PeerReport(organisation: configuration.organisation, failure: sentence)) }
    }

    /// What went wrong with which peer, and what to do about it.
    private func sentence(_ error: NodeClientError) -> String {
        let advice =
            switch error.code {
            case .tls where error.sentence.contains("expired"):
                "its TLS certificate has expired: \(configuration.organisation) has to renew it"
            case .tls:
                "its TLS certificate is not vouched for by "
                    + (configuration.authorities.map { "the authorities in \($0)" } ?? "this machine's authorities")
                    + ": check `ca` and `url` of this peer in node.json, or ask whether its certificate has changed"
            case .genesisDiffers: "it is of another chain: check that both have the same genesis file"
            case .answerMalformed, .proofInvalid:
                "it does not answer as a node of this consortium does: check `url` of this peer in node.json"
            case Self.keyNotValid:
                "it does not know this node's voting key as a validator's or an observer's: ask "
                    + "\(configuration.organisation) to add the key to `observers` in its node.json"
            default: "it is tried again by itself"
            }
        // The client's sentence begins with the place where it has one.
        let known = "\(configuration.url): "
        let what = error.sentence.hasPrefix(known) ? String(error.sentence.dropFirst(known.count)) : error.sentence
        return "\(place): \(what) To do: \(advice)."
    }
}

/// A peer has begun to fail, or to answer again.
public struct PeerReport: Sendable {
    public let organisation: OrganisationID
    /// What is wrong and what to do; nil where it answers again.
    public let failure: String?
}
