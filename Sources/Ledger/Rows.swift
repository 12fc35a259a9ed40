public import Canonical
public import Crypto

/// An organisation as the chain knows it now.
public struct Organisation: Sendable, Equatable, Canonical {
    public let id: OrganisationID
    public let name: String
    /// Votes two heights after it came.
    public internal(set) var votingKey: PublicKey?
    public internal(set) var issuingKey: PublicKey
    public internal(set) var governingKey: PublicKey
    /// The most that may be outstanding of each of its units, in smallest parts.
    public internal(set) var quota: UInt64
    public internal(set) var standing: Standing
    public internal(set) var unitsPublished: UInt32
    /// Proposals of its own that are neither carried nor lapsed.
    public internal(set) var proposalsOpen: UInt32
    /// The minute of block time in which it last opened accounts, and how many it opened then.
    var openingsMinute: UInt64
    var openings: UInt32

    /// What a member may do.
    public enum Standing: UInt8, Sendable, CaseIterable {
        /// It governs, and votes where it has a voting key.
        case active = 0
        /// It neither governs nor votes; what it owes its members it can still give them.
        case suspended = 1
        /// It has left for good: it issues nothing more, and what it issued is honoured until nothing is outstanding.
        case exited = 2
    }

    /// Whether it votes, two heights later.
    public var votes: Bool { standing == .active && votingKey != nil }

    init(_ genesis: GenesisOrganisation) {
        id = genesis.id
        name = genesis.name
        votingKey = genesis.votingKey
        issuingKey = genesis.issuingKey
        governingKey = genesis.governingKey
        quota = genesis.quota
        standing = .active
        unitsPublished = 0
        proposalsOpen = 0
        openingsMinute = 0
        openings = 0
    }

    public func encode(to encoder: inout Encoder) {
        encoder.value(id)
        encoder.string(name)
        encoder.option(votingKey)
        encoder.value(issuingKey)
        encoder.value(governingKey)
        encoder.u64(quota)
        encoder.u8(standing.rawValue)
        encoder.u32(unitsPublished)
        encoder.u32(proposalsOpen)
        encoder.u64(openingsMinute)
        encoder.u32(openings)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        id = try decoder.value()
        name = try decoder.string(max: GenesisOrganisation.nameBytesMax)
        votingKey = try decoder.option()
        issuingKey = try decoder.value()
        governingKey = try decoder.value()
        quota = try decoder.u64()
        guard let standing = Standing(rawValue: try decoder.u8()) else { throw decoder.refusal(.unknownVariant) }
        self.standing = standing
        unitsPublished = try decoder.u32()
        proposalsOpen = try decoder.u32()
        openingsMinute = try decoder.u64()
        openings = try decoder.u32()
    }
}

/// A unit: who issues it, and where all its points are.
///
/// At every height minted = pending + available + held + redeemed + expired + recalled + clawed + cancelled.
public struct Unit: Sendable, Equatable, Canonical {
    public let code: UnitCode
    public let issuer: OrganisationID
    public let decimals: UInt8
    public let currency: String
    /// The newest version of its program, from 1 on.
    public internal(set) var version: UInt32
    public internal(set) var minted: UInt64 = 0
    public internal(set) var pending: UInt64 = 0
    public internal(set) var available: UInt64 = 0
    public internal(set) var held: UInt64 = 0
    public internal(set) var redeemed: UInt64 = 0
    public internal(set) var expired: UInt64 = 0
    public internal(set) var recalled: UInt64 = 0
    public internal(set) var clawed: UInt64 = 0
    public internal(set) var cancelled: UInt64 = 0
    /// What earners owe after clawbacks; no part of what is outstanding.
    public internal(set) var debt: UInt64 = 0

    init(code: UnitCode, issuer: OrganisationID, decimals: UInt8, currency: String) {
        self.code = code
        self.issuer = issuer
        self.decimals = decimals
        self.currency = currency
        version = 1
    }

    public var outstanding: UInt64 { pending + available + held }

