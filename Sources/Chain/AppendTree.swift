public import Canonical
public import Crypto

/// The root of a list that only grows, without the list: it keeps the roots of the full trees that the list is made of
/// (its peaks, at most one for each bit of the count). The root is ``MerkleTree/root(of:)`` of all that was appended.
public struct AppendTree: Equatable, Sendable {
    /// Digests appended so far.
    public private(set) var count: Int
    /// Roots of the full trees, the largest and oldest first.
    public private(set) var peaks: [Digest]

    /// Beyond every height a chain will see, and far enough from the integer's end that nothing read can trap here.
    public static let countMax = 1 << 48

    public init() {
        count = 0
        peaks = []
    }

    /// - Complexity: one pair digest on average, at most one for each bit of the count.
    public mutating func append(_ leaf: Digest) {
        precondition(count < Self.countMax, "an append-only tree is bounded")
        var peak = leaf
        for _ in 0..<(~count).trailingZeroBitCount { peak = SHA256.pair(1, peaks.removeLast(), peak) }
        peaks.append(peak)
        count += 1
    }

    /// - Complexity: one pair digest a peak, less one.
    public var root: Digest {
        guard var root = peaks.last else { return .zero }
        for peak in peaks.dropLast().reversed() { root = SHA256.pair(1, peak, root) }
        return root
    }
}

extension AppendTree: Canonical {
    public func encode(to encoder: inout Encoder) {
        encoder.u64(UInt64(count))
        encoder.sequence(peaks)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        let stored = try decoder.u64()
        // The last count is refused too, so that one more leaf always fits what was read.
        guard stored < UInt64(Self.countMax) else { throw decoder.refusal(.invalidValue) }
        count = Int(stored)
        peaks = try decoder.sequence(min: stored.nonzeroBitCount, max: stored.nonzeroBitCount)
    }
}
