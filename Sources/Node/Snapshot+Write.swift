import Canonical
public import Chain
import Crypto
public import Ledger
import Storage

extension Snapshot {
    /// Writes down the tables at their height, chunk by chunk in order, and checks meanwhile that they give that
    /// height's state root.
    ///
    /// The tables must stand still: a directory that was opened only to be read does, also beside a running node.
    /// - Parameters:
    ///   - chunkBytes: at which size a chunk is full, at most ``SnapshotManifest/Chunk/bytesMax``.
    ///   - write: takes each chunk; no more than one, and the leaves of one table's tree, is in memory.
    /// - Returns: the manifest, to be written last.
    /// - Throws: ``SnapshotError``; what was written before is worth nothing then.
    public static func write(
        _ blocks: BlockStore, genesis: Genesis, chunkBytes: Int = SnapshotManifest.Chunk.bytesMax,
        progress: Progress = { _, _ in },
        write: @escaping (_ index: Int, _ bytes: [UInt8]) throws(SnapshotError) -> Void
    ) throws(SnapshotError) -> SnapshotManifest {
        let source = try Source(blocks)
        var chunks = ChunkWriter(full: chunkBytes, write)
        var dropped = AppendTree()
        for (index, table) in tables.enumerated() {
            let found: TableRoot
            switch table {
            case .replays:
                dropped = try source.dropped()
                found = try source.replays(after: dropped, to: &chunks)
            case .keys, .settled: found = try source.log(table, to: &chunks)
            default: found = try source.rows(table, to: &chunks)
            }
            try chunks.end(table)
            let expected = source.roots[table]
            guard found.root(at: source.head.height, hadRows: expected != .zero).root == expected else {
                throw .tableDiffers(table)
            }
            progress(index + 1, tables.count)
        }
        guard try caught({ () throws(StorageError) in try blocks.height() }) == source.head.height else {
            throw .refused("the tables moved on while they were read; write from a directory opened only to be read")
        }
        return try source.manifest(genesis, dropped: dropped, chunks: chunks.chunks)
    }

    static func caught<Value>(_ body: () throws(StorageError) -> Value) throws(SnapshotError) -> Value {
        do throws(StorageError) { return try body() } catch { throw .storage(error) }
    }

    /// Rows of one table after the other, cut into chunks.
    private struct ChunkWriter {
        private(set) var chunks: [SnapshotManifest.Chunk] = []
        private var content = Encoder()
        private let full: Int
        private let write: (Int, [UInt8]) throws(SnapshotError) -> Void

        init(full: Int, _ write: @escaping (Int, [UInt8]) throws(SnapshotError) -> Void) {
            self.full = min(full, SnapshotManifest.Chunk.bytesMax)
            self.write = write
        }

        /// Length prefixes of a key and a value, at most.
        private static let frameBytes = 10

        mutating func add(_ table: Table, key: RawSpan, value: RawSpan) throws(SnapshotError) {
            let byteCount = key.byteCount + value.byteCount + Self.frameBytes
            if content.count + byteCount > full { try end(table) }
            guard byteCount <= SnapshotManifest.Chunk.bytesMax else {
                throw .refused("a row of \(table.rawValue) is larger than a chunk may be")
            }
            content.byteString(key)
            content.byteString(value)
        }

        mutating func end(_ table: Table) throws(SnapshotError) {
            guard content.count > 0 else { return }
            guard chunks.count < SnapshotManifest.chunksMax else {
                throw .refused("the tables are larger than the \(SnapshotManifest.chunksMax) chunks of a snapshot")
            }
            let bytes = content.bytes
            try write(chunks.count, bytes)
            chunks.append(.init(table, bytes))
            content = Encoder()
        }
    }

    /// The directory that is written down.
    private struct Source {
        let blocks: BlockStore
        let head: Header
        let roots: SubRoots

        init(_ blocks: BlockStore) throws(SnapshotError) {
            self.blocks = blocks
            let found = try caught { () throws(StorageError) in
                let height = try blocks.height()
                return (try blocks.header(height), try blocks.roots(height))
            }
            guard let head = found.0, let roots = found.1, roots.stateRoot == head.state else {
                throw .refused("the directory's header and roots are not of one height; run an audit")
            }
            guard head.height > 0 else {
                throw .refused("nothing is certified here yet; a snapshot needs a certificate")
            }
            self.head = head
            self.roots = roots
        }

        func rows(_ table: Table, to chunks: inout ChunkWriter) throws(SnapshotError) -> TableRoot {
            var root = TableRoot(table)
            var failure: SnapshotError?
            try caught { () throws(StorageError) in
                try blocks.store.visit(BlockStore.column(table), from: nil) { key, value in
                    do throws(SnapshotError) {
                        guard (try? root.add(key, value)) != nil else { throw .tableDiffers(table) }
                        try chunks.add(table, key: key, value: value)
                        return true
                    } catch {
                        failure = error
                        return false
                    }
                }
            }
            if let failure { throw failure }
            return root
        }

        /// A log whose rows all stand here, height by height.
        func log(_ table: Table, to chunks: inout ChunkWriter) throws(SnapshotError) -> TableRoot {
            let prefix = BlockStore.additionsPrefix(table)
            return try heights(TableRoot(table), .additions, prefix, to: &chunks) { (keys) throws(SnapshotError) in
                try list(table, keys: keys)
            }
        }

        func replays(after dropped: AppendTree, to chunks: inout ChunkWriter) throws(SnapshotError) -> TableRoot {
            try heights(TableRoot(.replays, log: dropped), .replays, [], to: &chunks) { (list) throws(SnapshotError) in
                list
            }
        }

