public import Crypto

/// The authenticated map of the state: digests of row keys to digests of rows, under one root.
///
/// A binary trie over the bits of the key, first bit first. An empty subtree is zero, a subtree that holds one leaf is
/// that leaf's digest at whatever depth, any other is `SHA256.pair(1, left, right)`; a leaf is
/// `SHA256.pair(0, key, value)`. So the root is a function of the set alone, however the set came to be.
///
/// Every update makes a ``Version``; versions stand side by side and share what did not change, so proofs come from a
/// certified version while newer ones exist. A version goes with ``retire(before:)``, and by itself when
/// ``versionsMax`` newer ones exist.
///
/// The first bits of a key choose one of ``partCount`` parts, which know nothing of each other: they are made and
/// changed on as many threads as the caller has.
public struct StateTree: Sendable {
    /// One state of the map. Good only with the tree that made it, until it is retired.
    public struct Version: Equatable, Sendable {
        public let root: Digest
        /// 0 for the tree as it was made, then one more for each update.
        public let number: UInt64
        let parts: [Subtree.Version]
    }

    /// Does a number of things, each once and in any order, perhaps at the same time; returns when all are done.
    public typealias Parallel = @Sendable (_ count: Int, _ body: @escaping @Sendable (Int) -> Void) -> Void

    /// One after the other.
    public static let serial: Parallel = { count, body in for index in 0..<count { body(index) } }

    /// Leaves by part, as they are collected for ``init(building:parallel:)``.
    public struct Leaves: Sendable {
        fileprivate var parts = [Arena<Subtree.Leaf>](repeating: Arena(), count: partCount)

        public init() {}

        public mutating func append(_ key: Digest, _ value: Digest) {
            _ = parts[StateTree.part(of: key)].insert(Subtree.Leaf(key: key, value: value))
        }
    }

    /// Bound on the versions held; a node runs 8 heights ahead of what is certified.
    public static let versionsMax = 64

    private static let partBits = 4
    static let partCount = 1 << partBits
    /// Fewer changes are made sooner than other threads are woken.
    private static let parallelMin = 512

    private var parts: [Subtree]
    private var held: [Version]

    public init() { self.init((0..<Self.partCount).map { _ in Subtree(base: Self.partBits) }) }

    private init(_ parts: [Subtree]) {
        self.parts = parts
        held = [Version(root: Self.root(parts.map(\.head)), number: 0, parts: parts.map(\.head))]
    }

    /// The map of these pairs, in any order; of several with one key the last stands.
    public init(building pairs: [(key: Digest, value: Digest)]) {
        var leaves = Leaves()
        for (key, value) in pairs { leaves.append(key, value) }
        self.init(building: [leaves])
    }

    /// The map of all these leaves; of several with one key among the same leaves the last stands, and no two of
    /// `leaves` share a key.
    /// - Complexity: a leaf digest and about 1.44 pair digests a leaf, plus a sort of their places.
    public init(building leaves: consuming [Leaves], parallel: Parallel = serial) {
        // Each part lets go of its leaves as they came when it has them in order: at no time is everything there twice.
        let sources = (0..<Self.partCount).map { part in Box(leaves.map { $0.parts[part] }) }
        leaves = []
        let made = (0..<Self.partCount).map { _ in Box(Subtree(base: Self.partBits)) }
        parallel(Self.partCount) { part in
            let unordered = sources[part].value
            sources[part].value = []
            made[part].value = Subtree(base: Self.partBits, building: unordered)
        }
        self.init(made.map(\.value))
    }

    /// The newest version.
    public var head: Version { held[held.count - 1] }

    public var root: Digest { head.root }

    /// Bytes that the nodes take, those free for the next update included.
    public var byteCount: Int { parts.reduce(0) { $0 + $1.byteCount } }

