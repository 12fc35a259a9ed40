import Canonical
public import Chain
import Concurrency
public import Crypto
public import Ledger
public import Storage

/// A node's directory in the words of the chain: what stands under which key.
public struct BlockStore: Sendable {
    public let store: any Store

    public init(_ store: any Store) { self.store = store }

    static let chainKey = Array("chain".utf8)
    private static let heightKey = Array("height".utf8)
    private static let carriedKey = Array("carried".utf8)

    static func logKey(_ table: Table) -> [UInt8] { Array("log/\(table.rawValue)".utf8) }

    /// Where a height's additions to a log begin in ``Column/additions``.
    static func additionsPrefix(_ table: Table) -> [UInt8] { Array(table.rawValue.utf8) + [0] }

    public static func column(_ table: Table) -> Column {
        switch table {
        case .accounts: .accounts
        case .accruals: .accruals
        case .clawbacks: .clawbacks
        case .epochs: .epochs
        case .holdings: .holdings
        case .holds: .holds
        case .offences: .offences
        case .organisations: .organisations
        case .parameters: .parameters
        case .programs: .programs
        case .proposals: .proposals
        case .rules: .rules
        case .units: .units
        case .votingKeys: .votingKeys
        case .keys: .keys
        case .replays: .replays
        case .settled: .settled
        }
    }

    // MARK: Reading

    /// The genesis that the directory was made with; none where it is empty.
    /// - Throws: ``StorageError`` `.notFound` where a snapshot was being restored and came to no end.
    public func genesis() throws(StorageError) -> Genesis? {
        try checkWhole()
        guard let bytes = try store.get(.blocks, bigEndianBytes(0)) else { return nil }
        let genesis: Genesis = try decode(bytes, "genesis")
        guard try store.get(.meta, Self.chainKey) == genesis.hash.bytes else { throw damaged("the chain's hash") }
        return genesis
    }

    /// Newest height whose rows stand in the tables.
    public func height() throws(StorageError) -> UInt64 { try number(Self.heightKey) }

    /// Height of the newest certificate carried up to there.
    public func carried() throws(StorageError) -> UInt64 { try number(Self.carriedKey) }

    public func header(_ height: UInt64) throws(StorageError) -> Header? { try row(.headers, height) }
    public func block(_ height: UInt64) throws(StorageError) -> [UInt8]? {
        try store.get(.blocks, bigEndianBytes(height))
    }
    public func certificate(_ height: UInt64) throws(StorageError) -> Certificate? { try row(.certificates, height) }
    public func roots(_ height: UInt64) throws(StorageError) -> SubRoots? { try row(.roots, height) }

    /// The certificate of the lowest height above this one that has one.
    public func certificate(above height: UInt64) throws(StorageError) -> Certificate? {
        var found: [UInt8]?
        try store.scan(.certificates, from: bigEndianBytes(height + 1), descending: false) { _, value in
            found = value
            return false
        }
        return try found.map { (bytes) throws(StorageError) in try decode(bytes, "certificate above \(height)") }
    }

    /// The final blocks after a height, certificate by certificate, for a node that is behind.
    /// - Parameter bytesMax: bytes of entries after which no more are added.
    public func finals(above height: UInt64, bytesMax: Int = finalBytesMax) throws(StorageError) -> [FinalBlocks] {
        var (finals, next, byteCount): ([FinalBlocks], UInt64, Int) = ([], height + 1, 0)
        while finals.count < Self.finalsMax, byteCount < bytesMax, let certificate = try certificate(above: next - 1) {
            guard certificate.height - next < FinalBlocks.countMax else { break }
            var (headers, entries): ([Header], [[UInt8]]) = ([], [])
            for height in next...certificate.height {
                guard let header = try header(height), let raw = try block(height) else { return finals }
                headers.append(header)
                entries.append(raw)
                byteCount += raw.count
            }
            finals.append(FinalBlocks(headers: headers, entries: entries, certificate: certificate))
            next = certificate.height + 1
        }
        return finals
    }

