import Canonical
import Concurrency
import Crypto
import Glibc
import Intake
import JSON
import Ledger
import Node
import Registrar
import Storage
import Terminal
import Wallet

/// Brings orders onto the chain in batches: accounts first, then accruals, then what has vested or was cancelled since
/// an earlier run. Every step may be repeated, so a run that was stopped is finished by another.
struct Importer {
    private let directory: ChainDirectory
    private let mapping: Mapping
    private let reader: OrderReader
    private let people: People
    private let consortium: Consortium
    private let rejects: RejectsWriter
    private let source: SourceID
    private var totals = ImportTotals()
    private var authors: [OrganisationID: Author] = [:]

    /// Openings are limited by the minute; this long without a single one, a run gives up.
    private static let openingWaitSecondsMax = 180

    init(
        _ directory: ChainDirectory, _ mapping: Mapping, _ reader: OrderReader, _ people: People,
        _ consortium: Consortium, _ rejects: RejectsWriter
    ) throws {
        self.directory = directory
        self.mapping = mapping
        self.reader = reader
        self.people = people
        self.consortium = consortium
        self.rejects = rejects
        source = try Self.source(mapping)
    }

    static func source(_ mapping: Mapping) throws -> SourceID {
        guard let source = SourceID(mapping.source) else {
            throw MappingError("$.source", "it is not 1 to 16 printable ASCII characters")
        }
        return source
    }

    /// - Parameter note: told where the run has to wait for something.
    mutating func run(
        _ bar: ProgressBar, _ stop: StopRequest, note: (String) -> Void
    ) throws -> ImportTotals {
        for program in mapping.programs {
            let id = OrganisationID(program.organisation)
            if authors[id] == nil { authors[id] = try directory.issuer(id) }
        }
        try publishMissing()
        var batch: [Order] = []
        var isAtEnd = false
        while !stop.isRequested {
            guard let row = try reader.next() else {
                isAtEnd = true
                break
            }
            bar.advance()
            switch row {
            case .order(let order):
                totals.count(order, \.orders)
                batch.append(order)
                if batch.count == ListBounds.linesMax {
                    guard try credit(batch, stop, note) else { return stopped() }
                    batch = []
                }
            case .earnsNothing: totals.nothingEarned += 1
            case .rejected(let reject): try self.reject(reject)
            }
        }
        guard batch.isEmpty ? true : try credit(batch, stop, note), isAtEnd else { return stopped() }
        return totals
    }

    private mutating func stopped() -> ImportTotals {
        totals.stopped = true
        return totals
    }

    private mutating func reject(_ reject: Reject) throws {
        totals.rejected += 1
        try rejects.write(reject)
    }

    // MARK: Programs

    private func publishMissing() throws {
        for program in mapping.programs {
            guard let wanted = try Self.missing(program, of: mapping, in: consortium.first.blocks) else { continue }
            let issuer = OrganisationID(program.organisation)
            _ = try Submission.receipt(submit([.publish(wanted, issuer: issuer)], issuer)())
        }
    }

    /// The program as it is to be published; nil where the chain has its unit.
    /// - Throws: where the chain has a unit of that code that is not this one.
    static func missing(
        _ program: Mapping.Program, of mapping: Mapping, in tables: BlockStore
    ) throws -> Program? {
        let wanted = try ledgerProgram(program, of: mapping)
        guard let unit = try tables.unit(wanted.unit) else { return wanted }
        func require(_ isSame: Bool, _ what: String, _ there: String, _ here: String) throws {
            guard !isSame else { return }
            throw CommandError(
                code: "program-differs", field: program.code,
                reason: "the chain has this unit with \(what) \(there), and the mapping says \(here); "
                    + "use the same, or another code")
        }
        let issuer = OrganisationID(program.organisation)
        try require(unit.issuer == issuer, "the issuer", "\(unit.issuer)", "\(issuer)")
        try require(unit.decimals == wanted.decimals, "decimals", "\(unit.decimals)", "\(wanted.decimals)")
        try require(unit.currency == wanted.currency, "the currency", unit.currency, wanted.currency)
        return nil
    }

    private static func ledgerProgram(_ program: Mapping.Program, of mapping: Mapping) throws -> Program {
        guard let unit = UnitCode(program.code) else {
            throw MappingError("$.programs", "\(program.code) is no unit code: it begins with a letter")
        }
        let expiry: ExpiryPolicy? =
            switch program.expiry {
            case .days(let days): .days(UInt16(clamping: days))
            case .months(let months): .months(UInt16(clamping: months))
            case nil: nil
            }
        let minutes = mapping.date?.pattern.offsetMinutes ?? 0
        let wanted = Program(
            unit: unit, decimals: UInt8(program.decimals), currency: program.currency,
            faceMinor: program.faceValue.minor, facePoints: program.faceValue.points, expiry: expiry,
            zone: expiry == nil ? [] : [ZoneOffset(from: 0, minutes: Int16(clamping: minutes))])
        guard (try? Program(canonicalBytes: wanted.canonicalBytes)) == wanted else {
            throw MappingError("$.programs", "the terms of \(program.code) are outside the ledger's limits")
        }
        return wanted
    }

