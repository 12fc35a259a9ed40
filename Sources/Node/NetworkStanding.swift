public import Ledger
public import Ordering

/// What a node knows of those on whom it depends: the ordering engine, and the other members' nodes.
public struct NetworkStanding: Sendable {
    /// None where this node only follows, without an order of its own.
    public var ordering: OrderingCondition?
    public var peers: [PeerStanding]

    public init(ordering: OrderingCondition?, peers: [PeerStanding]) {
        self.ordering = ordering
        self.peers = peers
    }
}

/// What a node knows of another member's. Times are milliseconds since 1970 UTC by its own clock.
public struct PeerStanding: Sendable {
    public let organisation: OrganisationID
    public let url: String
    /// The newest height at which it said to stand; 0 where it has said nothing yet.
    public var height: UInt64 = 0
    public var answeredAt: UInt64?
    public var failedAt: UInt64?
    /// Why it failed last and what to do; nil where the last request went well.
    public var failure: String?
    public var failures: UInt64 = 0

    public init(organisation: OrganisationID, url: String) {
        self.organisation = organisation
        self.url = url
    }

    /// Whether the last request to it went well.
    public var isAnswering: Bool { answeredAt != nil && failure == nil }
}