    /// A certified header and its sub-roots, as a peer that came apart from it asks for them.
    public func block(certifiedAt height: UInt64) throws(StorageError) -> (header: Header, roots: SubRoots)? {
        guard height <= (try self.height()), let header = try header(height), let roots = try roots(height) else {
            return nil
        }
        return (header, roots)
    }

    /// Bounds of one answer to a node that is behind.
    public static let finalsMax = FinalBlocksList.countMax
    public static let finalBytesMax = 4 << 20

    public func lock(_ height: UInt64) throws(StorageError) -> Vote? { try row(.locks, height) }

    /// Who governs a height: known up to the second one after the tables' height.
    public func set(at height: UInt64) throws(StorageError) -> ValidatorSet {
        let newest: [(key: [UInt8], row: ValidatorSet)] = try rows(
            .sets, from: bigEndianBytes(height), descending: true, max: 1, "validators")
        guard let set = newest.first?.row else { throw damaged("the validators of height \(height)") }
        return set
    }

    /// The changes of the validators that govern heights after `height`, in ascending order, at most `max` of them.
    public func changes(after height: UInt64, max: Int) throws(StorageError) -> [ValidatorSets.Change] {
        try rows(.sets, from: bigEndianBytes(height + 1), max: max, "validators").map {
            ValidatorSets.Change(from: Self.number($0.key), set: $0.row)
        }
    }

    /// Who governs the heights from `height` on.
    func sets(from height: UInt64) throws(StorageError) -> ValidatorSets {
        let after = try changes(after: height, max: .max)
        return ValidatorSets([ValidatorSets.Change(from: height, set: try set(at: height))] + after)
    }

    public func receipts(_ height: UInt64) throws(StorageError) -> [Receipt]? {
        guard let bytes = try store.get(.receipts, bigEndianBytes(height)) else { return nil }
        return (try decode(bytes, "receipts of height \(height)") as List<Receipt>).values
    }

    /// Where a transaction stands that burnt its nonce.
    public func place(_ id: TransactionID) throws(StorageError) -> Place? {
        guard let bytes = try store.get(.transactions, id.bytes) else { return nil }
        return try decode(bytes, "place of a transaction")
    }

    /// The lowest height that a validator voted on here. Other validators' locks may stand here too, where the
    /// directory was copied from another's.
    public func firstLock(of validator: OrganisationID) throws(StorageError) -> UInt64? {
        var found: UInt64?
        var bad = false
        try store.scan(.locks) { _, value in
            guard let lock = try? Vote(canonicalBytes: value) else {
                bad = true
                return false
            }
            if lock.validator == validator { found = lock.height }
            return found == nil
        }
        if bad { throw damaged("a vote lock") }
        return found
    }

    /// The newest position whose entry stands here, or that a snapshot has brought here without its entry.
    public func newestBlock() throws(StorageError) -> UInt64 { max(try newest(.blocks) ?? 0, try beginning()) }

    public func newestCertificate() throws(StorageError) -> Certificate? {
        guard let height = try newest(.certificates) else { return nil }
        return try certificate(height)
    }

    public func account(_ id: AccountID) throws(StorageError) -> Account? {
        try value(.accounts, id.bytes, "account")
    }
    public func holding(_ account: AccountID, _ unit: UnitCode) throws(StorageError) -> Holding? {
        try value(.holdings, account.bytes + unit.paddedBytes, "holding")
    }
    public func unit(_ code: UnitCode) throws(StorageError) -> Unit? { try value(.units, code.paddedBytes, "unit") }

    /// The accrual line that used a natural key.
    public func accepted(_ key: NaturalKey, issuer: OrganisationID) throws(StorageError) -> AcceptedLine? {
        try value(.keys, key.digest(issuer: issuer).bytes, "accrual line")
    }

    public func units() throws(StorageError) -> [Unit] { try all(.units).map(\.row) }

