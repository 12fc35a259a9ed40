/// JSON as the golden vectors are written: fields in a fixed order, a value on one line where it fits. Numbers are
/// those that every language reads exactly; 64-bit integers are text.
indirect enum VectorValue {
    case object([(String, VectorValue)])
    case list([VectorValue])
    case text(String)
    case integer(Int)
    case bool(Bool)
    case null

    static func u64(_ value: UInt64) -> VectorValue { .text(String(value)) }

    func text(indent: Int = 0) -> String {
        let line = compact
        if line.utf8.count + indent <= 118 { return line }
        let (outer, inner) = (String(repeating: " ", count: indent), String(repeating: " ", count: indent + 2))
        switch self {
        case .object(let fields):
            let lines = fields.map { "\(inner)\(Self.quoted($0)): \($1.text(indent: indent + 2))" }
            return "{\n" + lines.joined(separator: ",\n") + "\n\(outer)}"
        case .list(let values):
            let lines = values.map { inner + $0.text(indent: indent + 2) }
            return "[\n" + lines.joined(separator: ",\n") + "\n\(outer)]"
        default: return line
        }
    }

    private var compact: String {
        switch self {
        case .object(let fields):
            "{" + fields.map { "\(Self.quoted($0)): \($1.compact)" }.joined(separator: ", ") + "}"
        case .list(let values): "[" + values.map(\.compact).joined(separator: ", ") + "]"
        case .text(let text): Self.quoted(text)
        case .integer(let value): String(value)
        case .bool(let value): value ? "true" : "false"
        case .null: "null"
        }
    }

    private static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\u{20}"...: out.unicodeScalars.append(scalar)
            default:
                let digits = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            }
        }
        return out + "\""
    }
}

extension VectorValue: ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral, ExpressibleByStringLiteral,
    ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral, ExpressibleByNilLiteral
{
    init(dictionaryLiteral elements: (String, VectorValue)...) { self = .object(elements) }
    init(arrayLiteral elements: VectorValue...) { self = .list(elements) }
    init(stringLiteral value: String) { self = .text(value) }
    init(integerLiteral value: Int) { self = .integer(value) }
    init(booleanLiteral value: Bool) { self = .bool(value) }
    init(nilLiteral: ()) { self = .null }
}
