import Chain
import Crypto
import JSON
import Ledger
import Testing

import struct Foundation.Data
import class Foundation.FileManager
import class Foundation.ProcessInfo
import struct Foundation.URL

@testable import Wire

/// The files that people write and send: their schemas in docs/schema say what the program takes, and whatever is wrong
/// in one is refused at its place. `LIANFEN_WRITE_DOCS=1 swift test --filter FileSchemaTests` writes the schemas.
@Suite struct FileSchemaTests {
    /// A kind of file, with a right one that has every member there can be.
    struct Kind: Sendable, CustomTestStringConvertible {
        let name: String
        let title: String
        let schema: Schema
        let right: JSONValue
        /// Reads it; the refusal where it is none.
        let refusal: @Sendable (JSONValue) -> JSONError?

        init<Value>(_ name: String, _ title: String, _ form: Form<Value>, _ right: Value) {
            self.name = name
            self.title = title
            schema = form.schema
            self.right = form.write(right)
            refusal = { json in
                do throws(JSONError) { _ = try form.parse(json) } catch { return error }
                return nil
            }
        }

        var document: JSONValue { schema.document(title) }
        var testDescription: String { name }
    }

    private static let keys = (0..<6).map { SecretKey(seed: [UInt8](repeating: UInt8($0), count: 32)) }

    private static func founder(_ number: UInt32) -> GenesisOrganisation {
        let first = Int(number - 1) * 3
        return GenesisOrganisation(
            id: OrganisationID(number), name: "商城 \(number)", votingKey: keys[first].publicKey,
            issuingKey: keys[first + 1].publicKey, governingKey: keys[first + 2].publicKey, quota: 1000)
    }

    private static let genesis = Genesis(
        chain: "mall", time: 1, orderingEpoch: [UInt8](repeating: 9, count: 16),
        organisations: [founder(1), founder(2)])

    static let kinds: [Kind] = [
        Kind(
            "node", "node.json: the node of one organisation", .nodeFile,
            NodeFile(
                organisation: OrganisationID(1),
                ordering: .init(
                    endpoints: ["https://a.example:2379", "http://127.0.0.1:1"], ca: "a", certificate: "b", key: "c",
                    user: "d", passwordFile: "e", quotaBytes: 1 << 30),
                peers: [
                    .init(organisation: OrganisationID(2), url: "https://b.example:8443", ca: "f"),
                    .init(organisation: OrganisationID(3), url: "https://[::1]:8443", ca: "f"),
                ], observers: [keys[0].publicKey], checkpoint: Checkpoint(height: 1, header: .zero),
                backup: .init(
                    store: "s3://mall/node-1",
                    s3: .init(endpoint: "https://s.example", accessKey: "g", secretFile: "h", ca: "i"),
                    recipients: [keys[0].publicKey]))),
        Kind(
            "request", "request.json: what an organisation asks to be founded with", .foundingRequest,
            FoundingRequest(
                signing: FoundingTerms(chain: "mall"), organisation: founder(1), node: "https://a.example",
                keys: Array(keys[0..<3]))),
        Kind(
            "approval", "approval.json: an organisation's word that a chain may begin", .foundingApproval,
            FoundingApproval(
                signing: genesis,
                nodes: (1...2).map { .init(organisation: OrganisationID($0), url: "https://\($0).example") },
                by: OrganisationID(1), key: keys[2])),
        Kind(
            "application", "application.json: who would become a member", .application,
            Application(signing: founder(1), genesis: genesis.hash, keys: Array(keys[0..<3]))),
    ]

    @Test(arguments: kinds) func theDocumentSaysWhatTheCodeSays(_ kind: Kind) throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../docs/schema/\(kind.name).json")
        let wanted = kind.document.indentedText
        if ProcessInfo.processInfo.environment["LIANFEN_WRITE_DOCS"] != nil {
            try Data(wanted.utf8).write(to: file)
        }
        let there = FileManager.default.contents(atPath: file.path).map { String(decoding: $0, as: UTF8.self) }
        #expect(there == wanted, "write it anew with LIANFEN_WRITE_DOCS=1")
    }

    @Test(arguments: kinds) func aRightFileIsTaken(_ kind: Kind) throws {
        #expect(kind.refusal(kind.right) == nil)
        #expect(try SchemaCheck(kind.document).fault(kind.right) == nil)
    }

    /// Every member, one after the other, with everything that its schema rules out: the program refuses it at this
    /// place, and so does the schema.
    @Test(arguments: kinds) func everyWrongMemberIsRefusedAtItsPlace(_ kind: Kind) throws {
        let check = try SchemaCheck(kind.document)
        let wrong = try check.wrong(kind.right)
        #expect(wrong.count > 20)
        for change in wrong {
            let refusal = kind.refusal(change.file)
            #expect(refusal?.path == change.place, "\(change.what) at \(change.place): \(String(describing: refusal))")
            #expect(refusal?.reason.isEmpty == false)
            #expect(try check.fault(change.file) != nil, "the schema takes \(change.what) at \(change.place)")
        }
    }
}

