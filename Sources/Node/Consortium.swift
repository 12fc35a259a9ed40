import Chain
public import Concurrency
public import Crypto
public import Ledger
import Ordering
public import Storage

/// Validators of several organisations in one process, each with its own key and its own directory, certifying by
/// quorum over one order.
public final class Consortium: Sendable {
    /// One validator.
    public struct Member: Sendable {
        public let organisation: OrganisationID
        /// As in ``NodeCore/Configuration/votingKeys``.
        public let votingKeys: [SecretKey]
        public let store: any Store
        /// Where its voting keys are kept; none: those are all.
        public let keys: (any VotingKeys)?

        public init(organisation: OrganisationID, votingKey: SecretKey, store: any Store) {
            self.init(organisation: organisation, votingKeys: [votingKey], store: store, keys: nil)
        }

        public init(
            organisation: OrganisationID, votingKeys: [SecretKey], store: any Store, keys: (any VotingKeys)?
        ) {
            self.organisation = organisation
            self.votingKeys = votingKeys
            self.store = store
            self.keys = keys
        }
    }

    public let genesis: Genesis
    public let genesisHash: Digest
    public let runners: [NodeRunner]
    private let signatures: SignaturePool
    private let log: InProcessLog
    private let halts: Halts

    /// Opens every member's directory and starts the nodes.
    /// - Parameters:
    ///   - certified: told of the blocks that the first member has in its tables, in order.
    ///   - tables: how many of the tables' rows may wait in memory.
    ///   - rulesKnown: the versions of the rules by which members execute.
    ///   - crashPoint: called at each ``CrashPoint`` of every member.
    /// - Throws: ``StorageError`` where a directory cannot be used; nothing runs then.
    public init(
        genesis: Genesis, members: [Member], clock: @escaping @Sendable () -> UInt64 = { wallClockMilliseconds() },
        certified: @escaping @Sendable (CertifiedBlock) -> Void = { _ in },
        tables: WriteBehindStore.Limits = .init(), rulesKnown: ClosedRange<UInt32> = Genesis.rulesVersionsKnown,
        crashPoint: @escaping @Sendable (CrashPoint) -> Void = { _ in }
    ) throws(StorageError) {
        precondition(!members.isEmpty, "a consortium has members")
        self.genesis = genesis
        genesisHash = genesis.hash
        let stores = members.map { BlockStore(WriteBehindStore($0.store, limits: tables)) }
        var heads: [UInt64] = []
        for store in stores { heads.append(try store.newestBlock()) }
        let log = InProcessLog(
            epoch: OrderingEpoch(genesis: genesis),
            archives: stores.map { store in { position in (try? store.block(position)) ?? nil } }, heads: heads)
        self.log = log
        let head = log.head
        var opened: [(core: NodeCore, effects: [Effect])] = []
        for (member, blocks) in zip(members, stores) {
            var configuration = NodeCore.Configuration(validator: member.organisation, votingKeys: member.votingKeys)
            configuration.rulesKnown = rulesKnown
            opened.append(
                try NodeCore.open(
                    store: blocks.store, genesis: genesis, configuration: configuration, epoch: log.epoch,
                    logHead: head, now: clock()))
        }
        let signatures = SignaturePool(genesis: genesis.hash)
        self.signatures = signatures
        let halts = Halts()
        self.halts = halts
        let peers = Peers()
        runners = stores.indices.map { index in
            let next = opened.removeFirst()
            var surroundings = NodeRunner.Surroundings()
            surroundings.clock = clock
            surroundings.send = { vote in peers.send(vote, from: index) }
            surroundings.fetch = { height in
                for (other, store) in stores.enumerated() where other != index {
                    if let certificate = (try? store.certificate(above: height)) ?? nil { return certificate }
                }
                return nil
            }
            surroundings.difference = { divergence in
                for (other, store) in stores.enumerated() where other != index {
                    guard let there = (try? store.block(certifiedAt: divergence.header.height)) ?? nil else { continue }
                    let difference = divergence.difference(
                        from: there.header, roots: there.roots, shownBy: members[other].organisation)
                    if let difference { return difference }
                }
                return nil
            }
            surroundings.keys = members[index].keys
            surroundings.halted = { halts.note($0) }
            surroundings.crashPoint = crashPoint
            surroundings.certified = { block in
                if index == 0 { certified(block) }
                peers.note(block.block.header.height, forget: { log.trim(below: $0 + 1) })
            }
            return NodeRunner(
                next.core, next.effects, blocks: stores[index], ordering: log, signatures: signatures,
                surroundings: surroundings)
        }
        peers.connect(runners)
    }

    /// The node that clients of this process talk to.
    public var first: NodeRunner { runners[0] }

    /// Entries of the order that are kept in memory.
    public var entriesInMemory: Int { log.recentCount }

    /// Why members stopped, where they did.
    public var halted: [Halt] { halts.all }

    /// Why the first of them stopped, once there is nothing more to be learnt of it.
    public var settledHalt: Halt? { halts.settled }

    /// Stops all members and closes their directories.
    public func stop() {
        for runner in runners { runner.stop() }
        signatures.stop()
    }

    /// Brings votes from one member to the others, and notes how far the first of them has come.
    private final class Peers: Sendable {
        private struct State: Sendable {
            var runners: [NodeRunner] = []
            /// Votes sent before all members were connected.
            var early: [(vote: Vote, from: Int)] = []
            /// The newest height that any of them has in its tables.
            var highest: UInt64 = 0
        }

        private let state = Locked(State())

        func connect(_ runners: [NodeRunner]) {
            let early = state.withLock { state in
                state.runners = runners
                defer { state.early = [] }
                return state.early
            }
            for (vote, from) in early { send(vote, from: from) }
        }

        func send(_ vote: Vote, from index: Int) {
            let runners = state.withLock { state in
                if state.runners.isEmpty { state.early.append((vote, index)) }
                return state.runners
            }
            for (other, runner) in runners.enumerated() where other != index { runner.take(vote) }
        }

        /// Entries that one member has in its tables need not stay in memory: a quorum has stored them, and who comes
        /// later reads them from there. Waiting for the last would be for good where that one has stopped.
        func note(_ height: UInt64, forget: (UInt64) -> Void) {
            let isNew = state.withLock { state in
                defer { state.highest = max(state.highest, height) }
                return height > state.highest
            }
            if isNew, height % 16 == 0 { forget(height) }
        }
    }
}
