public import Canonical
public import Crypto
public import Ledger

/// The authenticated form of all tables: a state tree for each table of rows that change, an append-only tree with one
/// leaf a height for each table of rows only ever added.
///
/// The head runs ahead of what is certified; older heights stay provable until they are released.
public struct StateTrees: Sendable {
    private var trees: [Table: StateTree] = [:]
    private var logs: [Table: LogTree] = [:]
    /// How many threads make and change large trees.
    private var parallel = StateTree.serial
    /// Ascending by height, the last one the head.
    private var snapshots: [Snapshot]

    /// An append-only table: its tree has a leaf for every height, whether rows were added there or not; until the
    /// first row it counts as empty.
    public struct LogTree: Sendable, Equatable {
        public var tree = AppendTree()
        public var hasRows = false

        public init() {}
    }

    private struct Snapshot: Sendable {
        let height: UInt64
        let versions: [Table: StateTree.Version]
        let logs: [Table: LogTree]
        let roots: SubRoots
    }

    /// The trees of block 0.
    public init(genesis: Genesis) {
        for table in Table.allCases {
            if table.isLog { logs[table] = LogTree() } else { trees[table] = StateTree() }
        }
        snapshots = []
        append(Ledger.genesisChanges(genesis), height: 0)
    }

    /// The trees at a stored height.
    /// - Parameter leaves: gives the leaves of a table, which are asked for one table after the other.
    public init<E: Error>(
        height: UInt64, logs: [Table: LogTree], parallel: @escaping StateTree.Parallel = StateTree.serial,
        leaves: (Table) throws(E) -> [StateTree.Leaves]
    ) throws(E) {
        self.logs = logs
        self.parallel = parallel
        for table in Table.allCases where !table.isLog {
            trees[table] = StateTree(building: try leaves(table), parallel: parallel)
        }
        snapshots = []
        snapshots.append(snapshot(height))
    }

    /// Takes up a block's changes.
    public mutating func append(_ changes: [TableChanges], height: UInt64) {
        for table in Table.allCases where table.isLog {
            let added = changes.first { $0.table == table }
            logs[table]!.tree.append(Self.additions(added))
            if added?.isEmpty == false { logs[table]!.hasRows = true }
        }
        for change in changes where !change.table.isLog {
            trees[change.table]!.update(leaves(of: change), parallel: parallel)
        }
        snapshots.append(snapshot(height))
    }

    /// The leaves that rows stand for.
    private func leaves(of change: TableChanges) -> [(key: Digest, value: Digest?)] {
        let made = Pieces<(key: Digest, value: Digest?)>(change.count, each: Self.rowsAPiece)
        parallel(made.count) { piece in
            made.fill(piece) { index in
                change.look(at: index) { key, _, leaf in
                    guard let leaf else { return (Table.leafKey(key), nil) }
                    return (Table.leafKey(key), Table.leafValue(leaf))
                }
            }
        }
        return made.joined
    }

    /// Rows whose digests are worth another thread.
    private static let rowsAPiece = 512

    /// Digest of a height's additions to a log, in the order of execution.
    /// - Parameter changes: none where nothing was added.
    public static func additions(_ changes: TableChanges?) -> Digest {
        var encoder = Encoder(capacity: changes?.listBytesMax ?? 1)
        if let changes { changes.encodeList(to: &encoder) } else { encoder.length(0) }
        return encoder.withBytes { SHA256.hash(.additions, $0) }
    }

    private func snapshot(_ height: UInt64) -> Snapshot {
        var roots: [SubRoot] = []
        for table in Table.allCases.sorted(by: { $0.rawValue < $1.rawValue }) {
            let root = table.isLog ? (logs[table]!.hasRows ? logs[table]!.tree.root : .zero) : trees[table]!.root
            if root != .zero { roots.append(SubRoot(name: table.rawValue, root: root)) }
        }
        return Snapshot(
            height: height, versions: trees.mapValues(\.head), logs: logs, roots: SubRoots(roots))
    }

    /// Lets go of heights below this one.
    public mutating func release(below height: UInt64) {
        let head = snapshots.last!.height
        snapshots.removeAll { $0.height < min(height, head) }
        for (table, version) in snapshots[0].versions { trees[table]!.retire(before: version) }
    }

    /// Sub-roots of a height that is held.
    public func roots(at height: UInt64) -> SubRoots? { snapshots.first { $0.height == height }?.roots }

    public var headRoots: SubRoots { snapshots.last!.roots }

    /// The append-only trees at a height that is held, for storing.
    public func logs(at height: UInt64) -> [Table: LogTree]? { snapshots.first { $0.height == height }?.logs }

    /// Proves a row, or its absence, at a height that is held.
    public func prove(_ table: Table, key: [UInt8], at height: UInt64) -> StateProof? {
        guard let snapshot = snapshots.first(where: { $0.height == height }), let version = snapshot.versions[table]
        else { return nil }
        return trees[table]!.prove(Table.leafKey(key), in: version)
    }
}

extension StateTrees.LogTree: Canonical {
    public func encode(to encoder: inout Encoder) {
        encoder.value(tree)
        encoder.bool(hasRows)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        tree = try decoder.value()
        hasRows = try decoder.bool()
    }
}

/// A table's name and root.
public struct SubRoot: Sendable, Equatable, Canonical {
    public let name: String
    public let root: Digest

    public init(name: String, root: Digest) {
        self.name = name
        self.root = root
    }

    public func encode(to encoder: inout Encoder) {
        encoder.string(name)
        encoder.value(root)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        name = try decoder.string(max: 32)
        // ASCII, for which order of text is order of bytes.
        guard name.utf8.allSatisfy({ $0 < 0x80 }) else { throw decoder.refusal(.invalidText) }
        root = try decoder.value()
    }
}

/// All tables' roots in ascending order of name, empty tables left out. Their digest is the state root.
public struct SubRoots: Sendable, Equatable, Canonical {
    public let roots: [SubRoot]

    public static let countMax = 64

    public init(_ roots: [SubRoot]) { self.roots = roots }

    public var stateRoot: Digest { SHA256.hash(.stateRoot, canonicalBytes) }

    /// Root of a table; zero where it is empty.
    public subscript(table: Table) -> Digest { self[named: table.rawValue] }

    /// Root of a table that this program need not know; zero where there is none of that name.
    public subscript(named name: String) -> Digest { roots.first { $0.name == name }?.root ?? .zero }

    /// The first name whose root differs, to say in which room two nodes came apart.
    public func firstDifference(from other: SubRoots) -> String? {
        let names = Set(roots.map(\.name) + other.roots.map(\.name)).sorted()
        return names.first { name in
            roots.first { $0.name == name }?.root != other.roots.first { $0.name == name }?.root
        }
    }

    public func encode(to encoder: inout Encoder) { encoder.sequence(roots) }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        roots = try decoder.ascending(max: Self.countMax, by: \.name)
    }
}
