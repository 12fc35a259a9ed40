import Chain
import Concurrency
import Crypto
import JSON
import Ledger
import Node
import Ordering
import OrderingEtcd
import Peers
import Storage
import StorageRocksDB
import Terminal
import Wallet
import Wire

/// The node of one organisation in a process of its own: over an etcd cluster where it has access to one, with the
/// other members' nodes over HTTP.
final class OrganisationNode {
    let organisation: OrganisationID
    let runner: NodeRunner
    let observers: [PublicKey]
    /// Files of TLS certificates that it uses.
    let certificates: [String]
    /// Whether it makes backups.
    var backs: Bool { backups != nil }
    private let peers: Peers
    private let log: EtcdLog?
    private let signatures: SignaturePool
    private let halts: Halts
    private let checkpointFailure: Locked<CommandError?>
    private let backups: BackupClock?

    /// Opens the directory, waits for the order as long as it takes, and starts the node.
    /// - Parameters:
    ///   - wait: waits so many milliseconds; whether the wish to end has come meanwhile.
    /// - Returns: nil where the wish to end came first.
    static func start(
        _ directory: ChainDirectory, _ console: Console, wait: (Int32) -> Bool,
        certified: @escaping @Sendable (CertifiedBlock) -> Void
    ) throws -> OrganisationNode? {
        let setup = try NodeSetup(directory)
        let id = setup.file.organisation
        var files = VotingKeyFiles(directory.path, id, directory.passphrase)
        guard Files.exists(files.place.file) || Files.exists(files.place.next) else {
            throw CommandError(
                code: "key-missing", field: files.place.file,
                reason:
                    "the voting key of \(id), whose node this is by \(NodeFile.name), is not there; put it back, or "
                    + "correct `organisation`", exit: .environment)
        }
        let keys = try files.place.keys(directory.passphrase)
        let place = ChainDirectory.storePath(directory.path, id)
        let disk = try RocksDBStore(directory: place, mode: Files.exists(place) ? .readWrite : .create)
        let blocks = BlockStore(WriteBehindStore(disk))
        let peers = Peers(
            genesis: directory.genesis, organisation: id, keys: keys, clock: { wallClockMilliseconds() },
            report: { report in
                console.note(report.failure.map { "Peer: \($0)" } ?? "Peer: \(report.organisation) answers again.")
            })
        let opened = Locked(keys)
        files.found = { key in
            peers.add(key)
            opened.withLock { $0.append(key) }
        }
        let told = Locked("")
        files.report = { sentence in
            // A key that is missing is looked for every second.
            let isNew = told.withLock { last in
                defer { last = sentence }
                return last != sentence
            }
            if isNew { console.note(sentence) }
        }
        var log: EtcdLog?
        do {
            try directory.checkClock(blocks)
            try check(setup.file.checkpoint, blocks)
            try setPeers(peers, setup)
            let place = try EpochPlace(directory)
            // A new ring may stand in another cluster, which counts from the beginning.
            let isBegun = try blocks.adoptedEpoch() == UInt64(place.epoch.number)
            let revision = isBegun ? try blocks.orderingRevision() : 0
            log = try setup.etcd.map { configuration in
                do throws(OrderingError) {
                    return try EtcdLog(configuration, epoch: place.epoch, revision: revision)
                } catch { throw explain(error) }
            }
            guard let head = try logHead(log, directory, id, place.epoch, blocks, peers, console, wait) else {
                peers.stop()
                log?.stop()
                blocks.store.close()
                return nil
            }
            // Once it is certain that the ring is the one that the statements started.
            if let start = place.start { try blocks.adopt(start) }
            return try OrganisationNode(
                setup, directory, keys, opened, files, blocks, peers, log, ordering: log ?? NoOrder(epoch: place.epoch),
                begunBy: place.change, head, console, certified)
        } catch {
            peers.stop()
            log?.stop()
            blocks.store.close()
            throw error
        }
    }

