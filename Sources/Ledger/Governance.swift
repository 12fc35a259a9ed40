public import Canonical
public import Crypto

/// What the members decide together. The variant numbers are part of the format: append, never renumber.
public enum Decision: Sendable, Equatable {
    /// An applicant becomes a member; where it has a voting key, it votes two heights later. Takes every active
    /// organisation.
    case admit(Application)
    /// An organisation neither votes nor governs until it is released. Takes a quorum of the active organisations.
    case suspend(OrganisationID)
    /// Ends a suspension. Takes a quorum.
    case release(OrganisationID)
    /// An organisation leaves for good. Takes a quorum.
    case exit(OrganisationID)
    /// What an organisation may have outstanding of each of its units. Takes a quorum.
    case quota(OrganisationID, UInt64)
    /// The version of the rules, from two heights later on. Takes a quorum.
    case rules(version: UInt32)
    /// An organisation's voting, issuing and governing keys become those of the application; all else in that has to be
    /// as it is. Proposed by the organisation itself it needs nobody else; by another it takes a quorum, which is the
    /// way back for one that has lost its governing key. The issuing and the governing key hold from that transaction
    /// on, the voting key from two heights later on. Since version 2 of the rules.
    case keys(Application)

    /// The stable name of the kind.
    public var kind: String { Self.kinds[variant] }
    public static let kinds = ["admit", "suspend", "release", "exit", "quota", "rules", "keys"]

    private var variant: Int {
        switch self {
        case .admit: 0
        case .suspend: 1
        case .release: 2
        case .exit: 3
        case .quota: 4
        case .rules: 5
        case .keys: 6
        }
    }

    /// The organisation that it is about, where it is about one.
    public var subject: OrganisationID? {
        switch self {
        case .admit(let application), .keys(let application): application.terms.id
        case .suspend(let id), .release(let id), .exit(let id), .quota(let id, _): id
        case .rules: nil
        }
    }
}

extension Decision: Canonical {
    public func encode(to encoder: inout Encoder) {
        encoder.variant(variant)
        switch self {
        case .admit(let application), .keys(let application): encoder.value(application)
        case .suspend(let id), .release(let id), .exit(let id): encoder.value(id)
        case .quota(let id, let quota):
            encoder.value(id)
            encoder.u64(quota)
        case .rules(let version): encoder.u32(version)
        }
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        switch try decoder.variant(below: Self.kinds.count) {
        case 0: self = .admit(try decoder.value())
        case 1: self = .suspend(try decoder.value())
        case 2: self = .release(try decoder.value())
        case 3: self = .exit(try decoder.value())
        case 4: self = .quota(try decoder.value(), try decoder.u64())
        case 5: self = .rules(version: try decoder.u32())
        default: self = .keys(try decoder.value())
        }
    }
}

/// Who would become a member, or which keys a member would have from now on, in its own words: signed by each of these
/// keys, so that nobody is taken in under a key that nobody has, or that is another's.
public struct Application: Sendable, Equatable {
    public let terms: GenesisOrganisation
    /// By the voting key where there is one, the issuing key, the governing key.
    public let signatures: [Signature]

    public init(terms: GenesisOrganisation, signatures: [Signature]) {
        self.terms = terms
        self.signatures = signatures
    }

    /// Signs an application.
    /// - Parameter keys: the secret keys of ``keys(of:)``, in that order.
    public init(signing terms: GenesisOrganisation, genesis: Digest, keys: [SecretKey]) {
        let message = Self.signedBytes(genesis: genesis, terms: terms)
        self.init(terms: terms, signatures: keys.map { $0.sign(message) })
    }

    /// The keys that sign, in their order.
    public static func keys(of terms: GenesisOrganisation) -> [PublicKey] {
        (terms.votingKey.map { [$0] } ?? []) + [terms.issuingKey, terms.governingKey]
    }

    public static func signedBytes(genesis: Digest, terms: GenesisOrganisation) -> [UInt8] {
        Domain.application.prefix + genesis.bytes + terms.canonicalBytes
    }

    public func verifies(genesis: Digest) -> Bool {
        let keys = Self.keys(of: terms)
        guard keys.count == signatures.count else { return false }
        let message = Self.signedBytes(genesis: genesis, terms: terms)
        return zip(keys, signatures).allSatisfy { $0.verifies($1, of: message) }
    }
}

extension Application: Canonical {
    public func encode(to encoder: inout Encoder) {
        encoder.value(terms)
        encoder.sequence(signatures)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        terms = try decoder.value()
        signatures = try decoder.sequence(min: 2, max: 3)
        guard signatures.count == Self.keys(of: terms).count else { throw decoder.refusal(.invalidValue) }
    }
}

/// A decision that waits for approvals.
public struct Proposal: Sendable, Equatable, Canonical {
    public let decision: Decision
    public let proposer: OrganisationID
    /// The last block time at which it can be carried.
    public let lapsesAt: UInt64
    /// Who has approved, the proposer among them, in ascending order.
    public internal(set) var approvals: [OrganisationID]

    /// Seven days of block time.
    public static let lifeMilliseconds: UInt64 = 7 * 86_400_000
    /// Proposals that one organisation may have open.
    public static let openMax: UInt32 = 16

    init(_ decision: Decision, by proposer: OrganisationID, lapsesAt: UInt64) {
        self.decision = decision
        self.proposer = proposer
        self.lapsesAt = lapsesAt
        approvals = [proposer]
    }

    public func encode(to encoder: inout Encoder) {
        encoder.value(decision)
        encoder.value(proposer)
        encoder.u64(lapsesAt)
        encoder.sequence(approvals)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        decision = try decoder.value()
        proposer = try decoder.value()
        lapsesAt = try decoder.u64()
        approvals = try decoder.ascending(min: 1, max: Genesis.organisationsMax, by: \.self)
    }
}

/// How many agree where some may lie.
public enum Quorum {
    /// Byzantine ones that are tolerated among `count`: ⌊(n−1)/3⌋.
    public static func faulty(of count: Int) -> Int { (count - 1) / 3 }
    /// Distinct ones that make a decision or a certificate: ⌈(n+f+1)/2⌉.
    public static func size(of count: Int) -> Int { (count + faulty(of: count) + 2) / 2 }
}

/// Which version of the rules holds at which height: the one row of its table, absent until the first change.
public struct Rules: Sendable, Equatable, Canonical {
    public let version: UInt32
    /// The first height at which it holds.
    public let from: UInt64
    /// What held before.
    public let before: UInt32

    init(version: UInt32, from: UInt64, before: UInt32) {
        self.version = version
        self.from = from
        self.before = before
    }

    func version(at height: UInt64) -> UInt32 { height >= from ? version : before }

    public func encode(to encoder: inout Encoder) {
        encoder.u32(version)
        encoder.u64(from)
        encoder.u32(before)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        version = try decoder.u32()
        from = try decoder.u64()
        before = try decoder.u32()
    }
}
