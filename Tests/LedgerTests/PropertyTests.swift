import Canonical
import Crypto
import Testing

import class Foundation.ProcessInfo

@testable import Ledger

/// Random operations in the ledger and in the model: the same answers and the same balances after every block, and
/// the invariants of the rules of points over the rows that the ledger gave out.
struct PropertyTests {
    static let operationsMin = 100_000
    static let seeds: [UInt64] = [1, 2, 3, 4]

    @Test func ledgerAndModelAgreeOverRandomOperations() throws {
        var tally = Run.Tally()
        // LIANFEN_LEDGER_SEED=n repeats one seed alone; a soak passes LIANFEN_LEDGER_SEEDS=count.
        let environment = ProcessInfo.processInfo.environment
        let single = environment["LIANFEN_LEDGER_SEED"].flatMap { UInt64($0) }
        let many = environment["LIANFEN_LEDGER_SEEDS"].flatMap { UInt64($0) }.map { Array(1...max(1, $0)) }
        let seeds = single.map { [$0] } ?? many ?? Self.seeds
        for seed in seeds {
            var run = try Run(seed: seed, crowded: seed == 1)
            let wanted = tally.operations + Self.operationsMin / Self.seeds.count + 1
            while tally.operations < wanted {
                try run.block(&tally)
            }
            try run.finish()
        }
        guard single == nil else { return }
        #expect(tally.operations >= Self.operationsMin)
        #expect(
            tally.accepted * 2 > tally.operations,
            "seeds \(seeds): \(tally.accepted) of \(tally.operations) operations were accepted")
        // Bounds that random decisions do not reach: GovernanceTests does.
        let far: Set<ResultCode> = [
            .organisationsTooMany, .validatorsTooMany, .proposalsTooMany, .keysTooMany,
        ]
        let never = ResultCode.texts.map(\.code).filter { tally.codes[$0] == nil && !far.contains($0) }
        #expect(never.isEmpty, "seeds \(seeds): never answered: \(never)")
    }

    @Test func everyKindOfOperationIsDrawn() throws {
        var tally = Run.Tally()
        var run = try Run(seed: 9, crowded: false)
        while tally.operations < 3000 { try run.block(&tally) }
        #expect(tally.kinds == Set(Operation.kinds))
    }
}

/// One seed's run.
struct Run {
    struct Tally {
        var operations = 0
        var accepted = 0
        var codes: [ResultCode: Int] = [:]
        var kinds: Set<String> = []
    }

    /// A block that is executed and not yet in the tables.
    private struct Ahead {
        let time: UInt64
        let inputs: [Ledger.Input]
        let output: Ledger.Output
        let bytes: [UInt8]
    }

    let seed: UInt64
    private var workload: Workload
    private var model: Model
    private var ledger: Ledger
    private let store = TestStore()
    private var view = View()
    private var ahead: [Ahead] = []
    private var certifiedTime: UInt64
    private var time: UInt64
    private var crowd: Bool
    private var reopened = 0
    private var voters: [OrganisationID]

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    init(seed: UInt64, crowded: Bool) throws {
        self.seed = seed
        workload = Workload(seed: seed)
        let genesis = workload.genesis
        model = Model(genesis, releasesMax: Workload.releasesMax)
        let changes = Ledger.genesisChanges(genesis)
        store.apply(changes)
        let store = store
        ledger = Ledger(genesis: genesis, loader: { store.row($0, $1) })
        ledger.releasesMax = Workload.releasesMax
        time = genesis.time
        voters = model.voters
        certifiedTime = time
        crowd = crowded
        try view.apply(changes)
    }

    private func check(_ holds: Bool, _ what: @autoclosure () -> String) throws {
        if !holds { throw Failure(description: "seed \(seed), height \(ledger.height): \(what())") }
    }

