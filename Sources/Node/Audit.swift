import Canonical
import Chain
import Concurrency
public import Crypto
public import Ledger
public import Storage

/// Replays a directory from its genesis, with all signatures, certificates, roots and conservation, and compares what
/// is stored with what the replay gives. Only reads; may run beside a running node.
public enum Audit {
    /// The first thing found wrong.
    public struct Fault: Sendable, Equatable {
        public let height: UInt64
        /// What differs: `header`, `certificate`, or the name of a table (its sub-root or a stored row).
        public let part: String
        public let reason: String
    }

    public struct Report: Sendable {
        /// Newest height that was looked at.
        public let height: UInt64
        public let stateRoot: Digest
        public let transactions: UInt64
        public let signatures: UInt64
        public let certificates: UInt64
        public let firstWrong: Fault?

        public var ok: Bool { firstWrong == nil }
    }

    /// - Parameters:
    ///   - trusted: the genesis that the chain is expected to have; that in the directory where none is given.
    ///   - progress: told the height reached and the last one.
    ///   - isCancelled: asked once a block.
    /// - Throws: ``StorageError`` where the directory cannot be read at all.
    public static func run(
        _ store: any Store, trusted: Genesis? = nil, progress: (UInt64, UInt64) -> Void = { _, _ in },
        isCancelled: () -> Bool = { false }
    ) throws(StorageError) -> Report {
        let stored = BlockStore(store)
        let own: Genesis
        do throws(StorageError) {
            guard let there = try stored.genesis() else {
                throw StorageError(.notFound, "no chain is stored here", place: "the directory")
            }
            own = there
        } catch {
            guard error.code == .corrupt, let trusted else { throw error }
            return Progress(genesis: trusted).report(Fault(height: 0, part: "genesis", reason: error.reason))
        }
        // From its snapshot on nothing could be replayed: the tables of that height are gone.
        if try stored.beginning() > 0 { try stored.checkHistory(of: 1) }
        let genesis = trusted ?? own
        let last = try stored.height()
        var state = Progress(genesis: genesis)
        if own.hash != genesis.hash {
            return state.report(Fault(height: 0, part: "genesis", reason: "the directory has another genesis"))
        }
        // The replay writes the same rows with the same code into a store of its own.
        let replayed = BlockStore(MemoryStore())
        try replayed.store.write(BlockStore.genesisBatch(genesis), synced: false)
        let pool = SignaturePool(genesis: genesis.hash)
        defer { pool.stop() }
        var executor = try replayed.executor(genesis: genesis) { _ in }
        let first = try? stored.header(0)
        if first != executor.head {
            return state.report(Fault(height: 0, part: "header", reason: "the stored header of the genesis differs"))
        }
        var headers = [executor.head.hash]
        for height in stride(from: 1, through: last, by: 1) {
            if isCancelled() { break }
            var part = "block"
            do throws(StorageError) {
                let fault = try check(height, stored, replayed, &executor, &headers, pool, &state, reading: &part)
                if let fault { return state.report(fault) }
            } catch {
                // A row that cannot be read makes a height wrong just like one that reads wrongly.
                guard error.code == .corrupt else { throw error }
                return state.report(Fault(height: height, part: part, reason: error.reason))
            }
            progress(height, last)
        }
        let newest = try stored.certificate(last)
        if state.height == last, newest == nil, last > 0 {
            return state.report(
                Fault(height: last, part: "certificate", reason: "the tables stand at a height without a certificate"))
        }
        if isCancelled() { return state.report(nil) }
        return state.report(try compare(stored.store, replayed.store, at: last))
    }

    private struct Progress {
        var height: UInt64 = 0
        var stateRoot: Digest
        var transactions: UInt64 = 0
        var signatures: UInt64 = 0
        var certificates: UInt64 = 0

        init(genesis: Genesis) { stateRoot = StateTrees(genesis: genesis).headRoots.stateRoot }

        func report(_ fault: Fault?) -> Report {
            Report(
                height: height, stateRoot: stateRoot, transactions: transactions, signatures: signatures,
                certificates: certificates, firstWrong: fault)
        }
    }