    /// An account's holdings, in ascending order of unit.
    public func holdings(_ account: AccountID) throws(StorageError) -> [(unit: UnitCode, holding: Holding)] {
        var rows: [(key: [UInt8], value: [UInt8])] = []
        try store.scan(.holdings, prefix: account.bytes) { key, value in
            rows.append((key, value))
            return true
        }
        var out: [(unit: UnitCode, holding: Holding)] = []
        for (key, value) in rows {
            guard let unit = UnitCode(String(decoding: key[16...].prefix { $0 != 0 }, as: UTF8.self)) else {
                throw damaged("a holding's key")
            }
            out.append((unit, try decode(value, "holding")))
        }
        return out
    }

    func number(_ key: [UInt8]) throws(StorageError) -> UInt64 {
        guard let bytes = try store.get(.meta, key) else { return 0 }
        guard bytes.count == 8 else { throw damaged("a number in meta") }
        return Self.number(bytes)
    }

    /// A height as it stands in keys.
    static func number(_ bytes: some Sequence<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }

    private func newest(_ column: Column) throws(StorageError) -> UInt64? {
        var found: UInt64?
        try store.scan(column, from: nil, descending: true) { key, _ in
            found = Self.number(key)
            return false
        }
        return found
    }

    private func row<Row: Canonical>(_ column: Column, _ height: UInt64) throws(StorageError) -> Row? {
        try value(column, bigEndianBytes(height), "\(column.rawValue) of height \(height)")
    }

    func value<Row: Canonical>(_ column: Column, _ key: [UInt8], _ what: String) throws(StorageError) -> Row? {
        guard let bytes = try store.get(column, key) else { return nil }
        return try decode(bytes, what)
    }

    func all<Row: Canonical>(_ column: Column) throws(StorageError) -> [(key: [UInt8], row: Row)] {
        var raw: [(key: [UInt8], value: [UInt8])] = []
        try store.scan(column) { key, value in
            raw.append((key, value))
            return true
        }
        var rows: [(key: [UInt8], row: Row)] = []
        rows.reserveCapacity(raw.count)
        for (key, value) in raw { rows.append((key, try decode(value, column.rawValue))) }
        return rows
    }

    func decode<Row: Canonical>(_ bytes: [UInt8], _ what: String) throws(StorageError) -> Row {
        do throws(DecodingError) { return try Row(canonicalBytes: bytes) } catch {
            throw damaged("\(what): \(error)")
        }
    }

    func damaged(_ what: String) -> StorageError {
        StorageError(
            .corrupt, "a stored value does not decode (\(what)); restore the directory or let it join afresh",
            place: "the node's directory")
    }

    /// Rows that a transaction of many lines will ask for, as the tables have them now. A read that fails is left to
    /// execution, which says so.
    func rowsAhead(of unchecked: SignaturePool.Unchecked) -> RowsAhead? {
        guard let missing = unchecked.missing else { return nil }
        return RowsAhead(
            of: unchecked.transaction, missing: missing, at: { try? height() },
            load: { try? store.getMany(Self.column($0), $1) })
    }

    // MARK: Writing

    /// What a new directory begins with.
    public static func genesisBatch(_ genesis: Genesis) -> WriteBatch {
        var batch = WriteBatch()
        batch.put(.meta, chainKey, genesis.hash.bytes)
        batch.put(.blocks, bigEndianBytes(0), genesis.canonicalBytes)
        batch.put(.headers, bigEndianBytes(0), Executor.genesisHeader(genesis).canonicalBytes)
        add(Ledger.genesisChanges(genesis), height: 0, to: &batch)
        let trees = StateTrees(genesis: genesis)
        batch.put(.roots, bigEndianBytes(0), trees.headRoots.canonicalBytes)
        batch.put(.sets, bigEndianBytes(0), ValidatorSet(genesis).canonicalBytes)
        add(trees.logs(at: 0)!, height: 0, carried: 0, to: &batch)
        return batch
    }

    // About how much room batches need, so that they need not grow into it.
    private static let headerAndLockBytes = 1024
    private static let metaBytes = 4096
    /// A transaction's id and place.
    private static let transactionBytes = 44

