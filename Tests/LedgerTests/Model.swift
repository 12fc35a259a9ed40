import Canonical
import Crypto
import Ledger

/// The rules of points a second time: plain dictionaries, no journal, no cache, no stored form. What is refused in a
/// transaction of all or none is undone by putting the copy back that was made before it.
struct Model {
    struct Terms: Hashable, Comparable {
        let expiry: UInt64
        let version: UInt32

        static func < (a: Self, b: Self) -> Bool { (a.expiry, a.version) < (b.expiry, b.version) }
    }

    struct Part: Equatable {
        let terms: Terms
        let amount: UInt64
    }

    struct Lot: Equatable {
        var free: UInt64 = 0
        var held: UInt64 = 0
    }

    struct Purse: Equatable {
        var pending: UInt64 = 0
        var debt: UInt64 = 0
        var lots: [Terms: Lot] = [:]

        var free: UInt64 { lots.values.reduce(0) { $0 + $1.free } }
        var held: UInt64 { lots.values.reduce(0) { $0 + $1.held } }
        var isEmpty: Bool { pending == 0 && debt == 0 && lots.isEmpty }

        func hasRoom(for terms: Terms) -> Bool { lots[terms] != nil || lots.count < 2048 }

        mutating func tidy() { lots = lots.filter { $0.value.free + $0.value.held > 0 } }

        mutating func receive(_ amount: UInt64, _ terms: Terms) { lots[terms, default: Lot()].free += amount }

        /// Takes from the lots in this order.
        mutating func take(_ amount: UInt64, _ order: [Terms], toHold: Bool = false) -> [Part] {
            var rest = amount
            var parts: [Part] = []
            for terms in order {
                let now = min(rest, lots[terms]!.free)
                if now == 0 { continue }
                lots[terms]!.free -= now
                if toHold { lots[terms]!.held += now }
                parts.append(Part(terms: terms, amount: now))
                rest -= now
            }
            tidy()
            return parts
        }
    }

    enum Guard { case nobody, holder, guardian }

    struct Holder {
        let role: Role
        let opener: OrganisationID
        let guardian: PublicKey?
        var claimed: Bool
        var frozenBy = Guard.nobody
        var keys: [Credential]

        func speaks(_ key: PublicKey, _ height: UInt64) -> Bool {
            keys.contains { $0.key == key && $0.from <= height && height < $0.to }
        }
    }

    struct Issue {
        let issuer: OrganisationID
        var programs: [Program]
        var minted: UInt64 = 0
        var redeemed: UInt64 = 0
        var clawed: UInt64 = 0
        var cancelled: UInt64 = 0

        var outstanding: UInt64 { minted - redeemed - clawed - cancelled }
    }

    struct Accrual {
        let account: AccountID
        let unit: UnitCode
        let amount: UInt64
        let terms: Terms
        let transaction: TransactionID
        var vested: UInt64
        var voided: UInt64 = 0
        var clawed: UInt64 = 0
    }

    struct Held {
        let reservation: Reservation
        let parts: [Part]
    }

    struct BusinessKey: Hashable {
        let issuer: OrganisationID
        let key: NaturalKey
    }

    /// What a refused transaction must leave as it was.
    struct World {
        var holders: [AccountID: Holder] = [:]
        var purses: [AccountID: [UnitCode: Purse]] = [:]
        var issues: [UnitCode: Issue] = [:]
        var holds: [HoldID: Held] = [:]
        var opened: [OrganisationID: (minute: UInt64, count: UInt32)] = [:]
        var members: [OrganisationID: Member] = [:]
        var motions: [ProposalID: Motion] = [:]
        var offences: Set<[UInt64]> = []
        /// The versions of the rules that were decided, in order.
        var versions: [UInt32]
        /// In drawers, so that a copy costs one drawer when it changes.
        var accruals = [[BusinessKey: Accrual]](repeating: [:], count: 256)

        init(_ genesis: Genesis) {
            versions = [genesis.rulesVersion]
            for founder in genesis.organisations { members[founder.id] = Member(terms: founder, quota: founder.quota) }
        }

        subscript(key: BusinessKey) -> Accrual? {
            get { accruals[Int(key.key.order.last!)][key] }
            set { accruals[Int(key.key.order.last!)][key] = newValue }
        }