    mutating func block(_ tally: inout Tally) throws {
        time += workload.step()
        let inputs: [Ledger.Input]
        if crowd {
            inputs = workload.crowd(time)
            crowd = false
        } else {
            inputs = workload.block(model, time: time, count: Int(workload.number(0...45)))
        }
        let output = ledger.execute(height: ledger.height + 1, time: time, inputs)
        let expected = model.block(time: time, inputs)
        if let voters = output.voters {
            try check(voters.map(\.id) == model.voters, "voters \(voters), model \(model.voters)")
        }
        self.voters = output.voters?.map(\.id) ?? voters
        try check(voters == model.voters, "who votes changed and nobody was told")
        for (index, input) in inputs.enumerated() {
            let answer = Model.Answer(output.receipts[index])
            try check(
                answer == expected[index],
                "transaction \(index): \(input.transaction.body.operations) by \(input.transaction.body.signers): "
                    + "ledger \(answer), model \(expected[index])")
            Self.count(input, output.receipts[index], &tally)
        }
        workload.learn(expected)
        try view.apply(output.changes)
        try compare()
        try view.check(
            output, inputs, quotas: model.world.members.mapValues(\.quota)
        ) { "seed \(seed), height \(ledger.height): \($0)" }

        ahead.append(Ahead(time: time, inputs: inputs, output: output, bytes: output.bytes))
        try certify()
    }

    /// Tables follow by 0 to 8 blocks; now and then the ledger is opened anew over them.
    private mutating func certify() throws {
        let lag = Int(workload.number(0...8))
        while ahead.count > lag {
            let first = ahead.removeFirst()
            store.apply(first.output.changes, replaysLeft: first.output.replaysLeft)
            certifiedTime = first.time
        }
        let certified = ledger.height - UInt64(ahead.count)
        ledger.stored(upTo: certified)
        if workload.chance(10) { ledger.state.trim(stored: certified, max: 0) }
        if workload.chance(3) { try reopen(at: certified) }
    }

    private mutating func reopen(at certified: UInt64) throws {
        reopened += 1
        var again = try store.open(ledger.genesis, height: certified, time: certifiedTime)
        again.releasesMax = ledger.releasesMax
        for block in ahead {
            let output = again.execute(height: again.height + 1, time: block.time, block.inputs)
            try check(output.bytes == block.bytes, "executed again from \(certified), \(again.height) differs")
        }
        ledger = again
    }

    mutating func finish() throws {
        try reopen(at: ledger.height - UInt64(ahead.count))
        try check(reopened > 5, "opened anew only \(reopened) times")
        try compare()
    }

    private func compare() throws {
        if view.purses != model.world.purses.filter({ !$0.value.isEmpty }) {
            for (id, purses) in model.world.purses {
                try check(view.purses[id] ?? [:] == purses, "\(id): ledger \(view.purses[id] ?? [:]), model \(purses)")
            }
            try check(false, "the ledger has holdings that the model has not")
        }
        for (code, unit) in view.units {
            guard let issue = model.world.issues[code] else { throw Failure(description: "\(code) in the ledger only") }
            let totals = [unit.minted, unit.redeemed, unit.clawed, unit.cancelled, unit.outstanding]
            let same = totals == [issue.minted, issue.redeemed, issue.clawed, issue.cancelled, issue.outstanding]
            try check(same, "\(unit) against \(issue)")
            try check(Int(unit.version) == issue.programs.count && unit.issuer == issue.issuer, "program of \(unit)")
        }
        try check(view.units.count == model.world.issues.count, "the model has units that the ledger has not")
        try check(Set(view.holds.keys) == Set(model.world.holds.keys), "holds differ")
        let approvals = view.proposals.mapValues { Set($0.approvals) }
        try check(approvals == model.world.motions.mapValues(\.inFavour), "proposals differ")
        try check(view.organisations.count == model.world.members.count, "organisations differ")
        for (id, row) in view.organisations {
            let member = model.world.members[id]!
            let standing: Organisation.Standing =
                member.hasLeft ? .exited : member.isSuspended ? .suspended : .active
            let open = model.world.motions.values.filter { $0.by == id }.count
            let worn = view.votingKeys.filter { $0.value.organisation == id && $0.value.end != nil }
            try check(Set(worn.keys) == Set(member.worn.map(\.key)), "old keys of \(row) against \(member)")
            try check(
                row.votingKey == member.terms.votingKey && row.issuingKey == member.terms.issuingKey
                    && row.governingKey == member.terms.governingKey, "keys of \(row) against \(member)")
            try check(
                row.standing == standing && row.quota == member.quota && Int(row.proposalsOpen) == open,
                "\(row) against \(member)")
        }
        try check(view.accounts.count == model.world.holders.count, "accounts differ")
        for (id, account) in view.accounts {
            let holder = model.world.holders[id]!
            let frozen: Model.Guard =
                switch account.frozen {
                case .no: .nobody
                case .byHolder: .holder
                case .byGuardian: .guardian
                }
            let states = account.claimed == holder.claimed && frozen == holder.frozenBy
            let fixed =
                account.guardian == holder.guardian && account.opener == holder.opener && account.role == holder.role
            try check(states && fixed, "\(id): \(account) against \(holder)")
            if account.credentials.count != 1 || holder.keys != account.credentials {
                func alive(_ keys: [Credential]) -> [Credential] {
                    keys.filter { $0.to > model.height }.sorted { $0.key < $1.key }
                }
                try check(
                    alive(account.credentials) == alive(holder.keys),
                    "\(id): keys \(account.credentials), model \(holder.keys)")
            }
        }
    }