    // MARK: Batches

    /// Answers false where the run was stopped while it waited; nothing of these orders stands on the chain then.
    private mutating func credit(_ orders: [Order], _ stop: StopRequest, _ note: (String) -> Void) throws -> Bool {
        guard let accounts = try open(orders, stop, note) else { return false }
        let accrued = try accrue(orders, accounts)
        try settle(orders, accrued)
        return true
    }

    /// Sees to it that everybody has an account; answers each order's, or nil where the run was stopped.
    private mutating func open(
        _ orders: [Order], _ stop: StopRequest, _ note: (String) -> Void
    ) throws -> [AccountID]? {
        // An unclaimed account takes only the points of who opened it, so a person has one with each issuer.
        let persons = orders.map { "\(issuer(of: $0).number)/\($0.person)" }
        let assigned = try people.accounts(for: persons, source: mapping.source)
        var missing: [OrganisationID: [AccountID]] = [:]
        var seen: Set<AccountID> = []
        for (order, assignment) in zip(orders, assigned) where !assignment.isOpened {
            let account = AccountID(bytes: assignment.account)
            if seen.insert(account).inserted { missing[issuer(of: order), default: []].append(account) }
        }
        for (organisation, accounts) in missing.sorted(by: { $0.key < $1.key }) {
            guard try open(accounts, organisation, stop, note) else { return nil }
            try people.markOpened(accounts.map(\.bytes))
        }
        return assigned.map { AccountID(bytes: $0.account) }
    }

    private func open(
        _ accounts: [AccountID], _ organisation: OrganisationID, _ stop: StopRequest, _ note: (String) -> Void
    ) throws -> Bool {
        var left = accounts
        var secondsWaited = 0
        while secondsWaited < Self.openingWaitSecondsMax {
            let list = OpenList(
                organisation: organisation, lines: left.map { OpenLine(account: $0, credential: nil) })
            let (receipt, _) = try Submission.receipt(submit([.open(list)], organisation)())
            guard case .lines(_, let exceptions)? = receipt.outcomes.first else { return true }
            let refused = exceptions.filter { $0.result.isRefusal }
            if let other = refused.first(where: { $0.result != .openingsTooMany }) {
                throw Submission.refusal(other.result)
            }
            if refused.isEmpty { return true }
            if refused.count < left.count {
                note(
                    "\(organisation) has opened as many accounts as this chain allows it in a minute "
                        + "(\(consortium.genesis.parameters.openingsPerMinuteMax)); waiting with \(refused.count).")
                secondsWaited = 0
            }
            left = refused.map { left[Int($0.index)] }
            secondsWaited += 1
            if stop.wait(milliseconds: 1000) { return false }
        }
        throw Submission.refusal(.openingsTooMany)
    }

    /// Accrues all orders, a transaction a unit; answers each order's result.
    private mutating func accrue(_ orders: [Order], _ accounts: [AccountID]) throws -> [ResultCode] {
        try perUnit(Array(orders.indices), orders) { unit, indices in
            .accrue(
                AccrueList(
                    unit: unit,
                    lines: indices.map {
                        AccrualLine(
                            account: accounts[$0], key: key(orders[$0]), amount: orders[$0].points,
                            pending: orders[$0].state != .vested)
                    }))
        }
    }

    /// Brings accruals to the state that the file gives them.
    private mutating func settle(_ orders: [Order], _ accrued: [ResultCode]) throws {
        var toVest: [Int] = []
        var toVoid: [Int] = []
        for (index, order) in orders.enumerated() {
            guard !accrued[index].isRefusal else {
                try reject(order, accrued[index])
                continue
            }
            let isNew = accrued[index] == .done
            switch order.state {
            case .vested where isNew: totals.count(order, \.vested)
            case .vested: toVest.append(index)
            case .pending where isNew: totals.count(order, \.pending)
            case .pending: totals.already += 1
            case .voided: toVoid.append(index)
            }
        }
        let vested = try perUnit(toVest, orders) { .vest(totalList($0, $1, orders)) }
        for (result, index) in zip(vested, toVest) {
            switch result {
            case .done: totals.count(orders[index], \.vested)
            case .exists: totals.already += 1
            default: try reject(orders[index], result)
            }
        }
        let voided = try perUnit(toVoid, orders) { .void(totalList($0, $1, orders)) }
        var toClaw: [Int] = []
        for (result, index) in zip(voided, toVoid) {
            switch result {
            case .done: totals.count(orders[index], \.voided)
            case .exists: totals.already += 1
            // It had vested before it was cancelled.
            case .totalAboveAmount: toClaw.append(index)
            default: try reject(orders[index], result)
            }
        }
        let clawed = try perUnit(toClaw, orders) { .clawBack(totalList($0, $1, orders)) }
        for (result, index) in zip(clawed, toClaw) {
            switch result {
            case .done: totals.count(orders[index], \.clawedBack)
            case .exists: totals.already += 1
            default: try reject(orders[index], result)
            }
        }
    }