        subscript(account: AccountID, unit: UnitCode) -> Purse {
            get { purses[account]?[unit] ?? Purse() }
            set { purses[account, default: [:]][unit] = newValue.isEmpty ? nil : newValue }
        }
    }

    /// What a transaction is expected to answer.
    struct Answer: Equatable {
        var result: ResultCode
        var operation: Int?
        var line: Int?
        var said: [Said] = []
    }

    struct Exception: Equatable {
        let line: Int
        let code: ResultCode
        let first: TransactionID?
    }

    enum Said: Equatable {
        case done
        case exists
        case lines([Exception])
        case spent([Part])
        case held(HoldID, [Part])
        case proposal(ProposalID, carried: Bool)
    }

    struct Refusal: Error {
        let code: ResultCode
        var first: TransactionID?
        var line: Int?

        init(_ code: ResultCode, first: TransactionID? = nil, line: Int? = nil) {
            self.code = code
            self.first = first
            self.line = line
        }
    }

    let genesis: Genesis
    let releasesMax: Int
    var height: UInt64 = 0
    var time: UInt64
    var world: World
    private var nonces: [Party: [UInt64: (id: TransactionID, until: UInt64)]] = [:]

    init(_ genesis: Genesis, releasesMax: Int) {
        self.genesis = genesis
        self.releasesMax = releasesMax
        time = genesis.time
        world = World(genesis)
    }

    mutating func block(time: UInt64, _ inputs: [Ledger.Input]) -> [Answer] {
        height += 1
        self.time = time
        let overdue = world.holds.filter { $0.value.reservation.deadline < time }
            .sorted { ($0.value.reservation.deadline, $0.key) < ($1.value.reservation.deadline, $1.key) }
        for (id, _) in overdue.prefix(releasesMax) { giveBack(id) }
        world.motions = world.motions.filter { $0.value.lapsesAt >= time }

        var answers = [Answer?](repeating: nil, count: inputs.count)
        func hurries(_ input: Ledger.Input) -> Bool {
            input.transaction.body.operations.allSatisfy {
                switch $0 {
                case .freeze, .revokeCredential, .accuse: true
                default: false
                }
            }
        }
        for (index, input) in inputs.enumerated() where hurries(input) { answers[index] = answer(input) }
        for (index, input) in inputs.enumerated() where !hurries(input) { answers[index] = answer(input) }
        return answers.map { $0! }
    }

    private mutating func answer(_ input: Ledger.Input) -> Answer {
        let body = input.transaction.body
        let id = input.transaction.id
        if !input.signaturesVerify { return Answer(result: .signatureInvalid) }
        if time > body.validUntil { return Answer(result: .expired) }
        if body.validUntil > time + genesis.parameters.replayWindowMilliseconds {
            return Answer(result: .validUntilTooFar)
        }
        if let earlier = nonces[body.sender]?[body.nonce], earlier.until >= time {
            return Answer(result: earlier.id == id ? .duplicate : .nonceUsed)
        }
        for signer in body.signers {
            do throws(Refusal) { try speaks(signer, body) } catch { return Answer(result: error.code) }
        }
        nonces[body.sender, default: [:]][body.nonce] = (id, body.validUntil)

        let before = world
        var said: [Said] = []
        for (index, operation) in body.operations.enumerated() {
            do throws(Refusal) {
                said.append(try apply(operation, id, index, body))
            } catch {
                world = before
                return Answer(result: error.code, operation: index, line: error.line)
            }
        }
        return Answer(result: .done, said: said)
    }

