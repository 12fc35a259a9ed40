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
    let node: NodeRunner
    let clock: @Sendable () -> UInt64
    private let recent = Recent()

    /// A certified head that is older is stale, never idle: clock entries keep it fresh.
    let staleMilliseconds: UInt64
    /// Told of a directory that fails, since whoever asked is told nothing of it.
    let report: @Sendable (StorageError) -> Void
    /// How often a read begins anew when the tables move on under it.
    private static let attemptsMax = 64

    init(
        genesis: Genesis, node: NodeRunner, staleMilliseconds: UInt64, clock: @escaping @Sendable () -> UInt64,
        report: @escaping @Sendable (StorageError) -> Void
    ) {
        self.report = report
        self.staleMilliseconds = staleMilliseconds
        self.genesis = genesis
        genesisHash = genesis.hash
        self.node = node
        self.clock = clock
    }

    var tables: BlockStore { node.blocks }

    /// Those who vote now.
    var set: ValidatorSet { node.status.validators }

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
            throw failure(error)
        }
        throw Problem(.notReady)
    }

    func failure(_ error: StorageError) -> Problem {
        if error.code == .closed { return Problem(.nodeHalted) }
        // What a directory that began with a snapshot says of older blocks.
        if error.code == .notFound { return Problem(.historyNotHere, error.reason) }
        report(error)
        return Problem(.internalFailure)
    }

    /// Reads what never changes once it is there, such as blocks: as of the height at the begin, once.
    func readBlocks<Value>(
        _ body: (_ head: UInt64, BlockStore) throws(StorageError) -> Value
    ) throws(Problem) -> Stamped<Value> {
        do throws(StorageError) {
            let head = try tables.height()
            return Stamped(try body(head, tables), Stamp(height: head, stateRoot: try root(head)))
        } catch {
            throw failure(error)
        }
    }

    /// Reads one thing that never changes once it is there, at the height that the tables have come to afterwards: what
    /// was found is never above it.
    func readOne<Value>(_ body: (BlockStore) throws(StorageError) -> Value) throws(Problem) -> Stamped<Value> {
        do throws(StorageError) {
            let value = try body(tables)
            let head = try tables.height()
            return Stamped(value, Stamp(height: head, stateRoot: try root(head)))
        } catch {
            throw failure(error)
        }
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
        // Old ones are looked at once; they must not push out those that everybody looks at.
        if height + Recent.countMax > node.status.committed { recent.note(block) }
        return block
    }

    /// A block of a page that goes down the chain. Where the blocks end with a snapshot, so does the page; the next
    /// one, which would begin there, says so.
    func blockOfPage(_ height: UInt64, after found: Int) throws(StorageError) -> BlockContents? {
        do throws(StorageError) { return try block(height) } catch {
            guard error.code == .notFound, found > 0 else { throw error }
            return nil
        }
    }

    /// Whose accruals the lines of a block's vesting, voiding and taking back are, found out once for all who look.
    func owners(_ block: BlockContents) throws(StorageError) -> AccrualOwners {
        if let known = recent.owners(block.header.height) { return known }
        let owners = try AccrualOwners(block, tables)
        recent.note(block.header.height, owners)
        return owners
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
        var owners: [UInt64: AccrualOwners] = [:]
        var ownersOrder: [UInt64] = []
    }

    private let state = Locked(Blocks())

    /// Bytes of entries that are kept decoded, and how many blocks.
    private static let bytesMax = 16 << 20
    static let countMax: UInt64 = 1024

    func root(_ height: UInt64) -> Digest? {
        state.withLock { $0.root?.height == height ? $0.root?.digest : nil }
    }

    func note(_ height: UInt64, _ root: Digest) { state.withLock { $0.root = (height, root) } }

    func owners(_ height: UInt64) -> AccrualOwners? { state.withLock { $0.owners[height] } }

    func note(_ height: UInt64, _ owners: AccrualOwners) {
        state.withLock { state in
            if state.owners.updateValue(owners, forKey: height) == nil { state.ownersOrder.append(height) }
            if state.ownersOrder.count > Self.ownersMax { state.owners[state.ownersOrder.removeFirst()] = nil }
        }
    }

    /// Blocks of which it is known whose lines they have.
    private static let ownersMax = 64

    func block(_ height: UInt64) -> BlockContents? { state.withLock { $0.blocks[height] } }

    func note(_ block: BlockContents) {
        state.withLock { state in
            guard state.blocks.updateValue(block, forKey: block.header.height) == nil else { return }
            state.order.append(block.header.height)
            state.byteCount += block.byteCount
            var leave = 0
            while state.order.count - leave > 1,
                state.byteCount > Self.bytesMax || state.order.count - leave > Int(Self.countMax)
            {
                state.byteCount -= state.blocks.removeValue(forKey: state.order[leave])?.byteCount ?? 0
                leave += 1
            }
            state.order.removeFirst(leave)
        }
    }
}

/// Whose accruals a block's lines are that name accruals by their keys alone.
struct AccrualOwners: Sendable {
    private struct Place: Hashable {
        let transaction: Int
        let operation: Int
    }

    private var owners: [Place: [AccountID?]] = [:]

    init(_ block: BlockContents, _ tables: BlockStore) throws(StorageError) {
        for (index, transaction) in block.transactions.enumerated() {
            for (number, operation) in transaction.body.operations.enumerated() {
                guard let list = operation.totals, let issuer = try tables.unit(list.unit)?.issuer else { continue }
                owners[Place(transaction: index, operation: number)] =
                    try tables.accepted(list.lines.map(\.key), issuer: issuer).map { $0?.account }
            }
        }
    }

    subscript(transaction: Int, operation: Int) -> [AccountID?] {
        owners[Place(transaction: transaction, operation: operation)] ?? []
    }
}

extension Operation {
    /// The list of an operation whose lines name accruals by their keys alone.
    var totals: TotalList? {
        switch self {
        case .vest(let list), .void(let list), .clawBack(let list): list
        default: nil
        }
    }
}
