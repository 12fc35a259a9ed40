import Canonical
public import Chain
import Crypto
public import Ledger
public import Storage

extension Snapshot {
    /// Makes an empty directory one that stands at the snapshot's height.
    ///
    /// Rows are written as they come and count for nothing until all of them have given every sub-root under the
    /// certified state root: then one synced batch with the height makes the directory a node's. Before that batch, and
    /// after a crash or a refusal, it says that it is not whole, and is to be deleted.
    /// - Parameters:
    ///   - client: at the genesis, or at a checkpoint that is trusted.
    ///   - chunk: gives a chunk's bytes by its index, in order, from wherever.
    /// - Throws: ``SnapshotError``; names the part that does not hold.
    public static func restore(
        _ manifest: SnapshotManifest, into store: any Store, genesis: Genesis, trusting client: LightClient,
        progress: Progress = { _, _ in }, chunk: (_ index: Int) throws(SnapshotError) -> [UInt8]
    ) throws(SnapshotError) {
        do throws(SnapshotManifest.Refusal) { try manifest.verify(genesis: genesis, trusting: client) } catch {
            throw .manifest(error)
        }
        let blocks = BlockStore(store)
        try caught { () throws(StorageError) in
            if try blocks.genesis() != nil {
                throw StorageError(
                    .exists, "a chain is here already; a snapshot needs an empty directory",
                    place: "the node's directory")
            }
            var batch = WriteBatch()
            batch.put(.meta, BlockStore.joiningKey, bigEndianBytes(manifest.height))
            try store.write(batch, synced: true)
        }
        let logs = try read(manifest, progress: progress, chunk: chunk) { (rows) throws(SnapshotError) in
            try caught { () throws(StorageError) in try store.write(rows, synced: false) }
        }
        try caught { () throws(StorageError) in
            try store.write(ending(manifest, genesis, logs, voters: blocks.voters()), synced: true)
        }
    }

    /// Checks all that ``restore(_:into:genesis:trusting:progress:chunk:)`` does, and makes nothing of it.
    public static func verify(
        _ manifest: SnapshotManifest, genesis: Genesis, trusting client: LightClient,
        progress: Progress = { _, _ in }, chunk: (_ index: Int) throws(SnapshotError) -> [UInt8]
    ) throws(SnapshotError) {
        do throws(SnapshotManifest.Refusal) { try manifest.verify(genesis: genesis, trusting: client) } catch {
            throw .manifest(error)
        }
        _ = try read(manifest, progress: progress, chunk: chunk) { (_) throws(SnapshotError) in }
    }

    /// Reads all chunks, and holds each table against its root.
    /// - Parameter take: gets a chunk's rows, which count for nothing before this returns.
    /// - Returns: the trees of the logs.
    private static func read(
        _ manifest: SnapshotManifest, progress: Progress, chunk: (_ index: Int) throws(SnapshotError) -> [UInt8],
        take: (WriteBatch) throws(SnapshotError) -> Void
    ) throws(SnapshotError) -> [Table: StateTrees.LogTree] {
        var logs: [Table: StateTrees.LogTree] = [:]
        var next = 0
        for table in tables {
            let expected = manifest.roots[table]
            var reader = TableReader(table, dropped: manifest.dropped, to: manifest.height)
            while next < manifest.chunks.count, manifest.chunks[next].table == table {
                let bytes = try chunk(next)
                guard manifest.chunks[next].holds(bytes) else { throw .chunkDiffers(next) }
                let batch: WriteBatch
                do throws(DecodingError) { batch = try reader.take(bytes) } catch { throw .chunkMalformed(next) }
                try take(batch)
                next += 1
                progress(next, manifest.chunks.count)
            }
            let found = reader.root.root(at: manifest.height, hadRows: expected != .zero)
            guard found.root == expected else { throw .tableDiffers(table) }
            if let log = found.log { logs[table] = log }
        }
        return logs
    }

