public import Canonical
public import Crypto
public import Ledger

/// A validator's word for a new epoch of the order, after the ring of the one before was lost: how far it has come, and
/// what it has seen beyond that. Whoever gives it votes no more in any older epoch.
public struct EpochStatement: Sendable, Equatable {
    /// Of the new epoch.
    public let number: UInt32
    /// Drawn by chance for this change by whoever begins it, so that two attempts are never taken for one.
    public let bytes: [UInt8]
    /// The newest certificate that the validator holds; none at height 0.
    public let certificate: Certificate?
    /// Every entry above the certificate's height that the validator has stored, in order and without a gap.
    public let entries: [Ordered]
    public let validator: OrganisationID
    public let signature: Signature

    public static let bytesCount = 16

    /// An entry of the old ring.
    public struct Ordered: Sendable, Equatable {
        /// Of its raw bytes.
        public let hash: Digest
        /// The validator's own vote on it, in the old epoch; none where it gave none.
        public let vote: Vote?

        public init(hash: Digest, vote: Vote?) {
            self.hash = hash
            self.vote = vote
        }
    }

    /// - Precondition: 16 bytes, and at most ``FinalBlocks/countMax`` entries.
    public init(
        signing number: UInt32, bytes: [UInt8], certificate: Certificate?, entries: [Ordered], genesis: Digest,
        validator: OrganisationID, key: SecretKey
    ) {
        precondition(bytes.count == Self.bytesCount, "an epoch has 16 bytes")
        precondition(entries.count <= FinalBlocks.countMax, "a validator runs few heights ahead")
        self.number = number
        self.bytes = bytes
        self.certificate = certificate
        self.entries = entries
        self.validator = validator
        var encoder = Encoder(capacity: 2048)
        Self.encode(number, bytes, certificate, entries, validator, to: &encoder)
        signature = key.sign(Self.signedBytes(genesis: genesis, statement: encoder.bytes))
    }

    /// Height of the certificate.
    public var certified: UInt64 { certificate?.height ?? 0 }

    /// The newest position of which it speaks.
    public var last: UInt64 { certified + UInt64(entries.count) }

    /// What it says of a position; none where it says nothing.
    public func entry(at position: UInt64) -> Ordered? {
        position > certified && position <= last ? entries[Int(position - certified) - 1] : nil
    }

    /// Whether the signature is that of `key`.
    public func verifies(genesis: Digest, key: PublicKey) -> Bool {
        var encoder = Encoder(capacity: 2048)
        Self.encode(number, bytes, certificate, entries, validator, to: &encoder)
        return key.verifies(signature, of: Self.signedBytes(genesis: genesis, statement: encoder.bytes))
    }

    private static func signedBytes(genesis: Digest, statement: [UInt8]) -> [UInt8] {
        Domain.epochStatement.prefix + genesis.bytes + statement
    }

    private static func encode(
        _ number: UInt32, _ bytes: [UInt8], _ certificate: Certificate?, _ entries: [Ordered],
        _ validator: OrganisationID, to encoder: inout Encoder
    ) {
        encoder.u32(number)
        encoder.fixed(bytes)
        encoder.option(certificate)
        encoder.sequence(entries)
        encoder.value(validator)
    }
}

extension EpochStatement: Canonical {
    public func encode(to encoder: inout Encoder) {
        Self.encode(number, bytes, certificate, entries, validator, to: &encoder)
        encoder.value(signature)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        number = try decoder.u32()
        bytes = try decoder.fixed(Self.bytesCount)
        certificate = try decoder.option()
        entries = try decoder.sequence(max: FinalBlocks.countMax)
        // So that no sum of heights overflows.
        guard certificate?.height ?? 0 <= .max / 2 else { throw decoder.refusal(.invalidValue) }
        validator = try decoder.value()
        signature = try decoder.value()
    }
}

extension EpochStatement.Ordered: Canonical {
    public func encode(to encoder: inout Encoder) {
        encoder.value(hash)
        encoder.option(vote)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        hash = try decoder.value()
        vote = try decoder.option()
    }
}

/// What a validator hands to whoever starts the new ring: its statement, and the raw entries of which that speaks.
public struct StatedEntries: Sendable, Equatable, Canonical {
    public let statement: EpochStatement
    /// One for each entry of the statement.
    public let entries: [[UInt8]]

    /// Bytes of the largest there is.
    public static let bytesMax = FinalBlocks.countMax * (Entry.orderedBytesMax + 512) + 65_536

    /// - Precondition: the entries are those of the statement.
    public init(_ statement: EpochStatement, entries: [[UInt8]]) {
        precondition(
            entries.map { Entry.hash(raw: $0) } == statement.entries.map(\.hash), "the entries are those stated")
        self.statement = statement
        self.entries = entries
    }

    public func encode(to encoder: inout Encoder) {
        encoder.value(statement)
        encoder.length(entries.count)
        for entry in entries { encoder.byteString(entry) }
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        statement = try decoder.value()
        let count = try decoder.length(max: FinalBlocks.countMax)
        guard count == statement.entries.count else { throw decoder.refusal(.invalidValue) }
        var entries: [[UInt8]] = []
        for stated in statement.entries {
            let raw = try decoder.byteString(max: Entry.orderedBytesMax)
            guard Entry.hash(raw: raw) == stated.hash else { throw decoder.refusal(.invalidValue) }
            entries.append(raw)
        }
        self.entries = entries
    }
}
