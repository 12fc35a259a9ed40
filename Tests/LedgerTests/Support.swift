import Canonical
import Crypto

@testable import Ledger

/// A key that nobody signs with: the ledger is told whether signatures verify.
func key(_ number: UInt64) -> PublicKey { PublicKey(bytes: [UInt8](repeating: 0, count: 24) + bigEndianBytes(number)) }

func account(_ number: UInt64) -> AccountID { AccountID(bytes: bigEndianBytes(0xACC0) + bigEndianBytes(number)) }

func order(_ number: UInt64, line: UInt32 = 0, kind: UInt8 = 0, source: String = "SHOP") -> NaturalKey {
    NaturalKey(source: SourceID(source)!, order: bigEndianBytes(number), line: line, kind: kind)
}

func unit(_ code: String) -> UnitCode { UnitCode(code)! }

/// An organisation of a test's genesis: its number gives its keys.
func organisation(_ number: UInt32, quota: UInt64 = 1_000_000) -> GenesisOrganisation {
    GenesisOrganisation(
        id: OrganisationID(number), name: "Mall \(number)", votingKey: key(UInt64(number) * 10 + 1),
        issuingKey: key(UInt64(number) * 10 + 2), governingKey: key(UInt64(number) * 10 + 3), quota: quota)
}

func issuer(_ number: UInt32) -> Signer {
    Signer(.organisation(OrganisationID(number)), key(UInt64(number) * 10 + 2))
}

/// Rows as a node's tables would hold them at a certified height.
///
/// `@unchecked Sendable` is true because one test, in one task, owns the store and the ledger that reads it.
final class TestStore: @unchecked Sendable {
    private struct Key: Hashable {
        let table: Table
        let bytes: [UInt8]
    }

    private var rows: [Key: [UInt8]] = [:]
    /// Tables of which every read fails.
    var unreadable: Set<Table> = []

    func apply(_ changes: [TableChanges], replaysLeft: [UInt64] = []) {
        for table in changes {
            for row in table.rows { rows[Key(table: table.table, bytes: row.key)] = row.value }
        }
        guard !replaysLeft.isEmpty else { return }
        rows = rows.filter { key, value in
            guard key.table == .replays, let row = try? Replay(canonicalBytes: value) else { return true }
            return !replaysLeft.contains(row.place.height)
        }
    }

    func row(_ table: Table, _ bytes: [UInt8]) -> [UInt8]? {
        unreadable.contains(table) ? nil : rows[Key(table: table, bytes: bytes)]
    }

    func all(_ table: Table) -> [(key: [UInt8], value: [UInt8])] {
        rows.filter { $0.key.table == table }.map { ($0.key.bytes, $0.value) }
    }

    /// A ledger as a node opens it: at the height at which these rows stand.
    func open(_ genesis: Genesis, height: UInt64, time: UInt64) throws -> Ledger {
        Ledger(
            genesis: genesis, height: height, time: time,
            replays: try all(.replays).map {
                (try ReplayKey(canonicalBytes: $0.key), try Replay(canonicalBytes: $0.value))
            }.sorted { $0.1.place.height < $1.1.place.height },
            holds: try all(.holds).map { (Digest(bytes: $0.key), try Hold(canonicalBytes: $0.value)) },
            organisations: try all(.organisations).map { try Organisation(canonicalBytes: $0.value).id },
            proposals: try all(.proposals).map { (Digest(bytes: $0.key), try Proposal(canonicalBytes: $0.value)) },
            loader: { self.row($0, $1) })
    }
}

extension Ledger.Output {
    /// All of it as bytes, to compare and to digest.
    var bytes: [UInt8] {
        var encoder = Encoder()
        encoder.sequence(receipts)
        for table in changes {
            encoder.string(table.table.rawValue)
            for row in table.rows {
                encoder.byteString(row.key)
                encoder.bool(row.value != nil)
                if let value = row.value { encoder.byteString(value) }
            }
        }
        for height in replaysLeft { encoder.u64(height) }
        for (id, index) in burnt {
            encoder.value(id)
            encoder.u32(index)
        }
        return encoder.bytes
    }
}

/// A chain of hand-made blocks, for scenarios. Its store takes every block at once.
struct Book {
    let genesis: Genesis
    let store = TestStore()
    var ledger: Ledger
    var time: UInt64
    private var nonce: UInt64 = 0

    /// Noon of 1 March 2024 UTC.
    static let start: UInt64 = 1_709_294_400_000

    init(
        start: UInt64 = Book.start, quota: UInt64 = 1_000_000, organisations: UInt32 = 2,
        _ change: (inout Parameters) -> Void = { _ in }
    ) {
        var parameters = Parameters()
        change(&parameters)
        genesis = Genesis(
            // A version below the newest, so that there is one to decide on. The ledger does what stands in an entry;
            // what may stand there, entries see to.
            chain: "test", time: start, rulesVersion: 1, orderingEpoch: [UInt8](repeating: 7, count: 16),
            parameters: parameters,
            organisations: (1...organisations).map { organisation($0, quota: quota) })
        store.apply(Ledger.genesisChanges(genesis))
        let store = store
        ledger = Ledger(genesis: genesis, loader: { store.row($0, $1) })
        time = start
    }

