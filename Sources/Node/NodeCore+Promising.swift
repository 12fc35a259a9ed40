import Chain
import Crypto
import Ledger

/// Promising in writing what was taken up.
extension NodeCore {
    /// By how much later a block holds what is promised now: far more than a certificate takes while a quorum runs.
    public static let promiseMilliseconds: UInt64 = 30_000
    /// Where something that was taken up here has waited so long to be ordered, while nothing else from here was,
    /// nothing more is promised: the order may be out of reach, or this node too slow for a turn, and whoever breaks
    /// promises can be held to them.
    public static let orderedMilliseconds: UInt64 = 10_000
    /// Who may ask for one promise.
    private static let promisesMax = 16

    /// Promises a transaction that is under way here, as soon as its signatures are known to match.
    mutating func promise(_ envelope: Digest, _ request: UInt64, _ now: UInt64) {
        guard let transaction = pool.submitted(envelope) else {
            effects.append(.answer(request: request, .refused(.notHere)))
            return
        }
        if pool.isReady(envelope) { return answerPromise(transaction, request, now) }
        guard promiseRequests[envelope, default: []].count < Self.promisesMax else {
            effects.append(.answer(request: request, .refused(.poolFull)))
            return
        }
        promiseRequests[envelope, default: []].append(request)
    }

    /// Its signatures match, or it has left.
    mutating func answerPromises(_ envelope: Digest, _ now: UInt64) {
        guard !promiseRequests.isEmpty, let requests = promiseRequests.removeValue(forKey: envelope) else { return }
        for request in requests {
            if let transaction = pool.submitted(envelope), pool.isReady(envelope) {
                answerPromise(transaction, request, now)
            } else {
                effects.append(.answer(request: request, .refused(.notHere)))
            }
        }
    }

    /// All who want one, when nothing is promised any more.
    mutating func drainPromises() -> [UInt64] {
        defer { promiseRequests = [:] }
        return promiseRequests.values.joined().sorted()
    }

    /// Since when what waits here has seen nothing of its kind ordered.
    mutating func noteWaiting(_ now: UInt64) { waitingSince = pool.hasReady ? waitingSince ?? now : nil }

    private mutating func answerPromise(_ transaction: Transaction, _ request: UInt64, _ now: UInt64) {
        guard let key = key(at: executed + 1) else {
            effects.append(.answer(request: request, .refused(.follower)))
            return
        }
        guard now <= (waitingSince ?? now) + Self.orderedMilliseconds else {
            effects.append(.answer(request: request, .refused(.delayed)))
            return
        }
        // Block time may run ahead of this clock, and nothing is ordered past its validUntil.
        let orderedBy = min(max(now, executor.head.time) + Self.promiseMilliseconds, transaction.validUntil)
        let receipt = SubmissionReceipt(
            signing: transaction, validator: configuration.validator, takenAt: now, orderedBy: orderedBy,
            genesis: executor.genesisHash, key: key)
        effects.append(.answer(request: request, .promise(receipt)))
    }
}
