public import Chain

/// Where the gateway finds the snapshots that it hands out; whoever runs the node decides where they lie.
public struct SnapshotShelf: Sendable {
    /// The heights of which there is one, ascending.
    public let heights: @Sendable () throws -> [UInt64]
    /// A snapshot's manifest; none where there is no such one.
    public let manifest: @Sendable (_ height: UInt64) throws -> SnapshotManifest?
    /// A chunk's bytes, by its index in the manifest; none where there is no such one.
    public let chunk: @Sendable (_ height: UInt64, _ index: Int) throws -> [UInt8]?

    public init(
        heights: @escaping @Sendable () throws -> [UInt64],
        manifest: @escaping @Sendable (_ height: UInt64) throws -> SnapshotManifest?,
        chunk: @escaping @Sendable (_ height: UInt64, _ index: Int) throws -> [UInt8]?
    ) {
        self.heights = heights
        self.manifest = manifest
        self.chunk = chunk
    }

    /// Of the newest ones, as many are listed.
    static let listedMax = 16
}