    private func speaks(_ signer: Signer, _ body: TransactionBody) throws(Refusal) {
        switch signer.party {
        case .organisation(let id):
            try speaks(for: id, signer.key, \.issuingKey)
        case .governor(let id): try speaks(for: id, signer.key, \.governingKey)
        case .validator(let id): try speaks(for: id, signer.key, \.votingKey)
        case .guardian(let id):
            guard let holder = world.holders[id] else { throw Refusal(.signerUnknown) }
            if holder.guardian != signer.key { throw Refusal(.keyNotValid) }
        case .account(let id):
            guard let holder = world.holders[id] else {
                // Nobody yet, unless a ticket makes the key its first one.
                var refusal = Refusal(.signerUnknown)
                for case .openByTicket(let line, let ticket) in body.operations
                where line.account == id && line.credential == signer.key {
                    guard let wrong = judge(ticket) else { return }
                    if refusal.code == .signerUnknown { refusal = wrong }
                }
                throw refusal
            }
            if holder.speaks(signer.key, height) { return }
            // Nobody speaks for an unclaimed account but who claims it together with its opener.
            let claims = body.operations.contains { $0 == .claim(account: id, credential: signer.key) }
            let withOpener = body.signers.contains { $0.party == .organisation(holder.opener) }
            if holder.claimed || !claims || !withOpener { throw Refusal(.keyNotValid) }
        }
    }

    private func judge(_ ticket: Ticket) -> Refusal? {
        if world.members[ticket.organisation]?.terms.issuingKey != ticket.key { return Refusal(.ticketInvalid) }
        return time > ticket.validUntil ? Refusal(.ticketExpired) : nil
    }

    // MARK: Operations

