import Concurrency
import Foundation

/// A server of one test: for each connection a thread that does what the test's function says, byte by byte.
public final class ScriptedServer: Sendable {
    public let port: Int
    private let listener: Int32
    private let accepted = Locked(0)
    private let isStopped = Locked(false)

    public var url: String { "http://127.0.0.1:\(port)" }
    /// Connections that have come.
    public var connections: Int { accepted.withLock { $0 } }

    /// One connection, used by one thread.
    public struct Peer: Sendable {
        public let number: Int
        let descriptor: Int32

        /// Reads a head and the body that its length tells of; nil where the other side has gone.
        public func request() -> (head: String, body: [UInt8])? {
            var bytes: [UInt8] = []
            var length: Int?
            while true {
                if let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) {
                    let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
                    if length == nil {
                        let line = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }
                        length = line.flatMap { Int($0.split(separator: ":")[1].drop { $0 == " " }) } ?? 0
                    }
                    if bytes.count >= end.upperBound + length! { return (head, Array(bytes[end.upperBound...])) }
                }
                var buffer = [UInt8](repeating: 0, count: 65536)
                let count = read(descriptor, &buffer, buffer.count)
                if count <= 0 { return nil }
                bytes += buffer[..<count]
            }
        }

        @discardableResult
        public func send(_ text: String) -> Bool { send(Array(text.utf8)) }

        @discardableResult
        public func send(_ bytes: [UInt8]) -> Bool {
            var sent = 0
            while sent < bytes.count {
                let count = bytes[sent...].withUnsafeBytes {
                    Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                if count <= 0 { return false }
                sent += count
            }
            return true
        }

        public func answer(_ body: String, status: String = "200 OK", headers: String = "") {
            send("HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\(headers)\r\n\(body)")
        }

        /// Waits until the other side has said something, and leaves it unread.
        public func waitForSome() {
            var byte: UInt8 = 0
            _ = recv(descriptor, &byte, 1, Int32(MSG_PEEK))
        }

        /// Takes what the other side says first.
        public func readSome() {
            var buffer = [UInt8](repeating: 0, count: 65536)
            _ = read(descriptor, &buffer, buffer.count)
        }

        /// Waits until the other side has gone, for at most some seconds.
        public func waitForEnd(seconds: Int = 10) -> Bool {
            var patience = timeval(tv_sec: seconds, tv_usec: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
            var byte: UInt8 = 0
            while true {
                let count = read(descriptor, &byte, 1)
                if count == 0 || (count < 0 && errno == ECONNRESET) { return true }
                if count < 0 { return false }
            }
        }
    }

    public init(_ script: @escaping @Sendable (Peer) -> Void) {
        let (listener, port) = Self.listen()
        self.listener = listener
        self.port = port
        Thread.detachNewThread { [self] in
            while true {
                let descriptor = accept(listener, nil, nil)
                guard descriptor >= 0, !isStopped.withLock({ $0 }) else { break }
                let number = accepted.withLock { count in
                    count += 1
                    return count
                }
                Thread.detachNewThread {
                    script(Peer(number: number, descriptor: descriptor))
                    close(descriptor)
                }
            }
            close(listener)
        }
    }

    public func stop() {
        isStopped.withLock { $0 = true }
        shutdown(listener, Int32(SHUT_RDWR))
    }

    /// A port at which nobody listens.
    public static func closedPort() -> Int {
        let (listener, port) = listen()
        close(listener)
        return port
    }

    private static func listen() -> (Int32, Int) {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                precondition(bind(listener, address, length) == 0 && Foundation.listen(listener, 64) == 0)
                precondition(getsockname(listener, address, &length) == 0)
            }
        }
        return (listener, Int(UInt16(bigEndian: address.sin_port)))
    }
}

/// Runs `body` with a server, which is stopped afterwards.
public func withServer<R>(
    _ script: @escaping @Sendable (ScriptedServer.Peer) -> Void, body: (ScriptedServer) throws -> R
) rethrows -> R {
    let server = ScriptedServer(script)
    defer { server.stop() }
    return try body(server)
}

/// A request as a test's server sees it.
public struct ServedRequest: Sendable {
    public let method: String
    /// Path and query, as sent.
    public let target: String
    public let headers: [String: String]
    public let body: [UInt8]

    public var path: String { String(target.prefix { $0 != "?" }) }

    public init?(_ raw: (head: String, body: [UInt8])) {
        let lines = raw.head.split(separator: "\r\n").map(String.init)
        let words = lines.first?.split(separator: " ").map(String.init) ?? []
        guard words.count == 3 else { return nil }
        method = words[0]
        target = words[1]
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] = String(line[line.index(after: colon)...].drop { $0 == " " })
        }
        self.headers = headers
        body = raw.body
    }
}

/// What it answers.
public enum Reply: Sendable {
    case bytes(Int, headers: [String: String], [UInt8])
    /// Goes without an answer.
    case hangUp
    /// Speaks for itself.
    case script(@Sendable (ScriptedServer.Peer) -> Void)

    public static func text(_ text: String, status: Int = 200, _ headers: [String: String] = [:]) -> Reply {
        .bytes(status, headers: headers, Array(text.utf8))
    }
}

extension ScriptedServer {
    /// A server that answers each request by a function, on as many kept connections as come.
    public convenience init(answering answer: @escaping @Sendable (ServedRequest) -> Reply) {
        self.init { peer in
            while let raw = peer.request(), let request = ServedRequest(raw) {
                switch answer(request) {
                case .bytes(let status, let headers, let body):
                    let lines = headers.sorted { $0.key < $1.key }.map { "\($0): \($1)\r\n" }.joined()
                    peer.send(
                        Array("HTTP/1.1 \(status) X\r\nContent-Length: \(body.count)\r\n\(lines)\r\n".utf8) + body)
                case .hangUp: return
                case .script(let script): return script(peer)
                }
            }
        }
    }
}
