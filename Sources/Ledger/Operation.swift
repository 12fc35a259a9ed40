public import Canonical
public import Crypto

/// One thing to do. The variant numbers are part of the format: append, never renumber.
public enum Operation: Sendable, Equatable {
    /// An issuer publishes the next version of a unit's terms. Needs: the issuer.
    case publish(Program, issuer: OrganisationID)
    /// An organisation opens accounts. Needs: that organisation.
    case open(OpenList)
    /// A holder opens an account with an organisation's ticket. Needs: the account, by the credential it opens with.
    case openByTicket(OpenLine, Ticket)
    /// A person takes over an account that was opened without a key. Needs: the account by `credential`, the opener.
    case claim(account: AccountID, credential: PublicKey)
    /// Needs: the account. Valid at heights `from..<to`.
    case addCredential(account: AccountID, credential: Credential)
    /// Replaces `old` by `new` from this block on. Needs: the account.
    case rotateCredential(account: AccountID, old: PublicKey, new: PublicKey)
    /// Ends a key's validity with this block. Needs: the account or its guardian.
    case revokeCredential(account: AccountID, key: PublicKey)
    /// An issuer credits points, line by line. Needs: the issuer.
    case accrue(AccrueList)
    /// Pending points become available. Needs: the issuer.
    case vest(TotalList)
    /// Pending points are cancelled. Needs: the issuer.
    case void(TotalList)
    /// Vested points are taken back; what is no longer there becomes the earner's debt. Needs: the issuer.
    case clawBack(TotalList)
    /// Needs: the sending account.
    case transfer(from: AccountID, to: AccountID, unit: UnitCode, amount: UInt64)
    /// Burns points against goods or services. Needs: the account.
    case redeem(account: AccountID, unit: UnitCode, amount: UInt64, reference: Reference)
    /// Holds points for one organisation until a deadline. Needs: the account.
    case reserve(Reservation)
    /// Uses a reservation once, whole or in part; the rest returns. Needs: the organisation it is for.
    case commit(hold: HoldID, amount: UInt64)
    /// Gives a reservation back whole. Needs: the organisation it is for.
    case release(hold: HoldID)
    /// Nothing leaves the account from this block on. Needs: the account or its guardian.
    case freeze(account: AccountID)
    /// Needs: the guardian; or the account, where it froze itself.
    case unfreeze(account: AccountID)
    /// An organisation proposes a decision about the consortium, and approves of it by that. Needs: its governor.
    case propose(Decision, by: OrganisationID)
    /// An organisation approves of a proposal; with the last approval that it takes, it is carried out. Needs: its
    /// governor.
    case approve(ProposalID, by: OrganisationID)
    /// Two votes of one validator that contradict each other: it is suspended. Needs: anybody.
    case accuse(Evidence)

    /// The stable name of the kind.
    public var kind: String { Self.kinds[variant] }

    public static let kinds = [
        "publish", "open", "open-by-ticket", "claim", "add-credential", "rotate-credential", "revoke-credential",
        "accrue", "vest", "void", "claw-back", "transfer", "redeem", "reserve", "commit", "release", "freeze",
        "unfreeze", "propose", "approve", "accuse",
    ]

    /// Evidence, locks and revocations go before everything else in a block, so that a thief cannot outrun them.
    public var runsFirst: Bool {
        switch self {
        case .freeze, .revokeCredential, .accuse: true
        default: false
        }
    }
}

/// An account to open.
public struct OpenLine: Sendable, Equatable, Canonical {
    public let account: AccountID
    public let role: Role
    /// None: unclaimed, until its holder claims it.
    public let credential: PublicKey?
    /// May freeze and unfreeze the account and revoke its keys, nothing else.
    public let guardian: PublicKey?

    public init(account: AccountID, role: Role = .consumer, credential: PublicKey?, guardian: PublicKey? = nil) {
        self.account = account
        self.role = role
        self.credential = credential
        self.guardian = guardian
    }

    public func encode(to encoder: inout Encoder) {
        encoder.value(account)
        encoder.u8(role.rawValue)
        encoder.option(credential)
        encoder.option(guardian)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        account = try decoder.value()
        guard let role = Role(rawValue: try decoder.u8()) else { throw decoder.refusal(.unknownVariant) }
        self.role = role
        credential = try decoder.option()
        guardian = try decoder.option()
        if credential != nil, credential == guardian { throw decoder.refusal(.invalidValue) }
    }
}

/// What an account is for.
public enum Role: UInt8, Sendable, CaseIterable {
    case consumer = 0
    case guide = 1
    case store = 2
    case dealer = 3
    case treasury = 4
    case escrow = 5
}

/// How many lines a list may have: with the largest lines it still fits into a transaction.
public enum ListBounds {
    public static let linesMax = 8190
}

public struct OpenList: Sendable, Equatable, Canonical {
    public let organisation: OrganisationID
    public let lines: [OpenLine]
    /// All lines or none.
    public let all: Bool

    public init(organisation: OrganisationID, lines: [OpenLine], all: Bool = false) {
        self.organisation = organisation
        self.lines = lines
        self.all = all
    }

    public func encode(to encoder: inout Encoder) {
        encoder.value(organisation)
        encoder.sequence(lines)
        encoder.bool(all)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        organisation = try decoder.value()
        lines = try decoder.sequence(min: 1, max: ListBounds.linesMax)
        all = try decoder.bool()
    }
}

/// An organisation's word that one account may be opened, with this role and by this key: whoever else sees the ticket
/// on its way can do nothing with it.
public struct Ticket: Sendable, Equatable, Canonical {
    public let organisation: OrganisationID
    public let validUntil: UInt64
    /// The issuing key that signed it.
    public let key: PublicKey
    public let signature: Signature