    private mutating func apply(
        _ operation: Operation, _ id: TransactionID, _ index: Int, _ body: TransactionBody
    ) throws(Refusal) -> Said {
        let parties = body.signers.map(\.party)
        let several = body.operations.count > 1
        func needs(_ party: Party) throws(Refusal) {
            if !parties.contains(party) { throw Refusal(.signerMissing) }
        }
        switch operation {
        case .publish(let program, let issuer):
            try needs(.organisation(issuer))
            try judgeIssuer(issuer)
            return try publish(program, issuer)

        case .open(let list):
            try needs(.organisation(list.organisation))
            try judgeIssuer(list.organisation)
            return try each(list.lines, several || list.all) { model, line throws(Refusal) in
                try model.open(line, list.organisation)
            }

        case .openByTicket(let line, let ticket):
            guard body.signers.contains(where: { $0.party == .account(line.account) && $0.key == line.credential })
            else { throw Refusal(.signerMissing) }
            if let refusal = judge(ticket) { throw refusal }
            try judgeIssuer(ticket.organisation)
            return try open(line, ticket.organisation) ? .done : .exists

        case .claim(let account, let credential):
            guard var holder = world.holders[account] else { throw Refusal(.accountUnknown) }
            guard body.signers.contains(Signer(.account(account), credential)) else { throw Refusal(.signerMissing) }
            try needs(.organisation(holder.opener))
            if holder.claimed { throw Refusal(.accountClaimed) }
            if holder.guardian == credential { throw Refusal(.credentialExists) }
            holder.claimed = true
            holder.keys = [Credential(key: credential, from: height)]
            world.holders[account] = holder
            return .done

        case .addCredential(let account, let credential):
            guard let holder = world.holders[account] else { throw Refusal(.accountUnknown) }
            try needs(.account(account))
            let alive = holder.keys.filter { $0.to > height }
            if alive.contains(credential) { return .exists }
            if alive.contains(where: { $0.key == credential.key }) || holder.guardian == credential.key {
                throw Refusal(.credentialExists)
            }
            if alive.count >= 16 { throw Refusal(.credentialsTooMany) }
            if credential.from < height || credential.to <= credential.from { throw Refusal(.heightsInvalid) }
            world.holders[account]!.keys.append(credential)
            return .done

        case .rotateCredential(let account, let old, let new):
            guard let holder = world.holders[account] else { throw Refusal(.accountUnknown) }
            try needs(.account(account))
            if holder.keys.contains(where: { $0.key == new && $0.to > height }) || holder.guardian == new {
                throw Refusal(.credentialExists)
            }
            guard holder.speaks(old, height) else { throw Refusal(.credentialUnknown) }
            let replaced = holder.keys.first { $0.key == old && $0.to > height }!
            world.holders[account]!.keys.removeAll { $0 == replaced }
            world.holders[account]!.keys.append(Credential(key: new, from: height, to: replaced.to))
            return .done

        case .revokeCredential(let account, let key):
            guard let holder = world.holders[account] else { throw Refusal(.accountUnknown) }
            if !parties.contains(.guardian(account)) { try needs(.account(account)) }
            let others = holder.keys.filter { $0.key != key && $0.to > height }
            guard holder.keys.contains(where: { $0.key == key && $0.to > height }) else {
                throw Refusal(.credentialUnknown)
            }
            guard others.contains(where: { $0.from <= height }) else { throw Refusal(.credentialLast) }
            world.holders[account]!.keys = others
            return .done

        case .accrue(let list):
            guard let issue = world.issues[list.unit] else { throw Refusal(.unitUnknown) }
            try needs(.organisation(issue.issuer))
            try judgeIssuer(issue.issuer)
            let terms = Terms(
                expiry: ModelCalendar.shared.expiry(issue.programs.last!, earnedAt: time),
                version: UInt32(issue.programs.count))
            return try each(list.lines, several || list.all) { model, line throws(Refusal) in
                try model.accrue(line, list.unit, terms, id)
            }

        case .vest(let list): return try totals(list, several, parties) { $0.vest(&$1, $2) }
        case .void(let list): return try totals(list, several, parties) { $0.void(&$1, $2) }
        case .clawBack(let list): return try totals(list, several, parties) { $0.clawBack(&$1, $2) }

        case .transfer(let from, let to, let unit, let amount):
            try needs(.account(from))
            try judgeAmount(amount, unit)
            if from == to { throw Refusal(.selfAddressed) }
            try judgeSender(from)
            try judgeReceiver(to)
            if world[from, unit].free < amount { throw Refusal(.balanceInsufficient) }
            var purse = world[from, unit]
            let parts = purse.take(amount, purse.lots.keys.sorted())
            try receive(parts, to, unit)
            world[from, unit] = purse
            return .spent(parts)

        case .redeem(let account, let unit, let amount, _):
            try needs(.account(account))
            try judgeAmount(amount, unit)
            try judgeSender(account)
            if world[account, unit].debt > 0 { throw Refusal(.debtOutstanding) }
            if world[account, unit].free < amount { throw Refusal(.balanceInsufficient) }
            let order = world[account, unit].lots.keys.sorted()
            let parts = world[account, unit].take(amount, order)
            world.issues[unit]!.redeemed += amount
            return .spent(parts)

        case .reserve(let wish):
            try needs(.account(wish.account))
            try judgeAmount(wish.amount, wish.unit)
            if wish.use == .transfer(to: wish.account) { throw Refusal(.selfAddressed) }
            try judgeSender(wish.account)
            if case .transfer(let to) = wish.use {
                try judgeReceiver(to)
            } else if world[wish.account, wish.unit].debt > 0 {
                throw Refusal(.debtOutstanding)
            }
            if world[wish.account, wish.unit].free < wish.amount { throw Refusal(.balanceInsufficient) }
            if world.members[wish.organisation] == nil { throw Refusal(.organisationUnknown) }
            if wish.deadline <= time { throw Refusal(.deadlinePast) }
            if wish.deadline - time > genesis.parameters.reservationMillisecondsMax { throw Refusal(.deadlineTooFar) }
            let order = world[wish.account, wish.unit].lots.keys.sorted()
            let parts = world[wish.account, wish.unit].take(wish.amount, order, toHold: true)
            let hold = SHA256.hash(.hold, id.bytes + [UInt8(index)])
            world.holds[hold] = Held(reservation: wish, parts: parts)
            return .held(hold, parts)

        case .commit(let hold, let amount):
            guard let held = world.holds[hold] else { throw Refusal(.holdUnknown) }
            let wish = held.reservation
            try needs(.organisation(wish.organisation))
            if amount == 0 { throw Refusal(.amountZero) }
            if world.holders[wish.account]!.frozenBy != .nobody { throw Refusal(.accountFrozen) }
            if case .redeem = wish.use, world[wish.account, wish.unit].debt > 0 { throw Refusal(.debtOutstanding) }
            if wish.deadline < time { throw Refusal(.holdOverdue) }
            if amount > wish.amount { throw Refusal(.balanceInsufficient) }
            var rest = amount
            var used: [Part] = []
            for part in held.parts where rest > 0 {
                used.append(Part(terms: part.terms, amount: min(rest, part.amount)))
                rest -= used.last!.amount
            }
            if case .transfer(let to) = wish.use {
                try receive(used, to, wish.unit)
            } else {
                world.issues[wish.unit]!.redeemed += amount
            }
            giveBack(hold)
            var purse = world[wish.account, wish.unit]
            for part in used { purse.lots[part.terms]!.free -= part.amount }
            purse.tidy()
            world[wish.account, wish.unit] = purse
            return .spent(used)

        case .release(let hold):
            guard let held = world.holds[hold] else { throw Refusal(.holdUnknown) }
            try needs(.organisation(held.reservation.organisation))
            giveBack(hold)
            return .done

        case .freeze(let account):
            guard let holder = world.holders[account] else { throw Refusal(.accountUnknown) }
            if parties.contains(.guardian(account)) {
                world.holders[account]!.frozenBy = .guardian
                return holder.frozenBy == .guardian ? .exists : .done
            }
            try needs(.account(account))
            if holder.frozenBy != .nobody { return .exists }
            world.holders[account]!.frozenBy = .holder
            return .done

        case .unfreeze(let account):
            guard let holder = world.holders[account] else { throw Refusal(.accountUnknown) }
            let guardian = parties.contains(.guardian(account))
            if !guardian { try needs(.account(account)) }
            if holder.frozenBy == .nobody { return .exists }
            if holder.frozenBy == .guardian, !guardian { throw Refusal(.guardianRequired) }
            world.holders[account]!.frozenBy = .nobody
            return .done

        case .propose(let decision, let by):
            try needs(.governor(by))
            return try propose(decision, by, SHA256.hash(.proposal, id.bytes + [UInt8(index)]))

        case .approve(let proposal, let by):
            guard let motion = world.motions[proposal] else { throw Refusal(.proposalUnknown) }
            try needs(.governor(by))
            return try approve(proposal, motion, by)

        case .accuse(let evidence): return try accuse(evidence)
        }
    }

