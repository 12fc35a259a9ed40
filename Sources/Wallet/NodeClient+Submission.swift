import Crypto
import HTTPClient
public import Ledger
import Wire

/// Sending transactions.
extension NodeClient {
    /// Builds and signs a transaction for the pinned chain, good for two minutes of this machine's clock. The first
    /// author is the sender. Whoever may be interrupted keeps it until its answer is there.
    public func signed(_ operations: Operation..., by authors: Author...) -> Transaction {
        .signed(operations, by: authors, genesis: genesisHash, now: surroundings.now())
    }

    /// Sends a transaction and waits until a certified block holds it.
    ///
    /// It is sent again, to the next node where there are several, where a node cannot be reached, breaks off, is
    /// busy, or has not brought it into a block yet: always the same bytes, which take effect once at most, and whose
    /// first receipt is the answer to every repeat, by whichever node. That goes on until the transaction's
    /// `validUntil`; after that its fate is asked for.
    /// - Throws: ``NodeClientError``: with ``NodeClientError/refusal`` where the ledger refused it; `.expired` where it
    ///   was never executed and cannot be any more; `.outcomeUnknown` where not even that could be learnt: look its id
    ///   up later, and do not build it anew before.
    public func submit(_ transaction: Transaction) throws(NodeClientError) -> CertifiedReceipt {
        try asking { (node) throws(NodeClientError) in try checkChain(at: node) }
        var round = Round()
        // Whether an earlier try may have reached the ledger.
        var mayHaveArrived = false
        var last: NodeClientError?
        while surroundings.now() <= transaction.body.validUntil {
            let node = self.node
            var isSent = false
            do throws(NodeClientError) {
                try checkChain(at: node)
                isSent = true
                if let receipt = try post(transaction, at: node, waitSeconds: limits.waitSeconds) { return receipt }
                mayHaveArrived = true
                last = nil
                // It is under way: asking again waits at the node. One that is cut off from the others would wait for
                // ever, so another one is asked where there is one.
                leave(node)
                round = Round()
                try pause(&round.backoff)
            } catch {
                if mayHaveArrived, error.isAboutRepeats {
                    if let found = try certified(transaction.id) { return found }
                    // By the chain's clock its time is over; what was ordered before may still be on its way.
                    if error.refusal == .expired { return try learnFate(of: transaction, error) }
                }
                mayHaveArrived = mayHaveArrived || isSent && error.mayHaveArrived
                last = error
                do throws(NodeClientError) { try goOn(&round, after: error, at: node) } catch {
                    guard error.refusal == nil, mayHaveArrived, error.code != .stopped else { throw error }
                    throw Self.unknown(transaction, error)
                }
            }
        }
        // Nothing was ever sent; without an error either, its time had passed before this call.
        if let last, !mayHaveArrived { throw last }
        return try learnFate(of: transaction, last)
    }

    /// Asks for what became of a transaction whose time has passed.
    private func learnFate(
        of transaction: Transaction, _ error: NodeClientError?
    ) throws(NodeClientError) -> CertifiedReceipt {
        var last = error
        var round = Round()
        let deadline = max(surroundings.now(), transaction.body.validUntil) + limits.graceMilliseconds
        while surroundings.now() <= deadline {
            let node = self.node
            do throws(NodeClientError) {
                try checkChain(at: node)
                // The head first, of the same node: what was to be executed by then stands in a block by then.
                let head = try chain(at: node)
                if let found = try certified(transaction.id, at: node) { return found }
                if head.value.time > transaction.body.validUntil { throw Self.late(transaction) }
                try pause(&round.backoff)
            } catch {
                last = error
                try goOn(&round, after: error, at: node)
            }
        }
        throw Self.unknown(transaction, last)
    }

    private static func late(_ transaction: Transaction) -> NodeClientError {
        NodeClientError(
            .expired, "The time of transaction \(transaction.id) has passed, and it was not executed. Build a new one.",
            refusal: .expired)
    }

    private static func unknown(_ transaction: Transaction, _ error: NodeClientError?) -> NodeClientError {
        NodeClientError(
            .outcomeUnknown,
            "Transaction \(transaction.id) may or may not have been executed: ask a node by GET /v1/transactions/"
                + "\(transaction.id) before you repeat it. \(error?.sentence ?? "")")
    }

    /// Sends once. Nil where it is under way.
    private func post(
        _ transaction: Transaction, at node: Node, waitSeconds: Int
    ) throws(NodeClientError) -> CertifiedReceipt? {
        var request = HTTPClientRequest(
            "POST", node.url + "/v1/transactions",
            headers: [
                HTTPField("Content-Type", "application/octet-stream"), HTTPField("Accept", "application/json"),
                HTTPField("Prefer", "wait=\(waitSeconds)"),
            ], body: transaction.bytes)
        request.totalMilliseconds = waitSeconds * 1000 + limits.requestMilliseconds
        let response = try send(request)
        guard response.status == 200 else { return nil }
        do throws(NodeClientError) {
            let answer = try AnswerReader(response.body, bytesMax: limits.answerBytesMax).value(.submission)
            guard answer.transaction.id == transaction.id, let receipt = answer.receipt,
                receipt.transaction == transaction.id, let place = answer.transaction.place
            else {
                throw NodeClientError(.answerMalformed, "The node answered with the receipt of another transaction.")
            }
            return try Self.done(receipt, place)
        } catch {
            guard error.code == .answerMalformed else { throw error }
            throw NodeClientError(.answerMalformed, error.sentence, field: error.field, mayHaveArrived: true)
        }
    }

    /// The receipt of a transaction that stands in a certified block; nil where none holds it.
    private func certified(_ id: TransactionID) throws(NodeClientError) -> CertifiedReceipt? {
        try asking { (node) throws(NodeClientError) in
            try checkChain(at: node)
            return try certified(id, at: node)
        }
    }

    private func certified(_ id: TransactionID, at node: Node) throws(NodeClientError) -> CertifiedReceipt? {
        guard let record = try transaction(id, at: node), record.state == .certified, let place = record.place else {
            return nil
        }
        guard let receipt = record.whole?.receipt else {
            throw NodeClientError(
                .init(rawValue: "receipt-withheld"),
                "Transaction \(id) stands at height \(place.height) with the result \(record.result?.name ?? "?"); its "
                    + "receipt is only for who signed it.")
        }
        return try Self.done(receipt, place)
    }

    /// A receipt that says that it took effect.
    private static func done(
        _ receipt: Receipt, _ place: Place
    ) throws(NodeClientError) -> CertifiedReceipt {
        guard !receipt.result.isRefusal else {
            throw NodeClientError(
                .init(rawValue: receipt.result.name), receipt.result.text?.english ?? receipt.result.name,
                chinese: receipt.result.text?.chinese, refusal: receipt.result,
                operation: receipt.operation.map { Int($0) }, line: receipt.line.map { Int($0) })
        }
        return CertifiedReceipt(receipt: receipt, place: place)
    }
}

extension NodeClientError {
    /// Refusals that a repeat may meet although the first try took effect.
    fileprivate var isAboutRepeats: Bool {
        refusal == .expired || refusal == .duplicate || refusal == .nonceUsed
    }
}
