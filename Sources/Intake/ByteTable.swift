/// Numbers the distinct byte strings given to it, from 0 on, in the order of their first arrival.
///
/// Open addressing over one array of key bytes: no object for each key, and 20 to 30 bytes beside the key itself.
struct ByteTable {
    private struct Entry {
        var end: Int
        var hash: UInt32
    }

    private var slots: [Int32]
    private var entries: [Entry] = []
    private var arena: [UInt8] = []

    init() { slots = [Int32](repeating: -1, count: 64) }

    var count: Int { entries.count }
    var keyBytes: Int { arena.count }

    func index(of key: ArraySlice<UInt8>) -> Int? {
        let found = slots[slot(of: key, hash: Self.hash(key))]
        return found < 0 ? nil : Int(found)
    }

    /// The number of `key`, and whether it is new.
    /// - Precondition: fewer than 2³¹ keys; the callers' bounds are far below.
    mutating func insert(_ key: ArraySlice<UInt8>) -> (index: Int, isNew: Bool) {
        let hash = Self.hash(key)
        let position = slot(of: key, hash: hash)
        if slots[position] >= 0 { return (Int(slots[position]), false) }
        arena.append(contentsOf: key)
        entries.append(Entry(end: arena.count, hash: hash))
        slots[position] = Int32(entries.count - 1)
        if entries.count * 4 > slots.count * 3 { grow() }
        return (entries.count - 1, true)
    }

    func key(_ index: Int) -> ArraySlice<UInt8> {
        arena[(index == 0 ? 0 : entries[index - 1].end)..<entries[index].end]
    }

    /// The slot that holds `key`, or the empty one where it belongs.
    private func slot(of key: ArraySlice<UInt8>, hash: UInt32) -> Int {
        let mask = slots.count - 1
        var position = Int(hash) & mask
        while slots[position] >= 0 {
            let index = Int(slots[position])
            if entries[index].hash == hash, self.key(index) == key { break }
            position = (position + 1) & mask
        }
        return position
    }

    private mutating func grow() {
        slots = [Int32](repeating: -1, count: slots.count * 2)
        let mask = slots.count - 1
        for (index, entry) in entries.enumerated() {
            var position = Int(entry.hash) & mask
            while slots[position] >= 0 { position = (position + 1) & mask }
            slots[position] = Int32(index)
        }
    }

    private static func hash(_ key: ArraySlice<UInt8>) -> UInt32 {
        var hasher = Hasher()
        key.withUnsafeBytes { hasher.combine(bytes: $0) }
        return UInt32(truncatingIfNeeded: hasher.finalize())
    }
}
