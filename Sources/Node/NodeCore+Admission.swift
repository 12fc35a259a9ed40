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
        guard configuration.votingKey != nil, ownIndex != nil else { return refuse(.follower) }
        // The same envelope again, while it is under way: one more who waits for it.
        switch pool.join(transaction.envelopeDigest, request) {
        case true?: return
        case false?: return refuse(.poolFull)
        case nil: break
        }
        if transaction.body.validUntil < executor.head.time { return refuse(.expired) }
        if pool.inFlight(transaction.body.signers[0]) >= configuration.inFlightPerSenderMax {
            return refuse(.senderBusy(transaction.body.sender))
        }
        if pool.count >= configuration.poolTransactionsMax
            || pool.byteCount + transaction.bytes.count > configuration.poolBytesMax
        {
            return refuse(.poolFull)
        }
        let isUnderWay = underWay.contains(transaction.envelopeDigest)
        switch signatures[transaction.envelopeDigest] {
        case true?: pool.add(transaction, request, isReady: true, isOrdered: isUnderWay)
        case false?: refuse(.signatureInvalid)
        case nil:
            pool.add(transaction, request, isReady: false, isOrdered: isUnderWay)
            effects.append(.verify([transaction], ahead: executor.tablesAhead))
        }
    }

    mutating func take(_ results: SignaturePool.Results, _ now: UInt64) {
        for checked in results {
            let (envelope, verify) = (checked.envelope, checked.verify)
            if let ahead = checked.ahead { keep(ahead, for: envelope) }
            signatures.note(envelope, verify, max: configuration.signaturesKeptMax)
            if awaiting?.unknown.remove(envelope) != nil { awaiting!.signatures[envelope] = verify }
            if verify {
                pool.makeReady(envelope)
            } else if let requests = pool.drop(envelope) {
                for request in requests { effects.append(.answer(request: request, .refused(.signatureInvalid))) }
            }
        }
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

/// Transactions under way: from admission until their block is committed.
struct Pool: Sendable {
    private struct Pooled: Sendable {
        let transaction: Transaction
        var requests: [UInt64]
        /// Its signatures were checked.
        var isReady: Bool
        /// It stands in a block that is not committed yet.
        var isOrdered: Bool
        /// Its turn in the queue; an earlier turn of the same envelope counts no more.
        var turn: UInt64 = 0

        var canBeOrdered: Bool { isReady && !isOrdered }
    }

    private var pooled: [Digest: Pooled] = [:]
    /// Envelopes that could be ordered, in the order in which they came to be so; `queue[first...]` is what counts.
    /// Those that were ordered or dropped since are skipped.
    private var queue: [(envelope: Digest, turn: UInt64)] = []
    private var first = 0
    private var turns: UInt64 = 0
    /// By party and key: whoever signs with a key of his own in another's name uses up nothing of that one's.
    private var senders: [Signer: Int] = [:]
    private(set) var byteCount = 0
    /// How many could be ordered now, and their bytes.
    private var orderableCount = 0
    private(set) var orderableBytes = 0

    var count: Int { pooled.count }

    func inFlight(_ sender: Signer) -> Int { senders[sender] ?? 0 }

    mutating func add(_ transaction: Transaction, _ request: UInt64, isReady: Bool, isOrdered: Bool) {
        var new = Pooled(transaction: transaction, requests: [request], isReady: isReady, isOrdered: isOrdered)
        if new.canBeOrdered { new.turn = enqueue(transaction) }
        pooled[transaction.envelopeDigest] = new
        byteCount += transaction.bytes.count
        senders[transaction.body.signers[0], default: 0] += 1
    }

    /// Answers its turn.
    private mutating func enqueue(_ transaction: Transaction) -> UInt64 {
        turns += 1
        orderableCount += 1
        orderableBytes += transaction.bytes.count
        queue.append((transaction.envelopeDigest, turns))
        return turns
    }

    /// It stays in the queue, and is skipped there.
    private mutating func dequeue(_ transaction: Transaction) {
        orderableCount -= 1
        orderableBytes -= transaction.bytes.count
    }

    /// Who may wait for one transaction.
    private static let requestsMax = 1024

    /// One more who waits for a transaction: nil where it is not here, false where too many wait.
    mutating func join(_ envelope: Digest, _ request: UInt64) -> Bool? {
        guard let count = pooled[envelope]?.requests.count else { return nil }
        guard count < Self.requestsMax else { return false }
        pooled[envelope]!.requests.append(request)
        return true
    }

    mutating func makeReady(_ envelope: Digest) {
        guard let index = pooled.index(forKey: envelope), !pooled.values[index].isReady else { return }
        pooled.values[index].isReady = true
        if !pooled.values[index].isOrdered { pooled.values[index].turn = enqueue(pooled.values[index].transaction) }
    }

    /// It stands in a block now, and is kept only for who waits for it.
    mutating func noteOrdered(_ envelope: Digest) {
        guard let index = pooled.index(forKey: envelope), !pooled.values[index].isOrdered else { return }
        pooled.values[index].isOrdered = true
        if pooled.values[index].isReady { dequeue(pooled.values[index].transaction) }
    }

    /// Takes a transaction out; answers who waits for it, or nil where it is not here.
    mutating func drop(_ envelope: Digest) -> [UInt64]? {
        guard let out = pooled.removeValue(forKey: envelope) else { return nil }
        byteCount -= out.transaction.bytes.count
        if out.canBeOrdered { dequeue(out.transaction) }
        let sender = out.transaction.body.signers[0]
        senders[sender]! -= 1
        if senders[sender] == 0 { senders[sender] = nil }
        return out.requests
    }

    /// All who wait, when the node stops.
    mutating func drain() -> [UInt64] {
        let requests = pooled.values.flatMap(\.requests).sorted()
        self = Pool()
        return requests
    }

    /// The next transactions for an entry, first come first served. They stay here until their block is committed.
    mutating func batch(bytesMax: Int, countMax: Int) -> [Transaction] {
        while first < queue.count, orderable(queue[first]) == nil { first += 1 }
        if first > queue.count / 2 {
            queue.removeFirst(first)
            first = 0
        }
        var batch: [Transaction] = []
        var bytes = 0
        for next in queue[first...] {
            guard let next = orderable(next) else { continue }
            // Length and bytes, as an entry holds them.
            bytes += next.bytes.count + 5
            guard bytes <= bytesMax, batch.count < countMax else { break }
            batch.append(next)
        }
        return batch
    }

    private func orderable(_ next: (envelope: Digest, turn: UInt64)) -> Transaction? {
        guard let there = pooled[next.envelope], there.turn == next.turn, there.canBeOrdered else { return nil }
        return there.transaction
    }

    var hasReady: Bool { orderableCount > 0 }
}

/// What is known of signatures, by envelope: each is checked once. The oldest half goes when there are too many.
struct SignatureMemory: Sendable {
    private var young: [Digest: Bool] = [:]
    private var old: [Digest: Bool] = [:]

    subscript(envelope: Digest) -> Bool? { young[envelope] ?? old[envelope] }

    mutating func note(_ envelope: Digest, _ verify: Bool, max: Int) {
        if young.count >= max / 2 {
            old = young
            young = [:]
        }
        young[envelope] = verify
    }
}
