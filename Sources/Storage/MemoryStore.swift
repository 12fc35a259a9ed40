import Concurrency

/// A directory in memory, for tests: sorted keys, atomic batches, nothing kept.
public final class MemoryStore: Store {
    private struct Rows {
        var columns: [Column: [[UInt8]: [UInt8]]] = [:]
        var closed = false
    }

    private let rows = Locked(Rows())

    public init() {}

    private func open<R>(_ body: (inout Rows) -> R) throws(StorageError) -> R {
        try rows.withLock { (rows) throws(StorageError) -> R in
            if rows.closed { throw StorageError(.closed, "the store is closed", place: "memory") }
            return body(&rows)
        }
    }

    public func get(_ column: Column, _ key: [UInt8]) throws(StorageError) -> [UInt8]? {
        try open { $0.columns[column]?[key] }
    }

    public func scan(
        _ column: Column, from start: [UInt8]?, descending: Bool, _ body: ([UInt8], [UInt8]) -> Bool
    ) throws(StorageError) {
        let sorted = try open { $0.columns[column] ?? [:] }.sorted { $0.key.lexicographicallyPrecedes($1.key) }
        for (key, value) in descending ? sorted.reversed() : sorted {
            if let start {
                let before = descending ? start.lexicographicallyPrecedes(key) : key.lexicographicallyPrecedes(start)
                if before { continue }
            }
            if !body(key, value) { return }
        }
    }

    public func write(_ batch: WriteBatch, synced: Bool) throws(StorageError) {
        try open { rows in
            for change in batch.changes {
                switch change {
                case .put(let column, let key, let value): rows.columns[column, default: [:]][key] = value
                case .delete(let column, let key): rows.columns[column]?[key] = nil
                }
            }
        }
    }

    public func close() { rows.withLock { $0.closed = true } }
}
