import Concurrency
import Intake
import Ledger
import Terminal
import Wallet

/// One batch of orders on its way onto the chain: accounts first, then accruals, then what has vested or was cancelled
/// since an earlier run. Every step may be repeated.
struct ImportBatch: Sendable {
    let chain: any ChainAccess
    let mapping: Mapping
    let source: SourceID
    /// The file's name, for rejects.
    let fileName: String
    let authors: [OrganisationID: Author]
    let orders: [Order]
    /// Each order's account.
    let accounts: [AccountID]
    /// Accounts that may not stand on the chain yet.
    let unopened: [OrganisationID: [AccountID]]
    let stop: StopRequest
    /// Told where it has to wait for something.
    let note: @Sendable (String) -> Void

    /// What came of it.
    struct Result: Sendable {
        var totals = ImportTotals()
        var rejects: [Reject] = []
        /// Accounts that stand on the chain now.
        var opened: [AccountID] = []
    }

    /// Openings are limited by the minute; this long without a single one, a run gives up.
    private static let openingWaitSecondsMax = 180

    /// Carries it out. Where the run was stopped while it waited, nothing of these orders stands on the chain.
    func run() throws -> Result {
        var result = Result()
        for (organisation, accounts) in unopened.sorted(by: { $0.key < $1.key }) {
            guard try open(accounts, organisation) else {
                result.totals.stopped = true
                return result
            }
            result.opened += accounts
        }
        try settle(try accrue(), &result)
        return result
    }

    private func open(_ accounts: [AccountID], _ organisation: OrganisationID) throws -> Bool {
        var left = accounts
        var secondsWaited = 0
        while secondsWaited < Self.openingWaitSecondsMax {
            let list = OpenList(
                organisation: organisation, lines: left.map { OpenLine(account: $0, credential: nil) })
            let receipt = try chain.submit([.open(list)], by: [authors[organisation]!]).receipt
            guard case .lines(_, let exceptions)? = receipt.outcomes.first else { return true }
            let refused = exceptions.filter { $0.result.isRefusal }
            if let other = refused.first(where: { $0.result != .openingsTooMany }) {
                throw LedgerRefusal(other.result)
            }
            if refused.isEmpty { return true }
            if refused.count < left.count {
                note(
                    "\(organisation) has opened as many accounts as this chain allows it in a minute "
                        + "(\(chain.genesis.parameters.openingsPerMinuteMax)); waiting with \(refused.count).")
                secondsWaited = 0
            }
            left = refused.map { left[Int($0.index)] }
            secondsWaited += 1
            if stop.wait(milliseconds: 1000) { return false }
        }
        throw LedgerRefusal(.openingsTooMany)
    }

    /// Accrues all orders, a transaction a unit; answers each order's result.
    private func accrue() throws -> [ResultCode] {
        try perUnit(Array(orders.indices)) { unit, indices in
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
    private func settle(_ accrued: [ResultCode], _ result: inout Result) throws {
        var toVest: [Int] = []
        var toVoid: [Int] = []
        for (index, order) in orders.enumerated() {
            guard !accrued[index].isRefusal else {
                reject(order, accrued[index], &result)
                continue
            }
            let isNew = accrued[index] == .done
            switch order.state {
            case .vested where isNew: result.totals.count(order, \.vested)
            case .vested: toVest.append(index)
            case .pending where isNew: result.totals.count(order, \.pending)
            case .pending: result.totals.already += 1
            case .voided: toVoid.append(index)
            }
        }
        let vested = try perUnit(toVest) { .vest(totalList($0, $1)) }
        for (code, index) in zip(vested, toVest) {
            switch code {
            case .done: result.totals.count(orders[index], \.vested)
            case .exists: result.totals.already += 1
            default: reject(orders[index], code, &result)
            }
        }
        let voided = try perUnit(toVoid) { .void(totalList($0, $1)) }
        var toClaw: [Int] = []
        for (code, index) in zip(voided, toVoid) {
            switch code {
            case .done: result.totals.count(orders[index], \.voided)
            case .exists: result.totals.already += 1
            // It had vested before it was cancelled.
            case .totalAboveAmount: toClaw.append(index)
            default: reject(orders[index], code, &result)
            }
        }
        let clawed = try perUnit(toClaw) { .clawBack(totalList($0, $1)) }
        for (code, index) in zip(clawed, toClaw) {
            switch code {
            case .done: result.totals.count(orders[index], \.clawedBack)
            case .exists: result.totals.already += 1
            default: reject(orders[index], code, &result)
            }
        }
    }

    private func reject(_ order: Order, _ code: ResultCode, _ result: inout Result) {
        let text = code.text.map { "\($0.name): \($0.english) \($0.chinese)" } ?? code.name
        result.totals.rejected += 1
        result.rejects.append(
            Reject(
                file: fileName, line: order.line, reason: text, record: String(decoding: order.order, as: UTF8.self)))
    }

    /// Sends one list a unit, all of them at a time; results in the order of `indices`.
    private func perUnit(
        _ indices: [Int], _ operation: (UnitCode, [Int]) -> Operation
    ) throws -> [ResultCode] {
        let groups = Dictionary(grouping: indices.indices) { orders[indices[$0]].unit }.sorted { $0.key < $1.key }
        guard !groups.isEmpty else { return [] }
        let lists = groups.map { unit, positions in
            (
                operation: operation(UnitCode(unit)!, positions.map { indices[$0] }),
                author: authors[Self.issuer(of: orders[indices[positions[0]]], in: mapping)]!
            )
        }
        let receipts = try concurrently(lists, max: lists.count) { [chain] in
            try chain.submit([$0.operation], by: [$0.author]).receipt
        }
        var results = [ResultCode](repeating: .done, count: indices.count)
        for (receipt, (_, positions)) in zip(receipts, groups) {
            guard case .lines(_, let exceptions)? = receipt.outcomes.first else { continue }
            for exception in exceptions { results[positions[Int(exception.index)]] = exception.result }
        }
        return results
    }

    private func totalList(_ unit: UnitCode, _ indices: [Int]) -> TotalList {
        TotalList(unit: unit, lines: indices.map { TotalLine(key: key(orders[$0]), total: orders[$0].points) })
    }

    private func key(_ order: Order) -> NaturalKey { NaturalKey(source: source, order: order.order) }

    static func issuer(of order: Order, in mapping: Mapping) -> OrganisationID {
        OrganisationID(mapping.program(order.unit)?.organisation ?? 1)
    }
}
