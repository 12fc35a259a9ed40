import Crypto

/// The trees once more, as slow and as plain as their definition.
enum TreeModel {
    /// Root of the map by recursion over its pairs.
    static func stateRoot(_ pairs: [Digest: Digest]) -> Digest {
        stateRoot(pairs.map { ($0.key, $0.value) }, depth: 0)
    }

    private static func stateRoot(_ pairs: [(Digest, Digest)], depth: Int) -> Digest {
        if pairs.isEmpty { return .zero }
        if pairs.count == 1 { return SHA256.hash([0] + pairs[0].0.bytes + pairs[0].1.bytes) }
        let left = stateRoot(pairs.filter { !$0.0.bit(depth) }, depth: depth + 1)
        let right = stateRoot(pairs.filter { $0.0.bit(depth) }, depth: depth + 1)
        return SHA256.hash([1] + left.bytes + right.bytes)
    }

    /// Root of a list as RFC 6962 defines it.
    static func listRoot(_ leaves: ArraySlice<Digest>) -> Digest {
        guard leaves.count > 1 else { return leaves.first ?? .zero }
        var split = 1
        while split * 2 < leaves.count { split *= 2 }
        let left = listRoot(leaves.prefix(split))
        return SHA256.hash([1] + left.bytes + listRoot(leaves.dropFirst(split)).bytes)
    }
}

/// The digest of a number, for rows and leaves that only have to differ.
func sample(_ number: Int) -> Digest {
    SHA256.hash(withUnsafeBytes(of: UInt64(number).littleEndian) { Array($0) })
}

/// Every copy of `bytes` with one bit changed.
func bitFlips(of bytes: [UInt8]) -> [[UInt8]] {
    (0..<bytes.count * 8).map { bit in
        var changed = bytes
        changed[bit / 8] ^= 1 << UInt8(bit % 8)
        return changed
    }
}

/// Copies of `bytes` with one byte changed: each byte by one of its bits, and by all of them.
func byteFlips(of bytes: [UInt8]) -> [[UInt8]] {
    bytes.indices.flatMap { index in
        [UInt8(1) << UInt8(index % 8), 0xFF].map { (mask: UInt8) in
            var changed = bytes
            changed[index] ^= mask
            return changed
        }
    }
}
