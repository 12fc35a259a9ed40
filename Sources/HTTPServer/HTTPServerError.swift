/// Why a server did not start. Compared by code only.
public struct HTTPServerError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Code: Sendable {
        /// The host is no numeric address, or not one of this machine.
        case address
        /// Another program listens there, or the port is one that this user may not take.
        case port
        /// Certificate or key cannot be used.
        case tls
        /// The system refused a socket or a thread, or the limit of file descriptors is too low.
        case system
    }

    public let code: Code
    /// What happened, in a sentence for a person.
    public let reason: String

    init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    public static func == (a: Self, b: Self) -> Bool { a.code == b.code }

    public var description: String { reason }
}
