import Backup
import Concurrency
import Glibc
import Terminal

/// A directory in which backups are kept: names are paths below it.
struct DirectoryPlace: BackupPlace {
    let path: String
    var title: String { path }
    private let isCancelled = Locked(false)

    init(path: String) { self.path = path }

    func cancel() { isCancelled.withLock { $0 = true } }

    func put(_ name: String, _ bytes: [UInt8]) throws(BackupError) {
        try doing("write \(name)") {
            try Files.makeDirectory(path)
            let parts = name.split(separator: "/")
            for count in 1..<max(1, parts.count) {
                try Files.makeDirectory(path + "/" + parts.prefix(count).joined(separator: "/"))
            }
            try Files.write(bytes, to: path + "/" + name)
        }
    }

    func get(_ name: String, max: Int) throws(BackupError) -> [UInt8]? {
        let file = path + "/" + name
        guard Files.exists(file) else { return nil }
        do { return try Files.read(file, max: max) } catch let error as CommandError
            where error.code == "file-too-large"
        {
            throw .differs(name)
        } catch { throw failure("read \(name)", error) }
    }

    func names() throws(BackupError) -> [String] {
        try doing("list") {
            var names: [String] = []
            func visit(_ prefix: String) throws {
                for name in try Files.names(in: prefix.isEmpty ? path : path + "/" + prefix) {
                    let inner = prefix.isEmpty ? name : prefix + "/" + name
                    if Files.isDirectory(path + "/" + inner) { try visit(inner) } else { names.append(inner) }
                }
            }
            try visit("")
            return names
        }
    }

    func remove(_ name: String) throws(BackupError) {
        try doing("remove \(name)") {
            let file = path + "/" + name
            guard unlink(file) == 0 || errno == ENOENT else { throw Files.failure("remove", file) }
            // What a write that was cut off has left.
            unlink(file + ".partial")
            // Its directory goes with the last name in it.
            if let slash = file.lastIndex(of: "/") { rmdir(String(file[..<slash])) }
        }
    }

    private func doing<R>(_ what: String, _ body: () throws -> R) throws(BackupError) -> R {
        if isCancelled.withLock({ $0 }) { throw .ended }
        do { return try body() } catch { throw failure(what, error) }
    }

    private func failure(_ what: String, _ error: any Error) -> BackupError {
        guard let error = error as? CommandError else { return .place("\(what) in \(path)", reason: "\(error)") }
        return .place("\(what) in \(path)", reason: error.reason)
    }
}
