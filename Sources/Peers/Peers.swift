public import Chain
import Concurrency
public import Crypto
public import Ledger
public import Node
public import Wallet

/// The other members' nodes, over HTTP: votes go to all of them, and what this node lacks is asked of one after the
/// other. Any of them may be silent, slow or lying: each has a thread and bounds of its own, what it answers is proved
/// by what stands in it, and who fails is left alone for a while.
public final class Peers: Sendable {
    private let genesis: Genesis
    private let organisation: OrganisationID
    private let clock: @Sendable () -> UInt64
    private let report: @Sendable (PeerReport) -> Void
    private let state: Locked<State>
    private let ended = Waiter<Void>()

    private struct State: Sendable {
        var peers: [Peer] = []
        /// This node's voting keys.
        var keys: [SecretKey]
        var isStopped = false
        /// Who is asked first the next time.
        var turn = 0
        /// Who sent final blocks last, and up to which height.
        var sent: (peer: Peer, upTo: UInt64)?
    }

    /// How long to wait where nobody has anything new, so that a node that only follows does not ask without a pause.
    private static let idleMilliseconds: UInt64 = 300

    /// - Parameters:
    ///   - organisation: whose node this is, for which `keys` are the voting keys that are here; where the others list
    ///     none of them as a validator's, it speaks as an observer. At least one.
    ///   - report: told of a peer that begins to fail, and of one that answers again. From any thread.
    public init(
        genesis: Genesis, organisation: OrganisationID, keys: [SecretKey],
        clock: @escaping @Sendable () -> UInt64, report: @escaping @Sendable (PeerReport) -> Void
    ) {
        precondition(!keys.isEmpty, "a node has a voting key")
        self.genesis = genesis
        self.organisation = organisation
        self.clock = clock
        self.report = report
        state = Locked(State(keys: keys))
    }

    /// This node has one more voting key, by which those who know it as its organisation's may know it from now on.
    public func add(_ key: SecretKey) {
        let peers = state.withLock { state in
            guard !state.keys.contains(where: { $0.publicKey == key.publicKey }) else { return [] as [Peer] }
            state.keys.append(key)
            return state.peers
        }
        for peer in peers { peer.add(key) }
    }

    /// From now on these; those that stay as they were keep what waits for them.
    /// - Throws: ``NodeClientError`` where a URL or a file of authorities cannot be used; nothing is changed then.
    public func set(_ wanted: [PeerConfiguration]) throws(NodeClientError) {
        let (there, keys) = state.withLock { ($0.peers, $0.keys) }
        var fresh: [Peer] = []
        for configuration in wanted where !there.contains(where: { $0.configuration == configuration }) {
            fresh.append(
                try Peer(
                    configuration, genesis: genesis, organisation: organisation, keys: keys, clock: clock,
                    report: report))
        }
        let all = wanted.compactMap { configuration in
            (there + fresh).first { $0.configuration == configuration }
        }
        let (isStopped, newer) = state.withLock { state in
            if !state.isStopped { state.peers = all }
            return (state.isStopped, state.keys.dropFirst(keys.count))
        }
        guard !isStopped else { return }
        for key in newer { for peer in fresh { peer.add(key) } }
        for peer in fresh { peer.start() }
        for peer in there where !wanted.contains(peer.configuration) { peer.stop() }
    }

    /// Ends all threads and what is under way.
    public func stop() {
        let peers = state.withLock { state in
            state.isStopped = true
            defer { state.peers = [] }
            return state.peers
        }
        ended.fulfil(())
        for peer in peers { peer.stop() }
    }

    public var standings: [PeerStanding] { state.withLock { $0.peers }.map(\.standing) }

    /// The highest of the heights at which the others say to stand, asked now; nil where nobody answers.
    public func highestHead() -> UInt64? { state.withLock { $0.peers }.compactMap { $0.head() }.max() }

    // MARK: What a node's runner asks for

    /// Sends a vote to all of them, without waiting.
    public func send(_ vote: Vote) {
        for peer in state.withLock({ $0.peers }) { peer.post(vote) }
    }

    /// The first certificate above a height that somebody has; nil where nobody has one.
    public func certificate(above height: UInt64) -> Certificate? {
        for peer in inTurn() {
            if let certificate = peer.certificate(above: height), certificate.height > height { return certificate }
        }
        return nil
    }

    /// Final blocks above a height, of the first who has any; none where nobody has.
    public func finals(above height: UInt64) -> [FinalBlocks] {
        // Whoever asks has used up what was sent before, or found that it proves nothing.
        let last = state.withLock { state in
            defer { state.sent = nil }
            return state.sent
        }
        if let last, height < last.upTo {
            last.peer.blame(
                "what it sends as final blocks above height \(height) proves nothing. To do: tell that organisation, "
                    + "whose node is broken or lies; the others are asked")
        }
        for peer in inTurn() {
            let finals = peer.finals(above: height)
            guard let upTo = finals.last?.certificate.height else { continue }
            state.withLock { $0.sent = (peer, upTo) }
            return finals
        }
        _ = ended.wait(within: Self.idleMilliseconds)
        return []
    }

    /// Where this node came apart from what was certified, as the first shows it who has the height. Whoever shows
    /// something else is named; nil where nobody can tell yet.
    public func difference(_ divergence: Divergence) -> Divergence.Difference? {
        let height = divergence.header.height
        for peer in inTurn() {
            guard let (header, roots) = peer.subRoots(at: height) else { continue }
            let shown = divergence.difference(from: header, roots: roots, shownBy: peer.configuration.organisation)
            if let shown { return shown }
            peer.blame(
                "what it shows of height \(height) is not what a quorum certified there. To do: tell that "
                    + "organisation, whose node is broken or lies; the others are asked")
        }
        return nil
    }

    /// Those who may be asked now, beginning with another one each time.
    private func inTurn() -> [Peer] {
        let (peers, turn) = state.withLock { state in
            state.turn += 1
            return (state.peers, state.turn)
        }
        guard !peers.isEmpty else { return [] }
        let first = turn % peers.count
        return (peers[first...] + peers[..<first]).filter(\.mayBeAsked)
    }
}