    /// A transaction that nobody has built before.
    mutating func transaction(_ signers: [Signer], _ operations: [Operation]) -> Transaction {
        nonce += 1
        return Transaction(
            body: TransactionBody(nonce: nonce, validUntil: time + 60_000, signers: signers, operations: operations),
            signatures: [])
    }

    /// Executes a block of these transactions, a second after the last.
    @discardableResult
    mutating func block(_ transactions: [Transaction], after: UInt64 = 1000) -> [Receipt] {
        block(inputs: transactions.map { Ledger.Input($0, signaturesVerify: true) }, after: after).receipts
    }

    @discardableResult
    mutating func block(inputs: [Ledger.Input], after: UInt64 = 1000) -> Ledger.Output {
        time += after
        let output = ledger.execute(height: ledger.height + 1, time: time, inputs)
        store.apply(output.changes, replaysLeft: output.replaysLeft)
        ledger.stored(upTo: ledger.height)
        return output
    }

    /// Executes one transaction in a block of its own.
    @discardableResult
    mutating func run(_ signers: [Signer], _ operations: Operation...) -> Receipt {
        block([transaction(signers, operations)])[0]
    }

    /// Closes the ledger and opens it again over its store.
    mutating func reopen() throws {
        let releases = ledger.releasesMax
        ledger = try store.open(genesis, height: ledger.height, time: time)
        ledger.releasesMax = releases
    }

    func holding(_ id: AccountID, _ code: UnitCode) throws -> Holding? {
        try store.row(.holdings, HoldingKey(account: id, unit: code).keyBytes).map { try Holding(canonicalBytes: $0) }
    }

    func unitRow(_ code: UnitCode) throws -> Unit? {
        try store.row(.units, code.keyBytes).map { try Unit(canonicalBytes: $0) }
    }

    func accountRow(_ id: AccountID) throws -> Account? {
        try store.row(.accounts, id.keyBytes).map { try Account(canonicalBytes: $0) }
    }
}

/// Two malls, of which the first has published MALL and opened accounts 1 and 2, with the keys 101 and 102 and the
/// guardians 201 and 202, and account 3, unclaimed. Account 1 has earned 1,000 in order 1.
extension Book {
    static let mall = unit("MALL")
    static let one = account(1)
    static let two = account(2)
    static let three = account(3)
    static let mallIssuer = issuer(1)
    static let first = Signer(.account(one), key(101))
    static let second = Signer(.account(two), key(102))
    static let guardian = Signer(.guardian(one), key(201))

    static func standard(
        quota: UInt64 = 1_000_000, program: Program = Book.program(), _ change: (inout Parameters) -> Void = { _ in }
    ) -> Book {
        var book = Book(quota: quota, change)
        book.run([mallIssuer], .publish(program, issuer: OrganisationID(1)))
        book.run(
            [mallIssuer],
            .open(
                OpenList(
                    organisation: OrganisationID(1),
                    lines: [
                        OpenLine(account: one, credential: key(101), guardian: key(201)),
                        OpenLine(account: two, credential: key(102), guardian: key(202)),
                        OpenLine(account: three, credential: nil),
                    ])))
        book.run([mallIssuer], accrual(one, order(1), 1000))
        return book
    }

    static func program(
        _ code: UnitCode = mall, expiry: ExpiryPolicy? = nil, zone: [ZoneOffset] = [], face: UInt64 = 1
    ) -> Program {
        Program(
            unit: code, currency: "CNY", faceMinor: face, facePoints: 100, expiry: expiry,
            zone: expiry != nil && zone.isEmpty ? [ZoneOffset(from: 0, minutes: 480)] : zone)
    }

    static func accrual(
        _ id: AccountID, _ key: NaturalKey, _ amount: UInt64, pending: Bool = false, unit: UnitCode = mall
    ) -> Operation {
        .accrue(
            AccrueList(unit: unit, lines: [AccrualLine(account: id, key: key, amount: amount, pending: pending)]))
    }

    static func total(_ key: NaturalKey, _ total: UInt64, unit: UnitCode = mall) -> TotalList {
        TotalList(unit: unit, lines: [TotalLine(key: key, total: total)])
    }

    static func pay(_ amount: UInt64, from: AccountID = one, to: AccountID = two) -> Operation {
        .transfer(from: from, to: to, unit: mall, amount: amount)
    }

    static func buy(_ amount: UInt64, by id: AccountID = one) -> Operation {
        .redeem(account: id, unit: mall, amount: amount, reference: Reference([1]))
    }

