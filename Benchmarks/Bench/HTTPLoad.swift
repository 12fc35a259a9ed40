import Concurrency
import Glibc

/// Many clients of one HTTP server in one thread: each sends its next request when its answer is whole.
///
/// As little as an answer needs, so that what is measured is the server: no library's client is as cheap.
package struct HTTPLoad {
    private let port: Int
    private let connections: Int

    package init(port: Int, connections: Int) {
        self.port = port
        self.connections = connections
    }

    private final class Client {
        let socket: Int32
        /// The answer that is being read; `count` bytes of it are there.
        var answer = [UInt8](repeating: 0, count: answerBytesMax)
        var count = 0
        var sentAt: UInt64 = 0

        init(_ socket: Int32) { self.socket = socket }
    }

    private static let answerBytesMax = 64 << 10

    /// Sends each of the requests once.
    /// - Parameter requests: whole requests, of connections that stay open.
    /// - Returns: how long all of them took, and each one by itself, in the order of the answers.
    /// - Throws: where an answer is not 2xx, or a connection ends.
    package func send(_ requests: [[UInt8]]) throws -> (seconds: Double, nanoseconds: [UInt64]) {
        var clients: [Client] = []
        defer { for client in clients { close(client.socket) } }
        for _ in 0..<min(connections, requests.count) { clients.append(Client(try Self.connect(port))) }
        var next = 0
        var times: [UInt64] = []
        times.reserveCapacity(requests.count)
        let start = Machine.now()
        for client in clients {
            try Self.begin(requests[next], client)
            next += 1
        }
        var ready = clients.map { pollfd(fd: $0.socket, events: Int16(POLLIN), revents: 0) }
        while times.count < requests.count {
            let count = poll(&ready, nfds_t(ready.count), Self.patienceMilliseconds)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw BenchError("load", "the server gave no answer") }
            for (index, client) in clients.enumerated() where ready[index].revents != 0 {
                guard try Self.isAnswered(client) else { continue }
                times.append(Machine.now() - client.sentAt)
                guard next < requests.count else { continue }
                try Self.begin(requests[next], client)
                next += 1
            }
        }
        return (Machine.seconds(since: start), times)
    }

    private static let patienceMilliseconds: Int32 = 30_000

    /// A request of a connection that stays open, as its bytes.
    package static func request(_ line: String, _ fields: [String] = [], body: [UInt8] = []) -> [UInt8] {
        let length = body.isEmpty ? [] : ["Content-Length: \(body.count)"]
        let head = ["\(line) HTTP/1.1", "Host: 127.0.0.1"] + fields + length
        return Array((head.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body
    }

    /// A socket that is connected to a port of this machine.
    package static func connect(_ port: Int) throws -> Int32 {
        let made = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(made, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard made >= 0, code == 0 else { throw failure("cannot connect") }
        var on: Int32 = 1
        setsockopt(made, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        return made
    }

    private static func begin(_ request: [UInt8], _ client: Client) throws {
        client.sentAt = Machine.now()
        var sent = 0
        while sent < request.count {
            let count = request[sent...].withUnsafeBytes {
                Glibc.send(client.socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure("a connection ended") }
            sent += count
        }
    }

    /// Takes what has come; true where the answer is whole, and as it should be.
    private static func isAnswered(_ client: Client) throws -> Bool {
        let room = client.answer.count - client.count
        guard room > 0 else { throw BenchError("load", "the server's answer is too long") }
        let start = client.count
        let received = client.answer.withUnsafeMutableBytes {
            recv(client.socket, $0.baseAddress! + start, room, 0)
        }
        if received < 0, errno == EINTR || errno == EAGAIN { return false }
        guard received > 0 else { throw failure("a connection ended") }
        client.count += received
        let answer = client.answer.prefix(client.count)
        let isWhole = try answer.withUnsafeBytes { bytes throws(BenchError) in
            try Self.whole(bytes).map { bytes.count >= $0 } ?? false
        }
        if isWhole { client.count = 0 }
        return isWhole
    }

    /// How long the answer is that begins so; nil where its head is not whole yet.
    private static func whole(_ bytes: UnsafeRawBufferPointer) throws(BenchError) -> Int? {
        var line = 0
        var length: Int?
        for index in 0..<bytes.count where bytes[index] == 0x0A {
            let count = index - line
            if line == 0, !begins(bytes, at: 0, "http/1.1 2") {
                throw BenchError("load", "the server answered: \(String(decoding: bytes, as: UTF8.self))")
            }
            if count <= 1 {
                guard let length else { throw BenchError("load", "the server answered without a Content-Length") }
                return index + 1 + length
            }
            if begins(bytes, at: line, "content-length:") {
                length = bytes[line..<index].reduce(0) { (0x30...0x39).contains($1) ? $0 * 10 + Int($1 - 0x30) : $0 }
            }
            line = index + 1
        }
        return nil
    }

    /// Whether there stands this text, which is in small letters, in whatever letters.
    private static func begins(_ bytes: UnsafeRawBufferPointer, at start: Int, _ text: StaticString) -> Bool {
        guard start + text.utf8CodeUnitCount <= bytes.count else { return false }
        for index in 0..<text.utf8CodeUnitCount where bytes[start + index] | 0x20 != text.utf8Start[index] | 0x20 {
            return false
        }
        return true
    }

    private static func failure(_ what: String) -> BenchError {
        BenchError("load", "\(what): \(String(cString: strerror(errno)))")
    }
}
