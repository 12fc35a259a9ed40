import Canonical
import Crypto
import TestSupport

@testable import Ledger

/// Random transactions of all kinds, most of them sensible, from a seed. It looks at the model to find what would
/// make sense now, and iterates over arrays only, so that a seed gives the same transactions in every process.
struct Workload {
    var random: SeededGenerator
    let genesis: Genesis
    private var accounts: [AccountID] = []
    private var units: [UnitCode] = []
    private var lines: [(unit: UnitCode, line: AccrualLine)] = []
    private var linesOfUnit: [UnitCode: [AccrualLine]] = [:]
    private var holds: [HoldID] = []
    private var recent: [Transaction] = []
    private var counter: UInt64 = 0
    private let accountsMax: Int
    /// An account at the bound of lots, in whose unit nothing more fits.
    private(set) var crowded: AccountID?

    static let releasesMax = 3
    static let crowdedUnit = unit("CROWD")
    static let hugeUnit = unit("HUGE")
    static let unclaimedRole = Role.store

    /// - Parameter rules: the version with which the chain begins, beyond which nothing is drawn.
    init(seed: UInt64, accountsMax: Int = 150, rules: UInt32 = Genesis.rulesVersionsKnown.upperBound) {
        random = SeededGenerator(seed: seed)
        self.accountsMax = accountsMax
        var parameters = Parameters()
        parameters.openingsPerMinuteMax = 12
        parameters.unitsPerOrganisationMax = 3
        parameters.replayWindowMilliseconds = 120_000
        parameters.reservationMillisecondsMax = 3 * 86_400_000
        genesis = Genesis(
            chain: "workload", time: 1_706_600_000_000, rulesVersion: rules,
            orderingEpoch: [UInt8](repeating: 1, count: 16),
            parameters: parameters,
            organisations: [
                organisation(1, quota: 400_000), organisation(2, quota: 25_000), organisation(3, quota: .max),
            ])
    }

    // MARK: Drawing

    mutating func chance(_ percent: Double) -> Bool { Double.random(in: 0..<100, using: &random) < percent }
    mutating func number(_ range: ClosedRange<UInt64>) -> UInt64 { UInt64.random(in: range, using: &random) }
    mutating func pick<T>(_ items: [T]) -> T { items[Int.random(in: 0..<items.count, using: &random)] }

    mutating func fresh() -> UInt64 {
        counter += 1
        return counter
    }

    mutating func freshKey() -> PublicKey { key(1_000_000 + fresh()) }

    private mutating func anyAccount() -> AccountID {
        accounts.isEmpty || chance(1) ? account(900_000 + number(0...9)) : pick(accounts)
    }

    private mutating func amount(atMost max: UInt64) -> UInt64 {
        if chance(1) { return 0 }
        if chance(0.3) { return .max }
        if chance(2) || max == 0 { return max &+ number(1...500) }
        return number(1...max)
    }

    // MARK: Blocks

    /// How long after the last block the next one comes.
    mutating func step() -> UInt64 {
        if chance(1.5) { return number(1...40) * 86_400_000 + number(0...86_399_999) }
        if chance(6) { return number(20_000...90_000) }
        return number(1...2500)
    }

    /// The transactions of the next block.
    mutating func block(_ model: Model, time: UInt64, count: Int) -> [Ledger.Input] {
        (0..<count).map { _ in
            let transaction = transaction(model, time)
            return Ledger.Input(transaction, signaturesVerify: !chance(1))
        }
    }

    mutating func learn(_ answers: [Model.Answer]) {
        for answer in answers {
            for case .held(let id, _) in answer.said { holds.append(id) }
        }
        if holds.count > 400 { holds.removeFirst(200) }
    }

    private mutating func transaction(_ model: Model, _ time: UInt64) -> Transaction {
        if !recent.isEmpty, chance(1.5) { return pick(recent) }
        var operations: [Operation] = []
        var signers: [Signer] = []
        let count = chance(9) ? Int(number(2...5)) : 1
        while operations.count < count {
            let (operation, needed) = operation(model, time)
            let missing = needed.filter { signer in !signers.contains { $0.party == signer.party } }
            if signers.count + missing.count > TransactionBody.signersMax { break }
            operations.append(operation)
            signers += missing
        }
        if chance(1.5) {
            let index = Int(number(0...UInt64(signers.count - 1)))
            signers[index] = Signer(signers[index].party, freshKey())
        }
        if chance(1.5) {
            signers = [issuer(UInt32(number(1...4)))]
        } else if chance(1), signers.count > 1 {
            signers.removeLast()
        }
        var nonce = fresh()
        if !recent.isEmpty, chance(2.5) { nonce = pick(recent).body.nonce }
        var validUntil = time + number(0...120_000)
        if chance(0.7) { validUntil = time - number(1...100_000) }
        if chance(0.7) { validUntil = chance(20) ? .max : time + 120_000 + number(1...100_000) }
        let transaction = Transaction(
            body: TransactionBody(nonce: nonce, validUntil: validUntil, signers: signers, operations: operations),
            signatures: [])
        if recent.count < 200 {
            recent.append(transaction)
        } else {
            recent[Int(number(0...199))] = transaction
        }
        return transaction
    }

