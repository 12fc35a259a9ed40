import Concurrency

/// One request's way to its answer. The first answer wins; whatever comes later is told so.
///
/// A request that is not answered when ``HTTPApplication/handle(_:_:)`` returns is put aside, without a thread, until
/// somebody answers.
///
/// `@unchecked Sendable` is true because `connection` is used only between `suspend` and the one `send` that wins, and
/// the daemon keeps it alive for that long; everything else is constant or under its lock.
@safe public final class HTTPExchange: @unchecked Sendable {
    private struct Alarm {
        let deadline: UInt64
        let make: @Sendable () -> HTTPResponse
    }

    private struct State {
        var response: HTTPResponse?
        var isAnswered = false
        var isSuspended = false
        var route = ""
        var subject = ""
        var alarm: Alarm?
    }

    private let connection: OpaquePointer
    private let daemon: Daemon
    private let state = Locked(State())
    private let number: UInt64
    private let names: RequestNames
    /// Microseconds on the monotonic clock.
    let began: UInt64
    private let handleMicroseconds: UInt64

    init(connection: OpaquePointer, of daemon: Daemon, names: RequestNames, handleMilliseconds: Int) {
        unsafe self.connection = unsafe connection
        self.daemon = daemon
        self.names = names
        number = names.next()
        began = monotonicMicroseconds()
        handleMicroseconds = UInt64(handleMilliseconds) * 1000
    }

    /// Names this request in logs and answers: at most 15 characters of `[0-9a-v-]`, unique for a process.
    public var requestID: String { names.name(number) }

    public var isAnswered: Bool { state.withLock { $0.isAnswered } }

    /// Answers; from any thread.
    /// - Returns: false where somebody, or the server, was faster; a stream of that response is then closed.
    @discardableResult
    public func send(_ response: HTTPResponse) -> Bool {
        let (isFirst, resumes) = state.withLock { state in
            if state.isAnswered { return (false, false) }
            state.isAnswered = true
            state.response = response
            state.alarm = nil
            return (true, state.isSuspended)
        }
        if resumes { unsafe daemon.resume(connection) }
        if !isFirst, case .stream(let stream) = response.body { stream.closed() }
        return isFirst
    }

    /// Answers with what `make` gives if nobody has answered by then; a later call takes the place of an earlier one.
    /// - Parameter make: called on a thread of the server, at most once; must not block.
    public func answer(after milliseconds: Int, _ make: @escaping @Sendable () -> HTTPResponse) {
        let deadline = monotonicMicroseconds() + UInt64(max(0, milliseconds)) * 1000
        state.withLock { state in
            if !state.isAnswered { state.alarm = Alarm(deadline: deadline, make: make) }
        }
    }

    /// What the record of this request is filed under, such as the pattern of its path.
    public func setRoute(_ route: String) { state.withLock { $0.route = route } }

    var route: String { state.withLock { $0.route } }

    /// What this request is about, for its record: such as the id of a transaction. Nothing secret.
    public func setSubject(_ subject: String) { state.withLock { $0.subject = subject } }

    var subject: String { state.withLock { $0.subject } }

    // MARK: For the server

    /// The answer, if there is one; otherwise the connection is put aside. On the connection's own thread.
    func takeOrSuspend() -> HTTPResponse? {
        state.withLock { state in
            if let response = state.response {
                state.response = nil
                state.isSuspended = false
                return response
            }
            // Under the lock, so that an answer from another thread cannot resume what is not suspended yet.
            state.isSuspended = true
            unsafe daemon.suspend(connection)
            return nil
        }
    }

    /// The server answers by itself: nobody else can from now on.
    /// - Returns: false where the application was faster.
    @discardableResult
    func refuse() -> Bool {
        state.withLock { state in
            if state.isAnswered { return false }
            state.isAnswered = true
            state.alarm = nil
            return true
        }
    }

    /// The answer that is due at `now`, a time of the monotonic clock.
    func due(at now: UInt64, orElse late: () -> HTTPResponse) -> HTTPResponse? {
        enum Due { case nothing, alarm(@Sendable () -> HTTPResponse), late }
        let due: Due = state.withLock { state in
            // Before the application has returned, what it asked for is not all known.
            guard !state.isAnswered, state.isSuspended else { return .nothing }
            if let alarm = state.alarm, alarm.deadline <= now {
                state.alarm = nil
                return .alarm(alarm.make)
            }
            return began + handleMicroseconds <= now ? .late : .nothing
        }
        switch due {
        case .nothing: return nil
        case .alarm(let make): return make()
        case .late: return late()
        }
    }
}
