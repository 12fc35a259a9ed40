import Concurrency

/// Makes `count` things on all cores, in order.
/// - Parameter make: makes those of a range; told which part it is, from 0 on.
func inParallel<Made: Sendable>(
    count: Int, _ make: @escaping @Sendable (Range<Int>, Int) -> [Made]
) -> [Made] {
    let parts = processorCount()
    let made = Locked([Int: [Made]]())
    let workers = (0..<parts).map { part in
        WorkerThread("maker") {
            let range = count * part / parts..<count * (part + 1) / parts
            let mine = make(range, part)
            made.withLock { $0[part] = mine }
        }
    }
    for worker in workers { worker.join() }
    let all = made.withLock { $0 }
    return (0..<parts).flatMap { all[$0]! }
}