    private mutating func reject(_ order: Order, _ result: ResultCode) throws {
        let text = result.text.map { "\($0.name): \($0.english) \($0.chinese)" } ?? result.name
        try reject(
            Reject(
                file: reader.fileName, line: order.line, reason: text,
                record: String(decoding: order.order, as: UTF8.self)))
    }

    /// Sends one list a unit, all of them before the first answer is awaited; results in the order of `indices`.
    private func perUnit(
        _ indices: [Int], _ orders: [Order], _ operation: (UnitCode, [Int]) -> Operation
    ) throws -> [ResultCode] {
        let groups = Dictionary(grouping: indices.indices) { orders[indices[$0]].unit }.sorted { $0.key < $1.key }
        var results = [ResultCode](repeating: .done, count: indices.count)
        var waiting: [(positions: [Int], answer: () -> Answer)] = []
        for (unit, positions) in groups {
            let sent = try submit(
                [operation(UnitCode(unit)!, positions.map { indices[$0] })], issuer(of: orders[indices[positions[0]]]))
            waiting.append((positions, sent))
        }
        for (positions, answer) in waiting {
            let (receipt, _) = try Submission.receipt(answer())
            guard case .lines(_, let exceptions)? = receipt.outcomes.first else { continue }
            for exception in exceptions { results[positions[Int(exception.index)]] = exception.result }
        }
        return results
    }

    private func totalList(_ unit: UnitCode, _ indices: [Int], _ orders: [Order]) -> TotalList {
        TotalList(unit: unit, lines: indices.map { TotalLine(key: key(orders[$0]), total: orders[$0].points) })
    }

    private func key(_ order: Order) -> NaturalKey { NaturalKey(source: source, order: order.order) }

    private func issuer(of order: Order) -> OrganisationID {
        OrganisationID(mapping.program(order.unit)?.organisation ?? 1)
    }

    /// Sends a transaction; the answer is waited for when it is asked for.
    private func submit(_ operations: [Operation], _ organisation: OrganisationID) throws -> () -> Answer {
        let transaction = Transaction.signed(
            operations, by: [authors[organisation]!], genesis: consortium.genesisHash, now: wallClockMilliseconds())
        let waiter = Waiter<Answer>()
        consortium.first.submit(transaction) { waiter.fulfil($0) }
        return { waiter.wait() ?? .refused(.halted) }
    }
}

/// Reads everything as an import would, and looks up what is there already.
struct DryRun {
    private let mapping: Mapping
    private let reader: OrderReader
    private let tables: BlockStore
    private let source: SourceID

    /// - Throws: what an import would be refused for before its first order.
    init(_ directory: ChainDirectory, _ mapping: Mapping, _ reader: OrderReader, _ tables: BlockStore) throws {
        for program in mapping.programs {
            try directory.checkIssuer(OrganisationID(program.organisation))
            _ = try Importer.missing(program, of: mapping, in: tables)
        }
        self.mapping = mapping
        self.reader = reader
        self.tables = tables
        source = try Importer.source(mapping)
    }

    func run(_ bar: ProgressBar, _ stop: StopRequest) throws -> ImportTotals {
        var totals = ImportTotals()
        while let row = try reader.next() {
            if stop.isRequested {
                totals.stopped = true
                break
            }
            bar.advance()
            switch row {
            case .order(let order):
                totals.count(order, \.orders)
                let issuer = OrganisationID(mapping.program(order.unit)?.organisation ?? 1)
                if try tables.accepted(NaturalKey(source: source, order: order.order), issuer: issuer) != nil {
                    totals.already += 1
                } else {
                    switch order.state {
                    case .vested: totals.count(order, \.vested)
                    case .pending: totals.count(order, \.pending)
                    case .voided: totals.count(order, \.voided)
                    }
                }
            case .earnsNothing: totals.nothingEarned += 1
            case .rejected: totals.rejected += 1
            }
        }
        return totals
    }
}
