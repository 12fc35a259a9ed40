/// JSON for files that people edit.
extension JSONValue {
    /// The value over several lines, each member and element on its own, with a newline at the end. Empty arrays and
    /// objects, and arrays of plain values, stay on one line.
    public var indentedText: String { lines(indent: "") + "\n" }

    private func lines(indent: String) -> String {
        let inner = indent + "  "
        switch self {
        case .array(let values) where values.contains { $0.isCollection }:
            return "[\n" + values.map { inner + $0.lines(indent: inner) }.joined(separator: ",\n") + "\n\(indent)]"
        case .array(let values): return "[" + values.map(\.text).joined(separator: ", ") + "]"
        case .object(let members) where !members.isEmpty:
            let parts = members.map { inner + JSONValue.string($0.name).text + ": " + $0.value.lines(indent: inner) }
            return "{\n" + parts.joined(separator: ",\n") + "\n\(indent)}"
        default: return text
        }
    }

    private var isCollection: Bool {
        switch self {
        case .array, .object: true
        default: false
        }
    }
}
