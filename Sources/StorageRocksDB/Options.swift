import CRocksDB
import Storage

/// RocksDB's settings for one database, sized for four of them in one process.
@safe
struct Options: ~Copyable {
    /// Shared by all databases of the process; it lives as long as the process does.
    private nonisolated(unsafe) static let cache = unsafe rocksdb_cache_create_lru(Int(cacheBytesMax))

    /// What the cache of all databases may take.
    static let cacheBytesMax: UInt64 = 256 << 20
    /// One column's rows in memory before they go to a file, and all columns' together.
    static let columnBufferBytesMax = 16 << 20
    private static let databaseBufferBytesMax = 64 << 20
    /// Of a column's memory, for the filter over its keys there.
    private static let memoryFilterPart = 0.1
    /// Bounds what is read again after a crash.
    private static let logBytesMax: UInt64 = 64 << 20
    /// Sorted files of a column before they are merged with what is there: rows come in no order of their own, so each
    /// merge reads and writes nearly all of the next level. Filters keep looking into more files cheap.
    private static let filesBeforeCompaction: Int32 = 8
    /// Four databases stay far below the 20,000 descriptors of a process.
    private static let openFilesMax: Int32 = 1_000

    /// For the database as a whole, and for columns that are read in order.
    let ordered: OpaquePointer
    /// For columns whose keys are looked up one by one and often absent.
    let lookedUp: OpaquePointer

    init(_ mode: RocksDBStore.Mode) {
        unsafe ordered = Self.make(mode, lookedUp: false)
        unsafe lookedUp = Self.make(mode, lookedUp: true)
    }

    deinit {
        unsafe rocksdb_options_destroy(ordered)
        unsafe rocksdb_options_destroy(lookedUp)
    }

    func column(_ name: String) -> OpaquePointer {
        switch Column(rawValue: name) {
        case .keys, .holdings, .transactions, .accounts: unsafe lookedUp
        default: unsafe ordered
        }
    }

    private static func make(_ mode: RocksDBStore.Mode, lookedUp: Bool) -> OpaquePointer {
        let base = unsafe rocksdb_options_create()
        defer { unsafe rocksdb_options_destroy(base) }
        let options = unsafe rocksdb_options_create()!
        // Settings that the C interface only takes as text. Two are for nearly full disks: no file claims tens of
        // megabytes ahead of time, and an open after a crash need not copy the log into sorted files first. The third
        // has each row in memory looked for from the one before it, which is near, as batches are in order of key.
        let text = """
            allow_fallocate=false;avoid_flush_during_recovery=true;memtable_insert_with_hint_prefix_extractor=fixed:1
            """
        var message: UnsafeMutablePointer<CChar>?
        unsafe rocksdb_get_options_from_string(base, text, options, &message)
        unsafe precondition(message == nil, "RocksDB does not know \(text)")

        unsafe rocksdb_options_set_create_if_missing(options, mode == .create ? 1 : 0)
        unsafe rocksdb_options_set_create_missing_column_families(options, mode == .create ? 1 : 0)
        unsafe rocksdb_options_set_error_if_exists(options, mode == .create ? 1 : 0)
        unsafe rocksdb_options_set_paranoid_checks(options, 1)
        // Only a torn last record is forgiven. RocksDB's default forgives damage anywhere in the log and drops all
        // that follows, which could silently take back a vote that was synced and sent.
        unsafe rocksdb_options_set_wal_recovery_mode(
            options, Int32(rocksdb_tolerate_corrupted_tail_records_recovery))

        unsafe rocksdb_options_set_write_buffer_size(options, columnBufferBytesMax)
        unsafe rocksdb_options_set_db_write_buffer_size(options, databaseBufferBytesMax)
        unsafe rocksdb_options_set_max_total_wal_size(options, logBytesMax)
        // A reader beside a writer holds every file open, so that the writer's compaction cannot take one away.
        unsafe rocksdb_options_set_max_open_files(options, mode == .readOnly ? -1 : openFilesMax)
        unsafe rocksdb_options_set_max_background_jobs(options, 2)
        unsafe rocksdb_options_set_level0_file_num_compaction_trigger(options, filesBeforeCompaction)
        unsafe rocksdb_options_set_bytes_per_sync(options, 1 << 20)
        unsafe rocksdb_options_set_compression(options, Int32(rocksdb_lz4_compression))

        // RocksDB's own text log holds the settings of each open and nothing else: Debian's build asserts that writing
        // a line works, and a line about a full disk would end the process. Errors reach us as errors anyway.
        unsafe rocksdb_options_set_info_log_level(options, 4)
        unsafe rocksdb_options_set_keep_log_file_num(options, 4)
        unsafe rocksdb_options_set_max_log_file_size(options, 4 << 20)
        unsafe rocksdb_options_set_stats_dump_period_sec(options, 0)
        unsafe rocksdb_options_set_stats_persist_period_sec(options, 0)

        let table = unsafe rocksdb_block_based_options_create()!
        defer { unsafe rocksdb_block_based_options_destroy(table) }
        unsafe rocksdb_block_based_options_set_block_cache(table, cache)
        unsafe rocksdb_block_based_options_set_block_size(table, lookedUp ? 4 << 10 : 16 << 10)
        if lookedUp {
            // The table takes ownership of the filter.
            unsafe rocksdb_block_based_options_set_filter_policy(table, rocksdb_filterpolicy_create_bloom_full(10))
            // The same for rows still in memory, where a search that finds nothing costs most.
            unsafe rocksdb_options_set_memtable_whole_key_filtering(options, 1)
            unsafe rocksdb_options_set_memtable_prefix_bloom_size_ratio(options, memoryFilterPart)
        }
        unsafe rocksdb_options_set_block_based_table_factory(options, table)
        return unsafe options
    }
}
