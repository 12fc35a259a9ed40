import Concurrency

/// The order of validators that live in one process.
///
/// It needs no file of its own: at start it is the union of the entries in the validators' directories, so a position
/// that any of them holds is never given to another entry. Recent entries are kept here; older ones are read from
/// those directories.
public final class InProcessLog: Ordering {
    private struct State: Sendable {
        /// Position of `recent[0]`.
        var first: UInt64
        var recent: [[UInt8]]
        var wakes: [@Sendable () -> Void] = []
        var head: UInt64 { first + UInt64(recent.count) - 1 }
    }

    /// Entries of a position that a directory holds.
    public typealias Archive = @Sendable (UInt64) -> [UInt8]?

    public let epoch: OrderingEpoch
    private let archives: [Archive]
    private let state: Locked<State>

    /// - Parameters:
    ///   - archives: the validators' directories.
    ///   - heads: the newest position that each of them holds.
    public init(epoch: OrderingEpoch, archives: [Archive] = [], heads: [UInt64] = []) {
        self.epoch = epoch
        self.archives = archives
        // Positions from the lowest head on may not be in every directory yet.
        let first = (heads.min() ?? 0) + 1
        var recent: [[UInt8]] = []
        while let bytes = Self.read(first + UInt64(recent.count), archives) { recent.append(bytes) }
        state = Locked(State(first: first, recent: recent))
    }

    private static func read(_ position: UInt64, _ archives: [Archive]) -> [UInt8]? {
        for archive in archives {
            if let bytes = archive(position) { return bytes }
        }
        return nil
    }

    /// The newest position.
    public var head: UInt64 { state.withLock { $0.head } }

    public func readHead() -> UInt64 { head }

    /// It can always be reached, and has as much room as the directories.
    public var condition: OrderingCondition { OrderingCondition() }

    /// Entries that are kept in memory.
    public var recentCount: Int { state.withLock { $0.recent.count } }

    public func append(_ bytes: [UInt8], at position: UInt64) -> AppendResult {
        let wakes = state.withLock { state -> [@Sendable () -> Void]? in
            guard position == state.head + 1 else { return nil }
            state.recent.append(bytes)
            return state.wakes
        }
        guard let wakes else { return .taken }
        for wake in wakes { wake() }
        return .appended
    }

    public func read(from position: UInt64, max: Int, bytesMax: Int) throws(OrderingError) -> LogRange {
        let (first, recent, head) = state.withLock { state -> (UInt64, [[UInt8]], UInt64) in
            let start = position > state.first ? Int(min(position - state.first, UInt64(state.recent.count))) : 0
            return (state.first, Array(state.recent[start...].prefix(max)), state.head)
        }
        var entries: [(position: UInt64, bytes: [UInt8])] = []
        var byteCount = 0
        var next = position
        while next < first, entries.count < max, byteCount < bytesMax {
            guard let bytes = Self.read(next, archives) else { throw .belowFloor(first) }
            entries.append((next, bytes))
            byteCount += bytes.count
            next += 1
        }
        if next >= first {
            for bytes in recent where entries.count < max && byteCount < bytesMax {
                entries.append((next, bytes))
                byteCount += bytes.count
                next += 1
            }
        }
        return LogRange(entries: entries, head: head)
    }

    public func onWake(_ wake: @escaping @Sendable () -> Void) { state.withLock { $0.wakes.append(wake) } }

    /// Where there are directories they hold what is let go of here, so that nothing is ever missing.
    public func trim(below position: UInt64) {
        state.withLock { state in
            guard position > state.first else { return }
            let count = Int(min(position - state.first, UInt64(state.recent.count)))
            state.recent.removeFirst(count)
            state.first += UInt64(count)
        }
    }
}
