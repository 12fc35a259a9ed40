public import Canonical
public import Crypto
public import Ledger

/// Votes as one node hands them to another, with the chain that they are of, so that a stranger's are refused by name
/// before anything is made of them.
public struct VoteList: Sendable, Equatable {
    public let genesis: Digest
    public let votes: [Vote]

    /// More than a node has to send again at a time.
    public static let countMax = 64
    /// More than the longest list takes.
    public static let bytesMax = 16 << 10

    /// - Precondition: at most ``countMax`` votes.
    public init(genesis: Digest, votes: [Vote]) {
        precondition(votes.count <= Self.countMax, "a list of votes is short")
        self.genesis = genesis
        self.votes = votes
    }
}

extension VoteList: Canonical {
    public func encode(to encoder: inout Encoder) {
        encoder.value(genesis)
        encoder.sequence(votes)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        genesis = try decoder.value()
        votes = try decoder.sequence(max: Self.countMax)
    }
}

/// Final blocks as one node hands them to another that is behind, ascending; nothing where it has none.
public struct FinalBlocksList: Sendable, Equatable {
    public let values: [FinalBlocks]

    public static let countMax = 256

    /// - Precondition: at most ``countMax``.
    public init(_ values: [FinalBlocks]) {
        precondition(values.count <= Self.countMax, "an answer is bounded")
        self.values = values
    }
}

extension FinalBlocksList: Canonical {
    public func encode(to encoder: inout Encoder) { encoder.sequence(values) }
    public init(from decoder: inout Decoder) throws(DecodingError) {
        values = try decoder.sequence(max: Self.countMax)
    }
}
