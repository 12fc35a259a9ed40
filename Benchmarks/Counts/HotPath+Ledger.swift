import Canonical
import Chain
import Crypto
import Ledger
import Node
import Storage

extension HotPath {
    /// Executing, hashing and storing blocks.
    static let ledger = [
        HotPath("transfer-execute", "a transfer in a block of a thousand, by the ledger alone") {
            execution(World.transfers)
        },
        HotPath("transfer-trees", "what a transfer of such a block changes in the state trees") {
            hashing(World.transfers)
        },
        HotPath("transfer-block", "a transfer from a decoded entry to the block's header") { block(World.transfers) },
        HotPath("transfer-store", "a transfer of a certified block to where it waits to be written down") {
            try storing(World.transfers)
        },
        HotPath("accrual-execute", "an accrual line in a batch of a thousand, by the ledger alone") {
            execution(World.accruals)
        },
        HotPath("accrual-trees", "what an accrual line changes in the state trees") { hashing(World.accruals) },
        HotPath("accrual-block", "an accrual line from a decoded entry to the block's header") {
            block(World.accruals)
        },
        HotPath("accrual-store", "an accrual line of a certified block to where it waits to be written down") {
            try storing(World.accruals)
        },
    ]

    private static func execution(_ load: (_ pass: Int) -> [Transaction]) -> Prepared {
        let stage = World.Stage().opened()
        let passes = (0..<2).map { World.inputs(load($0)) }
        return Prepared(count: World.passCount) { pass in
            stage.execute(passes[pass]).changes.reduce(0) { $0 + $1.count }
        }
    }

    private static func hashing(_ load: (_ pass: Int) -> [Transaction]) -> Prepared {
        let stage = World.Stage().opened()
        let height = stage.ledger.height
        let passes = (0..<2).map { stage.execute(World.inputs(load($0))).changes }
        return Prepared(count: World.passCount) { pass in
            stage.trees.append(passes[pass], height: height + 1 + UInt64(pass))
            return Int(truncatingIfNeeded: stage.trees.headRoots.stateRoot.leadingWord)
        }
    }

    private static func block(_ load: (_ pass: Int) -> [Transaction]) -> Prepared {
        let line = World.Line()
        let first = line.executor.decode(line.entry(load(0)))
        // The second entry names the first one, and so must be made on a line that has executed it.
        let ahead = World.Line()
        _ = ahead.execute(first)
        let passes = [first, ahead.executor.decode(ahead.entry(load(1)))]
        return Prepared(count: World.passCount) { pass in
            Int(truncatingIfNeeded: line.execute(passes[pass]).header.hash.leadingWord)
        }
    }

    private static func storing(_ load: (_ pass: Int) -> [Transaction]) throws -> Prepared {
        let line = World.Line()
        let store = WriteBehindStore(MemoryStore())
        try store.write(BlockStore.genesisBatch(World.genesis), synced: false)
        let passes = (0..<2).map { pass in
            let block = line.execute(line.executor.decode(line.entry(load(pass))))
            return (block, line.executor.trees.logs(at: block.header.height)!)
        }
        return Prepared(count: World.passCount) { pass in
            let (block, logs) = passes[pass]
            let lock = BlockStore.lockBatch(block, lock: nil)
            let commit = BlockStore.commitBatch([block], certificates: [], logs: logs)
            for batch in [lock, commit] {
                // A store in memory refuses nothing until it is closed.
                guard (try? store.write(batch, synced: false)) != nil else { return 0 }
            }
            return commit.count
        }
    }
}
