/// How the bytes of one CSV file are to be read.
public struct CSVFormat: Equatable, Sendable {
    public enum Encoding: String, CaseIterable, Sendable {
        case utf8 = "utf-8"
        /// Mainland China's mandatory encoding; it contains GBK and GB 2312.
        case gb18030
    }

    /// Only these three: in GB18030 the second byte of a character can be `|` or a letter, but never one of them.
    public enum Delimiter: UInt8, CaseIterable, Sendable {
        case comma = 0x2C
        case semicolon = 0x3B
        case tab = 0x09
    }

    public var encoding: Encoding
    public var delimiter: Delimiter
    /// The names of the columns where the file has no header line; nil where its first line is the header.
    public var columns: [String]?

    public init(encoding: Encoding = .utf8, delimiter: Delimiter = .comma, columns: [String]? = nil) {
        self.encoding = encoding
        self.delimiter = delimiter
        self.columns = columns
    }
}
