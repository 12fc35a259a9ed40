/// What a server serves. All of it is called on threads of the server and must not block: what takes longer answers
/// later through the exchange.
public protocol HTTPApplication: Sendable {
    /// One whole request. It is answered through `exchange`, now or later, from any thread.
    func handle(_ request: HTTPRequest, _ exchange: HTTPExchange)
    /// The document for what the server itself has to say. Its body has to be bytes.
    func problem(_ problem: HTTPServerProblem) -> HTTPResponse
    /// After the answer has gone, or the client has: for logs and metrics.
    func finished(_ record: HTTPRecord)
}

/// Why the server answers by itself. The raw value is a stable name; each has the status that fits it.
public enum HTTPServerProblem: String, Sendable, CaseIterable {
    /// The head, or how it frames its body, is not HTTP: 400, and the connection ends.
    case malformed = "malformed"
    /// HTTP/1.1 without a `Host`, or with two: 400.
    case host = "host"
    /// A body in a coding, which would be a way around the bound of bodies: 415.
    case encodingUnsupported = "encoding-unsupported"
    /// More header fields or bytes of head than are allowed: 431.
    case headTooLarge = "head-too-large"
    /// More body than is allowed: 413.
    case bodyTooLarge = "body-too-large"
    /// The bodies of all requests in hand take too much memory: 503.
    case bodiesFull = "bodies-full"
    /// Answers that clients do not read take too much memory: 503.
    case answersFull = "answers-full"
    /// As many connections as are allowed: 503.
    case connectionsFull = "connections-full"
    /// As many streams as are allowed: 503.
    case streamsFull = "streams-full"
    /// The request did not come in time: 408.
    case requestTimeout = "request-timeout"
    /// The application did not answer in time: 503.
    case answerTimeout = "answer-timeout"
    /// The server is being stopped: 503.
    case stopping = "stopping"

    public var status: Int {
        switch self {
        case .malformed, .host: 400
        case .requestTimeout: 408
        case .bodyTooLarge: 413
        case .encodingUnsupported: 415
        case .headTooLarge: 431
        case .bodiesFull, .answersFull, .connectionsFull, .streamsFull, .answerTimeout, .stopping: 503
        }
    }

    /// When it makes sense to try again: worth a `Retry-After`.
    public var retryAfterSeconds: Int? { status == 503 ? 1 : nil }

    /// A sentence for a person.
    public var reason: String {
        switch self {
        case .malformed: "The request is malformed."
        case .host: "The request needs exactly one Host field."
        case .encodingUnsupported: "Bodies are taken without a content coding."
        case .headTooLarge: "The head of the request is too large."
        case .bodyTooLarge: "The body of the request is too large."
        case .bodiesFull: "The bodies of other requests take all the room; try again."
        case .answersFull: "The answers to other requests take all the room; try again."
        case .connectionsFull: "There are too many connections; try again."
        case .streamsFull: "There are too many streams; try again."
        case .requestTimeout: "The request did not come in time."
        case .answerTimeout: "The answer was not made in time; try again."
        case .stopping: "The server is being stopped; try again."
        }
    }

    /// A plain answer in words, for applications that have no form of their own.
    public var plainResponse: HTTPResponse {
        var headers = [(name: "Content-Type", value: "text/plain; charset=utf-8")]
        if let retryAfterSeconds { headers.append(("Retry-After", "\(retryAfterSeconds)")) }
        return HTTPResponse(status: status, headers: headers, body: .bytes(Array("\(reason)\n".utf8)))
    }
}

/// What became of one request whose head was read.
public struct HTTPRecord: Sendable {
    public let requestID: String
    public let method: String
    /// What ``HTTPExchange/setRoute(_:)`` said last; empty where it was not called.
    public let route: String
    /// What ``HTTPExchange/setSubject(_:)`` said last; empty where it was not called.
    public let subject: String
    /// The status of the answer; 0 where there was none because the client had gone.
    public let status: Int
    /// Bytes of the answer's body that were handed out.
    public let bytesOut: UInt64
    /// From the end of the head to the end of the answer.
    public let durationMicroseconds: UInt64
    public let peer: String
    /// Whether all of the answer went out, as far as the system knows.
    public let isComplete: Bool
}
