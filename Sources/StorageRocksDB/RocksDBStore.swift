public import Storage
import Synchronization

/// A node's directory on disk: one RocksDB database with a column family for each ``Storage/Column``.
///
/// The directory also holds `LOCK.lianfen`, which the one writer keeps locked. Every batch goes through RocksDB's log,
/// synced or not, so a killed process loses nothing and a power cut at most what was written since the last synced
/// batch. Closing writes everything into sorted files; the log only matters to the next open after a crash.
///
/// `get`, `scan` and `write` may be called from any thread. Calls block on the disk: keep them off the cooperative
/// pool where many are made.
///
/// `@unchecked Sendable` is true because `database` is only replaced by `close`, which holds `gate` alone, while every
/// other call holds it shared, and RocksDB allows its handles to be used from many threads at once.
public final class RocksDBStore: Store, @unchecked Sendable {
    public enum Mode: Sendable {
        /// Makes the directory, if need be, and a chain in it; refuses a directory that already holds one.
        case create
        /// Opens an existing chain as its only writer.
        case readWrite
        /// Opens an existing chain as it stands now, also beside a running writer. Writes nothing, not even a lock;
        /// what the writer does later is not seen.
        case readOnly
    }

    /// Version of the keys and values in the columns, kept in decimal under `meta`/`format`.
    public static let format = 3

    public let directory: String
    public let mode: Mode

    private let gate = ReadWriteLock()
    private var database: Database?
    /// Turns new calls away while `close` waits for those under way, or busy readers could keep it waiting for ever.
    private let closing = Atomic(false)

    /// Opens `directory`; to create one, its parent must exist.
    /// - Throws: ``StorageError`` with `.exists` where a chain is to be created and there is one, `.notFound` where
    ///   one is to be opened and there is none, `.locked` while another process (or this one) has it open for
    ///   writing, `.format` for another version's directory, `.denied`, `.readOnly`, `.diskFull`, `.corrupt` or
    ///   `.inputOutput` for what the file system or RocksDB says.
    public init(directory: String, mode: Mode) throws(StorageError) {
        self.directory = directory
        self.mode = mode
        database = try Database.open(directory, mode)
    }

    deinit { close() }

    public func get(_ column: Column, _ key: [UInt8]) throws(StorageError) -> [UInt8]? {
        try withDatabase { (database) throws(StorageError) in try database.get(column, key) }
    }

    public func getMany(_ column: Column, _ keys: [[UInt8]]) throws(StorageError) -> [[UInt8]?] {
        try withDatabase { (database) throws(StorageError) in try database.getMany(column, keys) }
    }

    /// Visits rows as they stood when the scan began. `body` may read and write this store, but must not close it.
    public func scan(
        _ column: Column, from start: [UInt8]?, descending: Bool, _ body: ([UInt8], [UInt8]) -> Bool
    ) throws(StorageError) {
        try withDatabase { (database) throws(StorageError) in
            try database.scan(column, from: start, descending: descending, body)
        }
    }

    public func visit(
        _ column: Column, from start: [UInt8]?, _ body: (RawSpan, RawSpan) -> Bool
    ) throws(StorageError) {
        try withDatabase { (database) throws(StorageError) in try database.visit(column, from: start, body) }
    }

    /// - Note: After `.diskFull` or `.inputOutput` the batch is not visible. If the process then dies before a later
    ///   write succeeds, the next open may still find it in the log: treat such a batch as perhaps written.
    public func write(_ batch: WriteBatch, synced: Bool) throws(StorageError) {
        try withDatabase { (database) throws(StorageError) in
            guard mode != .readOnly else {
                throw StorageError(.readOnly, "the store was opened for reading only", place: directory)
            }
            try database.write(batch, synced: synced)
        }
    }

    /// Waits for calls on other threads, then releases the directory. A second call does nothing. Must not be called
    /// from the body of a scan, which it would wait for.
    public func close() {
        closing.store(true, ordering: .relaxed)
        gate.withExclusive {
            database?.close()
            database = nil
        }
    }

    private func withDatabase<R>(
        _ body: (Database) throws(StorageError) -> R
    ) throws(StorageError) -> R {
        let closed = StorageError(.closed, "the store is closed", place: directory)
        if closing.load(ordering: .relaxed) { throw closed }
        return try gate.withShared { () throws(StorageError) -> R in
            guard let database else { throw closed }
            return try body(database)
        }
    }
}
