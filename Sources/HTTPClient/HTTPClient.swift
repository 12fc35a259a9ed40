import CCurl
import Concurrency
import Dispatch

/// A client for HTTP/1.1 that blocks: to be called from threads of one's own, never from the cooperative pool.
///
/// It does what it is told and nothing by itself: no redirect is followed, no cookie kept, no content decoded, and only
/// `http` and `https` are spoken. The variables `http_proxy`, `https_proxy` and their kin are not heeded: where a
/// ledger's traffic goes must not depend on what a shell happened to hand down. A connection is kept and used again.
///
/// One client serves any number of threads. Each of its ``HTTPClientConfiguration/connectionsMax`` connections belongs
/// to one request at a time; libcurl's shared caches are not used, since its shared connections are not made for
/// threads.
public final class HTTPClient: Sendable {
    /// Bytes of head that an answer may have.
    public static let headBytesMax = 64 << 10

    private let configuration: HTTPClientConfiguration
    /// Connections that nobody uses, the one used last at the end.
    private let idle = Locked<[Connection]>([])
    private let room: DispatchSemaphore

    /// - Throws: ``HTTPClientError`` `.tls` where a file of certificates is not there or may not be read.
    public init(_ configuration: HTTPClientConfiguration = .init()) throws(HTTPClientError) {
        precondition(configuration.connectionsMax > 0, "a client has connections")
        var files: [String] = []
        if case .file(let path) = configuration.authorities { files.append(path) }
        if let identity = configuration.identity { files += [identity.certificateFile, identity.keyFile] }
        for file in files where !Connection.canRead(file) {
            throw HTTPClientError(.tls, "The file of certificates or keys cannot be read.", place: file)
        }
        self.configuration = configuration
        room = DispatchSemaphore(value: configuration.connectionsMax)
    }

    /// Sends a request and waits for the whole answer.
    /// - Throws: ``HTTPClientError``; a status of failure is none.
    public func perform(
        _ request: HTTPClientRequest, until cancellation: HTTPCancellation? = nil
    ) throws(HTTPClientError) -> HTTPClientResponse {
        try run(Transfer(request, cancellation, onHead: nil, onBytes: nil))
    }

    /// Sends a request and hands the answer over as it comes, on the calling thread. While a function runs, nothing
    /// more is read, so a slow one slows the server down.
    /// - Parameters:
    ///   - onHead: gets the head before any bytes; false ends the stream.
    ///   - onBytes: gets the next bytes; false ends the stream.
    /// - Returns: the head, once the server or one of the functions has ended the stream.
    /// - Throws: ``HTTPClientError``; `.cancelled` only for the cancellation.
    public func stream(
        _ request: HTTPClientRequest, until cancellation: HTTPCancellation? = nil,
        onHead: @escaping (HTTPClientResponse) -> Bool = { _ in true }, onBytes: @escaping ([UInt8]) -> Bool
    ) throws(HTTPClientError) -> HTTPClientResponse {
        try run(Transfer(request, cancellation, onHead: onHead, onBytes: onBytes))
    }

    private func run(_ transfer: Transfer) throws(HTTPClientError) -> HTTPClientResponse {
        let target = try RequestCheck.target(transfer.request)
        let start = monotonicMilliseconds()
        try takeRoom(transfer, target)
        defer { room.signal() }
        var left = transfer.request.totalMilliseconds
        if let total = left { left = total - (monotonicMilliseconds() - start) }
        if let left, left <= 0 { throw Self.noRoom(target) }
        let connection = idle.withLock { idle -> Connection? in
            // One that has been to the same server is probably still connected to it.
            if let index = idle.lastIndex(where: { $0.target == target }) { return idle.remove(at: index) }
            return idle.isEmpty || idle.count < configuration.connectionsMax ? nil : idle.removeFirst()
        }
        let used: Connection
        if let connection { used = connection } else { used = try Connection(target) }
        used.target = target
        defer {
            // Never more than there is room for: what stands here has no request, and every request has its room.
            let surplus = idle.withLock { idle -> Connection? in
                idle.append(used)
                return idle.count > configuration.connectionsMax ? idle.removeFirst() : nil
            }
            _ = surplus
        }
        return try used.run(transfer, configuration, totalMilliseconds: left)
    }

    /// Waits until a connection is free.
    private func takeRoom(_ transfer: Transfer, _ target: String) throws(HTTPClientError) {
        let sliceMilliseconds = 100
        var left = transfer.request.totalMilliseconds ?? Int.max
        while true {
            if transfer.isCancelled { throw Transfer.cancelled(target) }
            let slice = min(left, sliceMilliseconds)
            if room.wait(timeout: .now() + .milliseconds(slice)) == .success { return }
            left -= slice
            if left <= 0 { throw Self.noRoom(target) }
        }
    }

    private static func noRoom(_ target: String) -> HTTPClientError {
        HTTPClientError(.timeout, "All connections of this client were in use until the deadline.", place: target)
    }
}
