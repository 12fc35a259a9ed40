/// A JSON value as this program accepts it: whole numbers only, and no object that names a member twice.
///
/// Foundation's readers take `1.0` for an integer and keep one of two members of the same name, which is not good
/// enough for a file that says how much money becomes how many points.
public indirect enum ParsedJSON: Equatable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    case string(String)
    case array([ParsedJSON])
    /// In the order of the text.
    case object([Member])

    public struct Member: Equatable, Sendable {
        public let name: String
        public let value: ParsedJSON

        public init(name: String, value: ParsedJSON) {
            self.name = name
            self.value = value
        }
    }

    /// The longest text that is read.
    public static let textBytesMax = 1 << 20
    /// How many arrays and objects may stand inside one another.
    public static let depthMax = 32

    /// Reads a text that holds exactly one value.
    /// - Throws: ``MappingError`` with the path of the value concerned, and line and column for a broken text.
    public init(parsing text: [UInt8]) throws(MappingError) {
        guard text.count <= Self.textBytesMax else {
            throw MappingError("$", "the text is longer than \(Self.textBytesMax) bytes")
        }
        guard text.withUnsafeBufferPointer({ isUTF8($0) }) else {
            throw MappingError("$", "the text is not valid UTF-8; save the mapping as UTF-8")
        }
        var parser = Parser(text: text)
        self = try parser.document()
    }

    /// What kind of value this is, for a sentence.
    var kind: String {
        switch self {
        case .null: "null"
        case .bool: "true or false"
        case .integer: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

private struct Parser {
    let text: [UInt8]
    var i = 0
    var path = JSONPath()
    var depth = 0

    init(text: [UInt8]) {
        self.text = text
        if text.starts(with: [0xEF, 0xBB, 0xBF]) { i = 3 }
    }

    mutating func document() throws(MappingError) -> ParsedJSON {
        let value = try self.value()
        skipSpace()
        guard i == text.count else { throw broken("there is more text after the end of the mapping") }
        return value
    }

    private mutating func value() throws(MappingError) -> ParsedJSON {
        skipSpace()
        guard i < text.count else { throw broken("the text ends where a value should be") }
        switch text[i] {
        case UInt8(ascii: "{"): return try object()
        case UInt8(ascii: "["): return try array()
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .integer(try integer())
        default:
            for (word, value) in [("true", ParsedJSON.bool(true)), ("false", .bool(false)), ("null", .null)]
            where text[i...].starts(with: word.utf8) {
                i += word.utf8.count
                return value
            }
            throw broken("a value was expected here: an object, an array, a string in double quotes or a whole number")
        }
    }

    private mutating func object() throws(MappingError) -> ParsedJSON {
        try enter()
        var members: [ParsedJSON.Member] = []
        // By bytes: two names that only look alike are two names.
        var seen: Set<[UInt8]> = []
        skipSpace()
        if take("}") {
            depth -= 1
            return .object([])
        }
        while true {
            skipSpace()
            guard i < text.count, text[i] == UInt8(ascii: "\"") else {
                throw broken("the name of a member in double quotes was expected here")
            }
            let name = try string()
            path.push(name)
            guard seen.insert(Array(name.utf8)).inserted else {
                throw MappingError(path.text, "is given twice; keep one of the two")
            }
            skipSpace()
            guard take(":") else { throw broken("a colon was expected after the name “\(name)”") }
            members.append(ParsedJSON.Member(name: name, value: try value()))
            path.pop()
            skipSpace()
            if take("}") { break }
            guard take(",") else { throw broken("a comma or } was expected here") }
        }
        depth -= 1
        return .object(members)
    }

    private mutating func array() throws(MappingError) -> ParsedJSON {
        try enter()
        var values: [ParsedJSON] = []
        skipSpace()
        if take("]") {
            depth -= 1
            return .array([])
        }
        while true {
            path.push(values.count)
            values.append(try value())
            path.pop()
            skipSpace()
            if take("]") { break }
            guard take(",") else { throw broken("a comma or ] was expected here") }
        }
        depth -= 1
        return .array(values)
    }

    private mutating func enter() throws(MappingError) {
        i += 1
        depth += 1
        guard depth <= ParsedJSON.depthMax else {
            throw broken("more than \(ParsedJSON.depthMax) arrays and objects stand inside one another")
        }
    }

    private mutating func integer() throws(MappingError) -> Int64 {
        let begin = i
        if text[i] == UInt8(ascii: "-") { i += 1 }
        let digits = i
        while i < text.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(text[i]) { i += 1 }
        let written = String(decoding: text[begin..<i], as: UTF8.self)
        guard i > digits else { throw broken("a minus sign needs digits after it") }
        guard text[digits] != UInt8(ascii: "0") || i == digits + 1 else {
            throw MappingError(path.text, "\(written) begins with a zero; write the number without it")
        }
        if i < text.count, [UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")].contains(text[i]) {
            throw MappingError(
                path.text, "has a fraction or an exponent; write a whole number, or an amount as a string like \"1.00\""
            )
        }
        guard let value = Int64(written) else {
            throw MappingError(path.text, "\(written) is too large")
        }
        return value
    }

    private mutating func string() throws(MappingError) -> String {
        i += 1
        var bytes: [UInt8] = []
        while true {
            guard i < text.count else { throw broken("a string is not closed") }
            let byte = text[i]
            i += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: bytes, as: UTF8.self)
            case UInt8(ascii: "\\"): bytes += try escape()
            case 0..<0x20: throw broken("a string contains a control character; write it as an escape like \\n")
            default: bytes.append(byte)
            }
        }
    }

    private mutating func escape() throws(MappingError) -> [UInt8] {
        guard i < text.count else { throw broken("a string is not closed") }
        let letter = text[i]
        i += 1
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [letter]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"):
            var scalar = try fourHexDigits()
            if (0xD800..<0xDC00).contains(scalar), take("\\"), take("u") {
                let low = try fourHexDigits()
                guard (0xDC00..<0xE000).contains(low) else { throw broken("half of a surrogate pair") }
                scalar = 0x10000 + (scalar - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let valid = Unicode.Scalar(scalar) else { throw broken("half of a surrogate pair") }
            return Array(String(Character(valid)).utf8)
        default: throw broken("an unknown escape in a string")
        }
    }

    private mutating func fourHexDigits() throws(MappingError) -> UInt32 {
        let digits = text[i...].prefix(4)
        let isHex = digits.allSatisfy { Character(Unicode.Scalar($0)).isHexDigit }
        guard digits.count == 4, isHex, let value = UInt32(String(decoding: digits, as: UTF8.self), radix: 16) else {
            throw broken("\\u needs four hexadecimal digits")
        }
        i += 4
        return value
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard i < text.count, text[i] == UInt8(ascii: character) else { return false }
        i += 1
        return true
    }

    private mutating func skipSpace() {
        while i < text.count, [0x20, 0x09, 0x0A, 0x0D].contains(text[i]) { i += 1 }
    }

    private func broken(_ reason: String) -> MappingError {
        let before = text[..<min(i, text.count)]
        let line = before.count { $0 == 0x0A } + 1
        let column = before.reversed().prefix { $0 != 0x0A }.count + 1
        return MappingError(path.text, "\(reason) (line \(line), column \(column))")
    }
}
