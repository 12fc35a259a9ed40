import Glibc
import Terminal

/// Whole small files: read with a bound, written so that they are there whole or not at all.
enum Files {
    /// Larger than any file that is read whole here.
    static let bytesMax = 16 << 20

    static func read(_ path: String, max: Int = bytesMax) throws -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("read", path) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw failure("read", path)
            }
            if count == 0 { return bytes }
            guard bytes.count + count <= max else {
                throw CommandError(
                    code: "file-too-large", field: path, reason: "the file is larger than \(max) bytes",
                    exit: .environment)
            }
            bytes += buffer[0..<count]
        }
    }

    /// The first line of a short file, without its end.
    static func firstLine(_ path: String) throws -> [UInt8] {
        Array(try read(path, max: 4096).prefix { $0 != 0x0A && $0 != 0x0D })
    }

    /// How many rows a file with a header has at most, to tell how much is left: a quoted line break counts as one
    /// more. Nil where that is not to be had without using the file up.
    static func rowsAtMost(_ path: String) -> Int? {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        var breaks = 0
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count == 0 { return breaks > 0 ? breaks : nil }
            guard count > 0 else { return nil }
            buffer.withUnsafeBytes { bytes in
                var at = 0
                while at < count, let found = memchr(bytes.baseAddress! + at, 0x0A, count - at) {
                    breaks += 1
                    at = bytes.baseAddress!.distance(to: UnsafeRawPointer(found)) + 1
                }
            }
        }
    }

    /// What root makes in the directory of another user is that user's: otherwise a node could not read a key that was
    /// exchanged beside it. Only for what was made new: anything else there may be a link.
    static func giveToOwner(of directory: String, _ descriptor: Int32) {
        var status = stat()
        guard geteuid() == 0, stat(directory, &status) == 0, status.st_uid != 0 else { return }
        // Where the file system knows no owners there is nothing to give.
        _ = fchown(descriptor, status.st_uid, status.st_gid)
    }

    /// The directory in which a file lies.
    static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Writes a file for its owner's eyes only, synced, under its name only once it is whole. The owner is root's
    /// where root writes into its own directory, and that of the directory otherwise.
    static func write(_ bytes: [UInt8], to path: String, mode: mode_t = 0o600) throws {
        let partial = path + ".partial"
        // A new file of its own, never what another user may have put there: a link would lead root anywhere.
        unlink(partial)
        let descriptor = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw failure("write", path) }
        giveToOwner(of: directory(of: path), descriptor)
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                let error = failure("write", path)
                close(descriptor)
                unlink(partial)
                throw error
            }
            written += count
        }
        let synced = fsync(descriptor) == 0
        let error = failure("write", path)
        close(descriptor)
        guard synced, rename(partial, path) == 0 else {
            unlink(partial)
            throw error
        }
    }

    /// Makes sure that a directory is there; its owner is as with `write`.
    static func makeDirectory(_ path: String, mode: mode_t = 0o700) throws {
        guard mkdir(path, mode) == 0 else {
            guard errno == EEXIST else { throw failure("make the directory", path) }
            return
        }
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        giveToOwner(of: directory(of: path), descriptor)
        close(descriptor)
    }

    /// Whether something is there, or may be: what cannot be looked at is not said to be missing.
    static func exists(_ path: String) -> Bool {
        access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR)
    }

    /// Bytes on the disk of a path that an ordinary user may still write, and all of it; nil where nobody knows. Of a
    /// path that is not there yet, on that of the directory in which it would be.
    static func room(at path: String) -> (free: UInt64, total: UInt64)? {
        var status = statvfs()
        var place = path
        while statvfs(place, &status) != 0 {
            guard errno == ENOENT else { return nil }
            place = directory(of: place)
        }
        let unit = UInt64(status.f_frsize)
        return (UInt64(status.f_bavail) * unit, UInt64(status.f_blocks) * unit)
    }

    /// RocksDB has every row twice for a while: as it came, and in order.
    private static let restoreFactor: UInt64 = 2
    /// For what a directory takes that has no rows.
    private static let restoreBytes: UInt64 = 64 << 20

    /// Makes sure, before anything is written, that a directory will fit which is made of so many bytes.
    static func requireRoom(toRestore byteCount: Int, at path: String) throws {
        guard let room = room(at: path) else { return }
        let needed = restoreFactor * UInt64(byteCount) + restoreBytes
        guard room.free >= needed else {
            throw CommandError(
                code: "room-missing", field: path,
                reason: "\(room.free) bytes are free there, and this takes some \(needed); free some space, or choose "
                    + "another place", exit: .environment)
        }
    }

    /// Takes a directory away with all that is in it, as far as that goes.
    static func removeTree(_ path: String) {
        for name in (try? names(in: path)) ?? [] {
            let inner = path + "/" + name
            if isDirectory(inner) { removeTree(inner) } else { unlink(inner) }
        }
        rmdir(path)
    }

    static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Names in a directory, sorted; none where it does not exist.
    static func names(in path: String) throws -> [String] {
        guard let directory = opendir(path) else {
            guard errno == ENOENT || errno == ENOTDIR else { throw failure("read the directory", path) }
            return []
        }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    static func failure(_ doing: String, _ path: String) -> CommandError {
        let code = errno
        // A file that is not there is wrong input; all else is the machine.
        return CommandError(
            code: code == ENOENT ? "file-notFound" : "file", field: path,
            reason: "cannot \(doing): \(String(cString: strerror(code)))",
            exit: code == ENOENT ? .refused : .environment)
    }
}
