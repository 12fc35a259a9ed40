import Bench
import Glibc

/// Runs this program under callgrind and reads what it counted.
struct Callgrind {
    /// Where its dumps go.
    let directory: BenchDirectory

    /// - Throws: ``BenchError`` where callgrind is not there or cannot run this program.
    func count() throws -> CountTable {
        directory.remove("dumps")
        let place = directory.ledger("dumps")
        guard mkdir(place, 0o750) == 0 else {
            throw BenchError("counts", "cannot make \(place): \(String(cString: strerror(errno)))")
        }
        // Hash tables of the same layout each time.
        setenv("SWIFT_DETERMINISTIC_HASHING", "1", 1)
        let log = "\(directory.path)/valgrind.log"
        let (lines, code) = try Child(
            try Self.valgrind(),
            [
                "--tool=callgrind", "--callgrind-out-file=\(place)/dump", "--zero-before=*countedPass*",
                "--dump-before=*finishedPass*", try Self.program(), "run",
            ], errors: log
        ).finish()
        guard code == 0 else { throw BenchError("counts", "the paths did not run under valgrind; \(log) says why") }
        let runs = lines.compactMap { Run($0) }
        guard runs.map({ $0.name }) == HotPath.all.map({ $0.name }) else {
            throw BenchError("counts", "not all paths ran under valgrind; \(log) says why")
        }
        let rows = try runs.enumerated().map { index, run in
            let parts = try Self.dump("\(place)/dump.\(index + 1)").parts
            func each(_ count: Int) -> Int { Int((Double(count) / Double(run.count)).rounded()) }
            return CountTable.Row(name: run.name, own: each(parts.own), crypto: each(parts.crypto))
        }
        // The numbers of the dumps are those of the paths only while there is one for each.
        guard access("\(place)/dump.\(runs.count + 1)", F_OK) != 0 else {
            throw BenchError("counts", "callgrind counted more passes than there are paths")
        }
        return CountTable(compiler: try Self.compiler(), rows: rows)
    }

    /// What the program says of a path that it ran.
    struct Run {
        let name: String
        let count: Int

        init(name: String, count: Int) {
            self.name = name
            self.count = count
        }

        init?(_ line: String) {
            let cells = line.split(separator: "\t")
            guard cells.count == 3, let count = Int(cells[1]), count > 0 else { return nil }
            self.init(name: String(cells[0]), count: count)
        }
    }

    private static func dump(_ path: String) throws -> CallgrindDump {
        guard let bytes = Machine.bytes(of: path) else {
            throw BenchError(
                "counts",
                "callgrind wrote no \(path): do the functions where it begins and ends still have their names?")
        }
        do throws(CallgrindDump.Malformed) {
            return try CallgrindDump(String(decoding: bytes, as: UTF8.self))
        } catch { throw BenchError("counts", "\(path) is not understood: \(error.reason)") }
    }

    private static func valgrind() throws -> String {
        let path = "/usr/bin/valgrind"
        guard access(path, X_OK) == 0 else {
            throw BenchError("counts", "valgrind is not installed; `make counts` installs it")
        }
        return path
    }

    private static func program() throws -> String {
        guard let path = realpath("/proc/self/exe", nil) else { throw BenchError("counts", "/proc is not there") }
        defer { free(path) }
        return String(cString: path)
    }

    /// The compiler on the path, which has just built this program.
    private static func compiler() throws -> String {
        let (lines, _) = try Child("/usr/bin/env", ["swift", "--version"], errors: "/dev/null").finish()
        let words = lines.joined(separator: " ").split(separator: " ")
        guard let mark = words.firstIndex(of: "version"), mark + 1 < words.count else {
            throw BenchError("counts", "`swift --version` does not tell a version")
        }
        return String(words[mark + 1])
    }
}
