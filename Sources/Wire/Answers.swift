import Canonical
public import Chain
public import Crypto
import JSON
public import Ledger

/// At which certified height an answer stands.
public struct Stamp: Sendable, Equatable {
    public let height: UInt64
    public let stateRoot: Digest

    public init(height: UInt64, stateRoot: Digest) {
        self.height = height
        self.stateRoot = stateRoot
    }
}

/// One thing, and at which height it is so.
public struct Stamped<Value: Sendable>: Sendable {
    public let value: Value
    public let stamp: Stamp

    public init(_ value: Value, _ stamp: Stamp) {
        self.value = value
        self.stamp = stamp
    }
}

/// Some of many things, and where the next ones begin.
public struct Page<Item: Sendable>: Sendable {
    public let items: [Item]
    /// To be given as `cursor` for what comes next; none at the end.
    public let next: String?
    public let stamp: Stamp

    public init(_ items: [Item], next: String?, _ stamp: Stamp) {
        self.items = items
        self.next = next
        self.stamp = stamp
    }

    /// - Parameters:
    ///   - found: what comes next, one more than a page holds where there is more.
    ///   - cursor: names an item as the one that the next page comes after.
    public init(_ found: [Item], limit: Int, cursor: (Item) -> String, _ stamp: Stamp) {
        let items = Array(found.prefix(limit))
        self.init(items, next: found.count > limit ? items.last.map(cursor) : nil, stamp)
    }

    /// Items of one page where nothing is asked for, and at most.
    public static var countDefault: Int { 50 }
    public static var countMax: Int { 500 }
}

extension Form {
    private static var heightField: Field<UInt64> {
        Field("height", .number64, "The certified height at which this is so.")
    }
    private static var rootField: Field<Digest> { Field("stateRoot", .digest, "The state root of that height.") }

    /// `{NAME: …, "height": …, "stateRoot": …}`
    public func stamped(_ name: String) -> Form<Stamped<Value>> where Value: Sendable {
        Form<Stamped<Value>>.object(
            "", Field(name, self), Self.heightField, Self.rootField,
            make: { (value: Value, height: UInt64, root: Digest) throws(JSONError) in
                Stamped(value, Stamp(height: height, stateRoot: root))
            }, parts: { ($0.value, $0.stamp.height, $0.stamp.stateRoot) })
    }

    /// `{"items": […], "next": …, "height": …, "stateRoot": …}`
    public func page() -> Form<Page<Value>> where Value: Sendable {
        Form<Page<Value>>.object(
            "", Field("items", list(0...Page<Value>.countMax)),
            Field.optional("next", .string(1...200), "The cursor of the next page; null at the end."),
            Self.heightField, Self.rootField,
            make: { (items: [Value], next: String?, height: UInt64, root: Digest) throws(JSONError) in
                Page(items, next: next, Stamp(height: height, stateRoot: root))
            }, parts: { ($0.items, $0.next, $0.stamp.height, $0.stamp.stateRoot) })
    }
}

// MARK: The chain

/// Where a node stands.
public struct ChainHead: Sendable {
    public let chain: String
    public let genesis: Digest
    /// The organisation whose node answers.
    public let validator: OrganisationID
    public let rulesVersion: UInt32
    /// Block time of the height in the stamp.
    public let time: UInt64
    public let executed: UInt64
    public let certified: UInt64
    public let validators: UInt32
    public let quorum: UInt32

    public init(
        chain: String, genesis: Digest, validator: OrganisationID, rulesVersion: UInt32, time: UInt64,
        executed: UInt64, certified: UInt64, validators: UInt32, quorum: UInt32
    ) {
        self.chain = chain
        self.genesis = genesis
        self.validator = validator
        self.rulesVersion = rulesVersion
        self.time = time
        self.executed = executed
        self.certified = certified
        self.validators = validators
        self.quorum = quorum
    }
}