    private init(
        _ setup: NodeSetup, _ directory: ChainDirectory, _ keys: [SecretKey], _ opened: Locked<[SecretKey]>,
        _ files: VotingKeyFiles, _ blocks: BlockStore, _ peers: Peers, _ log: EtcdLog?, ordering: any Ordering,
        begunBy change: EpochChange?, _ head: UInt64, _ console: Console,
        _ certified: @escaping @Sendable (CertifiedBlock) -> Void
    ) throws {
        organisation = setup.file.organisation
        observers = setup.file.observers
        certificates = setup.certificates
        self.peers = peers
        self.log = log
        var configuration = NodeCore.Configuration(validator: organisation, votingKeys: keys)
        configuration.rulesKnown = try RulesKnown.fromEnvironment()
        configuration.stepMilliseconds = Self.stepMilliseconds
        let (core, effects) = try NodeCore.open(
            store: blocks.store, genesis: directory.genesis, configuration: configuration, epoch: ordering.epoch,
            begunBy: change, logHead: head, now: wallClockMilliseconds())
        // One that waits for a new epoch still serves what it has.
        // Neither does one that is behind: at the heights that it lacks its key may have come in the place of another.
        if let reason = core.silence, try blocks.sealedEpoch() <= ordering.epoch.number, head <= core.executed {
            throw CommandError(
                code: "key-foreign", field: files.place.file,
                reason: "\(reason); nothing it signs would count. A key that takes another's place lies beside it as "
                    + "\(files.place.next)")
        }
        signatures = SignaturePool(genesis: directory.genesisHash)
        let halts = Halts()
        self.halts = halts
        let checkpointFailure = Locked<CommandError?>(nil)
        self.checkpointFailure = checkpointFailure
        let checkpoint = setup.file.checkpoint
        var surroundings = NodeRunner.Surroundings()
        surroundings.send = { peers.send($0) }
        surroundings.board = log
        surroundings.fetch = { peers.certificate(above: $0) }
        surroundings.finals = { peers.finals(above: $0) }
        surroundings.difference = { peers.difference($0) }
        surroundings.keys = files
        surroundings.halted = { halts.note($0) }
        surroundings.crashPoint = try CrashHook.fromEnvironment()
        surroundings.certified = { block in
            if let checkpoint, let failure = Self.failure(checkpoint, block.block.header) {
                checkpointFailure.withLock { $0 = failure }
            }
            if let log, block.block.header.height % Self.revisionEvery == 0 {
                // Where the directory fails, the node is told so by a write that matters.
                try? blocks.note(orderingRevision: log.revision)
            }
            certified(block)
        }
        let runner = NodeRunner(
            core, effects, blocks: blocks, ordering: ordering, signatures: signatures, surroundings: surroundings)
        self.runner = runner
        backups = setup.backup.map { backup in
            BackupClock(
                BackupMaker(
                    directory, setup.file.organisation, backup.place, recipients: backup.recipients,
                    retention: backup.retention,
                    signer: { try files.place.present(of: opened.withLock { $0 }) }),
                everySeconds: backup.everySeconds,
                committed: { runner.status.committed }, note: { console.note($0) })
        }
    }

    /// So many heights lie between two notes of how far the cluster's counter of changes has come.
    private static let revisionEvery: UInt64 = 16

    /// A round trip to the cluster takes so long that whoever lost one should leave the next to whose turn it is.
    private static let stepMilliseconds: UInt64 = 20

    /// Ends the node and closes its directory.
    func stop() {
        backups?.stop()
        // Before the runner, whose threads may be waiting for one of them.
        peers.stop()
        log?.stop()
        runner.stop()
        signatures.stop()
    }

    /// Why the node cannot go on, where it cannot, as soon as there is nothing more to be learnt of it.
    var failure: CommandError? {
        checkpointFailure.withLock { $0 } ?? halts.settled.map(ChainDirectory.explain)
    }

    var standing: NetworkStanding { standings() }

    /// The same as a function that outlives this object's use here.
    var standings: @Sendable () -> NetworkStanding {
        { [log, peers] in NetworkStanding(ordering: log?.condition, peers: peers.standings) }
    }

