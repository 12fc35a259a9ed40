import Chain
import Crypto
import Ledger
import Ordering

/// Votes: making them once, counting those of others, and noticing what must not be.
extension NodeCore {
    /// Whether this node may vote on a height that it executes now.
    func mayVote(_ height: UInt64, _ now: UInt64) -> Bool {
        guard signingStopped == nil, height > voteFloor, isVoter(at: height) else { return false }
        // Final before this epoch began.
        guard height >= epoch.firstHeight else { return false }
        // The others have gone on to an epoch in which this directory has not begun.
        guard executor.epoch.number <= epoch.number else { return false }
        // What came with its certificate needs no vote.
        if let certificate = finalCertificate, height <= certificate.height { return false }
        return now + Self.clockBehindMaxMilliseconds >= newestCertificate?.medianTime ?? 0
    }

    /// Whether a key that is here is one of those that vote on a height.
    func isVoter(at height: UInt64) -> Bool { key(at: height) != nil }

    /// - Precondition: it votes at that height.
    func vote(for header: Header, _ hash: Digest, _ now: UInt64) -> Vote {
        Vote(
            signing: hash, height: header.height, epoch: epoch.number, time: max(now, header.time + 1),
            genesis: executor.genesisHash, validator: configuration.validator, key: key(at: header.height)!)
    }

    /// Takes a peer's vote.
    mutating func take(_ vote: Vote, _ now: UInt64) {
        guard vote.epoch == epoch.number, vote.round == 0, vote.height <= executed + Self.votesAheadMax else { return }
        guard vote.height > certified else {
            guard isWorthNoting(late: vote),
                vote.verifies(genesis: executor.genesisHash, in: executor.sets[vote.height])
            else { return }
            return noteVoted(vote.validator, vote.height)
        }
        let there = votes.vote(of: vote.validator, at: vote.height)
        let isOwn = vote.validator == configuration.validator && vote.height > voteFloor
        if isOwn ? isSaidHere(vote) : there?.header == vote.header { return }
        let set = executor.sets[vote.height]
        guard vote.verifies(genesis: executor.genesisHash, in: set) else { return }
        // (Up to the floor it is a vote of the directory that this one stands in for, and counts as any.)
        if isOwn { return meetTwin(vote.height) }
        if let there { return note(contradiction: there, vote, set) }
        count(vote, now)
    }

    /// Whether a vote under this node's key was made here, or by its former life and says the same.
    private func isSaidHere(_ vote: Vote) -> Bool {
        guard let lock = blocks[vote.height]?.lock else { return false }
        return lock == vote || vote.height <= headAtStart && lock.header == vote.header
    }

    /// Another process signs with this key. Two signers are how one validator comes to vote twice.
    private mutating func meetTwin(_ height: UInt64) {
        stopSigning(
            "a vote for height \(height) under this validator's own key was not made here; another process uses the key"
        )
    }

    /// Looks for a vote of a twin in a certificate. Twins that see the same order say the same, so nobody would pass on
    /// the vote of the second; but a certificate has one of them.
    mutating func lookForTwin(in certificate: Certificate) {
        guard signingStopped == nil, certificate.height > headAtStart, let said = ownVotes[certificate.height],
            said.epoch == certificate.epoch, said.round == certificate.round,
            let part = certificate.signatures.first(where: { $0.validator == configuration.validator }),
            part.signature != said.signature
        else { return }
        meetTwin(certificate.height)
    }

    /// Sends the lock of a height, and counts it.
    mutating func say(_ lock: Vote, _ now: UInt64) {
        sentAt = now
        ownVotes[lock.height] = lock
        if lock.height >= Self.ownVotesMax { ownVotes[lock.height - Self.ownVotesMax] = nil }
        effects.append(.send(lock))
        count(lock, now)
    }

    mutating func stopSigning(_ reason: String) {
        signingStopped = reason
        // It can order nothing any more either.
        for request in pool.drain() + drainPromises() {
            effects.append(.answer(request: request, .refused(.halted)))
        }
    }

    /// Counts a verified vote, and certifies when a quorum of distinct validators has said the same.
    mutating func count(_ vote: Vote, _ now: UInt64) {
        guard vote.height > certified else { return }
        noteVoted(vote.validator, vote.height)
        votes.count(vote)
        certifyIfQuorum(vote.height, vote.header, now)
    }

    /// Votes that came before this node had executed their height count from then on.
    mutating func recount(_ height: UInt64, _ now: UInt64) {
        for header in Set(votes.votes(at: height).map(\.header)) { certifyIfQuorum(height, header, now) }
    }