    func reservation(
        _ amount: UInt64, for organisation: UInt32 = 2, use: Reservation.Use = .redeem(Reference([1])),
        in milliseconds: UInt64 = 60_000, by id: AccountID = one
    ) -> Operation {
        .reserve(
            Reservation(
                account: id, unit: Self.mall, amount: amount, organisation: OrganisationID(organisation), use: use,
                deadline: time + milliseconds))
    }

    func ticket(_ organisation: UInt32 = 1, key: PublicKey? = nil, until: UInt64? = nil) -> Ticket {
        Ticket(
            organisation: OrganisationID(organisation), validUntil: until ?? time + 60_000,
            key: key ?? issuer(organisation).key, signature: Signature(bytes: [UInt8](repeating: 0, count: 64)))
    }

    /// Reserves, and answers the id of the hold.
    mutating func hold(
        _ amount: UInt64, for organisation: UInt32 = 2, use: Reservation.Use = .redeem(Reference([1])),
        in milliseconds: UInt64 = 60_000
    ) -> HoldID {
        let receipt = run([Self.first], reservation(amount, for: organisation, use: use, in: milliseconds))
        guard case .held(let id, _)? = receipt.outcomes.first else { preconditionFailure("\(receipt) holds nothing") }
        return id
    }

    func available(_ id: AccountID, _ code: UnitCode = mall) throws -> UInt64 {
        try holding(id, code)?.available ?? 0
    }

    func debt(_ id: AccountID) throws -> UInt64 { try holding(id, Self.mall)?.debt ?? 0 }
}

extension Receipt {
    /// What it says about the one thing that was asked: the refusal, or what the line or the operation answered.
    var code: ResultCode {
        guard result == .done else { return result }
        switch outcomes.last {
        case .exists: return .exists
        case .lines(_, let exceptions): return exceptions.first?.result ?? .done
        default: return .done
        }
    }
}

/// Decisions of the members, whose keys follow from their numbers.
extension Book {
    static func governor(_ number: UInt32) -> Signer {
        Signer(.governor(OrganisationID(number)), organisation(number).governingKey)
    }

    @discardableResult
    mutating func propose(_ decision: Decision, by number: UInt32) -> Receipt {
        run([Self.governor(number)], .propose(decision, by: OrganisationID(number)))
    }

    @discardableResult
    mutating func approve(_ id: ProposalID, by number: UInt32) -> Receipt {
        run([Self.governor(number)], .approve(id, by: OrganisationID(number)))
    }

    /// Proposes a decision by the first and approves by the others, as far as it takes them.
    mutating func decide(_ decision: Decision, by numbers: [UInt32]) {
        guard case .proposal(let id, var carried)? = propose(decision, by: numbers[0]).outcomes.first else { return }
        for number in numbers.dropFirst() where !carried {
            if case .proposal(_, let now)? = approve(id, by: number).outcomes.first { carried = now }
        }
    }

    /// An organisation would become a member, with the keys that its number gives it.
    static func admission(_ number: UInt32, votes: Bool = true, votingKey: PublicKey? = nil) -> Decision {
        let whole = organisation(number)
        let terms = GenesisOrganisation(
            id: whole.id, name: whole.name, votingKey: votes ? votingKey ?? whole.votingKey : nil,
            issuingKey: whole.issuingKey, governingKey: whole.governingKey, quota: whole.quota)
        let blank = Signature(bytes: [UInt8](repeating: 0, count: 64))
        return .admit(Application(terms: terms, signatures: Application.keys(of: terms).map { _ in blank }))
    }

    /// An organisation would have the keys that follow from another number, in whole or in part.
    static func exchange(
        _ number: UInt32, keysOf other: UInt32, voting: Bool = true, issuing: Bool = true, governing: Bool = true,
        name: String? = nil, quota: UInt64? = nil, votes: Bool = true
    ) -> Decision {
        let (old, new) = (organisation(number), organisation(other))
        let terms = GenesisOrganisation(
            id: old.id, name: name ?? old.name, votingKey: votes ? (voting ? new : old).votingKey : nil,
            issuingKey: (issuing ? new : old).issuingKey, governingKey: (governing ? new : old).governingKey,
            quota: quota ?? old.quota)
        let blank = Signature(bytes: [UInt8](repeating: 0, count: 64))
        return .keys(Application(terms: terms, signatures: Application.keys(of: terms).map { _ in blank }))
    }

    /// Two votes of a validator for different headers of a height.
    static func evidence(against number: UInt32, height: UInt64 = 3, key: PublicKey? = nil) -> Evidence {
        func vote(_ header: String) -> Vote {
            Vote(
                epoch: 0, height: height, header: SHA256.hash(Array(header.utf8)), time: 1,
                validator: OrganisationID(number), signature: Signature(bytes: [UInt8](repeating: 0, count: 64)))
        }
        return Evidence(vote("one"), vote("other"), key: key ?? organisation(number).votingKey!)!
    }

    func organisationRow(_ number: UInt32) throws -> Organisation? {
        try store.row(.organisations, OrganisationID(number).keyBytes).map { try Organisation(canonicalBytes: $0) }
    }
}
