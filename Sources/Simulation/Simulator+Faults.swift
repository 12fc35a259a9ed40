import Canonical
import Chain
import Crypto
import Ledger
import Node
import Ordering
import Storage

/// What goes wrong: crashes, clocks, and those who mean harm.
extension Simulator {
    func crash(_ node: SimulatedNode) {
        let (kept, lost) = node.disk.crash(&random)
        note("n\(node.index) CRASH, \(kept) batches kept, \(lost) lost")
        node.core = nil
        node.life += 1
        node.crashes += 1
        node.writes = []
        schedule(.restart(node: node.index), in: random.between(1, 4000))
    }

    /// Starts a process on the node's disk, by the same path as production.
    func open(_ node: SimulatedNode) throws(Failure) {
        node.life += 1
        note("n\(node.index) open, order at \(log.head)")
        let opened = try opened(node)
        node.core = opened.core
        try checker.checkTables(BlockStore(node.disk))
        try carryOut(opened.effects, of: node)
    }

    func opened(_ node: SimulatedNode) throws(Failure) -> (core: NodeCore, effects: [Effect]) {
        do throws(StorageError) {
            return try NodeCore.open(
                store: node.disk, genesis: cast.genesis, configuration: configuration(node), epoch: epoch,
                begunBy: epochChange, logHead: log.head, now: node.clock(now))
        } catch {
            throw Failure(.opens, "node \(node.index): \(error)")
        }
    }

    func configuration(_ node: SimulatedNode) -> NodeCore.Configuration {
        var configuration = NodeCore.Configuration(
            validator: cast.organisation(node.index),
            votingKeys: node.keyFiles.map { cast.keys(node.index, generation: $0).voting })
        configuration.stepMilliseconds = 5
        if scenario.planted == .signerCountedTwice { configuration.votes = CarelessVotes() }
        configuration.readEntriesMax = 1 + random.below(8)
        if scenario.faults.trims { (configuration.trimEvery, configuration.ringBytesMax) = (4, 4 << 10) }
        return configuration
    }

    // MARK: Keys

    /// The new key was put there before the exchange was proposed; to find and to open it takes a while.
    func find(_ key: PublicKey, for node: SimulatedNode) {
        let found = (0...Self.generationMax).first { cast.keys(node.index, generation: $0).voting.publicKey == key }
        guard let generation = found else { return }
        if !node.keyFiles.contains(generation) { node.keyFiles.append(generation) }
        let secret = cast.keys(node.index, generation: generation).voting
        let delay = isStormy && random.chance(perMille: 200) ? random.between(1, 3000) : delay()
        schedule(.event(node: node.index, life: node.life, .votingKey(secret)), in: delay)
    }

    /// The key before it is gone, and must never be wanted again.
    func holds(_ key: PublicKey, for node: SimulatedNode) {
        let at = node.keyFiles.firstIndex { cast.keys(node.index, generation: $0).voting.publicKey == key }
        guard let at else { return }
        node.keyFiles.removeFirst(at)
    }

    /// An organisation exchanges its keys so often at most.
    static let generationMax = 2

    /// Some key by which a liar votes or has voted.
    func votingKey(of liar: Int) -> SecretKey {
        guard scenario.changesKeys else { return cast.votingKeys[liar] }
        return cast.keys(liar, generation: random.below(2)).voting
    }

    // MARK: Clocks

    func scheduleJump() { schedule(.jump(node: random.below(nodes.count)), in: random.between(500, 10_000)) }

    func jump(_ node: SimulatedNode) {
        guard isStormy else { return }
        // One clock may be far off. Where those of a quorum's half are far ahead, block time is, and comes back by
        // itself only when real time has caught up.
        let isFar = node.index == 0 && nodes.count > 1 && !scenario.hasByzantine && random.chance(perMille: 500)
        let bound = isFar ? 3_600_000 : 20_000
        node.offset = Int64(random.below(2 * bound)) - Int64(bound)
        // No clock here stands before the chain was made.
        node.offset = max(node.offset, -Int64(now))
        note("n\(node.index) clock is off by \(node.offset)")
        scheduleJump()
    }

