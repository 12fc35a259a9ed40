/// Why a mapping is refused.
public struct MappingError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The value concerned, as a JSON path such as `$.programs[0].code`; `$` is the mapping as a whole.
    public let path: String
    /// What is wrong and what to write instead, in a sentence for a person.
    public let reason: String

    public init(_ path: String, _ reason: String) {
        self.path = path
        self.reason = reason
    }

    public var description: String { "\(path): \(reason)" }
}

/// Where in a JSON text a value stands.
struct JSONPath {
    private var parts: [String] = []

    mutating func push(_ name: String) { parts.append(Self.part(name)) }
    mutating func push(_ index: Int) { parts.append("[\(index)]") }
    mutating func pop() { parts.removeLast() }

    var text: String { "$" + parts.joined() }

    /// A plain name as `.name`, any other as `["name"]`.
    static func part(_ name: String) -> String {
        let isPlain = !name.isEmpty && name.utf8.allSatisfy { $0 == 0x5F || isASCIILetterOrDigit($0) }
        return isPlain ? ".\(name)" : "[\"\(name)\"]"
    }
}

func isASCIIDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

func isASCIILetterOrDigit(_ byte: UInt8) -> Bool { isASCIIDigit(byte) || (byte | 0x20) &- 0x61 < 26 }
