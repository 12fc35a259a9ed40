import Chain
import Concurrency
import Crypto
import HTTPServer
import JSON
import Ledger
import Node
import Storage
import Wire

/// Takes transactions up and answers for them. Repeating one is always safe: what it did is told again.
struct Submissions: Sendable {
    let chain: ChainReader
    /// Why nothing new is taken up now, where it is not.
    private let refusal: @Sendable () -> Problem?
    private let book = Locked(Book())

    /// What this node knows of transactions that no index tells.
    private struct Book: Sendable {
        struct UnderWay: Sendable {
            var count: Int
            let kinds: [String]
        }

        /// Those waiting for their certificate.
        var underWay: [TransactionID: UnderWay] = [:]
        /// Those refused without burning their nonce, which no index holds; the newest.
        var refused: [TransactionID: TransactionView] = [:]
        var order: [TransactionID] = []
    }

    /// Refusals that are remembered.
    private static let refusedMax = 16_384
    /// Seconds that a submission waits for its certificate where nothing else is asked for, and at most.
    static let waitSecondsMax: UInt32 = 30

    init(chain: ChainReader, refusal: @escaping @Sendable () -> Problem?) {
        self.chain = chain
        self.refusal = refusal
    }

    enum Outcome: Sendable {
        case certified(SubmissionAnswer)
        /// In a certified block, and refused there.
        case refused(Problem, Stamp)
        /// Not taken up.
        case problem(Problem)
    }

    /// - Parameter done: called once, from any thread.
    func submit(_ transaction: Transaction, done: @escaping @Sendable (Outcome) -> Void) {
        // Done already: the first receipt, without a place in another block. To who knows its signatures alone.
        do throws(StorageError) {
            if let place = try chain.tables.place(transaction.id) {
                guard transaction.signaturesVerify(genesis: chain.genesisHash) else {
                    return done(.problem(.signatureInvalid(transaction)))
                }
                return done(try outcome(transaction, place))
            }
        } catch {
            return done(.problem(chain.failure(error)))
        }
        if let refusal = refusal() { return done(.problem(refusal)) }
        let id = transaction.id
        book.withLock { book in
            book.underWay[id, default: .init(count: 0, kinds: transaction.body.operations.map(\.kind))].count += 1
        }
        chain.node.submit(transaction) { answer in
            let outcome = self.outcome(transaction, answer)
            book.withLock { book in
                book.underWay[id]?.count -= 1
                if book.underWay[id]?.count == 0 { book.underWay[id] = nil }
            }
            done(outcome)
        }
    }

    /// What is known of a transaction that no index tells.
    func view(_ id: TransactionID) -> TransactionView? {
        book.withLock { book in
            if let known = book.underWay[id] {
                return TransactionView(
                    id: id, state: .accepted, kinds: known.kinds, result: nil, place: nil, time: nil)
            }
            return book.refused[id]
        }
    }

    var underWayCount: Int { book.withLock { $0.underWay.count } }

    private func outcome(_ transaction: Transaction, _ answer: Answer) -> Outcome {
        switch answer {
        case .receipt(let receipt, let place):
            do throws(StorageError) {
                if receipt.result == .duplicate, let first = receipt.first { return try outcome(transaction, first) }
                return try outcome(transaction, receipt, place)
            } catch {
                return .problem(chain.failure(error))
            }
        case .refused(.expired):
            // It may stand in a block that came into the tables meanwhile.
            do throws(StorageError) {
                if let place = try chain.tables.place(transaction.id) { return try outcome(transaction, place) }
            } catch {
                return .problem(chain.failure(error))
            }
            return .problem(Problem(.ledger(.expired)))
        case .refused(.signatureInvalid): return .problem(.signatureInvalid(transaction))
        case .refused(let refusal): return .problem(Problem(.admission(refusal)))
        case .promise, .proof: return .problem(Problem(.internalFailure))
        }
    }

    private func outcome(_ transaction: Transaction, _ place: Place) throws(StorageError) -> Outcome {
        guard let block = try chain.block(place.height), Int(place.index) < block.receipts.count else {
            return .problem(Problem(.notReady))
        }
        return try outcome(transaction, block.receipts[Int(place.index)], place)
    }

    private func outcome(
        _ transaction: Transaction, _ receipt: Receipt, _ place: Place
    ) throws(StorageError) -> Outcome {
        guard let header = try chain.tables.header(place.height) else { return .problem(Problem(.notReady)) }
        let stamp = Stamp(height: place.height, stateRoot: header.state)
        let burnsNoNonce = receipt.result.isRefusal && receipt.operation == nil
        let view = TransactionView(
            id: transaction.id, state: burnsNoNonce ? .refused : .certified,
            kinds: transaction.body.operations.map(\.kind), result: receipt.result, place: place, time: header.time)
        guard receipt.result.isRefusal else {
            return .certified(SubmissionAnswer(transaction: view, receipt: receipt, stamp: stamp))
        }
        if burnsNoNonce { remember(view) }
        return .refused(Problem(receipt, place: place), stamp)
    }

    private func remember(_ view: TransactionView) {
        book.withLock { book in
            if book.refused.updateValue(view, forKey: view.id) == nil { book.order.append(view.id) }
            if book.order.count > Self.refusedMax {
                for id in book.order.prefix(Self.refusedMax / 4) { book.refused[id] = nil }
                book.order.removeFirst(Self.refusedMax / 4)
            }
        }
    }
}