    private mutating func publish(_ program: Program, _ issuer: OrganisationID) throws(Refusal) -> Said {
        guard let there = world.issues[program.unit] else {
            let count = world.issues.values.filter { $0.issuer == issuer }.count
            if count >= genesis.parameters.unitsPerOrganisationMax { throw Refusal(.unitsTooMany) }
            world.issues[program.unit] = Issue(issuer: issuer, programs: [program])
            return .done
        }
        if there.issuer != issuer { throw Refusal(.unitTaken) }
        let first = there.programs[0]
        if first.decimals != program.decimals || first.currency != program.currency {
            throw Refusal(.programFieldFixed)
        }
        if there.programs.last == program { return .exists }
        world.issues[program.unit]!.programs.append(program)
        return .done
    }

    /// Answers false where the account is there.
    private mutating func open(_ line: OpenLine, _ organisation: OrganisationID) throws(Refusal) -> Bool {
        if let there = world.holders[line.account] {
            if there.opener != organisation || there.role != line.role { throw Refusal(.accountTaken) }
            return false
        }
        let minute = time / 60_000
        let opened = world.opened[organisation].map { $0.minute == minute ? $0.count : 0 } ?? 0
        if opened >= genesis.parameters.openingsPerMinuteMax { throw Refusal(.openingsTooMany) }
        world.opened[organisation] = (minute, opened + 1)
        world.holders[line.account] = Holder(
            role: line.role, opener: organisation, guardian: line.guardian, claimed: line.credential != nil,
            keys: line.credential.map { [Credential(key: $0, from: height)] } ?? [])
        return true
    }