extension Form where Value == ChainHead {
    public static let chainHead = object(
        "Where a node stands.",
        Field("chain", .string(1...Genesis.chainBytesMax)), Field("genesis", .digest, "Hash of the genesis."),
        Field("validator", .organisation, "The organisation whose node answers."),
        Field("rulesVersion", .integer, "Of the rules of the next height."),
        Field("time", .time, "Block time of the certified height."),
        Field("executed", .number64), Field("certified", .number64), Field("validators", .integer),
        Field("quorum", .integer, "Distinct validators whose votes make a block final."),
        make: {
            (
                chain: String, genesis: Digest, validator: OrganisationID, rules: UInt32, time: UInt64,
                executed: UInt64, certified: UInt64, validators: UInt32, quorum: UInt32
            ) throws(JSONError) in
            ChainHead(
                chain: chain, genesis: genesis, validator: validator, rulesVersion: rules, time: time,
                executed: executed, certified: certified, validators: validators, quorum: quorum)
        },
        parts: {
            (
                $0.chain, $0.genesis, $0.validator, $0.rulesVersion, $0.time, $0.executed, $0.certified,
                $0.validators, $0.quorum
            )
        }
    ).named("ChainHead")
}

/// What a node's program knows. Apart from ``ChainHead``: every node asks the others for that one, and those of an
/// older release read no member that they do not know.
public struct Software: Sendable, Equatable {
    /// The versions of the rules that it executes.
    public let rules: ClosedRange<UInt32>

    public init(rules: ClosedRange<UInt32>) { self.rules = rules }
}

extension Form where Value == Software {
    public static let software = object(
        "What a node's program knows.",
        Field("rulesOldest", .integer, "The oldest version of the rules that it executes."),
        Field("rulesNewest", .integer, "The newest one. At the first height of a later one the node halts."),
        make: { (oldest: UInt32, newest: UInt32) throws(JSONError) -> Software in
            guard oldest <= newest else { throw JSONError(JSONError.part("rulesNewest"), "is below rulesOldest") }
            return Software(rules: oldest...newest)
        }, parts: { ($0.rules.lowerBound, $0.rules.upperBound) }
    ).named("Software")
}

/// What everybody may know of a transaction.
public struct TransactionSummary: Sendable, Equatable {
    public let id: TransactionID
    public let index: UInt32
    public let kinds: [String]
    public let result: ResultCode

    public init(id: TransactionID, index: UInt32, kinds: [String], result: ResultCode) {
        self.id = id
        self.index = index
        self.kinds = kinds
        self.result = result
    }
}

extension Form where Value == TransactionSummary {
    static let kinds = Form<String>.word(Operation.kinds).list(1...TransactionBody.operationsMax)

    public static let transactionSummary = object(
        "What everybody may know of a transaction.",
        Field("id", .digest), Field("index", .integer, "Its place in the block."), Field("kinds", kinds),
        Field("result", .result), Field("code", .number),
        make: { (id: Digest, index: UInt32, kinds: [String], result: ResultCode, code: ResultCode) throws(JSONError) in
            TransactionSummary(id: id, index: index, kinds: kinds, result: code)
        }, parts: { ($0.id, $0.index, $0.kinds, $0.result, $0.result) }
    ).named("TransactionSummary")
}

/// What everybody may know of a block.
public struct BlockSummary: Sendable {
    public let header: Header
    public let transactions: [TransactionSummary]

    public init(header: Header, transactions: [TransactionSummary]) {
        self.header = header
        self.transactions = transactions
    }
}

extension Form where Value == BlockSummary {
    /// Transactions of one block that an entry can hold.
    public static let blockSummary = object(
        "What everybody may know of a block.",
        Field("hash", .digest, "Hash of its header."), Field("header", .header),
        Field("transactions", Form<TransactionSummary>.transactionSummary.list(0...Entry.transactionsMax)),
        make: { (hash: Digest, header: Header, transactions: [TransactionSummary]) throws(JSONError) in
            BlockSummary(header: header, transactions: transactions)
        }, parts: { ($0.header.hash, $0.header, $0.transactions) }
    ).named("BlockSummary")
}

/// A value of the chain beside the bytes that are signed or hashed.
public struct WithBytes<Value: Sendable>: Sendable {
    public let value: Value
    public let bytes: [UInt8]