    /// Before a vote: the block, its header and, where this node votes, its lock. To be synced.
    public static func lockBatch(_ block: Executor.Block, lock: Vote?) -> WriteBatch {
        let key = bigEndianBytes(block.header.height)
        var batch = WriteBatch(room: block.decoded.raw.count + headerAndLockBytes)
        batch.put(.blocks, key, block.decoded.raw)
        batch.put(.headers, key, block.header.canonicalBytes)
        if let lock { batch.put(.locks, key, lock.canonicalBytes) }
        return batch
    }

    /// Before a vote on a height whose block was stored without one. To be synced.
    public static func lockBatch(_ lock: Vote) -> WriteBatch {
        var batch = WriteBatch()
        batch.put(.locks, bigEndianBytes(lock.height), lock.canonicalBytes)
        return batch
    }

    /// After a certificate: all that blocks up to `height` changed, together with that height.
    public static func commitBatch(
        _ blocks: [Executor.Block], certificates: [Certificate], logs: [Table: StateTrees.LogTree]
    ) -> WriteBatch {
        var (bytes, count) = (metaBytes, 0)
        for block in blocks {
            bytes += block.receiptBytes.count + metaBytes + block.output.burnt.count * transactionBytes
            count += block.output.burnt.count
            for change in block.output.changes {
                bytes += change.listBytesMax
                count += change.count
            }
        }
        var batch = WriteBatch(room: bytes, count: count)
        for block in blocks {
            add(block.output.changes, height: block.header.height, to: &batch)
            for height in block.output.replaysLeft { batch.delete(.replays, bigEndianBytes(height)) }
            let key = bigEndianBytes(block.header.height)
            batch.put(.receipts, key, block.receiptBytes)
            batch.put(.roots, key, block.roots.canonicalBytes)
            if let change = block.change { batch.put(.sets, bigEndianBytes(change.from), change.set.canonicalBytes) }
            for (id, index) in block.output.burnt {
                batch.put(
                    .transactions, id.bytes, Place(height: block.header.height, index: index).canonicalBytes)
            }
        }
        for certificate in certificates {
            batch.put(.certificates, bigEndianBytes(certificate.height), certificate.canonicalBytes)
        }
        let last = blocks[blocks.count - 1]
        add(logs, height: last.header.height, carried: last.carried, to: &batch)
        return batch
    }

    private static func add(_ changes: [TableChanges], height: UInt64, to batch: inout WriteBatch) {
        for change in changes {
            let column = column(change.table)
            if change.table == .replays {
                var encoder = Encoder(capacity: change.listBytesMax)
                change.encodeList(to: &encoder)
                batch.put(column, bigEndianBytes(height), encoder.bytes)
                let leaf = encoder.withBytes { SHA256.hash(.additions, $0) }
                batch.put(.additions, additionsPrefix(change.table) + bigEndianBytes(height), leaf.bytes)
                continue
            }
            for index in 0..<change.count {
                change.look(at: index) { key, value, _ in batch.change(column, key, value) }
            }
            guard change.table.isLog, !change.isEmpty else { continue }
            var keys = Encoder(capacity: change.count * Digest.byteCount)
            for index in 0..<change.count { change.look(at: index) { key, _, _ in keys.fixed(key) } }
            batch.put(.additions, additionsPrefix(change.table) + bigEndianBytes(height), keys.bytes)
        }
    }

    static func add(
        _ logs: [Table: StateTrees.LogTree], height: UInt64, carried: UInt64, to batch: inout WriteBatch
    ) {
        for table in Table.allCases where table.isLog {
            batch.put(.meta, logKey(table), logs[table]!.canonicalBytes)
        }
        batch.put(.meta, heightKey, bigEndianBytes(height))
        batch.put(.meta, carriedKey, bigEndianBytes(carried))
    }

    // MARK: Opening