    // MARK: Operations

    private mutating func operation(_ model: Model, _ time: UInt64) -> (Operation, [Signer]) {
        if units.count < 5 || accounts.count < 10 {
            return chance(30) ? publish(model) : open()
        }
        switch number(0...99) {
        case 0: return publish(model)
        case 1: return governance(model)
        case 2..<7 where accounts.count >= accountsMax && !chance(15): return redeem(model)
        case 2..<5: return open()
        case 5..<7: return openByTicket(time)
        case 7..<10 where !accounts.contains { model.world.holders[$0]?.claimed == false } && !chance(10):
            return transfer(model)
        case 7..<10: return claim(model)
        case 10..<14: return credentials(model)
        case 14..<36: return accrue(model)
        case 36..<44: return totals(model, .vest)
        case 44..<48: return totals(model, .void)
        case 48..<54: return totals(model, .clawBack)
        case 54..<68: return transfer(model)
        case 68..<77: return redeem(model)
        case 77..<86: return reserve(model, time)
        case 86..<93: return settle(model)
        case 93..<95: return freeze(model)
        default: return unfreeze(model)
        }
    }

    /// A key that speaks for the account in the next block; sometimes one that did, or that will.
    private mutating func signers(_ id: AccountID, _ model: Model) -> [Signer] {
        let keys = model.world.holders[id]?.keys ?? []
        if keys.count > 1, chance(20) { return [Signer(.account(id), pick(keys).key)] }
        let valid = keys.first { $0.from <= model.height + 1 && model.height + 1 < $0.to }
        return [Signer(.account(id), valid?.key ?? key(666))]
    }

    /// A unit, most times one that was published.
    private mutating func anyUnit(_ model: Model) -> UnitCode {
        let published = units.filter { model.world.issues[$0] != nil }
        return published.isEmpty || chance(1) ? pick(units) : pick(published)
    }

    private func issuerOf(_ code: UnitCode, _ model: Model) -> UInt32 {
        model.world.issues[code]?.issuer.number ?? 1
    }

    private mutating func publish(_ model: Model) -> (Operation, [Signer]) {
        let codes = ["ALPHA", "BETA", "GAMMA", "DELTA", "EPSILON", "ZETA", "ETA", "THETA", "IOTA", "KAPPA"]
        var code = unit(pick(codes))
        var organisation = UInt32(number(1...3))
        if let issue = model.world.issues[code], !chance(5) { organisation = issue.issuer.number }
        if !units.contains(Self.hugeUnit) { (code, organisation) = (Self.hugeUnit, 3) }
        if !units.contains(code) { units.append(code) }
        let zones: [[ZoneOffset]] = [
            [ZoneOffset(from: 0, minutes: 480)],
            [
                ZoneOffset(from: 0, minutes: 60), ZoneOffset(from: 1_711_846_800_000, minutes: 120),
                ZoneOffset(from: 1_729_990_800_000, minutes: 60),
            ],
            [ZoneOffset(from: 0, minutes: -570), ZoneOffset(from: 1_720_000_000_000, minutes: 845)],
        ]
        var expiry: ExpiryPolicy?
        switch number(0...4) {
        case 0: expiry = .days(UInt16(number(1...90)))
        case 1: expiry = .months(UInt16(number(1...24)))
        case 2: expiry = .yearEnds(UInt16(number(0...3)))
        default: expiry = nil
        }
        let program = Program(
            unit: code, decimals: chance(4) ? 2 : 0, currency: chance(4) ? "EUR" : "CNY",
            faceMinor: chance(50) ? 1 : number(1...5), facePoints: 100, expiry: expiry,
            zone: expiry == nil ? [] : pick(zones))
        return (.publish(program, issuer: OrganisationID(organisation)), [issuer(organisation)])
    }

