public import Concurrency
public import Crypto
public import Ledger

/// Threads that check signatures, one a core, shared by the nodes of a process. A check is a function of the
/// envelope's bytes alone, so nothing else is needed here.
public final class SignaturePool: Sendable {
    public typealias Results = [(envelope: Digest, verify: Bool)]

    private struct Work: Sendable {
        let transactions: ArraySlice<Transaction>
        let job: Job
    }

    /// Transactions handed in together; whoever finishes the last part reports.
    private final class Job: Sendable {
        let done: @Sendable (Results) -> Void
        private let state: Locked<(results: Results, open: Int)>

        init(parts: Int, done: @escaping @Sendable (Results) -> Void) {
            self.done = done
            state = Locked((results: [], open: parts))
        }

        func finish(_ part: Results) {
            let all = state.withLock { state -> Results? in
                state.results += part
                state.open -= 1
                return state.open == 0 ? state.results : nil
            }
            if let all { done(all) }
        }
    }

    /// Bounded by what nodes have under way, which their pools bound.
    private let queue = Mailbox<Work>(countMax: .max)
    private let threads: [WorkerThread]
    private static let partMax = 32

    public init(genesis: Digest, threadCount: Int = processorCount()) {
        let queue = queue
        threads = (0..<threadCount).map { _ in
            WorkerThread {
                while let work = queue.takeOne() {
                    work.job.finish(
                        work.transactions.map { ($0.envelopeDigest, $0.signaturesVerify(genesis: genesis)) })
                }
            }
        }
    }

    /// Checks these and reports once, from a thread of the pool.
    public func verify(_ transactions: [Transaction], done: @escaping @Sendable (Results) -> Void) {
        let starts = stride(from: 0, to: transactions.count, by: Self.partMax)
        guard !transactions.isEmpty else { return done([]) }
        let job = Job(parts: starts.underestimatedCount, done: done)
        for start in starts {
            let part = transactions[start..<min(start + Self.partMax, transactions.count)]
            queue.post(Work(transactions: part, job: job))
        }
    }

    public func stop() {
        queue.close()
        for thread in threads { thread.join() }
    }
}
