import CMicroHTTPD
import Concurrency
import Glibc
import Synchronization

/// libmicrohttpd with our callbacks, and the thread that runs it.
///
/// The library has threads of its own, but in version 0.9.75 they fall asleep on work: where exactly as many sockets
/// are ready as it asks the system for at once, 128, it waits for more before it serves them. Run from outside it never
/// waits.
///
/// `@unchecked Sendable` is true because `handle` is written before the thread starts, and used by that thread alone
/// until it has ended; `hasOpened` and `openCount` are the thread's too, and the rest is constant, atomic or locked.
@safe final class Daemon: @unchecked Sendable {
    /// Ciphers and versions: what is safe today, and nothing before TLS 1.2.
    private static let tlsPriorities = "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"

    private struct Socket {
        let descriptor: Int32
        let address: sockaddr_storage
        let count: socklen_t
    }

    private struct Arrivals {
        var sockets: [Socket] = []
        var isStopping = false
    }

    let core: ServerCore
    private var handle: OpaquePointer?
    private let bell: Int32
    private let isRung = Atomic(false)
    private let arrivals = Locked(Arrivals())
    /// Connections put aside that nobody has finished taking up again.
    private let suspended = Atomic(0)
    private let retired = Atomic(false)
    private let ended = Atomic(false)
    /// Whether the socket being added has become a connection.
    private var hasOpened = false
    private var openCount = 0

    /// - Parameter tls: the certificate that it shows for as long as it lives; nil: plain HTTP.
    init(core: ServerCore, tls: HTTPServerConfiguration.TLS?, connectionsMax: Int) throws(HTTPServerError) {
        self.core = core
        unsafe handle = nil
        bell = lf_bell()
        guard bell >= 0 else { throw HTTPServerError(.system, "no descriptor for a thread of the server") }
        let callbacks = unsafe lf_http_callbacks(
            handle: handleRequest, completed: requestCompleted, notify: connectionChanged, line: requestLine,
            // Whoever stops this object, which its owner has to do, ends all calls.
            context: Unmanaged.passUnretained(self).toOpaque())
        // A head of the allowed size, what the daemon notes about its fields, and the head of the answer. Not more,
        // since a connection that has served one request has touched all of it.
        let poolBytes = core.configuration.headBytesMax + (8 << 10)
        let certificate = tls.map { $0.certificate.map(CChar.init(bitPattern:)) + [0] }
        let key = tls.map { $0.key.map(CChar.init(bitPattern:)) + [0] }
        unsafe handle = Self.tlsPriorities.withCString { priorities in
            unsafe lf_http_start(callbacks, UInt32(connectionsMax), poolBytes, certificate, key, priorities)
        }
        guard unsafe handle != nil else {
            throw tls == nil
                ? HTTPServerError(.system, "the server cannot be started")
                : HTTPServerError(.tls, "certificate and key cannot be used together")
        }
    }

    deinit { close(bell) }

    /// Hands a connected socket over, from any thread; it is the daemon's in any case. Not after `retire` or `end`.
    func add(_ descriptor: Int32, _ address: sockaddr_storage, _ count: socklen_t) {
        arrivals.withLock { $0.sockets.append(Socket(descriptor: descriptor, address: address, count: count)) }
        ring()
    }

    /// Puts a connection aside; on the daemon's thread.
    func suspend(_ connection: OpaquePointer) {
        suspended.wrappingAdd(1, ordering: .relaxed)
        unsafe MHD_suspend_connection(connection)
    }

    /// Takes a connection up again that was put aside; from any thread, once each time.
    func resume(_ connection: OpaquePointer) {
        unsafe MHD_resume_connection(connection)
        ring()
        // The last use of this object: stopping waits for it.
        suspended.wrappingSubtract(1, ordering: .releasing)
    }

    /// Sees to it that a connection goes whose request has ended otherwise than by a whole answer; on the daemon's
    /// thread.
    ///
    /// In version 0.9.75 a connection that ends while its answer's next piece is asked for is marked as closed and not
    /// looked at again, unless no older one is left: behind one client that stays, every stream that is left would keep
    /// its descriptor.
    func lookAfter(_ connection: OpaquePointer) {
        unsafe lf_http_look_after(connection)
        ring()
    }

    private func ring() {
        // Rung once is enough, until the thread has looked.
        if isRung.exchange(true, ordering: .sequentiallyConsistent) { return }
        var one: UInt64 = 1
        unsafe write(bell, &one, 8)
    }

    /// The body of the daemon's thread; ends with `end`, or with the last connection after `retire`.
    func run() {
        var waiting = unsafe [
            pollfd(fd: lf_http_epoll(handle), events: Int16(POLLIN), revents: 0),
            pollfd(fd: bell, events: Int16(POLLIN), revents: 0),
        ]
        while true {
            unsafe MHD_run(handle)
            if isRetired, openCount == 0, arrivals.withLock(\.sockets.isEmpty) { return stop() }
            var milliseconds: UInt64 = 0
            // There are no timeouts in the daemon: it says zero where it has more to do, or nothing at all.
            let isBusy = unsafe MHD_get_timeout(handle, &milliseconds) == .YES && milliseconds == 0
            unsafe poll(&waiting, 2, isBusy ? 0 : -1)
            if waiting[1].revents != 0, !takeArrivals() { return }
        }
    }

