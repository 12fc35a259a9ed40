import Chain
import Crypto
import Ledger
import Storage

/// Taking transactions up, and answering for them.
extension NodeCore {
    mutating func admit(_ transaction: Transaction, _ request: UInt64, _ now: UInt64) {
        func refuse(_ reason: AdmissionRefusal) { effects.append(.answer(request: request, .refused(reason))) }
        // Who does not sign cannot order it either.
        guard signingStopped == nil else { return refuse(.halted) }
        guard isVoterOrWaits(at: executed + 1, now) else { return refuse(.follower) }
        // Ordered, it would make its whole entry an empty block.
        guard transaction.rulesNeeded <= executor.rulesVersion else {
            return refuse(.rulesVersion(needed: transaction.rulesNeeded, holds: executor.rulesVersion))
        }
        // The same envelope again, while it is under way: one more who waits for it.
        switch pool.join(transaction.envelopeDigest, request) {
        case true?: return
        case false?: return refuse(.poolFull)
        case nil: break
        }
        if transaction.validUntil < executor.head.time { return refuse(.expired) }
        if pool.count >= configuration.poolTransactionsMax
            || pool.byteCount + transaction.bytes.count > configuration.poolBytesMax
        {
            return refuse(.poolFull)
        }
        let verify = signatures[transaction.envelopeDigest]
        if verify == false { return refuse(.signatureInvalid) }
        let ticket = pool.add(
            transaction, request, isReady: verify == true, perSenderMax: configuration.inFlightPerSenderMax)
        guard let ticket else { return refuse(.senderBusy(transaction.firstSigner.party)) }
        if verify == nil { effects.append(.verify([executor.unchecked(transaction, ticket)])) }
    }

    mutating func take(_ results: SignaturePool.Results, _ now: UInt64) {
        for checked in results {
            let (envelope, verify) = (checked.envelope, checked.verify)
            if let ahead = checked.ahead { keep(ahead, for: envelope) }
            if awaiting != nil { awaiting!.note(envelope, verify) }
            // The pool remembers it of what was taken up here.
            if verify, pool.makeReady(checked.ticket, envelope) {
                answerPromises(envelope, now)
                continue
            }
            signatures.note(envelope, verify, max: configuration.signaturesKeptMax)
            if !verify { answer(pool.drop(envelope), .refused(.signatureInvalid)) }
            answerPromises(envelope, now)
        }
    }

    mutating func answer(_ waiters: Pool.Waiters, _ answer: @autoclosure () -> Answer) {
        waiters.forEach { effects.append(.answer(request: $0, answer())) }
    }

    /// Keeps rows that were read ahead until their transaction's turn. They are large, and only a hint: the oldest go.
    private mutating func keep(_ rows: RowsAhead, for envelope: Digest) {
        if ahead.updateValue(rows, forKey: envelope) == nil { aheadOrder.append(envelope) }
        while aheadOrder.count > Self.aheadMax { ahead[aheadOrder.removeFirst()] = nil }
    }

    /// Answers proofs that can be given at the committed height.
    mutating func answerProofs() {
        guard !proofRequests.isEmpty, let certificate = committedCertificate else { return }
        var waiting: [(account: AccountID, unit: UnitCode, request: UInt64)] = []
        var failure: StorageError?
        for wanted in proofRequests {
            do throws(StorageError) {
                let proof = try tables.balanceProof(
                    wanted.account, wanted.unit, header: committedHeader, certificate: certificate,
                    trees: executor.trees, genesis: executor.genesisHash)
                if let proof {
                    effects.append(.answer(request: wanted.request, .proof(proof)))
                } else {
                    waiting.append(wanted)
                }
            } catch {
                waiting.append(wanted)
                failure = error
            }
        }
        proofRequests = waiting
        if let failure { halt(.storage(failure)) }
    }
}

/// Transactions under way: those taken up here, from admission until their block is committed, and all others of blocks
/// that are not committed.
struct Pool: Sendable {
    /// Names one that is here: once it has left, the ticket names nothing.
    struct Ticket: Sendable {
        fileprivate let slot: Int
        fileprivate let turn: UInt64
    }

    private struct Pooled: Sendable {
        let transaction: Transaction
        let byteCount: Int
        var waiters: Waiters
        /// Its signatures were checked here, and match.
        var isReady: Bool
        /// It stands in a block that is not committed yet.
        var isOrdered: Bool
        /// It was taken up here, and counts among what its sender has under way.
        let isSubmitted: Bool
        /// Tells it from all others that had its slot.
        let turn: UInt64