    /// All that went wrong comes right.
    func calm() throws(Failure) {
        note("calm")
        isStormy = false
        checker.target = log.head
        for node in honest {
            node.offset = Int64(node.index)
            if node.core == nil { schedule(.restart(node: node.index), in: 1) }
        }
    }

    // MARK: Harm

    /// Somebody who may write to the order puts something there that is no entry, or one that must not count.
    func plantGarbage() {
        guard isStormy else { return }
        let position = log.head + 1
        let previous = log.entries.last.map { Entry.hash(raw: $0) } ?? cast.genesisHash
        let kind = random.below(6)
        // Whoever signs as a validator here is the Byzantine one, or has stolen a key.
        let thief = scenario.validators - 1
        func entry(
            at position: UInt64, previous: Digest, certificate: Certificate? = nil, key: SecretKey? = nil,
            _ transactions: [Transaction] = []
        ) -> [UInt8] {
            Entry(
                position: position, previous: previous, proposer: cast.organisation(thief), certificate: certificate,
                transactions: transactions
            ).signed(genesis: cast.genesisHash, key: key ?? votingKey(of: thief))
        }
        let bytes: [UInt8]
        switch kind {
        case 0: bytes = random.bytes(random.below(300))
        case 1: bytes = entry(at: position, previous: previous, key: cast.issuingKeys[0])
        case 2: bytes = entry(at: position + 1, previous: previous)
        case 3: bytes = entry(at: position, previous: cast.genesisHash == previous ? .zero : cast.genesisHash)
        case 4:
            bytes = entry(
                at: position, previous: previous, certificate: checker.badCertificate(&random),
                bank.submitted(&random).map { [$0] } ?? [])
        default:
            // A good body under a bad signature, beside or before the good one.
            let transaction = bank.submitted(&random)
            bytes = entry(
                at: position, previous: previous,
                transaction.map { random.chance(perMille: 500) ? [Cast.garbled($0), $0] : [Cast.garbled($0)] } ?? [])
        }
        note("order: garbage \(kind) at \(position)")
        order(bytes, position)
        schedule(.garbage, in: random.between(100, 10_000))
    }

    /// Whoever keeps the order makes room. What is not final, as far as anybody knows who runs, stays: nobody could
    /// bring it back. (What only one knew that went down with the order before this one has to become final again.)
    func trim() {
        guard isStormy else { return }
        let certified = honest.compactMap { $0.core?.status.certified }.max() ?? 0
        log.trim(below: certified - min(certified, UInt64(random.below(3))))
        note("order: from \(log.floor) on")
        schedule(.trim, in: random.between(200, 4_000))
    }

    /// The same blocks with one byte changed; as they are where they do not decode any more.
    func spoilt(_ finals: FinalBlocks) -> FinalBlocks {
        var bytes = finals.canonicalBytes
        bytes[random.below(bytes.count)] ^= UInt8(1 + random.below(255))
        return (try? FinalBlocks(canonicalBytes: bytes)) ?? finals
    }

    /// The Byzantine validator answers an honest vote with votes of its own: right ones, wrong ones, bad signatures,
    /// the same at another time, different things to different nodes.
    func byzantineHears(_ vote: Vote) {
        let liar = scenario.validators - 1
        for node in honest {
            for _ in 0..<random.below(3) {
                let header = random.chance(perMille: 600) ? vote.header : SHA256.hash(vote.header.bytes)
                let height = vote.height + UInt64(random.chance(perMille: 200) ? random.below(20) : 0)
                var lie = Vote(
                    signing: header, height: height, epoch: vote.epoch, time: vote.time + UInt64(random.below(100_000)),
                    genesis: cast.genesisHash, validator: cast.organisation(liar), key: votingKey(of: liar))
                if random.chance(perMille: 200) {
                    lie = Vote(
                        epoch: lie.epoch, height: lie.height, header: lie.header, time: lie.time,
                        validator: random.chance(perMille: 500) ? lie.validator : vote.validator,
                        signature: Signature(bytes: random.bytes(64)))
                }
                carry(lie, to: node)
            }
        }
    }
}
