extension JSONValue {
    /// The longest text that is read where nothing else is asked for.
    public static let textBytesMax = 1 << 20
    /// How many arrays and objects may stand inside one another.
    public static let depthMax = 32

    /// How a whole number may be written.
    public enum NumberSpelling: Sendable {
        /// In digits alone.
        case digits
        /// As JSON Schema has it, to which `5`, `5.0` and `0.5e1` are the same integer.
        case anyWhole
    }

    /// Reads a text that holds exactly one value: whole numbers of 64 bits only, no member twice.
    /// - Throws: ``JSONError`` with the path of the value concerned, and line and column for a broken text.
    public init(
        parsing text: [UInt8], bytesMax: Int = textBytesMax, numbers: NumberSpelling = .digits
    ) throws(JSONError) {
        guard text.count <= bytesMax else { throw JSONError("$", "the text is longer than \(bytesMax) bytes") }
        guard (try? UTF8Span(validating: text.span)) != nil else {
            throw JSONError("$", "the text is not valid UTF-8; save it as UTF-8")
        }
        var parser = Parser(text: text, numbers: numbers)
        self = try parser.document()
    }

    /// What kind of value this is, for a sentence.
    public var kind: String {
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
    /// Members of an object whose names are compared one by one.
    private static let namesComparedMax = 16

    /// Digits of an exponent that are read: one of more is far beyond 64 bits, or a fraction.
    private static let exponentDigitsMax = 4

    let text: [UInt8]
    let numbers: JSONValue.NumberSpelling
    var i = 0
    var path = JSONPath()
    var depth = 0

    init(text: [UInt8], numbers: JSONValue.NumberSpelling) {
        self.text = text
        self.numbers = numbers
        if text.starts(with: [0xEF, 0xBB, 0xBF]) { i = 3 }
    }

    mutating func document() throws(JSONError) -> JSONValue {
        let value = try self.value()
        skipSpace()
        guard i == text.count else { throw broken("there is more text after the end of the value") }
        return value
    }

    private mutating func value() throws(JSONError) -> JSONValue {
        skipSpace()
        guard i < text.count else { throw broken("the text ends where a value should be") }
        switch text[i] {
        case UInt8(ascii: "{"): return try object()
        case UInt8(ascii: "["): return try array()
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .integer(Int128(try integer()))
        default:
            for (word, value) in [("true", JSONValue.bool(true)), ("false", .bool(false)), ("null", .null)]
            where text[i...].starts(with: word.utf8) {
                i += word.utf8.count
                return value
            }
            throw broken("a value was expected here: an object, an array, a string in double quotes or a whole number")
        }
    }

    private mutating func object() throws(JSONError) -> JSONValue {
        try enter()
        var members: [JSONValue.Member] = []
        // By bytes: two names that only look alike are two names. Looked up only where there are many.
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
            if members.count == Self.namesComparedMax {
                seen = Set(members.map { Array($0.name.utf8) })
            }
            let isNew =
                members.count < Self.namesComparedMax
                ? !members.contains { $0.name.utf8.elementsEqual(name.utf8) } : seen.insert(Array(name.utf8)).inserted
            guard isNew else { throw JSONError(path.text, "is given twice; keep one of the two") }
            skipSpace()
            guard take(":") else { throw broken("a colon was expected after the name “\(JSONError.shortened(name))”") }
            members.append(JSONValue.Member(name, try value()))
            path.pop()
            skipSpace()
            if take("}") { break }
            guard take(",") else { throw broken("a comma or } was expected here") }
        }
        depth -= 1
        return .object(members)
    }

    private mutating func array() throws(JSONError) -> JSONValue {
        try enter()
        var values: [JSONValue] = []
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

    private mutating func enter() throws(JSONError) {
        i += 1
        depth += 1
        guard depth <= JSONValue.depthMax else {
            throw broken("more than \(JSONValue.depthMax) arrays and objects stand inside one another")
        }
    }

    private mutating func integer() throws(JSONError) -> Int64 {
        let begin = i
        if text[i] == UInt8(ascii: "-") { i += 1 }
        let digits = i
        while i < text.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(text[i]) { i += 1 }
        let written = String(decoding: text[begin..<i], as: UTF8.self)
        guard i > digits else { throw broken("a minus sign needs digits after it") }
        guard text[digits] != UInt8(ascii: "0") || i == digits + 1 else {
            throw JSONError(
                path.text, "\(JSONError.shortened(written)) begins with a zero; write the number without it")
        }
        if i < text.count, [UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")].contains(text[i]) {
            guard numbers == .anyWhole else { throw fraction() }
            return try wholeNumber(written)
        }
        guard let value = Int64(written) else {
            throw JSONError(path.text, "\(JSONError.shortened(written)) is too large")
        }
        return value
    }

    /// The rest of a number that is written with a point or an exponent.
    private mutating func wholeNumber(_ head: String) throws(JSONError) -> Int64 {
        var digits = head
        var exponent = 0
        if take(".") {
            let places = try digitsHere()
            digits += places
            exponent -= places.utf8.count
        }
        if take("e") || take("E") {
            let isNegative = take("-")
            if !isNegative { _ = take("+") }
            let written = try digitsHere().drop { $0 == "0" }
            let size = written.utf8.count > Self.exponentDigitsMax ? text.count + 20 : Int(written) ?? 0
            exponent += isNegative ? -size : size
        }
        guard digits.utf8.contains(where: { (UInt8(ascii: "1")...UInt8(ascii: "9")).contains($0) }) else { return 0 }
        while exponent < 0 {
            guard digits.popLast() == "0" else { throw fraction() }
            exponent += 1
        }
        // More zeros than 64 bits have digits are too many, however many there are.
        digits += String(repeating: "0", count: min(exponent, 20))
        guard let value = Int64(digits) else { throw JSONError(path.text, "the number is too large") }
        return value
    }

    private mutating func digitsHere() throws(JSONError) -> String {
        let begin = i
        while i < text.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(text[i]) { i += 1 }
        guard i > begin else { throw broken("a digit was expected here") }
        return String(decoding: text[begin..<i], as: UTF8.self)
    }

    private func fraction() -> JSONError {
        JSONError(
            path.text, "has a fraction or an exponent; write a whole number, or an amount as a string like \"1.00\"")
    }

    private mutating func string() throws(JSONError) -> String {
        i += 1
        let begin = i
        while i < text.count, text[i] >= 0x20, text[i] != UInt8(ascii: "\""), text[i] != UInt8(ascii: "\\") { i += 1 }
        var bytes = Array(text[begin..<i])
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

    private mutating func escape() throws(JSONError) -> [UInt8] {
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

    private mutating func fourHexDigits() throws(JSONError) -> UInt32 {
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

    private func broken(_ reason: String) -> JSONError {
        let before = text[..<min(i, text.count)]
        let line = before.count { $0 == 0x0A } + 1
        let column = before.reversed().prefix { $0 != 0x0A }.count + 1
        return JSONError(path.text, "\(reason) (line \(line), column \(column))")
    }
}
