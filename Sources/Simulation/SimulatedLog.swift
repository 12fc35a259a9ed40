public import Ordering

/// The order as the simulator's nodes share it. It outlives every crash; how late it answers, and whether its answers
/// arrive, is the simulator's business.
public struct SimulatedLog {
    public private(set) var entries: [[UInt8]] = []
    /// Below it entries are no longer given out.
    public private(set) var floor: UInt64 = 1
    /// A seam for planting a bug: reads that leave an entry out and close the gap.
    let skips: Bool

    public init(_ entries: [[UInt8]] = [], skips: Bool = false) {
        self.entries = entries
        self.skips = skips
    }

    public var head: UInt64 { UInt64(entries.count) }

    public mutating func append(_ bytes: [UInt8], at position: UInt64) -> AppendResult {
        guard position == head + 1 else { return .taken }
        entries.append(bytes)
        return .appended
    }

    public mutating func trim(below position: UInt64) { floor = Swift.max(floor, position) }

    public func read(from position: UInt64, max: Int) -> LogRange {
        var range: [(position: UInt64, bytes: [UInt8])] = []
        var next = position
        while next <= head, range.count < max {
            var bytes = entries[Int(next) - 1]
            if skips, next % 7 == 0, next < head { bytes = entries[Int(next)] }
            range.append((next, bytes))
            next += 1
        }
        return LogRange(entries: range, head: head)
    }
}
