import Concurrency
import Glibc

/// A server of PostgreSQL with an empty database, for as long as it is measured.
struct PostgresServer: Sendable {
    /// Where its files are, and room for those of its clients. Everything in it goes when the server does.
    let path: String
    /// The process of the server, which has others under it.
    let process: pid_t
    private let programs: PostgresPrograms
    private let socket: String

    private static let name = "postgresql"

    /// What somebody who knows PostgreSQL sets for a ledger on a machine of some gigabytes. The first three are what a
    /// commit is worth: it is on the disk when the client hears of it, and a page torn by a power cut is mended.
    static let settings = [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        // All of the tables and indexes stay in memory.
        ("shared_buffers", "1GB"),
        // Full pages go into the log after each checkpoint; none falls into a run.
        ("max_wal_size", "16GB"),
        ("min_wal_size", "4GB"),
        ("checkpoint_timeout", "30min"),
        ("wal_compression", "lz4"),
        ("max_connections", "100"),
        // Compiling pays for long queries; there are none.
        ("jit", "off"),
        // What is fatal comes to our errors; the rest the clients say.
        ("log_min_messages", "fatal"),
        ("listen_addresses", ""),
    ]

    /// Makes a server, runs `body` and takes the server away again, also where `body` fails. One that an earlier run
    /// left in the same directory is stopped first.
    /// - Throws: ``BenchError`` where PostgreSQL is missing or does not start.
    static func running<R>(in directory: BenchDirectory, _ body: (PostgresServer) throws -> R) throws -> R {
        stopLeftover(directory.ledger(name))
        directory.remove(name)
        defer { directory.remove(name) }
        guard mkdir(directory.ledger(name), 0o700) == 0, let resolved = realpath(directory.ledger(name), nil) else {
            throw BenchError(
                "directory", "cannot make \(directory.ledger(name)): \(String(cString: strerror(errno)))")
        }
        defer { free(resolved) }
        let path = String(cString: resolved)
        let programs = try PostgresPrograms(for: path)
        // Only the one who made a cluster may connect to it.
        let data = "\(path)/data"
        try programs.run(
            "initdb", ["-D", data, "--auth=peer", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"])
        // A socket without a file: a path may be too long for one.
        let socket = "@lianfen-bench-\(UInt64.random(in: .min ... .max))"
        let options = (settings + [("unix_socket_directories", socket)]).flatMap { ["-c", "\($0.0)=\($0.1)"] }
        let child = try programs.start("postgres", ["-D", data] + options)
        let server = PostgresServer(path: path, process: child.id, programs: programs, socket: socket)
        let result = Result {
            try server.waitUntilReady(isRunning: { child.isRunning })
            return try body(server)
        }
        // At once, without a checkpoint: nothing of it is wanted any more.
        child.kill(SIGQUIT)
        return try result.get()
    }

    /// What a statement answers: its rows, with `|` between the columns.
    /// - Throws: ``BenchError`` where it is refused.
    @discardableResult
    func query(_ statement: String) throws(BenchError) -> [String] {
        try programs.run(
            "psql", ["-XAtq", "-v", "ON_ERROR_STOP=1", "-h", socket, "-d", "postgres", "-c", statement])
    }

    /// Runs PostgreSQL's own load generator.
    func pgbench(_ arguments: [String]) throws(BenchError) -> PgbenchReport {
        try PgbenchReport(programs.run("pgbench", ["-n", "-M", "prepared", "-h", socket] + arguments + ["postgres"]))
    }

    /// The lines of the files in ``path`` whose names begin so.
    func lines(ofFilesNamed start: String) -> [String] {
        Machine.names(in: path).filter { $0.hasPrefix(start) }
            .flatMap { Machine.text("\(path)/\($0)").split(separator: "\n").map(String.init) }
    }

    private func waitUntilReady(isRunning: () -> Bool) throws(BenchError) {
        let start = Machine.now()
        while Machine.seconds(since: start) < Self.readySecondsMax {
            guard isRunning() else {
                throw BenchError("postgresql", "the server of PostgreSQL did not start; it says why")
            }
            if Self.note(path).count >= 8, Self.note(path)[7].hasPrefix("ready") { return }
            Self.pause()
        }
        throw BenchError(
            "postgresql", "the server of PostgreSQL was not ready within \(Int(Self.readySecondsMax)) seconds")
    }

    private static let readySecondsMax = 60.0
    private static let stopSecondsMax = 20.0

    private static func pause() { _ = Waiter<Void>().wait(within: 20) }

    /// The file in which a server says who it is: the process in the first line, its state in the eighth.
    private static func note(_ path: String) -> [Substring] {
        Machine.text("\(path)/data/postmaster.pid").split(separator: "\n", omittingEmptySubsequences: false)
    }

    /// Stops the server that a killed run left behind. The number in its file may be another process's by now, so
    /// nothing is touched that does not work in that very directory.
    private static func stopLeftover(_ path: String) {
        guard let process = note(path).first.flatMap({ pid_t($0) }), process > 1, works(process, in: path) else {
            return
        }
        kill(process, SIGQUIT)
        let start = Machine.now()
        while works(process, in: path), Machine.seconds(since: start) < stopSecondsMax { pause() }
    }

    private static func works(_ process: pid_t, in path: String) -> Bool {
        guard let data = realpath("\(path)/data", nil), let place = realpath("/proc/\(process)/cwd", nil) else {
            return false
        }
        defer {
            free(data)
            free(place)
        }
        return strcmp(data, place) == 0
    }
}