/// As much of JSON Schema as the program's schemas use.
final class SchemaCheck {
    struct Unknown: Error { let what: String }

    /// A file with one thing wrong in it.
    struct Wrong {
        let place: String
        let what: String
        let file: JSONValue
    }

    private let document: JSONValue
    /// Of the patterns met so far: to compile one takes longer than to use it.
    private var patterns: [String: Regex<AnyRegexOutput>] = [:]

    init(_ document: JSONValue) throws {
        self.document = document
        try #require(document["$schema"] == "https://json-schema.org/draft/2020-12/schema")
    }

    /// Where a value is not as the schema has it; nil where it is.
    func fault(_ value: JSONValue) throws -> String? { try fault(value, document, "$") }

    private func target(_ reference: JSONValue) throws -> JSONValue {
        guard case .string(let place) = reference, place.hasPrefix("#/$defs/"),
            let found = document["$defs"]?[String(place.dropFirst("#/$defs/".count))]
        else { throw Unknown(what: "\(reference.text) leads nowhere") }
        return found
    }

    private func fault(_ value: JSONValue, _ schema: JSONValue, _ place: String) throws -> String? {
        guard case .object(let rules) = schema else { throw Unknown(what: "\(place): no schema") }
        for rule in rules {
            if let found = try fault(value, rule.name, rule.value, schema, place) { return found }
        }
        return nil
    }

    private func fault(
        _ value: JSONValue, _ rule: String, _ wanted: JSONValue, _ schema: JSONValue, _ place: String
    ) throws -> String? {
        func bound(_ holds: (Int128) -> Bool) -> String? {
            guard case .integer(let number) = wanted else { return "\(place): \(rule) is no number" }
            return holds(number) ? nil : "\(place): \(rule)"
        }
        switch (rule, value) {
        case ("$ref", _): return try fault(value, target(wanted), place)
        case ("type", _): return wanted == .string(Self.type(value)) ? nil : "\(place): type"
        case ("anyOf", _):
            guard case .array(let ways) = wanted else { throw Unknown(what: "\(place): anyOf") }
            return try ways.contains { try fault(value, $0, place) == nil } ? nil : "\(place): anyOf"
        case ("allOf", _):
            guard case .array(let all) = wanted else { throw Unknown(what: "\(place): allOf") }
            for one in all { if let found = try fault(value, one, place) { return found } }
            return nil
        case ("minimum", .integer(let number)): return bound { number >= $0 }
        case ("maximum", .integer(let number)): return bound { number <= $0 }
        case ("minLength", .string(let text)): return bound { text.unicodeScalars.count >= $0 }
        case ("maxLength", .string(let text)): return bound { text.unicodeScalars.count <= $0 }
        case ("minItems", .array(let items)): return bound { items.count >= $0 }
        case ("maxItems", .array(let items)): return bound { items.count <= $0 }
        case ("pattern", .string(let text)):
            guard case .string(let pattern) = wanted else { throw Unknown(what: "\(place): pattern") }
            let regex = try patterns[pattern] ?? Regex(pattern)
            patterns[pattern] = regex
            return try regex.firstMatch(in: text) != nil ? nil : "\(place): pattern"
        case ("items", .array(let items)):
            for (index, item) in items.enumerated() {
                if let found = try fault(item, wanted, "\(place)[\(index)]") { return found }
            }
            return nil
        case ("properties", .object(let members)):
            for member in members {
                guard let inner = wanted[member.name] else { continue }
                if let found = try fault(member.value, inner, "\(place).\(member.name)") { return found }
            }
            return nil
        case ("required", .object):
            guard case .array(let names) = wanted else { throw Unknown(what: "\(place): required") }
            for case .string(let name) in names where value[name] == nil { return "\(place).\(name): missing" }
            return nil
        case ("additionalProperties", .object(let members)):
            try #require(wanted == false)
            let surplus = members.first { schema["properties"]?[$0.name] == nil }
            return surplus.map { "\(place).\($0.name): not known" }
        case ("minimum", _), ("maximum", _), ("minLength", _), ("maxLength", _), ("minItems", _), ("maxItems", _),
            ("pattern", _), ("items", _), ("properties", _), ("required", _), ("additionalProperties", _),
            ("description", _), ("examples", _), ("format", _), ("default", _), ("title", _), ("$comment", _),
            ("$schema", _), ("$defs", _):
            return nil
        default: throw Unknown(what: "\(place): this check does not know “\(rule)”")
        }
    }

