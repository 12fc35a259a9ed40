/// Why a node's directory cannot be read or written. Compared by code only.
public struct StorageError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable {
        /// The directory does not exist, or holds no chain.
        case notFound
        /// A chain was to be created, but the directory already holds one.
        case exists
        /// Another process holds the directory.
        case locked
        /// The file system refuses to let this user read or write here.
        case denied
        case diskFull
        case readOnly
        /// Bytes on disk are not what was written.
        case corrupt
        /// Written by another format version of this program.
        case format
        case inputOutput
        case closed
    }

    public let code: Code
    /// What happened, in a sentence for a person; names no secret.
    public let reason: String
    /// The file or directory concerned.
    public let place: String

    public init(_ code: Code, _ reason: String, place: String) {
        self.code = code
        self.reason = reason
        self.place = place
    }

    public static func == (a: Self, b: Self) -> Bool { a.code == b.code }

    public var description: String { "\(place): \(reason)" }
}
