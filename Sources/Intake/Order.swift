/// One order as the ledger needs it.
public struct Order: Equatable, Sendable {
    /// What the shop says of the order's points.
    public enum State: String, CaseIterable, Sendable {
        case pending
        case vested
        case voided
    }

    /// The longest order key.
    public static let keyBytesMax = 48
    /// The longest person key.
    public static let personBytesMax = 200
    /// The most points of one order.
    public static let pointsMax = UInt64(Int64.max)

    /// The line of the main file on which the order begins.
    public var line: Int
    /// The order's own name, as bytes of UTF-8, at most ``keyBytesMax``.
    public var order: [UInt8]
    /// The shop's name for the person, at most ``personBytesMax`` bytes. Compare it by its bytes: `==` of two strings
    /// holds for different spellings of one accented letter.
    public var person: String
    /// The code of the program whose points these are.
    public var unit: String
    /// In the unit's smallest part.
    public var points: UInt64
    public var state: State
    /// When the order was placed, in milliseconds since 1970-01-01T00:00:00Z; nil where the mapping or the row has
    /// none.
    public var dateMilliseconds: Int64?

    public init(
        line: Int, order: [UInt8], person: String, unit: String, points: UInt64, state: State,
        dateMilliseconds: Int64? = nil
    ) {
        self.line = line
        self.order = order
        self.person = person
        self.unit = unit
        self.points = points
        self.state = state
        self.dateMilliseconds = dateMilliseconds
    }
}

/// A row that does not go in, and why.
public struct Reject: Equatable, Sendable {
    /// The file's name, without its directory.
    public let file: String
    /// The line on which the record begins; the first line of the file is 1.
    public let line: Int
    /// A sentence for a person.
    public let reason: String
    /// The record as it is in the file, as text; what could not be decoded is U+FFFD. At most
    /// ``CSVReader/faultBytesMax`` bytes of the file.
    public let record: String

    public init(file: String, line: Int, reason: String, record: String) {
        self.file = file
        self.line = line
        self.reason = reason
        self.record = record
    }
}
