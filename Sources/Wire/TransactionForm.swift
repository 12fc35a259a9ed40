import Canonical
public import Crypto
import JSON
public import Ledger

extension Form where Value == Signer {
    public static let signer = object(
        "A party and the key by which it signs.", Field("party", .party), Field("key", .publicKey),
        make: { (party: Party, key: PublicKey) throws(JSONError) in Signer(party, key) }, parts: { ($0.party, $0.key) }
    ).named("Signer")
}

/// A transaction as it was sent: what is left to check is what no schema can say.
public struct TransactionText: Sendable {
    /// None: whoever prepares it draws one.
    public let nonce: UInt64?
    public let validUntil: UInt64?
    public let signers: [Signer]
    public let operations: [Operation]
    public let signatures: [Signature]

    /// What the ledger's format refuses though the schema allows it, as the member concerned and a sentence.
    public struct Impossible: Error, Equatable, Sendable {
        public let path: String
        public let reason: String
    }

    /// The body, with what was left open filled in.
    public func body(nonce: @autoclosure () -> UInt64, validUntil: @autoclosure () -> UInt64) throws(Impossible)
        -> TransactionBody
    {
        let body = TransactionBody(
            nonce: self.nonce ?? nonce(), validUntil: self.validUntil ?? validUntil(), signers: signers,
            operations: operations)
        try Self.check(body)
        return body
    }

    /// The whole transaction.
    /// - Precondition: nonce and validUntil were read, as the form of a signed transaction sees to.
    public func transaction() throws(Impossible) -> Transaction {
        let body = try body(nonce: 0, validUntil: 0)
        return Transaction(body: body, signatures: signatures)
    }

    /// Every body that is read from JSON is one that the ledger's own decoder takes.
    static func check(_ body: TransactionBody) throws(Impossible) {
        if Set(body.signers.map(\.party)).count < body.signers.count {
            throw Impossible(path: "$.signers", reason: "a party stands in it twice; each signs once")
        }
        for (index, operation) in body.operations.enumerated() {
            let lines: [OpenLine] =
                switch operation {
                case .open(let list): list.lines
                case .openByTicket(let line, _): [line]
                default: []
                }
            if lines.contains(where: { $0.credential != nil && $0.credential == $0.guardian }) {
                throw Impossible(
                    path: "$.operations[\(index)]", reason: "a guardian's key is another than the credential")
            }
        }
        let bytes = body.canonicalBytes
        guard bytes.count + body.signers.count * 65 <= Transaction.bytesMax else {
            throw Impossible(path: "$", reason: "a transaction has at most \(Transaction.bytesMax) bytes; split it")
        }
        // The decoder is the judge; what it refuses beyond the above is a gap in the schema, and no transaction.
        do throws(DecodingError) { _ = try TransactionBody(canonicalBytes: bytes) } catch {
            throw Impossible(path: "$", reason: "the ledger's format does not take it: \(error)")
        }
    }
}

extension Form where Value == TransactionText {
    private static let signers = Form<Signer>.signer.list(1...TransactionBody.signersMax)
    private static let operations = Form<Operation>.operation.list(1...TransactionBody.operationsMax)
    private static let signatures = Form<Signature>.signature.list(1...TransactionBody.signersMax)
    private static let aboutNonce =
        "Any number that the sender, who is the first signer, has not used within the window."
    private static let aboutTime = "Block time up to which it may be executed."

    /// A signed transaction.
    public static let signed = object(
        "A signed transaction. Its sender is the first signer.",
        Field("nonce", .number64, aboutNonce), Field("validUntil", .time, aboutTime),
        Field("signers", signers), Field("operations", operations, "All of them take effect, or none."),
        Field("signatures", signatures, "One a signer, in their order."),
        make: {
            (
                nonce: UInt64, validUntil: UInt64, signers: [Signer], operations: [Operation], signatures: [Signature]
            ) throws(JSONError) in
            TransactionText(
                nonce: nonce, validUntil: validUntil, signers: signers, operations: operations, signatures: signatures)
        },
        parts: { ($0.nonce ?? 0, $0.validUntil ?? 0, $0.signers, $0.operations, $0.signatures) }
    ).named("SignedTransaction")

    /// A body whose nonce and time may be left open.
    public static let unsigned = object(
        "A transaction to be signed.",
        Field.optional("nonce", .number64, aboutNonce + " Drawn where it is missing."),
        Field.optional("validUntil", .time, aboutTime + " Two minutes from now where it is missing."),
        Field("signers", signers), Field("operations", operations),
        make: {
            (nonce: UInt64?, validUntil: UInt64?, signers: [Signer], operations: [Operation]) throws(JSONError) in
            TransactionText(
                nonce: nonce, validUntil: validUntil, signers: signers, operations: operations, signatures: [])
        },
        parts: { ($0.nonce, $0.validUntil, $0.signers, $0.operations) }
    ).named("UnsignedTransaction")

    /// A signed transaction of one operation, whose kind its route says.
    public static func signed(_ kind: OperationForm) -> Form {
        object(
            kind.summary,
            Field("nonce", .number64, aboutNonce), Field("validUntil", .time, aboutTime), Field("signers", signers),
            Field("operation", kind.members), Field("signatures", signatures, "One a signer, in their order."),
            make: {
                (nonce: UInt64, validUntil: UInt64, signers: [Signer], operation: Operation, signatures: [Signature])
                    throws(JSONError) in
                TransactionText(
                    nonce: nonce, validUntil: validUntil, signers: signers, operations: [operation],
                    signatures: signatures)
            },
            parts: { ($0.nonce ?? 0, $0.validUntil ?? 0, $0.signers, $0.operations[0], $0.signatures) }
        ).named("Signed" + kind.schemaName)
    }
}

extension TransactionText {
    public init(_ transaction: Transaction) {
        self.init(
            nonce: transaction.body.nonce, validUntil: transaction.body.validUntil, signers: transaction.body.signers,
            operations: transaction.body.operations, signatures: transaction.signatures)
    }

    public init(_ body: TransactionBody) {
        self.init(
            nonce: body.nonce, validUntil: body.validUntil, signers: body.signers, operations: body.operations,
            signatures: [])
    }
}
