import CMicroHTTPD
import Glibc

/// libmicrohttpd, started with our callbacks and without a listening socket.
///
/// `@unchecked Sendable` is true because the library locks what its calls share, and `stop` is called once, after the
/// last `add`.
@safe final class Daemon: @unchecked Sendable {
    /// Ciphers and versions: what is safe today, and nothing before TLS 1.2.
    private static let tlsPriorities = "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"

    private let handle: OpaquePointer
    private let core: Unmanaged<ServerCore>

    init(core: ServerCore, threads: Int, connectionsMax: Int) throws(HTTPServerError) {
        // The daemon's threads use it until they have ended: `stop` gives it back.
        unsafe self.core = Unmanaged.passRetained(core)
        let context = unsafe self.core.toOpaque()
        let callbacks = unsafe lf_http_callbacks(
            handle: handleRequest, completed: requestCompleted, notify: connectionChanged, line: requestLine,
            context: context)
        let tls = core.configuration.tls
        // Of what one connection may use, half is the first buffer of the head.
        let poolBytes = max(8192, 2 * core.configuration.headBytesMax)
        let certificate = tls.map { $0.certificate.map(CChar.init(bitPattern:)) + [0] }
        let key = tls.map { $0.key.map(CChar.init(bitPattern:)) + [0] }
        let handle = unsafe Self.tlsPriorities.withCString { priorities in
            unsafe lf_http_start(
                callbacks, UInt32(threads), UInt32(connectionsMax), poolBytes, certificate, key, priorities)
        }
        guard let handle = unsafe handle else {
            unsafe self.core.release()
            throw tls == nil
                ? HTTPServerError(.system, "the threads of the server cannot be started")
                : HTTPServerError(.tls, "certificate and key cannot be used together")
        }
        unsafe self.handle = unsafe handle
    }

    /// Hands a connected socket over; it is the daemon's in any case.
    func add(_ descriptor: Int32, _ address: UnsafePointer<sockaddr>, _ count: socklen_t) -> Bool {
        unsafe MHD_add_connection(handle, descriptor, address, count) == .YES
    }

    /// Ends all connections and threads. None may be put aside any more.
    func stop() {
        unsafe MHD_stop_daemon(handle)
        unsafe core.release()
    }
}

// MARK: What the daemon calls

/// `MHD_CONNECTION_NOTIFY_STARTED` and `MHD_REQUEST_TERMINATED_COMPLETED_OK`, whose names Swift does not import.
private let connectionStarted: UInt32 = 0
private let requestWentWell: UInt32 = 0

private func core(_ context: UnsafeMutableRawPointer?) -> ServerCore {
    // Retained for as long as the daemon runs.
    unsafe Unmanaged<ServerCore>.fromOpaque(context!).takeUnretainedValue()
}

private func connection(_ context: UnsafeMutableRawPointer) -> Connection {
    // Retained from `NOTIFY_STARTED` to `NOTIFY_CLOSED`, and all other calls come in between.
    unsafe Unmanaged<Connection>.fromOpaque(context).takeUnretainedValue()
}

private let connectionChanged: MHD_NotifyConnectionCallback = { context, daemon, kept, change in
    guard let daemon = unsafe daemon, let kept = unsafe kept else { return }
    if change.rawValue == connectionStarted {
        let opened = unsafe core(context).opened(
            descriptor: lf_http_descriptor(daemon), address: lf_http_address(daemon))
        unsafe kept.pointee = Unmanaged.passRetained(opened).toOpaque()
    } else if let pointer = unsafe kept.pointee {
        unsafe core(context).closed(Unmanaged<Connection>.fromOpaque(pointer).takeRetainedValue())
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
        unsafe core(context).began(connection(kept), target: bytes.assumingMemoryBound(to: UInt8.self))
        return unsafe kept
    }

private let handleRequest: MHD_AccessHandlerCallback = { context, daemon, _, method, version, data, count, kept in
    guard let daemon = unsafe daemon, let method = unsafe method, let version = unsafe version,
        let count = unsafe count, let kept = unsafe kept?.pointee
    else { return .NO }
    let data = unsafe UnsafeRawBufferPointer(start: data, count: count.pointee)
    let goesOn = unsafe core(context).handle(
        connection(kept), daemon, method: method, version: version, data: data, taken: count)
    return goesOn ? .YES : .NO
}

private let requestCompleted: MHD_RequestCompletedCallback = { context, _, kept, code in
    guard let kept = unsafe kept?.pointee else { return }
    unsafe core(context).finished(connection(kept), isComplete: code.rawValue == requestWentWell)
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
