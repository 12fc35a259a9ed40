import Chain
import Concurrency
import Ledger
import Node
import Terminal
import Wallet
import Wire

/// The chain that generated members shop on: validators in this process, or nodes somewhere.
protocol DemoChain: Sendable {
    /// What the traffic has seen certified.
    var figures: DemoFigures { get }

    func isPublished(_ unit: UnitCode, by issuer: Author) throws -> Bool
    func isAccrued(_ key: NaturalKey, _ unit: UnitCode, by issuer: Author) throws -> Bool
    /// Sends a transaction and waits until it is certified.
    /// - Throws: ``LedgerRefusal`` where the ledger refused it.
    func submit(_ transaction: Transaction) throws
    /// Sends a transaction and does not wait; `done` is called once, from any thread, when its fate is known.
    func send(_ transaction: Transaction, done: @escaping @Sendable () -> Void)
    /// What an account may spend of one of these units, its issuer asking; nil for nothing, or where nobody says it
    /// now.
    func spendable(_ account: AccountID, of shops: [DemoShop]) throws -> (unit: UnitCode, available: UInt64)?
    /// - Throws: why nothing can go on.
    func check() throws
    /// Certified height, and the state root there.
    func stamp() throws -> Stamp
    func units(of shops: [DemoShop]) throws -> [DemoUnit]
}

/// An organisation that sells, and the points that it gives.
struct DemoShop: Sendable {
    let organisation: OrganisationID
    let issuer: Author
    let unit: UnitCode

    private static let codes = ["GALAXY", "RIVER", "SPRUCE", "EASTGATE"]

    /// The organisations of the genesis, at most four, whose issuing keys lie in one of these directories.
    static func all(in directories: [ChainDirectory]) throws -> [DemoShop] {
        try zip(directories[0].genesis.organisations, codes).compactMap { organisation, code in
            let place = directories.first {
                Files.exists(ChainDirectory.keyPath($0.path, organisation.id, "issuing"))
            }
            return try place.map {
                DemoShop(organisation: organisation.id, issuer: try $0.issuer(organisation.id), unit: UnitCode(code)!)
            }
        }
    }

    /// Points for the yuan, one for each fen; those of the fourth organisation end after two years.
    var program: Program {
        let ends = unit.description == Self.codes[3]
        return Program(
            unit: unit, currency: "CNY", faceMinor: 1, facePoints: 1, expiry: ends ? .months(24) : nil,
            zone: ends ? [ZoneOffset(from: 0, minutes: 480)] : [])
    }
}

/// A unit's totals at the end.
struct DemoUnit {
    let code: UnitCode
    let minted, outstanding, redeemed, clawed, cancelled, debt: UInt64

    init(_ unit: Unit) {
        code = unit.code
        (minted, outstanding, redeemed) = (unit.minted, unit.outstanding, unit.redeemed)
        (clawed, cancelled, debt) = (unit.clawed, unit.cancelled, unit.debt)
    }

    init(_ code: UnitCode, _ totals: UnitView.Totals) {
        self.code = code
        (minted, redeemed) = (totals.minted, totals.redeemed)
        outstanding = totals.pending + totals.available + totals.held
        (clawed, cancelled, debt) = (totals.clawed, totals.cancelled, totals.debt)
    }
}

/// Validators in this process.
struct DemoConsortium: DemoChain {
    let consortium: Consortium
    let figures: DemoFigures

    private var tables: BlockStore { consortium.first.blocks }

    func isPublished(_ unit: UnitCode, by issuer: Author) throws -> Bool { try tables.unit(unit) != nil }

    func isAccrued(_ key: NaturalKey, _ unit: UnitCode, by issuer: Author) throws -> Bool {
        guard case .organisation(let id) = issuer.party else { return false }
        return try tables.accepted(key, issuer: id) != nil
    }

    func submit(_ transaction: Transaction) throws { _ = try Submission.receipt(consortium.first.submit(transaction)) }

    func send(_ transaction: Transaction, done: @escaping @Sendable () -> Void) {
        consortium.first.submit(transaction) { _ in done() }
    }

    func spendable(_ account: AccountID, of shops: [DemoShop]) throws -> (unit: UnitCode, available: UInt64)? {
        try tables.holdings(account).filter { $1.available > 0 }.randomElement().map { ($0.0, $0.1.available) }
    }

    func check() throws {
        if let halt = consortium.halted.first { throw ChainDirectory.explain(halt) }
    }

    func stamp() -> Stamp {
        let status = consortium.first.status
        return Stamp(height: status.committed, stateRoot: status.stateRoot)
    }

    func units(of shops: [DemoShop]) throws -> [DemoUnit] { try tables.units().map { DemoUnit($0) } }
}
