/// Where two values come apart.
extension JSONValue {
    public struct Difference: Equatable, Sendable {
        /// The innermost place that differs, such as `$.organisations[2].votingKey`.
        public let path: String
        /// What stands there in the one; nil where nothing does.
        public let here: JSONValue?
        /// What stands there in the other.
        public let there: JSONValue?
    }

    /// The first place, in this value's order, at which another one differs; nil where they are equal.
    public func difference(from other: JSONValue) -> Difference? { difference(from: other, at: "$") }

    private func difference(from other: JSONValue, at path: String) -> Difference? {
        switch (self, other) {
        case (.object(let mine), .object(let others)):
            for member in mine {
                let inner = path + JSONError.part(member.name)
                guard let there = other[member.name] else {
                    return Difference(path: inner, here: member.value, there: .none)
                }
                if let found = member.value.difference(from: there, at: inner) { return found }
            }
            return others.first { self[$0.name] == nil }.map {
                Difference(path: path + JSONError.part($0.name), here: .none, there: $0.value)
            }
        case (.array(let mine), .array(let others)):
            for (index, (value, there)) in zip(mine, others).enumerated() {
                if let found = value.difference(from: there, at: "\(path)[\(index)]") { return found }
            }
            guard mine.count != others.count else { return nil }
            let count = min(mine.count, others.count)
            return Difference(
                path: "\(path)[\(count)]", here: mine.dropFirst(count).first, there: others.dropFirst(count).first)
        case (.string(let mine), .string(let others)):
            // Byte by byte: two texts may be equal to a reader and not the same.
            return mine.utf8.elementsEqual(others.utf8) ? nil : Difference(path: path, here: self, there: other)
        default: return self == other ? nil : Difference(path: path, here: self, there: other)
        }
    }
}
