import CrashKit
import Foundation
import Glibc
import TestSupport

/// A process of the load, from its start to its end. What it says is read as it comes, until a moment or its end.
final class Child {
    let pid: pid_t
    private let output: Int32
    private var left: [UInt8] = []
    private(set) var isOver = false
    private let started = ContinuousClock.now

    private static let binary = Built.path("CrashLoad")

    struct Failed: Error, CustomStringConvertible {
        let description: String
    }

    init(_ arguments: [String], environment: [String: String] = [:]) throws {
        var ends: [Int32] = [-1, -1]
        // A socket, since it can be made so that no other process inherits it, which would keep it open.
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { throw Failed(description: "no socket: \(errno)") }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            close(ends[1])
        }
        // A crash report of a process that is meant to die would only be slow.
        let variables = ["SWIFT_BACKTRACE": "enable=no"].merging(environment) { $1 }
        var words = ([Self.binary] + arguments).map { strdup($0) } + [nil]
        var pairs = variables.map { strdup("\($0)=\($1)") } + [nil]
        defer { for text in words + pairs { free(text) } }
        var pid: pid_t = 0
        let refusal = posix_spawn(&pid, Self.binary, &actions, nil, &words, &pairs)
        guard refusal == 0 else {
            close(ends[0])
            throw Failed(description: "\(Self.binary) does not start: \(refusal)")
        }
        self.pid = pid
        output = ends[0]
    }

    deinit {
        if !isOver { _ = end(SIGKILL) }
        close(output)
    }

    var age: Duration { .now - started }

    /// Reads for `time`, until the process is silent for ever or `body` answers false.
    /// - Parameter time: none takes what was said until now, all of it: for a process that says nothing more.
    func read(for time: Duration?, _ body: (Word) -> Bool) {
        let deadline = time.map { ContinuousClock.now + $0 }
        while true {
            while let end = left.firstIndex(of: 0x0A) {
                let line = String(decoding: left[..<end], as: UTF8.self)
                left.removeSubrange(...end)
                if let word = Word(Substring(line)), !body(word) { return }
            }
            let rest = deadline.map { $0 - .now }
            // A process that talks all the time must not decide by its pauses when it is killed.
            if let rest, rest <= .zero { return }
            var waiting = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
            let milliseconds = rest.map { Int32($0 / .milliseconds(1)) + 1 } ?? 0
            guard poll(&waiting, 1, milliseconds) > 0 else { return }
            var chunk = [UInt8](repeating: 0, count: 1 << 16)
            let count = Glibc.read(output, &chunk, chunk.count)
            guard count > 0 else { return }
            left += chunk[..<count]
        }
    }

    /// Stops it where it stands; answers once no thread of it runs any more, not even in a call to the kernel.
    func pause() {
        kill(pid, SIGSTOP)
        let tasks = "/proc/\(pid)/task"
        for _ in 0..<5000 {
            let states = ((try? FileManager.default.contentsOfDirectory(atPath: tasks)) ?? []).map { task in
                let text = (try? String(contentsOfFile: "\(tasks)/\(task)/stat", encoding: .utf8)) ?? ""
                return text.split(separator: ")").last?.dropFirst().first
            }
            if states.allSatisfy({ $0 == "T" }) { return }
            usleep(1000)
        }
    }

    /// Ends it by a signal, or waits for its own end where none is given; answers the wait status.
    func end(_ signal: Int32? = nil) -> Int32 {
        guard !isOver else { return 0 }
        if let signal { kill(pid, signal) }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        isOver = true
        return status
    }
}
