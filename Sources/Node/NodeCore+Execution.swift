import Chain
import Concurrency
import Crypto
import Ledger
import Ordering
import Storage

/// Reading the order, executing its entries, and what follows a certificate.
extension NodeCore {
    mutating func read() {
        if isReading {
            readAgain = true
            return
        }
        guard incoming.isEmpty, awaiting == nil, logRetryAt == nil, finals.isEmpty, !isFetchingFinals else {
            readAgain = true
            return
        }
        isReading = true
        readAgain = false
        readAt = clock
        executedAtRead = executed
        // The first time from the newest executed position on, to see that the order still shows what was executed.
        let from = isFirstRead && !isHeadGone ? max(executed, 1) : executed + 1
        effects.append(.read(from: from, max: configuration.readEntriesMax))
    }

    mutating func take(_ range: LogRange, _ now: UInt64) {
        isReading = false
        isFirstRead = false
        logHead = max(logHead, range.head)
        if range.head < takenAt { takenAt = 0 }
        if range.head < executedAtRead { return halt(.logBehind(head: range.head, executed: executedAtRead)) }
        for (position, bytes) in range.entries {
            if position <= executed {
                guard position != executed || Entry.hash(raw: bytes) == executor.head.entry else {
                    return halt(.logDiffers(position: position))
                }
            } else if position == nextUnread {
                incoming.append((position, bytes))
            }
        }
        if range.head >= nextUnread { readAgain = true }
        if let mine = appending, mine.isUnknown, mine.position == nextUnread, range.head < mine.position {
            // The position is free: the same bytes again, so that they can stand there only once.
            appending!.isUnknown = false
            effects.append(.append(mine.bytes, position: mine.position))
        }
    }

    /// The first position that is neither executed nor in hand.
    private var nextUnread: UInt64 { executed + 1 + (awaiting == nil ? 0 : 1) + UInt64(incoming.count) }

    /// Whether the bounds let one more height be executed.
    var mayExecute: Bool { !needsCertificate && executed - committed < Self.uncommittedMax }

    /// Whether nothing more is executed before a certificate comes. Where other validators take over, everything before
    /// them is certified first: so each certificate is of those who govern all heights since the one before it, and
    /// whoever follows the chain from outside needs no other.
    private var needsCertificate: Bool {
        executed - certified >= Self.uncertifiedMax
            || executed > certified && executor.sets.changes(at: executed + 1)
    }

    /// Executes what was read, as far as the bounds and known signatures allow.
    mutating func executeIncoming(_ now: UInt64) {
        while halted == nil {
            if let next = awaiting {
                if needsCertificate { lookAhead(next.decoded, now) }
                guard mayExecute, next.unknown.isEmpty else { return }
                awaiting = nil
                execute(next, now)
                continue
            }
            guard let next = incoming.first else {
                guard useFinals() else { break }
                continue
            }
            incoming.removeFirst()
            if appending?.position == next.position {
                // Either ours, and its answer was lost, or another's: what was not ordered stays in the pool.
                appending = nil
            }
            hold(executor.decode(next.bytes))
        }
        if readAgain, halted == nil { read() }
    }

    /// Keeps the next entry until its signatures are known.
    mutating func hold(_ decoded: Executor.Decoded) {
        let transactions = decoded.transactions
        var next = Awaiting(
            decoded: decoded, verify: transactions.map { _ in false },
            tickets: transactions.map { pool.ticket($0.envelopeDigest) }, unknown: [:])
        var unknown: [Transaction] = []
        for (index, transaction) in transactions.enumerated() {
            if let ticket = next.tickets[index], pool.isReady(ticket) {
                next.verify[index] = true
            } else if let verify = signatures[transaction.envelopeDigest] {
                next.verify[index] = verify
            } else {
                if next.unknown[transaction.envelopeDigest] == nil { unknown.append(transaction) }
                next.unknown[transaction.envelopeDigest, default: []].append(index)
            }
        }
        awaiting = next
        if !unknown.isEmpty { effects.append(.verify(unknown.map { executor.unchecked($0, nil) })) }
    }