    private static func type(_ value: JSONValue) -> String {
        switch value {
        case .null: "null"
        case .bool: "boolean"
        case .integer: "integer"
        case .string: "string"
        case .array: "array"
        case .object: "object"
        }
    }

    // MARK: Wrong files

    /// The right file with each of its members changed into everything that its schema rules out.
    func wrong(_ right: JSONValue) throws -> [Wrong] {
        try wrong(right, document, "$").map { Wrong(place: $0.0, what: $0.1, file: $0.2) }
    }

    /// Place, what is wrong, and the value with it.
    private func wrong(_ value: JSONValue, _ schema: JSONValue, _ place: String) throws -> [(String, String, JSONValue)]
    {
        let schema = try plain(schema)
        guard case .string(let type)? = schema["type"] else { throw Unknown(what: "\(place): no type") }
        var all: [(String, String, JSONValue)] = []
        func add(_ what: String, _ value: JSONValue) { all.append((place, what, value)) }
        func number(_ rule: String) -> Int? {
            if case .integer(let number)? = schema[rule] { Int(number) } else { nil }
        }
        for other: JSONValue in [true, 7, "\u{7}\u{7}", [], [:]] where Self.type(other) != type {
            add("another type", other)
        }
        switch value {
        case .integer:
            if let least = number("minimum") { add("too small", JSONValue(least - 1)) }
            if let most = number("maximum") { add("too large", JSONValue(most + 1)) }
        case .string:
            if let least = number("minLength"), least > 0 { add("too short", "") }
            if let most = number("maxLength") { add("too long", .string(String(repeating: "a", count: most + 1))) }
            if schema["pattern"] != nil { add("not of the pattern", "\u{7}") }
        case .array(let items):
            let first = try #require(items.first, "\(place): the right file has nothing there")
            if let least = number("minItems"), least > 0 { add("too few", .array(Array(items.prefix(least - 1)))) }
            if let most = number("maxItems") { add("too many", .array(Array(repeating: first, count: most + 1))) }
            for (index, item) in items.enumerated() {
                for (inner, what, changed) in try wrong(item, schema["items"] ?? .null, "\(place)[\(index)]") {
                    var others = items
                    others[index] = changed
                    all.append((inner, what, .array(others)))
                }
            }
        case .object(let members):
            guard case .object(let properties)? = schema["properties"], case .array(let required)? = schema["required"]
            else { throw Unknown(what: "\(place): no members") }
            let names = Set(members.map(\.name))
            try #require(
                names == Set(properties.map(\.name)), "\(place): the right file of this test has to have every member")
            all.append((place + ".unheardOf", "an unknown member", .object(members + [.init("unheardOf", 1)])))
            for (index, member) in members.enumerated() {
                let inner = "\(place).\(member.name)"
                if required.contains(.string(member.name)) {
                    var others = members
                    others.remove(at: index)
                    all.append((inner, "missing", .object(others)))
                }
                for (innermost, what, changed) in try wrong(
                    member.value, properties.first { $0.name == member.name }!.value, inner)
                {
                    var others = members
                    others[index] = .init(member.name, changed)
                    all.append((innermost, what, .object(others)))
                }
            }
        default: break
        }
        return all
    }

    /// A schema without what only leads to it: references, and the way out of `null`.
    private func plain(_ schema: JSONValue) throws -> JSONValue {
        if let reference = schema["$ref"] { return try plain(target(reference)) }
        for name in ["anyOf", "allOf"] {
            if case .array(let ways)? = schema[name] {
                guard let first = ways.first else { throw Unknown(what: "an empty \(name)") }
                return try plain(first)
            }
        }
        return schema
    }
}