    /// False once the thread is to end.
    private func takeArrivals() -> Bool {
        var count: UInt64 = 0
        unsafe read(bell, &count, 8)
        isRung.store(false, ordering: .sequentiallyConsistent)
        let (sockets, isStopping) = arrivals.withLock { arrivals in
            defer { arrivals.sockets = [] }
            return (arrivals.sockets, arrivals.isStopping)
        }
        for socket in sockets {
            hasOpened = false
            let isAdded = unsafe withAddress(socket.address) { address in
                unsafe MHD_add_connection(handle, socket.descriptor, address, socket.count) == .YES
            }
            // One that was opened has been closed again, and that is where it was counted.
            if !isAdded, !hasOpened { core.left(unsafe withAddress(socket.address, numericAddress)) }
        }
        return !isStopping
    }

    /// Another has taken its place: its connections end with their next answer, its streams when they are asked for
    /// more, and it ends with the last of them.
    func retire() {
        retired.store(true, ordering: .releasing)
        ring()
    }

    var isRetired: Bool { retired.load(ordering: .acquiring) }

    /// Whether nothing is left of it but this object.
    var hasEnded: Bool { ended.load(ordering: .acquiring) }

    /// Lets the thread end.
    func end() {
        arrivals.withLock { $0.isStopping = true }
        ring()
    }

    /// Ends all connections; on its own thread or after that, once all answers are given. A second call does nothing.
    func stop() {
        if hasEnded { return }
        // Who gave an answer may not have taken its connection up yet: the library aborts if it is stopped before that.
        while suspended.load(ordering: .acquiring) > 0 { usleep(500) }
        unsafe MHD_stop_daemon(handle)
        unsafe handle = nil
        ended.store(true, ordering: .releasing)
    }

    fileprivate func opened() {
        hasOpened = true
        openCount += 1
    }

    fileprivate func closed() { openCount -= 1 }
}

// MARK: What the daemon calls

// Constants whose names Swift does not import.

/// `MHD_CONNECTION_NOTIFY_STARTED` and `MHD_REQUEST_TERMINATED_COMPLETED_OK`.
private let connectionStarted: UInt32 = 0
private let requestWentWell: UInt32 = 0
/// `MHD_REQUEST_TERMINATED_DAEMON_SHUTDOWN`.
private let daemonShutsDown: UInt32 = 3

private func owner(_ context: UnsafeMutableRawPointer?) -> Daemon {
    unsafe Unmanaged<Daemon>.fromOpaque(context!).takeUnretainedValue()
}

private func connection(_ context: UnsafeMutableRawPointer) -> Connection {
    // Retained from `NOTIFY_STARTED` to `NOTIFY_CLOSED`, and all other calls come in between.
    unsafe Unmanaged<Connection>.fromOpaque(context).takeUnretainedValue()
}

private let connectionChanged: MHD_NotifyConnectionCallback = { context, daemon, kept, change in
    guard let daemon = unsafe daemon, let kept = unsafe kept else { return }
    if change.rawValue == connectionStarted {
        let owner = unsafe owner(context)
        owner.opened()
        let opened = unsafe owner.core.opened(
            by: owner,
            descriptor: lf_http_descriptor(daemon), address: lf_http_address(daemon))
        unsafe kept.pointee = Unmanaged.passRetained(opened).toOpaque()
    } else if let pointer = unsafe kept.pointee {
        let owner = unsafe owner(context)
        unsafe owner.core.closed(Unmanaged<Connection>.fromOpaque(pointer).takeRetainedValue())
        owner.closed()
        unsafe kept.pointee = nil
    }
}

private let requestLine:
    @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<CChar>?, OpaquePointer?) -> UnsafeMutableRawPointer? = {
        context, target, daemon in
        guard let daemon = unsafe daemon, let target = unsafe target,
            let kept = unsafe lf_http_connection_context(daemon)
        else { return nil }
        let bytes = unsafe UnsafeRawBufferPointer(start: target, count: strlen(target))
        unsafe owner(context).core.began(connection(kept), target: bytes.assumingMemoryBound(to: UInt8.self))
        return unsafe kept
    }

private let handleRequest: MHD_AccessHandlerCallback = { context, daemon, _, method, version, data, count, kept in
    guard let daemon = unsafe daemon, let method = unsafe method, let version = unsafe version,
        let count = unsafe count, let kept = unsafe kept?.pointee
    else { return .NO }
    let data = unsafe UnsafeRawBufferPointer(start: data, count: count.pointee)
    let goesOn = unsafe owner(context).core.handle(
        connection(kept), daemon, method: method, version: version, data: data, taken: count)
    return goesOn ? .YES : .NO
}

private let requestCompleted: MHD_RequestCompletedCallback = { context, daemon, kept, code in
    guard let daemon = unsafe daemon, let kept = unsafe kept?.pointee else { return }
    let owner = unsafe owner(context)
    let connection = unsafe connection(kept)
    let wentWell = code.rawValue == requestWentWell
    if code.rawValue != daemonShutsDown, !wentWell || connection.incoming.feed != nil { unsafe owner.lookAfter(daemon) }
    owner.core.finished(connection, isComplete: wentWell)
}

/// Called for each header field, with the connection as context.
let noteField: MHD_KeyValueIteratorN = { context, _, name, nameCount, value, valueCount in
    guard let context = unsafe context else { return .NO }
    let name = unsafe UnsafeRawBufferPointer(start: name, count: nameCount)
    let value = unsafe UnsafeRawBufferPointer(start: value, count: value == nil ? 0 : valueCount)
    let connection = unsafe connection(context)
    unsafe connection.incoming.head.append(name: name, value: value)
    unsafe connection.incoming.framing.note(name: name, value: value)
    return .YES
}
