import Canonical
import Chain
import Crypto
import Ledger
import Node
import Ordering
import Storage

/// Carrying out what nodes want done, with what can come between.
extension Simulator {
    /// Carries out effects in order; the power may go before each, and what follows is lost.
    func carryOut(_ effects: [Effect], of node: SimulatedNode) throws(Failure) {
        for effect in effects {
            if isStormy, random.below(100_000) < scenario.faults.crashes {
                crash(node)
                return
            }
            try carryOut(effect, of: node)
        }
    }

    private func carryOut(_ effect: Effect, of node: SimulatedNode) throws(Failure) {
        if let brief = effect.brief { note("n\(node.index)   \(brief)") }
        let (index, life) = (node.index, node.life)
        switch effect {
        case .verify(let unchecked):
            let results = unchecked.map {
                SignaturePool.Checked($0, verify: $0.transaction.signaturesVerify(genesis: cast.genesisHash))
            }
            schedule(.event(node: index, life: life, .signatures(results)), in: delay() / 4)
        case .append(let bytes, let position):
            schedule(
                .append(node: index, life: life, bytes, position: position, epoch: epoch.number), in: delay())
        case .read(let from, let max): schedule(.read(node: index, life: life, from: from, max: max), in: delay())
        case .trim(let position):
            log.trim(below: position)
            try checker.note(trimmedBelow: position)
        case .lock(let batch, let height):
            try checker.note(locking: batch, height: height, of: index)
            if scenario.planted == .voteBeforeLock, let lock = batch.lock { try send(lock, from: node) }
            write(.init(batch: batch, synced: true, done: .locked(height: height)), of: node)
        case .commit(let batch, let height):
            try checker.note(committing: batch, height: height)
            write(.init(batch: batch, synced: false, done: .committed(height: height)), of: node)
        case .send(let vote): try send(vote, from: node)
        case .post(let votes):
            for vote in votes {
                try checker.note(sent: vote, from: node.disk)
                if scenario.faults.hasBoard, !happens(scenario.faults.lostAppends) {
                    board[vote.validator, default: [:]][vote.height] = vote
                }
            }
        case .look(let validators, let heights):
            for validator in validators where !happens(scenario.faults.failedReads) {
                for vote in heights.compactMap({ board[validator]?[$0] }) {
                    schedule(.event(node: index, life: life, .vote(vote)), in: delay())
                }
            }
        case .fetch(let height):
            // The peer answers from its tables of the moment.
            let peer = nodes[random.below(nodes.count)]
            guard peer !== node, peer.core != nil, !happens(scenario.faults.lostVotes) else { return }
            if let certificate = try stored(try BlockStore(peer.disk).certificate(above: height)) {
                schedule(.event(node: index, life: life, .certificate(certificate)), in: delay())
            }
        case .fetchFinals(let height):
            let finals = try finals(above: height, of: nodes[random.below(nodes.count)], for: node)
            if !finals.isEmpty { catchUps += 1 }
            schedule(.event(node: index, life: life, .finals(finals)), in: delay())
        case .findKey(let key): find(key, for: node)
        case .keyHolds(let key): holds(key, for: node)
        // Whoever comes apart has failed the run already.
        case .compare: break
        case .answer(let request, let answer):
            if !happens(scenario.faults.lostAnswers) { try bank.take(answer, to: request) }
        case .certified(let block):
            try checker.note(certified: block)
            try checker.checkTables(BlockStore(node.disk))
        case .wakeAt(let time):
            node.wakes += 1
            let clock = node.clock(now)
            schedule(.tick(node: index, life: life, order: node.wakes), in: time > clock ? time - clock : 0)
        case .halt(let reason): throw Failure(.noHalt, "node \(index) halts: \(reason)")
        }
    }

    /// What a peer says of the blocks above a height: nothing, what it has, or something else.
    private func finals(
        above height: UInt64, of peer: SimulatedNode, for node: SimulatedNode
    ) throws(Failure) -> [FinalBlocks] {
        guard peer !== node, peer.isByzantine || peer.core != nil, !happens(scenario.faults.lostVotes) else {
            return []
        }
        let source = peer.isByzantine ? honest[0] : peer
        let finals = try stored(try BlockStore(source.disk).finals(above: height))
        return peer.isByzantine ? finals.map { spoilt($0) } : finals
    }

    // MARK: Disk

    /// Writes of a node are done one after another.
    private func write(_ write: SimulatedNode.Write, of node: SimulatedNode) {
        node.writes.append(write)
        if node.writes.count == 1 { schedule(.disk(node: node.index, life: node.life), in: writeTime()) }
    }

    private func writeTime() -> UInt64 {
        isStormy && random.chance(perMille: 5) ? random.between(1, 1000) : random.between(0, 4)
    }

    func writeNext(_ node: SimulatedNode) throws(Failure) {
        let write = node.writes.removeFirst()
        // In the middle of a write the batch may be on its way, and nobody was told yet.
        if isStormy, random.below(100_000) < scenario.faults.crashes {
            try store(write.batch, synced: false, node)
            return crash(node)
        }
        try store(write.batch, synced: write.synced, node)
        if !node.writes.isEmpty { schedule(.disk(node: node.index, life: node.life), in: writeTime()) }
        schedule(.event(node: node.index, life: node.life, write.done), in: random.between(0, 1))
    }

