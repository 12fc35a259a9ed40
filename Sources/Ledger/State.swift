import Canonical
import Crypto

/// All tables at the newest executed height, over what is stored at the newest certified one.
struct State: Sendable {
    var parameters = Rows<OnlyKey, Parameters>(.parameters)
    var organisations = Rows<OrganisationID, Organisation>(.organisations)
    var programs = Rows<ProgramKey, Program>(.programs)
    var units = Rows<UnitCode, Unit>(.units)
    var accounts = Rows<AccountID, Account>(.accounts)
    var holdings = Rows<HoldingKey, Holding>(.holdings)
    var holds = Rows<HoldID, Hold>(.holds)
    var accruals = Rows<Digest, AccrualTotals>(.accruals)
    var clawbacks = Rows<Digest, Clawback>(.clawbacks)
    var proposals = Rows<ProposalID, Proposal>(.proposals)
    var offences = Rows<Digest, Offence>(.offences)
    var rules = Rows<OnlyKey, Rules>(.rules)
    var votingKeys = Rows<PublicKey, VotingKey>(.votingKeys)
    var keys = LogRows<Digest, AcceptedLine>(.keys)
    var settled = LogRows<Digest, AccrualTotals>(.settled)

    /// Rows kept in memory of each table that changes, those known to be absent too: whoever signs may name
    /// organisations and units that nobody has.
    static let rowsCachedMax = 1 << 20

    mutating func rollBack() {
        organisations.rollBack()
        programs.rollBack()
        units.rollBack()
        accounts.rollBack()
        holdings.rollBack()
        holds.rollBack()
        accruals.rollBack()
        clawbacks.rollBack()
        proposals.rollBack()
        offences.rollBack()
        rules.rollBack()
        votingKeys.rollBack()
        keys.rollBack()
        settled.rollBack()
    }

    mutating func keep() {
        organisations.keep()
        programs.keep()
        units.keep()
        accounts.keep()
        holdings.keep()
        holds.keep()
        accruals.keep()
        clawbacks.keep()
        proposals.keep()
        offences.keep()
        rules.keep()
        votingKeys.keep()
        keys.keep()
        settled.keep()
    }

    /// The block's changes, tables in ascending order of name; those without any left out.
    mutating func drain(_ height: UInt64, replays: TableChanges) -> [TableChanges] {
        [
            accounts.drain(), accruals.drain(), clawbacks.drain(), holdings.drain(), holds.drain(), keys.drain(height),
            offences.drain(), organisations.drain(), parameters.drain(), programs.drain(), proposals.drain(), replays,
            rules.drain(), settled.drain(height), units.drain(), votingKeys.drain(),
        ].filter { !$0.isEmpty }
    }

    mutating func trim(stored height: UInt64, max: Int = rowsCachedMax) {
        organisations.trim(stored: height, max: max)
        programs.trim(stored: height, max: max)
        units.trim(stored: height, max: max)
        accounts.trim(stored: height, max: max)
        holdings.trim(stored: height, max: max)
        holds.trim(stored: height, max: max)
        accruals.trim(stored: height, max: max)
        clawbacks.trim(stored: height, max: max)
        proposals.trim(stored: height, max: max)
        offences.trim(stored: height, max: max)
        rules.trim(stored: height, max: max)
        votingKeys.trim(stored: height, max: max)
        keys.trim(stored: height)
        settled.trim(stored: height)
    }
}

/// Of a table that has one row.
struct OnlyKey: RowKey {
    func encodeKey(to encoder: inout Encoder) {}
}

/// Nonces burnt within the window, by sender, so that a look-up never reads the store; and block by block, so that they
/// are stored and leave together.
struct ReplayWindow: Sendable {
    private struct SenderNonce: Hashable, Sendable {
        let sender: Party
        let nonce: UInt64

        /// Nonces may be drawn or counted: both spread over the last bits.
        var part: Int { Int(truncatingIfNeeded: nonce & 0xFF) }
    }

    private struct Burnt: Sendable {
        let row: Replay
        let validUntil: UInt64
    }

    /// What one block burnt.
    private struct Block: Sendable {
        let height: UInt64
        var keys: [SenderNonce] = []
        /// The latest `validUntil` of them.
        var last: UInt64 = 0
    }

    /// In parts, so that one that must grow does not hold up a block for long: a busy window has millions of rows.
    private var parts = [[SenderNonce: Burnt]](repeating: [:], count: 256)
    /// Ascending by height; those before `first` have left.
    private var blocks: [Block] = []
    private var first = 0
    private var added: [(key: ReplayKey, row: Replay)] = []
    private var left: [UInt64] = []

    /// The row of a nonce that is burnt at a time: one whose `validUntil` has passed counts no more.
    func get(sender: Party, nonce: UInt64, at time: UInt64) -> Replay? {
        let name = SenderNonce(sender: sender, nonce: nonce)
        guard let there = parts[name.part][name], there.validUntil >= time else { return nil }
        return there.row
    }

    /// Rows come in ascending order of height.
    mutating func load(_ key: ReplayKey, _ row: Replay) {
        let name = SenderNonce(sender: key.sender, nonce: key.nonce)
        parts[name.part][name] = Burnt(row: row, validUntil: key.validUntil)
        if blocks.last?.height != row.place.height { blocks.append(Block(height: row.place.height)) }
        let newest = blocks.count - 1
        blocks[newest].keys.append(name)
        blocks[newest].last = max(blocks[newest].last, key.validUntil)
    }

    mutating func add(_ key: ReplayKey, _ row: Replay) {
        load(key, row)
        added.append((key, row))
    }

    /// A block's rows leave the window together, in order of height, once the time is past all their `validUntil`.
    mutating func leave(before time: UInt64) {
        while first < blocks.count, blocks[first].last < time {
            let block = blocks[first]
            // Whoever burnt the same nonce again, after its time, burnt it in a later block.
            for key in block.keys where parts[key.part][key]?.row.place.height == block.height {
                parts[key.part][key] = nil
            }
            left.append(block.height)
            first += 1
        }
        if first > blocks.count / 2 {
            blocks.removeFirst(first)
            first = 0
        }
    }

    mutating func drain() -> (added: TableChanges, left: [UInt64]) {
        defer {
            added.removeAll(keepingCapacity: true)
            left.removeAll(keepingCapacity: true)
        }
        var changes = TableChanges(.replays, room: added.count)
        for (key, row) in added { changes.add(key, row) }
        return (changes, left)
    }
}

/// Items by the time at which they fall due, soonest first; those of one time in no particular order. A binary heap
/// over an array.
struct DeadlineQueue<Item: Sendable>: Sendable {
    private var heap: [(time: UInt64, item: Item)] = []

    var isEmpty: Bool { heap.isEmpty }

    mutating func push(_ item: Item, at time: UInt64) {
        heap.append((time, item))
        var child = heap.count - 1
        while child > 0, heap[child].time < heap[(child - 1) / 2].time {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// The soonest item if it was due before `time`.
    mutating func pop(before time: UInt64) -> Item? {
        guard let first = heap.first, first.time < time else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return first.item }
        heap[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < heap.count && heap[child].time < heap[least].time {
                least = child
            }
            if least == parent { return first.item }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
