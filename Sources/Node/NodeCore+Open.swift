public import Chain
import Concurrency
import Crypto
public import Ledger
public import Ordering
public import Storage

/// From a directory to a node: the one way in which production and the simulator open it.
extension NodeCore {
    /// Opens the node that `store` holds; an empty store becomes the directory of `genesis` first.
    ///
    /// The tables give the executor and must give their header's state root; the blocks above their height are executed
    /// again and must give the stored headers. The effects returned are those of the first step, to be carried out
    /// before any other.
    /// - Parameters:
    ///   - change: the statements by which the epoch began, verified, where that is not the first one. The newest
    ///     certificate among them makes final what this node may have executed without ever hearing so.
    ///   - logHead: head of the order, read linearizably at this start.
    ///   - now: the node's clock, milliseconds since 1970 UTC.
    /// - Throws: ``StorageError`` where the directory is damaged, holds another chain, or cannot be read or written.
    public static func open(
        store: any Store, genesis: Genesis, configuration: Configuration, epoch: OrderingEpoch,
        begunBy change: EpochChange? = nil, logHead: UInt64, now: UInt64
    ) throws(StorageError) -> (core: NodeCore, effects: [Effect]) {
        let blocks = BlockStore(store)
        if let there = try blocks.genesis() {
            guard there.hash == genesis.hash else {
                throw StorageError(
                    .exists, "the directory holds the chain \(there.hash), not \(genesis.hash)",
                    place: "the node's directory")
            }
        } else {
            try store.write(BlockStore.genesisBatch(genesis), synced: true)
        }

        let failure = Locked<StorageError?>(nil)
        let executor = try blocks.executor(genesis: genesis) { error in failure.withLock { $0 = $0 ?? error } }
        let height = executor.head.height
        var stored: [Stored] = []
        while let raw = try blocks.block(height + UInt64(stored.count) + 1) {
            let next = height + UInt64(stored.count) + 1
            guard let header = try blocks.header(next) else {
                throw StorageError(
                    .corrupt, "the block of height \(next) stands there without its header",
                    place: "the node's directory")
            }
            stored.append(
                Stored(raw: raw, header: header, lock: try blocks.lock(next, of: configuration.validator, epoch)))
        }
        // Without a lock of its own it may have voted, in a life that this directory does not know, on whatever the
        // order holds. That stays so once it has locks: below the first of them it never votes.
        let firstLock = try blocks.firstLock(of: configuration.validator)
        var core = NodeCore(
            configuration: configuration, epoch: epoch, executor: executor,
            certificate: try blocks.certificate(height), begunBy: change, tables: blocks,
            voteFloor: firstLock.map { max($0, 1) - 1 } ?? logHead, now: now, readFailure: { failure.withLock { $0 } })
        core.headAtStart = logHead
        let sealed = try blocks.sealedEpoch()
        if sealed > epoch.number {
            core.stopSigning(
                "this validator has given its word for epoch \(sealed) of the order and votes no more in epoch "
                    + "\(epoch.number); `lianfen epoch join` takes it there")
        }
        var effects = core.start(stored, now: now)
        if let certificate = core.begun?.start.certificate {
            effects += core.step(.certificate(certificate), now: now)
        }
        return (core, effects)
    }
}

extension OrderingEpoch {
    /// Epoch 0, which the genesis names.
    public init(genesis: Genesis) { self.init(number: 0, bytes: genesis.orderingEpoch, firstHeight: 1) }

    /// The epoch that members have agreed on.
    public init(_ start: EpochChange.Start) {
        self.init(number: start.number, bytes: start.bytes, firstHeight: start.firstHeight)
    }
}

extension BlockStore {
    /// A lock counts only for the validator that made it: a directory may have been copied from another's. One of an
    /// epoch that is over stays as a mark of having voted, until there is another for that height.
    fileprivate func lock(
        _ height: UInt64, of validator: OrganisationID, _ epoch: OrderingEpoch
    ) throws(StorageError) -> Vote? {
        guard let lock = try lock(height), lock.validator == validator, lock.epoch == epoch.number else { return nil }
        return lock
    }
}
