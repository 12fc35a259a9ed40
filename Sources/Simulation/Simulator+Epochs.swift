import Canonical
import Chain
import Crypto
import Ledger
import Node
import Ordering
import Storage

/// The order is lost with all that it held, and a quorum's statements begin another one.
extension Simulator {
    func scheduleLoss() { schedule(.loss, in: random.between(2000, scenario.stormMilliseconds)) }

    /// All processes end; those who state are no more than a quorum where that is enough, among them whoever lies, and
    /// everybody goes on in the epoch that follows. Where no quorum can say how far it came, the order stays.
    func loseOrder() throws(Failure) {
        guard isStormy else { return }
        for node in honest { crash(node) }
        if let (change, start, entries) = try statements() {
            note("order: LOST at \(log.head), epoch \(start.number) from \(start.firstHeight) on with \(entries.count)")
            let below = log.entries.prefix(Int(start.firstHeight) - 1)
            guard below.count == Int(start.firstHeight) - 1 else {
                throw Failure(.nothingLost, "epoch \(start.number) begins at \(start.firstHeight), after a gap")
            }
            log = SimulatedLog(Array(below) + entries, skips: scenario.planted == .rangeSkipped)
            log.trim(below: start.firstHeight)
            epoch = OrderingEpoch(start)
            epochChange = change
            losses += 1
            checker.begin(start)
            for node in honest { try stored(try BlockStore(node.disk).adopt(start)) }
        }
        for node in honest { try open(node) }
        if random.chance(perMille: 500) { scheduleLoss() }
    }

    /// What a quorum states, sealed where it is stated, how the ring begins by it, and the raw entries of that.
    private func statements() throws(Failure) -> (EpochChange, EpochChange.Start, [[UInt8]])? {
        let bytes = random.bytes(EpochStatement.bytesCount)
        var all: [EpochStatement] = []
        var known: [Digest: [UInt8]] = [:]
        var newest: NodeCore?
        for node in honest {
            let core = try opened(node).core
            if core.executed >= newest?.executed ?? 0 { newest = core }
            guard let statement = core.statement(bytes: bytes) else { continue }
            all.append(statement)
            for raw in try stored(try BlockStore(node.disk).stated(statement)).entries {
                known[Entry.hash(raw: raw)] = raw
            }
        }
        let liesNow = scenario.hasByzantine && random.chance(perMille: 700)
        let lie = liesNow ? [lie(bytes, among: all, &known)] : []
        let sets = newest!.sets
        // One after the other gets lost, until the rest is no quorum any more. Where the lie says otherwise than the
        // others, the organisations decide against the liar.
        var agreed: (change: EpochChange, start: EpochChange.Start)?
        while !all.isEmpty, let next = [all + lie, all].lazy.compactMap({ self.change(by: $0, sets) }).first {
            agreed = next
            all.remove(at: random.below(all.count))
        }
        guard let (change, start) = agreed else { return nil }
        for node in honest {
            let validator = cast.organisation(node.index)
            guard let statement = change.statements.first(where: { $0.validator == validator }) else { continue }
            try stored(try BlockStore(node.disk).seal(statement))
        }
        return (change, start, start.entries.map { known[$0]! })
    }

    /// The change of these statements, where it holds.
    private func change(
        by statements: [EpochStatement], _ sets: ValidatorSets
    ) -> (change: EpochChange, start: EpochChange.Start)? {
        let change = EpochChange(statements.sorted { $0.validator < $1.validator })
        let start = try? change.verify(after: epoch.number, genesis: cast.genesisHash, sets: { sets[$0] })
        return start.map { (change, $0) }
    }

    /// The Byzantine validator hides what it knows, or names an entry that nobody ordered.
    private func lie(
        _ bytes: [UInt8], among honest: [EpochStatement], _ known: inout [Digest: [UInt8]]
    ) -> EpochStatement {
        let liar = scenario.validators - 1
        var certificate = honest.map(\.certificate).min { $0?.height ?? 0 < $1?.height ?? 0 } ?? nil
        var entries: [EpochStatement.Ordered] = []
        switch random.below(3) {
        case 0: certificate = nil
        case 1:
            let raw = random.bytes(random.below(100))
            known[Entry.hash(raw: raw)] = raw
            certificate = honest.map(\.certificate).max { $0?.height ?? 0 < $1?.height ?? 0 } ?? nil
            // Where others name an entry, nothing would begin until the organisations have decided against the liar.
            entries = [.init(hash: Entry.hash(raw: raw), vote: nil)]
        default: break
        }
        return EpochStatement(
            signing: epoch.number + 1, bytes: bytes, certificate: certificate, entries: entries,
            genesis: cast.genesisHash, validator: cast.organisation(liar), key: votingKey(of: liar))
    }
}
