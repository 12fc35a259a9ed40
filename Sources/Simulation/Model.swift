import Chain
import Crypto
import Ledger
import Node

/// A bank that only adds and subtracts, from what receipts say was done: tables that hold something else lost or
/// doubled something. Knows the operations that ``Bank`` makes.
struct Model {
    struct Balance: Equatable {
        var pending: UInt64 = 0
        var available: UInt64 = 0
        var held: UInt64 = 0
    }

    private struct Key: Hashable {
        let account: AccountID
        let unit: UnitCode
    }

    private var balances: [Key: Balance] = [:]
    private var holds: [HoldID: Reservation] = [:]

    func balance(_ account: AccountID, _ unit: UnitCode) -> Balance {
        balances[Key(account: account, unit: unit)] ?? Balance()
    }

    mutating func apply(_ block: Checker.Final) {
        // Those that lock or revoke run first, and move nothing.
        for (transaction, receipt) in zip(block.transactions, block.receipts) where receipt.result == .done {
            for (index, (operation, outcome)) in zip(transaction.body.operations, receipt.outcomes).enumerated() {
                apply(operation, outcome, receipt.transaction, UInt8(index))
            }
        }
    }

    private mutating func change(_ account: AccountID, _ unit: UnitCode, _ body: (inout Balance) -> Void) {
        body(&balances[Key(account: account, unit: unit), default: Balance()])
    }

    private mutating func apply(
        _ operation: Operation, _ outcome: Outcome, _ transaction: TransactionID, _ index: UInt8
    ) {
        switch (operation, outcome) {
        case (.accrue(let list), .lines(_, let exceptions)):
            let left = Set(exceptions.map(\.index))
            for (index, line) in list.lines.enumerated() where !left.contains(UInt16(index)) {
                change(line.account, list.unit) {
                    if line.pending { $0.pending += line.amount } else { $0.available += line.amount }
                }
            }
        case (.transfer(let from, let to, let unit, let amount), _):
            change(from, unit) { $0.available -= amount }
            change(to, unit) { $0.available += amount }
        case (.redeem(let account, let unit, let amount, _), _): change(account, unit) { $0.available -= amount }
        case (.reserve(let reservation), .held(let id, _)):
            holds[id] = reservation
            change(reservation.account, reservation.unit) {
                $0.available -= reservation.amount
                $0.held += reservation.amount
            }
        case (.commit(let hold, let amount), _):
            guard let reservation = holds.removeValue(forKey: hold) else { return }
            change(reservation.account, reservation.unit) {
                $0.held -= reservation.amount
                $0.available += reservation.amount - amount
            }
            if case .transfer(let to) = reservation.use { change(to, reservation.unit) { $0.available += amount } }
        case (.release(let hold), _):
            guard let reservation = holds.removeValue(forKey: hold) else { return }
            change(reservation.account, reservation.unit) {
                $0.held -= reservation.amount
                $0.available += reservation.amount
            }
        default: break
        }
    }
}
