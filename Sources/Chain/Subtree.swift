import Crypto

/// The part of a ``StateTree`` below one prefix of keys, with all its versions.
///
/// Cost: 112 bytes a leaf (64 for the leaf, 48 for the one node that joins it to the others; levels at which only one
/// side is taken have none), and the nodes that differ between the versions held. It is a value: copying it is cheap
/// until one copy changes, and copies what it changes in pieces of up to 256 KiB then, so keep one.
struct Subtree: Sendable {
    /// One state of the part. Good only with the subtree that made it, until it is retired.
    struct Version: Equatable, Sendable {
        /// The digest where the part is attached.
        let root: Digest
        /// 0 for the part as it was made, then one more for each update.
        let number: UInt64
        let link: Link

        /// A part of one leaf stands wherever there is nothing beside it.
        var isLeaf: Bool { link != .none && !link.isInner }
        var isEmpty: Bool { link == .none }
    }

    /// Bits that all keys share: the depth at which the part is attached.
    private let base: Int
    private var inners = Arena<Inner>()
    private var leaves = Arena<Leaf>()
    private var held: [Held]
    /// What the update under way no longer links to.
    private var replaced: [Link] = []

    init(base: Int) {
        self.base = base
        held = [Held(version: Version(root: .zero, number: 0, link: .none), replaced: [])]
    }

    /// The map of these leaves, in any order; of several with one key the last stands.
    /// - Complexity: a leaf digest and about 1.44 pair digests a leaf, plus a sort.
    init(base: Int, building unordered: consuming [Arena<Leaf>]) {
        self.init(base: base)
        let bins = bins(unordered)
        unordered = []
        var links: [Link] = []
        links.reserveCapacity(bins.reduce(0) { $0 + $1.count })
        for bin in bins {
            let places = bin.indices.map { (word: bin[$0].key.leadingWord, number: $0) }
            for number in Self.ascending(places, key: { bin[$0].key }) { links.append(make(bin[number])) }
        }
        let link = place(grow(links), at: base)
        held = [Held(version: Version(root: digest(link), number: 0, link: link), replaced: [])]
    }

    /// Leaves by the next bits of their keys, bins in ascending order: each is small enough to be sorted within a
    /// core's own cache, where sorting all of them would fetch every leaf from memory.
    private func bins(_ unordered: [Arena<Leaf>]) -> [[Leaf]] {
        let count = unordered.reduce(0) { $0 + $1.count }
        let bits = count > Self.unbinnedMax ? Self.binBits : 0
        var bins = [[Leaf]](repeating: [], count: 1 << bits)
        for bin in bins.indices { bins[bin].reserveCapacity(count / bins.count * 9 / 8) }
        for arena in unordered {
            for index in 0..<arena.count {
                let leaf = arena[index]
                bins[Int((leaf.key.leadingWord << UInt64(base)) >> UInt64(64 - bits))].append(leaf)
            }
        }
        return bins
    }

    private static let unbinnedMax = 1 << 14
    private static let binBits = 6

    /// The newest version.
    var head: Version { held[held.count - 1].version }

    /// Bytes that the nodes take, those free for the next update included.
    var byteCount: Int {
        inners.count * MemoryLayout<Inner>.stride + leaves.count * MemoryLayout<Leaf>.stride
    }

    /// Makes the next version from the newest: sets keys to values, removes those whose value is nil. Of several
    /// changes to one key the last stands; removing what is absent, or setting what is set, changes nothing.
    /// - Complexity: every node on the way to a changed leaf is made and hashed once, however many leaves lie under it.
    @discardableResult
    mutating func update(_ changes: [(key: Digest, value: Digest?)]) -> Version {
        let ordered = Self.ordered(changes)
        let link = place(apply(ordered, ordered.indices, to: head.link, attached: base, at: base), at: base)
        let next = Version(
            root: link == head.link ? head.root : digest(link), number: head.number + 1, link: link)
        held[held.count - 1].replaced = replaced
        replaced = []
        held.append(Held(version: next, replaced: []))
        return next
    }