    /// Replays one height; answers what is wrong with it, if anything is.
    private static func check(
        _ height: UInt64, _ stored: BlockStore, _ replayed: BlockStore, _ executor: inout Executor,
        _ headers: inout [Digest], _ pool: SignaturePool, _ state: inout Progress, reading part: inout String
    ) throws(StorageError) -> Fault? {
        func fault(_ part: String, _ reason: String) -> Fault { Fault(height: height, part: part, reason: reason) }
        guard let raw = try stored.block(height) else { return fault("block", "the block is missing") }
        let decoded = executor.decode(raw)
        let verified = verify(decoded.transactions, pool)
        let hash = executor.genesisHash
        let known = headers
        var failure: StorageError?
        let block = executor.execute(
            decoded, signaturesVerify: { verified[decoded.transactions[$0].envelopeDigest] == true },
            header: { $0 < UInt64(known.count) ? known[Int($0)] : nil },
            entry: { height in
                do throws(StorageError) { return try stored.header(height)?.entry } catch {
                    failure = error
                    return nil
                }
            },
            certificateVerifies: { (try? $0.verify(genesis: hash, set: $1)) != nil })
        if let failure { throw failure }
        part = "header"
        guard let header = try stored.header(height) else { return fault("header", "the header is missing") }
        if header != block.header {
            if header.state != block.header.state, let roots = try stored.roots(height),
                let name = block.roots.firstDifference(from: roots)
            {
                return fault(name, "the sub-root of \(name) differs from the replay")
            }
            return fault("header", "the stored header differs from the replay")
        }
        part = "certificate"
        let certificate = try stored.certificate(height)
        if let certificate {
            guard certificate.header == block.header.hash, certificate.height == height else {
                return fault("certificate", "the certificate is of another header")
            }
            do throws(Certificate.Refusal) { try certificate.verify(genesis: hash, set: executor.sets[height]) } catch {
                return fault("certificate", error.rawValue)
            }
            guard executor.epoch.mayCertify(certificate.epoch, at: height) else {
                return fault("certificate", "the certificate names epoch \(certificate.epoch), which was over")
            }
            state.certificates += 1
        }
        let key = bigEndianBytes(height)
        part = "receipts"
        guard try stored.store.get(.receipts, key) == block.receiptBytes else {
            return fault("receipts", "the stored receipts differ from the replay")
        }
        part = "roots"
        guard try stored.store.get(.roots, key) == block.roots.canonicalBytes else {
            return fault("roots", "the stored sub-roots differ from the replay")
        }
        headers.append(block.header.hash)
        try replayed.store.write(
            BlockStore.commitBatch(
                [block], certificates: certificate.map { [$0] } ?? [], logs: executor.trees.logs(at: height)!),
            synced: false)
        executor.stored(upTo: height)
        state.height = height
        state.stateRoot = block.header.state
        state.transactions += UInt64(decoded.transactions.count)
        state.signatures += decoded.transactions.reduce(0) { $0 + UInt64($1.signatures.count) }
        return nil
    }

    private static func verify(_ transactions: [Transaction], _ pool: SignaturePool) -> [Digest: Bool] {
        var results: [Digest: Bool] = [:]
        for checked in pool.verify(transactions) { results[checked.envelope] = checked.verify }
        return results
    }

    /// Compares every stored row that follows from the blocks with the replay's, and the units' totals with the sum of
    /// the holdings.
    private static func compare(
        _ stored: any Store, _ replayed: any Store, at height: UInt64
    ) throws(StorageError) -> Fault? {
        let derived = Table.allCases.map { (BlockStore.column($0), $0.rawValue) }
        let others: [(Column, String)] = [
            (.receipts, "receipts"), (.roots, "roots"), (.sets, "sets"), (.transactions, "transactions"),
        ]
        for (column, name) in derived + others {
            let here = try rows(stored, column)
            let there = try rows(replayed, column)
            if let reason = firstDifference(here, there) {
                return Fault(height: height, part: name, reason: "a stored row differs from the replay: \(reason)")
            }
        }
        return try unbalanced(BlockStore(stored)).map {
            Fault(height: height, part: "units", reason: "the totals of \($0) are not the sum of its holdings")
        }
    }

    private typealias Row = (key: [UInt8], value: [UInt8])

    private static func rows(_ store: any Store, _ column: Column) throws(StorageError) -> [Row] {
        var rows: [Row] = []
        try store.scan(column) { key, value in
            rows.append((key, value))
            return true
        }
        return rows
    }

    private static func firstDifference(_ here: [Row], _ there: [Row]) -> String? {
        for (a, b) in zip(here, there) where a.key != b.key || a.value != b.value {
            if a.key == b.key { return "the row at \(hex(a.key)) was changed" }
            return a.key.lexicographicallyPrecedes(b.key)
                ? "the row at \(hex(a.key)) should not be there" : "the row at \(hex(b.key)) is missing"
        }
        if here.count > there.count { return "the row at \(hex(here[there.count].key)) should not be there" }
        if there.count > here.count { return "the row at \(hex(there[here.count].key)) is missing" }
        return nil
    }

    /// A unit whose totals are not the sum of its holdings, or are not conserved.
    private static func unbalanced(_ stored: BlockStore) throws(StorageError) -> UnitCode? {
        var sums: [[UInt8]: (available: UInt64, held: UInt64, pending: UInt64, debt: UInt64)] = [:]
        for (key, holding) in try stored.all(.holdings) as [(key: [UInt8], row: Holding)] {
            let unit = Array(key[AccountID.byteCount...])
            let summary = holding.summary
            sums[unit, default: (0, 0, 0, 0)].available += summary.available
            sums[unit]!.held += summary.held
            sums[unit]!.pending += summary.pending
            sums[unit]!.debt += summary.debt
        }
        for unit in try stored.units() {
            let sum = sums[unit.code.paddedBytes] ?? (0, 0, 0, 0)
            guard unit.isConserved, (unit.available, unit.held, unit.pending, unit.debt) == sum else {
                return unit.code
            }
        }
        return nil
    }
}
