/// One field of a head. Names are compared without regard to case.
public struct HTTPField: Sendable, Hashable {
    public let name: String
    public let value: String

    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// What is asked of a server.
public struct HTTPClientRequest: Sendable {
    public var method: String
    /// An absolute URL of printable ASCII, `http` or `https`, without a user in it.
    public var url: String
    public var headers: [HTTPField]
    /// The body, or nil for none; an empty one has a length of 0.
    public var body: [UInt8]?
    /// Name, connection and TLS have to be there within this time.
    public var connectMilliseconds = 10_000
    /// The whole answer has to be there within this time, the wait for a free connection included; nil for streams
    /// without an end.
    public var totalMilliseconds: Int? = 60_000
    /// A stream that brings nothing for so long has timed out; nil for no such bound.
    public var quietMilliseconds: Int?
    /// Bytes of body that the answer may have. Does not hold for streams.
    public var bodyBytesMax = 16 << 20
    /// Opens a connection for this request alone. Over a kept one that turns out to be dead, before a byte of an answer
    /// has come, the request is sent once more by itself, which is wrong for one that must not arrive twice.
    public var isAlone = false

    public init(_ method: String, _ url: String, headers: [HTTPField] = [], body: [UInt8]? = nil) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
    }
}

/// What a server answered, whatever its status says.
public struct HTTPClientResponse: Sendable {
    public let status: Int
    public let headers: [HTTPField]
    /// Empty for a stream, whose bytes have been handed over.
    public let body: [UInt8]

    public init(status: Int, headers: [HTTPField], body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// The first value of this name.
    public func header(_ name: String) -> String? {
        let wanted = name.lowercased()
        return headers.first { $0.name.lowercased() == wanted }?.value
    }
}