    /// Lets go of all versions older than this one. They cannot be proved from any more, and what only they reached is
    /// room for the next updates.
    /// - Complexity: one step for each node let go.
    mutating func retire(before version: Version) {
        release(held.firstIndex { $0.version.number >= version.number } ?? held.count - 1)
    }

    /// What the key stands for in a version; nil where it is absent, or the version is not held.
    func value(of key: Digest, in version: Version) -> Digest? {
        var link = version.link
        while link.isInner {
            let node = inners[link.index]
            link = key.bit(Int(node.depth)) ? node.right : node.left
        }
        guard link != .none, leaves[link.index].key == key else { return nil }
        return leaves[link.index].value
    }

    /// Proves what the key stands for in a version, or that it is absent: what stands at the end of its path, and the
    /// siblings from the part's own depth on.
    /// - Complexity: one node a level; a pair digest where a sibling is a leaf or lies below skipped levels.
    func prove(_ key: Digest, in version: Version) -> (end: StateProof.End, siblings: [Digest]) {
        var siblings: [Digest] = []
        var link = version.link
        while link.isInner {
            let node = inners[link.index]
            let branch = Int(node.depth)
            let depth = base + siblings.count
            if branch > depth {
                let fork = someKey(below: link).commonBits(with: key)
                siblings.append(contentsOf: repeatElement(.zero, count: min(branch, fork) - depth))
                if fork < branch {
                    siblings.append(digest(link, attached: nil, at: fork + 1))
                    return (.empty, siblings)
                }
            }
            siblings.append(digest(key.bit(branch) ? node.left : node.right))
            link = key.bit(branch) ? node.right : node.left
        }
        guard link != .none else { return (.empty, siblings) }
        let leaf = leaves[link.index]
        return (leaf.key == key ? .own : .other(key: leaf.key, value: leaf.value), siblings)
    }

}

// MARK: - Nodes

extension Subtree {
    /// A place in one of the two arenas: not negative for an inner node, negative for a leaf. Nodes never change while
    /// a version reaches them.
    struct Link: Equatable, Sendable {
        let raw: Int32

        static let none = Link(raw: .max)
        static func inner(_ index: Int) -> Link { Link(raw: Int32(index)) }
        static func leaf(_ index: Int) -> Link { Link(raw: ~Int32(index)) }

        var isInner: Bool { raw >= 0 && raw != .max }
        var index: Int { Int(raw >= 0 ? raw : ~raw) }
    }

    struct Leaf: Sendable {
        let key: Digest
        let value: Digest
    }

    /// A node with leaves on both sides. Levels above it at which only its side is taken have no node: `digest` is that
    /// of the place where the node is attached, those levels included.
    private struct Inner: Sendable {
        let digest: Digest
        let left: Link
        let right: Link
        /// The bit that tells left from right.
        let depth: UInt8
    }

    private struct Held: Sendable {
        let version: Version
        /// What this version and older ones reach and the next one does not.
        var replaced: [Link]
    }

    /// A subtree that is not yet attached anywhere, because what is beside it decides at which depth it will be.
    private enum Loose {
        /// A link of the arena, whose digest holds where it is attached at this depth.
        case standing(Link, attached: Int)
        case branch(Inner)

        static let nothing = Loose.standing(.none, attached: 0)

        func isStanding(_ link: Link) -> Bool {
            if case .standing(link, _) = self { true } else { false }
        }
    }

    private mutating func release(_ count: Int) {
        for index in 0..<count {
            for link in held[index].replaced {
                if link.isInner { inners.release(link.index) } else { leaves.release(link.index) }
            }
        }
        held.removeFirst(count)
    }

    private mutating func make(_ leaf: Leaf) -> Link { .leaf(leaves.insert(leaf)) }

    private mutating func make(_ inner: Inner) -> Link { .inner(inners.insert(inner)) }