        var canBeOrdered: Bool { isReady && !isOrdered && isSubmitted }
    }

    /// Requests that one answer answers. Nearly always one, which needs no array.
    struct Waiters: Sendable {
        private var first: UInt64?
        private var others: [UInt64] = []

        init(_ first: UInt64? = nil) { self.first = first }

        var count: Int { first == nil ? 0 : 1 + others.count }

        mutating func add(_ request: UInt64) {
            if first == nil { first = request } else { others.append(request) }
        }

        func forEach(_ body: (UInt64) -> Void) {
            if let first { body(first) }
            others.forEach(body)
        }
    }

    private var slots: [Pooled?] = []
    private var free: [Int] = []
    private var index: [Digest: Int] = [:]
    /// Those that could be ordered, in the order in which they came to be so; `queue[first...]` is what counts. Those
    /// that were ordered or dropped since are skipped.
    private var queue: [Ticket] = []
    private var first = 0
    private var turns: UInt64 = 0
    /// How many of those taken up here each has signed. By party and key: whoever signs with a key of his own in
    /// another's name uses up nothing of that one's.
    private var senders: [Signer: Int] = [:]
    /// Taken up here, and their bytes.
    private(set) var count = 0
    private(set) var byteCount = 0
    /// How many could be ordered now, and their bytes.
    private var orderableCount = 0
    private(set) var orderableBytes = 0

    // MARK: Taking up

    /// Takes a transaction up for `request`, or for this node itself, unless its sender has `max` under way.
    mutating func add(
        _ transaction: Transaction, _ request: UInt64?, isReady: Bool, perSenderMax max: Int
    ) -> Ticket? {
        let isFree = { (count: inout Int) in
            guard count < max else { return false }
            count += 1
            return true
        }(&senders[transaction.firstSigner, default: 0])
        guard isFree else { return nil }
        let ticket = insert(transaction, Waiters(request), isReady: isReady, isOrdered: false, isSubmitted: true)
        count += 1
        byteCount += transaction.bytes.count
        if isReady { enqueue(ticket) }
        return ticket
    }

    private mutating func insert(
        _ transaction: Transaction, _ waiters: Waiters, isReady: Bool, isOrdered: Bool, isSubmitted: Bool
    ) -> Ticket {
        turns += 1
        let new = Pooled(
            transaction: transaction, byteCount: transaction.bytes.count, waiters: waiters, isReady: isReady,
            isOrdered: isOrdered,
            isSubmitted: isSubmitted, turn: turns)
        let slot: Int
        if let reused = free.popLast() {
            slot = reused
            slots[slot] = new
        } else {
            slot = slots.count
            slots.append(new)
        }
        index[transaction.envelopeDigest] = slot
        return Ticket(slot: slot, turn: turns)
    }

    private mutating func enqueue(_ ticket: Ticket) {
        orderableCount += 1
        orderableBytes += slots[ticket.slot]!.byteCount
        queue.append(ticket)
    }

    /// It stays in the queue, and is skipped there.
    private mutating func dequeue(byteCount: Int) {
        orderableCount -= 1
        orderableBytes -= byteCount
    }

    /// Who may wait for one transaction.
    private static let requestsMax = 1024

    /// One more who waits for a transaction: nil where it is not here, false where too many wait.
    mutating func join(_ envelope: Digest, _ request: UInt64) -> Bool? {
        guard let slot = index[envelope] else { return nil }
        guard slots[slot]!.waiters.count < Self.requestsMax else { return false }
        slots[slot]!.waiters.add(request)
        return true
    }

    /// Notes that the signatures of a transaction match; answers whether it is here.
    /// - Parameter ticket: where its check was asked for with it.
    mutating func makeReady(_ ticket: Ticket?, _ envelope: Digest) -> Bool {
        guard let ticket = ticket.flatMap(live) ?? self.ticket(envelope) else { return false }
        guard !slots[ticket.slot]!.isReady else { return true }
        slots[ticket.slot]!.isReady = true
        if slots[ticket.slot]!.canBeOrdered { enqueue(ticket) }
        return true
    }

    /// Whether the signatures of a transaction are known to match.
    func isReady(_ ticket: Ticket) -> Bool { live(ticket) != nil && slots[ticket.slot]!.isReady }

    // MARK: Ordering

    /// A transaction that was taken up here and is still under way.
    func submitted(_ envelope: Digest) -> Transaction? {
        guard let slot = index[envelope], let there = slots[slot], there.isSubmitted else { return nil }
        return there.transaction
    }