    private mutating func accrue(
        _ line: AccrualLine, _ unit: UnitCode, _ terms: Terms, _ id: TransactionID
    ) throws(Refusal) -> Bool {
        if line.amount == 0 { throw Refusal(.amountZero) }
        let issue = world.issues[unit]!
        let key = BusinessKey(issuer: issue.issuer, key: line.key)
        if let there = world[key] {
            if there.account != line.account {
                throw Refusal(.existsWithDifferentAccount, first: there.transaction)
            }
            if there.unit != unit { throw Refusal(.existsWithDifferentUnit, first: there.transaction) }
            if there.amount != line.amount { throw Refusal(.existsWithDifferentAmount, first: there.transaction) }
            return false
        }
        if UInt64.max - issue.minted < line.amount { throw Refusal(.amountTooLarge) }
        guard let holder = world.holders[line.account] else { throw Refusal(.accountUnknown) }
        if !holder.claimed, holder.opener != issue.issuer { throw Refusal(.unitForeign) }
        let quota = world.members[issue.issuer]!.quota
        if issue.outstanding > quota || line.amount > quota - issue.outstanding { throw Refusal(.quotaExceeded) }
        if !world[line.account, unit].hasRoom(for: terms) { throw Refusal(.lotsTooMany) }
        world.issues[unit]!.minted += line.amount
        world[key] = Accrual(
            account: line.account, unit: unit, amount: line.amount, terms: terms, transaction: id, vested: 0)
        world[line.account, unit].pending += line.amount
        if !line.pending { vestStep(key, line.amount) }
        return true
    }

    /// Pending points arrive: first at what the earner owes, then in the lot.
    private mutating func vestStep(_ key: BusinessKey, _ step: UInt64) {
        let accrual = world[key]!
        world[key]!.vested += step
        var purse = world[accrual.account, accrual.unit]
        purse.pending -= step
        let repaid = min(step, purse.debt)
        purse.debt -= repaid
        if step > repaid { purse.receive(step - repaid, accrual.terms) }
        world[accrual.account, accrual.unit] = purse
        world.issues[accrual.unit]!.clawed += repaid
    }

    // MARK: Totals

    private typealias TotalRule = (inout Model, inout ResultCode?, (key: BusinessKey, total: UInt64)) -> Bool

    private mutating func totals(
        _ list: TotalList, _ several: Bool, _ parties: [Party], _ rule: TotalRule
    ) throws(Refusal) -> Said {
        guard let issue = world.issues[list.unit] else { throw Refusal(.unitUnknown) }
        if !parties.contains(.organisation(issue.issuer)) { throw Refusal(.signerMissing) }
        return try each(list.lines, several || list.all) { model, line throws(Refusal) in
            if line.total == 0 { throw Refusal(.amountZero) }
            let key = BusinessKey(issuer: issue.issuer, key: line.key)
            guard let accrual = model.world[key] else { throw Refusal(.accrualUnknown) }
            if accrual.unit != list.unit {
                throw Refusal(.existsWithDifferentUnit, first: accrual.transaction)
            }
            var refused: ResultCode?
            let changed = rule(&model, &refused, (key, line.total))
            if let refused { throw Refusal(refused) }
            return changed
        }
    }

    private mutating func vest(_ refused: inout ResultCode?, _ line: (key: BusinessKey, total: UInt64)) -> Bool {
        let accrual = world[line.key]!
        if line.total == accrual.vested { return false }
        if line.total < accrual.vested {
            refused = .totalBelowRecorded
        } else if line.total > accrual.amount - accrual.voided {
            refused = .totalAboveAmount
        } else if !world[accrual.account, accrual.unit].hasRoom(for: accrual.terms) {
            refused = .lotsTooMany
        } else {
            vestStep(line.key, line.total - accrual.vested)
        }
        return true
    }

    private mutating func void(_ refused: inout ResultCode?, _ line: (key: BusinessKey, total: UInt64)) -> Bool {
        let accrual = world[line.key]!
        if line.total == accrual.voided { return false }
        if line.total < accrual.voided {
            refused = .totalBelowRecorded
        } else if line.total > accrual.amount - accrual.vested {
            refused = .totalAboveAmount
        } else {
            let step = line.total - accrual.voided
            world[line.key]!.voided = line.total
            world[accrual.account, accrual.unit].pending -= step
            world.issues[accrual.unit]!.cancelled += step
        }
        return true
    }

