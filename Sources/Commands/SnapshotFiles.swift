import Canonical
import Chain
import Gateway
import Node
import Terminal

/// Where snapshots lie: `HEIGHT/manifest` and `HEIGHT/chunk-N` in one directory. A manifest is written last, so one
/// without it is none.
struct SnapshotFiles: Sendable {
    let path: String

    private func directory(_ height: UInt64) -> String { path + "/\(height)" }
    private func manifestPath(_ height: UInt64) -> String { directory(height) + "/manifest" }
    private func chunkPath(_ height: UInt64, _ index: Int) -> String { directory(height) + "/chunk-\(index)" }

    /// Ascending.
    func heights() throws -> [UInt64] {
        try Files.names(in: path)
            .compactMap { name in UInt64(name).flatMap { String($0) == name ? $0 : nil } }
            .filter { Files.exists(manifestPath($0)) }.sorted()
    }

    func manifest(_ height: UInt64) throws -> SnapshotManifest? {
        let file = manifestPath(height)
        guard Files.exists(file) else { return nil }
        let bytes = try Files.read(file, max: SnapshotManifest.bytesMax)
        do { return try SnapshotManifest(canonicalBytes: bytes) } catch {
            throw CommandError(
                code: "snapshot-invalid", field: file,
                reason: "the file is no manifest of a snapshot, or was changed: \(error)")
        }
    }

    func chunk(_ height: UInt64, _ index: Int) throws -> [UInt8]? {
        let file = chunkPath(height, index)
        return Files.exists(file) ? try Files.read(file, max: SnapshotManifest.Chunk.bytesMax) : nil
    }

    /// Begins a snapshot: its directory, without a manifest.
    func begin(_ height: UInt64) throws {
        guard !Files.exists(manifestPath(height)) else {
            throw CommandError(
                code: "snapshot-exists", field: directory(height),
                reason: "a snapshot of height \(height) is there already")
        }
        try Files.makeDirectory(path)
        try Files.makeDirectory(directory(height))
    }

    /// Takes away what was written of a snapshot that did not come to its end.
    func abandon(_ height: UInt64) { Files.removeTree(directory(height)) }

    func write(_ bytes: [UInt8], _ height: UInt64, chunk index: Int) throws {
        try Files.write(bytes, to: chunkPath(height, index))
    }

    func write(_ manifest: SnapshotManifest) throws {
        let bytes = manifest.canonicalBytes
        guard bytes.count <= SnapshotManifest.bytesMax else {
            throw CommandError(
                code: "snapshot-too-large", field: manifestPath(manifest.height),
                reason: "the manifest would have \(bytes.count) bytes, more than \(SnapshotManifest.bytesMax)")
        }
        try Files.write(bytes, to: manifestPath(manifest.height))
    }

    /// As the HTTP interface hands them out.
    var shelf: SnapshotShelf { SnapshotShelf(heights: heights, manifest: manifest, chunk: chunk) }
}
