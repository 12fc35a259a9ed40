import Glibc
import Storage

/// How much must be free on the disk before something is begun, so that RocksDB hardly ever meets a full disk halfway:
/// a refusal before a write is cleaner than one in it.
enum Room {
    /// For the small files that an open writes.
    static let openBytes = 1 << 20
    /// Kept free by writes, so that a directory on a full disk can still be opened: an open that finds more in the logs
    /// than a column holds in memory writes a sorted file of it first, as a write does that fills a column.
    static let writeBytes = Options.columnBufferBytesMax + (4 << 20)

    /// - Throws: ``StorageError`` with `.diskFull` where fewer bytes are free to an ordinary user.
    static func require(_ bytes: Int, in directory: String) throws(StorageError) {
        var status = statvfs()
        if unsafe statvfs(directory, &status) != 0 { throw .fileSystem(errno, directory) }
        let (free, overflow) = status.f_bavail.multipliedReportingOverflow(by: UInt(status.f_frsize))
        if !overflow, free < UInt(bytes) { throw .fileSystem(ENOSPC, directory) }
    }
}
