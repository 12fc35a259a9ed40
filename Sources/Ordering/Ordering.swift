/// One total order of entries. It is trusted for nothing but order: validity and finality come from the members' own
/// replay and signatures.
///
/// Calls may block; each node makes them from a thread of its own. Implementations answer the same way whichever node
/// asks.
public protocol Ordering: AnyObject, Sendable {
    /// Puts `bytes` at `position` if that is the first free one.
    func append(_ bytes: [UInt8], at position: UInt64) -> AppendResult

    /// The contiguous entries from `position` on, at most `max` of them and about `bytesMax` bytes, and how far the
    /// order goes on without a gap. Linearizable.
    /// - Throws: ``OrderingError`` where the order cannot be reached, or `position` lies below the floor.
    func read(from position: UInt64, max: Int, bytesMax: Int) throws(OrderingError) -> LogRange

    /// The newest position up to which there is no gap. Linearizable.
    func readHead() throws(OrderingError) -> UInt64

    /// Lets go of entries below `position`, which becomes the floor: every active validator has them, or peers who do.
    /// A floor never sinks: where it lies at `position` or above, nothing happens.
    func trim(below position: UInt64) throws(OrderingError)

    var epoch: OrderingEpoch { get }

    /// How the engine is, as far as this node knows.
    var condition: OrderingCondition { get }

    /// Calls `wake` after something was appended, from any thread. Only a hint: wakes may be lost, doubled, late.
    func onWake(_ wake: @escaping @Sendable () -> Void)
}

public enum AppendResult: Sendable, Equatable {
    case appended
    /// Other bytes stand there, or the position is not the first free one.
    case taken
    /// No answer came: it may have happened. Read the position to know.
    case unknown
    /// It did not happen, and would not now: the order cannot be reached, or takes nothing. Try again later.
    case closed
}

public struct LogRange: Sendable {
    public let entries: [(position: UInt64, bytes: [UInt8])]
    /// The newest position up to which there is no gap; where many stand behind those that were asked for, any of them.
    public let head: UInt64

    public init(entries: [(position: UInt64, bytes: [UInt8])], head: UInt64) {
        self.entries = entries
        self.head = head
    }
}

/// Names one life of the ordering engine. A new one is agreed on by a quorum when the engine is lost.
public struct OrderingEpoch: Sendable, Equatable {
    public let number: UInt32
    /// 16 random bytes, so that an engine started anew is not taken for the one before.
    public let bytes: [UInt8]
    public let firstHeight: UInt64

    public init(number: UInt32, bytes: [UInt8], firstHeight: UInt64) {
        self.number = number
        self.bytes = bytes
        self.firstHeight = firstHeight
    }
}

public enum OrderingError: Error, Sendable, Equatable {
    case unreachable(String)
    /// The position is no longer in the order, which begins here; peers have it.
    case belowFloor(UInt64)
    /// What answers there is not the order of this chain and epoch.
    case foreign(String)
}

/// How an ordering engine is.
public struct OrderingCondition: Sendable, Equatable {
    /// Why the last call failed; nil where it did not.
    public var complaint: String?
    /// What it takes on its disks, and may take; 0 where that is not known or not bounded.
    public var bytes: UInt64 = 0
    public var bytesMax: UInt64 = 0
    /// So full that somebody should look at it.
    public var isFilling = false
    /// So full that nothing more is ordered.
    public var isClosed = false
    /// Those whom it consists of, as far as they are known here; none where it has none, or none was asked yet.
    public var members: [OrderingMember] = []

    public init() {}
}

/// How one member of an ordering engine is, asked by itself. The others may order without it.
public struct OrderingMember: Sendable, Equatable {
    public let url: String
    /// Since when it has not answered as one of a quorum, in milliseconds since 1970 UTC by this node's clock; nil
    /// where it does.
    public var silentSince: UInt64?
    /// Why it does not, in a sentence; nil where it does.
    public var failure: String?

    public init(url: String) { self.url = url }

    public var isAnswering: Bool { failure == nil }

    /// Its host and port, without the scheme.
    public var place: String {
        let bytes = Array(url.utf8)
        let host = bytes.indices.first { bytes[$0...].starts(with: "://".utf8) }.map { $0 + 3 } ?? 0
        return String(decoding: bytes[host...].prefix { $0 != UInt8(ascii: "/") }, as: UTF8.self)
    }
}