    /// Makes the next version from the newest: sets keys to values, removes those whose value is nil. Of several
    /// changes to one key the last stands; removing what is absent, or setting what is set, changes nothing.
    /// - Complexity: every node on the way to a changed leaf is made and hashed once, however many leaves lie under it.
    @discardableResult
    public mutating func update(_ changes: [(key: Digest, value: Digest?)], parallel: Parallel = serial) -> Version {
        var byPart = [[(key: Digest, value: Digest?)]](repeating: [], count: Self.partCount)
        for change in changes { byPart[Self.part(of: change.key)].append(change) }
        let touched = byPart.indices.filter { !byPart[$0].isEmpty }
        if changes.count < Self.parallelMin {
            for part in touched { parts[part].update(byPart[part]) }
        } else {
            // Out of the array and back, so that each is the only reference to its nodes and is changed in place.
            let taken = touched.map { Box(parts[$0]) }
            for part in touched { parts[part] = Subtree(base: Self.partBits) }
            let (ordered, touched) = (byPart, touched)
            parallel(touched.count) { index in taken[index].value.update(ordered[touched[index]]) }
            for (box, part) in zip(taken, touched) { parts[part] = box.value }
        }
        let heads = parts.map(\.head)
        let root = touched.isEmpty ? head.root : Self.root(heads)
        held.append(Version(root: root, number: head.number + 1, parts: heads))
        if held.count > Self.versionsMax { retire(before: held[held.count - Self.versionsMax]) }
        return head
    }

    /// Lets go of all versions older than this one. They cannot be proved from any more, and what only they reached is
    /// room for the next updates.
    /// - Complexity: one step for each node let go.
    public mutating func retire(before version: Version) {
        let count = held.firstIndex { $0.number >= version.number } ?? held.count - 1
        held.removeFirst(count)
        for (index, part) in held[0].parts.enumerated() { parts[index].retire(before: part) }
    }

    /// What the key stands for in a version; nil where it is absent, or the version is not held.
    public func value(of key: Digest, in version: Version) -> Digest? {
        guard holds(version) else { return nil }
        let part = Self.part(of: key)
        return parts[part].value(of: key, in: version.parts[part])
    }

    /// Proves what the key stands for in a version, or that it is absent; nil where the version is not held any more.
    public func prove(_ key: Digest, in version: Version) -> StateProof? {
        guard holds(version) else { return nil }
        var siblings: [Digest] = []
        var range = 0..<Self.partCount
        for depth in 0..<Self.partBits {
            // A place that holds nothing, or one leaf alone, is where the path ends.
            let taken = range.filter { !version.parts[$0].isEmpty }
            if taken.isEmpty { return StateProof(end: .empty, siblings: siblings) }
            if taken.count == 1, version.parts[taken[0]].isLeaf {
                let (end, _) = parts[taken[0]].prove(key, in: version.parts[taken[0]])
                return StateProof(end: end, siblings: siblings)
            }
            let middle = range.lowerBound + range.count / 2
            let (low, high) = (range.lowerBound..<middle, middle..<range.upperBound)
            siblings.append(Self.node(version.parts, key.bit(depth) ? low : high).digest)
            range = key.bit(depth) ? high : low
        }
        let (end, below) = parts[range.lowerBound].prove(key, in: version.parts[range.lowerBound])
        return StateProof(end: end, siblings: siblings + below)
    }

    static func leafDigest(_ key: Digest, _ value: Digest) -> Digest { SHA256.pair(0, key, value) }

    private static func part(of key: Digest) -> Int { Int(key.leadingWord >> UInt64(64 - partBits)) }

    private func holds(_ version: Version) -> Bool {
        guard version.number >= held[0].number, version.number <= head.number else { return false }
        return held[Int(version.number - held[0].number)] == version
    }

    private static func root(_ parts: [Subtree.Version]) -> Digest { node(parts, parts.indices).digest }

    /// The node above a range of parts, and whether it stands at any depth: nothing and one leaf alone do.
    private static func node(_ parts: [Subtree.Version], _ range: Range<Int>) -> (digest: Digest, floats: Bool) {
        if range.count == 1 {
            let part = parts[range.lowerBound]
            return (part.root, part.isEmpty || part.isLeaf)
        }
        let middle = range.lowerBound + range.count / 2
        let (left, right) = (node(parts, range.lowerBound..<middle), node(parts, middle..<range.upperBound))
        if left.digest == .zero, left.floats, right.floats { return right }
        if right.digest == .zero, right.floats, left.floats { return left }
        return (SHA256.pair(1, left.digest, right.digest), false)
    }

    /// Something that one thread at a time has.
    ///
    /// `@unchecked Sendable` is true because each body of a ``Parallel`` call touches its own, or its own element, and
    /// the call returns after all of them.
    private final class Box<Value>: @unchecked Sendable {
        var value: Value
        init(_ value: Value) { self.value = value }
    }
}
