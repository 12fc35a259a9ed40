import Chain
import Crypto
import Ledger
import Ordering

/// Ordering: whoever holds transactions appends at once; only while others order some as well does a node wait, by its
/// distance from whose turn it is. So a quiet chain waits for nobody, and no leader can be lost.
extension NodeCore {
    /// While a block waits for its certificate, so many bytes make another entry worth its sync and its votes; fewer
    /// wait for that certificate and share one, though not for long. Where nothing is under way, nothing waits.
    static let worthAnEntryBytes = 128 << 10
    static let sharingMilliseconds: UInt64 = 100
    /// So many positions are left to whose turn it is, from where two nodes had something to order.
    static let turnsTaken: UInt64 = 32
    /// The longest that one place of distance is worth, however slow the order is.
    static let stepMillisecondsMax: UInt64 = 250

    mutating func propose(_ now: UInt64) {
        noteVoting(now)
        guard let key = key(at: executed + 1), signingStopped == nil else { return }
        guard appending == nil, awaiting == nil, incoming.isEmpty, !isFirstRead, executed >= takenAt,
            now >= retryAt, now >= turnAt
        else { return }
        // So that the entry can be executed at once.
        guard mayExecute else { return }
        // Nothing else goes first: without it no certificate of the new epoch would count.
        if mayCarryEpoch() { return append([], key, now, carrying: begun) }
        let batch: [(ticket: Pool.Ticket, transaction: Transaction)]
        if !pool.hasReady || isWorthWaiting(now) {
            batch = []
        } else if now > certifiedAt + Self.clockStaleMilliseconds {
            // Block time is old, and every deadline would be judged by it: an empty entry first. Its certificate
            // brings the time; until it comes there is nothing to order.
            if executed == certified { return append([], key, now) }
            batch = []
        } else {
            batch = nextBatch()
        }
        if !batch.isEmpty || now >= lastEntryAt + Self.idleMilliseconds + idleTurnMilliseconds {
            append(batch, key, now)
        }
    }

    /// Whether the next entry is to carry the statements by which this node's epoch began. Looked at once for each
    /// position: to check them takes as many signatures as a quorum has.
    private mutating func mayCarryEpoch() -> Bool {
        guard let begun, executor.epoch.number < begun.start.number else { return false }
        let position = executed + 1
        if begunAt?.position != position {
            let row = executor.begins(
                by: begun.change, at: position, header: { headerHashes[$0] ?? (try? tables.header($0))?.hash },
                entry: { (blocks[$0]?.block.header ?? (try? tables.header($0)))?.entry })
            begunAt = (position, row != nil)
        }
        return begunAt!.mayCarry
    }

    private func isWorthWaiting(_ now: UInt64) -> Bool {
        executed > certified && pool.orderableBytes < Self.worthAnEntryBytes
            && now < lastEntryAt + Self.sharingMilliseconds
    }

    private mutating func append(
        _ batch: [(ticket: Pool.Ticket, transaction: Transaction)], _ key: SecretKey, _ now: UInt64,
        carrying begun: (change: EpochChange, start: EpochChange.Start)? = nil
    ) {
        let position = executed + 1
        let known = begun?.start.row ?? executor.epoch
        let certificate = newestCertificate.flatMap {
            $0.height > executor.carried && known.allows($0.epoch, at: $0.height) ? $0 : nil
        }
        let entry = Entry(
            position: position, previous: executor.head.entry, proposer: configuration.validator,
            certificate: certificate, epoch: begun?.change, transactions: batch.map(\.transaction))
        let bytes = entry.signed(genesis: executor.genesisHash, key: key)
        precondition(bytes.count <= Entry.bytesMax, "an entry of ours fits")
        appending = Appending(position: position, bytes: bytes, entry: entry, tickets: batch.map(\.ticket), since: now)
        effects.append(.append(bytes, position: position))
    }

    /// Transactions that are not in a block yet. Those that no block could take any more are answered.
    private mutating func nextBatch() -> [(ticket: Pool.Ticket, transaction: Transaction)] {
        var batch = pool.batch(bytesMax: Entry.transactionBytesMax, countMax: Entry.transactionsMax)
        let time = executor.head.time
        for next in batch where next.transaction.validUntil < time {
            answer(pool.drop(next.ticket), .refused(.expired))
        }
        batch.removeAll { $0.transaction.validUntil < time }
        return batch
    }

    mutating func appended(_ position: UInt64, _ result: AppendResult, _ now: UInt64) {
        guard let mine = appending, mine.position == position else { return }
        appendMilliseconds = now - min(mine.since, now)
        switch result {
        case .appended:
            appending = nil
            logHead = max(logHead, position)
            trim(at: position)
            guard position == executed + 1, awaiting == nil, incoming.isEmpty else { return read() }
            // Our own entry needs no reading back and no second look at its signatures.
            awaiting = Awaiting(
                decoded: Executor.Decoded(
                    height: position, raw: mine.bytes, entryHash: Entry.hash(raw: mine.bytes), entry: mine.entry,
                    fault: nil),
                verify: mine.tickets.map { _ in true }, tickets: mine.tickets, unknown: [:])
        case .taken:
            appending = nil
            takenAt = position
            read()
        case .closed:
            appending = nil
            retryAt = now + Self.logRetryMilliseconds
            read()
        case .unknown:
            // Read the position: our bytes there mean success, others that it was taken, none the same bytes again.
            appending!.isUnknown = true
            read()
        }
    }

    /// A place among those who order the next entry.
    var ownIndex: Int? {
        guard isVoter(at: executed + 1) else { return nil }
        return executor.set.validators.firstIndex { $0.id == configuration.validator }
    }

    /// Who votes no more can order nothing either: what waits here is told so.
    private mutating func noteVoting(_ now: UInt64) {
        let isVoter = isVoterOrWaits(at: executed + 1, now)
        if wasVoter, !isVoter {
            for request in pool.dropUnordered() + drainPromises() {
                effects.append(.answer(request: request, .refused(.follower)))
            }
        }
        wasVoter = isVoter
    }

    /// Another node has ordered something while this one has something to order as well: each position is left for a
    /// while to whose turn it is.
    mutating func noteProposer(of block: Executor.Block) {
        guard let entry = block.decoded.entry, !entry.transactions.isEmpty,
            entry.proposer != configuration.validator, pool.hasReady || appending != nil
        else { return }
        takesTurnsTo = block.header.height + Self.turnsTaken
    }

    /// From when on the next position may be tried: where several nodes have something to order, by the distance from
    /// whose turn it is, counted from the moment on at which all of them could try. Otherwise those who waited for the
    /// same certificate would all append at once, time and again, and all but one in vain, which costs the order as
    /// much as what it takes. And who has just ordered, and need not read its own entry back, would be the first to
    /// order the next one too, while what others hold waits for seconds.
    var turnAt: UInt64 {
        guard executed < takesTurnsTo else { return 0 }
        // Time for somebody else's append, and for reading what it brought.
        let step = min(max(configuration.stepMilliseconds, 2 * appendMilliseconds), Self.stepMillisecondsMax)
        return max(lastEntryAt, certifiedAt) + turnDistance(at: executed + 1) * step
    }

    private func turnDistance(at position: UInt64) -> UInt64 {
        guard let own = ownIndex else { return 0 }
        let count = executor.set.count
        return UInt64((own - executor.set.turn(at: position) + count) % count)
    }

    var idleTurnMilliseconds: UInt64 { turnDistance(at: executed + 1) * Self.idleStepMilliseconds }
}
