import Chain
import Concurrency
import Crypto
import HTTPClient
import JSON
public import Ledger
public import Wire

/// Following the chain.
extension NodeClient {
    /// A node says something at least every 15 seconds; after three silences the stream is taken up anew.
    private static let quietMilliseconds = 45_000

    /// Follows the certified blocks, on the calling thread. A stream that breaks is taken up again, at the next node
    /// where there are several, after the last block that was handed over, so no height comes twice or out of order.
    /// - Parameters:
    ///   - height: the last height that is known; nil: from the newest on.
    ///   - take: gets each block; false ends it. What it says is the node's word; ``header(_:)`` proves a height.
    /// - Throws: ``NodeClientError``: `.stopped` after ``stop()``, and what another try would not change.
    public func followBlocks(
        after height: UInt64? = nil, _ take: @escaping (BlockSummary) -> Bool
    ) throws(NodeClientError) {
        let following = Following("block", last: height) { (data, id) throws(NodeClientError) in
            let block = try data.value(.blockSummary)
            guard block.header.height == id else { throw Following.disordered }
            return take(block)
        }
        try follow("/v1/events", token: false, following)
    }

    /// Follows the transactions that concern an account, which needs its identity; else as ``followBlocks(after:_:)``.
    public func followTransactions(
        of account: AccountID, after height: UInt64? = nil, _ take: @escaping (TransactionView) -> Bool
    ) throws(NodeClientError) {
        // A height may have several. Where the stream broke between them, the height is asked for again, and these have
        // been handed over.
        var atHeight: UInt64?
        var handed: Set<TransactionID> = []
        let following = Following("transaction", last: height, repeatsLast: true) {
            (data, id) throws(NodeClientError) in
            let transaction = try data.value(.transactionView)
            if id != atHeight {
                atHeight = id
                handed = []
            }
            return handed.insert(transaction.id).inserted ? take(transaction) : true
        }
        try follow("/v1/accounts/\(account)/events", token: true, following)
    }

    private func follow(_ path: String, token: Bool, _ following: Following) throws(NodeClientError) {
        var round = Round()
        while true {
            let node = self.node
            let before = following.last
            do throws(NodeClientError) {
                try checkChain(at: node)
                try stream(path, at: node, token: token, following)
                if following.isEnough { return }
                // A node that ends a stream at once, and has told nothing, may do so each time.
                if following.last == before { leave(node) } else { round = Round() }
                try pause(&round.backoff)
            } catch {
                if following.last != before { round = Round() }
                try goOn(&round, after: error, at: node)
            }
        }
    }

    /// One connection's worth of a stream.
    private func stream(
        _ path: String, at node: Node, token: Bool, _ following: Following
    ) throws(NodeClientError) {
        var request = HTTPClientRequest("GET", node.url + path, headers: [HTTPField("Accept", "text/event-stream")])
        if let after = following.resumesAfter { request.headers.append(HTTPField("Last-Event-ID", String(after))) }
        request.connectMilliseconds = limits.connectMilliseconds
        request.totalMilliseconds = nil
        request.quietMilliseconds = Self.quietMilliseconds
        if token { request = authorised(request, try currentToken(at: node)) }
        following.begin()
        let head: HTTPClientResponse
        do throws(HTTPClientError) {
            head = try http.stream(request, until: cancellation) {
                following.accept($0)
            } onBytes: {
                following.take($0)
            }
        } catch { throw Self.failure(error) }
        if let failure = following.failure { throw failure }
        guard head.status == 200 else {
            let error = Self.problem(
                HTTPClientResponse(status: head.status, headers: head.headers, body: following.problemBody))
            if token, error.status == 401, !following.renewedToken {
                following.renewedToken = true
                node.token.withLock { $0 = nil }
                return
            }
            throw error
        }
        following.renewedToken = false
    }
}

/// Where a stream stands that may span several connections. Used from the thread that follows.
private final class Following {
    /// The body of an answer that is no stream.
    private static let problemBytesMax = 1 << 16

    static let disordered = NodeClientError(.answerMalformed, "The stream's events are not in order.")

    private let name: String
    private(set) var last: UInt64?
    private(set) var isEnough = false
    private(set) var failure: NodeClientError?
    private(set) var problemBody: [UInt8] = []
    var renewedToken = false
    private var parser = EventStreamParser()
    private var isStream = true
    /// Whether events of the last height may be missing still.
    private let repeatsLast: Bool
    /// Whether ``last`` was handed over here, and not known from the beginning.
    private var hasTaken = false
    private let handOver: (AnswerReader, UInt64) throws(NodeClientError) -> Bool

    init(
        _ name: String, last: UInt64?, repeatsLast: Bool = false,
        _ handOver: @escaping (AnswerReader, UInt64) throws(NodeClientError) -> Bool
    ) {
        self.name = name
        self.last = last
        self.repeatsLast = repeatsLast
        self.handOver = handOver
    }

    /// The height after which a new connection begins.
    var resumesAfter: UInt64? { hasTaken && repeatsLast ? last.map { $0 - min($0, 1) } : last }

    func begin() {
        parser = EventStreamParser()
        problemBody = []
    }

    func accept(_ head: HTTPClientResponse) -> Bool {
        isStream = head.status == 200
        return true
    }

    func take(_ bytes: [UInt8]) -> Bool {
        guard isStream else {
            problemBody += bytes
            return problemBody.count < Self.problemBytesMax
        }
        do throws(NodeClientError) {
            guard let events = parser.take(bytes) else {
                throw NodeClientError(.answerMalformed, "An event of the stream is larger than one may be.")
            }
            for event in events where event.name == name {
                guard let id = event.id.flatMap({ UInt64($0) }), id >= last ?? 0 else { throw Self.disordered }
                if id == last, !(hasTaken && repeatsLast) { continue }
                let data = try AnswerReader(Array(event.data.utf8), bytesMax: EventStreamParser.eventBytesMax)
                let goesOn = try handOver(data, id)
                last = id
                hasTaken = true
                guard goesOn else {
                    isEnough = true
                    return false
                }
            }
            return true
        } catch {
            failure = error
            return false
        }
    }
}
