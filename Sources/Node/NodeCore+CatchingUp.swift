import Chain

/// Coming back after so long that the order has let go of what is missing here: peers have it, and prove it.
extension NodeCore {
    mutating func catchUp() {
        guard !isFetchingFinals, finals.isEmpty else { return }
        isFetchingFinals = true
        effects.append(.fetchFinals(above: executed))
    }

    mutating func take(_ finals: [FinalBlocks], _ now: UInt64) {
        guard isFetchingFinals else { return }
        isFetchingFinals = false
        isHeadGone = false
        self.finals = finals
        // After them the order is read again, which may lead here once more.
        readAgain = true
        // What leads no further is asked of another one, a little later.
        if !useFinals() { logRetryAt = now + Self.logRetryMilliseconds }
    }

    /// Takes the next final blocks in hand, as if they had been read from the order: those that a quorum has certified
    /// as the next ones here. Whatever else a peer sends changes nothing.
    mutating func useFinals() -> Bool {
        guard let next = finals.first, awaiting == nil, incoming.isEmpty else { return false }
        do throws(FinalBlocks.Refusal) {
            try next.verify(after: executor.head, genesis: executor.genesisHash, set: executor.set)
        } catch {
            finals = []
            return false
        }
        guard isOfEpoch(next.certificate) else {
            finals = []
            return false
        }
        finals.removeFirst()
        incoming = zip(next.headers, next.entries).map { ($0.height, $1) }
        finalCertificate = next.certificate
        return true
    }

    /// The certificate that came with blocks counts once they are executed, as any that a peer holds.
    mutating func takeFinal(_ height: UInt64, _ now: UInt64) {
        guard let certificate = finalCertificate, certificate.height <= height else { return }
        finalCertificate = nil
        take(certificate, now)
    }
}
