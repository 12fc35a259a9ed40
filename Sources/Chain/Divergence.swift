public import Crypto
public import Ledger

/// A height at which a node computed another header than a quorum certified.
public struct Divergence: Sendable, Equatable {
    /// What this node computed.
    public let header: Header
    public let roots: SubRoots
    /// Hash of the certified header.
    public let certified: Digest

    public init(header: Header, roots: SubRoots, certified: Digest) {
        self.header = header
        self.roots = roots
        self.certified = certified
    }

    /// Where the two come apart.
    public struct Difference: Sendable, Equatable {
        /// The name of the first table whose sub-root differs, or of a member of the header.
        public let part: String
        /// The table's sub-roots; nil where it is a member of the header.
        public let roots: Roots?
        /// Whose node showed what was certified.
        public let peer: OrganisationID

        public init(part: String, roots: Roots?, peer: OrganisationID) {
            self.part = part
            self.roots = roots
            self.peer = peer
        }

        /// Of one table; zero where it is empty.
        public struct Roots: Sendable, Equatable {
            public let own: Digest
            public let certified: Digest

            public init(own: Digest, certified: Digest) {
                self.own = own
                self.certified = certified
            }
        }
    }

    /// Where the two come apart. A table is named wherever one differs, also where the parents do: a certificate may
    /// come for a later height than the first that differs.
    /// - Parameters:
    ///   - other: the certified header, as a peer has it; believed only for its hash.
    ///   - otherRoots: its tables' sub-roots; believed only for their digest, which that header holds.
    ///   - peer: who has shown them.
    /// - Returns: nil where these are not what was certified.
    public func difference(
        from other: Header, roots otherRoots: SubRoots, shownBy peer: OrganisationID
    ) -> Difference? {
        guard other.hash == certified, otherRoots.stateRoot == other.state else { return nil }
        func member(_ name: String) -> Difference { Difference(part: name, roots: nil, peer: peer) }
        // Other bytes of an entry explain all that follows from it.
        if header.entry != other.entry { return member("entry") }
        if let table = roots.firstDifference(from: otherRoots) {
            return Difference(
                part: table, roots: .init(own: roots[named: table], certified: otherRoots[named: table]), peer: peer)
        }
        if header.receipts != other.receipts { return member("receipts") }
        if header.transactions != other.transactions { return member("transactions") }
        if header.time != other.time || header.certificate != other.certificate { return member("time") }
        if header.rulesVersion != other.rulesVersion { return member("rulesVersion") }
        return member(header.parent == other.parent ? "validators" : "parent")
    }
}
