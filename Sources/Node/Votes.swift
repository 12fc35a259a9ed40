public import Ledger

/// Keeps verified votes until their height is certified. A node counts with ``Votes``; the protocol is a seam for
/// tests, which must see that counting otherwise is found out.
public protocol VoteCounting: Sendable {
    /// What a validator has said of a height.
    func vote(of validator: OrganisationID, at height: UInt64) -> Vote?
    /// All that count for a height.
    func votes(at height: UInt64) -> [Vote]
    mutating func count(_ vote: Vote)
    mutating func forget(upTo height: UInt64)
    /// Of the votes on a height and those above it, keeps only these.
    mutating func keep(from height: UInt64, where isKept: (Vote) -> Bool)
}

/// One vote a validator and height: the first.
public struct Votes: VoteCounting {
    private var byHeight: [UInt64: [OrganisationID: Vote]] = [:]

    public init() {}

    public func vote(of validator: OrganisationID, at height: UInt64) -> Vote? { byHeight[height]?[validator] }

    /// In ascending order of validator.
    public func votes(at height: UInt64) -> [Vote] {
        (byHeight[height] ?? [:]).values.sorted { $0.validator < $1.validator }
    }

    public mutating func count(_ vote: Vote) {
        if byHeight[vote.height]?[vote.validator] == nil { byHeight[vote.height, default: [:]][vote.validator] = vote }
    }

    public mutating func forget(upTo height: UInt64) { byHeight = byHeight.filter { $0.key > height } }

    public mutating func keep(from height: UInt64, where isKept: (Vote) -> Bool) {
        for there in byHeight.keys where there >= height {
            byHeight[there] = byHeight[there]!.filter { isKept($0.value) }
        }
    }
}
