import Concurrency
import JSON
import Wire

/// How the backups of a directory go, in its file `backup.json`: for `lianfen status`, and for the node, which makes
/// the next one when it is due.
enum BackupRecord {
    private static let bytesMax = 256 << 10
    private static func file(_ path: String) -> String { path + "/backup.json" }

    /// Of a directory without the file, or where that is of no use: nothing, which costs one backup that was not due.
    static func read(_ path: String) -> BackupStanding {
        guard let bytes = try? Files.read(file(path), max: bytesMax), let json = try? JSONValue(parsing: bytes),
            let standing = try? Form.backupStanding.parse(json)
        else { return BackupStanding() }
        return standing
    }

    static func note(_ verified: BackupStanding.Verified, in path: String) throws {
        try write(BackupStanding(verified: verified), to: path)
    }

    /// Remembers that a backup failed, beside the last one that did not.
    static func note(failure reason: String, in path: String) throws {
        var standing = read(path)
        standing.failure = BackupStanding.Failure(reason: reason, at: wallClockMilliseconds())
        try write(standing, to: path)
    }

    private static func write(_ standing: BackupStanding, to path: String) throws {
        try Files.write(
            Array((Form.backupStanding.write(standing).indentedText + "\n").utf8), to: file(path), mode: 0o644)
    }
}
