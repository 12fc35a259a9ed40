import CCurl
import Glibc

/// One request with what has come of its answer. Used from the thread of its request alone.
final class Transfer {
    let request: HTTPClientRequest
    let cancellation: HTTPCancellation?
    private let onHead: ((HTTPClientResponse) -> Bool)?
    private let onBytes: (([UInt8]) -> Bool)?

    private var status = 0
    private var headers: [HTTPField] = []
    private var headBytes = 0
    private var headIsWhole = false
    private var headIsShown = false
    private var body: [UInt8] = []
    private(set) var lastByteAt = 0
    /// Set where this side ended the transfer.
    private(set) var end: End?

    enum End {
        /// The caller has had enough.
        case enough
        case failed(HTTPClientError.Code, String)
    }

    init(
        _ request: HTTPClientRequest, _ cancellation: HTTPCancellation?, onHead: ((HTTPClientResponse) -> Bool)?,
        onBytes: (([UInt8]) -> Bool)?
    ) {
        self.request = request
        self.cancellation = cancellation
        self.onHead = onHead
        self.onBytes = onBytes
    }

    var isStream: Bool { onBytes != nil }
    var isCancelled: Bool { cancellation?.isCancelled ?? false }
    var response: HTTPClientResponse { HTTPClientResponse(status: status, headers: headers, body: body) }

    static func cancelled(_ target: String) -> HTTPClientError {
        HTTPClientError(.cancelled, "The request was cancelled.", place: target)
    }

    func begin() { lastByteAt = monotonicMilliseconds() }

    /// Takes one line of a head; false ends the transfer.
    func takeHeaderLine(_ bytes: UnsafeRawBufferPointer) -> Bool {
        lastByteAt = monotonicMilliseconds()
        headBytes += bytes.count
        guard headBytes <= HTTPClient.headBytesMax else {
            end = .failed(.tooLarge, "The head of the answer is larger than \(HTTPClient.headBytesMax) bytes.")
            return false
        }
        // What comes after a body are trailers, which nobody here asked for.
        guard !headIsShown else { return true }
        let line = unsafe bytes.prefix { $0 != 0x0D && $0 != 0x0A }
        if unsafe line.starts(with: Array("HTTP/".utf8)) {
            // An interim answer (100 to 199) came before.
            status = unsafe Self.status(Array(line))
            headers = []
            headIsWhole = false
        } else if unsafe line.isEmpty {
            headIsWhole = true
            // An interim answer is followed by the true one, which starts over; and no stream begins with it.
            if status >= 200 { return showHead() }
        } else if let colon = unsafe line.firstIndex(of: UInt8(ascii: ":")) {
            let name = unsafe String(decoding: line[..<colon], as: UTF8.self)
            let value = unsafe Array(line[(colon + 1)...])
            let trimmed = value.drop { $0 == 0x20 || $0 == 0x09 }.reversed().drop { $0 == 0x20 || $0 == 0x09 }
            headers.append(HTTPField(name, String(decoding: trimmed.reversed(), as: UTF8.self)))
        }
        return true
    }

    /// Takes bytes of the body; false ends the transfer.
    func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
        lastByteAt = monotonicMilliseconds()
        guard headIsShown || showHead() else { return false }
        if let onBytes {
            if onBytes(unsafe Array(bytes)) { return true }
            end = .enough
            return false
        }
        guard body.count + bytes.count <= request.bodyBytesMax else {
            end = .failed(.tooLarge, "The answer is larger than \(request.bodyBytesMax) bytes.")
            return false
        }
        unsafe body.append(contentsOf: bytes)
        return true
    }

    private func showHead() -> Bool {
        headIsShown = true
        guard let onHead else { return true }
        if onHead(response) { return true }
        end = .enough
        return false
    }

    /// The number in `HTTP/1.1 200 OK`, or 0.
    private static func status(_ line: [UInt8]) -> Int {
        let words = line.split(separator: 0x20, maxSplits: 2)
        return words.count > 1 ? Int(String(decoding: words[1], as: UTF8.self)) ?? 0 : 0
    }
}

/// A clock that never jumps.
func monotonicMilliseconds() -> Int {
    var now = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &now)
    return now.tv_sec * 1000 + now.tv_nsec / 1_000_000
}
