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
    /// What headers name it by.
    public let hash: Digest

    /// - Precondition: 1 to 100 validators, ascending.
    public init(_ validators: [Validator]) {
        precondition((1...Genesis.validatorsMax).contains(validators.count), "there are 1 to 100 validators")
        precondition(zip(validators, validators.dropFirst()).allSatisfy { $0.id < $1.id }, "validators ascend")
        self.validators = validators
        hash = Self.hash(validators)
    }

    public init(_ genesis: Genesis) { self.init(genesis.validators) }

    /// - Precondition: 1 to 100, ascending.
    public init(_ voters: [(id: OrganisationID, key: PublicKey)]) {
        self.init(voters.map { Validator(id: $0.id, key: $0.key) })
    }

    public var count: Int { validators.count }
    /// Byzantine validators that are tolerated.
    public var faulty: Int { Quorum.faulty(of: count) }
    /// Distinct signers that make a certificate.
    public var quorum: Int { Quorum.size(of: count) }

    public subscript(id: OrganisationID) -> Validator? { validators.first { $0.id == id } }

    /// Whose turn a position is.
    public func turn(at position: UInt64) -> Int { Int(position % UInt64(count)) }

    private static func hash(_ validators: [Validator]) -> Digest {
        var encoder = Encoder(capacity: 16 + validators.count * 40)
        encoder.sequence(validators)
        return encoder.withBytes { SHA256.hash(.validators, $0) }
    }

    public func encode(to encoder: inout Encoder) { encoder.sequence(validators) }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        validators = try decoder.ascending(min: 1, max: Genesis.validatorsMax, by: \.id)
        hash = Self.hash(validators)
    }
}

extension Vote {
    /// Whether a validator of `set` signed it.
    public func verifies(genesis: Digest, in set: ValidatorSet) -> Bool {
        set[validator].map { verifies(genesis: genesis, key: $0.key) } ?? false
    }
}

/// Which validators vote at which height: a change that is executed at a height governs from the second one after it.
public struct ValidatorSets: Sendable {
    /// A set, and the first height that it governs.
    public struct Change: Sendable, Equatable {
        public let from: UInt64
        public let set: ValidatorSet

        public init(from: UInt64, set: ValidatorSet) {
            self.from = from
            self.set = set
        }
    }

    /// Ascending, without two equal sets side by side; the first governs all heights of interest before the second.
    public private(set) var changes: [Change]

    /// - Precondition: at least one change, ascending.
    public init(_ changes: [Change]) {
        precondition(
            !changes.isEmpty && zip(changes, changes.dropFirst()).allSatisfy { $0.from < $1.from }, "changes ascend")
        self.changes = changes
    }

    /// What a chain begins with.
    public init(_ genesis: Genesis) { self.init([Change(from: 0, set: ValidatorSet(genesis))]) }

    /// The set of a height, as far as is known: of one beyond what is decided, the newest that is.
    public subscript(height: UInt64) -> ValidatorSet {
        (changes.last { $0.from <= height } ?? changes[0]).set
    }

    /// Whether a height is governed by another set than the one before it.
    public func changes(at height: UInt64) -> Bool { changes.dropFirst().contains { $0.from == height } }

    /// - Precondition: `from` is past all changes that are there.
    /// - Returns: the change; none where the set is the newest already.
    public mutating func append(_ set: ValidatorSet, from: UInt64) -> Change? {
        let newest = changes[changes.count - 1]
        precondition(from > newest.from, "changes ascend")
        guard set != newest.set else { return nil }
        changes.append(Change(from: from, set: set))
        return changes[changes.count - 1]
    }

    /// Drops what governs only heights below this one.
    public mutating func forget(below height: UInt64) {
        while changes.count > 1, changes[1].from <= height { changes.removeFirst() }
    }
}