    private static func count(_ input: Ledger.Input, _ receipt: Receipt, _ tally: inout Tally) {
        let operations = input.transaction.body.operations
        tally.operations += operations.count
        tally.codes[receipt.result, default: 0] += 1
        tally.kinds.formUnion(operations.map(\.kind))
        for outcome in receipt.outcomes {
            switch outcome {
            case .exists: tally.codes[.exists, default: 0] += 1
            case .lines(let done, let exceptions):
                for exception in exceptions { tally.codes[exception.result, default: 0] += 1 }
                if done == 0 { continue }
            default: break
            }
            tally.accepted += 1
        }
    }
}

/// What the ledger's rows say, followed from its outputs alone.
struct View {
    struct Place: Hashable {
        let account: AccountID
        let unit: UnitCode
    }

    struct Origin: Hashable {
        let unit: UnitCode
        let terms: Model.Terms
    }

    var purses: [AccountID: [UnitCode: Model.Purse]] = [:]
    var units: [UnitCode: Unit] = [:]
    var accounts: [AccountID: Account] = [:]
    var holds: [HoldID: Hold] = [:]
    var organisations: [OrganisationID: Organisation] = [:]
    private(set) var votingKeys: [PublicKey: VotingKey] = [:]
    var proposals: [ProposalID: Proposal] = [:]
    private var accepted: [Digest: AcceptedLine] = [:]
    private var accruals: [Digest: AccrualTotals] = [:]
    private var settled: [Digest: AccrualTotals] = [:]
    private var clawbacks: [Digest: Clawback] = [:]
    private var pending: [Place: UInt64] = [:]
    private var origins: Set<Origin> = []
    private var burnt: Set<TransactionID> = []
    private var wrong: [String] = []

    mutating func apply(_ changes: [TableChanges]) throws {
        for (a, b) in zip(changes, changes.dropFirst()) where a.table.rawValue >= b.table.rawValue {
            wrong.append("tables out of order")
        }
        // What new accruals are about is needed before their totals.
        for table in changes where table.table == .keys { for row in table.rows { try added(row) } }
        for table in changes {
            if !table.table.isLog {
                for (a, b) in zip(table.rows, table.rows.dropFirst()) where !a.key.lexicographicallyPrecedes(b.key) {
                    wrong.append("rows of \(table.table) out of order")
                }
            }
            for row in table.rows { try apply(row, table.table) }
        }
    }

    private mutating func added(_ row: TableChanges.Row) throws {
        let key = Digest(bytes: row.key)
        let line = try AcceptedLine(canonicalBytes: row.value!)
        // Invariant 8: a natural key gives one accrual.
        if accepted.updateValue(line, forKey: key) != nil { wrong.append("a natural key was used twice") }
        origins.insert(Origin(unit: line.unit, terms: Model.Terms(line.terms)))
    }

