import Chain
import Crypto
import Ledger
import Node
import Storage

/// What concerned an account, read back from the blocks.
enum History {
    struct Item {
        let transaction: TransactionID
        let place: Place
        /// Block time.
        let time: UInt64
        let kinds: [String]
        let result: ResultCode
    }

    /// The newest `max` transactions of certified blocks that name the account or that it sent, newest first.
    /// - Complexity: reads blocks until it has found as many.
    static func of(
        _ account: AccountID, in tables: BlockStore, genesis: Genesis, max: Int
    ) throws(StorageError) -> [Item] {
        let set = ValidatorSet(genesis)
        let hash = genesis.hash
        var items: [Item] = []
        var height = try tables.height()
        while height > 0, items.count < max {
            defer { height -= 1 }
            guard let raw = try tables.block(height), let header = try tables.header(height),
                let previous = try tables.header(height - 1), let receipts = try tables.receipts(height),
                !receipts.isEmpty
            else { continue }
            guard let entry = try? Entry(raw: raw, position: height, previous: previous.entry, genesis: hash, set: set)
            else { continue }
            for (index, transaction) in entry.transactions.enumerated().reversed()
            where items.count < max && transaction.body.concerns(account) {
                items.append(
                    Item(
                        transaction: transaction.id, place: Place(height: height, index: UInt32(index)),
                        time: header.time, kinds: transaction.body.operations.map(\.kind),
                        result: receipts[index].result))
            }
        }
        return items
    }
}

extension TransactionBody {
    func concerns(_ account: AccountID) -> Bool {
        signers.contains { $0.party == .account(account) || $0.party == .guardian(account) }
            || operations.contains { $0.names(account) }
    }
}

extension Operation {
    func names(_ id: AccountID) -> Bool {
        switch self {
        case .publish, .commit, .release, .vest, .void, .clawBack: false
        case .open(let list): list.lines.contains { $0.account == id }
        case .openByTicket(let line, _): line.account == id
        case .accrue(let list): list.lines.contains { $0.account == id }
        case .transfer(let from, let to, _, _): from == id || to == id
        case .reserve(let reservation):
            if case .transfer(let to) = reservation.use {
                reservation.account == id || to == id
            } else {
                reservation.account == id
            }
        case .claim(let account, _), .addCredential(let account, _), .rotateCredential(let account, _, _),
            .revokeCredential(let account, _), .redeem(let account, _, _, _), .freeze(let account),
            .unfreeze(let account):
            account == id
        }
    }
}