    private func store(_ batch: WriteBatch, synced: Bool, _ node: SimulatedNode) throws(Failure) {
        do throws(StorageError) { try node.disk.write(batch, synced: synced) } catch {
            throw Failure(.opens, "\(error)")
        }
    }

    // MARK: Network

    func send(_ vote: Vote, from node: SimulatedNode) throws(Failure) {
        try checker.note(sent: vote, from: node.disk)
        for other in nodes where other !== node {
            if other.isByzantine {
                byzantineHears(vote)
            } else {
                carry(vote, to: other)
            }
        }
    }

    func carry(_ vote: Vote, to node: SimulatedNode) {
        if happens(scenario.faults.lostVotes) { return }
        schedule(.event(node: node.index, life: nil, .vote(vote)), in: delay())
        if happens(scenario.faults.doubledVotes) {
            schedule(.event(node: node.index, life: nil, .vote(vote)), in: 5 * delay())
        }
    }

    // MARK: Order

    /// An append arrives, whether the process that sent it is still there or not.
    func reachOrder(_ index: Int, _ life: Int, _ bytes: [UInt8], _ position: UInt64) {
        var result = AppendResult.unknown
        let fate = happens(scenario.faults.lostAppends) ? random.below(4) : 4
        switch fate {
        case 0: break
        case 1: order(bytes, position)
        case 2:
            // It is believed to be lost, and happens after all.
            schedule(.append(node: index, life: -1, bytes, position: position, epoch: epoch.number), in: delay())
        case 3: result = .closed
        default: result = order(bytes, position)
        }
        note("order: \(position) from n\(index): \(result)\(fate < 4 ? " \(fate)" : "")")
        schedule(.event(node: index, life: life, .appended(position: position, result)), in: delay())
    }

    @discardableResult
    func order(_ bytes: [UInt8], _ position: UInt64) -> AppendResult {
        let result = log.append(bytes, at: position)
        guard result == .appended else { return result }
        for node in honest where !happens(scenario.faults.lostWakes) {
            schedule(.event(node: node.index, life: nil, .wake), in: delay())
            if happens(100) { schedule(.event(node: node.index, life: nil, .wake), in: delay()) }
        }
        return result
    }
}

extension WriteBatch {
    /// The vote lock that it writes.
    var lock: Vote? {
        for case .put(.locks, _, let value) in changes { return try? Vote(canonicalBytes: value) }
        return nil
    }
}

extension Event {
    /// A few words for the trace.
    var brief: String {
        switch self {
        case .promise(let envelope, let request): "promise \(request) \(envelope.brief)"
        case .submit(let transaction, let request): "submit \(request) \(transaction.envelopeDigest.brief)"
        case .signatures(let results): "signatures \(results.map { "\($0.envelope.brief) \($0.verify)" })"
        case .wake: "wake"
        case .log(let range): "log \(range.entries.first?.position ?? 0)+\(range.entries.count) of \(range.head)"
        case .logFailed: "log failed"
        case .appended(let position, let result): "appended \(position) \(result)"
        case .locked(let height): "locked \(height)"
        case .committed(let height): "committed \(height)"
        case .vote(let vote): "vote \(vote.height) of \(vote.validator.number) for \(vote.header.brief)"
        case .certificate(let certificate): "certificate \(certificate.height)"
        case .finals(let finals): "finals \(finals.first?.headers.first?.height ?? 0)+\(finals.count)"
        case .votingKey(let key): "voting key \(key.publicKey)"
        case .prove(_, _, let request): "prove \(request)"
        case .differs(let difference): "differs in \(difference.part)"
        case .failed(let error): "failed \(error.code)"
        case .tick: "tick"
        }
    }
}

extension Effect {
    /// A few words for the trace; none for what every step wants.
    var brief: String? {
        switch self {
        case .verify(let unchecked): "verify \(unchecked.count)"
        case .append(let bytes, let position): "append \(bytes.count) bytes at \(position)"
        case .read(let from, let max): "read \(max) from \(from)"
        case .trim(let position): "trim below \(position)"
        case .lock(let batch, let height):
            "lock \(height)\(batch.lock.map { " \($0.header.brief)" } ?? " without vote")"
        case .commit(_, let height): "commit \(height)"
        case .send(let vote): "send \(vote.height) \(vote.header.brief)"
        case .post(let votes): "post \(votes.map(\.height))"
        case .look(let validators, let heights): "look for \(validators.map(\.number)) at \(heights)"
        case .fetch(let height): "fetch above \(height)"
        case .fetchFinals(let height): "fetch finals above \(height)"
        case .findKey(let key): "find key \(key)"
        case .keyHolds(let key): "key \(key) holds"
        case .compare(let divergence): "compare \(divergence.header.height)"
        case .answer(let request, let answer):
            switch answer {
            case .receipt(let receipt, let place): "answer \(request) \(receipt.result.rawValue) at \(place.height)"
            case .refused(let refusal): "answer \(request) \(refusal)"
            case .proof: "answer \(request) proof"
            case .promise: "answer \(request) promise"
            }
        case .certified(let block): "certified \(block.block.header.height)"
        case .wakeAt: nil
        case .halt(let reason): "halt \(reason)"
        }
    }
}

extension Digest {
    var brief: String { String(description.prefix(8)) }
}