    public init(_ value: Value, _ bytes: [UInt8]) {
        self.value = value
        self.bytes = bytes
    }
}

extension Form where Value: Sendable {
    /// `{NAME: …, "bytes": …}`: as members, and as the canonical bytes.
    public func withBytes(_ name: String, max: Int) -> Form<WithBytes<Value>> {
        Form<WithBytes<Value>>.object(
            "", Field(name, self), Field("bytes", .hexadecimal(1...max), "The canonical bytes."),
            make: { (value: Value, bytes: [UInt8]) throws(JSONError) in WithBytes(value, bytes) },
            parts: { ($0.value, $0.bytes) })
    }
}

extension Form where Value == ValidatorSet {
    public static let validators = object(
        "Those who may vote.",
        Field("hash", .digest), Field("quorum", .integer), Field("faulty", .integer, "Faulty ones that are tolerated."),
        Field("members", Form<Validator>.validator.list(1...Genesis.validatorsMax), "In ascending order."),
        make: { (hash: Digest, quorum: UInt32, faulty: UInt32, members: [Validator]) throws(JSONError) in
            guard zip(members, members.dropFirst()).allSatisfy({ $0.id < $1.id }) else {
                throw JSONError(".members", "are not in ascending order")
            }
            return ValidatorSet(members)
        }, parts: { ($0.hash, UInt32($0.quorum), UInt32($0.faulty), $0.validators) }
    ).named("ValidatorSet")
}

extension Form where Value == GenesisOrganisation {
    /// An organisation as it is founded or applies.
    static let organisation = object(
        "An organisation, its keys and what it may have outstanding.", Field("id", .organisation),
        Field("name", .string(1...GenesisOrganisation.nameBytesMax)),
        Field.optional("votingKey", .publicKey, "None: it does not vote."), Field("issuingKey", .publicKey),
        Field("governingKey", .publicKey), Field("quota", .number64),
        make: {
            (
                id: OrganisationID, name: String, voting: PublicKey?, issuing: PublicKey, governing: PublicKey,
                quota: UInt64
            ) throws(JSONError) in
            GenesisOrganisation(
                id: id, name: name, votingKey: voting, issuingKey: issuing, governingKey: governing, quota: quota)
        }, parts: { ($0.id, $0.name, $0.votingKey, $0.issuingKey, $0.governingKey, $0.quota) })

    static let genesisOrganisations = organisation.list(1...Genesis.organisationsMax)
}

extension Form where Value == Genesis {
    public static let genesis = object(
        "What all members agreed on before the first block. The bytes are what counts: their hash names the chain.",
        Field("hash", .digest), Field("chain", .string(1...Genesis.chainBytesMax)), Field("time", .time),
        Field("organisations", Form<GenesisOrganisation>.genesisOrganisations),
        Field("bytes", .hexadecimal(1...1 << 20), "The canonical bytes."),
        make: {
            (hash: Digest, chain: String, time: UInt64, organisations: [GenesisOrganisation], bytes: [UInt8])
                throws(JSONError) in
            guard let genesis = try? Genesis(canonicalBytes: bytes) else {
                throw JSONError(".bytes", "are no genesis")
            }
            return genesis
        }, parts: { ($0.hash, $0.chain, $0.time, $0.organisations, $0.canonicalBytes) }
    ).named("Genesis")
}

// MARK: Accounts

public struct AccountView: Sendable {
    public let id: AccountID
    public let account: Account

    public init(id: AccountID, account: Account) {
        self.id = id
        self.account = account
    }
}

/// What one account holds of one unit, in its smallest parts.
public struct BalanceView: Sendable, Equatable {
    public let unit: UnitCode
    public let available: UInt64
    public let held: UInt64
    public let pending: UInt64
    public let debt: UInt64

    public init(_ unit: UnitCode, available: UInt64, held: UInt64, pending: UInt64, debt: UInt64) {
        self.unit = unit
        self.available = available
        self.held = held
        self.pending = pending
        self.debt = debt
    }

    public init(_ unit: UnitCode, _ holding: Holding?) {
        self.init(
            unit, available: holding?.available ?? 0, held: holding?.held ?? 0, pending: holding?.pending ?? 0,
            debt: holding?.debt ?? 0)
    }
}

