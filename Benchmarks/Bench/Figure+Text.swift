import JSON

extension Figure {
    /// One line of JSON. Fractions are written here, where no ledger is: nothing that the ledger says has one.
    public var json: String {
        var members = [
            ("name", quoted(name)), ("value", Self.text(value)), ("unit", quoted(unit)),
            ("ratio", ratio.map(Self.text) ?? "null"), ("runs", "[\(runs.map(Self.text).joined(separator: ","))]"),
            ("spread", Self.text(spread)),
        ]
        members += details.map { ($0.name, Self.text($0.value)) }
        members.append(("doubts", "[\(doubts.map(quoted).joined(separator: ","))]"))
        return "{\(members.map { "\(quoted($0)):\($1)" }.joined(separator: ","))}"
    }

    private func quoted(_ text: String) -> String { JSONValue.string(text).text }

    /// A number in as many digits as mean something: whole from 1000 on, three places below.
    public static func text(_ value: Double) -> String {
        guard value.isFinite else { return "0" }
        if value.magnitude >= 1000 { return "\(Int128(value.rounded()))" }
        let thousandths = Int((value.magnitude * 1000).rounded())
        let places = "\(1000 + thousandths % 1000)".dropFirst()
        return "\(value < 0 ? "-" : "")\(thousandths / 1000).\(places)"
    }

    // MARK: From a process to the one that started it

    /// All of the figure in one line, exactly.
    public var line: String {
        func numbers(_ values: [Double]) -> String { values.map(\.description).joined(separator: " ") }
        return [
            name, unit, numbers(runs), details.map(\.name).joined(separator: " "), numbers(details.map(\.value)),
            doubts.joined(separator: "|"),
        ].joined(separator: "\t")
    }

    /// Reads ``line``; nil where a line is something else.
    public init?(line: String) {
        let parts = line.split(separator: "\t", omittingEmptySubsequences: false)
        guard parts.count == 6 else { return nil }
        func numbers(_ text: Substring) -> [Double] { text.split(separator: " ").compactMap { Double($0) } }
        self.init(
            String(parts[0]), unit: String(parts[1]), runs: numbers(parts[2]),
            details: zip(parts[3].split(separator: " "), numbers(parts[4])).map { Detail(String($0), $1) })
        doubts = parts[5].split(separator: "|").map(String.init)
    }
}
