import CRocksDB
package import Storage

/// An open database and everything RocksDB wants freed, in order, when it closes.
///
/// Not safe beside `close`: ``RocksDBStore`` sees to that. Visible in the package so that tests can make directories
/// as other builds would.
@safe
package final class Database {
    let directory: String
    let handle: OpaquePointer
    /// The columns this build knows and the directory has; a column of a newer build is absent in an older directory.
    private(set) var families: [Column: OpaquePointer] = unsafe [:]
    /// Families that must be open but hold none of our columns: RocksDB's own `default`.
    private var others: [OpaquePointer] = unsafe []
    private var lock: DirectoryLock?

    private let reading: OpaquePointer
    /// For a column that is read whole and does not fit the cache: it would only push out what is of use there.
    private let readingPast: OpaquePointer
    private let writing: OpaquePointer
    private let writingSynced: OpaquePointer

    init(
        _ directory: String, _ handle: OpaquePointer, _ opened: [(String, OpaquePointer)],
        lock: consuming DirectoryLock?
    ) {
        self.directory = directory
        unsafe self.handle = handle
        self.lock = lock
        unsafe reading = rocksdb_readoptions_create()
        unsafe rocksdb_readoptions_set_verify_checksums(reading, 1)
        unsafe readingPast = rocksdb_readoptions_create()
        unsafe rocksdb_readoptions_set_verify_checksums(readingPast, 1)
        unsafe rocksdb_readoptions_set_fill_cache(readingPast, 0)
        unsafe writing = rocksdb_writeoptions_create()
        unsafe writingSynced = rocksdb_writeoptions_create()
        unsafe rocksdb_writeoptions_set_sync(writingSynced, 1)
        unsafe opened.forEach { unsafe add($0, $1) }
    }

    func add(_ name: String, _ family: OpaquePointer) {
        if let column = Column(rawValue: name) {
            unsafe families[column] = family
        } else {
            unsafe others.append(family)
        }
    }

    /// Writes what is in memory to sorted files, so that the next open needs no log, and frees everything. Where the
    /// flush fails, say on a full disk, the log still has it all.
    package func close() {
        if lock != nil { try? flush() }
        unsafe families.values.forEach { unsafe rocksdb_column_family_handle_destroy($0) }
        unsafe others.forEach { unsafe rocksdb_column_family_handle_destroy($0) }
        unsafe rocksdb_close(handle)
        unsafe rocksdb_readoptions_destroy(reading)
        unsafe rocksdb_readoptions_destroy(readingPast)
        unsafe rocksdb_writeoptions_destroy(writing)
        unsafe rocksdb_writeoptions_destroy(writingSynced)
        lock = nil
    }

    private func flush() throws(StorageError) {
        // The sorted files take about as much as the log that they replace.
        try Room.require(Self.logBytes(directory) + Room.openBytes, in: directory)
        let options = unsafe rocksdb_flushoptions_create()
        defer { unsafe rocksdb_flushoptions_destroy(options) }
        for column in Column.allCases {
            guard let family = unsafe families[column] else { continue }
            try unsafe asking(directory) { unsafe rocksdb_flush_cf(handle, options, family, &$0) }
        }
    }

    func get(_ column: Column, _ key: [UInt8]) throws(StorageError) -> [UInt8]? {
        guard let family = unsafe families[column] else { return nil }
        let value = try unsafe asking(directory) { error in
            unsafe key.withCharacters { unsafe rocksdb_get_pinned_cf(handle, reading, family, $0, $1, &error) }
        }
        return unsafe Self.take(value)
    }

    func getMany(_ column: Column, _ keys: [[UInt8]]) throws(StorageError) -> [[UInt8]?] {
        guard let family = unsafe families[column], !keys.isEmpty else { return keys.map { _ in nil } }
        // RocksDB wants the keys as pointers side by side, so they are laid out in one buffer that does not move.
        let bytes = keys.flatMap { $0 }
        var values = unsafe [OpaquePointer?](repeating: nil, count: keys.count)
        var errors = unsafe [UnsafeMutablePointer<CChar>?](repeating: nil, count: keys.count)
        unsafe bytes.withCharacters { start, _ in
            var offset = 0
            var pointers: [UnsafePointer<CChar>?] = unsafe []
            unsafe pointers.reserveCapacity(keys.count)
            for key in keys {
                unsafe pointers.append(start + offset)
                offset += key.count
            }
            unsafe rocksdb_batched_multi_get_cf(
                handle, reading, family, keys.count, pointers, keys.map(\.count), &values, &errors, false)
        }
        let found = unsafe values.map { unsafe Self.take($0) }
        let complaints = unsafe errors.compactMap { unsafe complaint($0, in: directory) }
        if let error = complaints.first { throw error }
        return found
    }

    func scan(
        _ column: Column, from start: [UInt8]?, descending: Bool, _ body: ([UInt8], [UInt8]) -> Bool
    ) throws(StorageError) {
        try unsafe walk(column, from: start, descending: descending, reading) { key, value in
            unsafe body([UInt8](key), [UInt8](value))
        }
    }

    func visit(
        _ column: Column, from start: [UInt8]?, _ body: (RawSpan, RawSpan) -> Bool
    ) throws(StorageError) {
        let options = unsafe fitsCache(column) ? reading : readingPast
        try unsafe walk(column, from: start, descending: false, options) { key, value in
            unsafe body(key.bytes, value.bytes)
        }
    }

    /// Whether a column's rows may all stay in the cache, where they take about twice what they do in files.
    private func fitsCache(_ column: Column) -> Bool {
        guard let family = unsafe families[column] else { return true }
        var bytes: UInt64 = 0
        // Where RocksDB does not say, the cache decides by itself what it keeps.
        let answer = unsafe rocksdb_property_int_cf(handle, family, "rocksdb.live-sst-files-size", &bytes)
        return answer != 0 || bytes <= Options.cacheBytesMax / 2
    }

    /// Calls `body` with rows where RocksDB has them, which is good until the iterator goes on.
    private func walk(
        _ column: Column, from start: [UInt8]?, descending: Bool, _ options: OpaquePointer,
        _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Bool
    ) throws(StorageError) {
        guard let family = unsafe families[column] else { return }
        let iterator = unsafe rocksdb_create_iterator_cf(handle, options, family)
        defer { unsafe rocksdb_iter_destroy(iterator) }
        switch (start, descending) {
        case (nil, false): unsafe rocksdb_iter_seek_to_first(iterator)
        case (nil, true): unsafe rocksdb_iter_seek_to_last(iterator)
        case (let start?, false): unsafe start.withCharacters { unsafe rocksdb_iter_seek(iterator, $0, $1) }
        case (let start?, true): unsafe start.withCharacters { unsafe rocksdb_iter_seek_for_prev(iterator, $0, $1) }
        }
        while unsafe rocksdb_iter_valid(iterator) != 0 {
            var (keyCount, valueCount) = (0, 0)
            let key = unsafe UnsafeRawBufferPointer(start: rocksdb_iter_key(iterator, &keyCount), count: keyCount)
            let value = unsafe UnsafeRawBufferPointer(
                start: rocksdb_iter_value(iterator, &valueCount), count: valueCount)
            if unsafe !body(key, value) { return }
            if descending { unsafe rocksdb_iter_prev(iterator) } else { unsafe rocksdb_iter_next(iterator) }
        }
        // An iterator that met a damaged block just stops being valid.
        try unsafe asking(directory) { unsafe rocksdb_iter_get_error(iterator, &$0) }
    }

    package func write(_ batch: WriteBatch, synced: Bool) throws(StorageError) {
        let raw = unsafe rocksdb_writebatch_create()
        defer { unsafe rocksdb_writebatch_destroy(raw) }
        batch.visit { column, key, value in
            let family = unsafe family(column)
            unsafe key.withCharacters { key, keyCount in
                if let value {
                    unsafe value.withCharacters { unsafe rocksdb_writebatch_put_cf(raw, family, key, keyCount, $0, $1) }
                } else {
                    unsafe rocksdb_writebatch_delete_cf(raw, family, key, keyCount)
                }
            }
        }
        try Room.require(batch.byteCount + Room.writeBytes, in: directory)
        try unsafe asking(directory) {
            unsafe rocksdb_write(handle, synced ? writingSynced : writing, raw, &$0)
        }
    }

    /// A writer has every column: opening makes the missing ones.
    private func family(_ column: Column) -> OpaquePointer {
        guard let family = unsafe families[column] else { preconditionFailure("column \(column) is not open") }
        return unsafe family
    }

    /// Copies a pinned value and lets it go.
    private static func take(_ value: OpaquePointer?) -> [UInt8]? {
        guard let value = unsafe value else { return nil }
        defer { unsafe rocksdb_pinnableslice_destroy(value) }
        var count = 0
        let start = unsafe rocksdb_pinnableslice_value(value, &count)
        return unsafe [UInt8](copying: start, count)
    }
}

extension [UInt8] {
    fileprivate init(copying start: UnsafePointer<CChar>?, _ count: Int) {
        unsafe self.init(UnsafeRawBufferPointer(start: start, count: count))
    }

    fileprivate func withCharacters<R>(_ body: (UnsafePointer<CChar>, Int) -> R) -> R {
        unsafe span.bytes.withCharacters(body)
    }
}

extension RawSpan {
    /// The bytes as C wants them, for the duration of `body`; never null, also when there are none.
    fileprivate func withCharacters<R>(_ body: (UnsafePointer<CChar>, Int) -> R) -> R {
        unsafe withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return unsafe withUnsafePointer(to: 0) { unsafe body($0, 0) } }
            return unsafe body(start.assumingMemoryBound(to: CChar.self), bytes.count)
        }
    }
}