    public init(organisation: OrganisationID, validUntil: UInt64, key: PublicKey, signature: Signature) {
        self.organisation = organisation
        self.validUntil = validUntil
        self.key = key
        self.signature = signature
    }

    public static func signedBytes(
        genesis: Digest, organisation: OrganisationID, line: OpenLine, validUntil: UInt64
    ) -> [UInt8] {
        var encoder = Encoder()
        encoder.fixed(Domain.ticket.prefix)
        encoder.value(genesis)
        encoder.value(organisation)
        encoder.value(line)
        encoder.u64(validUntil)
        return encoder.bytes
    }

    public func verifies(_ line: OpenLine, genesis: Digest) -> Bool {
        key.verifies(
            signature,
            of: Self.signedBytes(genesis: genesis, organisation: organisation, line: line, validUntil: validUntil))
    }

    public func encode(to encoder: inout Encoder) {
        encoder.value(organisation)
        encoder.u64(validUntil)
        encoder.value(key)
        encoder.value(signature)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        organisation = try decoder.value()
        validUntil = try decoder.u64()
        key = try decoder.value()
        signature = try decoder.value()
    }
}

/// Points for one order line.
public struct AccrualLine: Sendable, Equatable, Canonical {
    public let account: AccountID
    public let key: NaturalKey
    public let amount: UInt64
    /// Pending points cannot move until they vest.
    public let pending: Bool

    public init(account: AccountID, key: NaturalKey, amount: UInt64, pending: Bool) {
        self.account = account
        self.key = key
        self.amount = amount
        self.pending = pending
    }

    public func encode(to encoder: inout Encoder) {
        encoder.value(account)
        encoder.value(key)
        encoder.u64(amount)
        encoder.bool(pending)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        account = try decoder.value()
        key = try decoder.value()
        amount = try decoder.u64()
        pending = try decoder.bool()
    }
}

/// Lines of one unit.
public struct UnitList<Line: Canonical & Sendable & Equatable>: Sendable, Equatable, Canonical {
    public let unit: UnitCode
    /// 1 to 8,190 of them.
    public let lines: [Line]
    /// All lines or none.
    public let all: Bool

    public init(unit: UnitCode, lines: [Line], all: Bool = false) {
        self.unit = unit
        self.lines = lines
        self.all = all
    }

    public func encode(to encoder: inout Encoder) {
        encoder.value(unit)
        encoder.sequence(lines)
        encoder.bool(all)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        unit = try decoder.value()
        lines = try decoder.sequence(min: 1, max: ListBounds.linesMax)
        all = try decoder.bool()
    }
}

public typealias AccrueList = UnitList<AccrualLine>
public typealias TotalList = UnitList<TotalLine>

/// What an accrual has come to in all, so that a repeat changes nothing.
public struct TotalLine: Sendable, Equatable, Canonical {
    public let key: NaturalKey
    /// Vested, voided or clawed back so far, this time included.
    public let total: UInt64

    public init(key: NaturalKey, total: UInt64) {
        self.key = key
        self.total = total
    }

    public func encode(to encoder: inout Encoder) {
        encoder.value(key)
        encoder.u64(total)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        key = try decoder.value()
        total = try decoder.u64()
    }
}

/// What a redemption was for, in the taker's own numbering: up to 48 bytes, never personal.
public struct Reference: Sendable, Equatable, Canonical {
    public let bytes: [UInt8]
    public static let byteCountMax = 48

    /// - Precondition: at most 48 bytes.
    public init(_ bytes: [UInt8]) {
        precondition(bytes.count <= Self.byteCountMax, "a reference has at most 48 bytes")
        self.bytes = bytes
    }

    public func encode(to encoder: inout Encoder) { encoder.byteString(bytes) }
    public init(from decoder: inout Decoder) throws(DecodingError) {
        bytes = try decoder.byteString(max: Self.byteCountMax)
    }
}

/// Points that a holder sets aside for an organisation.
public struct Reservation: Sendable, Equatable, Canonical {
    /// What the organisation may do with them.
    public enum Use: Sendable, Equatable {
        case redeem(Reference)
        case transfer(to: AccountID)
    }

    public let account: AccountID
    public let unit: UnitCode
    public let amount: UInt64
    public let organisation: OrganisationID
    public let use: Use
    /// Block time up to which it may be committed.
    public let deadline: UInt64

    public init(
        account: AccountID, unit: UnitCode, amount: UInt64, organisation: OrganisationID, use: Use, deadline: UInt64
    ) {
        self.account = account
        self.unit = unit
        self.amount = amount
        self.organisation = organisation
        self.use = use
        self.deadline = deadline
    }

    public func encode(to encoder: inout Encoder) {
        encoder.value(account)
        encoder.value(unit)
        encoder.u64(amount)
        encoder.value(organisation)
        encoder.value(use)
        encoder.u64(deadline)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        account = try decoder.value()
        unit = try decoder.value()
        amount = try decoder.u64()
        organisation = try decoder.value()
        use = try decoder.value()
        deadline = try decoder.u64()
    }
}

extension Reservation.Use: Canonical {
    public func encode(to encoder: inout Encoder) {
        switch self {
        case .redeem(let reference):
            encoder.variant(0)
            encoder.value(reference)
        case .transfer(let to):
            encoder.variant(1)
            encoder.value(to)
        }
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        self =
            try decoder.variant(below: 2) == 0
            ? .redeem(try decoder.value()) : .transfer(to: try decoder.value())
    }
}
