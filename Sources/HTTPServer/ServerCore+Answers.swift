import CMicroHTTPD
import Concurrency
import Glibc
import Synchronization

extension ServerCore {
    /// Answers up to this size are not counted against the budget of answers, and the next bound's are copied.
    private static let uncountedBytesMax = 1 << 10
    /// Larger answers are handed on in pieces of this size, so that a client that does not read holds one piece.
    private static let pieceBytes = 16 << 10
    /// The send buffer of a stream's socket, which the system doubles: a client that does not read holds this much of
    /// the system's memory.
    private static let streamSendBytes: Int32 = 16 << 10

    /// Gives an answer to the daemon; on the connection's thread.
    func queue(
        _ response: HTTPResponse, _ connection: Connection, _ daemon: OpaquePointer, closing: Bool
    ) -> Bool {
        switch response.body {
        case .bytes(let bytes):
            guard charge(connection, bytes.count) else {
                let problem = application.problem(.answersFull)
                return unsafe deliver(problem, Self.made(of: problem.plainBytes), connection, daemon, closing: closing)
            }
            connection.incoming.bytesOut = bytes.count
            return unsafe deliver(response, Self.made(of: bytes), connection, daemon, closing: closing)
        case .shared(let bytes):
            connection.incoming.bytesOut = bytes.count
            return unsafe deliver(response, Self.made(of: bytes), connection, daemon, closing: closing)
        case .stream(let stream):
            guard counters.takeStream(max: configuration.streamsMax) else {
                stream.closed()
                let problem = application.problem(.streamsFull)
                return unsafe deliver(problem, Self.made(of: problem.plainBytes), connection, daemon, closing: closing)
            }
            let feed = unsafe StreamFeed(stream, over: daemon, of: connection.daemon, in: parking)
            connection.incoming.feed = feed
            return unsafe deliver(response, Self.made(of: feed), connection, daemon, closing: closing, feed: feed)
        }
    }

    private func charge(_ connection: Connection, _ count: Int) -> Bool {
        if count <= Self.uncountedBytesMax { return true }
        guard answers.take(count, total: count) else { return false }
        connection.incoming.answerCharged = count
        return true
    }

    private func deliver(
        _ response: HTTPResponse, _ made: OpaquePointer?, _ connection: Connection, _ daemon: OpaquePointer,
        closing: Bool, feed: StreamFeed? = nil
    ) -> Bool {
        guard let made = unsafe made else { return false }
        // The daemon keeps its own reference; this one goes when we do.
        defer { unsafe MHD_destroy_response(made) }
        for (name, value) in response.headers { unsafe MHD_add_response_header(made, name, value) }
        if closing { unsafe MHD_add_response_header(made, "Connection", "close") }
        guard connection.enter(feed == nil ? .answering : .streaming, { $0.feed = feed }) else { return false }
        if feed != nil {
            var bytes = Self.streamSendBytes
            let size = socklen_t(MemoryLayout<Int32>.size)
            unsafe setsockopt(lf_http_descriptor(daemon), SOL_SOCKET, SO_SNDBUF, &bytes, size)
        }
        connection.incoming.stage = .answered
        connection.incoming.status = response.status
        return unsafe MHD_queue_response(daemon, UInt32(clamping: response.status), made) == .YES
    }

    // MARK: Responses of the daemon

    private final class Kept: Sendable {
        let bytes: [UInt8]
        init(_ bytes: [UInt8]) { self.bytes = bytes }
    }

    private static func made(of bytes: [UInt8]) -> OpaquePointer? {
        if bytes.count <= pieceBytes {
            return unsafe bytes.withUnsafeBytes { unsafe lf_http_response_copying($0.count, $0.baseAddress) }
        }
        // Kept by the response until the daemon frees it.
        let kept = unsafe Unmanaged.passRetained(Kept(bytes)).toOpaque()
        return unsafe MHD_create_response_from_callback(
            UInt64(bytes.count), pieceBytes,
            { context, position, buffer, max in
                guard let context = unsafe context, let buffer = unsafe buffer else { return lf_http_stream_broken() }
                let bytes = unsafe Unmanaged<Kept>.fromOpaque(context).takeUnretainedValue().bytes
                guard position < UInt64(bytes.count) else { return lf_http_stream_end() }
                let count = min(max, bytes.count - Int(position))
                unsafe bytes.withUnsafeBytes { source in
                    let piece = unsafe source[Int(position)..<(Int(position) + count)]
                    unsafe UnsafeMutableRawBufferPointer(start: buffer, count: max).copyMemory(
                        from: UnsafeRawBufferPointer(rebasing: piece))
                }
                return count
            }, kept, { unsafe Unmanaged<Kept>.fromOpaque($0!).release() })
    }

    private static func made(of feed: StreamFeed) -> OpaquePointer? {
        // Kept by the response until the daemon frees it, which is the end of the stream.
        let kept = unsafe Unmanaged.passRetained(feed).toOpaque()
        return unsafe MHD_create_response_from_callback(
            lf_http_size_unknown(), 1024,
            { context, _, buffer, max in
                guard let context = unsafe context, let buffer = unsafe buffer else { return lf_http_stream_broken() }
                let feed = unsafe Unmanaged<StreamFeed>.fromOpaque(context).takeUnretainedValue()
                return unsafe feed.read(into: UnsafeMutableRawBufferPointer(start: buffer, count: max))
            }, kept,
            {
                let feed = unsafe Unmanaged<StreamFeed>.fromOpaque($0!).takeRetainedValue()
                feed.closed()
            })
    }

    // MARK: The end of a request

    func finished(_ connection: Connection, isComplete: Bool) {
        giveBack(connection)
        answers.give(connection.incoming.answerCharged)
        let incoming = connection.incoming
        connection.incoming = Connection.Incoming()
        _ = connection.enter(.idle) { shared in
            shared.exchange = nil
            shared.feed = nil
            shared.bytesBefore = nil
        }
        guard let exchange = incoming.exchange else { return }
        // Where the client has gone before the application was asked, nobody shall answer.
        exchange.refuse()
        counters.exchanges.wrappingSubtract(1, ordering: .relaxed)
        application.finished(
            HTTPRecord(
                requestID: exchange.requestID, method: incoming.method, route: exchange.route,
                subject: exchange.subject,
                status: incoming.status,
                bytesOut: incoming.feed?.bytesOut
                    ?? (isComplete && incoming.method != "HEAD" ? UInt64(incoming.bytesOut) : 0),
                durationMicroseconds: monotonicMicroseconds() - exchange.began, peer: connection.peer,
                isComplete: isComplete))
    }
}

extension HTTPResponse {
    /// The body of a problem, which has to be bytes.
    var plainBytes: [UInt8] {
        switch body {
        case .bytes(let bytes), .shared(let bytes): bytes
        case .stream: []
        }
    }
}
