/// An answer. `Date`, `Content-Length`, `Transfer-Encoding` and `Connection` are the server's business.
public struct HTTPResponse: Sendable {
    public enum Body: Sendable {
        /// Made for this answer: counted against ``HTTPServerConfiguration/answersBytesMax`` until it has gone.
        case bytes([UInt8])
        /// Kept elsewhere anyway, such as a file that every client gets: not counted.
        case shared([UInt8])
        case stream(any HTTPStream)
    }

    public var status: Int
    /// Fields in their order. One whose name or value cannot stand in a head (line breaks, an empty name) is left out.
    public var headers: [(name: String, value: String)]
    public var body: Body

    public init(status: Int, headers: [(name: String, value: String)] = [], body: Body = .bytes([])) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// An answer that is made piece by piece, such as events.
///
/// The server asks for a piece when the client can take one, so a client that does not read costs no memory here: the
/// stream should keep where it stands, and not what was not sent yet.
public protocol HTTPStream: AnyObject, Sendable {
    /// Called on a server thread, never twice at once: the next bytes, at most `max` of them. Must not block.
    func next(max: Int) -> HTTPStreamStep
    /// Called once, when nothing more is asked for: the stream has ended, or the client or the server has gone.
    func closed()
}

public enum HTTPStreamStep: Sendable {
    /// Bytes to be sent now. More than were asked for are kept and sent later; none at all is the same as `wait`.
    case bytes([UInt8])
    /// Nothing yet: ask again after the next ``HTTPServer/wakeStreams()``.
    case wait
    /// That was all.
    case end
}
