import Concurrency

/// A number that several threads change.
final class Counter: Sendable {
    private let state: Locked<Int>

    init(_ value: Int = 0) { state = Locked(value) }

    var value: Int { state.withLock { $0 } }

    @discardableResult
    func add(_ step: Int = 1) -> Int {
        state.withLock {
            $0 += step
            return $0
        }
    }

    func countDown() -> Int { add(-1) }
}