    /// What makes the directory whole.
    private static func ending(
        _ manifest: SnapshotManifest, _ genesis: Genesis, _ logs: [Table: StateTrees.LogTree], voters: ValidatorSet?
    ) -> WriteBatch {
        var batch = WriteBatch()
        batch.delete(.meta, BlockStore.joiningKey)
        batch.put(.meta, BlockStore.chainKey, manifest.genesis.bytes)
        batch.put(.blocks, bigEndianBytes(0), genesis.canonicalBytes)
        let first = Executor.genesisHeader(genesis)
        for header in [first] + manifest.changes.flatMap(\.headers) + manifest.headers {
            batch.put(.headers, bigEndianBytes(header.height), header.canonicalBytes)
        }
        for certificate in manifest.changes.map(\.certificate) + [manifest.certificate]
            + (manifest.carried.map { [$0] } ?? [])
        {
            batch.put(.certificates, bigEndianBytes(certificate.height), certificate.canonicalBytes)
        }
        batch.put(.sets, bigEndianBytes(0), ValidatorSet(genesis).canonicalBytes)
        for change in manifest.changes {
            guard let set = change.set else { continue }
            batch.put(.sets, bigEndianBytes(change.certificate.height + 1), set.canonicalBytes)
        }
        // A change that was executed at this very height is announced by the next header.
        if let voters, voters.hash != manifest.header.nextValidators {
            batch.put(.sets, bigEndianBytes(manifest.height + 2), voters.canonicalBytes)
        }
        batch.put(.roots, bigEndianBytes(manifest.height), manifest.roots.canonicalBytes)
        batch.put(.meta, BlockStore.beganKey, bigEndianBytes(manifest.height))
        batch.put(.meta, BlockStore.droppedKey, manifest.dropped.canonicalBytes)
        BlockStore.add(logs, height: manifest.height, carried: manifest.carried?.height ?? 0, to: &batch)
        return batch
    }

    /// The chunks of one table, in order.
    private struct TableReader {
        let table: Table
        var root: TableRoot
        private let end: UInt64
        private var last: [UInt8]?

        init(_ table: Table, dropped: AppendTree, to height: UInt64) {
            self.table = table
            root = TableRoot(table, log: table == .replays ? dropped : AppendTree())
            end = height + 1
        }

        /// The rows as they are written.
        mutating func take(_ bytes: [UInt8]) throws(DecodingError) -> WriteBatch {
            var batch = WriteBatch(room: 2 * bytes.count)
            var decoder = Decoder(bytes)
            while decoder.remaining > 0 {
                let row: SnapshotRow = try decoder.value()
                guard last.map({ $0.lexicographicallyPrecedes(row.key) }) ?? true else {
                    throw decoder.refusal(.unordered)
                }
                last = row.key
                if table.isLog {
                    guard row.key.count == 8, BlockStore.number(row.key) < end,
                        BlockStore.number(row.key) >= UInt64(root.count)
                    else { throw decoder.refusal(.invalidValue) }
                    try take(height: row, to: &batch)
                } else {
                    try root.add(row.key.span.bytes, row.value.span.bytes)
                    batch.put(BlockStore.column(table), row.key, row.value)
                }
            }
            return batch
        }

        /// All that a height added to a log.
        private mutating func take(height row: SnapshotRow, to batch: inout WriteBatch) throws(DecodingError) {
            let leaf = SHA256.hash(.additions, row.value)
            root.add(height: BlockStore.number(row.key), leaf: leaf)
            let additions = BlockStore.additionsPrefix(table) + row.key
            if table == .replays {
                batch.put(.replays, row.key, row.value)
                batch.put(.additions, additions, leaf.bytes)
                return
            }
            var decoder = Decoder(row.value)
            let count = try decoder.length(max: row.value.count)
            guard count > 0 else { throw decoder.refusal(.invalidValue) }
            var keys = Encoder(capacity: count * Digest.byteCount)
            for _ in 0..<count {
                let added: SnapshotRow = try decoder.value()
                guard added.key.count == Digest.byteCount else { throw decoder.refusal(.invalidValue) }
                keys.fixed(added.key)
                batch.put(BlockStore.column(table), added.key, added.value)
            }
            try decoder.finish()
            batch.put(.additions, additions, keys.bytes)
        }
    }
}

extension BlockStore {
    /// Who votes by the rows of the organisations, as the ledger tells it; none where nobody does.
    fileprivate func voters() throws(StorageError) -> ValidatorSet? {
        let rows = try all(.organisations) as [(key: [UInt8], row: Organisation)]
        let voters = rows.map(\.row).filter(\.votes).compactMap { row in
            row.votingKey.map { Validator(id: row.id, key: $0) }
        }
        return voters.isEmpty ? nil : ValidatorSet(voters.sorted { $0.id < $1.id })
    }
}
