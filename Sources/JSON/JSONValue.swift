/// A JSON value as this program writes and accepts it: members keep the order in which they stand, no object names a
/// member twice, and there are no fractions, because nothing that the ledger says is one.
///
/// Amounts belong into strings, since many readers keep only 53 bits of a number. Foundation's readers take `1.0` for
/// an integer and keep one of two members of the same name, which is not good enough where money becomes points.
public enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case integer(Int128)
    case string(String)
    case array([JSONValue])
    case object([Member])

    /// One name with its value. Names that are read are unique; those that are written are this program's own.
    public struct Member: Hashable, Sendable {
        public let name: String
        public let value: JSONValue

        public init(_ name: String, _ value: JSONValue) {
            self.name = name
            self.value = value
        }
    }

    /// The member of an object; nil where there is none.
    public subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    public init(_ value: Int) { self = .integer(Int128(value)) }
    public init(_ value: Int64) { self = .integer(Int128(value)) }
    public init(_ value: UInt64) { self = .integer(Int128(value)) }
    public init(_ value: UInt32) { self = .integer(Int128(value)) }

    /// The value on one line, without a newline at its end; no character in it can break the line.
    public var text: String { String(decoding: bytes, as: UTF8.self) }

    /// The same in UTF-8.
    public var bytes: [UInt8] {
        var out: [UInt8] = []
        write(to: &out)
        return out
    }

    private func write(to out: inout [UInt8]) {
        switch self {
        case .null: out += "null".utf8
        case .bool(let value): out += (value ? "true" : "false").utf8
        case .integer(let value): out += value.description.utf8
        case .string(let value): JSONValue.write(value, to: &out)
        case .array(let values):
            out.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                value.write(to: &out)
            }
            out.append(UInt8(ascii: "]"))
        case .object(let members):
            out.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                JSONValue.write(member.name, to: &out)
                out.append(UInt8(ascii: ":"))
                member.value.write(to: &out)
            }
            out.append(UInt8(ascii: "}"))
        }
    }

    private static func write(_ string: String, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        if string.utf8.allSatisfy({ (0x20..<0x7F).contains($0) && $0 != 0x22 && $0 != 0x5C }) {
            out += string.utf8
        } else {
            for scalar in string.unicodeScalars { write(scalar, to: &out) }
        }
        out.append(UInt8(ascii: "\""))
    }

    private static func write(_ scalar: Unicode.Scalar, to out: inout [UInt8]) {
        switch scalar {
        case "\"": out += "\\\"".utf8
        case "\\": out += "\\\\".utf8
        case "\n": out += "\\n".utf8
        case "\r": out += "\\r".utf8
        case "\t": out += "\\t".utf8
        case "\u{8}": out += "\\b".utf8
        case "\u{C}": out += "\\f".utf8
        // The two Unicode line ends are legal in JSON, yet they break lines in many readers of lines.
        case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}":
            let hex = String(scalar.value, radix: 16)
            out += ("\\u" + String(repeating: "0", count: 4 - hex.count) + hex).utf8
        default: out += UTF8.encode(scalar)!
        }
    }
}

extension JSONValue: ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral, ExpressibleByStringLiteral,
    ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral, ExpressibleByNilLiteral
{
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(elements.map { Member($0.0, $0.1) })
    }

    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int) { self = .integer(Int128(value)) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(nilLiteral: ()) { self = .null }
}
