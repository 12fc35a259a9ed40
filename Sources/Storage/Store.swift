import Canonical

/// A node's directory: ordered byte keys in columns, atomic batches, one writer.
///
/// The persistence contract, in the order in which a node keeps it:
/// 1. Before a vote leaves the process: one **synced** batch with the block, its header and the vote lock.
/// 2. After its certificate: one batch with state rows, logs, receipts, indexes and `meta/height`. It need not be
///    synced, and may wait in memory together with its followers, since the blocks are the log from which it can be
///    made again; but it is never visible without (1), nor without the batches before it.
/// 3. At open: blocks above `meta/height` are executed again and must give the stored headers.
///
/// `get` and `scan` may be called from any thread, also while another thread writes; they never see half a batch.
public protocol Store: AnyObject, Sendable {
    /// The value under a key, or nil where there is none.
    /// - Throws: ``StorageError`` with `.corrupt` or `.inputOutput`.
    func get(_ column: Column, _ key: [UInt8]) throws(StorageError) -> [UInt8]?

    /// The values under many keys of one column, in the keys' order; a driver may look them up together.
    /// - Throws: ``StorageError`` with `.corrupt` or `.inputOutput`.
    func getMany(_ column: Column, _ keys: [[UInt8]]) throws(StorageError) -> [[UInt8]?]

    /// Visits rows in key order, beginning at the first key ≥ `start` (descending: at the last key ≤ `start`), until
    /// `body` answers false or rows end. `nil` begins at the very first (descending: the very last) row.
    func scan(
        _ column: Column, from start: [UInt8]?, descending: Bool, _ body: (_ key: [UInt8], _ value: [UInt8]) -> Bool
    ) throws(StorageError)

    /// As ``scan(_:from:descending:_:)``, ascending, for who looks at very many rows and keeps none of them: key and
    /// value are good only during the call.
    func visit(
        _ column: Column, from start: [UInt8]?, _ body: (_ key: RawSpan, _ value: RawSpan) -> Bool
    ) throws(StorageError)

    /// Visits the rows whose keys begin with `prefix`, in ascending order of key, until `body` answers false.
    func scan(
        _ column: Column, prefix: [UInt8], _ body: (_ key: [UInt8], _ value: [UInt8]) -> Bool
    ) throws(StorageError)

    /// Applies the batch whole or not at all. With `synced` it is on stable storage when this returns.
    /// - Throws: ``StorageError`` with `.diskFull`, `.readOnly`, `.inputOutput`; nothing of the batch is visible then.
    func write(_ batch: WriteBatch, synced: Bool) throws(StorageError)

    /// Writes what waits in memory, where a store lets unsynced batches wait. It need not be synced either.
    /// - Throws: as ``write(_:synced:)`` does.
    func writeDown() throws(StorageError)

    /// Releases the directory. Later calls throw `.closed`.
    func close()
}

extension Store {
    public func writeDown() throws(StorageError) {}

    public func visit(
        _ column: Column, from start: [UInt8]?, _ body: (_ key: RawSpan, _ value: RawSpan) -> Bool
    ) throws(StorageError) {
        try scan(column, from: start, descending: false) { body($0.span.bytes, $1.span.bytes) }
    }

    public func scan(
        _ column: Column, prefix: [UInt8], _ body: (_ key: [UInt8], _ value: [UInt8]) -> Bool
    ) throws(StorageError) {
        try scan(column, from: prefix, descending: false) { key, value in
            key.starts(with: prefix) && body(key, value)
        }
    }

    public func getMany(_ column: Column, _ keys: [[UInt8]]) throws(StorageError) -> [[UInt8]?] {
        var values: [[UInt8]?] = []
        values.reserveCapacity(keys.count)
        for key in keys { values.append(try get(column, key)) }
        return values
    }

    public func scan(
        _ column: Column, _ body: (_ key: [UInt8], _ value: [UInt8]) -> Bool
    ) throws(StorageError) {
        try scan(column, from: nil, descending: false, body)
    }
}

/// Changes to be applied together, in order; a later change of the same key wins.
///
/// Keys and values lie one after the other in one place, where no change costs an allocation.
public struct WriteBatch: Sendable {
    /// A change by itself.
    public enum Change: Sendable {
        case put(Column, key: [UInt8], value: [UInt8])
        case delete(Column, key: [UInt8])
    }

    private struct Place: Sendable {
        let column: Column
        let isDeletion: Bool
        let start: Int
        let keyEnd: Int
        let end: Int
    }

    private var places: [Place] = []
    private var content: Encoder

    /// - Parameters:
    ///   - bytes: room for so many of keys and values from the start.
    ///   - count: room for so many changes.
    public init(room bytes: Int = 0, count: Int = 0) {
        content = Encoder(capacity: bytes)
        places.reserveCapacity(count)
    }

    public var count: Int { places.count }
    public var isEmpty: Bool { places.isEmpty }
    /// Of all keys and values.
    public var byteCount: Int { content.count }

    public mutating func put(_ column: Column, _ key: [UInt8], _ value: [UInt8]) {
        change(column, key.span.bytes, value.span.bytes)
    }

    public mutating func delete(_ column: Column, _ key: [UInt8]) { change(column, key.span.bytes, nil) }

    /// - Parameter value: none to delete the row.
    public mutating func change(_ column: Column, _ key: RawSpan, _ value: RawSpan?) {
        let start = content.count
        content.fixed(key)
        let keyEnd = content.count
        if let value { content.fixed(value) }
        places.append(
            Place(column: column, isDeletion: value == nil, start: start, keyEnd: keyEnd, end: content.count))
    }

    /// Looks at all changes in order.
    /// - Parameter body: takes the value, none where the row is deleted.
    public func visit(_ body: (_ column: Column, _ key: RawSpan, _ value: RawSpan?) -> Void) {
        content.withBytes { content in
            for place in places {
                let key = content.extracting(place.start..<place.keyEnd)
                if place.isDeletion {
                    body(place.column, key, nil)
                } else {
                    body(place.column, key, content.extracting(place.keyEnd..<place.end))
                }
            }
        }
    }

    /// All changes, for who keeps them.
    public var changes: [Change] {
        var changes: [Change] = []
        visit { column, key, value in
            let key = Array(copying: key)
            if let value {
                changes.append(.put(column, key: key, value: Array(copying: value)))
            } else {
                changes.append(.delete(column, key: key))
            }
        }
        return changes
    }
}
