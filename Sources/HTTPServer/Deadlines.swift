import CMicroHTTPD
import Concurrency
import Glibc
import Synchronization

/// The thread that looks at all connections again and again, and ends what takes too long.
///
/// The daemon has a timeout of its own, but any byte starts it anew: a client that drips is never ended by it.
final class Deadlines: Sendable {
    /// Sockets of idle connections and of streams are asked for their state only every so many looks.
    private static let slowLooks = 5

    private let core: ServerCore
    private let closing = Waiter<Void>()

    init(core: ServerCore) { self.core = core }

    func close() { closing.fulfil(()) }

    /// The body of the thread; ends with `close`.
    func run() {
        let tick = UInt64(max(1, core.configuration.tickMilliseconds))
        var look = 0
        while closing.wait(within: tick) == nil {
            look += 1
            let now = monotonicMicroseconds()
            for connection in core.registry.all() {
                check(connection, now: now, isSlow: look % Self.slowLooks == 0)
            }
        }
    }

    private func check(_ connection: Connection, now: UInt64, isSlow: Bool) {
        let configuration = core.configuration
        func isPast(_ since: UInt64, _ milliseconds: Int) -> Bool {
            now >= since && now - since >= UInt64(milliseconds) * 1000
        }
        // What belongs to somebody else is called after the lock.
        enum Call { case nothing, exchange(HTTPExchange), breakOff(StreamFeed) }
        let call: Call = connection.shared.withLock { shared in
            switch shared.phase {
            case .head where isPast(shared.requestSince, configuration.headMilliseconds):
                core.counters.timeouts.wrappingAdd(1, ordering: .relaxed)
                Connection.dismiss(&shared, with: core.rawAnswer(.requestTimeout))
            case .body where isPast(shared.requestSince, configuration.requestMilliseconds):
                core.counters.timeouts.wrappingAdd(1, ordering: .relaxed)
                Connection.dismiss(&shared, with: core.rawAnswer(.requestTimeout))
            case .answering where isPast(shared.since, configuration.answerMilliseconds):
                core.counters.timeouts.wrappingAdd(1, ordering: .relaxed)
                Connection.dismiss(&shared, with: nil)
            case .idle where isPast(shared.since, configuration.idleMilliseconds):
                Connection.dismiss(&shared, with: nil)
            case .head, .body, .idle: if isSlow { Self.look(at: &shared, now: now) }
            case .handling: if let exchange = shared.exchange { return .exchange(exchange) }
            case .streaming:
                guard isSlow, let feed = shared.feed else { break }
                if Self.hasGone(shared.descriptor) { return .breakOff(feed) }
                if let since = feed.stalledSince, isPast(since, configuration.streamStallMilliseconds) {
                    Connection.dismiss(&shared, with: nil)
                }
            case .answering, .over: break
            }
            return .nothing
        }
        switch call {
        case .nothing: break
        case .exchange(let exchange):
            let late = { [core] in core.application.problem(.answerTimeout) }
            if let response = exchange.due(at: now, orElse: late) { exchange.send(response) }
        case .breakOff(let feed): feed.breakOff()
        }
    }

    /// Looks at the socket of a connection on which a request is awaited.
    private static func look(at shared: inout Connection.Shared, now: UInt64) {
        guard let state = information(shared.descriptor) else { return }
        if state.is_open == 0 {
            // The daemon misses a farewell that comes together with bytes. Seen twice without progress in between,
            // since the bytes may be a request that is still to be read.
            if shared.goneSince == shared.since { return Connection.dismiss(&shared, with: nil) }
            shared.goneSince = shared.since
        }
        guard shared.phase == .idle else { return }
        if let before = shared.bytesBefore, state.bytes_received > before {
            shared.phase = .head
            shared.requestSince = now
        }
        shared.bytesBefore = shared.bytesBefore ?? state.bytes_received
    }

    private static func information(_ descriptor: Int32) -> lf_tcp_state? {
        var state = lf_tcp_state()
        return unsafe lf_tcp_state_of(descriptor, &state) == 0 ? state : nil
    }

    /// Whether the client has closed its side, which no reader of a stream does before it goes.
    private static func hasGone(_ descriptor: Int32) -> Bool { information(descriptor)?.is_open == 0 }
}
