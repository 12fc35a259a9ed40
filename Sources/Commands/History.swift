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
    /// - Throws: ``StorageError`` `.notFound` where the blocks here begin with a snapshot and none of them is found.
    static func of(
        _ account: AccountID, in tables: BlockStore, genesis: Genesis, max: Int
    ) throws(StorageError) -> [Item] {
        var items: [Item] = []
        var height = try tables.height()
        while height > 0, items.count < max {
            defer { height -= 1 }
            let found: BlockContents?
            do throws(StorageError) { found = try tables.contents(height, genesis: genesis) } catch {
                guard error.code == .notFound, !items.isEmpty else { throw error }
                break
            }
            guard let block = found else { continue }
            for (index, transaction) in block.transactions.enumerated().reversed()
            where items.count < max && transaction.body.concerns(account) {
                items.append(
                    Item(
                        transaction: transaction.id, place: Place(height: height, index: UInt32(index)),
                        time: block.header.time, kinds: transaction.body.operations.map(\.kind),
                        result: block.receipts[index].result))
            }
        }
        return items
    }
}
