import Concurrency
import Glibc

/// Sockets that we are done with, while their clients may still be sending: closed at once, they would answer that with
/// a reset, which can take the last answer away from a client that has not read it yet. So they are read empty for a
/// second.
final class Lingering: Sendable {
    /// More than these are closed at once.
    static let countMax = 512
    private static let microsecondsMax: UInt64 = 1_000_000

    private struct Socket {
        let descriptor: Int32
        let until: UInt64
    }

    private struct State {
        var sockets: [Socket] = []
        var isClosed = false
    }

    private let state = Locked(State())

    /// Takes a socket over, and tells its client that nothing more comes.
    func add(_ descriptor: Int32) {
        shutdown(descriptor, Int32(SHUT_WR))
        let until = monotonicMicroseconds() + Self.microsecondsMax
        let isTaken = state.withLock { state in
            guard !state.isClosed, state.sockets.count < Self.countMax else { return false }
            state.sockets.append(Socket(descriptor: descriptor, until: until))
            return true
        }
        if !isTaken { Glibc.close(descriptor) }
    }

    /// Reads what has come, and closes those that are over.
    func drain(into buffer: inout [UInt8]) {
        let now = monotonicMicroseconds()
        var sockets = state.withLock { state in
            var taken: [Socket] = []
            swap(&taken, &state.sockets)
            return taken
        }
        sockets.removeAll { socket in
            if socket.until > now, !Self.isOver(socket.descriptor, &buffer) { return false }
            Glibc.close(socket.descriptor)
            return true
        }
        let isClosed = state.withLock { state in
            state.sockets += sockets
            return state.isClosed
        }
        if isClosed { close() }
    }

    private static func isOver(_ descriptor: Int32, _ buffer: inout [UInt8]) -> Bool {
        // A few reads a round: whoever sends faster than that is not waiting for an answer.
        for _ in 0..<4 {
            let count = unsafe buffer.withUnsafeMutableBytes {
                unsafe recv(descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT))
            }
            if count == 0 || count < 0 && errno != EAGAIN && errno != EINTR { return true }
            if count < 0 { return false }
        }
        return false
    }

    func close() {
        let sockets = state.withLock { state in
            state.isClosed = true
            var taken: [Socket] = []
            swap(&taken, &state.sockets)
            return taken
        }
        for socket in sockets { Glibc.close(socket.descriptor) }
    }
}
