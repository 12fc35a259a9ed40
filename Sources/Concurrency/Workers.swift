/// Threads that help one thread with work that falls into independent parts, where it waits for the result.
public final class Workers: Sendable {
    /// Those of the process: with the thread that asks, one a core.
    public static let shared = Workers(threadCount: processorCount() - 1)

    private final class Job: Sendable {
        private struct State: Sendable {
            var next = 0
            var open: Int
        }

        private let body: @Sendable (Int) -> Void
        private let count: Int
        private let state: Locked<State>
        private let done = Waiter<Void>()

        init(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
            self.body = body
            self.count = count
            state = Locked(State(open: count))
        }

        /// Does parts as long as there are any that nobody has begun.
        func help() {
            while true {
                let mine = state.withLock { state -> Int? in
                    guard state.next < count else { return nil }
                    defer { state.next += 1 }
                    return state.next
                }
                guard let mine else { return }
                body(mine)
                let isLast = state.withLock { state in
                    state.open -= 1
                    return state.open == 0
                }
                if isLast { done.fulfil(()) }
            }
        }

        func wait() { _ = done.wait() }
    }

    private let jobs = Mailbox<Job>(countMax: jobsMax)
    private let threads: [WorkerThread]

    /// Calls for help that may wait; beyond it the caller does more of its work by itself.
    private static let jobsMax = 1024

    public init(threadCount: Int) {
        threads = (0..<max(0, threadCount)).map { [jobs] _ in
            WorkerThread("helper") { while let job = jobs.takeOne() { job.help() } }
        }
    }

    /// Calls `body` once for every number below `count`, on this thread and others, and returns when all have been.
    /// The body must not wait for another of its own calls.
    @Sendable
    public func run(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
        guard count > 1, !threads.isEmpty else { return (0..<count).forEach(body) }
        let job = Job(count, body)
        for _ in 0..<min(threads.count, count - 1) { jobs.post(job) }
        job.help()
        job.wait()
    }

    /// Ends the threads, after the work in hand.
    public func stop() {
        jobs.close()
        for thread in threads { thread.join() }
    }
}
