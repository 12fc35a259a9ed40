import JSON
import Ledger
import Testing
import Wire

@testable import Gateway

/// What the served document promises, where generated requests once found it broken. `make contract` looks for more.
@Suite struct ContractTests {
    private static let key = "01" + String(repeating: "ab", count: 32)
    private static let json = [("Content-Type", "application/json")]

    /// A transaction to be prepared, as text, so that it can be wrong in ways that no value is.
    private static func text(nonce: String = "\"1\"", organisation: String = "1", rest: String = "") -> [UInt8] {
        Array(
            """
            {"nonce": \(nonce), "signers": [{"party": {"organisation": \(organisation)}, "key": "\(key)"}], \
            "operations": [{"kind": "release", "hold": "\(String(repeating: "00", count: 32))"}]\(rest)}
            """.utf8)
    }

    private static func prepare(_ mall: Mall, _ body: [UInt8]) throws -> Reply {
        try mall.send("POST", "/v1/transactions/prepare", headers: json, body: body)
    }

    /// To JSON Schema `1.0` is the integer 1; what a schema allows is not refused for its spelling.
    @Test func smallNumbersAreTakenInEverySpellingThatTheSchemaAllows() async throws {
        try await Mall.with { mall in
            for whole in ["1", "1.0", "10e-1", "0.1e1"] {
                let reply = try Self.prepare(mall, Self.text(organisation: whole))
                #expect(reply.status == 200, "\(whole)")
            }
            let fraction = try Self.prepare(mall, Self.text(organisation: "1.5"))
            #expect(fraction.status == 400)
            let large = try Self.prepare(mall, Self.text(organisation: "4294967296.0"))
            #expect(large.code == "field-invalid")
        }
    }

    @Test func whereDigitsInAStringAreDueNothingElseIsTaken() async throws {
        try await Mall.with { mall in
            for other in ["1", "1.0", "1e3", "\"1.0\"", "\"1e3\"", "\"01\"", "\"\"", "\"18446744073709551616\""] {
                let reply = try Self.prepare(mall, Self.text(nonce: other))
                #expect(reply.status == 400 && reply.code == "field-invalid", "\(other)")
                #expect(reply.json["field"] == "$.nonce")
            }
        }
    }

    @Test func doubtfulJSONIsAnotherProblemThanAWrongMember() async throws {
        try await Mall.with { mall in
            let doubtful: [[UInt8]] = [
                Self.text(rest: ", \"nonce\": \"1\""), Array(String(repeating: "[", count: 33).utf8),
                [0x22, 0xFF, 0x22], Self.text(nonce: "NaN"), Self.text(nonce: "1.5"), [],
            ]
            for body in doubtful {
                let reply = try Self.prepare(mall, body)
                #expect(reply.status == 400 && reply.code == "body-malformed")
            }
            let wrong = try Self.prepare(mall, Self.text(rest: ", \"other\": 1"))
            #expect(wrong.code == "field-invalid" && wrong.json["field"] == "$.other")
        }
    }

    @Test func aBodyTooLargeForItsPathIsToldSo() async throws {
        try await Mall.with { mall in
            let reply = try mall.send(
                "POST", "/v1/challenges", headers: Self.json, body: [UInt8](repeating: 0x20, count: 5000))
            #expect(reply.status == 413 && reply.code == "body-too-large")
        }
    }

    @Test func cursorsHaveAProblemOfTheirOwn() async throws {
        try await Mall.with { mall in
            try mall.publish()
            let alice = try mall.open()
            let token = try mall.token(alice)
            for path in [
                "/v1/blocks", "/v1/units", "/v1/accounts/\(alice.account)/balances",
                "/v1/accounts/\(alice.account)/balances/MALL/lots", "/v1/accounts/\(alice.account)/transactions",
            ] {
                let reply = try mall.get(path + "?cursor=1.0", token: token)
                #expect(reply.status == 400 && reply.code == "cursor-invalid", "\(path)")
                #expect(try mall.get(path + "?limit=1.0", token: token).code == "parameter-invalid")
            }
        }
    }

    /// RFC 7240: a preference that is not known or goes too far is no reason to refuse.
    @Test func preferencesAreNeverRefused() async throws {
        try await Mall.with { mall in
            try mall.publish()
            let alice = try mall.open()
            for (index, text) in ["true", "wait=", "wait=999999999999", "respond-async, wait=20", "wait=\"9\""]
                .enumerated()
            {
                try mall.accrue(alice, 1, order: "before \(index)")
                let reply = try mall.submit(
                    mall.signed([.freeze(account: alice.account)], alice.author), headers: [("Prefer", text)])
                // Whoever asks for it is answered with the node's word, where that comes before the certificate.
                let statuses = text.contains("respond-async") ? [200, 202] : [200]
                #expect(statuses.contains(reply.status), "\(text)")
                try mall.done([.unfreeze(account: alice.account)], alice.author)
            }
        }
    }

    /// A stream is described event by event, with what its data is.
    @Test func streamsSayWhatTheirEventsAre() throws {
        let document = OpenAPI.document(Gateway.routes)
        for (path, event, schema) in [
            ("/v1/events", "block", "BlockSummary"), ("/v1/accounts/{account}/events", "transaction", "Transaction"),
            ("/v1/organisations/{organisation}/events", "transaction", "Transaction"),
        ] {
            let stream = document["paths"]?[path]?["get"]?["responses"]?["200"]?["content"]?["text/event-stream"]
            let properties = stream?["schema"]?["properties"]
            #expect(properties?["event"]?["const"] == .string(event))
            #expect(properties?["data"]?["contentSchema"]?["$ref"] == .string("#/components/schemas/\(schema)"))
        }
    }

    @Test func everyReferenceInTheDocumentLeadsSomewhere() throws {
        let document = OpenAPI.document(Gateway.routes)
        var places: [String] = []
        func collect(_ value: JSONValue) {
            switch value {
            case .array(let items): items.forEach(collect)
            case .object(let members):
                for member in members {
                    if member.name == "$ref", case .string(let place) = member.value { places.append(place) }
                    collect(member.value)
                }
            default: break
            }
        }
        collect(document)
        #expect(places.count > 100)
        for place in Set(places) {
            let parts = place.split(separator: "/").map(String.init)
            #expect(parts.first == "#")
            #expect(parts.dropFirst().reduce(JSONValue?.some(document)) { $0?[$1] } != nil, "\(place)")
        }
    }
}
