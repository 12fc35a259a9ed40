import Bench
import Concurrency
import Glibc

/// Event streams: most read all they get, some never read, and by turns each leaves and another one comes.
final class Listeners: Sendable {
    private struct State {
        /// Oldest first.
        var reading: [Int32] = []
        var mute: [Int32] = []
        var isEnding = false
        var bytes = 0
        var lost = 0
    }

    private let port: Int
    private let state = Locked(State())
    private let thread: WorkerThread

    static let readingCount = 32
    static let muteCount = 4
    /// Those that leave in one round, and as many come.
    private static let leavingCount = 2
    /// What the system keeps for a client that does not read.
    private static let muteBufferBytes: Int32 = 4096
    private static let pauseMilliseconds: Int32 = 20

    init(port: Int) throws {
        self.port = port
        thread = WorkerThread("listeners") { [state] in
            var piece = [UInt8](repeating: 0, count: 1 << 16)
            while true {
                var ready = state.withLock { $0.reading }.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
                _ = poll(&ready, nfds_t(ready.count), Self.pauseMilliseconds)
                let isEnding = state.withLock { state in
                    // Whoever left meanwhile is not in the list any more.
                    for socket in state.reading {
                        while true {
                            let count = recv(socket, &piece, piece.count, Int32(MSG_DONTWAIT))
                            if count > 0 { state.bytes += count }
                            if count == 0 { state.lost += 1 }
                            if count < piece.count { break }
                        }
                    }
                    return state.isEnding
                }
                if isEnding { return }
                // So that pieces become large: a round trip for each event is not what is tried here.
                usleep(20_000)
            }
        }
        for _ in 0..<Self.readingCount { try join(after: nil) }
        for _ in 0..<Self.muteCount { try joinMute() }
    }

    /// Some leave, and as many come: half of them ask for what they missed.
    /// - Parameters:
    ///   - height: the newest that is known.
    ///   - newcomer: whether one of them missed everything, and reads the chain from its begin.
    func rotate(height: UInt64, newcomer: Bool) throws {
        for index in 0..<Self.leavingCount {
            leave(\.reading)
            let missed = newcomer ? height : min(height, Self.missedHeights)
            try join(after: index == 0 ? height - missed : nil)
        }
    }

    private static let missedHeights: UInt64 = 20

    /// One that never reads leaves, and another comes.
    func rotateMute() throws {
        leave(\.mute)
        try joinMute()
    }

    private func leave(_ list: any WritableKeyPath<State, [Int32]> & Sendable) {
        state.withLock { _ = close($0[keyPath: list].removeFirst()) }
    }

    private func join(after height: UInt64?) throws {
        let socket = try HTTPLoad.connect(port)
        try Self.say(HTTPLoad.request("GET /v1/events", height.map { ["Last-Event-ID: \($0)"] } ?? []), socket)
        state.withLock { $0.reading.append(socket) }
    }

    private func joinMute() throws {
        let socket = try HTTPLoad.connect(port)
        var bytes = Self.muteBufferBytes
        setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
        try Self.say(HTTPLoad.request("GET /v1/events", ["Last-Event-ID: 0"]), socket)
        state.withLock { $0.mute.append(socket) }
    }

    static func say(_ bytes: [UInt8], _ socket: Int32) throws(BenchError) {
        guard send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
            throw BenchError("soak", "a connection ended: \(String(cString: strerror(errno)))")
        }
    }

    /// Bytes of events that were read, and streams that the node ended though somebody read them.
    var told: (bytes: Int, lost: Int) { state.withLock { ($0.bytes, $0.lost) } }

    func stop() {
        state.withLock { $0.isEnding = true }
        thread.join()
        state.withLock { state in
            for socket in state.reading + state.mute { close(socket) }
            (state.reading, state.mute) = ([], [])
        }
    }
}
