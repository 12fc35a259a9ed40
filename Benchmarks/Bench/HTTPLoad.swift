import Concurrency
import Glibc

/// Many clients of one HTTP server in one thread: each sends its next request when its answer is whole.
///
/// As little as an answer needs, so that what is measured is the server: no library's client is as cheap.
struct HTTPLoad {
    private let port: Int
    private let connections: Int

    init(port: Int, connections: Int) {
        self.port = port
        self.connections = connections
    }

    private final class Client {
        let socket: Int32
        /// What came of the answer that is being read.
        var answer: [UInt8] = []
        /// Bytes that the whole answer has; nil until its head is there.
        var answerCount: Int?
        var sentAt: UInt64 = 0

        init(_ socket: Int32) { self.socket = socket }
    }

    /// Sends each of the requests once.
    /// - Parameter requests: whole requests, of connections that stay open.
    /// - Returns: how long all of them took, and each one by itself, in the order of the answers.
    /// - Throws: where an answer is not 2xx, or a connection ends.
    func send(_ requests: [[UInt8]]) throws -> (seconds: Double, nanoseconds: [UInt64]) {
        var clients: [Client] = []
        defer { for client in clients { close(client.socket) } }
        for _ in 0..<min(connections, requests.count) { clients.append(Client(try connect())) }
        var next = 0
        var times: [UInt64] = []
        times.reserveCapacity(requests.count)
        let start = Machine.now()
        for client in clients {
            try Self.begin(requests[next], client)
            next += 1
        }
        var ready = clients.map { pollfd(fd: $0.socket, events: Int16(POLLIN), revents: 0) }
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while times.count < requests.count {
            let count = poll(&ready, nfds_t(ready.count), Self.patienceMilliseconds)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw BenchError("load", "the server gave no answer") }
            for (index, client) in clients.enumerated() where ready[index].revents != 0 {
                guard try Self.isAnswered(client, &piece) else { continue }
                times.append(Machine.now() - client.sentAt)
                guard next < requests.count else { continue }
                try Self.begin(requests[next], client)
                next += 1
            }
        }
        return (Machine.seconds(since: start), times)
    }

    private static let patienceMilliseconds: Int32 = 30_000

    private func connect() throws -> Int32 {
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
        guard made >= 0, code == 0 else { throw Self.failure("cannot connect") }
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
    private static func isAnswered(_ client: Client, _ piece: inout [UInt8]) throws -> Bool {
        let received = recv(client.socket, &piece, piece.count, 0)
        if received < 0, errno == EINTR || errno == EAGAIN { return false }
        guard received > 0 else { throw failure("a connection ended") }
        client.answer += piece.prefix(received)
        if client.answerCount == nil { client.answerCount = try count(of: client.answer) }
        guard let whole = client.answerCount, client.answer.count >= whole else { return false }
        client.answer.removeAll(keepingCapacity: true)
        client.answerCount = nil
        return true
    }

    /// How long the answer is that begins so; nil where its head is not whole yet.
    private static func count(of answer: [UInt8]) throws -> Int? {
        guard let end = answer.firstRange(of: [13, 10, 13, 10]) else { return nil }
        let head = String(decoding: answer[..<end.lowerBound], as: UTF8.self)
        guard head.hasPrefix("HTTP/1.1 2") else {
            throw BenchError("load", "the server answered: \(String(decoding: answer, as: UTF8.self))")
        }
        for line in head.split(separator: "\r\n") where line.lowercased().hasPrefix("content-length:") {
            let digits = line.drop { $0 != ":" }.dropFirst().filter { $0 != " " }
            if let body = Int(digits) { return end.upperBound + body }
        }
        throw BenchError("load", "the server answered without a Content-Length")
    }

    private static func failure(_ what: String) -> BenchError {
        BenchError("load", "\(what): \(String(cString: strerror(errno)))")
    }
}
