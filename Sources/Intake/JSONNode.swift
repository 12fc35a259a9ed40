import JSON

/// A value of a mapping together with where it stands, so that every refusal can say so.
struct JSONNode {
    let path: String
    let value: JSONValue

    func refused(_ reason: String) -> MappingError { MappingError(path, reason) }

    private func wanted(_ what: String) -> MappingError { refused("is \(value.kind); \(what) was expected") }

    func members(_ known: [String]) throws(MappingError) -> JSONMembers {
        guard case .object(let members) = value else {
            throw wanted("an object with \(known.joined(separator: ", "))")
        }
        for member in members where !known.contains(where: { $0.utf8.elementsEqual(member.name.utf8) }) {
            throw MappingError(
                path + MappingError.part(member.name), "is not known; here can stand \(known.joined(separator: ", "))")
        }
        return JSONMembers(path: path, members: members)
    }

    /// The members of an object whose names are data.
    func entries(max: Int) throws(MappingError) -> [(name: String, node: JSONNode)] {
        guard case .object(let members) = value else { throw wanted("an object") }
        guard !members.isEmpty else { throw refused("is empty") }
        guard members.count <= max else { throw refused("has \(members.count) members; at most \(max) are read") }
        return members.map { ($0.name, JSONNode(path: path + MappingError.part($0.name), value: $0.value)) }
    }

    func elements(max: Int) throws(MappingError) -> [JSONNode] {
        guard case .array(let values) = value else { throw wanted("an array") }
        guard values.count <= max else { throw refused("has \(values.count) elements; at most \(max) are read") }
        return values.enumerated().map { JSONNode(path: "\(path)[\($0.offset)]", value: $0.element) }
    }

    func string() throws(MappingError) -> String {
        guard case .string(let text) = value else { throw wanted("a string") }
        return text
    }

    /// A string that is not empty and at most `bytesMax` long.
    func name(bytesMax: Int) throws(MappingError) -> String {
        let text = try string()
        guard !text.isEmpty else { throw refused("is empty") }
        guard text.utf8.count <= bytesMax else { throw refused("is longer than \(bytesMax) bytes") }
        return text
    }

    func bool() throws(MappingError) -> Bool {
        guard case .bool(let flag) = value else { throw wanted("true or false") }
        return flag
    }

    func integer(_ range: ClosedRange<Int64>) throws(MappingError) -> Int64 {
        guard case .integer(let number) = value else { throw wanted("a whole number") }
        return try inRange(Int64(clamping: number), range)
    }

    /// A whole number, or one as a string of digits.
    func amount(_ range: ClosedRange<Int64>) throws(MappingError) -> Int64 {
        switch value {
        case .integer(let number): return try inRange(Int64(clamping: number), range)
        case .string(let text):
            guard !text.isEmpty, text.utf8.allSatisfy(isASCIIDigit) else {
                throw refused("“\(text)” is not a whole number; write digits only")
            }
            return try inRange(Int64(text) ?? .max, range)
        default: throw wanted("a whole number or a string of digits")
        }
    }

    private func inRange(_ number: Int64, _ range: ClosedRange<Int64>) throws(MappingError) -> Int64 {
        guard range.contains(number) else {
            throw refused("has to be from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// One of a fixed set of words.
    func word<Word: RawRepresentable<String> & CaseIterable>(_: Word.Type) throws(MappingError) -> Word {
        let text = try string()
        if let word = Word(rawValue: text) { return word }
        let known = Word.allCases.map { "“\($0.rawValue)”" }.joined(separator: ", ")
        throw refused("“\(text)” is not known; write one of \(known)")
    }
}

/// The members of an object, all of them known by name.
struct JSONMembers {
    let path: String
    let members: [JSONValue.Member]

    func optional(_ name: String) -> JSONNode? {
        members.first { $0.name == name }.map { JSONNode(path: path + MappingError.part(name), value: $0.value) }
    }

    func required(_ name: String) throws(MappingError) -> JSONNode {
        guard let node = optional(name) else { throw MappingError(path + MappingError.part(name), "is missing") }
        return node
    }
}
