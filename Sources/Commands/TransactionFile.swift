import Canonical
import Crypto
import JSON
import Ledger
import Terminal
import Wire

/// A transaction on its way from one program to the next: a body with the signatures that are there so far.
///
/// Read from JSON (a body, a body with signatures, what `POST /v1/transactions/prepare` answers, or what the commands
/// here write) and from the canonical bytes of a body or of an envelope, plain or in hexadecimal.
struct TransactionFile {
    let body: TransactionBody
    /// One a signer, in their order; nil where it is missing.
    var signatures: [Signature?]

    static let bytesMax = 16 << 20

    var bytes: [UInt8] { body.canonicalBytes }
    var id: TransactionID { SHA256.hash(.transactionBody, bytes) }

    /// The transaction, where all have signed.
    var whole: Transaction? {
        let there = signatures.compactMap { $0 }
        return there.count == body.signers.count ? Transaction(body: body, signatures: there) : nil
    }

    init(_ body: TransactionBody) {
        self.body = body
        signatures = body.signers.map { _ in nil }
    }

    private init(_ transaction: Transaction) {
        body = transaction.body
        signatures = transaction.signatures
    }

    // MARK: Writing

    /// `id`, then `transaction` and `envelope` where it is whole, else `body`, `bytes` and what is there.
    var json: JSONValue {
        var members: [JSONValue.Member] = [.init("id", .string(id.description))]
        if let whole {
            members += [
                .init("transaction", Form.signed.write(TransactionText(whole))),
                .init("envelope", .string(hex(whole.bytes))),
            ]
        } else {
            members += [
                .init("body", Form.unsigned.write(TransactionText(body))), .init("bytes", .string(hex(bytes))),
            ]
            if signatures.contains(where: { $0 != nil }) {
                members.append(.init("signatures", .array(signatures.map { $0.map(Form.signature.write) ?? .null })))
            }
        }
        return .object(members)
    }

    // MARK: Reading

    /// Reads any of the forms.
    init(reading bytes: [UInt8]) throws {
        let first = bytes.first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
        guard let first else {
            throw CommandError(
                code: "input-empty", reason: "there is no transaction in the input; it is read from standard input")
        }
        if first == UInt8(ascii: "{") {
            try self.init(json: try Self.json(bytes))
        } else {
            let text = String(decoding: bytes.filter { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }, as: UTF8.self)
            try self.init(canonical: unhex(text) ?? bytes, field: nil)
        }
    }

    static func json(_ bytes: [UInt8]) throws -> JSONValue {
        do { return try JSONValue(parsing: bytes, bytesMax: bytesMax) } catch { throw refusal(error) }
    }

    /// A body whose nonce and time may be left open.
    static func unsigned(
        _ json: JSONValue, nonce: () -> UInt64, validUntil: () -> UInt64
    ) throws -> TransactionFile {
        do {
            let text = try Form<TransactionText>.unsigned.parse(json)
            return TransactionFile(try text.body(nonce: nonce(), validUntil: validUntil()))
        } catch { throw refusal(error) }
    }

    private init(canonical bytes: [UInt8], field: String?) throws {
        if let transaction = try? Transaction(envelope: bytes) {
            self.init(transaction)
            return
        }
        do { self.init(try TransactionBody(canonicalBytes: bytes)) } catch {
            throw CommandError(
                code: "transaction-invalid", field: field,
                reason: "these bytes are neither a transaction nor a transaction's body: \(error)")
        }
    }

    private init(json: JSONValue) throws {
        guard case .object(let members) = json else { preconditionFailure("the text begins an object") }
        func member(_ name: String) -> JSONValue? { members.first { $0.name == name }?.value }
        if let prepared = member("prepared"), case .object = prepared {
            // As a node answers; beside it stands at which height.
            self = try Self(json: prepared)
            return
        }
        if let inner = member("transaction") {
            self = try Self.signed(inner, under: "$.transaction")
        } else if let inner = member("body") {
            self = try Self.whole(inner, under: "$.body")
            if let list = member("signatures") { try take(list) }
        } else if member("signatures") != nil {
            self = try Self.signed(json, under: "$")
        } else {
            self = try Self.whole(
                .object(members.filter { !["id", "bytes", "signingBytes"].contains($0.name) }), under: "$")
        }
        // What stands beside it must be of the same transaction: somebody may have changed one and not the other.
        for (name, wanted) in [
            ("id", id.description), ("bytes", hex(bytes)), ("envelope", whole.map { hex($0.bytes) }),
        ] {
            guard let there = member(name), let wanted else { continue }
            guard there == .string(wanted) else {
                throw CommandError(
                    code: "transaction-differs", field: "$.\(name)",
                    reason: "this is not the \(name) of the transaction beside it; one of the two was changed")
            }
        }
    }

    /// A body with nothing left open: what is signed has to be said.
    private static func whole(_ json: JSONValue, under path: String) throws -> TransactionFile {
        do {
            let text = try Form<TransactionText>.unsigned.parse(json)
            for (name, isThere) in [("nonce", text.nonce != nil), ("validUntil", text.validUntil != nil)]
            where !isThere {
                throw JSONError("$.\(name)", "is missing; `lianfen tx build` fills it in")
            }
            return TransactionFile(try text.body(nonce: 0, validUntil: 0))
        } catch { throw refusal(error, under: path) }
    }

    private static func signed(_ json: JSONValue, under path: String) throws -> TransactionFile {
        do {
            let text = try Form<TransactionText>.signed.parse(json)
            guard text.signatures.count == text.signers.count else {
                throw JSONError("$.signatures", "has to have one signature a signer, in their order")
            }
            return TransactionFile(try text.transaction())
        } catch { throw refusal(error, under: path) }
    }

    /// Signatures of which some may be missing.
    private mutating func take(_ list: JSONValue) throws {
        guard case .array(let items) = list, items.count == body.signers.count else {
            throw Self.refusal(
                JSONError("$.signatures", "has to have one item a signer, in their order; null where it is missing"))
        }
        for (index, item) in items.enumerated() where item != .null {
            do { signatures[index] = try Form<Signature>.signature.parse(item) } catch {
                throw Self.refusal(error, under: "$.signatures[\(index)]")
            }
        }
    }

    private static func refusal(_ error: any Error, under path: String = "$") -> any Error {
        switch error {
        case let error as JSONError:
            CommandError(code: "json-invalid", field: path + error.path.dropFirst(), reason: error.reason)
        case let error as TransactionText.Impossible:
            CommandError(code: "transaction-invalid", field: path + error.path.dropFirst(), reason: error.reason)
        default: error
        }
    }
}
