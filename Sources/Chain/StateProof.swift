public import Canonical
public import Crypto

/// Proves against a state root that a key stands for a value, or that the tree does not hold the key at all.
///
/// Layout (BCS): what stands at the end of the key's path (variant 0 the key's own leaf, 1 nothing, 2 another leaf
/// {key, value}), the depth of that place (ULEB128, at most 256), a bitmap of the siblings that are not empty (first
/// depth first, most significant bit first), those siblings. There is one form of a proof: the deepest sibling is never
/// empty, because a leaf alone in its half, or two empty halves, would stand higher up.
public struct StateProof: Equatable, Sendable {
    /// What stands where the key's path ends.
    public enum End: Equatable, Sendable {
        /// The leaf of the key itself; the verifier brings the value.
        case own
        case empty
        /// A leaf that shares the path, and so takes the only place where the key could be.
        case other(key: Digest, value: Digest)
    }

    public let end: End
    /// One for each depth of the path, from the root downwards; an empty subtree is zero.
    public let siblings: [Digest]

    public static let siblingsMax = 256

    init(end: End, siblings: [Digest]) {
        self.end = end
        self.siblings = siblings
    }

    /// Whether this proves that under `root` the key stands for `value`, or with nil, that the key is absent.
    /// - Complexity: one pair digest for each depth of the path.
    public func verify(key: Digest, value: Digest?, root: Digest) -> Bool {
        guard siblings.count <= Self.siblingsMax else { return false }
        var digest: Digest
        switch (end, value) {
        case (.own, .some(let value)): digest = StateTree.leafDigest(key, value)
        case (.empty, nil): digest = .zero
        case (.other(let otherKey, let otherValue), nil):
            guard otherKey != key, otherKey.commonBits(with: key) >= siblings.count else { return false }
            digest = StateTree.leafDigest(otherKey, otherValue)
        default: return false
        }
        for (depth, sibling) in siblings.enumerated().reversed() {
            digest = key.bit(depth) ? SHA256.pair(1, sibling, digest) : SHA256.pair(1, digest, sibling)
        }
        return digest == root
    }
}

extension StateProof: Canonical {
    public func encode(to encoder: inout Encoder) {
        switch end {
        case .own: encoder.variant(0)
        case .empty: encoder.variant(1)
        case .other(let key, let value):
            encoder.variant(2)
            encoder.value(key)
            encoder.value(value)
        }
        encoder.length(siblings.count)
        var bitmap = [UInt8](repeating: 0, count: (siblings.count + 7) / 8)
        for (depth, sibling) in siblings.enumerated() where sibling != .zero {
            bitmap[depth / 8] |= 0x80 >> UInt8(depth % 8)
        }
        encoder.fixed(bitmap)
        for sibling in siblings where sibling != .zero { encoder.value(sibling) }
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        switch try decoder.variant(below: 3) {
        case 0: end = .own
        case 1: end = .empty
        default: end = .other(key: try decoder.value(), value: try decoder.value())
        }
        let depths = try decoder.length(max: Self.siblingsMax)
        let bitmap = try decoder.fixed((depths + 7) / 8)
        var siblings: [Digest] = []
        for depth in 0..<bitmap.count * 8 {
            let isSet = bitmap[depth / 8] & 0x80 >> UInt8(depth % 8) != 0
            // Nothing beyond the depth, and something at the deepest.
            if isSet ? depth >= depths : depth == depths - 1 { throw decoder.refusal(.invalidValue) }
            guard depth < depths else { continue }
            let sibling: Digest = isSet ? try decoder.value() : .zero
            if isSet && sibling == .zero { throw decoder.refusal(.invalidValue) }
            siblings.append(sibling)
        }
        self.siblings = siblings
    }
}
