/// Why a JSON text, or a value in it, is refused.
public struct JSONError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The value concerned, as a JSON path such as `$.programs[0].code`; `$` is the text as a whole.
    public let path: String
    /// What is wrong and what to write instead, in a sentence for a person.
    public let reason: String

    public init(_ path: String, _ reason: String) {
        self.path = path
        self.reason = reason
    }

    public var description: String { "\(path): \(reason)" }

    /// What is quoted in a refusal is bounded, whatever was sent.
    public static func shortened(_ text: String) -> String {
        text.utf8.count <= 48 ? text : String(String.UnicodeScalarView(text.unicodeScalars.prefix(48))) + "…"
    }

    /// How a member stands in a path: a plain name as `.name`, any other as `["name"]`.
    public static func part(_ name: String) -> String {
        let isPlain = !name.isEmpty && name.utf8.allSatisfy { $0 == 0x5F || isASCIILetterOrDigit($0) }
        let shown = shortened(name)
        return isPlain ? ".\(shown)" : "[\"\(shown)\"]"
    }

    private static func isASCIILetterOrDigit(_ byte: UInt8) -> Bool {
        byte &- 0x30 < 10 || (byte | 0x20) &- 0x61 < 26
    }
}

/// Where in a JSON text a value stands. Becomes text only where something is refused.
struct JSONPath {
    private enum Part {
        case name(String)
        case index(Int)
    }

    private var parts: [Part] = []

    mutating func push(_ name: String) { parts.append(.name(name)) }
    mutating func push(_ index: Int) { parts.append(.index(index)) }
    mutating func pop() { parts.removeLast() }

    var text: String {
        parts.reduce(into: "$") { text, part in
            switch part {
            case .name(let name): text += JSONError.part(name)
            case .index(let index): text += "[\(index)]"
            }
        }
    }
}