    /// The invariant above.
    public var isConserved: Bool {
        minted == outstanding + redeemed + expired + recalled + clawed + cancelled
    }

    public func encode(to encoder: inout Encoder) {
        encoder.value(code)
        encoder.value(issuer)
        encoder.u8(decimals)
        encoder.string(currency)
        encoder.u32(version)
        for total in [minted, pending, available, held, redeemed, expired, recalled, clawed, cancelled, debt] {
            encoder.u64(total)
        }
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        code = try decoder.value()
        issuer = try decoder.value()
        decimals = try decoder.u8()
        currency = try decoder.string(max: 3)
        version = try decoder.u32()
        minted = try decoder.u64()
        pending = try decoder.u64()
        available = try decoder.u64()
        held = try decoder.u64()
        redeemed = try decoder.u64()
        expired = try decoder.u64()
        recalled = try decoder.u64()
        clawed = try decoder.u64()
        cancelled = try decoder.u64()
        debt = try decoder.u64()
    }
}

/// A key that speaks for an account at heights `from..<to`.
public struct Credential: Sendable, Equatable, Canonical {
    public let key: PublicKey
    public let from: UInt64
    public internal(set) var to: UInt64

    public static let noEnd = UInt64.max

    public init(key: PublicKey, from: UInt64, to: UInt64 = noEnd) {
        self.key = key
        self.from = from
        self.to = to
    }

    public func isValid(at height: UInt64) -> Bool { from <= height && height < to }

    public func encode(to encoder: inout Encoder) {
        encoder.value(key)
        encoder.u64(from)
        encoder.u64(to)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        key = try decoder.value()
        from = try decoder.u64()
        to = try decoder.u64()
    }
}

/// An account: who opened it, which keys speak for it, whether it is frozen.
public struct Account: Sendable, Equatable, Canonical {
    public enum Frozen: UInt8, Sendable, CaseIterable {
        case no = 0
        case byHolder = 1
        case byGuardian = 2
    }

    public let role: Role
    public let opener: OrganisationID
    public internal(set) var claimed: Bool
    public internal(set) var frozen: Frozen
    public let guardian: PublicKey?
    public internal(set) var credentials: [Credential]

    public static let credentialsMax = 16

    public func encode(to encoder: inout Encoder) {
        encoder.u8(role.rawValue)
        encoder.value(opener)
        encoder.bool(claimed)
        encoder.u8(frozen.rawValue)
        encoder.option(guardian)
        encoder.sequence(credentials)
    }

    package init(
        role: Role, opener: OrganisationID, claimed: Bool, frozen: Frozen = .no, guardian: PublicKey?,
        credentials: [Credential]
    ) {
        self.role = role
        self.opener = opener
        self.claimed = claimed
        self.frozen = frozen
        self.guardian = guardian
        self.credentials = credentials
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        guard let role = Role(rawValue: try decoder.u8()) else { throw decoder.refusal(.unknownVariant) }
        self.role = role
        opener = try decoder.value()
        claimed = try decoder.bool()
        guard let frozen = Frozen(rawValue: try decoder.u8()) else { throw decoder.refusal(.unknownVariant) }
        self.frozen = frozen
        guardian = try decoder.option()
        credentials = try decoder.sequence(max: Self.credentialsMax)
    }

    public func isValid(_ key: PublicKey, at height: UInt64) -> Bool {
        credentials.contains { $0.key == key && $0.isValid(at: height) }
    }
}

/// Points set aside; names the lots it holds, whose `held` counts them too.
public struct Hold: Sendable, Equatable, Canonical {
    public let account: AccountID
    public let unit: UnitCode
    public let organisation: OrganisationID
    public let use: Reservation.Use
    public let deadline: UInt64
    /// In spending order.
    public let portions: [Portion]

    public var amount: UInt64 { portions.reduce(0) { $0 + $1.amount } }

    package init(_ reservation: Reservation, portions: [Portion]) {
        account = reservation.account
        unit = reservation.unit
        organisation = reservation.organisation
        use = reservation.use
        deadline = reservation.deadline
        self.portions = portions
    }

