/// A second way for votes beside the one from node to node: each validator puts its own up where all who read the order
/// can see them, so that neither the engine's members nor those who pass votes on can withhold them alone.
///
/// It is trusted for nothing: what is read there is verified like any vote that comes. Calls may block; a node makes
/// them from a thread of its own. An order within one process has none, since nothing comes between its nodes.
public protocol VoteBoard: AnyObject, Sendable {
    /// Puts up votes of this node's own, unless they stand there already, and takes down those below the lowest.
    /// - Parameter votes: ascending by height, few.
    func put(_ votes: [PostedVote]) throws(OrderingError)

    /// What stands there under a validator's number for these heights, ascending; at most one for each height. What
    /// cannot be a vote, for its size, is left out together with what stands beside it.
    func votes(of validator: UInt32, heights: ClosedRange<UInt64>) throws(OrderingError) -> [PostedVote]
}

/// A vote as it stands on a board, which nobody has looked at.
public struct PostedVote: Sendable, Equatable {
    public let height: UInt64
    public let bytes: [UInt8]

    public init(height: UInt64, bytes: [UInt8]) {
        self.height = height
        self.bytes = bytes
    }
}
