import Glibc

/// PostgreSQL's programs as Debian brings them, and as whom they run: its server refuses to run as root.
struct PostgresPrograms: Sendable {
    /// What each program is started by.
    private let prefix: [String]
    private let installed: String

    static let installed = "/usr/lib/postgresql/15/bin"
    static let package = "postgresql-15"
    /// Debian's package makes this user.
    private static let user = "postgres"

    /// - Parameter directory: an absolute path of ours, empty, which becomes theirs.
    /// - Throws: ``BenchError`` where PostgreSQL is not installed, or its user cannot reach the directory.
    init(for directory: String, installed: String = Self.installed) throws(BenchError) {
        self.installed = installed
        for program in ["initdb", "postgres", "psql", "pgbench"] where access("\(installed)/\(program)", X_OK) != 0 {
            throw BenchError(
                "postgresql",
                "\(installed)/\(program) is missing, and without it there is nothing to compare with. Install Debian's "
                    + "package \(Self.package)")
        }
        // Nothing of this environment may change what is measured; and whatever becomes of the benchmark, no server
        // stays behind it. The signal comes with the end of the thread that started the program.
        let alone =
            ["/usr/bin/env", "-i", "--chdir=/", "PATH=/usr/bin:/bin", "LC_ALL=C", "/usr/bin/setpriv"]
            + ["--pdeathsig", "QUIT"]
        guard geteuid() == 0 else {
            prefix = alone
            return
        }
        guard let entry = getpwnam(Self.user), chown(directory, entry.pointee.pw_uid, entry.pointee.pw_gid) == 0 else {
            throw BenchError(
                "postgresql",
                "cannot give \(directory) to the user \(Self.user), who is there once the package \(Self.package) is "
                    + "installed and configured")
        }
        let other = alone + ["--reuid=\(Self.user)", "--regid=\(Self.user)", "--init-groups"]
        // A directory above may be closed to others, as root's home is. Its modes are not ours to change, so the
        // programs may pass through where root may let them.
        let passing = other + ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
        for prefix in [other, passing] where try Self.reaches(directory, prefix) {
            self.prefix = prefix
            return
        }
        throw BenchError(
            "postgresql-directory",
            "the user \(Self.user) cannot reach \(directory), because a directory above it is closed to others. Name "
                + "a new one in an open directory with --dir, such as /var/tmp/lianfen-bench")
    }

    private static func reaches(_ directory: String, _ prefix: [String]) throws(BenchError) -> Bool {
        // Not `test`, which asks what the user may do without what passes it through.
        let attempt = ["/bin/sh", "-c", "cd \"$0\" 2> /dev/null", directory]
        return try Child(prefix[0], Array(prefix.dropFirst()) + attempt).finish().code == 0
    }

    func start(_ program: String, _ arguments: [String]) throws(BenchError) -> Child {
        try Child(prefix[0], Array(prefix.dropFirst()) + ["\(installed)/\(program)"] + arguments)
    }

    /// Runs a program to its end; what it has to complain about goes where our errors go.
    /// - Returns: the lines that it wrote, without empty ones.
    /// - Throws: ``BenchError`` where it fails.
    @discardableResult
    func run(_ program: String, _ arguments: [String]) throws(BenchError) -> [String] {
        let (lines, code) = try start(program, arguments).finish()
        guard code == 0 else {
            throw BenchError(
                "postgresql", "\(program) of PostgreSQL failed (\(code.map { "exit \($0)" } ?? "killed")); it says why")
        }
        return lines
    }
}
