/// Why a request got no answer. Compared by code only.
///
/// An answer with a status of 400 or 500 is an answer and no error.
public struct HTTPClientError: Error, Equatable, Sendable, CustomStringConvertible {
    public struct Code: RawRepresentable, Hashable, Sendable {
        /// A short, stable name, fit for logs and metrics.
        public let rawValue: String
        public init(rawValue: String) { self.rawValue = rawValue }

        /// Nobody listens there, or the network does not lead there. Nothing was sent.
        public static let connect = Code(rawValue: "connect")
        /// The host's name has no address. Nothing was sent.
        public static let resolve = Code(rawValue: "resolve")
        /// A deadline of the request passed. It may have been acted upon.
        public static let timeout = Code(rawValue: "timeout")
        /// No agreement on TLS: the server's certificate is not trusted, ours was refused, or a file of ours is of no
        /// use. Nothing was sent.
        public static let tls = Code(rawValue: "tls")
        /// The answer is larger than the caller takes.
        public static let tooLarge = Code(rawValue: "tooLarge")
        /// ``HTTPCancellation`` ended the request. It may have been acted upon.
        public static let cancelled = Code(rawValue: "cancelled")
        /// The other side does not speak HTTP as it should.
        public static let protocolError = Code(rawValue: "protocolError")
        /// The answer broke off before it was whole. The request may have been acted upon.
        public static let interrupted = Code(rawValue: "interrupted")
        /// The request itself is malformed: its URL, method or a header. Nothing was sent.
        public static let invalidRequest = Code(rawValue: "invalidRequest")
    }

    public let code: Code
    /// What happened, in a sentence for a person; names nothing of the request but where it went.
    public let reason: String
    /// Scheme, host and port.
    public let place: String

    public init(_ code: Code, _ reason: String, place: String) {
        self.code = code
        self.reason = reason
        self.place = place
    }

    public static func == (a: Self, b: Self) -> Bool { a.code == b.code }

    public var description: String { "\(place): \(reason)" }
}