    private mutating func certifyIfQuorum(_ height: UInt64, _ header: Digest, _ now: UInt64) {
        guard height > certified, let own = headerHashes[height], height <= executed else { return }
        // Votes that came early were held against the newest validators that were known then: of those who voted only
        // before, they are left out here, and those of exchanged keys are gone (`recheckVotes`).
        let set = executor.sets[height]
        let agreeing = votes.votes(at: height).filter { $0.header == header && set[$0.validator] != nil }
        guard agreeing.count >= set.quorum else { return }
        guard own == header else { return diverge(height, certified: header) }
        // Any quorum will do; the lowest validators are taken so that the choice does not depend on the table's order.
        certify(Certificate(joining: Array(agreeing.prefix(set.quorum))), now)
    }

    /// A quorum certified another header than this node computed: it serves nothing any more, and finds out why.
    private mutating func diverge(_ height: UInt64, certified: Digest) {
        let block = blocks[height]!.block
        halt(.diverged(height: height, own: headerHashes[height]!, certified: certified))
        effects.append(.compare(Divergence(header: block.header, roots: block.roots, certified: certified)))
    }

    /// A peer has said enough to tell where this node and the others came apart.
    mutating func explain(_ difference: Divergence.Difference) {
        guard case .diverged(let height, let own, let certified, nil)? = halted else { return }
        let reason = Halt.diverged(height: height, own: own, certified: certified, difference: difference)
        halted = reason
        effects.append(.halt(reason))
    }

    /// Votes on heights that were executed while this node might not vote, once it may: a clock that was behind has
    /// come right. Without it a quorum whose clocks jump together would never certify what it executed in between.
    mutating func voteLate(_ now: UInt64) {
        guard executed > certified else { return }
        for height in certified + 1...executed {
            // The block itself must be stored before, since its write says the same when it is done.
            guard let late = blocks[height], late.lock == nil, late.isLocked, mayVote(height, now) else { continue }
            let lock = vote(for: late.block.header, headerHashes[height]!, now)
            blocks[height]!.lock = lock
            blocks[height]!.isLocked = false
            effects.append(.lock(BlockStore.lockBatch(lock), height: height))
        }
    }

    /// Whether a certificate names an epoch that it may at its height, as far as this node or the chain knows; or one
    /// after those, of which the chain has yet to tell.
    func isOfEpoch(_ certificate: Certificate) -> Bool {
        let own = begun?.start.row ?? .first
        let newest = own.number > executor.epoch.number ? own : executor.epoch
        return newest.mayCertify(certificate.epoch, at: certificate.height)
    }

    /// Takes a certificate that a peer holds.
    mutating func take(_ certificate: Certificate, _ now: UInt64) {
        guard certificate.height > certified, certificate.height <= executed, isOfEpoch(certificate),
            let own = headerHashes[certificate.height],
            (try? certificate.verify(genesis: executor.genesisHash, set: executor.sets[certificate.height])) != nil
        else { return }
        guard own == certificate.header else { return diverge(certificate.height, certified: certificate.header) }
        certify(certificate, now)
    }

    /// Locks of heights that are not certified are sent again, in case they were lost. So may the others' votes have
    /// been, and who has certified a height sends none for it any more: so a peer is asked for its certificate.
    mutating func resend(_ now: UInt64) {
        guard executed > certified, now >= sentAt + Self.resendMilliseconds else { return }
        sentAt = now
        let own = (certified + 1...executed).compactMap { height in
            blocks[height].flatMap { $0.isLocked ? $0.lock : nil }
        }
        for lock in own { effects.append(.send(lock)) }
        effects.append(.fetch(above: certified))
        useBoard(own, now)
    }

    /// Where no certificate has come for long, votes take the second way too. Not before: over HTTP a certificate takes
    /// a small part of that time, and a put costs the cluster as much as an entry, so each validator's would make its
    /// work for a block five times what it is among four.
    private mutating func useBoard(_ own: [Vote], _ now: UInt64) {
        guard let since = uncertified?.since, now >= since + Self.boardMilliseconds else { return }
        if !own.isEmpty { effects.append(.post(own)) }
        // Whose vote for the next height has come is reached, and sends the others.
        let missing = executor.sets[certified + 1].validators.map(\.id).filter {
            $0 != configuration.validator && votes.vote(of: $0, at: certified + 1) == nil
        }
        if !missing.isEmpty { effects.append(.look(for: missing, heights: certified + 1...executed)) }
    }
}
