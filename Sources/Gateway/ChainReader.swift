import Chain
import Concurrency
import Crypto
import Ledger
import Node
import Storage
import Wire

/// Certified state as requests read it: every answer stands at one height, and says which.
struct ChainReader: Sendable {
    let genesis: Genesis
    let genesisHash: Digest
    let set: ValidatorSet
    let node: NodeRunner
    let clock: @Sendable () -> UInt64
    private let recent = Recent()

    /// A certified head that is older is stale, never idle: clock entries keep it fresh.
    let staleMilliseconds: UInt64
    /// How often a read begins anew when the tables move on under it.
    private static let attemptsMax = 64

    init(
        genesis: Genesis, node: NodeRunner, staleMilliseconds: UInt64, clock: @escaping @Sendable () -> UInt64
    ) {
        self.staleMilliseconds = staleMilliseconds
        self.genesis = genesis
        genesisHash = genesis.hash
        set = ValidatorSet(genesis)
        self.node = node
        self.clock = clock
    }

    var tables: BlockStore { node.blocks }

    /// The newest height that answers stand at.
    var stamp: Stamp {
        let status = node.status
        return Stamp(height: status.committed, stateRoot: status.stateRoot)
    }

    /// Milliseconds since the block time of the newest certified height.
    var ageMilliseconds: UInt64 {
        let now = clock()
        return now - min(now, node.status.time)
    }

    /// Reads something at one height. Rows change only together with the height of the tables, so what was read between
    /// two looks at the same height is of that height.
    func read<Value>(_ body: (BlockStore) throws(StorageError) -> Value) throws(Problem) -> Stamped<Value> {
        do throws(StorageError) {
            for _ in 0..<Self.attemptsMax {
                let before = try tables.height()
                let value = try body(tables)
                guard try tables.height() == before else { continue }
                return Stamped(value, Stamp(height: before, stateRoot: try root(before)))
            }
        } catch {
            throw Problem(error.code == .closed ? .nodeHalted : .internalFailure)
        }
        throw Problem(.notReady)
    }

    /// Reads a value that somebody may act upon: refused where the node does not know what is so now.
    func readFresh<Value>(_ body: (BlockStore) throws(StorageError) -> Value) throws(Problem) -> Stamped<Value> {
        if node.status.halted != nil { throw Problem(.nodeHalted) }
        let age = ageMilliseconds
        guard age <= staleMilliseconds else {
            throw Problem(.nodeStale, "It is \(age / 1000) s old.")
        }
        return try read(body)
    }

    private func root(_ height: UInt64) throws(StorageError) -> Digest {
        if let known = recent.root(height) { return known }
        let root = try tables.header(height)?.state ?? .zero
        recent.note(height, root)
        return root
    }

    /// What a certified block holds; none where its height is not certified.
    func block(_ height: UInt64) throws(StorageError) -> BlockContents? {
        if let known = recent.block(height) { return known }
        guard let block = try tables.contents(height, genesis: genesis) else { return nil }
        recent.note(block)
        return block
    }

    /// A block has come into the tables.
    func note(_ certified: CertifiedBlock) { recent.note(BlockContents(certified)) }
}

/// What is read again and again: the newest roots and blocks.
private final class Recent: Sendable {
    private struct Blocks {
        var root: (height: UInt64, digest: Digest)?
        var blocks: [UInt64: BlockContents] = [:]
        /// In the order in which they came.
        var order: [UInt64] = []
        var byteCount = 0
    }

    private let state = Locked(Blocks())

    /// Bytes of entries that are kept decoded, and how many blocks.
    private static let bytesMax = 16 << 20
    private static let countMax = 1024

    func root(_ height: UInt64) -> Digest? {
        state.withLock { $0.root?.height == height ? $0.root?.digest : nil }
    }

    func note(_ height: UInt64, _ root: Digest) { state.withLock { $0.root = (height, root) } }

    func block(_ height: UInt64) -> BlockContents? { state.withLock { $0.blocks[height] } }

    func note(_ block: BlockContents) {
        state.withLock { state in
            guard state.blocks.updateValue(block, forKey: block.header.height) == nil else { return }
            state.order.append(block.header.height)
            state.byteCount += block.byteCount
            var leave = 0
            while state.order.count - leave > 1,
                state.byteCount > Self.bytesMax || state.order.count - leave > Self.countMax
            {
                state.byteCount -= state.blocks.removeValue(forKey: state.order[leave])?.byteCount ?? 0
                leave += 1
            }
            state.order.removeFirst(leave)
        }
    }
}
