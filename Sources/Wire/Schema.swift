public import JSON

/// What a JSON Schema (2020-12) says of a value, with the named schemas that it refers to.
public struct Schema: Sendable {
    /// What stands where the value is described: for a named schema, a reference.
    public let json: JSONValue
    /// The named schemas needed, each whole.
    public let definitions: [String: JSONValue]

    public init(_ json: JSONValue, _ definitions: [String: JSONValue] = [:]) {
        self.json = json
        self.definitions = definitions
    }

    init(_ json: JSONValue, needing others: [Schema]) {
        self.init(
            json, others.reduce(into: [:]) { all, other in all.merge(other.definitions) { first, _ in first } })
    }

    static let place = "#/components/schemas/"

    /// The same under a name: described once, referred to wherever it is used.
    public func named(_ name: String) -> Schema {
        var definitions = definitions
        definitions[name] = json
        return Schema(["$ref": .string(Self.place + name)], definitions)
    }

    /// The same with a sentence about its use here.
    func described(_ about: String) -> Schema {
        guard case .object(let members) = json, !about.isEmpty else { return self }
        // Beside a reference other keywords may stand since 2019-09.
        return Schema(
            .object(members.filter { $0.name != "description" } + [.init("description", .string(about))]), definitions)
    }

    /// The schema as a document of its own, for editors and checks of files.
    public func document(_ title: String) -> JSONValue {
        var members: [JSONValue.Member] = [
            .init("$schema", "https://json-schema.org/draft/2020-12/schema"), .init("title", .string(title)),
        ]
        if case .object(let own) = json.referringToDefinitions { members += own }
        if !definitions.isEmpty {
            let sorted = definitions.sorted { $0.key < $1.key }
            members.append(.init("$defs", .object(sorted.map { .init($0.key, $0.value.referringToDefinitions) })))
        }
        return .object(members)
    }

    var orNull: Schema { Schema(["anyOf": [json, ["type": "null"]]], definitions) }
}

extension JSONValue {
    /// The same schema where the named ones stand in the document itself rather than in an interface's.
    fileprivate var referringToDefinitions: JSONValue {
        switch self {
        case .object(let members):
            .object(
                members.map { member in
                    if member.name == "$ref", case .string(let place) = member.value, place.hasPrefix(Schema.place) {
                        return .init("$ref", .string("#/$defs/" + place.dropFirst(Schema.place.count)))
                    }
                    return .init(member.name, member.value.referringToDefinitions)
                })
        case .array(let values): .array(values.map(\.referringToDefinitions))
        default: self
        }
    }

    /// What a reference refers to.
    var reference: JSONValue {
        guard case .object(let members) = self, let found = members.first(where: { $0.name == "$ref" }) else {
            preconditionFailure("a named schema is referred to")
        }
        return found.value
    }
}
