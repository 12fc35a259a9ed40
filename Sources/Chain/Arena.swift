/// Nodes of one kind in equal chunks, named by number, with the numbers of those that may be used again. Nothing moves
/// when it grows, so a large tree has neither the pause of copying one large array nor its empty half.
struct Arena<Node: Sendable>: Sendable {
    private var chunks: [[Node]] = []
    private var free: [Int32] = []
    /// Nodes in use, and those to be used again.
    private(set) var count = 0

    private static var shift: Int { 12 }
    private static var chunkCount: Int { 1 << shift }

    subscript(index: Int) -> Node { chunks[index >> Self.shift][index & (Self.chunkCount - 1)] }

    mutating func insert(_ node: Node) -> Int {
        if !free.isEmpty {
            let index = free.removeLast()
            chunks[Int(index) >> Self.shift][Int(index) & (Self.chunkCount - 1)] = node
            return Int(index)
        }
        precondition(count < Int(Int32.max), "a tree has fewer than 2^31 - 1 nodes of a kind")
        if count == chunks.count << Self.shift {
            chunks.append([])
            // A small tree takes no more than it needs.
            if chunks.count > 1 { chunks[chunks.count - 1].reserveCapacity(Self.chunkCount) }
        }
        chunks[chunks.count - 1].append(node)
        count += 1
        return count - 1
    }

    mutating func release(_ index: Int) { free.append(Int32(index)) }
}
