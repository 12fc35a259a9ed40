/// Byte keys in the order in which stores and trees keep them.
package enum KeyOrder {
    /// The numbers of keys in ascending order; those that are equal stay in the order in which they came.
    /// - Parameter keys: where each key lies in `content`.
    package static func ascending(_ keys: [Range<Int>], in content: Encoder) -> [Int] {
        content.withBytes { content in
            content.withUnsafeBytes { content in
                // By the keys' first bytes as numbers, which lie side by side; the keys themselves lie about in memory.
                let order = keys.indices.map { (front: front(content, keys[$0]), number: $0) }.sorted { one, other in
                    if one.front != other.front { return one.front < other.front }
                    let (first, second) = (content[keys[one.number]], content[keys[other.number]])
                    return first.lexicographicallyPrecedes(second)
                        || one.number < other.number && first.elementsEqual(second)
                }
                return order.map(\.number)
            }
        }
    }

    package static func areEqual(_ one: RawSpan, _ other: RawSpan) -> Bool {
        guard one.byteCount == other.byteCount else { return false }
        let whole = one.byteCount & ~7
        for offset in stride(from: 0, to: whole, by: 8)
        where one.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
            != other.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
        { return false }
        for offset in whole..<one.byteCount
        where one.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
            != other.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
        { return false }
        return true
    }

    /// The first 8 bytes, with zeros behind a shorter key.
    private static func front(_ content: UnsafeRawBufferPointer, _ key: Range<Int>) -> UInt64 {
        if key.count >= 8 {
            return UInt64(bigEndian: content.loadUnaligned(fromByteOffset: key.lowerBound, as: UInt64.self))
        }
        return key.reduce(0) { $0 << 8 | UInt64(content[$1]) } << UInt64(64 - 8 * key.count)
    }
}
