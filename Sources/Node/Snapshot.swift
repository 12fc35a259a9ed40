import Canonical
public import Chain
import Crypto
public import Ledger
public import Storage

/// A node's tables at one certified height, written down for a node that joins.
///
/// Nothing of a snapshot is believed: its manifest is checked against the genesis (or a checkpoint) and a quorum's
/// certificate, each chunk against its digest, and what the chunks hold against the sub-roots under the certified state
/// root, the natural keys, the settled accruals and the nonces among them. It has no blocks, receipts or places of
/// transactions; ``BlockStore/beginning()`` says so in the directory that comes of it.
public enum Snapshot {
    /// Counts chunks as they are done, of how many.
    public typealias Progress = (_ done: Int, _ total: Int) -> Void

    /// Rows of a table on their way into a tree, as they are read here or in chunks.
    struct TableRoot {
        let table: Table
        private var leaves = StateTree.Leaves()
        private var log: AppendTree
        private var hasRows = false

        /// - Parameter log: of a log, the tree of the heights before the first that is added.
        init(_ table: Table, log: AppendTree = AppendTree()) {
            self.table = table
            self.log = log
        }

        /// - Throws: where the row is none of this table.
        mutating func add(_ key: RawSpan, _ row: RawSpan) throws(DecodingError) {
            let leaf = try table.leaf(key, row)
            leaves.append(leaf.key, leaf.value)
        }

        /// - Precondition: `height` is not below the number of leaves.
        mutating func add(height: UInt64, leaf: Digest) {
            fill(to: height)
            log.append(leaf)
            hasRows = true
        }

        /// Heights without additions.
        private mutating func fill(to height: UInt64) {
            while log.count < Int(height) { log.append(Self.empty) }
        }

        var count: Int { log.count }

        /// The tree of a log up to the last height that was added.
        var tree: AppendTree { log }

        /// The sub-root at a height.
        /// - Parameter hadRows: of a log, whether heights that were dropped had rows.
        consuming func root(at height: UInt64, hadRows: Bool = false) -> (root: Digest, log: StateTrees.LogTree?) {
            guard table.isLog else { return (StateTree(building: [leaves]).root, nil) }
            fill(to: height + 1)
            var tree = StateTrees.LogTree()
            tree.tree = log
            tree.hasRows = hasRows || hadRows
            return (tree.hasRows ? log.root : .zero, tree)
        }

        static let empty = StateTrees.additions(nil)
    }

    /// Tables in the order of a snapshot.
    static let tables = Table.allCases.sorted { $0.rawValue < $1.rawValue }
}

/// Why a snapshot was not written or not taken.
public enum SnapshotError: Error, CustomStringConvertible {
    /// The manifest is none of a certified height.
    case manifest(SnapshotManifest.Refusal)
    /// A chunk has not the length or the digest that the manifest names.
    case chunkDiffers(Int)
    /// A chunk's bytes are no rows, or none of its table, or not in ascending order.
    case chunkMalformed(Int)
    /// A table does not give its root in the manifest.
    case tableDiffers(Table)
    /// What would be written or restored cannot be, for the reason given.
    case refused(String)
    /// A chunk could not be had.
    case unavailable(Int, String)
    case storage(StorageError)

    public var description: String {
        switch self {
        case .manifest(let refusal): "the manifest does not hold: \(refusal)"
        case .chunkDiffers(let index):
            "chunk \(index) is not the one that the manifest names: it was changed or cut short"
        case .chunkMalformed(let index): "chunk \(index) holds other than rows of its table in ascending order"
        case .tableDiffers(let table): "the rows of \(table.rawValue) do not give that table's root"
        case .refused(let reason): reason
        case .unavailable(let index, let reason): "chunk \(index) could not be had: \(reason)"
        case .storage(let error): "\(error)"
        }
    }
}