    /// The certificate of an entry that may not be executed yet can be what allows it: a node that comes late has no
    /// other votes for what it executed.
    private mutating func lookAhead(_ decoded: Executor.Decoded, _ now: UInt64) {
        if let certificate = decoded.entry?.certificate, headerHashes[certificate.height] == certificate.header {
            take(certificate, now)
        }
    }

    private mutating func execute(_ next: Awaiting, _ now: UInt64) {
        guard let (block, tickets) = execute(next.decoded, next.verify, next.tickets) else { return }
        let header = block.header
        let hash = header.hash
        let lock = mayVote(header.height, now) ? vote(for: header, hash, now) : nil
        headerHashes[header.height] = hash
        ring.note(header.height, bytes: block.decoded.raw.count)
        blocks[header.height] = Executed(block: block, tickets: tickets, lock: lock, isLocked: false)
        lastEntryAt = now
        noteProposer(of: block)
        effects.append(.lock(BlockStore.lockBatch(block, lock: lock), height: header.height))
        takeCarried(block, now)
        recount(header.height, now)
        takeFinal(header.height, now)
    }

    /// Executes a stored block again: it must give the stored header, and its lock is sent as it was.
    mutating func executeAgain(_ stored: Stored, _ now: UInt64) {
        let decoded = executor.decode(stored.raw)
        let transactions = decoded.transactions
        let verify = Self.verify(transactions, genesis: executor.genesisHash)
        for (transaction, verify) in zip(transactions, verify) {
            signatures.note(transaction.envelopeDigest, verify, max: configuration.signaturesKeptMax)
        }
        guard let (block, tickets) = execute(decoded, verify, transactions.map { _ in nil }) else { return }
        guard block.header == stored.header else { return halt(.replayDiffers(height: stored.header.height)) }
        headerHashes[block.header.height] = block.header.hash
        blocks[block.header.height] = Executed(
            block: block, tickets: tickets, lock: stored.lock, isLocked: true)
        if let lock = stored.lock { say(lock, now) }
        takeCarried(block, now)
    }

    /// Checks signatures on all cores: tables that lay a second behind leave tens of thousands to be checked again.
    private static func verify(_ transactions: [Transaction], genesis: Digest) -> [Bool] {
        let parts = stride(from: 0, to: transactions.count, by: checkedTogether).map { start in
            (transactions[start..<min(start + checkedTogether, transactions.count)], Locked<[Bool]>([]))
        }
        Workers.shared.run(parts.count) { index in
            let (part, verify) = parts[index]
            let results = part.map { $0.signaturesVerify(genesis: genesis) }
            verify.withLock { $0 = results }
        }
        return parts.flatMap { $0.1.withLock { $0 } }
    }

    private static let checkedTogether = 32

