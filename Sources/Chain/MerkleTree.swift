public import Canonical
public import Crypto

/// A Merkle tree over a list of digests, in the shape of RFC 6962: the left side of every node is the largest full tree
/// that leaves something for the right.
///
/// The caller digests its items under ``Domain/leaf``; an inner node is `SHA256.pair(1, left, right)`, so that a leaf
/// can never be shown as an inner node. A list of one has its only digest as root, the empty list has zero.
public enum MerkleTree {
    /// - Complexity: one pair digest a leaf, less one; memory for half the leaves.
    public static func root(of leaves: [Digest]) -> Digest {
        var level = leaves
        while level.count > 1 { level = parents(of: level) }
        return level.first ?? .zero
    }

    /// The root of a block's list: over the list's length and its tree's root, so that a path's place and length are
    /// proved with the leaf. Zero for the empty list.
    /// - Complexity: one digest more than ``root(of:)``.
    public static func countedRoot(of leaves: [Digest]) -> Digest { counted(root(of: leaves), count: leaves.count) }

    static func counted(_ root: Digest, count: Int) -> Digest {
        guard count > 0 else { return .zero }
        var encoder = Encoder(capacity: 40)
        encoder.u64(UInt64(count))
        encoder.value(root)
        return encoder.withBytes { SHA256.hash(.list, $0) }
    }

    /// What leads from one leaf to the root.
    /// - Precondition: `index` is a position in `leaves`.
    /// - Complexity: as much as the root.
    public static func path(of index: Int, in leaves: [Digest]) -> MerklePath {
        precondition(leaves.indices.contains(index), "a path begins at a leaf of the list")
        var siblings: [Digest] = []
        var level = leaves
        var position = index
        while level.count > 1 {
            if level.indices.contains(position ^ 1) { siblings.append(level[position ^ 1]) }
            level = parents(of: level)
            position /= 2
        }
        return MerklePath(index: index, count: leaves.count, siblings: siblings)
    }

    /// The level above. A digest without a partner moves up as it is, which gives RFC 6962's shape.
    private static func parents(of level: [Digest]) -> [Digest] {
        var above: [Digest] = []
        above.reserveCapacity((level.count + 1) / 2)
        for left in stride(from: 0, to: level.count, by: 2) {
            above.append(left + 1 < level.count ? SHA256.pair(1, level[left], level[left + 1]) : level[left])
        }
        return above
    }
}

/// The siblings from a leaf to the root of a list whose length is part of the claim.
///
/// A tree's bare root does not hold the list's length: two lists may give one path its root. Beside
/// ``MerkleTree/countedRoot(of:)`` it is proved too, and with it the leaf's place.
public struct MerklePath: Equatable, Sendable {
    public let index: Int
    public let count: Int
    /// From the leaf upwards.
    public let siblings: [Digest]

    public static let siblingsMax = 64

    public init(index: Int, count: Int, siblings: [Digest]) {
        self.index = index
        self.count = count
        self.siblings = siblings
    }

    /// The root that this path gives the leaf, or nil where index, count and number of siblings do not fit together.
    public func root(leaf: Digest) -> Digest? {
        guard (0..<count).contains(index), siblings.count == Self.siblingCount(index: index, count: count) else {
            return nil
        }
        var digest = leaf
        var used = 0
        var position = index
        var last = count - 1
        while last > 0 {
            // The last of a level with an even place has no partner there and moves up as it is.
            if position % 2 == 1 || position < last {
                let sibling = siblings[used]
                digest = position % 2 == 1 ? SHA256.pair(1, sibling, digest) : SHA256.pair(1, digest, sibling)
                used += 1
            }
            position /= 2
            last /= 2
        }
        return digest
    }

    /// The counted root that this path gives the leaf, or nil as in ``root(leaf:)``.
    public func countedRoot(leaf: Digest) -> Digest? { root(leaf: leaf).map { MerkleTree.counted($0, count: count) } }

    private static func siblingCount(index: Int, count: Int) -> Int {
        var needed = 0
        var position = index
        var last = count - 1
        while last > 0 {
            if position % 2 == 1 || position < last { needed += 1 }
            position /= 2
            last /= 2
        }
        return needed
    }
}

extension MerklePath: Canonical {
    public func encode(to encoder: inout Encoder) {
        encoder.u64(UInt64(index))
        encoder.u64(UInt64(count))
        encoder.sequence(siblings)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        guard let index = Int(exactly: try decoder.u64()), let count = Int(exactly: try decoder.u64()), index < count
        else { throw decoder.refusal(.invalidValue) }
        self.init(index: index, count: count, siblings: try decoder.sequence(max: Self.siblingsMax))
        guard siblings.count == Self.siblingCount(index: index, count: count) else {
            throw decoder.refusal(.invalidValue)
        }
    }
}
