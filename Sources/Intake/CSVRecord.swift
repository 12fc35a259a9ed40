/// One record: its fields as UTF-8, with quotes removed and doubled quotes single.
public struct CSVRecord: Sendable {
    /// The fields one after another, with nothing between them.
    var bytes: [UInt8] = []
    /// Where in `bytes` each field ends.
    var ends: [Int] = []

    /// The line of the file on which the record begins; the first line is 1.
    public internal(set) var line = 1

    /// How many fields there are.
    public var count: Int { ends.count }

    /// The bytes of a field.
    /// - Precondition: `index` is less than ``count``.
    public subscript(index: Int) -> ArraySlice<UInt8> {
        bytes[(index == 0 ? 0 : ends[index - 1])..<ends[index]]
    }

    /// All the fields as text.
    public var fields: [String] { (0..<count).map { String(decoding: self[$0], as: UTF8.self) } }

    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
    }
}

/// A record that cannot be read, and why.
public struct CSVFault: Equatable, Sendable {
    /// The line on which the record begins.
    public let line: Int
    /// The line on which it ends: a quote that is not closed can take many lines with it.
    public let lastLine: Int
    /// A sentence for a person.
    public let reason: String
    /// The record's bytes as they are in the file, without the line break, cut at ``CSVReader/faultBytesMax``.
    public let raw: [UInt8]
}