extension Form where Value == BalanceView {
    public static let balance = object(
        "What one account holds of one unit, in its smallest parts.",
        Field("unit", .unit), Field("available", .number64, "Can be spent."),
        Field("held", .number64, "Belongs to reservations."), Field("pending", .number64, "Has not vested."),
        Field("debt", .number64, "Owed to the issuer after a return."),
        make: {
            (unit: UnitCode, available: UInt64, held: UInt64, pending: UInt64, debt: UInt64) throws(JSONError) in
            BalanceView(unit, available: available, held: held, pending: pending, debt: debt)
        }, parts: { ($0.unit, $0.available, $0.held, $0.pending, $0.debt) }
    ).named("Balance")
}

extension Form where Value == Lot {
    public static let lot = object(
        "Points with the same terms.",
        Field.optional("expiry", .time, "None: it does not end."), Field("restriction", .integer, "0: free."),
        Field("version", .integer, "Of the program's terms."),
        Field("class", .words { (word: LotTerms.Class) in dashed("\(word)") }), Field("remaining", .number64),
        Field("held", .number64, "Of the remaining, what belongs to reservations."),
        make: {
            (
                expiry: UInt64?, restriction: UInt32, version: UInt32, word: LotTerms.Class, remaining: UInt64,
                held: UInt64
            ) throws(JSONError) in
            Lot(
                terms: LotTerms(
                    expiry: expiry ?? LotTerms.noExpiry, restriction: restriction, version: version, class: word),
                remaining: remaining, held: held)
        },
        parts: {
            (
                $0.terms.expiry == LotTerms.noExpiry ? nil : $0.terms.expiry, $0.terms.restriction, $0.terms.version,
                $0.terms.class, $0.remaining, $0.held
            )
        }
    ).named("Lot")
}

extension Form where Value == AccountView {
    public static let accountView = object(
        "An account: who opened it, which keys speak for it, whether it is frozen.",
        Field("id", .account), Field("role", .role), Field("opener", .organisation), Field("claimed", .bool),
        Field("frozen", .words { (word: Account.Frozen) in dashed("\(word)") }), Field.optional("guardian", .publicKey),
        Field("credentials", Form<Credential>.credential.list(0...Account.credentialsMax)),
        make: {
            (
                id: AccountID, role: Role, opener: OrganisationID, claimed: Bool, frozen: Account.Frozen,
                guardian: PublicKey?, credentials: [Credential]
            ) throws(JSONError) in
            AccountView(
                id: id,
                account: Account(
                    role: role, opener: opener, claimed: claimed, frozen: frozen, guardian: guardian,
                    credentials: credentials))
        },
        parts: {
            (
                $0.id, $0.account.role, $0.account.opener, $0.account.claimed, $0.account.frozen,
                $0.account.guardian, $0.account.credentials
            )
        }
    ).named("Account")
}

// MARK: Units

/// A unit with its newest terms; its totals for its issuer alone.
public struct UnitView: Sendable {
    public struct Totals: Sendable, Equatable {
        public let minted, pending, available, held, redeemed, expired, recalled, clawed, cancelled, debt: UInt64
    }

    public let issuer: OrganisationID
    public let version: UInt32
    public let program: Program
    public let totals: Totals?

    public init(_ unit: Unit, _ program: Program, withTotals: Bool) {
        issuer = unit.issuer
        version = unit.version
        self.program = program
        totals =
            withTotals
            ? Totals(
                minted: unit.minted, pending: unit.pending, available: unit.available, held: unit.held,
                redeemed: unit.redeemed, expired: unit.expired, recalled: unit.recalled, clawed: unit.clawed,
                cancelled: unit.cancelled, debt: unit.debt) : nil
    }

    init(issuer: OrganisationID, version: UInt32, program: Program, totals: Totals?) {
        self.issuer = issuer
        self.version = version
        self.program = program
        self.totals = totals
    }
}