    public func encode(to encoder: inout Encoder) {
        encoder.value(account)
        encoder.value(unit)
        encoder.value(organisation)
        encoder.value(use)
        encoder.u64(deadline)
        encoder.sequence(portions)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        account = try decoder.value()
        unit = try decoder.value()
        organisation = try decoder.value()
        use = try decoder.value()
        deadline = try decoder.u64()
        portions = try decoder.sequence(max: Holding.lotsMax)
    }
}

/// An accrual line as it was first accepted: its natural key's row, never changed and never pruned.
public struct AcceptedLine: Sendable, Equatable, Canonical {
    public let account: AccountID
    public let unit: UnitCode
    public let amount: UInt64
    public let pending: Bool
    /// Terms of the lot that its points are in, or will be in once vested.
    public let terms: LotTerms
    public let transaction: TransactionID

    public func encode(to encoder: inout Encoder) {
        encoder.value(account)
        encoder.value(unit)
        encoder.u64(amount)
        encoder.bool(pending)
        encoder.value(terms)
        encoder.value(transaction)
    }

    package init(
        account: AccountID, unit: UnitCode, amount: UInt64, pending: Bool, terms: LotTerms, transaction: TransactionID
    ) {
        self.account = account
        self.unit = unit
        self.amount = amount
        self.pending = pending
        self.terms = terms
        self.transaction = transaction
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        account = try decoder.value()
        unit = try decoder.value()
        amount = try decoder.u64()
        pending = try decoder.bool()
        terms = try decoder.value()
        transaction = try decoder.value()
    }
}

/// How far an accrual has come that was accepted as pending: a row of `accruals` while points are pending, of
/// `settled` when none are.
public struct AccrualTotals: Sendable, Equatable, Canonical {
    public internal(set) var vested: UInt64
    public internal(set) var voided: UInt64

    public func encode(to encoder: inout Encoder) {
        encoder.u64(vested)
        encoder.u64(voided)
    }

    init(vested: UInt64 = 0, voided: UInt64 = 0) {
        self.vested = vested
        self.voided = voided
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        vested = try decoder.u64()
        voided = try decoder.u64()
    }
}

/// What was clawed back of an accrual, in all, and how much of that became debt when it was.
public struct Clawback: Sendable, Equatable, Canonical {
    public internal(set) var total: UInt64
    public internal(set) var becameDebt: UInt64

    public func encode(to encoder: inout Encoder) {
        encoder.u64(total)
        encoder.u64(becameDebt)
    }

    init(total: UInt64 = 0, becameDebt: UInt64 = 0) {
        self.total = total
        self.becameDebt = becameDebt
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        total = try decoder.u64()
        becameDebt = try decoder.u64()
    }
}

/// A nonce that was burnt.
public struct Replay: Sendable, Equatable, Canonical {
    public let transaction: TransactionID
    public let place: Place

    public func encode(to encoder: inout Encoder) {
        encoder.value(transaction)
        encoder.value(place)
    }

    init(transaction: TransactionID, place: Place) {
        self.transaction = transaction
        self.place = place
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        transaction = try decoder.value()
        place = try decoder.value()
    }
}

/// Whose nonce, and until when it is remembered; in this order, so that rows leave from the front.
public struct ReplayKey: Sendable, Hashable, Canonical {
    public let validUntil: UInt64
    public let sender: Party
    public let nonce: UInt64

    init(validUntil: UInt64, sender: Party, nonce: UInt64) {
        self.validUntil = validUntil
        self.sender = sender
        self.nonce = nonce
    }

    public func encode(to encoder: inout Encoder) {
        encoder.fixed(bigEndianBytes(validUntil))
        encoder.value(sender)
        encoder.u64(nonce)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        validUntil = try decoder.fixed(8).reduce(0) { $0 << 8 | UInt64($1) }
        sender = try decoder.value()
        nonce = try decoder.u64()
    }
}
