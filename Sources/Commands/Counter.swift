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

/// A number with its noun: `1 validator`, `4 validators`.
enum Counted {
    static func text(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
}
