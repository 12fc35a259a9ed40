import CSQLite
import Glibc

/// A SQLite database of one program, in one file.
///
/// Write-ahead log with `synchronous=FULL`: a transaction that has been committed is on the disk when the call returns.
/// (With a rollback journal `FULL` would not be enough: its deletion, which is the commit, is not synced.) Beside the
/// file stand `-wal` and `-shm` while it is open; closing folds them in.
///
/// Used from one thread. Safe to use since the handle never leaves it and every call after ``close()`` throws.
@safe public final class Database {
    /// How long a statement waits for another process.
    public static let busyMillisecondsMax: Int32 = 5000

    /// What tells this program's databases from others: both stand in the file's header.
    public struct Identity: Equatable, Sendable {
        /// A number that names the program (`PRAGMA application_id`).
        public let application: Int32
        /// The version of the schema (`PRAGMA user_version`).
        public let version: Int32

        public init(application: Int32, version: Int32) {
            self.application = application
            self.version = version
        }
    }

    public enum Access: Equatable, Sendable {
        case read
        case readWrite
    }

    public let path: String
    private var handle: OpaquePointer?

    /// Opens a database that exists.
    /// - Throws: ``SQLiteError``: `.notFound`; `.notADatabase`, `.corrupt`, `.foreign` or `.format` where the file is
    ///   not what it should be; nothing is changed then.
    public convenience init(path: String, identity: Identity, access: Access = .readWrite) throws(SQLiteError) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else {
            let code = errno
            throw SQLiteError(
                code == ENOENT ? .notFound : .cannotOpen,
                code == ENOENT ? "there is no such file" : unsafe String(cString: strerror(code)), place: path)
        }
        guard status.st_size > 0 else {
            throw SQLiteError(.corrupt, "is empty; restore it from a backup", place: path)
        }
        try self.init(opening: path, flags: access == .read ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE)
        let application = try integer("PRAGMA application_id")
        guard application == Int64(identity.application) else {
            throw SQLiteError(.foreign, "is the database of another program", place: path)
        }
        let version = try integer("PRAGMA user_version")
        guard version == Int64(identity.version) else {
            throw SQLiteError(
                .format, "has format \(version); this program reads format \(identity.version)", place: path)
        }
        if access == .readWrite {
            // What stands in it names people: an older or copied file may be too open.
            _ = unsafe chmod(path, 0o600)
            try execute("PRAGMA journal_mode=WAL")
        }
        try execute("PRAGMA synchronous=FULL")
        try execute("PRAGMA trusted_schema=OFF")
    }

    private init(opening path: String, flags: Int32) throws(SQLiteError) {
        self.path = path
        let code = unsafe sqlite3_open_v2(path, &handle, flags | SQLITE_OPEN_EXRESCODE, nil)
        guard code == SQLITE_OK, unsafe handle != nil else {
            let error = self.error(code)
            close()
            throw error
        }
        unsafe sqlite3_busy_timeout(handle, Self.busyMillisecondsMax)
    }

    deinit { close() }

    /// Ends the use of the database; later calls throw. A statement that is still alive keeps the file open until it is
    /// gone.
    public func close() {
        unsafe sqlite3_close_v2(handle)
        unsafe handle = nil
    }

    /// Creates a database that only its owner can read, and syncs it. It appears whole or not at all: it is made beside
    /// its place and linked there, so a crash leaves no half of it, and of two that create it at once one wins and the
    /// other uses the winner's.
    /// - Throws: ``SQLiteError``. A file that stands there already is left alone, and that is no error.
    public static func create(path: String, identity: Identity, schema: StaticString) throws(SQLiteError) {
        let temporary = "\(path).new-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        let descriptor = unsafe open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            let reason = unsafe String(cString: strerror(errno))
            throw SQLiteError(.cannotOpen, "cannot be created: \(reason)", place: path)
        }
        defer { unsafe unlink(temporary) }
        let isSynced: Bool
        do {
            // Closed before the file has its name: closing any descriptor of a file drops the locks that this process
            // holds on it, also those of another connection.
            defer { Glibc.close(descriptor) }
            let database = try Database(opening: temporary, flags: SQLITE_OPEN_READWRITE)
            try database.execute("PRAGMA application_id=\(identity.application)")
            try database.execute("PRAGMA user_version=\(identity.version)")
            try database.execute("\(schema)")
            database.close()
            isSynced = fsync(descriptor) == 0
        }
        guard isSynced, unsafe link(temporary, path) == 0 || errno == EEXIST, syncDirectory(of: path) else {
            let reason = unsafe String(cString: strerror(errno))
            throw SQLiteError(.inputOutput, "cannot be put in place: \(reason)", place: path)
        }
    }

    private static func syncDirectory(of path: String) -> Bool {
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        let directory = slash.map { String(path[...$0]) } ?? "."
        let descriptor = unsafe open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { Glibc.close(descriptor) }
        return fsync(descriptor) == 0
    }

    // MARK: Statements

    /// Runs SQL that gives no rows, or whose rows do not matter. Never put a value into it: see ``prepare(_:)``.
    public func execute(_ sql: String) throws(SQLiteError) {
        let code = unsafe sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw error(code) }
    }

    /// Compiles one statement. Values stand in it as `?1`, `?2`, … and are bound.
    public func prepare(_ sql: StaticString) throws(SQLiteError) -> Statement {
        try prepare(text: "\(sql)")
    }

    private func prepare(text: String) throws(SQLiteError) -> Statement {
        var statement: OpaquePointer?
        let code = unsafe sqlite3_prepare_v2(handle, text, -1, &statement, nil)
        guard code == SQLITE_OK, let statement = unsafe statement else { throw error(code) }
        return unsafe Statement(statement, of: self)
    }

    /// The first column of the first row.
    public func integer(_ sql: StaticString) throws(SQLiteError) -> Int64 {
        let statement = try prepare(sql)
        guard try statement.step() else { throw SQLiteError(.corrupt, "lacks a row it should have", place: path) }
        return statement.integer(0)
    }

    /// Runs `body` in one transaction: all of it is on the disk when this returns, or nothing of it when it throws.
    public func transaction<R>(_ body: () throws(SQLiteError) -> R) throws(SQLiteError) -> R {
        try execute("BEGIN IMMEDIATE")
        do throws(SQLiteError) {
            let result = try body()
            try execute("COMMIT")
            return result
        } catch {
            // After some errors SQLite has rolled back by itself, and then this one fails; both come to the same.
            try? execute("ROLLBACK")
            throw error
        }
    }

    /// Writes the database as it stands now into a file of its own, while others may go on writing to it.
    /// - Parameter path: of a file that must not be there yet; it can be read by its owner only.
    /// - Throws: ``SQLiteError``; the file is taken away then.
    public func copy(to path: String) throws(SQLiteError) {
        // An empty file is taken for one that is not there, and keeps its mode.
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw SQLiteError(.cannotOpen, "cannot be created: \(unsafe String(cString: strerror(errno)))", place: path)
        }
        Glibc.close(descriptor)
        do throws(SQLiteError) {
            let statement = try prepare("VACUUM INTO ?1")
            try statement.bind(1, path)
            _ = try statement.step()
        } catch {
            unsafe unlink(path)
            throw error
        }
    }

    /// Reads the whole database and compares it with itself.
    /// - Complexity: the size of the file.
    /// - Throws: ``SQLiteError`` `.corrupt` with what was found first.
    public func verify() throws(SQLiteError) {
        let statement = try prepare("PRAGMA integrity_check(1)")
        guard try statement.step() else { return }
        let found = statement.text(0)
        guard found == "ok" else { throw SQLiteError(.corrupt, "is damaged: \(found)", place: path) }
    }

    /// The error of the call that was made last on this database.
    func error(_ code: Int32) -> SQLiteError {
        let primary = SQLiteError.Code(rawValue: code & 0xFF)
        let own = unsafe handle.flatMap { unsafe sqlite3_errmsg($0) }.map { unsafe String(cString: $0) } ?? "is closed"
        let reason =
            switch primary {
            case .notADatabase: "is not a SQLite database"
            case .corrupt: "is damaged (\(own)); restore it from a backup"
            case .busy: "is in use by another process"
            case .diskFull: "the disk is full"
            case .cannotOpen: "cannot be opened"
            case .readOnly: "may not be written"
            default: own
            }
        return SQLiteError(primary, reason, place: path)
    }
}