    /// The executor at the tables' height.
    /// - Parameter failed: told of a read that failed during execution; the caller then drops the block.
    public func executor(
        genesis: Genesis, failed: @escaping @Sendable (StorageError) -> Void
    ) throws(StorageError) -> Executor {
        let height = try height()
        guard let head = try header(height) else { throw damaged("the header of height \(height)") }
        let store = store
        let loader: RowLoader = { table, key in
            do throws(StorageError) { return try store.get(Self.column(table), key) } catch {
                failed(error)
                return nil
            }
        }
        var logs: [Table: StateTrees.LogTree] = [:]
        for table in Table.allCases where table.isLog {
            guard let bytes = try store.get(.meta, Self.logKey(table)) else { throw damaged("a log's tree") }
            logs[table] = try decode(bytes, "a log's tree")
        }
        let trees = try StateTrees(height: height, logs: logs, parallel: Workers.shared.run, leaves: leaves)
        guard trees.headRoots.stateRoot == head.state else {
            throw StorageError(
                .corrupt, "the tables do not give the state root of height \(height); run an audit, restore or rejoin",
                place: "the node's directory")
        }
        var replays: [(key: ReplayKey, row: Replay)] = []
        for (_, burnt) in try all(.replays) as [(key: [UInt8], row: List<BurntNonce>)] {
            for nonce in burnt.values {
                replays.append((try decode(nonce.key, "a replay's key"), try decode(nonce.row, "a replay")))
            }
        }
        let holds = (try all(.holds) as [(key: [UInt8], row: Hold)]).map { (id: Digest(bytes: $0.key), row: $0.row) }
        let proposals = (try all(.proposals) as [(key: [UInt8], row: Proposal)]).map {
            (id: Digest(bytes: $0.key), row: $0.row)
        }
        let organisations = (try all(.organisations) as [(key: [UInt8], row: Organisation)]).map(\.row.id)
        let ledger = Ledger(
            genesis: genesis, height: height, time: head.time, replays: replays, holds: holds,
            organisations: organisations, proposals: proposals, loader: loader)
        let carried = try carried()
        return Executor(
            genesis: genesis, ledger: ledger, trees: trees, head: head, carried: carried,
            sets: try sets(from: min(carried, height)), epoch: try newestEpoch())
    }

    /// A table's leaves, read in as many ranges of keys as keep all cores busy.
    private func leaves(of table: Table) throws(StorageError) -> [StateTree.Leaves] {
        // Keys are drawn or digests where there are many of them, so equal ranges hold about equally many.
        let starts = (0..<Self.scanRanges).map { UInt8($0 * 256 / Self.scanRanges) }
        let found = starts.map { _ in Locked((leaves: StateTree.Leaves(), failure: StorageError?.none)) }
        Workers.shared.run(starts.count) { range in
            var leaves = StateTree.Leaves()
            var failure: StorageError?
            do throws(StorageError) {
                let end = range + 1 < starts.count ? starts[range + 1] : nil
                try store.visit(Self.column(table), from: range == 0 ? nil : [starts[range]]) { key, value in
                    if let end, !key.isEmpty, key.unsafeLoad(as: UInt8.self) >= end { return false }
                    guard let leaf = try? table.leaf(key, value) else {
                        failure = damaged("a row of \(table.rawValue)")
                        return false
                    }
                    leaves.append(leaf.key, leaf.value)
                    return true
                }
            } catch { failure = error }
            let (all, wrong) = (leaves, failure)
            found[range].withLock { $0 = (all, wrong) }
        }
        let results = found.map { box in
            box.withLock { result in
                defer { result.leaves = StateTree.Leaves() }
                return result
            }
        }
        if let failure = results.compactMap(\.failure).first { throw failure }
        return results.map(\.leaves)
    }

    private static let scanRanges = 16
}

/// A row of the table of replays as it is stored with the others of its block.
private struct BurntNonce: Canonical {
    let key: [UInt8]
    let row: [UInt8]

    func encode(to encoder: inout Encoder) {
        encoder.byteString(key)
        encoder.byteString(row)
    }

    init(from decoder: inout Decoder) throws(DecodingError) {
        key = try decoder.byteString(max: 64)
        row = try decoder.byteString(max: 64)
    }
}

/// A list as a value of its own, as long as its bytes are.
struct List<Element: Canonical>: Canonical {
    let values: [Element]

    func encode(to encoder: inout Encoder) { encoder.sequence(values) }
    init(from decoder: inout Decoder) throws(DecodingError) {
        values = try decoder.sequence(max: Entry.transactionsMax)
    }
}
