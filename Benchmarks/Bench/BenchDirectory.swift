import Glibc

/// Where benchmarks keep their ledgers: a directory that says of itself that it is theirs, so that nothing else is ever
/// overwritten.
public struct BenchDirectory: Sendable {
    public let path: String

    private static let marker = "lianfen-bench"
    /// Others may pass through, since PostgreSQL runs as a user of its own, and see nothing.
    private static let mode: mode_t = 0o751

    /// Takes a directory that is missing, empty or a benchmark's own.
    /// - Throws: ``BenchError`` where something else lies there, or it cannot be made.
    public init(_ path: String) throws(BenchError) {
        self.path = path
        var status = stat()
        if stat(path, &status) == 0 {
            guard status.st_mode & S_IFMT == S_IFDIR else {
                throw BenchError("directory-taken", "\(path) is no directory; nothing was changed")
            }
            let names = Machine.names(in: path)
            guard names.isEmpty || names.contains(Self.marker) else {
                throw BenchError(
                    "directory-taken",
                    "\(path) holds something that is no benchmark's (such as \(names[0])); nothing was changed. "
                        + "Name another directory, or an empty one")
            }
        } else if mkdir(path, Self.mode) != 0 {
            throw BenchError("directory", "cannot make \(path): \(String(cString: strerror(errno)))")
        }
        guard let file = fopen("\(path)/\(Self.marker)", "a") else {
            throw BenchError("directory", "cannot write in \(path): \(String(cString: strerror(errno)))")
        }
        fclose(file)
    }

    /// The path of a ledger in it.
    package func ledger(_ name: String) -> String { "\(path)/\(name)" }

    /// Makes an empty one, in the place of what was there under its name.
    @discardableResult
    func remake(_ name: String) throws(BenchError) -> String {
        remove(name)
        let path = ledger(name)
        guard mkdir(path, 0o750) == 0 else {
            throw BenchError("directory", "cannot make \(path): \(String(cString: strerror(errno)))")
        }
        return path
    }

    /// Makes sure that there is room before hours of work end at a full disk. What earlier runs left here counts as
    /// room, since it is used again or removed.
    public func require(bytes: Double) throws(BenchError) {
        let room = Machine.bytesFree(at: path) + Machine.bytes(under: path)
        guard room < bytes else { return }
        throw BenchError(
            "room-missing",
            "the disk of \(path) has room for \(Figure.text(room / 1e9)) GB, and these benchmarks write up to "
                + "\(Figure.text(bytes / 1e9)) GB; free some space, name another directory, or leave out what is large")
    }

    /// Removes a ledger of ours, all of it.
    package func remove(_ name: String) { Self.remove(tree: ledger(name)) }

    static func remove(tree path: String) {
        for name in Machine.names(in: path) {
            let inner = "\(path)/\(name)"
            if unlink(inner) != 0 { remove(tree: inner) }
        }
        rmdir(path)
    }
}

/// Why a benchmark could not be run.
public struct BenchError: Error, CustomStringConvertible {
    public let code: String
    public let description: String

    package init(_ code: String, _ description: String) {
        self.code = code
        self.description = description
    }
}