    /// The digest of a node where it is attached.
    private func digest(_ link: Link) -> Digest {
        if link.isInner { return inners[link.index].digest }
        guard link != .none else { return .zero }
        return StateTree.leafDigest(leaves[link.index].key, leaves[link.index].value)
    }

    /// The digest that an inner node has, or would have, attached at `depth`; the one it has may be of use.
    private func digest(_ link: Link, attached: Int?, at depth: Int) -> Digest {
        let node = inners[link.index]
        if let attached, attached >= depth { return lift(node.digest, of: link, from: attached, to: depth) }
        return lift(SHA256.pair(1, digest(node.left), digest(node.right)), of: link, from: Int(node.depth), to: depth)
    }

    /// Carries a digest up through levels whose other side is empty.
    private func lift(_ digest: Digest, of link: Link, from: Int, to depth: Int) -> Digest {
        guard from > depth else { return digest }
        let key = someKey(below: link)
        var digest = digest
        for bit in (depth..<from).reversed() {
            digest = key.bit(bit) ? SHA256.pair(1, .zero, digest) : SHA256.pair(1, digest, .zero)
        }
        return digest
    }

    /// The key of some leaf below: all of them share the bits above the node.
    private func someKey(below link: Link) -> Digest {
        var link = link
        while link.isInner { link = inners[link.index].left }
        return leaves[link.index].key
    }
}

// MARK: - Changing

extension Subtree {
    private typealias Change = (key: Digest, value: Digest?)

    /// The subtree at `link` with these changes, all of which agree with it in the first `depth` bits. `attached` is
    /// the depth at which the link's digest holds.
    private mutating func apply(
        _ changes: [Change], _ range: Range<Int>, to link: Link, attached: Int, at depth: Int
    ) -> Loose {
        if range.isEmpty { return .standing(link, attached: attached) }
        guard link.isInner else { return settle(changes, range, at: link) }
        let node = inners[link.index]
        let branch = Int(node.depth)
        if branch > depth {
            let key = someKey(below: link)
            let fork = min(
                key.commonBits(with: changes[range.lowerBound].key),
                key.commonBits(with: changes[range.upperBound - 1].key))
            if fork < branch {
                // Some changes leave where the node skips levels: the node comes to hang deeper.
                let middle = Self.partition(range, bit: fork) { changes[$0].key }
                let (low, high) = (range.lowerBound..<middle, middle..<range.upperBound)
                let own = apply(changes, key.bit(fork) ? high : low, to: link, attached: attached, at: fork + 1)
                let other = settle(changes, key.bit(fork) ? low : high, at: .none)
                return key.bit(fork) ? join(other, own, at: fork) : join(own, other, at: fork)
            }
        }
        let below = branch + 1
        let middle = Self.partition(range, bit: branch) { changes[$0].key }
        let left = apply(changes, range.lowerBound..<middle, to: node.left, attached: below, at: below)
        let right = apply(changes, middle..<range.upperBound, to: node.right, attached: below, at: below)
        if left.isStanding(node.left) && right.isStanding(node.right) { return .standing(link, attached: attached) }
        replaced.append(link)
        return join(left, right, at: branch)
    }

    /// Changes that meet a leaf, or nothing.
    private mutating func settle(_ changes: [Change], _ range: Range<Int>, at link: Link) -> Loose {
        // Room for the links only where several changes meet here.
        if range.count == 1 && link == .none {
            return .standing(makeLeaf(changes[range.lowerBound]) ?? .none, attached: 0)
        }
        var links: [Link] = []
        var present = link == .none ? nil : leaves[link.index]
        for change in changes[range] {
            if let leaf = present, leaf.key <= change.key {
                present = nil
                if leaf.key < change.key || leaf.value == change.value {
                    links.append(link)
                } else {
                    replaced.append(link)
                }
                if leaf.key == change.key && leaf.value == change.value { continue }
            }
            if let made = makeLeaf(change) { links.append(made) }
        }
        if present != nil { links.append(link) }
        return grow(links)
    }