    /// Reads the setup again and takes on its peers, and its user and password of etcd; the rest of it holds from the
    /// next start on.
    /// - Returns: the observers that it names.
    /// - Throws: where it is wrong; nothing is changed then.
    func reload(_ directory: ChainDirectory) throws -> [PublicKey] {
        let setup = try NodeSetup(directory)
        guard setup.file.organisation == organisation else {
            throw CommandError(
                code: "node-file", field: "\(NodeSetup.path(directory.path)): $.organisation",
                reason: "is \(setup.file.organisation.number), and this is the node of \(organisation.number)")
        }
        try Self.setPeers(peers, setup)
        if let etcd = setup.etcd { log?.set(etcd.login) }
        return setup.file.observers
    }

    private static func setPeers(_ peers: Peers, _ setup: NodeSetup) throws {
        do throws(NodeClientError) { try peers.set(setup.peers) } catch {
            throw CommandError(code: error.code.rawValue, field: NodeFile.name, reason: error.sentence)
        }
    }

    // MARK: The order's head at the start

    /// How long to wait before the order is asked again.
    private static let retryMilliseconds: Int32 = 1000

    /// The head of the order as it is now, which a validator without a lock of its own has to know. One with locks, and
    /// one that only follows, need not wait for it.
    private static func logHead(
        _ log: EtcdLog?, _ directory: ChainDirectory, _ id: OrganisationID, _ epoch: OrderingEpoch,
        _ blocks: BlockStore, _ peers: Peers, _ console: Console, _ wait: (Int32) -> Bool
    ) throws -> UInt64? {
        // Who cannot read the order never votes.
        guard let log else { return .max }
        if try blocks.adoptedEpoch() == UInt64(epoch.number), try blocks.firstLock(of: id) != nil { return 0 }
        var said: String?
        while true {
            do throws(OrderingError) {
                if epoch.number == 0, try isFirst(directory, id, blocks, peers, console) { try log.found() }
                return try log.readHead()
            } catch {
                let reason = explain(error).reason
                if reason != said { console.note("Waiting for the order of entries: \(reason)") }
                said = reason
                if wait(retryMilliseconds) { return nil }
            }
        }
    }

    /// Whether the chain may begin now, so that its ring is made where there is none. Every validator of the genesis
    /// may do so, and none once anybody has executed a block: a ring that is missing then was lost, and a new one would
    /// give its positions to other entries.
    private static func isFirst(
        _ directory: ChainDirectory, _ id: OrganisationID, _ blocks: BlockStore, _ peers: Peers, _ console: Console
    ) throws(OrderingError) -> Bool {
        guard directory.genesis.validators.contains(where: { $0.id == id }),
            (try? blocks.newestBlock()) == 0
        else { return false }
        return (peers.highestHead() ?? 0) == 0
    }

    static func explain(_ error: OrderingError) -> CommandError {
        let reason =
            switch error {
            case .unreachable(let reason): reason
            case .belowFloor(let floor): "it begins at position \(floor)"
            case .foreign(let reason):
                "\(reason); check `endpoints` in \(NodeFile.name), or begin a lost order anew with `lianfen epoch`"
            }
        return CommandError(code: "ordering", field: NodeFile.name, reason: reason, exit: .environment)
    }

    // MARK: The checkpoint

    /// What stands here already has to agree with what is known from elsewhere.
    private static func check(_ checkpoint: Checkpoint?, _ blocks: BlockStore) throws {
        guard let checkpoint, try blocks.genesis() != nil, let header = try blocks.header(checkpoint.height),
            let failure = failure(checkpoint, header)
        else { return }
        throw failure
    }

    private static func failure(_ checkpoint: Checkpoint, _ header: Header) -> CommandError? {
        guard header.height == checkpoint.height, header.hash != checkpoint.header else { return nil }
        return CommandError(
            code: "checkpoint", field: "\(NodeFile.name): $.checkpoint",
            reason: "at height \(header.height) this chain has the header \(header.hash), and the checkpoint names "
                + "\(checkpoint.header): one of the two is not of the chain that you mean", exit: .environment)
    }
}
