import Foundation

/// A client that speaks in bytes, so that it can be as rude as a test wants.
final class Client {
    struct Failure: Error { let what: String }

    struct Answer {
        let status: Int
        let headers: [(name: String, value: String)]
        let body: [UInt8]

        func header(_ name: String) -> String? {
            headers.first { $0.name.lowercased() == name.lowercased() }?.value
        }
        var text: String { String(decoding: body, as: UTF8.self) }
    }

    private var descriptor: Int32
    private var buffer: [UInt8] = []
    /// Whether the server has closed its side.
    private(set) var isEnded = false

    init(port: Int, receiveBytes: Int32? = nil) throws {
        // Inherited by no child of another test, which would keep it open.
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        if var receiveBytes { setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receiveBytes, 4) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 else { throw Failure(what: "connect: \(String(cString: strerror(errno)))") }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Goes with a reset instead of a farewell.
    func abort() {
        var now = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
        close(descriptor)
        descriptor = -1
    }

    /// False where the server does not take it any more.
    @discardableResult
    func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var left = bytes[...]
        while !left.isEmpty {
            let count = left.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count <= 0 { return false }
            left = left.dropFirst(count)
        }
        return true
    }

    /// One request without a body, on a connection that is kept.
    func get(_ target: String, method: String = "GET", headers: String = "") throws -> Answer {
        send("\(method) \(target) HTTP/1.1\r\nHost: here\r\n\(headers)\r\n")
        return try answer(hasBody: method != "HEAD")
    }

    func post(_ target: String, _ body: [UInt8]) throws -> Answer {
        send(Array("POST \(target) HTTP/1.1\r\nHost: here\r\nContent-Length: \(body.count)\r\n\r\n".utf8) + body)
        return try answer()
    }

    /// Reads until there is more; false at the end, or when the time is over.
    func fill(milliseconds: Int = 10_000) throws -> Bool {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&waiting, 1, Int32(milliseconds)) > 0 else { throw Failure(what: "nothing came in time") }
        var piece = [UInt8](repeating: 0, count: 65536)
        let count = recv(descriptor, &piece, piece.count, 0)
        guard count > 0 else {
            isEnded = true
            return false
        }
        buffer += piece.prefix(count)
        return true
    }

    /// Everything up to and with `mark`.
    func read(through mark: String, milliseconds: Int = 10_000) throws -> String {
        let mark = Array(mark.utf8)
        while true {
            if let range = buffer.firstRange(of: mark) {
                let text = String(decoding: buffer[..<range.upperBound], as: UTF8.self)
                buffer.removeSubrange(..<range.upperBound)
                return text
            }
            guard try fill(milliseconds: milliseconds) else { throw Failure(what: "ended before \(mark)") }
        }
    }

    private func take(_ count: Int, milliseconds: Int) throws -> [UInt8] {
        while buffer.count < count {
            guard try fill(milliseconds: milliseconds) else { throw Failure(what: "ended in a body") }
        }
        defer { buffer.removeFirst(count) }
        return Array(buffer.prefix(count))
    }

    /// The next answer of this connection.
    func answer(hasBody: Bool = true, milliseconds: Int = 10_000) throws -> Answer {
        let head = try read(through: "\r\n\r\n", milliseconds: milliseconds)
        let lines = head.components(separatedBy: "\r\n")
        let words = lines[0].split(separator: " ")
        guard words.count > 1, let status = Int(words[1]) else { throw Failure(what: "no status in \(lines[0])") }
        if status == 100 { return try answer(hasBody: hasBody, milliseconds: milliseconds) }
        let headers = lines.dropFirst().filter { !$0.isEmpty }.map { line in
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            return (name: String(parts[0]), value: parts.last!.trimmingCharacters(in: .whitespaces))
        }
        func header(_ name: String) -> String? { headers.first { $0.name.lowercased() == name }?.value }
        guard hasBody, status != 204, status != 304 else { return Answer(status: status, headers: headers, body: []) }
        var body: [UInt8] = []
        if let count = header("content-length").flatMap({ Int($0) }) {
            body = try take(count, milliseconds: milliseconds)
        } else if header("transfer-encoding")?.lowercased() == "chunked" {
            while let piece = try chunk(milliseconds: milliseconds) { body += piece }
        } else {
            while try fill(milliseconds: milliseconds) {}
            swap(&body, &buffer)
        }
        return Answer(status: status, headers: headers, body: body)
    }

    /// The head of an answer whose body is read in chunks.
    func head() throws -> String { try read(through: "\r\n\r\n") }

    /// The next chunk; nil at the last one.
    func chunk(milliseconds: Int = 10_000) throws -> [UInt8]? {
        let line = try read(through: "\r\n", milliseconds: milliseconds)
        guard let count = Int(line.trimmingCharacters(in: .whitespacesAndNewlines), radix: 16) else {
            throw Failure(what: "no chunk: \(line)")
        }
        let piece = try take(count + 2, milliseconds: milliseconds).dropLast(2)
        return count == 0 ? nil : Array(piece)
    }

    /// Whether something has come that was not asked for yet.
    var hasBytes: Bool { !buffer.isEmpty }

    /// Whether the server ends the connection, whatever it says before.
    func endsAfterMore() -> Bool {
        do {
            while try fill() {}
            return true
        } catch {
            return false
        }
    }

    /// Whether the server ends the connection in that time, without another byte.
    func ends(milliseconds: Int = 10_000) -> Bool {
        guard buffer.isEmpty else { return false }
        return (try? fill(milliseconds: milliseconds)) == false
    }
}

/// Runs blocking work on a thread of its own: the cooperative pool has few.
func onThread<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
    }
}
