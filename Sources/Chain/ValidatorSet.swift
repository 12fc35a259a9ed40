public import Canonical
public import Crypto
public import Ledger

/// An organisation that votes, and its voting key.
public struct Validator: Sendable, Hashable, Canonical {
    public let id: OrganisationID
    public let key: PublicKey

    public init(id: OrganisationID, key: PublicKey) {
        self.id = id
        self.key = key
    }

    public func encode(to encoder: inout Encoder) {
        encoder.value(id)
        encoder.value(key)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        id = try decoder.value()
        key = try decoder.value()
    }
}

/// Those who may vote at a height, 1 to 100, in ascending order of id.
public struct ValidatorSet: Sendable, Equatable, Canonical {
    public let validators: [Validator]

    /// - Precondition: 1 to 100 validators, ascending.
    public init(_ validators: [Validator]) {
        precondition((1...Genesis.validatorsMax).contains(validators.count), "there are 1 to 100 validators")
        precondition(zip(validators, validators.dropFirst()).allSatisfy { $0.id < $1.id }, "validators ascend")
        self.validators = validators
    }

    public init(_ genesis: Genesis) { self.init(genesis.validators.map { Validator(id: $0.id, key: $0.key) }) }

    public var count: Int { validators.count }
    /// Byzantine validators that are tolerated: ⌊(n−1)/3⌋.
    public var faulty: Int { (count - 1) / 3 }
    /// Distinct signers that make a certificate: ⌈(n+f+1)/2⌉.
    public var quorum: Int { (count + faulty + 2) / 2 }

    public subscript(id: OrganisationID) -> Validator? { validators.first { $0.id == id } }

    /// Whose turn a position is.
    public func turn(at position: UInt64) -> Int { Int(position % UInt64(count)) }

    public var hash: Digest { SHA256.hash(.validators, canonicalBytes) }

    public func encode(to encoder: inout Encoder) { encoder.sequence(validators) }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        validators = try decoder.ascending(min: 1, max: Genesis.validatorsMax, by: \.id)
    }
}