    private mutating func newLine() -> OpenLine {
        let isNew = accounts.count < accountsMax && !chance(15) || accounts.isEmpty
        let id = isNew ? account(fresh()) : pick(accounts)
        if isNew { accounts.append(id) }
        return OpenLine(
            account: id, role: chance(5) ? .guide : .consumer, credential: chance(70) ? freshKey() : nil,
            guardian: chance(50) ? freshKey() : nil)
    }

    private mutating func open() -> (Operation, [Signer]) {
        let organisation = UInt32(number(1...3))
        let lines = (0..<number(1...4)).map { _ in newLine() }
        return (
            .open(OpenList(organisation: OrganisationID(organisation), lines: lines, all: chance(20))),
            [issuer(organisation)]
        )
    }

    private mutating func openByTicket(_ time: UInt64) -> (Operation, [Signer]) {
        let organisation = UInt32(number(1...3))
        var line = newLine()
        let first = line.credential ?? freshKey()
        line = OpenLine(account: line.account, role: line.role, credential: first, guardian: line.guardian)
        let ticket = Ticket(
            organisation: OrganisationID(organisation), validUntil: chance(12) ? time - 1 : time + 1000,
            key: chance(10) ? freshKey() : issuer(organisation).key,
            signature: Signature(bytes: [UInt8](repeating: 0, count: 64)))
        return (.openByTicket(line, ticket), [Signer(.account(line.account), first)])
    }

    private mutating func claim(_ model: Model) -> (Operation, [Signer]) {
        let unclaimed = accounts.filter { model.world.holders[$0]?.claimed == false }
        let id = unclaimed.isEmpty || chance(10) ? anyAccount() : pick(unclaimed)
        let holder = model.world.holders[id]
        let opener = issuer(chance(5) ? 1 : holder?.opener.number ?? 1)
        var first = freshKey()
        if let holder, holder.claimed { first = signers(id, model)[0].key }
        if let guardian = holder?.guardian, chance(5) { first = guardian }
        let both = [Signer(.account(id), first), opener]
        return (.claim(account: id, credential: first), chance(3) ? [both[0]] : chance(3) ? [both[1]] : both)
    }

    private mutating func credentials(_ model: Model) -> (Operation, [Signer]) {
        // Some accounts collect keys, so that the bound on their number is met.
        let id = chance(25) ? accounts[0] : anyAccount()
        let next = model.height + 1
        let keys = model.world.holders[id]?.keys ?? []
        switch number(0...9) {
        case 0..<6:
            var credential = Credential(key: freshKey(), from: next + number(0...2))
            if id != accounts[0], chance(50) {
                credential = Credential(key: freshKey(), from: next, to: next + number(1...20))
            }
            if chance(6) { credential = Credential(key: freshKey(), from: next - 1) }
            if chance(4) { credential = Credential(key: freshKey(), from: next, to: next) }
            if !keys.isEmpty, chance(8) { credential = pick(keys) }
            if !keys.isEmpty, chance(5) { credential = Credential(key: pick(keys).key, from: next, to: next + 7) }
            return (.addCredential(account: id, credential: credential), signers(id, model))
        case 6..<8:
            let old = keys.isEmpty || chance(5) ? freshKey() : pick(keys).key
            let new = !keys.isEmpty && chance(8) ? pick(keys).key : freshKey()
            return (.rotateCredential(account: id, old: old, new: new), signers(id, model))
        default:
            let gone = keys.isEmpty || chance(5) ? freshKey() : pick(keys).key
            if let guardian = model.world.holders[id]?.guardian, chance(40) {
                return (.revokeCredential(account: id, key: gone), [Signer(.guardian(id), guardian)])
            }
            return (.revokeCredential(account: id, key: gone), signers(id, model))
        }
    }

    /// Whether hardly anything can be issued in a unit any more: the huge one overflows, others are at their quota.
    private func isFull(_ code: UnitCode, _ model: Model) -> Bool {
        guard let issue = model.world.issues[code], let member = model.world.members[issue.issuer] else { return false }
        return issue.minted > 1 << 63 || member.quota < issue.outstanding + 1000
    }

