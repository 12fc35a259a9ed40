/// Byte keys in the order in which stores and trees keep them.
package enum KeyOrder {
    /// Elements in ascending order of their keys; those of one key stay in the order in which they came.
    @inlinable
    package static func ascending<Element>(_ elements: [Element], by key: (Element) -> [UInt8]) -> [Element] {
        // By the keys' first bytes as numbers, which lie side by side; the keys themselves lie about in memory.
        let order = elements.indices.map { (front: front(key(elements[$0])), index: $0) }.sorted { one, other in
            if one.front != other.front { return one.front < other.front }
            let (first, second) = (key(elements[one.index]), key(elements[other.index]))
            return first == second ? one.index < other.index : first.lexicographicallyPrecedes(second)
        }
        return order.map { elements[$0.index] }
    }

    /// The first 8 bytes, with zeros behind a shorter key.
    @inlinable
    static func front(_ key: [UInt8]) -> UInt64 {
        var front: UInt64 = 0
        for index in 0..<8 { front = front << 8 | (index < key.count ? UInt64(key[index]) : 0) }
        return front
    }
}
