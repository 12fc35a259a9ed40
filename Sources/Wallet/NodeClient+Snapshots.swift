import Canonical
public import Chain
public import Wire

/// Snapshots that a node hands out. Needs the identity of a validator or an observer. Nothing of them is believed here:
/// whoever restores one checks it.
extension NodeClient {
    /// Newest first.
    public func snapshots() throws(NodeClientError) -> [SnapshotSummary] {
        try read("/v1/snapshots", needsToken: true).value("snapshots", .snapshots)
    }

    /// The manifest of a snapshot that the node has.
    public func snapshotManifest(_ height: UInt64) throws(NodeClientError) -> SnapshotManifest {
        try decode(try readBytes("/v1/snapshots/\(height)", needsToken: true), "manifest of the snapshot of \(height)")
    }

    /// A chunk's bytes, by its index in the manifest.
    public func snapshotChunk(_ height: UInt64, _ index: Int) throws(NodeClientError) -> [UInt8] {
        try readBytes("/v1/snapshots/\(height)/chunks/\(index)", needsToken: true)
    }
}
