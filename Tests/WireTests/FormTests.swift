import Canonical
import Crypto
import JSON
import Ledger
import Testing

import struct Foundation.Data
import struct Foundation.URL

@testable import Wire

/// What is written is read again as it was, and what is read is a transaction that the ledger's decoder takes.
@Suite struct FormTests {
    private static let vectors = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../Fixtures/vectors")

    /// The operations of the golden vectors, every kind among them.
    private static let operations: [Operation] = {
        guard
            case .object(let members)? = try? JSONValue(
                parsing: Array(Data(contentsOf: vectors.appendingPathComponent("operations.json")))),
            case .array(let rows)? = members.first(where: { $0.name == "operations" })?.value
        else { return [] }
        return rows.compactMap { row in
            guard case .object(let members) = row,
                case .string(let text)? = members.first(where: { $0.name == "bytes" })?.value,
                let bytes = unhex(text)
            else { return nil }
            return try? Operation(canonicalBytes: bytes)
        }
    }()

    @Test func everyKindHasItsRow() {
        #expect(OperationForm.all.map(\.kind) == Operation.kinds)
        #expect(Set(OperationForm.all.map(\.path)).count == Operation.kinds.count)
        #expect(Set(Self.operations.map(\.kind)) == Set(Operation.kinds))
    }

    @Test func operationsComeBackAsTheyWere() throws {
        for operation in Self.operations {
            let json = Form<Operation>.operation.write(operation)
            // Through the text, as it travels.
            let again = try Form<Operation>.operation.parse(try JSONValue(parsing: json.bytes))
            #expect(again == operation, "\(json.text)")
        }
    }

    @Test func transactionsComeBackAsTheyWere() throws {
        let key = SecretKey(seed: [UInt8](repeating: 7, count: 32))
        for operation in Self.operations {
            let body = TransactionBody(
                nonce: .max, validUntil: 1_700_000_000_000,
                signers: [Signer(.organisation(OrganisationID(1)), key.publicKey)],
                operations: [operation])
            let transaction = Transaction(signing: body, genesis: .zero, keys: [key])
            let json = Form<TransactionText>.signed.write(TransactionText(transaction))
            let again = try Form<TransactionText>.signed.parse(JSONValue(parsing: json.bytes)).transaction()
            #expect(again.bytes == transaction.bytes)
        }
    }

    @Test(arguments: [
        (#"{"kind":"transfer"}"#, "$.from", "is missing"),
        (#"{"from":1}"#, "$.kind", "is missing"),
        (#"{"kind":"steal"}"#, "$.kind", "is no kind of operation"),
        (#"{"kind":"freeze","account":"lf1"}"#, "$.account", "is not an account id"),
        (#"{"kind":"freeze","account":5}"#, "$.account", "is a number"),
        (#"{"kind":"freeze","account":"lf1qqqsyqcyq5rqwzqfpg9scrgwputzxf6z","x":1}"#, "$.x", "is not known"),
        (#"{"kind":"commit","hold":"00","amount":"1"}"#, "$.hold", "is not a digest"),
        (#"{"kind":"vest","unit":"A","lines":[]}"#, "$.lines", "has 0 items"),
        (
            #"{"kind":"vest","unit":"A","lines":[{"key":{"source":"s","order":""},"total":"1"}]}"#,
            "$.lines[0].key.order", "is not 1 to 48"
        ),
        (#"{"kind":"vest","unit":"a","lines":[]}"#, "$.unit", "is not a unit's code"),
    ]) func refusalsSayWhere(text: String, path: String, reason: String) throws {
        let json = try JSONValue(parsing: Array(text.utf8))
        let error = #expect(throws: JSONError.self) { try Form<Operation>.operation.parse(json) }
        #expect(error?.path == path)
        #expect(error?.reason.contains(reason) == true, "\(error?.reason ?? "")")
    }

    @Test(arguments: ["1.0", "1e3", "01", "-1", "+1", "", " 1", "18446744073709551616", "１", "0x1", "1_000"])
    func amountsAreDigitsAlone(text: String) {
        #expect(throws: JSONError.self) { try Form<UInt64>.number64.parse(.string(text)) }
        #expect(throws: JSONError.self) { try Form<UInt64>.number64.parse(1) }
    }

    @Test(arguments: [0, 1, 10, UInt64(Int64.max), .max - 1, .max]) func everyAmountIsWritten(number: UInt64) throws {
        #expect(try Form<UInt64>.number64.parse(.string(String(number))) == number)
    }

    @Test func whatNoSchemaCanSayIsRefusedByName() throws {
        let key = SecretKey(seed: [UInt8](repeating: 7, count: 32)).publicKey
        let twice = TransactionBody(
            nonce: 1, validUntil: 1,
            signers: [Signer(.organisation(OrganisationID(1)), key), Signer(.organisation(OrganisationID(1)), key)],
            operations: [.release(hold: .zero)])
        #expect(throws: TransactionText.Impossible.self) { try TransactionText(twice).body(nonce: 0, validUntil: 0) }
        let line = OpenLine(account: AccountID(bytes: [UInt8](repeating: 1, count: 16)), credential: key, guardian: key)
        let guarded = TransactionBody(
            nonce: 1, validUntil: 1, signers: [Signer(.organisation(OrganisationID(1)), key)],
            operations: [.open(OpenList(organisation: OrganisationID(1), lines: [line]))])
        #expect(throws: TransactionText.Impossible.self) { try TransactionText(guarded).body(nonce: 0, validUntil: 0) }
    }

    @Test func referencesPointAtDefinitions() {
        let schema = Form<TransactionText>.signed.schema
        var missing: [String] = []
        func visit(_ json: JSONValue) {
            switch json {
            case .object(let members):
                for member in members {
                    if member.name == "$ref", case .string(let text) = member.value,
                        schema.definitions[String(text.dropFirst(Schema.place.count))] == nil
                    {
                        missing.append(text)
                    }
                    visit(member.value)
                }
            case .array(let items): items.forEach(visit)
            default: break
            }
        }
        schema.definitions.values.forEach(visit)
        visit(schema.json)
        #expect(missing == [])
        #expect(schema.definitions.count > 30)
    }
}
