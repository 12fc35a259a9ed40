public import Canonical
public import Crypto

/// The tables of the state, by the names that stand in the state root.
public enum Table: String, CaseIterable, Sendable {
    // Rows that change: leaves of the state tree.
    case accounts
    case accruals
    case clawbacks
    case epochs
    case holdings
    case holds
    case offences
    case organisations
    case parameters
    case programs
    case proposals
    case rules
    case units
    case votingKeys
    // Rows only ever added: an append-only tree with one leaf a height.
    case keys
    case replays
    case settled

    public var isLog: Bool {
        switch self {
        case .keys, .replays, .settled: true
        default: false
        }
    }

    /// A stored row's leaf in the state tree. It holds the digest of the row itself; of a holding that of the totals
    /// and the lots' digest.
    /// - Throws: where the row's bytes are not a row of this table.
    public func leaf(_ key: RawSpan, _ row: RawSpan) throws(DecodingError) -> (key: Digest, value: Digest) {
        let value =
            self == .holdings
            ? Self.leafValue(try Holding(canonicalBytes: Array(copying: row)).summary.canonicalBytes)
            : Self.leafValue(row)
        return (Self.leafKey(key), value)
    }

    /// Key of a row's leaf.
    public static func leafKey(_ key: [UInt8]) -> Digest { leafKey(key.span.bytes) }
    public static func leafKey(_ key: RawSpan) -> Digest { SHA256.hash(.leaf, key) }
    /// Value of a row's leaf.
    public static func leafValue(_ content: [UInt8]) -> Digest { leafValue(content.span.bytes) }
    public static func leafValue(_ content: RawSpan) -> Digest { SHA256.hash(.row, content) }
}

/// What a certified row is read by. Answers nil where there is none; where reading fails, the caller of the ledger
/// notes it and drops the block's result. So any row may look absent, and execution comes to its end all the same:
/// only rows that the same transaction has read before are unwrapped.
public typealias RowLoader = @Sendable (Table, [UInt8]) -> [UInt8]?

/// A row's key in its table's bytes.
protocol RowKey: Hashable, Sendable {
    func encodeKey(to encoder: inout Encoder)
}

extension RowKey {
    var keyBytes: [UInt8] {
        var encoder = Encoder(capacity: 32)
        encodeKey(to: &encoder)
        return encoder.bytes
    }
}

extension AccountID: RowKey { func encodeKey(to encoder: inout Encoder) { encode(to: &encoder) } }
extension Digest: RowKey { func encodeKey(to encoder: inout Encoder) { encode(to: &encoder) } }
extension PublicKey: RowKey { func encodeKey(to encoder: inout Encoder) { encode(to: &encoder) } }
extension ReplayKey: RowKey { func encodeKey(to encoder: inout Encoder) { encode(to: &encoder) } }
extension OrganisationID: RowKey {
    func encodeKey(to encoder: inout Encoder) { encoder.u32(number.byteSwapped) }
}
extension UnitCode: RowKey {
    func encodeKey(to encoder: inout Encoder) {
        encoder.u64(high.byteSwapped)
        encoder.u64(low.byteSwapped)
    }
}

struct ProgramKey: RowKey {
    let unit: UnitCode
    let version: UInt32

    func encodeKey(to encoder: inout Encoder) {
        unit.encodeKey(to: &encoder)
        encoder.u32(version.byteSwapped)
    }
}

struct HoldingKey: RowKey {
    let account: AccountID
    let unit: UnitCode

    func encodeKey(to encoder: inout Encoder) {
        account.encodeKey(to: &encoder)
        unit.encodeKey(to: &encoder)
    }
}

/// A row of a table.
protocol TableRow: Canonical, Sendable {
    /// Writes what its leaf in the state tree is the digest of, where that is not the row itself.
    func encodeLeafContent(to encoder: inout Encoder)
}

extension TableRow {
    func encodeLeafContent(to encoder: inout Encoder) {}
}

extension Parameters: TableRow {}
extension Organisation: TableRow {}
extension Program: TableRow {}
extension Unit: TableRow {}
extension Account: TableRow {}
extension Hold: TableRow {}
extension AccrualTotals: TableRow {}
extension Clawback: TableRow {}
extension AcceptedLine: TableRow {}
extension Replay: TableRow {}
extension Proposal: TableRow {}
extension Offence: TableRow {}
extension Rules: TableRow {}
extension VotingKey: TableRow {}
extension Holding: TableRow {
    func encodeLeafContent(to encoder: inout Encoder) { encoder.value(summary) }
}

/// One table of rows that change: what was read or written of it, over what is stored.
struct Rows<Key: RowKey, Row: TableRow>: Sendable {
    private struct Slot: Sendable {
        let key: Key
        var row: Row?
        /// Height of the newest block that changed it; 0 where none did since it was read.
        var changedAt: UInt64
    }

    let table: Table
    private var places: [Key: Int] = [:]
    private var slots: [Slot] = []
    /// Places of rows changed by the block in hand, once each.
    private var changed: [Int] = []
    /// What rows were before, newest last, while a transaction may still have to be taken back.
    private var undo: [(place: Int, row: Row?)] = []
    /// Rows that were read before their turn, as they are stored.
    var ahead: [Key: Row?] = [:]
    /// The last two that were asked for: one transaction asks for the same rows several times.
    private var newest: (key: Key, place: Int)?
    private var second: (key: Key, place: Int)?

