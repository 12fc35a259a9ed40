/// What a node has of the order where it has no access to it: nothing can be read or appended, and every position lies
/// below the floor, so that it takes its blocks from peers alone.
public final class NoOrder: Ordering {
    public let epoch: OrderingEpoch

    public init(epoch: OrderingEpoch) { self.epoch = epoch }

    public func append(_ bytes: [UInt8], at position: UInt64) -> AppendResult { .closed }

    public func read(from position: UInt64, max: Int, bytesMax: Int) throws(OrderingError) -> LogRange {
        throw .belowFloor(.max)
    }

    public func readHead() throws(OrderingError) -> UInt64 { throw .belowFloor(.max) }
    public func trim(below position: UInt64) throws(OrderingError) {}
    public func onWake(_ wake: @escaping @Sendable () -> Void) {}
    public var condition: OrderingCondition { OrderingCondition() }
}
