public import Crypto

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

    /// Where the two come apart: the name of the first table whose sub-root differs, or of a member of the header.
    /// - Parameters:
    ///   - other: the certified header, as a peer has it; believed only for its hash.
    ///   - otherRoots: its tables' sub-roots.
    /// - Returns: nil where these are not what was certified.
    public func part(other: Header, otherRoots: SubRoots) -> String? {
        guard other.hash == certified, otherRoots.stateRoot == other.state else { return nil }
        if header.parent != other.parent { return "parent" }
        if header.entry != other.entry { return "entry" }
        if header.state != other.state, let table = roots.firstDifference(from: otherRoots) { return table }
        if header.receipts != other.receipts { return "receipts" }
        if header.transactions != other.transactions { return "transactions" }
        if header.time != other.time || header.certificate != other.certificate { return "time" }
        if header.rulesVersion != other.rulesVersion { return "rulesVersion" }
        return "validators"
    }
}
