public import JSON

/// How a value stands in JSON: how it is read, written and described, in one place.
///
/// Reading is strict: a member that is not known is refused as one that is missing is, and a refusal says where in the
/// text and what to write instead.
public struct Form<Value>: Sendable {
    public let schema: Schema
    private let reader: @Sendable (JSONValue) throws(JSONError) -> Value
    private let writer: @Sendable (Value) -> JSONValue

    public init(
        _ schema: Schema, read: @escaping @Sendable (JSONValue) throws(JSONError) -> Value,
        write: @escaping @Sendable (Value) -> JSONValue
    ) {
        self.schema = schema
        reader = read
        writer = write
    }

    /// - Throws: ``JSONError`` whose path begins at this value, without `$`.
    func read(_ json: JSONValue) throws(JSONError) -> Value { try reader(json) }

    public func write(_ value: Value) -> JSONValue { writer(value) }

    /// Reads a whole text.
    /// - Throws: ``JSONError`` with the path from `$` on.
    public func parse(_ json: JSONValue) throws(JSONError) -> Value {
        do throws(JSONError) { return try reader(json) } catch { throw error.under("$") }
    }

    public func named(_ name: String) -> Form {
        Form(schema.named(name), read: reader, write: writer)
    }

    /// The same with more said of it.
    func saying(_ name: String, _ json: JSONValue) -> Form {
        guard case .object(let members) = schema.json else { return self }
        return Form(
            Schema(.object(members + [.init(name, json)]), schema.definitions), read: reader, write: writer)
    }

    /// The form of another value that this one stands for.
    func map<Other>(
        read: @escaping @Sendable (Value) throws(JSONError) -> Other, write: @escaping @Sendable (Other) -> Value
    ) -> Form<Other> {
        let (reader, writer) = (reader, writer)
        return Form<Other>(
            schema, read: { (json: JSONValue) throws(JSONError) -> Other in try read(try reader(json)) },
            write: { writer(write($0)) })
    }

    /// The same, or `null`.
    var orNull: Form<Value?> {
        let (reader, writer) = (reader, writer)
        return Form<Value?>(
            schema.orNull,
            read: { (json: JSONValue) throws(JSONError) -> Value? in json == .null ? nil : try reader(json) },
            write: { $0.map(writer) ?? .null })
    }

    /// A list of them.
    func list(_ counts: ClosedRange<Int>) -> Form<[Value]> {
        let (reader, writer) = (reader, writer)
        return Form<[Value]>(
            Schema(
                [
                    "type": "array", "items": schema.json, "minItems": JSONValue(counts.lowerBound),
                    "maxItems": JSONValue(counts.upperBound),
                ], schema.definitions),
            read: { (json: JSONValue) throws(JSONError) -> [Value] in
                guard case .array(let items) = json else { throw json.wanted("an array") }
                guard counts.contains(items.count) else {
                    throw JSONError(
                        "", "has \(items.count) items; it takes \(counts.lowerBound) to \(counts.upperBound)")
                }
                var values: [Value] = []
                values.reserveCapacity(items.count)
                for (index, item) in items.enumerated() {
                    do throws(JSONError) { values.append(try reader(item)) } catch { throw error.under("[\(index)]") }
                }
                return values
            }, write: { .array($0.map(writer)) })
    }
}

/// A member of an object.
struct Field<Value>: Sendable {
    let name: String
    let form: Form<Value>
    let about: String
    /// What stands for it where it is missing; none: it has to be there.
    let fallback: (@Sendable () -> Value)?
    /// Whether it is left out of what is written rather than written as `null`.
    var omitsNull = false

    init(_ name: String, _ form: Form<Value>, _ about: String = "") {
        self.name = name
        self.form = form
        self.about = about
        fallback = nil
    }

    private init(_ name: String, _ form: Form<Value>, _ about: String, fallback: @escaping @Sendable () -> Value) {
        self.name = name
        self.form = form
        self.about = about
        self.fallback = fallback
    }

    /// A member that may be missing, which means `value`.
    static func optional(
        _ name: String, _ form: Form<Value>, _ about: String = "", else value: Value
    ) -> Field where Value: Sendable {
        Field(name, form, about, fallback: { value })
    }

    /// A member that may be missing or `null`, which means the same.
    static func optional<Wrapped: Sendable>(
        _ name: String, _ form: Form<Wrapped>, _ about: String = "", omitsNull: Bool = false
    ) -> Field where Value == Wrapped? {
        var field = Field(name, form.orNull, about, fallback: { nil })
        field.omitsNull = omitsNull
        return field
    }

    func read(_ members: [JSONValue.Member]) throws(JSONError) -> Value {
        guard let member = members.first(where: { $0.name.utf8.elementsEqual(name.utf8) }) else {
            if let fallback { return fallback() }
            throw JSONError(JSONError.part(name), "is missing")
        }
        do throws(JSONError) { return try form.read(member.value) } catch { throw error.under(JSONError.part(name)) }
    }

    func write(_ value: Value, to members: inout [JSONValue.Member]) {
        let json = form.write(value)
        if json != .null || !omitsNull { members.append(.init(name, json)) }
    }

    /// Its schema, with what stands for it where it is missing.
    var property: JSONValue.Member {
        let schema = form.schema.described(about).json
        guard let fallback, case .object(let members) = schema else { return .init(name, schema) }
        return .init(name, .object(members + [.init("default", form.write(fallback()))]))
    }
}

extension Form {
    /// An object of exactly these members.
    static func object<each Part>(
        _ about: String = "", _ fields: repeat Field<each Part>,
        make: @escaping @Sendable (repeat each Part) throws(JSONError) -> Value,
        parts: @escaping @Sendable (Value) -> (repeat each Part)
    ) -> Form {
        var names: [String] = []
        var required: [JSONValue] = []
        var properties: [JSONValue.Member] = []
        var needed: [Schema] = []
        for field in repeat each fields {
            names.append(field.name)
            if field.fallback == nil { required.append(.string(field.name)) }
            properties.append(field.property)
            needed.append(field.form.schema)
        }
        var json: [JSONValue.Member] = [
            .init("type", "object"), .init("properties", .object(properties)), .init("required", .array(required)),
            .init("additionalProperties", false),
        ]
        if !about.isEmpty { json.append(.init("description", .string(about))) }
        let known = names
        return Form(
            Schema(.object(json), needing: needed),
            read: { (json: JSONValue) throws(JSONError) -> Value in
                guard case .object(let members) = json else {
                    throw json.wanted("an object with \(known.joined(separator: ", "))")
                }
                for member in members where !known.contains(where: { $0.utf8.elementsEqual(member.name.utf8) }) {
                    throw JSONError(
                        JSONError.part(member.name), "is not known; here can stand \(known.joined(separator: ", "))")
                }
                return try make(repeat try (each fields).read(members))
            },
            write: { value in
                let values = parts(value)
                var members: [JSONValue.Member] = []
                for (field, part) in repeat (each fields, each values) { field.write(part, to: &members) }
                return .object(members)
            })
    }
}

extension JSONError {
    /// The same, with what stands before its path.
    func under(_ prefix: String) -> JSONError { JSONError(prefix + path, reason) }
}

extension JSONValue {
    func wanted(_ what: String) -> JSONError { JSONError("", "is \(kind); \(what) was expected") }
}
