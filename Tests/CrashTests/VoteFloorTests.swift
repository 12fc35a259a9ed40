import Chain
import CrashKit
import Crypto
import Ledger
import Node
import Ordering
import Storage
import Testing

/// A validator without a lock of its own votes only above the head that it read at its start, since below it may have
/// voted in a life that its directory does not know.
@Suite struct VoteFloorTests {
    /// The second start finds a lock, of a height above that head. What lies below is no more its own than before.
    @Test func voteFloorHoldsThroughAnotherStart() throws {
        let genesis = Bank.genesis(validators: 4)
        let store = MemoryStore()
        let epoch = OrderingEpoch(genesis: genesis)
        let id = OrganisationID(4)
        let configuration = NodeCore.Configuration(validator: id, votingKey: Bank.votingKey(id))
        var now = genesis.time + 1000
        var locks: [UInt64: Digest] = [:]

        /// Does what a runner would, without sending anything, so that no height is ever certified.
        func carryOut(_ core: inout NodeCore, _ first: [Effect]) throws {
            var effects = first
            while !effects.isEmpty {
                var next: [Effect] = []
                for case .lock(let batch, let height) in effects {
                    try store.write(batch, synced: true)
                    for case .put(.locks, _, let value) in batch.changes {
                        #expect(locks.updateValue(SHA256.hash(value), forKey: height) == nil, "voted again")
                    }
                    next += core.step(.locked(height: height), now: now)
                }
                effects = next
            }
        }

        var previous = Executor.genesisHeader(genesis).entry
        let entries = (1...3).map { (position: UInt64) in
            let bytes = Entry(
                position: position, previous: previous, proposer: OrganisationID(1), certificate: nil, transactions: []
            ).signed(genesis: genesis.hash, key: Bank.votingKey(OrganisationID(1)))
            previous = Entry.hash(raw: bytes)
            return (position: position, bytes: bytes)
        }
        // An empty directory beside a log of two entries, then a third one.
        for head: UInt64 in [2, 3] {
            var (core, effects) = try NodeCore.open(
                store: store, genesis: genesis, configuration: configuration, epoch: epoch, logHead: head, now: now)
            try carryOut(&core, effects)
            for count in Int(head)...3 {
                now += 5
                let range = LogRange(entries: Array(entries[..<count]), head: UInt64(count))
                try carryOut(&core, core.step(.log(range), now: now))
                now += 2000
                try carryOut(&core, core.step(.tick, now: now))
            }
            #expect(core.executed == 3)
            #expect(locks.keys.sorted() == [3], "start with the log's head at \(head)")
        }
    }
}