    private mutating func apply(_ row: TableChanges.Row, _ table: Table) throws {
        switch table {
        case .holdings:
            var decoder = Decoder(row.key + [UInt8(row.key.count)])
            let id = try AccountID(from: &decoder)
            let code = UnitCode(String(decoding: row.key[16...].prefix { $0 != 0 }, as: UTF8.self))!
            guard let value = row.value else {
                purses[id]?[code] = nil
                if purses[id]?.isEmpty == true { purses[id] = nil }
                return
            }
            let holding = try Holding(canonicalBytes: value)
            if holding == Holding() { wrong.append("an empty holding has a row") }
            if holding.lots.contains(where: { $0.remaining == 0 }) { wrong.append("an empty lot is kept") }
            purses[id, default: [:]][code] = Model.Purse(holding)
        case .units:
            // None: a refused transaction would have made it.
            guard let value = row.value else { return }
            let unit = try Unit(canonicalBytes: value)
            units[unit.code] = unit
        case .accounts:
            accounts[AccountID(bytes: row.key)] = try row.value.map { try Account(canonicalBytes: $0) }
        case .holds:
            holds[Digest(bytes: row.key)] = try row.value.map { try Hold(canonicalBytes: $0) }
        case .accruals:
            let key = Digest(bytes: row.key)
            let totals = try row.value.map { try AccrualTotals(canonicalBytes: $0) }
            count(key, accruals[key], totals)
            accruals[key] = totals
        case .settled:
            let key = Digest(bytes: row.key)
            let totals = try AccrualTotals(canonicalBytes: row.value!)
            if settled.updateValue(totals, forKey: key) != nil { wrong.append("an accrual is settled twice") }
            if accepted[key].map({ $0.amount != totals.vested + totals.voided }) ?? true {
                wrong.append("an accrual is settled with something pending")
            }
        case .clawbacks:
            let key = Digest(bytes: row.key)
            guard let value = row.value else { return }
            let clawback = try Clawback(canonicalBytes: value)
            // Invariant 11: no more is clawed back than was granted, and totals only grow.
            let line = accepted[key]!
            let vested = line.pending ? (accruals[key] ?? settled[key])?.vested ?? line.amount : line.amount
            if clawback.total > vested || clawback.becameDebt > clawback.total
                || clawback.total < clawbacks[key]?.total ?? 0
            {
                wrong.append("a clawback of \(clawback.total) from \(vested)")
            }
            clawbacks[key] = clawback
        case .organisations:
            // None: a refused transaction would have made it.
            guard let value = row.value else { return }
            let row = try Organisation(canonicalBytes: value)
            organisations[row.id] = row
        case .epochs: wrong.append("no transaction begins an epoch")
        case .proposals: proposals[Digest(bytes: row.key)] = try row.value.map { try Proposal(canonicalBytes: $0) }
        case .votingKeys:
            let key = try PublicKey(canonicalBytes: row.key)
            votingKeys[key] = try row.value.map { try VotingKey(canonicalBytes: $0) }
        case .keys, .replays, .programs, .parameters, .offences, .rules: break
        }
    }

    private mutating func count(_ key: Digest, _ before: AccrualTotals?, _ after: AccrualTotals?) {
        guard let line = accepted[key] else {
            // A row that a refused transaction touched and left as it was.
            if after != nil { wrong.append("totals of an accrual that nobody accepted") }
            return
        }
        let place = Place(account: line.account, unit: line.unit)
        if let before { pending[place, default: 0] -= line.amount - before.vested - before.voided }
        if let after {
            if after.vested + after.voided > line.amount { wrong.append("more vested and voided than accrued") }
            pending[place, default: 0] += line.amount - after.vested - after.voided
        }
    }

