import Synchronization

/// What is going on, as numbers that any thread changes.
final class Counters: Sendable {
    let connections = Atomic(0)
    let exchanges = Atomic(0)
    let streams = Atomic(0)
    let requests = Atomic<UInt64>(0)
    let refused = Atomic<UInt64>(0)
    let shed = Atomic<UInt64>(0)
    let timeouts = Atomic<UInt64>(0)

    /// One stream more, unless there are as many as may be.
    func takeStream(max: Int) -> Bool {
        if streams.wrappingAdd(1, ordering: .relaxed).newValue <= max { return true }
        streams.wrappingSubtract(1, ordering: .relaxed)
        return false
    }
}
