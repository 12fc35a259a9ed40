import Concurrency
import Glibc

/// Many clients of one HTTP server in one thread: each sends its next request when its answer is whole.
///
/// As little as an answer needs, so that what is measured is the server: no library's client is as cheap.
package struct HTTPLoad {
    private let port: Int
    private let connections: Int
    /// With what every answer begins, in small letters.
    private let status: StaticString

    /// - Parameter status: with what every answer has to begin, in small letters.
    package init(port: Int, connections: Int, status: StaticString = "http/1.1 2") {
        self.port = port
        self.connections = connections
        self.status = status
    }

    /// Of a server that has to certify what it is given before it answers.
    static func certifying(port: Int, connections: Int) -> HTTPLoad {
        HTTPLoad(port: port, connections: connections, status: "http/1.1 200")
    }

    private final class Client {
        private(set) var socket: Int32
        /// Whether a request has been sent and its answer is not whole yet.
        var isWaiting = false
        /// The answer that is being read; `count` bytes of it are there.
        var answer = [UInt8](repeating: 0, count: answerBytesMax)
        var count = 0
        /// When it was to be sent.
        var dueAt: UInt64 = 0

        init(_ socket: Int32) { self.socket = socket }

        /// Takes another connection in the place of one that the server has closed, since nothing was sent for long.
        func reconnect(_ port: Int) throws(BenchError) {
            let fresh = try HTTPLoad.connect(port)
            close(socket)
            (socket, count) = (fresh, 0)
        }
    }

    private static let answerBytesMax = 64 << 10

    /// Sends each of the requests once.
    /// - Parameters:
    ///   - requests: whole requests, of connections that stay open.
    ///   - rate: how many fall due a second; none: each as soon as a connection is free. Where all connections wait, a
    ///     request that is due waits too, and its time has begun: a server that is late is not spared its next ones.
    ///   - isOver: asked again and again; from when it says so on no more requests are sent.
    /// - Returns: how long all of them took, and each one by itself, in the order of the answers.
    /// - Throws: where an answer is not 2xx, or a connection ends.
    package func send(
        _ requests: [[UInt8]], aSecond rate: Double? = nil, isOver: () -> Bool = { false }
    ) throws(BenchError) -> (seconds: Double, nanoseconds: [UInt64]) {
        var clients: [Client] = []
        defer { for client in clients { close(client.socket) } }
        for _ in 0..<min(connections, requests.count) { clients.append(Client(try Self.connect(port))) }
        var next = 0
        var times: [UInt64] = []
        times.reserveCapacity(requests.count)
        let start = Machine.now()
        func due(_ index: Int) -> UInt64 { rate.map { start + UInt64(Double(index) / $0 * 1e9) } ?? 0 }
        // Who has waited longest comes next, so that no connection is idle until the server closes it.
        var idle = Array(clients.indices)
        var ready = try ReadySockets()
        for (index, client) in clients.enumerated() { try ready.add(client.socket, as: index) }
        var last = requests.count
        while times.count < last {
            if next < last, isOver() {
                last = next
                continue
            }
            while next < last, let index = idle.first, due(next) <= Machine.now() {
                idle.removeFirst()
                try Self.begin(requests[next], clients[index], due: due(next))
                next += 1
            }
            let isAwaiting = next == last || idle.isEmpty
            let wait = isAwaiting ? Self.patienceMilliseconds : Self.milliseconds(until: due(next))
            guard let answering = try ready.wait(milliseconds: wait) else { continue }
            guard !answering.isEmpty || !isAwaiting else { throw BenchError("load", "the server gave no answer") }
            for index in answering {
                let client = clients[index]
                guard client.isWaiting else {
                    try client.reconnect(port)
                    try ready.add(client.socket, as: index)
                    continue
                }
                guard try isAnswered(client) else { continue }
                times.append(Machine.now() - client.dueAt)
                idle.append(index)
            }
        }
        return (Machine.seconds(since: start), times)
    }

    /// From now until then, rounded up.
    private static func milliseconds(until time: UInt64) -> Int32 {
        let now = Machine.now()
        return time > now ? Int32(clamping: (time - now + 999_999) / 1_000_000) : 0
    }

    private static let patienceMilliseconds: Int32 = 30_000

    /// A request of a connection that stays open, as its bytes.
    package static func request(_ line: String, _ fields: [String] = [], body: [UInt8] = []) -> [UInt8] {
        let length = body.isEmpty ? [] : ["Content-Length: \(body.count)"]
        let head = ["\(line) HTTP/1.1", "Host: 127.0.0.1"] + fields + length
        return Array((head.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body
    }

    /// A transaction, encoded, as a till sends it.
    static func submission(_ envelope: [UInt8]) -> [UInt8] {
        request("POST /v1/transactions", ["Content-Type: application/octet-stream"], body: envelope)
    }

    /// A socket that is connected to a port of this machine.
    package static func connect(_ port: Int) throws(BenchError) -> Int32 {
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

    private static func begin(_ request: [UInt8], _ client: Client, due: UInt64) throws(BenchError) {
        client.dueAt = due > 0 ? due : Machine.now()
        client.isWaiting = true
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
    private func isAnswered(_ client: Client) throws(BenchError) -> Bool {
        let room = client.answer.count - client.count
        guard room > 0 else { throw BenchError("load", "the server's answer is too long") }
        let start = client.count
        let received = client.answer.withUnsafeMutableBytes {
            recv(client.socket, $0.baseAddress! + start, room, 0)
        }
        if received < 0, errno == EINTR || errno == EAGAIN { return false }
        guard received > 0 else { throw Self.failure("a connection ended") }
        client.count += received
        let answer = client.answer.prefix(client.count)
        let length = try answer.withUnsafeBytes { bytes in
            Result { () throws(BenchError) in try whole(bytes) }
        }.get()
        let isWhole = length.map { answer.count >= $0 } ?? false
        if isWhole { (client.count, client.isWaiting) = (0, false) }
        return isWhole
    }

    /// How long the answer is that begins so; nil where its head is not whole yet.
    private func whole(_ bytes: UnsafeRawBufferPointer) throws(BenchError) -> Int? {
        var line = 0
        var length: Int?
        for index in 0..<bytes.count where bytes[index] == 0x0A {
            let count = index - line
            if line == 0, !Self.begins(bytes, at: 0, status) {
                throw BenchError("load", "the server answered: \(String(decoding: bytes, as: UTF8.self))")
            }
            if count <= 1 {
                guard let length else { throw BenchError("load", "the server answered without a Content-Length") }
                return index + 1 + length
            }
            if Self.begins(bytes, at: line, "content-length:") {
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
