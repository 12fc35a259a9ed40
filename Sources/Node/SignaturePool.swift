public import Concurrency
public import Crypto
public import Ledger

/// Threads that check signatures, one a core, shared by the nodes of a process. A check is a function of the
/// envelope's bytes alone, so nothing else is needed here.
public final class SignaturePool: Sendable {
    public typealias Results = [Checked]

    /// What is known of a transaction before it is executed.
    public struct Checked: Sendable {
        public let envelope: Digest
        public let verify: Bool
        /// Rows of a transaction of many lines, where its signatures match.
        public let ahead: RowsAhead?
        /// Of ``Unchecked``.
        let ticket: Pool.Ticket?

        public init(_ unchecked: Unchecked, verify: Bool, ahead: RowsAhead? = nil) {
            envelope = unchecked.transaction.envelopeDigest
            self.verify = verify
            self.ahead = ahead
            ticket = unchecked.ticket
        }
    }

    /// A transaction to be checked.
    public struct Unchecked: Sendable {
        public let transaction: Transaction
        /// What to read ahead for it; none where that is not worth it.
        public let missing: RowsMissing?
        /// Where it waits for the result, if it does.
        let ticket: Pool.Ticket?

        init(_ transaction: Transaction, _ ticket: Pool.Ticket? = nil, missing: RowsMissing? = nil) {
            self.transaction = transaction
            self.ticket = ticket
            self.missing = missing
        }
    }

    /// Reads rows of a transaction ahead; nil where that is not worth it.
    public typealias Reader = @Sendable (Unchecked) -> RowsAhead?

    private struct Work: Sendable {
        let transactions: ArraySlice<Unchecked>
        let reader: Reader
        let done: @Sendable (Results) -> Void
    }

    /// Bounded by what nodes have under way, which their pools bound.
    private let queue = Mailbox<Work>(countMax: .max)
    private let threads: [WorkerThread]
    private static let partMax = 128

    public init(genesis: Digest, threadCount: Int = processorCount()) {
        let queue = queue
        threads = (0..<threadCount).map { _ in
            WorkerThread("signatures") {
                while let work = queue.takeOne() {
                    work.done(
                        work.transactions.map { unchecked in
                            let verify = unchecked.transaction.signaturesVerify(genesis: genesis)
                            return Checked(
                                unchecked, verify: verify, ahead: verify ? work.reader(unchecked) : nil)
                        })
                }
            }
        }
    }

    /// Checks these and reports part by part, from threads of the pool: the first of many need not wait for the last.
    /// - Parameter reader: called for each whose signatures match, on the same threads.
    public func verify(
        _ transactions: [Unchecked], reader: @escaping Reader = { _ in nil },
        done: @escaping @Sendable (Results) -> Void
    ) {
        // Few are shared out among all threads; of many, each part wakes the node's thread once.
        let each = min(Self.partMax, (transactions.count + threads.count - 1) / threads.count)
        for start in stride(from: 0, to: transactions.count, by: max(each, 1)) {
            let part = transactions[start..<min(start + each, transactions.count)]
            queue.post(Work(transactions: part, reader: reader, done: done))
        }
    }

    /// Checks these and waits for all results, which come in no particular order.
    public func verify(_ transactions: [Transaction]) -> Results {
        let finished = Mailbox<Results>(countMax: .max)
        verify(transactions.map { Unchecked($0) }) { finished.insist($0) }
        var results: Results = []
        while results.count < transactions.count { results += finished.take(within: nil)!.joined() }
        return results
    }

    public func stop() {
        queue.close()
        for thread in threads { thread.join() }
    }
}
