package import Glibc

/// A program that was started: mostly the tool itself, since each benchmark has a process of its own, so that none
/// inherits another's memory.
public struct Child: ~Copyable {
    package let id: pid_t
    private let output: Int32

    /// Starts a program; its output comes here.
    /// - Parameter errors: the file that its errors go to; where ours go, if none is named.
    public init(_ program: String, _ arguments: [String], errors: String? = nil) throws(BenchError) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw Self.failure("cannot make a pipe") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
        if let errors {
            posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors, O_WRONLY | O_CREAT | O_TRUNC, 0o640)
        }
        var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) }
        defer { for word in words { free(word) } }
        words.append(nil)
        var started = pid_t()
        let code = posix_spawn(&started, program, &actions, nil, words, environ)
        close(ends[1])
        guard code == 0 else {
            close(ends[0])
            errno = code
            throw Self.failure("cannot start \(program)")
        }
        (id, output) = (started, ends[0])
    }

    /// Waits for its end.
    /// - Returns: what it wrote, line by line, and its exit code; nil where it was killed.
    public consuming func finish() -> (lines: [String], code: Int32?) {
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(output, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            bytes += piece.prefix(count)
        }
        close(output)
        var status: Int32 = 0
        while waitpid(id, &status, 0) < 0, errno == EINTR {}
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
        return (lines, status & 0x7F == 0 ? status >> 8 & 0xFF : nil)
    }

    /// Whether it has not closed its output yet, which it does with its end.
    var isRunning: Bool {
        var state = pollfd(fd: output, events: 0, revents: 0)
        return poll(&state, 1, 0) == 0
    }

    /// Sends it a signal and waits for its end. Without a word it ends at once, as in a crash.
    consuming func kill(_ signal: Int32 = SIGKILL) {
        _ = Glibc.kill(id, signal)
        _ = finish()
    }

    private static func failure(_ what: String) -> BenchError {
        BenchError("process", "\(what): \(String(cString: strerror(errno)))")
    }
}