    private mutating func clawBack(_ refused: inout ResultCode?, _ line: (key: BusinessKey, total: UInt64)) -> Bool {
        let accrual = world[line.key]!
        if line.total == accrual.clawed { return false }
        if line.total < accrual.clawed {
            refused = .totalBelowRecorded
        } else if line.total > accrual.vested {
            refused = .totalAboveAmount
        } else {
            let step = line.total - accrual.clawed
            world[line.key]!.clawed = line.total
            var purse = world[accrual.account, accrual.unit]
            let taken = min(step, purse.free)
            // The accrual's own lot, then the others as if they were spent.
            var order = purse.lots.keys.sorted().filter { $0 != accrual.terms }
            if purse.lots[accrual.terms] != nil { order.insert(accrual.terms, at: 0) }
            _ = purse.take(taken, order)
            purse.debt += step - taken
            world[accrual.account, accrual.unit] = purse
            world.issues[accrual.unit]!.clawed += taken
        }
        return true
    }

    // MARK: Shared

    private mutating func each<L>(
        _ lines: [L], _ whole: Bool, _ one: (inout Model, L) throws(Refusal) -> Bool
    ) throws(Refusal) -> Said {
        var exceptions: [Exception] = []
        for (index, line) in lines.enumerated() {
            do throws(Refusal) {
                if try !one(&self, line) { exceptions.append(Exception(line: index, code: .exists, first: nil)) }
            } catch {
                if whole { throw Refusal(error.code, line: index) }
                exceptions.append(Exception(line: index, code: error.code, first: error.first))
            }
        }
        return .lines(exceptions)
    }

    private func judgeAmount(_ amount: UInt64, _ unit: UnitCode) throws(Refusal) {
        if amount == 0 { throw Refusal(.amountZero) }
        if world.issues[unit] == nil { throw Refusal(.unitUnknown) }
    }

    private func judgeSender(_ id: AccountID) throws(Refusal) {
        guard let holder = world.holders[id] else { throw Refusal(.accountUnknown) }
        if !holder.claimed { throw Refusal(.accountUnclaimed) }
        if holder.frozenBy != .nobody { throw Refusal(.accountFrozen) }
    }

    private func judgeReceiver(_ id: AccountID) throws(Refusal) {
        guard let holder = world.holders[id] else { throw Refusal(.accountUnknown) }
        if !holder.claimed { throw Refusal(.accountUnclaimed) }
    }

    private mutating func receive(_ parts: [Part], _ id: AccountID, _ unit: UnitCode) throws(Refusal) {
        var purse = world[id, unit]
        for part in parts {
            if !purse.hasRoom(for: part.terms) { throw Refusal(.lotsTooMany) }
            purse.receive(part.amount, part.terms)
        }
        world[id, unit] = purse
    }

    private mutating func giveBack(_ id: HoldID) {
        let held = world.holds.removeValue(forKey: id)!
        var purse = world[held.reservation.account, held.reservation.unit]
        for part in held.parts {
            purse.lots[part.terms]!.held -= part.amount
            purse.lots[part.terms]!.free += part.amount
        }
        world[held.reservation.account, held.reservation.unit] = purse
    }
}

// MARK: What the ledger says, in the model's words

extension Model.Terms {
    init(_ terms: LotTerms) { self.init(expiry: terms.expiry, version: terms.version) }
}

extension Model.Answer {
    init(_ receipt: Receipt) {
        self.init(
            result: receipt.result, operation: receipt.operation.map { Int($0) }, line: receipt.line.map { Int($0) },
            said: receipt.outcomes.map(Model.Said.init))
    }
}

extension Model.Said {
    init(_ outcome: Outcome) {
        func parts(_ portions: [Portion]) -> [Model.Part] {
            portions.map { Model.Part(terms: Model.Terms($0.terms), amount: $0.amount) }
        }
        switch outcome {
        case .done: self = .done
        case .exists: self = .exists
        case .lines(_, let exceptions):
            self = .lines(
                exceptions.map {
                    Model.Exception(line: Int($0.index), code: $0.result, first: $0.result == .exists ? nil : $0.first)
                })
        case .spent(let portions): self = .spent(parts(portions))
        case .held(let id, let portions): self = .held(id, parts(portions))
        case .proposal(let id, let carried): self = .proposal(id, carried: carried)
        }
    }
}

extension Model.Purse {
    init(_ holding: Holding) {
        pending = holding.pending
        debt = holding.debt
        for lot in holding.lots { lots[Model.Terms(lot.terms)] = Model.Lot(free: lot.available, held: lot.held) }
    }
}
