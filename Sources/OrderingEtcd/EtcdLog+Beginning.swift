public import Ordering

/// How a ring comes to be: the first one of a chain, and one that follows on a lost one.
extension EtcdLog {
    /// Begins the ring of a chain's first epoch in a cluster that holds none: beside ``begin(with:replacing:done:)``
    /// the only way in which one comes to be, so that a cluster that was wiped is not taken for a new one.
    /// - Throws: ``OrderingError`` `.foreign` where another epoch stands there.
    public func found() throws(OrderingError) {
        let outcome = try transact(
            [.isAbsent(keys.epoch)],
            then: [.put(keys.epoch, epoch.bytes), .put(keys.floor, Self.bytes(floor: epoch.firstHeight))],
            else: [.get(keys.epoch)])
        if !outcome.succeeded { try check(epoch: outcome.ranges[0]) }
    }

    /// Begins the ring of an epoch that follows on a lost one, with the entries that the members agreed on. Each step
    /// may be repeated after a crash; until the last one nobody can read the ring or append to it.
    /// - Parameters:
    ///   - entries: raw, for the positions from the epoch's first height on.
    ///   - previous: bytes of the epoch before, where a ring of that one may be replaced; none: only one that is empty.
    ///   - done: called after each step but the last with its number, so that a test can end it there.
    /// - Throws: ``OrderingError`` `.foreign` where another ring stands there.
    public func begin(
        with entries: [[UInt8]], replacing previous: [UInt8]?,
        done: (_ step: Int) throws(OrderingError) -> Void = { (_) throws(OrderingError) in }
    ) throws(OrderingError) {
        // Longer than any epoch's bytes, so that no node takes it for its own.
        let unfinished = epoch.bytes + Array("unfinished".utf8)
        let there = try transact(then: [.get(keys.epoch)]).ranges.first?.first?.value
        if there == epoch.bytes { return }
        if there != unfinished {
            let claim: EtcdCompare
            if let there {
                guard there == previous else { throw occupied(isPrevious: previous == nil) }
                claim = .holds(keys.epoch, there)
            } else {
                claim = .isAbsent(keys.epoch)
            }
            let claimed = try transact(
                [claim],
                then: [
                    .delete(from: keys.entry(0), to: keys.entry(.max)),
                    .put(keys.floor, Self.bytes(floor: epoch.firstHeight)), .put(keys.epoch, unfinished),
                ], else: [.get(keys.epoch)])
            guard claimed.succeeded || claimed.ranges[0].first?.value == unfinished else {
                throw occupied(isPrevious: false)
            }
        }
        try done(1)
        let isOurs = EtcdCompare.holds(keys.epoch, unfinished)
        for (index, bytes) in entries.enumerated() {
            let position = epoch.firstHeight + UInt64(index)
            _ = try transact([isOurs], then: [.put(keys.entry(position), bytes)])
            try done(2 + index)
        }
        let last = epoch.firstHeight + UInt64(entries.count) - 1
        let end = try transact(
            [isOurs], then: [.put(keys.epoch, epoch.bytes), .put(keys.tip, Array(String(last).utf8))],
            else: [.get(keys.epoch)])
        // Where no answer came to the first try, the second finds it done.
        if !end.succeeded { try check(epoch: end.ranges[0]) }
    }

    private func occupied(isPrevious: Bool) -> OrderingError {
        .foreign(
            isPrevious
                ? "the cluster holds a ring already: if it is the lost one, say `--replace`"
                : "the cluster holds the ring of an epoch that is not the one before: it is another cluster, or was "
                    + "restored from a copy that is older than that epoch; a cluster that is to be used has to be "
                    + "empty then")
    }
}