    private mutating func makeLeaf(_ change: Change) -> Link? {
        change.value.map { make(Leaf(key: change.key, value: $0)) }
    }

    /// The subtree of leaves that are in ascending order.
    /// - Complexity: one look at each leaf and its neighbour; none at those that are done.
    private mutating func grow(_ links: [Link]) -> Loose {
        guard let first = links.first else { return .nothing }
        // What stands to the left of the leaf at hand, each with the bit at which it parts from what comes after it:
        // deeper ones are done first.
        var left: [(tree: Loose, fork: Int)] = []
        var tree = Loose.standing(first, attached: 0)
        var key = leaves[first.index].key
        for link in links.dropFirst() {
            let next = leaves[link.index].key
            let fork = key.commonBits(with: next)
            while let last = left.last, last.fork > fork {
                tree = join(last.tree, tree, at: last.fork)
                left.removeLast()
            }
            left.append((tree, fork))
            tree = .standing(link, attached: 0)
            key = next
        }
        while let last = left.popLast() { tree = join(last.tree, tree, at: last.fork) }
        return tree
    }

    /// Two halves under one node, or the only one that there is: it stands higher up then.
    private mutating func join(_ left: Loose, _ right: Loose, at depth: Int) -> Loose {
        if left.isStanding(.none) { return right }
        if right.isStanding(.none) { return left }
        let (left, right) = (place(left, at: depth + 1), place(right, at: depth + 1))
        let digest = SHA256.pair(1, digest(left), digest(right))
        return .branch(Inner(digest: digest, left: left, right: right, depth: UInt8(depth)))
    }

    /// Attaches a subtree at a depth.
    private mutating func place(_ loose: Loose, at depth: Int) -> Link {
        switch loose {
        case .standing(let link, let attached):
            guard link.isInner, attached != depth else { return link }
            let node = inners[link.index]
            replaced.append(link)
            return make(
                Inner(
                    digest: digest(link, attached: attached, at: depth), left: node.left, right: node.right,
                    depth: node.depth))
        case .branch(let node):
            return make(
                Inner(
                    digest: lift(node.digest, of: node.left, from: Int(node.depth), to: depth), left: node.left,
                    right: node.right, depth: node.depth))
        }
    }

    /// Where in an ascending range the keys begin that have this bit set; all of them agree in the bits before it.
    private static func partition(_ range: Range<Int>, bit: Int, key: (Int) -> Digest) -> Int {
        var (low, high) = (range.lowerBound, range.upperBound)
        while low < high {
            let middle = low + (high - low) / 2
            if key(middle).bit(bit) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// In ascending order, the last of equal keys only.
    private static func ordered(_ changes: [Change]) -> [Change] {
        let ascends = zip(changes, changes.dropFirst()).allSatisfy { $0.key < $1.key }
        if ascends { return changes }
        let places = changes.indices.map { (word: changes[$0].key.leadingWord, number: $0) }
        return ascending(places) { changes[$0].key }.map { changes[$0] }
    }

    /// The number of something among its like, and the first word of its key: nearly always enough to sort by, and
    /// quicker to move than digests.
    private typealias Place = (word: UInt64, number: Int)

    /// Numbers in ascending order of key, the last of equal keys only.
    private static func ascending(_ places: [Place], key: (Int) -> Digest) -> [Int] {
        var places = places
        places.sort { a, b in
            if a.word != b.word { return a.word < b.word }
            let (left, right) = (key(a.number), key(b.number))
            return left == right ? a.number < b.number : left < right
        }
        var out: [Int] = []
        out.reserveCapacity(places.count)
        for index in places.indices {
            if index > 0, places[index - 1].word == places[index].word,
                key(places[index - 1].number) == key(places[index].number)
            {
                out.removeLast()
            }
            out.append(places[index].number)
        }
        return out
    }
}