    /// The invariants, after a block. Their numbers are those of the rules.
    mutating func check(
        _ output: Ledger.Output, _ inputs: [Ledger.Input], quotas: [OrganisationID: UInt64],
        _ place: (String) -> String
    ) throws {
        func check(_ holds: Bool, _ what: @autoclosure () -> String) throws {
            if !holds { throw Run.Failure(description: place(what())) }
        }
        try check(wrong.isEmpty, wrong.joined(separator: "; "))

        // 2, 3: what is held belongs to holds, lot by lot, and is no part of what is available.
        var heldByLot: [Place: [Model.Terms: UInt64]] = [:]
        for hold in holds.values {
            for portion in hold.portions {
                heldByLot[Place(account: hold.account, unit: hold.unit), default: [:]][
                    Model.Terms(portion.terms), default: 0] += portion.amount
            }
        }
        struct Sums {
            var available: UInt64 = 0
            var held: UInt64 = 0
            var pending: UInt64 = 0
            var debt: UInt64 = 0
        }
        var sums: [UnitCode: Sums] = [:]
        for (id, byUnit) in purses {
            for (code, purse) in byUnit {
                var lotsHeld: [Model.Terms: UInt64] = [:]
                for (terms, lot) in purse.lots {
                    sums[code, default: Sums()].available += lot.free
                    if lot.held > 0 {
                        sums[code, default: Sums()].held += lot.held
                        lotsHeld[terms] = lot.held
                    }
                }
                sums[code, default: Sums()].pending += purse.pending
                sums[code, default: Sums()].debt += purse.debt
                let here = Place(account: id, unit: code)
                try check(lotsHeld == heldByLot[here] ?? [:], "\(id) holds \(lotsHeld), its holds \(heldByLot[here]!)")
                // 4: what has not vested stays with its earner.
                try check(purse.pending == pending[here] ?? 0, "\(id): pending is not what its accruals say")
            }
        }
        // 1: conservation, and 6: the quota.
        for (code, unit) in units {
            let sum = sums[code] ?? Sums()
            let stated = [unit.available, unit.held, unit.pending, unit.debt]
            let summed = [sum.available, sum.held, sum.pending, sum.debt]
            try check(stated == summed, "the totals of \(unit) are not those of its holdings")
            let gone = [unit.redeemed, unit.expired, unit.recalled, unit.clawed, unit.cancelled].reduce(0, +)
            let there = sum.available + sum.held + sum.pending
            try check(unit.minted == there + gone, "\(unit) is not conserved")
            try check(unit.outstanding <= quotas[unit.issuer]!, "\(unit) is beyond its quota")
        }
        for (index, input) in inputs.enumerated() where output.receipts[index].result == .done {
            try check(input.signaturesVerify, "a transaction without signatures took effect")
            for (operation, outcome) in zip(input.transaction.body.operations, output.receipts[index].outcomes) {
                try checkSpent(operation, outcome, input.transaction.body, check)
            }
        }
        // 7: a transaction takes effect once; what took effect burnt its nonce.
        for (id, index) in output.burnt {
            try check(burnt.insert(id).inserted, "transaction \(id) was executed twice")
            try check(output.receipts[Int(index)].transaction == id, "burnt names another transaction")
        }
        let done = output.receipts.filter { $0.result == .done }.count
        let named = Set(output.burnt.map(\.index))
        try check(
            output.receipts.indices.allSatisfy { output.receipts[$0].result != .done || named.contains(UInt32($0)) },
            "\(done) done, \(output.burnt.count) burnt")
    }

    private func checkSpent(
        _ operation: Operation, _ outcome: Outcome, _ body: TransactionBody,
        _ check: (Bool, @autoclosure () -> String) throws -> Void
    ) throws {
        let portions: [Portion]
        switch outcome {
        case .spent(let spent): portions = spent
        case .held(_, let held): portions = held
        default: return
        }
        // 4: soonest first. 5: every lot comes from an accrual with these terms.
        try check(
            zip(portions, portions.dropFirst()).allSatisfy { $0.terms < $1.terms }, "\(portions) are out of order")
        switch operation {
        case .transfer(let from, _, let code, let amount), .redeem(let from, let code, let amount, _):
            try check(body.signers.contains { $0.party == .account(from) }, "spent without the holder's key")
            try check(portions.reduce(0) { $0 + $1.amount } == amount, "spent another amount")
            for portion in portions {
                try check(
                    origins.contains(Origin(unit: code, terms: Model.Terms(portion.terms))), "a lot out of nowhere")
            }
        default: break
        }
    }
}
