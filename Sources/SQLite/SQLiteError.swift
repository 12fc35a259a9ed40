/// Why a database cannot be used. Compared by code only.
public struct SQLiteError: Error, Equatable, Sendable, CustomStringConvertible {
    /// SQLite's own result codes, and unknown ones as they are: the raw value is the primary code, without extension.
    public struct Code: RawRepresentable, Hashable, Sendable {
        public let rawValue: Int32
        public init(rawValue: Int32) { self.rawValue = rawValue }

        /// Another process holds the database longer than ``Database/busyMillisecondsMax``.
        public static let busy = Code(rawValue: 5)
        public static let readOnly = Code(rawValue: 8)
        public static let inputOutput = Code(rawValue: 10)
        /// Bytes on disk are not what was written.
        public static let corrupt = Code(rawValue: 11)
        public static let diskFull = Code(rawValue: 13)
        public static let cannotOpen = Code(rawValue: 14)
        /// A row contradicts the schema.
        public static let constraint = Code(rawValue: 19)
        /// The file is no SQLite database at all.
        public static let notADatabase = Code(rawValue: 26)

        // Not SQLite's: it uses the numbers up to 101.

        /// A database of another program.
        public static let foreign = Code(rawValue: 1001)
        /// Written by another format version of this program.
        public static let format = Code(rawValue: 1002)
        /// There is no such file.
        public static let notFound = Code(rawValue: 1003)
    }

    public let code: Code
    /// What happened, in a sentence for a person; names no value that was stored.
    public let reason: String
    /// The file concerned.
    public let place: String

    public init(_ code: Code, _ reason: String, place: String) {
        self.code = code
        self.reason = reason
        self.place = place
    }

    public static func == (a: Self, b: Self) -> Bool { a.code == b.code }

    public var description: String { "\(place): \(reason)" }
}
