public import Canonical
public import Crypto

/// What the signers agree on. All its operations take effect or none.
public struct TransactionBody: Sendable, Equatable {
    /// Whose nonce this burns; the party of the first signer.
    public let sender: Party
    /// Any number that the sender has not used within the replay window.
    public let nonce: UInt64
    /// Block time up to which it may be executed, milliseconds since 1970 UTC.
    public let validUntil: UInt64
    public let signers: [Signer]
    public let operations: [Operation]

    public static let signersMax = 8
    public static let operationsMax = 16

    /// - Precondition: 1 to 8 signers of different parties, 1 to 16 operations.
    public init(nonce: UInt64, validUntil: UInt64, signers: [Signer], operations: [Operation]) {
        precondition((1...Self.signersMax).contains(signers.count), "a transaction has 1 to 8 signers")
        precondition((1...Self.operationsMax).contains(operations.count), "a transaction has 1 to 16 operations")
        sender = signers[0].party
        self.nonce = nonce
        self.validUntil = validUntil
        self.signers = signers
        self.operations = operations
    }

    /// Whether it goes before the block's other transactions.
    public var runsFirst: Bool { operations.allSatisfy(\.runsFirst) }

    /// The bytes that each signer signs.
    public static func signedBytes(genesis: Digest, body: [UInt8]) -> [UInt8] {
        Domain.transactionSignature.prefix + genesis.bytes + body
    }
}

extension TransactionBody: Canonical {
    public func encode(to encoder: inout Encoder) {
        encoder.value(sender)
        encoder.u64(nonce)
        encoder.u64(validUntil)
        encoder.sequence(signers)
        encoder.sequence(operations)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        sender = try decoder.value()
        nonce = try decoder.u64()
        validUntil = try decoder.u64()
        signers = try decoder.sequence(min: 1, max: Self.signersMax)
        guard signers[0].party == sender,
            signers.count == 1 || Set(signers.map(\.party)).count == signers.count
        else {
            throw decoder.refusal(.invalidValue)
        }
        operations = try decoder.sequence(min: 1, max: Self.operationsMax)
    }
}

/// A party and the key by which it signs.
public struct Signer: Sendable, Hashable, Canonical {
    public let party: Party
    public let key: PublicKey

    public init(_ party: Party, _ key: PublicKey) {
        self.party = party
        self.key = key
    }

    public func encode(to encoder: inout Encoder) {
        encoder.value(party)
        encoder.value(key)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        party = try decoder.value()
        key = try decoder.value()
    }
}

/// A body with one signature a signer, in the signers' order.
///
/// One reference, however often it is copied on its way through the node.
public struct Transaction: Sendable {
    private let content: Content

    private final class Content: Sendable {
        let body: TransactionBody
        let signatures: [Signature]
        let bytes: [UInt8]
        let bodyCount: Int
        let id: TransactionID
        let envelopeDigest: Digest
        let validUntil: UInt64
        let firstSigner: Signer
        let runsFirst: Bool
        let rulesNeeded: UInt32

        init(body: TransactionBody, signatures: [Signature], bytes: [UInt8], bodyCount: Int) {
            self.body = body
            self.signatures = signatures
            self.bytes = bytes
            self.bodyCount = bodyCount
            id = SHA256.hash(.transactionBody, bytes[0..<bodyCount].span.bytes)
            envelopeDigest = SHA256.hash(.envelope, bytes)
            validUntil = body.validUntil
            firstSigner = body.signers[0]
            runsFirst = body.runsFirst
            rulesNeeded = body.rulesNeeded
        }
    }

    public var body: TransactionBody { content.body }
    public var signatures: [Signature] { content.signatures }
    /// The envelope: body and signatures as they travel and are stored.
    public var bytes: [UInt8] { content.bytes }
    /// Digest of the body: what a transaction is looked up by.
    public var id: TransactionID { content.id }
    /// Digest of body and signatures: keys a kept signature result, and makes the leaves of the transaction root.
    public var envelopeDigest: Digest { content.envelopeDigest }
    private var bodyCount: Int { content.bodyCount }

    // What is asked of every transaction on its way, without a copy of its body.

    /// The body's ``TransactionBody/validUntil``.
    public var validUntil: UInt64 { content.validUntil }
    /// The first of the body's ``TransactionBody/signers``: the sender.
    public var firstSigner: Signer { content.firstSigner }
    /// The body's ``TransactionBody/runsFirst``.
    var runsFirst: Bool { content.runsFirst }
    /// The first version of the rules that has all that it holds: below it, no entry may hold it.
    public var rulesNeeded: UInt32 { content.rulesNeeded }

    public static let bytesMax = 960 * 1024

    public init(body: TransactionBody, signatures: [Signature]) {
        var encoder = Encoder(capacity: 256)
        encoder.value(body)
        let count = encoder.count
        for signature in signatures { encoder.value(signature) }
        self.init(body: body, signatures: signatures, bytes: encoder.bytes, bodyCount: count)
    }

    /// Signs a body with one key a signer, in the signers' order.
    public init(signing body: TransactionBody, genesis: Digest, keys: [SecretKey]) {
        let message = TransactionBody.signedBytes(genesis: genesis, body: body.canonicalBytes)
        self.init(body: body, signatures: keys.map { $0.sign(message) })
    }

    private init(body: TransactionBody, signatures: [Signature], bytes: [UInt8], bodyCount: Int) {
        content = Content(body: body, signatures: signatures, bytes: bytes, bodyCount: bodyCount)
    }

    /// Reads an envelope of at most 960 KiB, all of it.
    public init(envelope bytes: [UInt8]) throws(DecodingError) {
        guard bytes.count <= Self.bytesMax else { throw DecodingError(.lengthTooLarge, at: 0) }
        var decoder = Decoder(bytes)
        let body = try decoder.value(TransactionBody.self)
        let bodyCount = decoder.offset
        var signatures: [Signature] = []
        for _ in body.signers { signatures.append(try decoder.value()) }
        try decoder.finish()
        self.init(body: body, signatures: signatures, bytes: bytes, bodyCount: bodyCount)
    }

    /// Whether every signature, those inside operations included, matches. A function of the envelope's bytes alone:
    /// whether the keys speak for their parties is decided in execution.
    public func signaturesVerify(genesis: Digest) -> Bool {
        guard signatures.count == body.signers.count else { return false }
        let message = TransactionBody.signedBytes(genesis: genesis, body: Array(bytes[0..<bodyCount]))
        for (signer, signature) in zip(body.signers, signatures)
        where !signer.key.verifies(signature, of: message) { return false }
        for operation in body.operations where !operation.signaturesVerify(genesis: genesis) { return false }
        return true
    }
}

extension Operation {
    /// Whether the signatures that it carries itself match: of tickets, applications and votes.
    fileprivate func signaturesVerify(genesis: Digest) -> Bool {
        switch self {
        case .openByTicket(let line, let ticket): ticket.verifies(line, genesis: genesis)
        case .propose(.admit(let application), _), .propose(.keys(let application), _):
            application.verifies(genesis: genesis)
        case .accuse(let evidence): evidence.verifies(genesis: genesis)
        default: true
        }
    }
}
