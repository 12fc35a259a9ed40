public import Canonical
public import Crypto
public import Ledger

/// A validator's signed word that it has taken a transaction up, and by when it will stand in a block. It is no receipt
/// of what the transaction does; but a member that leaves out what it promised can be held to it by everybody.
public struct SubmissionReceipt: Sendable, Equatable {
    public let transaction: TransactionID
    /// Digest of body and signatures: which envelope it took.
    public let envelope: Digest
    public let validator: OrganisationID
    /// The validator's clock, milliseconds since 1970 UTC.
    public let takenAt: UInt64
    /// The block time by which a block holds the transaction.
    public let orderedBy: UInt64
    /// By the voting key.
    public let signature: Signature

    public init(
        transaction: TransactionID, envelope: Digest, validator: OrganisationID, takenAt: UInt64, orderedBy: UInt64,
        signature: Signature
    ) {
        self.transaction = transaction
        self.envelope = envelope
        self.validator = validator
        self.takenAt = takenAt
        self.orderedBy = orderedBy
        self.signature = signature
    }

    /// Makes and signs one.
    public init(
        signing transaction: Transaction, validator: OrganisationID, takenAt: UInt64, orderedBy: UInt64,
        genesis: Digest, key: SecretKey
    ) {
        let message = Self.signedBytes(
            genesis: genesis, transaction: transaction.id, envelope: transaction.envelopeDigest, validator: validator,
            takenAt: takenAt, orderedBy: orderedBy)
        self.init(
            transaction: transaction.id, envelope: transaction.envelopeDigest, validator: validator, takenAt: takenAt,
            orderedBy: orderedBy, signature: key.sign(message))
    }

    private static func signedBytes(
        genesis: Digest, transaction: TransactionID, envelope: Digest, validator: OrganisationID, takenAt: UInt64,
        orderedBy: UInt64
    ) -> [UInt8] {
        var encoder = Encoder(capacity: 160)
        encoder.fixed(Domain.submission.prefix)
        encoder.value(genesis)
        encoder.value(transaction)
        encoder.value(envelope)
        encoder.value(validator)
        encoder.u64(takenAt)
        encoder.u64(orderedBy)
        return encoder.bytes
    }

    public func verifies(genesis: Digest, key: PublicKey) -> Bool {
        key.verifies(
            signature,
            of: Self.signedBytes(
                genesis: genesis, transaction: transaction, envelope: envelope, validator: validator, takenAt: takenAt,
                orderedBy: orderedBy))
    }
}

extension SubmissionReceipt: Canonical {
    public func encode(to encoder: inout Encoder) {
        encoder.value(transaction)
        encoder.value(envelope)
        encoder.value(validator)
        encoder.u64(takenAt)
        encoder.u64(orderedBy)
        encoder.value(signature)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        transaction = try decoder.value()
        envelope = try decoder.value()
        validator = try decoder.value()
        takenAt = try decoder.u64()
        orderedBy = try decoder.u64()
        signature = try decoder.value()
    }
}
