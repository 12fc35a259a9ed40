public import Storage

/// A directory in memory that forgets as a real one may: a crash keeps some first part of what was not synced, batch by
/// batch, never half a batch; a sync makes everything before it durable too.
///
/// `@unchecked Sendable` is true because a simulation runs in one thread.
public final class SimulatedDisk: Store, @unchecked Sendable {
    private typealias Columns = [Column: [[UInt8]: [UInt8]]]

    /// What reads see.
    private var visible: Columns = [:]
    /// What a crash cannot take.
    private var durable: Columns = [:]
    private var unsynced: [WriteBatch] = []
    /// A seam for planting a bug: a disk that says that it synced, and did not.
    private let ignoresSync: Bool

    public init(ignoresSync: Bool = false) { self.ignoresSync = ignoresSync }

    public func get(_ column: Column, _ key: [UInt8]) throws(StorageError) -> [UInt8]? { visible[column]?[key] }

    public func scan(
        _ column: Column, from start: [UInt8]?, descending: Bool, _ body: ([UInt8], [UInt8]) -> Bool
    ) throws(StorageError) {
        let sorted = (visible[column] ?? [:]).sorted { $0.key.lexicographicallyPrecedes($1.key) }
        for (key, value) in descending ? sorted.reversed() : sorted {
            if let start {
                let before = descending ? start.lexicographicallyPrecedes(key) : key.lexicographicallyPrecedes(start)
                if before { continue }
            }
            if !body(key, value) { return }
        }
    }

    public func write(_ batch: WriteBatch, synced: Bool) throws(StorageError) {
        Self.apply(batch, to: &visible)
        unsynced.append(batch)
        if synced, !ignoresSync { sync() }
    }

    public func close() {}

    private func sync() {
        for batch in unsynced { Self.apply(batch, to: &durable) }
        unsynced = []
    }

    /// The power goes. Answers how many unsynced batches were kept and lost.
    public func crash(_ random: inout SeededRandom) -> (kept: Int, lost: Int) {
        let count = unsynced.count
        let kept = random.below(count + 1)
        for batch in unsynced.prefix(kept) { Self.apply(batch, to: &durable) }
        unsynced = []
        visible = durable
        return (kept, count - kept)
    }

    /// What a crash at this moment could not take.
    public func durableValue(_ column: Column, _ key: [UInt8]) -> [UInt8]? { durable[column]?[key] }

    /// Takes all rows of a column away, as a restore without them would.
    public func erase(_ column: Column) {
        sync()
        visible[column] = nil
        durable[column] = nil
    }

    private static func apply(_ batch: WriteBatch, to columns: inout Columns) {
        for change in batch.changes {
            switch change {
            case .put(let column, let key, let value): columns[column, default: [:]][key] = value
            case .delete(let column, let key): columns[column]?[key] = nil
            }
        }
    }
}
