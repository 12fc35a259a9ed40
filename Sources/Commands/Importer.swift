import Canonical
import Concurrency
import Crypto
import Intake
import JSON
import Ledger
import Registrar
import Terminal
import Wallet

/// Brings orders onto the chain in batches, several of which may be under way. A run that was stopped is finished by
/// another.
///
/// The file is read, and people are looked up, in its order and on one thread; a batch then goes its way on a thread
/// of its own, and batches are counted in the order in which they were read. No more than ``ChainAccess/batchesMax`` of
/// them are in memory beside the one that is being read.
struct Importer {
    private let directory: ChainDirectory
    private let mapping: Mapping
    private let reader: OrderReader
    private let people: People
    private let chain: any ChainAccess
    private let rejects: RejectsWriter
    private let source: SourceID
    private var totals = ImportTotals()
    private var authors: [OrganisationID: Author] = [:]
    private var underWay: [UnderWay] = []

    private struct UnderWay {
        let result: Waiter<Result<ImportBatch.Result, any Error>>
        let thread: WorkerThread

        /// What came of it, to be asked for once.
        func wait() -> Result<ImportBatch.Result, any Error> {
            thread.join()
            guard let result = result.wait() else { preconditionFailure("a batch brings its result before it ends") }
            return result
        }
    }

    init(
        _ directory: ChainDirectory, _ mapping: Mapping, _ reader: OrderReader, _ people: People,
        _ chain: any ChainAccess, _ rejects: RejectsWriter
    ) throws {
        self.directory = directory
        self.mapping = mapping
        self.reader = reader
        self.people = people
        self.chain = chain
        self.rejects = rejects
        source = try Self.source(mapping)
    }

    static func source(_ mapping: Mapping) throws -> SourceID {
        guard let source = SourceID(mapping.source) else {
            throw MappingError("$.source", "it is not 1 to 16 printable ASCII characters")
        }
        return source
    }

    /// The issuer in whose name an import speaks where any will do.
    static func speaker(_ mapping: Mapping, _ directory: ChainDirectory) throws -> Author {
        try directory.issuer(OrganisationID(mapping.programs.first?.organisation ?? 1))
    }

    /// - Parameter note: told where the run has to wait for something, from any thread.
    mutating func run(
        _ bar: ProgressBar, _ stop: StopRequest, note: @escaping @Sendable (String) -> Void
    ) throws -> ImportTotals {
        for program in mapping.programs {
            let id = OrganisationID(program.organisation)
            if authors[id] == nil { authors[id] = try directory.issuer(id) }
        }
        try publishMissing()
        do {
            try readAll(bar, stop, note)
            while !underWay.isEmpty { try finishFirst() }
        } catch {
            // What is under way comes to its end: it may stand on the chain.
            for batch in underWay { _ = batch.wait() }
            throw error
        }
        return totals
    }

