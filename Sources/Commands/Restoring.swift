import Backup
import Canonical
import Chain
import Concurrency
import Crypto
import Glibc
import Ledger
import Node
import Ordering
import Storage
import StorageRocksDB
import Terminal

/// A node's directory that is made from a backup: whole, or not at all.
struct Restoring {
    private let reader: BackupReader
    private let genesis: Genesis

    init(_ reader: BackupReader, _ genesis: Genesis) {
        self.reader = reader
        self.genesis = genesis
    }

    /// What became of the files that lay beside the tables.
    struct Beside {
        var written: [String] = []
        /// Were there already, and are as they were.
        var left: [String] = []
    }

    /// - Parameters:
    ///   - path: the chain's directory, which is made where it is not there.
    ///   - history: whether to execute all archived blocks rather than to begin with the tables.
    func restore(
        to path: String, history: Bool, progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void
    ) throws -> Beside {
        let organisation = reader.manifest.organisation
        let place = ChainDirectory.storePath(path, organisation)
        var directories: [String] = []
        do {
            for directory in [path, path + "/nodes", path + "/nodes/\(organisation.number)"] {
                if !Files.exists(directory) { directories.append(directory) }
                try Files.makeDirectory(directory)
            }
            return try fill(path, place, organisation, history, progress)
        } catch {
            // Only those that are empty again.
            for directory in directories.reversed() { rmdir(directory) }
            throw error
        }
    }

    private func fill(
        _ path: String, _ place: String, _ organisation: OrganisationID, _ history: Bool,
        _ progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void
    ) throws -> Beside {
        try Joining.makeRoom(at: place, genesis)
        guard !Files.exists(place) else {
            throw CommandError(
                code: "storage-exists", field: place,
                reason: "a chain is here already; a backup is restored where none is", exit: .environment)
        }
        let objects = reader.manifest.parts.map(\.object) + (history ? reader.manifest.archive.map(\.object) : [])
        try Files.requireRoom(toRestore: objects.reduce(0) { $0 + $1.byteCount }, at: path)
        let making = "\(place).restoring-\(getpid())"
        var beside = Beside()
        do {
            if history { try replay(into: making, progress) } else { try fill(making, progress) }
            for name in reader.manifest.files { try write(name, to: path, &beside) }
            let pinned = ChainDirectory.genesisPath(path)
            if !Files.exists(pinned) { try Files.write(genesis.canonicalBytes, to: pinned, mode: 0o644) }
            guard rename(making, place) == 0 else { throw Files.failure("make the directory", place) }
        } catch {
            Files.removeTree(making)
            for name in beside.written { unlink(path + "/" + name) }
            throw error
        }
        return beside
    }

    private func fill(_ path: String, _ progress: @escaping (Int, Int) -> Void) throws {
        let store = try RocksDBStore(directory: path, mode: .create)
        defer { store.close() }
        try reader.restore(into: store, genesis: genesis, progress: progress)
    }

    private func write(_ name: String, to path: String, _ beside: inout Beside) throws {
        let file = path + "/" + name
        guard !Files.exists(file) else {
            beside.left.append(name)
            return
        }
        // A name in a manifest is of letters and points; still only those that belong there are written.
        guard BesideTables.names.contains(name) else { return }
        var bytes: [UInt8] = []
        try reader.read(file: name) { bytes += $0 }
        try Files.write(bytes, to: file)
        beside.written.append(name)
    }

    // MARK: History

    /// How long a node may take for the next block before something is wrong.
    private static let patienceMilliseconds: UInt64 = 60_000
    private static let pollMilliseconds: UInt64 = 20

    /// A node without an order, whose only peer is the archive: it believes nothing of it, executes every block and
    /// holds it to its certificate, as any node does that was away.
    private func replay(into path: String, _ progress: (Int, Int) -> Void) throws {
        let height = reader.manifest.height
        guard reader.manifest.archived.first == 1...height else {
            let runs = reader.manifest.archived.map { "\($0.lowerBound) to \($0.upperBound)" }
            throw CommandError(
                code: "backup-archive", field: "--history",
                reason:
                    "the archive has the blocks \(runs.isEmpty ? "none" : runs.joined(separator: ", ")), and not all "
                    + "of 1 to \(height); restore without --history, or an older backup that has them, by --height")
        }
        let store = try RocksDBStore(directory: path, mode: .create)
        try store.write(BlockStore.genesisBatch(genesis), synced: true)
        let blocks = BlockStore(WriteBehindStore(store))
        let source = ArchiveSource(reader)
        let halts = Halts()
        // It votes on nothing, so any key does.
        let (core, effects) = try NodeCore.open(
            store: blocks.store, genesis: genesis,
            configuration: NodeCore.Configuration(validator: reader.manifest.organisation, votingKey: SecretKey()),
            epoch: OrderingEpoch(genesis: genesis), begunBy: nil, logHead: .max, now: wallClockMilliseconds())
        let signatures = SignaturePool(genesis: genesis.hash)
        defer { signatures.stop() }
        var surroundings = NodeRunner.Surroundings()
        surroundings.finals = { source.finals(above: $0) }
        surroundings.halted = { halts.note($0) }
        let runner = NodeRunner(
            core, effects, blocks: blocks, ordering: NoOrder(epoch: OrderingEpoch(genesis: genesis)),
            signatures: signatures, surroundings: surroundings)
        defer { runner.stop() }
        var (newest, since): (UInt64, UInt64) = (0, ProgressBar.monotonic())
        while runner.status.committed < height {
            if let failure = source.failure { throw failure }
            if let halt = halts.settled { throw ChainDirectory.explain(halt) }
            let committed = runner.status.committed
            if committed > newest { (newest, since) = (committed, ProgressBar.monotonic()) }
            guard ProgressBar.monotonic() - since < Self.patienceMilliseconds * 1_000_000 else {
                throw BackupError.archive(
                    height: committed + 1, reason: "the block is not taken after the one before it")
            }
            progress(Int(committed), Int(height))
            _ = Waiter<Int>().wait(within: Self.pollMilliseconds)
        }
    }
}

/// An archive as a peer that is asked for what comes after a height.
private final class ArchiveSource: Sendable {
    private struct State {
        var segment: Int?
        var finals: [FinalBlocks] = []
        var failure: BackupError?
    }

    private let reader: BackupReader
    private let state = Locked(State())

    init(_ reader: BackupReader) { self.reader = reader }

    var failure: BackupError? { state.withLock { $0.failure } }

    func finals(above height: UInt64) -> [FinalBlocks] {
        state.withLock { state in
            guard state.failure == nil,
                let index = reader.manifest.archive.firstIndex(where: { $0.last > height })
            else { return [] }
            if state.segment != index {
                do throws(BackupError) {
                    state.finals = try reader.finals(reader.manifest.archive[index])
                    state.segment = index
                } catch {
                    state.failure = error
                    return []
                }
            }
            let after = state.finals.drop { $0.certificate.height <= height }
            return Array(after.prefix(BlockStore.finalsMax))
        }
    }
}
