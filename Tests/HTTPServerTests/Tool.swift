import Glibc

/// Runs a program of the system with `input` and gives what it says.
///
/// Not Foundation's `Process`, which reads the list of open files while other tests open thousands.
func tool(_ program: String, _ arguments: [String], input: [UInt8] = []) throws -> [UInt8] {
    struct Failed: Error { let what: String }
    // A socket, both of whose ends no other child inherits.
    var ends: [Int32] = [-1, -1]
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { throw Failed(what: "no socket: \(errno)") }
    defer { close(ends[0]) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawn_file_actions_adddup2(&actions, ends[1], 0)
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    var words = ([program] + arguments).map { strdup($0) } + [nil]
    var pairs = [strdup("PATH=/usr/bin:/bin"), nil]
    var pid: pid_t = 0
    let refusal = posix_spawnp(&pid, program, &actions, nil, &words, &pairs)
    for text in words + pairs { free(text) }
    posix_spawn_file_actions_destroy(&actions)
    close(ends[1])
    guard refusal == 0 else { throw Failed(what: "\(program) does not start: \(refusal)") }
    _ = input.withUnsafeBytes { send(ends[0], $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    shutdown(ends[0], Int32(SHUT_WR))
    var output: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = recv(ends[0], &piece, piece.count, 0)
        if count <= 0 { break }
        output += piece.prefix(count)
    }
    var status: Int32 = 0
    waitpid(pid, &status, 0)
    return output
}
