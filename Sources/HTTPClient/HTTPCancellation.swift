import Concurrency

/// Ends requests from another thread, at once also where they wait for bytes. One may stand for several requests.
public final class HTTPCancellation: Sendable {
    private struct State: Sendable {
        var isCancelled = false
        var next = 0
        var wakes: [Int: @Sendable () -> Void] = [:]
    }

    private let state = Locked(State())

    public init() {}

    public var isCancelled: Bool { state.withLock { $0.isCancelled } }

    /// Ends what runs, and whatever is begun with this later. Further calls do nothing.
    public func cancel() {
        let wakes = state.withLock { state in
            state.isCancelled = true
            defer { state.wakes = [:] }
            return state.wakes
        }
        for wake in wakes.values { wake() }
    }

    /// Calls `wake` when it is cancelled, until it is detached; at once where it is cancelled already.
    func attach(_ wake: @escaping @Sendable () -> Void) -> Int {
        let (number, isLate) = state.withLock { state in
            state.next += 1
            if !state.isCancelled { state.wakes[state.next] = wake }
            return (state.next, state.isCancelled)
        }
        if isLate { wake() }
        return number
    }

    func detach(_ number: Int) { state.withLock { $0.wakes[number] = nil } }
}
