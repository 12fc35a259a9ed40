import Concurrency
import Glibc

/// One client's connection, as the server's threads and the one of the deadlines see it.
///
/// `@unchecked Sendable` is true because `incoming` is touched only by the daemon's thread that owns the connection,
/// and everything else is constant or under its lock.
@safe final class Connection: @unchecked Sendable {
    enum Phase {
        /// The head of a request is awaited or coming.
        case head
        case body
        /// The application has the request.
        case handling
        case answering
        case streaming
        /// Between two requests.
        case idle
        /// Nothing more is read or written but what is on its way.
        case over
    }

    struct Shared {
        /// -1 once the daemon is about to close it, after which the number can be somebody else's.
        var descriptor: Int32
        var phase = Phase.head
        /// Microseconds on the monotonic clock.
        var since: UInt64
        /// When the first byte of the request was noticed.
        var requestSince: UInt64
        /// Bytes that the socket had received when the last request was over, as soon as that is known.
        var bytesBefore: UInt64?
        /// The `since` at which the client was seen to have closed its side.
        var goneSince: UInt64?
        var exchange: HTTPExchange?
        var feed: StreamFeed?
        /// Whether the client may still be sending when we close, so that an answer could be lost by a reset.
        var lingers = false
    }

    /// The request being read; of the daemon's thread.
    struct Incoming {
        enum Stage { case head, body, discarding, handling, answered }

        var stage = Stage.head
        var head = RequestHead()
        var framing = RequestFraming()
        var method = ""
        var body: [UInt8] = []
        /// What is taken of the budgets of bodies and answers.
        var bytesCharged = 0
        var answerCharged = 0
        var refusal: HTTPServerProblem?
        var exchange: HTTPExchange?
        var feed: StreamFeed?
        var status = 0
        var bytesOut = 0
    }

    let daemon: Daemon
    let peer: String
    let slot: Int
    let shared: Locked<Shared>
    var incoming = Incoming()

    init(of daemon: Daemon, descriptor: Int32, peer: String, slot: Int) {
        self.daemon = daemon
        self.peer = peer
        self.slot = slot
        let now = monotonicMicroseconds()
        shared = Locked(Shared(descriptor: descriptor, since: now, requestSince: now))
    }

    /// Goes on to the next phase, unless a deadline has ended the connection.
    func enter(_ phase: Phase, _ change: (inout Shared) -> Void = { _ in }) -> Bool {
        let now = monotonicMicroseconds()
        return shared.withLock { shared in
            guard shared.phase != .over else { return false }
            // A request on a kept connection begins when it is noticed: here, or by the thread of the deadlines.
            if phase == .head, shared.phase == .idle { shared.requestSince = now }
            shared.phase = phase
            shared.since = now
            change(&shared)
            return true
        }
    }

    /// Writes an answer past the daemon and lets the connection end; for plain connections and while nothing else is
    /// being written.
    static func dismiss(_ shared: inout Shared, with answer: [UInt8]?) {
        shared.phase = .over
        guard shared.descriptor >= 0 else { return }
        if let answer {
            // If the socket takes less, its client has not read earlier answers, and gets no further one.
            _ = unsafe answer.withUnsafeBytes { bytes in
                unsafe Glibc.send(
                    shared.descriptor, bytes.baseAddress, bytes.count,
                    Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
            }
            shared.lingers = true
        }
        shutdown(shared.descriptor, Int32(SHUT_RDWR))
    }
}
