import Concurrency
import HTTPClient

/// Which of several nodes is asked, and when the next one.
extension NodeClient {
    /// Where the node lies that is asked at present: scheme, host, port and path, without a slash at its end.
    public var url: String { node.url }

    var node: Node { nodes[shared.state.withLock { $0.current }] }

    /// Asks the node that worked last. Where it cannot answer, the next one is asked at once; where none can, they are
    /// asked in rounds, with a pause after each, as often as the limits say.
    func asking<Value>(_ ask: (Node) throws(NodeClientError) -> Value) throws(NodeClientError) -> Value {
        var round = Round()
        while true {
            let node = self.node
            do throws(NodeClientError) { return try ask(node) } catch {
                try goOn(&round, after: error, at: node, roundsMax: limits.triesMax)
            }
        }
    }

    /// All nodes once, one after the other.
    struct Round {
        var backoff = Backoff()
        fileprivate var finished = 0
        fileprivate var failures: [(node: Node, error: NodeClientError)] = []
    }

    /// Turns to the next node after a failure, after a pause where that ends a round.
    /// - Throws: what failed, where another try would not change it or there were enough of them.
    func goOn(
        _ round: inout Round, after error: NodeClientError, at node: Node, roundsMax: Int = .max
    ) throws(NodeClientError) {
        guard error.isRetryable || nodes.count > 1 && error.isOfOneNode else { throw error }
        // Who is told to send less must not do so somewhere else.
        let isTooMuch = error.status == 429
        if !isTooMuch { leave(node) }
        round.failures.append((node, error))
        guard isTooMuch || round.failures.count >= nodes.count else { return }
        round.finished += 1
        guard round.finished < roundsMax, round.failures.contains(where: \.error.isRetryable) else {
            throw Self.summary(of: round.failures)
        }
        // As soon as one of them may be asked again.
        let asked = (isTooMuch ? [error] : round.failures.map(\.error)).map { $0.retryAfterMilliseconds ?? 0 }.min()
        round.failures = []
        try pause(&round.backoff, asked: asked == 0 ? nil : asked)
    }

    /// Asks the next node from now on, unless somebody has turned away from this one already.
    func leave(_ node: Node) {
        shared.state.withLock { state in
            if state.current == node.index { state.current = (node.index + 1) % nodes.count }
        }
    }

    /// Waits before another try.
    func pause(_ backoff: inout Backoff, asked: Int? = nil) throws(NodeClientError) {
        var random = SystemRandomNumberGenerator()
        surroundings.sleep(backoff.next(asked: asked, using: &random)) { [cancellation] in cancellation.isCancelled }
        if isStopped { throw Self.stopped }
    }

    /// One error for several: the first that another try may change, and what each node's reason was.
    private static func summary(of failures: [(node: Node, error: NodeClientError)]) -> NodeClientError {
        let telling = (failures.first { $0.error.isRetryable } ?? failures[0]).error
        guard failures.count > 1 else { return telling }
        let reasons = failures.map { node, error in
            error.sentence.contains(node.url) ? error.sentence : "\(node.url): \(error.sentence)"
        }
        return telling.saying("None of \(failures.count) nodes can answer. " + reasons.joined(separator: " "))
    }
}

extension NodeClientError {
    /// Whether it says something of that node alone, so that another one may answer.
    fileprivate var isOfOneNode: Bool {
        code == .unreachable || code == .tls || code == .genesisDiffers || (status ?? 0) >= 500
    }
}
