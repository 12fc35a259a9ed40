import Concurrency
import Testing

@Suite struct WorkersTests {
    @Test(arguments: [0, 1, 3])
    func everyPartIsDoneOnce(threads: Int) {
        let workers = Workers(threadCount: threads)
        defer { workers.stop() }
        for count in [0, 1, 2, 7, 1000] {
            let done = Locked([Int](repeating: 0, count: count))
            workers.run(count) { part in done.withLock { $0[part] += 1 } }
            #expect(done.withLock { $0 } == [Int](repeating: 1, count: count))
        }
    }

    /// Several threads ask the same helpers at once, and each gets its own work done.
    @Test func manyMayAskAtOnce() {
        let workers = Workers(threadCount: 2)
        defer { workers.stop() }
        let sums = Locked([Int: Int]())
        let askers = (0..<8).map { asker in
            WorkerThread {
                for _ in 0..<50 {
                    let sum = Locked(0)
                    workers.run(20) { part in sum.withLock { $0 += part + asker } }
                    let total = sum.withLock { $0 }
                    sums.withLock { $0[asker, default: 0] += total }
                }
            }
        }
        for asker in askers { asker.join() }
        for asker in 0..<8 { #expect(sums.withLock { $0[asker] } == 50 * (190 + 20 * asker)) }
    }
}