    init(_ table: Table) { self.table = table }

    /// Rows in memory, those known to be absent too.
    var count: Int { slots.count }

    /// Whether a row is in memory, or known to be absent.
    func has(_ key: Key) -> Bool { places[key] != nil }

    private mutating func place(of key: Key, _ load: Loading) -> Int {
        if let newest, newest.key == key { return newest.place }
        if let second, second.key == key {
            swap(&newest, &self.second)
            return second.place
        }
        let place = places[key] ?? take(key, load)
        second = newest
        newest = (key, place)
        return place
    }

    private mutating func take(_ key: Key, _ load: Loading) -> Int {
        places[key] = slots.count
        slots.append(Slot(key: key, row: ahead[key] ?? load.row(table, key.keyBytes), changedAt: 0))
        return slots.count - 1
    }

    mutating func get(_ key: Key, _ load: Loading) -> Row? { slots[place(of: key, load)].row }

    /// Looks at a row without a copy of it.
    mutating func look<R>(_ key: Key, _ load: Loading, _ body: (Row?) -> R) -> R {
        body(slots[place(of: key, load)].row)
    }

    /// Changes a row in place.
    mutating func modify<R>(_ key: Key, _ load: Loading, _ body: (inout Row?) -> R) -> R {
        let place = place(of: key, load)
        if load.journals { undo.append((place, slots[place].row)) }
        if slots[place].changedAt != load.height {
            slots[place].changedAt = load.height
            changed.append(place)
        }
        return body(&slots[place].row)
    }

    mutating func put(_ key: Key, _ row: Row?, _ load: Loading) { modify(key, load) { $0 = row } }

    /// Takes back everything since the journal began.
    mutating func rollBack() {
        for (place, row) in undo.reversed() { slots[place].row = row }
        undo.removeAll(keepingCapacity: true)
    }

    mutating func keep() {
        if !undo.isEmpty { undo.removeAll(keepingCapacity: true) }
    }

    /// Rows as the block in hand leaves them.
    func forEachChanged(_ body: (Row) -> Void) {
        for place in changed {
            if let row = slots[place].row { body(row) }
        }
    }

    /// The block's changes in ascending order of key. A row that a refused transaction touched and left as it was
    /// may be among them, unchanged.
    mutating func drain() -> TableChanges {
        var changes = TableChanges(table, room: changed.count)
        for place in changed { changes.add(slots[place].key, slots[place].row) }
        changed.removeAll(keepingCapacity: true)
        changes.sort()
        return changes
    }

    /// Forgets rows that are stored as they are, once there are more than `max` of them.
    mutating func trim(stored height: UInt64, max: Int) {
        if slots.count <= max { return }
        newest = nil
        second = nil
        slots = slots.filter { $0.changedAt > height }
        places = Dictionary(uniqueKeysWithValues: slots.enumerated().map { ($0.element.key, $0.offset) })
    }
}

/// One table of rows only ever added.
struct LogRows<Key: RowKey, Row: TableRow>: Sendable {
    let table: Table
    /// Rows that may not be stored yet.
    private var recent: [Key: Row] = [:]
    /// Their keys, block by block, in order of height.
    private var blocks: [(height: UInt64, keys: [Key])] = []
    private var added: [Key] = []
    /// How many of `added` stood there when the journal began.
    private var mark = 0
    /// Rows that were read before their turn, as they are stored.
    var ahead: [Key: Row?] = [:]

    init(_ table: Table) { self.table = table }

    func get(_ key: Key, _ load: Loading) -> Row? {
        recent[key] ?? ahead[key] ?? load.row(table, key.keyBytes)
    }

    mutating func add(_ key: Key, _ row: Row, _ load: Loading) {
        recent[key] = row
        added.append(key)
    }

    mutating func rollBack() {
        for key in added[mark...] { recent[key] = nil }
        added.removeSubrange(mark...)
    }

    mutating func keep() { mark = added.count }

    /// The block's additions in the order of execution.
    mutating func drain(_ height: UInt64) -> TableChanges {
        var changes = TableChanges(table, room: added.count)
        for key in added { changes.add(key, recent[key]!) }
        if !added.isEmpty { blocks.append((height, added)) }
        added.removeAll(keepingCapacity: true)
        mark = 0
        return changes
    }

    mutating func trim(stored height: UInt64) {
        let stored = blocks.prefix { $0.height <= height }
        for block in stored {
            for key in block.keys { recent[key] = nil }
        }
        blocks.removeFirst(stored.count)
    }
}

/// How a table reaches stored rows, and for which block.
struct Loading: Sendable {
    let loader: RowLoader
    let height: UInt64
    /// Whether rows are noted before they change.
    var journals = false

    func row<Row: Canonical>(_ table: Table, _ key: [UInt8]) -> Row? {
        guard let bytes = loader(table, key) else { return nil }
        guard let row = try? Row(canonicalBytes: bytes) else {
            // Stored by this program and checked by the store: anything else is damage that must not be executed on.
            preconditionFailure("a stored row of \(table.rawValue) does not decode")
        }
        return row
    }
}