    private mutating func accrue(_ model: Model) -> (Operation, [Signer]) {
        var code = chance(0.5) ? unit("NONE") : anyUnit(model)
        for _ in 0..<8 where isFull(code, model) && !chance(4) { code = anyUnit(model) }
        let large = code == Self.hugeUnit
        var batch: [AccrualLine] = []
        for _ in 0..<number(1...4) {
            if !lines.isEmpty, chance(8) {
                // A repeat, often with something else in it.
                let (_, known) = pick(lines)
                batch.append(
                    AccrualLine(
                        account: chance(15) ? anyAccount() : known.account, key: known.key,
                        amount: chance(15) ? known.amount &+ 1 : known.amount, pending: known.pending))
                continue
            }
            var id = anyAccount()
            if let crowded, code == Self.crowdedUnit, chance(25) { id = crowded }
            var amount = number(1...(large ? 1 << 61 : 400))
            if chance(1) { amount = 0 }
            if chance(0.5) { amount = .max }
            let line = AccrualLine(
                account: id, key: order(fresh(), line: UInt32(number(0...2)), kind: UInt8(number(0...1))),
                amount: amount, pending: chance(45))
            batch.append(line)
            if lines.count < 3000 {
                lines.append((code, line))
                linesOfUnit[code, default: []].append(line)
            } else {
                lines[Int(number(0...2999))] = (code, line)
                let count = linesOfUnit[code]?.count ?? 0
                if count > 0 {
                    linesOfUnit[code]![Int(number(0...UInt64(count - 1)))] = line
                } else {
                    linesOfUnit[code] = [line]
                }
            }
        }
        return (.accrue(AccrueList(unit: code, lines: batch, all: chance(10))), [issuer(issuerOf(code, model))])
    }

    private enum Total { case vest, void, clawBack }

    private mutating func totals(_ model: Model, _ kind: Total) -> (Operation, [Signer]) {
        guard !lines.isEmpty else { return accrue(model) }
        var code = pick(lines).unit
        for _ in 0..<4 where model.world.issues[code] == nil { code = pick(lines).unit }
        let organisation = issuerOf(code, model)
        let mine = linesOfUnit[code]!
        func known(_ line: AccrualLine) -> Model.BusinessKey {
            Model.BusinessKey(issuer: OrganisationID(organisation), key: line.key)
        }
        var batch: [TotalLine] = []
        for _ in 0..<number(1...3) {
            var line = pick(mine)
            for _ in 0..<8 where model.world[known(line)] == nil { line = pick(mine) }
            if chance(2) { line = pick(lines).line }
            if chance(1.5) {
                line = AccrualLine(account: line.account, key: order(fresh() + (1 << 40)), amount: 1, pending: true)
            }
            var total = number(1...max(1, line.amount))
            if let accrual = model.world[known(line)], !chance(12) {
                let (low, high) =
                    switch kind {
                    case .vest: (accrual.vested, accrual.amount - accrual.voided)
                    case .void: (accrual.voided, accrual.amount - accrual.vested)
                    case .clawBack: (accrual.clawed, accrual.vested)
                    }
                if low <= high { total = chance(50) ? high : number(low...high) }
            }
            if chance(2) { total &+= 1 }
            batch.append(TotalLine(key: line.key, total: total))
        }
        let list = TotalList(unit: code, lines: batch, all: chance(10))
        let signers = [issuer(chance(2) ? UInt32(number(1...3)) : organisation)]
        return switch kind {
        case .vest: (.vest(list), signers)
        case .void: (.void(list), signers)
        case .clawBack: (.clawBack(list), signers)
        }
    }

    /// Somebody who has something, most times.
    private mutating func owner(_ model: Model, redeeming: Bool = false) -> (AccountID, UnitCode) {
        for _ in 0..<20 {
            let id = anyAccount()
            let code = anyUnit(model)
            let purse = model.world[id, code]
            let holder = model.world.holders[id]
            if let holder, holder.frozenBy == .nobody, holder.claimed, purse.free > 0, !redeeming || purse.debt == 0 {
                return (id, code)
            }
            if chance(3) { return (id, chance(5) ? unit("NONE") : code) }
        }
        return (anyAccount(), anyUnit(model))
    }

    private mutating func receiver(_ model: Model, _ from: AccountID) -> AccountID {
        if chance(2) { return from }
        for _ in 0..<5 {
            let id = anyAccount()
            if model.world.holders[id]?.claimed == true || chance(15) { return id }
        }
        return anyAccount()
    }

    private mutating func transfer(_ model: Model) -> (Operation, [Signer]) {
        var (from, code) = owner(model)
        var to = receiver(model, from)
        if let crowded, chance(2) {
            // To the crowded account, from who may have lots that it has not.
            (from, to, code) = (chance(50) ? account(78) : anyAccount(), crowded, Self.crowdedUnit)
        }
        // Small amounts keep more accounts in points than a few.
        let available = model.world[from, code].free
        let amount = amount(atMost: chance(80) ? available / 3 + 1 : available)
        return (.transfer(from: from, to: to, unit: code, amount: amount), signers(from, model))
    }