    func isReady(_ envelope: Digest) -> Bool { ticket(envelope).map { isReady($0) } ?? false }

    /// The ticket of a transaction that an entry holds; nil where it is not here.
    func ticket(_ envelope: Digest) -> Ticket? {
        index[envelope].map { Ticket(slot: $0, turn: slots[$0]!.turn) }
    }

    /// It stands in a block now, and is kept for who waits for it, and so that it is not ordered again.
    /// - Parameter ticket: where its entry was read with it.
    mutating func noteOrdered(_ transaction: Transaction, _ ticket: Ticket?) -> Ticket {
        guard let ticket = ticket.flatMap(live) ?? self.ticket(transaction.envelopeDigest) else {
            return insert(transaction, Waiters(), isReady: false, isOrdered: true, isSubmitted: false)
        }
        if slots[ticket.slot]!.canBeOrdered { dequeue(byteCount: slots[ticket.slot]!.byteCount) }
        slots[ticket.slot]!.isOrdered = true
        return ticket
    }

    private func live(_ ticket: Ticket) -> Ticket? {
        ticket.slot < slots.count && slots[ticket.slot]?.turn == ticket.turn ? ticket : nil
    }

    /// Takes a transaction out; answers who waits for it.
    mutating func drop(_ envelope: Digest) -> Waiters {
        ticket(envelope).map { drop($0) } ?? Waiters()
    }

    /// Takes a transaction out, where it is still here; answers who waits for it.
    mutating func drop(_ ticket: Ticket) -> Waiters {
        guard live(ticket) != nil, let out = slots[ticket.slot].take() else { return Waiters() }
        free.append(ticket.slot)
        index[out.transaction.envelopeDigest] = nil
        if out.canBeOrdered { dequeue(byteCount: out.byteCount) }
        guard out.isSubmitted else { return out.waiters }
        count -= 1
        byteCount -= out.byteCount
        let sender = out.transaction.firstSigner
        let left = { (count: inout Int) in
            count -= 1
            return count
        }(&senders[sender, default: 1])
        if left == 0 { senders[sender] = nil }
        return out.waiters
    }

    /// Takes out what stands in no block; answers who waits for it.
    mutating func dropUnordered() -> [UInt64] {
        var requests: [UInt64] = []
        for slot in slots.indices {
            guard let there = slots[slot], !there.isOrdered else { continue }
            drop(Ticket(slot: slot, turn: there.turn)).forEach { requests.append($0) }
        }
        return requests.sorted()
    }

    /// All who wait, when the node stops.
    mutating func drain() -> [UInt64] {
        var requests: [UInt64] = []
        for pooled in slots { pooled?.waiters.forEach { requests.append($0) } }
        self = Pool()
        return requests.sorted()
    }

    /// The next transactions for an entry, first come first served. They stay here until their block is committed.
    mutating func batch(bytesMax: Int, countMax: Int) -> [(ticket: Ticket, transaction: Transaction)] {
        while first < queue.count, orderable(queue[first]) == nil { first += 1 }
        if first > queue.count / 2 {
            queue.removeFirst(first)
            first = 0
        }
        var batch: [(ticket: Ticket, transaction: Transaction)] = []
        batch.reserveCapacity(min(countMax, orderableCount))
        var bytes = 0
        for ticket in queue[first...] {
            guard let next = orderable(ticket) else { continue }
            // Length and bytes, as an entry holds them.
            bytes += next.byteCount + 5
            guard bytes <= bytesMax, batch.count < countMax else { break }
            batch.append((ticket, next.transaction))
        }
        return batch
    }

    private func orderable(_ ticket: Ticket) -> Pooled? {
        guard live(ticket) != nil, let there = slots[ticket.slot], there.canBeOrdered else { return nil }
        return there
    }

    var hasReady: Bool { orderableCount > 0 }
}

/// What is known of signatures, by envelope: each is checked once. The oldest half goes when there are too many.
struct SignatureMemory: Sendable {
    private var young: [Digest: Bool] = [:]
    private var old: [Digest: Bool] = [:]

    subscript(envelope: Digest) -> Bool? {
        (young.isEmpty ? nil : young[envelope]) ?? (old.isEmpty ? nil : old[envelope])
    }

    mutating func note(_ envelope: Digest, _ verify: Bool, max: Int) {
        if young.count >= max / 2 {
            swap(&old, &young)
            young.removeAll(keepingCapacity: true)
        }
        young[envelope] = verify
    }
}