extension Form where Value == UnitView.Totals {
    static let totals = object(
        "Where all points of the unit are. Minted = pending + available + held + redeemed + expired + recalled "
            + "+ clawed + cancelled; the debt is no part of it.",
        Field("minted", .number64), Field("pending", .number64), Field("available", .number64),
        Field("held", .number64), Field("redeemed", .number64), Field("expired", .number64),
        Field("recalled", .number64), Field("clawed", .number64), Field("cancelled", .number64),
        Field("debt", .number64),
        make: {
            (
                minted: UInt64, pending: UInt64, available: UInt64, held: UInt64, redeemed: UInt64, expired: UInt64,
                recalled: UInt64, clawed: UInt64, cancelled: UInt64, debt: UInt64
            ) throws(JSONError) in
            UnitView.Totals(
                minted: minted, pending: pending, available: available, held: held, redeemed: redeemed,
                expired: expired, recalled: recalled, clawed: clawed, cancelled: cancelled, debt: debt)
        },
        parts: {
            (
                $0.minted, $0.pending, $0.available, $0.held, $0.redeemed, $0.expired, $0.recalled, $0.clawed,
                $0.cancelled, $0.debt
            )
        }
    ).named("UnitTotals")
}

extension Form where Value == UnitView {
    public static let unitView = object(
        "A kind of points with its newest terms.",
        Field("issuer", .organisation), Field("version", .integer, "Of its terms, from 1 on."),
        Field("program", .program), Field.optional("totals", .totals, "For its issuer alone.", omitsNull: true),
        make: {
            (issuer: OrganisationID, version: UInt32, program: Program, totals: UnitView.Totals?) throws(JSONError) in
            UnitView(issuer: issuer, version: version, program: program, totals: totals)
        }, parts: { ($0.issuer, $0.version, $0.program, $0.totals) }
    ).named("Unit")
}

/// What was credited under a natural key, and what became of it.
public struct AccrualView: Sendable {
    public let line: AcceptedLine
    public let vested: UInt64
    public let voided: UInt64
    public let clawedBack: UInt64

    public init(line: AcceptedLine, vested: UInt64, voided: UInt64, clawedBack: UInt64) {
        self.line = line
        self.vested = vested
        self.voided = voided
        self.clawedBack = clawedBack
    }
}

extension Form where Value == AccrualView {
    public static let accrualView = object(
        "What was credited under a natural key, and what became of it.",
        Field("account", .account), Field("unit", .unit), Field("amount", .number64), Field("pending", .bool),
        Field("transaction", .digest), Field("vested", .number64), Field("voided", .number64),
        Field("clawedBack", .number64),
        make: {
            (
                account: AccountID, unit: UnitCode, amount: UInt64, pending: Bool, transaction: Digest,
                vested: UInt64, voided: UInt64, clawedBack: UInt64
            ) throws(JSONError) in
            AccrualView(
                line: AcceptedLine(
                    account: account, unit: unit, amount: amount, pending: pending,
                    terms: LotTerms(expiry: LotTerms.noExpiry, version: 0), transaction: transaction),
                vested: vested, voided: voided, clawedBack: clawedBack)
        },
        parts: {
            (
                $0.line.account, $0.line.unit, $0.line.amount, $0.line.pending, $0.line.transaction, $0.vested,
                $0.voided, $0.clawedBack
            )
        }
    ).named("Accrual")
}

extension Form where Value == Hold {
    public static let hold = object(
        "Points set aside for an organisation.",
        Field("account", .account), Field("unit", .unit), Field("organisation", .organisation), Field("use", .use),
        Field("deadline", .time), Field("portions", Form<Portion>.portion.list(0...Holding.lotsMax)),
        make: {
            (
                account: AccountID, unit: UnitCode, organisation: OrganisationID, use: Reservation.Use,
                deadline: UInt64, portions: [Portion]
            ) throws(JSONError) in
            Hold(
                Reservation(
                    account: account, unit: unit, amount: 0, organisation: organisation, use: use, deadline: deadline),
                portions: portions)
        }, parts: { ($0.account, $0.unit, $0.organisation, $0.use, $0.deadline, $0.portions) }
    ).named("Hold")
}