    private mutating func redeem(_ model: Model) -> (Operation, [Signer]) {
        let (id, code) = owner(model, redeeming: true)
        let amount = amount(atMost: model.world[id, code].free)
        return (
            .redeem(account: id, unit: code, amount: amount, reference: Reference(bigEndianBytes(fresh()))),
            signers(id, model)
        )
    }

    private mutating func reserve(_ model: Model, _ time: UInt64) -> (Operation, [Signer]) {
        let (id, code) = owner(model)
        let use: Reservation.Use = chance(50) ? .redeem(Reference([1])) : .transfer(to: receiver(model, id))
        var deadline = time + number(1...600_000)
        if chance(2) { deadline = time - number(0...5) }
        if chance(2) { deadline = chance(30) ? .max : time + 3 * 86_400_000 + 1 }
        let reservation = Reservation(
            account: id, unit: code, amount: amount(atMost: model.world[id, code].free / 2 + 1),
            organisation: OrganisationID(UInt32(chance(2) ? 4 : number(1...3))), use: use, deadline: deadline)
        return (.reserve(reservation), signers(id, model))
    }

    private mutating func settle(_ model: Model) -> (Operation, [Signer]) {
        let open = holds.filter { model.world.holds[$0] != nil }
        guard !open.isEmpty, !chance(3) else {
            let gone = holds.isEmpty ? Digest.zero : pick(holds)
            return (chance(50) ? .commit(hold: gone, amount: 1) : .release(hold: gone), [issuer(1)])
        }
        let id = pick(open)
        let held = model.world.holds[id]!.reservation
        let organisation = chance(3) ? issuer(UInt32(number(1...3))) : issuer(held.organisation.number)
        if chance(25) { return (.release(hold: id), [organisation]) }
        return (.commit(hold: id, amount: chance(40) ? held.amount : amount(atMost: held.amount)), [organisation])
    }

    private mutating func freeze(_ model: Model) -> (Operation, [Signer]) {
        let id = anyAccount()
        if let guardian = model.world.holders[id]?.guardian, chance(50) {
            return (.freeze(account: id), [Signer(.guardian(id), guardian)])
        }
        return (.freeze(account: id), signers(id, model))
    }

    private mutating func unfreeze(_ model: Model) -> (Operation, [Signer]) {
        let frozen = accounts.filter { model.world.holders[$0]?.frozenBy ?? .nobody != .nobody }
        let id = frozen.isEmpty || chance(5) ? anyAccount() : pick(frozen)
        let holder = model.world.holders[id]
        if let guardian = holder?.guardian, holder?.frozenBy == .guardian && !chance(10) || chance(10) {
            return (.unfreeze(account: id), [Signer(.guardian(id), guardian)])
        }
        return (.unfreeze(account: id), signers(id, model))
    }

    // MARK: A crowd of lots

    /// Transactions that bring one account to the bound of lots in one unit: a version of the program a lot.
    mutating func crowd(_ time: UInt64) -> [Ledger.Input] {
        let id = account(77)
        let second = account(78)
        let code = Self.crowdedUnit
        crowded = id
        accounts += [id, second]
        units.append(code)
        var operations: [Operation] = [
            .open(
                OpenList(
                    organisation: OrganisationID(1),
                    lines: [id, second].map { OpenLine(account: $0, credential: freshKey()) }))
        ]
        for number in 0..<UInt64(Holding.lotsMax + 1) {
            operations.append(
                .publish(
                    Program(unit: code, currency: "CNY", faceMinor: 1 + number % 2, facePoints: 1),
                    issuer: OrganisationID(1)))
            let owner = number < UInt64(Holding.lotsMax) ? id : second
            operations.append(
                .accrue(
                    AccrueList(
                        unit: code,
                        lines: [AccrualLine(account: owner, key: order(fresh()), amount: 9, pending: false)])))
        }
        return stride(from: 0, to: operations.count, by: 16).map { start in
            Ledger.Input(
                Transaction(
                    body: TransactionBody(
                        nonce: fresh(), validUntil: time, signers: [issuer(1)],
                        operations: Array(operations[start..<min(start + 16, operations.count)])),
                    signatures: []),
                signaturesVerify: true)
        }
    }
}