        /// What each height added to a log.
        /// - Parameters:
        ///   - prefix: stands in front of the height in the column's keys.
        ///   - list: all that a height added, as its leaf is made of it, from the column's row.
        private func heights(
            _ root: consuming TableRoot, _ column: Column, _ prefix: [UInt8], to chunks: inout ChunkWriter,
            list: (_ row: [UInt8]) throws(SnapshotError) -> [UInt8]
        ) throws(SnapshotError) -> TableRoot {
            var root = root
            var failure: SnapshotError?
            try caught { () throws(StorageError) in
                try blocks.store.scan(column, prefix: prefix) { key, value in
                    do throws(SnapshotError) {
                        let bytes = try list(value)
                        let place = Array(key.dropFirst(prefix.count))
                        root.add(height: BlockStore.number(place), leaf: SHA256.hash(.additions, bytes))
                        try chunks.add(root.table, key: place.span.bytes, value: bytes.span.bytes)
                        return true
                    } catch {
                        failure = error
                        return false
                    }
                }
            }
            if let failure { throw failure }
            return root
        }

        /// A height's additions as its leaf is made of them.
        private func list(_ table: Table, keys: [UInt8]) throws(SnapshotError) -> [UInt8] {
            let keys = stride(from: 0, to: keys.count, by: Digest.byteCount).map {
                Array(keys[$0..<min($0 + Digest.byteCount, keys.count)])
            }
            let values = try caught { () throws(StorageError) in
                try blocks.store.getMany(BlockStore.column(table), keys)
            }
            var encoder = Encoder()
            encoder.length(keys.count)
            for (key, value) in zip(keys, values) {
                guard let value else { throw .tableDiffers(table) }
                encoder.byteString(key)
                encoder.byteString(value)
            }
            return encoder.bytes
        }

        /// The tree of the nonces that have left, up to the first height whose nonces are here.
        func dropped() throws(SnapshotError) -> AppendTree {
            let end = try firstReplays() ?? head.height + 1
            let begun = try caught { () throws(StorageError) in
                try blocks.value(.meta, BlockStore.droppedKey, "tree of nonces that have left") as AppendTree?
            }
            var root = TableRoot(.replays, log: begun ?? AppendTree())
            let prefix = BlockStore.additionsPrefix(.replays)
            var isBad = false
            try caught { () throws(StorageError) in
                try blocks.store.scan(.additions, prefix: prefix) { key, value in
                    let height = BlockStore.number(key.dropFirst(prefix.count))
                    guard height < end else { return false }
                    guard height >= UInt64(root.count), value.count == Digest.byteCount else {
                        isBad = true
                        return false
                    }
                    root.add(height: height, leaf: Digest(bytes: value))
                    return true
                }
            }
            if isBad { throw .tableDiffers(.replays) }
            return root.tree
        }

        private func firstReplays() throws(SnapshotError) -> UInt64? {
            var first: UInt64?
            try caught { () throws(StorageError) in
                try blocks.store.scan(.replays) { key, _ in
                    first = BlockStore.number(key)
                    return false
                }
            }
            return first
        }

        /// The newest certificate that these headers' entries have carried: the very bytes, since another node may have
        /// joined other votes to one of the same height.
        private func certificate(
            carriedBy headers: [Header], genesis: Digest
        ) throws(StorageError) -> Certificate? {
            guard let index = headers.lastIndex(where: { $0.certificate != .zero }), index > 0 else { return nil }
            let height = headers[index].height
            guard let raw = try blocks.block(height) else {
                // Carried before the snapshot with which this directory began, which has brought it.
                return try blocks.certificate(headers[0].height)
            }
            let entry = try? Entry(
                raw: raw, position: height, previous: headers[index - 1].entry, genesis: genesis,
                set: try blocks.set(at: height), rules: headers[index].rulesVersion)
            return entry?.certificate
        }

        func manifest(
            _ genesis: Genesis, dropped: AppendTree, chunks: [SnapshotManifest.Chunk]
        ) throws(SnapshotError) -> SnapshotManifest {
            let from = try caught { () throws(StorageError) in try blocks.carried() }
            guard head.height - from < UInt64(SnapshotManifest.headersMax) else {
                throw .refused(
                    "no entry has carried a certificate for \(SnapshotManifest.headersMax) heights; wait for one")
            }
            let headers = try caught { () throws(StorageError) in
                var headers: [Header] = []
                for height in from...head.height {
                    if let header = try blocks.header(height) { headers.append(header) }
                }
                return headers
            }
            let carried = try caught { () throws(StorageError) in
                try certificate(carriedBy: headers, genesis: genesis.hash)
            }
            let found = try caught { () throws(StorageError) in try blocks.certificate(head.height) }
            guard let certificate = found else {
                throw .refused("the directory has no certificate of its tables' height")
            }
            let changes = try caught { () throws(StorageError) in
                try blocks.lightSteps(after: 0, max: LightSteps.countMax)
            }
            let manifest = SnapshotManifest(
                genesis: genesis.hash, changes: changes, headers: headers, certificate: certificate, carried: carried,
                roots: roots, dropped: dropped, chunks: chunks)
            // What nobody would take is not handed out.
            do throws(SnapshotManifest.Refusal) {
                try manifest.verify(genesis: genesis, trusting: LightClient(genesis))
            } catch { throw .manifest(error) }
            return manifest
        }
    }
}
