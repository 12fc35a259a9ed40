import Concurrency
import Glibc

/// Somebody's wish that the work should end: a flag to look at, and ways to be woken by it.
public final class StopRequest: Sendable {
    private struct State {
        var requested = false
        var handlers: [@Sendable () -> Void] = []
    }

    private let state = Locked(State())
    /// A pipe of which nothing is ever read, so that its reading end stays readable once the wish is there.
    private let reading: Int32
    private let writing: Int32

    public init() {
        (reading, writing) = StopRequest.openPipe()
        _ = fcntl(writing, F_SETFL, O_NONBLOCK)
    }

    deinit {
        close(reading)
        close(writing)
    }

    /// Whether the work should end.
    public var isRequested: Bool { state.withLock { $0.requested } }

    /// A descriptor that becomes readable, and stays so, when the work should end: for `poll` beside other descriptors.
    public var descriptor: Int32 { reading }

    /// Asks the work to end. Asking again changes nothing.
    public func request() {
        let handlers = state.withLock { state -> [@Sendable () -> Void] in
            state.requested = true
            defer { state.handlers = [] }
            return state.handlers
        }
        var byte: UInt8 = 1
        _ = write(writing, &byte, 1)
        for handler in handlers { handler() }
    }

    /// Calls `handler` once, on the thread that asks, or at once if that has happened already.
    public func onRequest(_ handler: @escaping @Sendable () -> Void) {
        let already = state.withLock { state -> Bool in
            if !state.requested { state.handlers.append(handler) }
            return state.requested
        }
        if already { handler() }
    }

    /// Waits until the work should end, at most so long.
    /// - Returns: whether it should.
    public func wait(milliseconds: Int32) -> Bool {
        var ready = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
        _ = poll(&ready, 1, milliseconds)
        return isRequested
    }

    /// A pipe that no child process inherits.
    static func openPipe() -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [-1, -1]
        precondition(pipe(&ends) == 0, "no file descriptors are left")
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }
}