    /// - Returns: nil where the directory could not be read; the node has halted then, since what it made of the entry
    ///   is nobody's header.
    private mutating func execute(
        _ decoded: Executor.Decoded, _ verify: [Bool], _ tickets: [Pool.Ticket?]
    ) -> (Executor.Block, [Pool.Ticket])? {
        checkRules()
        guard halted == nil else { return nil }
        let hashes = headerHashes
        let above = decoded.entry?.epoch == nil ? [:] : blocks
        let tables = tables
        let genesis = executor.genesisHash
        let votes = votes
        let known = newestCertificate
        var failure: StorageError?
        var ahead: [Digest: RowsAhead] = [:]
        if !self.ahead.isEmpty {
            for transaction in decoded.transactions {
                ahead[transaction.envelopeDigest] = self.ahead.removeValue(forKey: transaction.envelopeDigest)
            }
        }
        // A stored header below the committed height is this node's own.
        func stored(_ height: UInt64) -> Header? {
            do throws(StorageError) { return try tables.header(height) } catch {
                failure = error
                return nil
            }
        }
        let block = executor.execute(
            decoded, signaturesVerify: { verify[$0] }, ahead: { ahead[$0.envelopeDigest] },
            header: { hashes[$0] ?? stored($0)?.hash },
            entry: { (above[$0]?.block.header ?? stored($0))?.entry },
            certificateVerifies: { certificate, set in
                if certificate == known { return true }
                // Votes that were verified one by one need not be verified again.
                let allKnown = certificate.signatures.allSatisfy { part in
                    guard let vote = votes.vote(of: part.validator, at: certificate.height) else { return false }
                    return vote.header == certificate.header && vote.time == part.time
                        && vote.signature == part.signature && vote.epoch == certificate.epoch
                        && vote.round == certificate.round && vote.phase == certificate.phase
                }
                if allKnown, certificate.signatures.count >= set.quorum { return true }
                return (try? certificate.verify(genesis: genesis, set: set)) != nil
            })
        // None where the entry turned out to make an empty block: its transactions stay as they were.
        let waiting = pool.orderableBytes
        let ordered = zip(block.decoded.transactions, tickets).map { pool.noteOrdered($0, $1) }
        if pool.orderableBytes < waiting { waitingSince = nil }
        if let failure = failure ?? readFailure() {
            halt(.storage(failure))
            return nil
        }
        if let change = block.change {
            recheckVotes(change)
            lookForKey(clock)
        }
        return (block, ordered)
    }

    /// What is executed by rules that this program does not have would be nobody's header.
    mutating func checkRules() {
        guard !configuration.rulesKnown.contains(executor.rulesVersion) else { return }
        halt(
            .rulesVersion(
                executor.rulesVersion, from: executed + 1, known: configuration.rulesKnown.upperBound))
    }

    /// A certificate that an entry carried is as good as one made here.
    private mutating func takeCarried(_ block: Executor.Block, _ now: UInt64) {
        guard let certificate = block.certificate else { return }
        lookForTwin(in: certificate)
        if certificate.height > certified { certify(certificate, now) }
    }

    mutating func locked(_ height: UInt64, _ now: UInt64) {
        guard blocks[height] != nil else { return }
        blocks[height]!.isLocked = true
        if let lock = blocks[height]!.lock { say(lock, now) }
    }

    /// Blocks up to the certificate's height are final: their changes go to the tables in one batch with that height.
    mutating func certify(_ certificate: Certificate, _ now: UInt64) {
        let final = (certified + 1...certificate.height).map { blocks[$0]! }
        certified = certificate.height
        newestCertificate = certificate
        certifiedAt = now
        effects.append(
            .commit(
                BlockStore.commitBatch(
                    final.map(\.block), certificates: [certificate],
                    logs: executor.trees.logs(at: certificate.height)!),
                height: certificate.height))
        certificates[certificate.height] = certificate
        for part in certificate.signatures { noteVoted(part.validator, certificate.height) }
        votes.forget(upTo: certificate.height)
    }

    mutating func committed(_ height: UInt64) {
        guard height > committed else { return }
        committedCertificate = certificates.removeValue(forKey: height)
        for final in committed + 1...height {
            let executed = blocks.removeValue(forKey: final)!
            let block = executed.block
            for (index, ticket) in executed.tickets.enumerated() {
                answer(
                    pool.drop(ticket),
                    .receipt(block.output.receipts[index], place: Place(height: final, index: UInt32(index))))
            }
            committedHeader = block.header
            effects.append(.certified(CertifiedBlock(block: block, certificate: committedCertificate!)))
        }
        committed = height
        let floor = min(committed, executor.carried)
        headerHashes = headerHashes.filter { $0.key >= floor }
        executor.stored(upTo: height)
        noteKeyHolds()
        answerProofs()
    }
}
