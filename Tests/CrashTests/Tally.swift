import Chain
import CrashKit
import Ledger
import Node

/// What everybody should have, counted from the receipts alone.
struct Tally {
    private let blocks: BlockStore
    private var balances: [AccountID: Int] = [:]
    private var accrued = 0
    private var redeemed = 0
    private var done: [TransactionID: Int] = [:]

    init(_ blocks: BlockStore, _ bank: Bank) throws {
        self.blocks = blocks
        let set = ValidatorSet(bank.genesis)
        for height in stride(from: 1, through: try blocks.height(), by: 1) {
            guard let raw = try blocks.block(height), let parent = try blocks.header(height - 1),
                let receipts = try blocks.receipts(height)
            else { continue }
            let entry = try Entry(
                raw: raw, position: height, previous: parent.entry, genesis: bank.genesisHash, set: set,
                rules: bank.genesis.rulesVersion)
            for (transaction, receipt) in zip(entry.transactions, receipts) where receipt.result == .done {
                done[transaction.id, default: 0] += 1
                for (operation, outcome) in zip(transaction.body.operations, receipt.outcomes) {
                    count(operation, outcome)
                }
            }
        }
    }

    private mutating func count(_ operation: Operation, _ outcome: Outcome) {
        switch (operation, outcome) {
        case (.accrue(let list), .lines(_, let exceptions)):
            let without = Set(exceptions.map { Int($0.index) })
            for (index, line) in list.lines.enumerated() where !without.contains(index) {
                balances[line.account, default: 0] += Int(line.amount)
                accrued += Int(line.amount)
            }
        case (.transfer(let from, let to, _, let amount), _):
            balances[from, default: 0] -= Int(amount)
            balances[to, default: 0] += Int(amount)
        case (.redeem(let account, _, let amount, _), _):
            balances[account, default: 0] -= Int(amount)
            redeemed += Int(amount)
        default: break
        }
    }

    func compare(complain: (String) -> Void) throws {
        for (id, times) in done where times > 1 { complain("\(id) took effect \(times) times") }
        var total = 0
        for account in Bank.accounts {
            let there = Int(try blocks.holding(account, Bank.unit)?.available ?? 0)
            total += there
            if there != balances[account, default: 0] {
                complain("\(account) holds \(there), and its receipts make \(balances[account, default: 0])")
            }
        }
        if total != accrued - redeemed { complain("\(total) points are there of \(accrued) less \(redeemed)") }
        if let unit = try blocks.unit(Bank.unit), Int(unit.available) != total || Int(unit.redeemed) != redeemed {
            complain("the unit says \(unit.available) available and \(unit.redeemed) redeemed")
        }
    }
}
