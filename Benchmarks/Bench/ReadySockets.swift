import CEpoll
import Glibc

/// Which of very many sockets have something to read, for as much work as there are that do: to ask after each costs
/// more than to answer the few that have.
struct ReadySockets: ~Copyable {
    private let descriptor: Int32
    private var events: [epoll_event]

    /// - Parameter most: sockets of which one wait tells; the others come with the next.
    init(most: Int = 256) throws(BenchError) {
        descriptor = epoll_create1(0)
        guard descriptor >= 0 else { throw Self.failure }
        events = Array(repeating: epoll_event(), count: most)
    }

    deinit { close(descriptor) }

    /// Tells of a socket from now on, until it is closed.
    func add(_ socket: Int32, as index: Int) throws(BenchError) {
        var event = epoll_event(events: EPOLLIN.rawValue, data: epoll_data_t(u64: UInt64(index)))
        guard epoll_ctl(descriptor, EPOLL_CTL_ADD, socket, &event) == 0 else { throw Self.failure }
    }

    /// Waits until one is ready, or that time is over.
    /// - Returns: those that are, as they were added; none: the time is over; nil: a signal came.
    mutating func wait(milliseconds: Int32) throws(BenchError) -> [Int]? {
        let count = epoll_wait(descriptor, &events, Int32(events.count), milliseconds)
        if count < 0, errno == EINTR { return nil }
        guard count >= 0 else { throw Self.failure }
        return events.prefix(Int(count)).map { Int($0.data.u64) }
    }

    private static var failure: BenchError { BenchError("load", "epoll: \(String(cString: strerror(errno)))") }
}
