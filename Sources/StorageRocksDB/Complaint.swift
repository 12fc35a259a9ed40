import CRocksDB
import Glibc
import Storage

/// Calls RocksDB with the place for its complaint, and throws that if one was left there.
func asking<R>(
    _ directory: String, _ call: (inout UnsafeMutablePointer<CChar>?) -> R
) throws(StorageError) -> R {
    var message: UnsafeMutablePointer<CChar>?
    let result = unsafe call(&message)
    if let error = unsafe complaint(message, in: directory) { throw error }
    return result
}

/// What RocksDB left in an error slot, which is freed, as an error; nil where it left nothing.
func complaint(_ message: UnsafeMutablePointer<CChar>?, in directory: String) -> StorageError? {
    guard let message = unsafe message else { return nil }
    defer { unsafe rocksdb_free(message) }
    return unsafe .rocksDB(String(cString: message), directory)
}

extension StorageError {
    /// The C interface gives only text, such as `IO error: No space left on device: While appending to file: …`.
    /// The code is read out of it with the directory's own name taken out, which could hold any words.
    static func rocksDB(_ text: String, _ directory: String) -> Self {
        let words = text.split(separator: directory).joined()
        func says(_ errno: Int32) -> Bool { unsafe words.contains(String(cString: strerror(errno))) }
        if says(ENOSPC) || says(EDQUOT) { return .fileSystem(ENOSPC, directory) }
        if says(EROFS) { return .fileSystem(EROFS, directory) }
        if says(EACCES) || says(EPERM) { return .fileSystem(EACCES, directory) }
        if words.contains("lock file") || words.contains("lock hold") { return .locked(directory) }
        // A missing file that the database names is damage too: nobody else should have touched it.
        if words.hasPrefix("Corruption") || says(ENOENT) { return .damaged(text, directory) }
        return Self(.inputOutput, "the database cannot be used: \(text)", place: directory)
    }

    /// A file system call's `errno` as a sentence.
    static func fileSystem(_ errno: Int32, _ directory: String) -> Self {
        switch errno {
        case ENOENT, ENOTDIR:
            return .init(
                .notFound, "there is no such directory; check the path, or create a chain there", place: directory)
        case ENOSPC, EDQUOT:
            return .init(
                .diskFull, "the disk is full; what was written before is safe. Free some space, then start again",
                place: directory)
        case EROFS:
            return .init(
                .readOnly,
                "the file system is mounted read-only; mount it for writing (after an I/O error, check the disk first)",
                place: directory)
        case EACCES, EPERM:
            var status = stat()
            let owner = unsafe stat(directory, &status) == 0 ? "; it belongs to user \(status.st_uid)" : ""
            return .init(
                .denied, "user \(geteuid()) may not use this directory\(owner). Run as its owner", place: directory)
        default:
            let words = unsafe String(cString: strerror(errno))
            return .init(.inputOutput, "the file system says: \(words)", place: directory)
        }
    }

    static func locked(_ directory: String) -> Self {
        .init(
            .locked, "the directory \(directory) is already open for writing; stop the node that uses it first",
            place: directory)
    }

    static func damaged(_ detail: String, _ directory: String) -> Self {
        .init(
            .corrupt,
            "what is on disk is not what was written; keep a copy, then build the directory anew from other nodes"
                + " (\(detail))", place: directory)
    }
}
