import Canonical
import Concurrency

/// A store in front of another, which lets unsynced batches wait in memory and writes them down together: a row that
/// many blocks change is written once, and all rows in order of key, which costs the store behind a fraction of what
/// rows in disorder cost it.
///
/// What waits is read as if it were written. A synced batch goes to the store behind at once, and so may be stable
/// before batches that came earlier. A crash takes back what waits: whole batches, the newest ones. That is what the
/// ``Store``'s contract lets tables do, since blocks above their height are executed again.
public final class WriteBehindStore: Store {
    /// How much may wait. Bounds memory, and what is executed again after a crash.
    public struct Limits: Sendable {
        public var rowsMax = 1 << 16
        public var bytesMax = 32 << 20

        public init() {}
    }

    private struct Waiting: Sendable {
        /// Rows that no write has begun with.
        var fresh = WaitingRows()
        /// Rows that are being written. They stay until they can be read behind.
        var leaving = WaitingRows()
        /// How often rows have begun to leave.
        var departures = 0
        var isClosed = false

        func row(_ column: Column, _ key: [UInt8]) -> WaitingRows.Row? {
            fresh.row(column, key) ?? leaving.row(column, key)
        }
    }

    private let behind: any Store
    private let limits: Limits
    private let waiting = Locked(Waiting())
    /// One write of waiting rows at a time.
    private let writing = Locked(())

    public init(_ behind: any Store, limits: Limits = Limits()) {
        self.behind = behind
        self.limits = limits
    }

    // MARK: Reading

    public func get(_ column: Column, _ key: [UInt8]) throws(StorageError) -> [UInt8]? {
        if let row = waiting.withLock({ $0.row(column, key) }) { return row.value }
        return try behind.get(column, key)
    }

    public func getMany(_ column: Column, _ keys: [[UInt8]]) throws(StorageError) -> [[UInt8]?] {
        let rows = waiting.withLock { waiting in keys.map { waiting.row(column, $0) } }
        let missing = rows.indices.filter { rows[$0] == nil }
        var values = rows.map { $0?.value }
        for (index, value) in zip(missing, try behind.getMany(column, missing.map { keys[$0] })) {
            values[index] = value
        }
        return values
    }

    public func scan(
        _ column: Column, from start: [UInt8]?, descending: Bool, _ body: ([UInt8], [UInt8]) -> Bool
    ) throws(StorageError) {
        try merge(column, from: start, descending: descending, where: { _ in true }, body)
    }

    public func visit(
        _ column: Column, from start: [UInt8]?, _ body: (RawSpan, RawSpan) -> Bool
    ) throws(StorageError) {
        if waiting.withLock({ $0.fresh.isEmpty && $0.leaving.isEmpty }) {
            return try behind.visit(column, from: start, body)
        }
        try scan(column, from: start, descending: false) { body($0.span.bytes, $1.span.bytes) }
    }

    public func scan(
        _ column: Column, prefix: [UInt8], _ body: ([UInt8], [UInt8]) -> Bool
    ) throws(StorageError) {
        try merge(column, from: prefix, descending: false, where: { $0.starts(with: prefix) }) { key, value in
            key.starts(with: prefix) && body(key, value)
        }
    }

    /// Visits rows that wait and rows behind in one order.
    /// - Parameter isWanted: which of the rows that wait are worth putting in order, by their keys.
    private func merge(
        _ column: Column, from start: [UInt8]?, descending: Bool, where isWanted: ([UInt8]) -> Bool,
        _ body: ([UInt8], [UInt8]) -> Bool
    ) throws(StorageError) {
        func precedes(_ one: [UInt8], _ other: [UInt8]) -> Bool {
            descending ? other.lexicographicallyPrecedes(one) : one.lexicographicallyPrecedes(other)
        }
        var isOver = false
        while !isOver {
            let (departures, found) = waiting.withLock { waiting in
                (
                    waiting.departures,
                    waiting.leaving.rows(column, where: isWanted) + waiting.fresh.rows(column, where: isWanted)
                )
            }
            let rows = WaitingRows.newest(of: found.filter { row in start.map { !precedes(row.key, $0) } ?? true })
            // The first to be shown stands last, so that each is taken out without moving the others.
            var next = descending ? rows : rows.reversed()
            // Rows that left since, and newer ones with them, may be seen behind: then all is looked at anew, as long
            // as nothing was shown.
            var isCurrent: Bool { waiting.withLock { $0.departures == departures } }
            var hasBegun = false
            var isStopped = false
            /// Shows rows that wait, up to a key.
            func showWaiting(before key: [UInt8]?) {
                while !isStopped, let row = next.last, key.map({ precedes(row.key, $0) }) ?? true {
                    next.removeLast()
                    if let value = row.value { isStopped = !body(row.key, value) }
                }
            }
            try behind.scan(column, from: start, descending: descending) { key, value in
                if !hasBegun, !isCurrent { return false }
                hasBegun = true
                showWaiting(before: key)
                if isStopped { return false }
                if let row = next.last, row.key == key {
                    next.removeLast()
                    if let value = row.value { isStopped = !body(key, value) }
                } else {
                    isStopped = !body(key, value)
                }
                return !isStopped
            }
            if hasBegun || isCurrent {
                showWaiting(before: nil)
                isOver = true
            }
        }
    }

    // MARK: Writing

    /// - Throws: ``StorageError`` also where rows that waited cannot be written. They are still read here then, and are
    ///   lost at the close unless a later write succeeds.
    public func write(_ batch: WriteBatch, synced: Bool) throws(StorageError) {
        if synced {
            // What waits must not come after what is newer.
            if waiting.withLock({ $0.fresh.holdAny(of: batch) || $0.leaving.holdAny(of: batch) }) { try writeDown() }
            return try behind.write(batch, synced: true)
        }
        let (isClosed, isFull) = waiting.withLock { waiting in
            if waiting.isClosed { return (true, false) }
            waiting.fresh.apply(batch)
            return (false, waiting.fresh.count >= limits.rowsMax || waiting.fresh.byteCount >= limits.bytesMax)
        }
        // The store behind says what is wrong.
        if isClosed { return try behind.write(batch, synced: false) }
        if isFull { try writeDown() }
    }

    public func writeDown() throws(StorageError) {
        try writing.withLock { (_) throws(StorageError) in
            let leaving = waiting.withLock { waiting in
                // Where the last write failed, its rows leave with the newer ones.
                if waiting.leaving.isEmpty {
                    swap(&waiting.leaving, &waiting.fresh)
                } else {
                    waiting.leaving.apply(waiting.fresh.batch)
                    waiting.fresh = WaitingRows()
                }
                waiting.departures += 1
                return waiting.leaving
            }
            if leaving.isEmpty { return }
            try behind.write(leaving.batch, synced: false)
            waiting.withLock { $0.leaving = WaitingRows(roomFor: leaving) }
        }
    }

    public func close() {
        waiting.withLock { $0.isClosed = true }
        try? writeDown()
        waiting.withLock { waiting in
            waiting.fresh = WaitingRows()
            waiting.leaving = WaitingRows()
        }
        behind.close()
    }
}
