/// Things to come, soonest first; those of one time in the order in which they were put in. A binary heap.
struct EventQueue<Item> {
    private var heap: [(time: UInt64, order: UInt64, item: Item)] = []
    private var count: UInt64 = 0

    private func precedes(_ a: Int, _ b: Int) -> Bool {
        heap[a].time == heap[b].time ? heap[a].order < heap[b].order : heap[a].time < heap[b].time
    }

    mutating func push(_ item: Item, at time: UInt64) {
        heap.append((time, count, item))
        count += 1
        var child = heap.count - 1
        while child > 0, precedes(child, (child - 1) / 2) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func pop() -> (time: UInt64, item: Item)? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return (first.time, first.item) }
        heap[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && precedes(child, least) {
                least = child
            }
            if least == parent { return (first.time, first.item) }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
