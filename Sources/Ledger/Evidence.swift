public import Canonical
public import Crypto

/// Two votes of one validator that contradict each other: both signed by its key, for the same height, round and phase
/// of one epoch, and for different headers. Two that differ in their time alone are one vote.
public struct Evidence: Sendable, Equatable {
    /// The voting key that signed both.
    public let key: PublicKey
    /// The vote whose header's digest is the lesser.
    public let first: Vote
    public let second: Vote

    /// - Returns: nil where the votes do not contradict each other.
    public init?(_ one: Vote, _ other: Vote, key: PublicKey) {
        guard one.validator == other.validator, one.epoch == other.epoch, one.height == other.height,
            one.round == other.round, one.phase == other.phase, one.header != other.header
        else { return nil }
        self.key = key
        (first, second) = one.header < other.header ? (one, other) : (other, one)
    }

    /// As somebody wrote it: what does not contradict has no canonical form that would be read again.
    package init(unchecked first: Vote, _ second: Vote, key: PublicKey) {
        self.key = key
        self.first = first
        self.second = second
    }

    public var validator: OrganisationID { first.validator }

    public func verifies(genesis: Digest) -> Bool {
        first.verifies(genesis: genesis, key: key) && second.verifies(genesis: genesis, key: key)
    }

    /// Names the offence, whichever votes prove it: it is punished once.
    var offence: Digest {
        var encoder = Encoder(capacity: 32)
        encoder.value(first.validator)
        encoder.u32(first.epoch)
        encoder.u64(first.height)
        encoder.u32(first.round)
        encoder.u8(first.phase.rawValue)
        return encoder.withBytes { SHA256.hash(.offence, $0) }
    }
}

extension Evidence: Canonical {
    public func encode(to encoder: inout Encoder) {
        encoder.value(key)
        encoder.value(first)
        encoder.value(second)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        let key: PublicKey = try decoder.value()
        let first: Vote = try decoder.value()
        let second: Vote = try decoder.value()
        guard let evidence = Evidence(first, second, key: key), evidence.first == first else {
            throw decoder.refusal(.invalidValue)
        }
        self = evidence
    }
}

/// A validator's offence as the chain remembers it, for ever.
public struct Offence: Sendable, Equatable, Canonical {
    public let validator: OrganisationID
    /// The height for which it voted twice.
    public let height: UInt64
    /// The transaction that brought the evidence.
    public let transaction: TransactionID

    init(_ evidence: Evidence, in transaction: TransactionID) {
        validator = evidence.validator
        height = evidence.first.height
        self.transaction = transaction
    }

    public func encode(to encoder: inout Encoder) {
        encoder.value(validator)
        encoder.u64(height)
        encoder.value(transaction)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        validator = try decoder.value()
        height = try decoder.u64()
        transaction = try decoder.value()
    }
}