    private mutating func readAll(
        _ bar: ProgressBar, _ stop: StopRequest, _ note: @escaping @Sendable (String) -> Void
    ) throws {
        var batch: [Order] = []
        var isAtEnd = false
        while !stop.isRequested, !totals.stopped {
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
                    try begin(batch, stop, note)
                    batch = []
                }
            case .earnsNothing: totals.nothingEarned += 1
            case .rejected(let reject):
                totals.rejected += 1
                try rejects.write(reject)
            }
        }
        if !batch.isEmpty, !totals.stopped { try begin(batch, stop, note) }
        if !isAtEnd { totals.stopped = true }
    }

    // MARK: Programs

    private func publishMissing() throws {
        for program in mapping.programs {
            guard let wanted = try Self.missing(program, of: mapping, in: chain) else { continue }
            let issuer = OrganisationID(program.organisation)
            _ = try chain.submit([.publish(wanted, issuer: issuer)], by: [authors[issuer]!])
        }
    }

    /// The program as it is to be published; nil where the chain has its unit.
    /// - Throws: where the chain has a unit of that code that is not this one.
    static func missing(
        _ program: Mapping.Program, of mapping: Mapping, in chain: any ChainAccess
    ) throws -> Program? {
        let wanted = try ledgerProgram(program, of: mapping)
        guard let unit = try chain.unit(wanted.unit) else { return wanted }
        func require(_ isSame: Bool, _ what: String, _ there: String, _ here: String) throws {
            guard !isSame else { return }
            throw CommandError(
                code: "program-differs", field: program.code,
                reason: "the chain has this unit with \(what) \(there), and the mapping says \(here); "
                    + "use the same, or another code")
        }
        let issuer = OrganisationID(program.organisation)
        try require(unit.issuer == issuer, "the issuer", "\(unit.issuer)", "\(issuer)")
        try require(unit.decimals == Int(wanted.decimals), "decimals", "\(unit.decimals)", "\(wanted.decimals)")
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

    /// Sends a batch on its way, once there is room for it.
    private mutating func begin(
        _ orders: [Order], _ stop: StopRequest, _ note: @escaping @Sendable (String) -> Void
    ) throws {
        while underWay.count >= chain.batchesMax { try finishFirst() }
        guard !totals.stopped else { return }
        // An unclaimed account takes only the points of who opened it, so a person has one with each issuer.
        let persons = orders.map { "\(ImportBatch.issuer(of: $0, in: mapping).number)/\($0.person)" }
        let assigned = try people.accounts(for: persons, source: mapping.source)
        var unopened: [OrganisationID: [AccountID]] = [:]
        var seen: Set<AccountID> = []
        for (order, assignment) in zip(orders, assigned) where !assignment.isOpened {
            let account = AccountID(bytes: assignment.account)
            if seen.insert(account).inserted {
                unopened[ImportBatch.issuer(of: order, in: mapping), default: []].append(account)
            }
        }
        let batch = ImportBatch(
            chain: chain, mapping: mapping, source: source, fileName: reader.fileName, authors: authors, orders: orders,
            accounts: assigned.map { AccountID(bytes: $0.account) }, unopened: unopened, stop: stop, note: note)
        let waiter = Waiter<Result<ImportBatch.Result, any Error>>()
        underWay.append(
            UnderWay(result: waiter, thread: WorkerThread("import") { waiter.fulfil(Result { try batch.run() }) }))
    }

    /// Waits for the batch that was begun first, and counts what came of it.
    private mutating func finishFirst() throws {
        let result = try underWay.removeFirst().wait().get()
        try people.markOpened(result.opened.map(\.bytes))
        for reject in result.rejects { try rejects.write(reject) }
        totals.add(result.totals)
    }
}

/// Reads everything as an import would, and looks up what is there already.
struct DryRun {
    private let mapping: Mapping
    private let reader: OrderReader
    private let chain: any ChainAccess
    private let source: SourceID

    /// Orders that are looked up together.
    private static let ordersMax = 1024

    /// - Throws: what an import would be refused for before its first order.
    init(_ directory: ChainDirectory, _ mapping: Mapping, _ reader: OrderReader, _ chain: any ChainAccess) throws {
        for program in mapping.programs {
            try directory.checkIssuer(OrganisationID(program.organisation))
            _ = try Importer.missing(program, of: mapping, in: chain)
        }
        self.mapping = mapping
        self.reader = reader
        self.chain = chain
        source = try Importer.source(mapping)
    }

    func run(_ bar: ProgressBar, _ stop: StopRequest) throws -> ImportTotals {
        var totals = ImportTotals()
        var orders: [Order] = []
        while let row = try reader.next() {
            if stop.isRequested {
                totals.stopped = true
                break
            }
            bar.advance()
            switch row {
            case .order(let order):
                totals.count(order, \.orders)
                orders.append(order)
                if orders.count == Self.ordersMax {
                    try count(orders, &totals)
                    orders = []
                }
            case .earnsNothing: totals.nothingEarned += 1
            case .rejected: totals.rejected += 1
            }
        }
        try count(orders, &totals)
        return totals
    }

    private func count(_ orders: [Order], _ totals: inout ImportTotals) throws {
        guard !orders.isEmpty else { return }
        let areThere = try chain.areAccrued(
            orders.map {
                (
                    NaturalKey(source: source, order: $0.order), UnitCode($0.unit)!,
                    ImportBatch.issuer(of: $0, in: mapping)
                )
            })
        for (order, isThere) in zip(orders, areThere) {
            switch order.state {
            case _ where isThere: totals.already += 1
            case .vested: totals.count(order, \.vested)
            case .pending: totals.count(order, \.pending)
            case .voided: totals.count(order, \.voided)
            }
        }
    }
}
