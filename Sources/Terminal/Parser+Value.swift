extension Parser {
    /// Reads one value, or refuses it with the field's name and what was expected there.
    static func read(_ text: String, as kind: ValueKind, field: String) throws(CommandError) -> Parsed.Value {
        func refusal(_ expected: String) -> CommandError {
            let reason = "expected \(expected), not \(CommandError.quoted(text))"
            return CommandError(code: "invalid-value", field: field, reason: reason, exit: .usage)
        }
        switch kind {
        case .text:
            return .text(text)
        case .path:
            // The system ends a path at a NUL, so the file opened would be another than the one named.
            guard !text.isEmpty, !text.utf8.contains(0) else { throw refusal("a path") }
            return .text(text)
        case .choice(let words):
            guard words.contains(text) else { throw refusal("one of " + words.joined(separator: ", ")) }
            return .text(text)
        case .integer(let range):
            guard let number = wholeNumber(text), range.contains(number) else {
                throw refusal("a whole number from \(range.lowerBound) to \(range.upperBound)")
            }
            return .number(number)
        case .seconds(let range):
            guard let number = seconds(text), range.contains(number) else {
                throw refusal(
                    "a time from \(range.lowerBound) to \(range.upperBound) seconds, such as 90, 90s, 5m or 2h")
            }
            return .number(number)
        }
    }

    /// Digits with at most a minus in front; nil also where the number does not fit.
    private static func wholeNumber(_ text: some StringProtocol) -> Int? {
        let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int(text)
    }

    private static func seconds(_ text: String) -> Int? {
        let units: [Character: Int] = ["s": 1, "m": 60, "h": 3600]
        let unit = text.last.flatMap { units[$0] }
        guard let count = wholeNumber(unit == nil ? text[...] : text.dropLast()) else { return nil }
        let (seconds, overflow) = count.multipliedReportingOverflow(by: unit ?? 1)
        return overflow ? nil : seconds
    }
}
