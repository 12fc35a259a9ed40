/// Why a file as a whole cannot be read or written. A bad row is not an error but a ``Reject``. Compared by code only.
public struct IntakeError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable {
        case notFound
        /// The file system refuses to let this user read or write here.
        case denied
        case inputOutput
        /// The bytes are not in the encoding the mapping names.
        case encoding
        /// The first line does not give the columns the mapping names.
        case columns
        /// A named bound of this program is exceeded.
        case limit
    }

    public let code: Code
    /// What happened, in a sentence for a person.
    public let reason: String
    /// The file concerned, as it was given.
    public let place: String

    public init(_ code: Code, _ reason: String, place: String) {
        self.code = code
        self.reason = reason
        self.place = place
    }

    public static func == (a: Self, b: Self) -> Bool { a.code == b.code }

    public var description: String { "\(place): \(reason)" }
}
