import Crypto

/// Where backups are kept: names and bytes, in a directory or in somebody's object store.
///
/// Names are made by ``BackupNames``: ASCII letters, digits, `-` and `/`. What stands under a name is there whole or
/// not at all, and a ``put(_:_:)`` that has returned outlives a power cut. Used from one thread.
public protocol BackupPlace: Sendable {
    /// As people know it, such as a path or a URL.
    var title: String { get }
    /// - Throws: ``BackupError`` `.place`.
    func put(_ name: String, _ bytes: [UInt8]) throws(BackupError)
    /// What stands under a name; nil where there is nothing.
    /// - Parameter max: more bytes are refused, and not read.
    func get(_ name: String, max: Int) throws(BackupError) -> [UInt8]?
    /// All names, in any order.
    func names() throws(BackupError) -> [String]
    /// Takes away what stands under a name, if anything does.
    func remove(_ name: String) throws(BackupError)
    /// Makes all calls that are under way and that come fail, from any thread: whoever makes a backup is to end.
    func cancel()
}

/// How backups lie in a place: `backups/HEIGHT/manifest` and `backups/HEIGHT/part-N`, and the blocks, of which each
/// backup adds what is new, as `blocks/FIRST-LAST-DIGEST`. Heights have 20 digits, so that names sort as they do.
enum BackupNames {
    static let backups = "backups/"
    static let blocks = "blocks/"

    static func manifest(_ height: UInt64) -> String { "\(backups)\(digits(height))/manifest" }
    static func part(_ height: UInt64, _ index: Int) -> String { "\(backups)\(digits(height))/part-\(index)" }

    /// With a part of the digest, so that two that were begun at the same block do not take each other's name.
    static func segment(_ segment: BackupManifest.Segment) -> String {
        "\(blocks)\(digits(segment.first))-\(digits(segment.last))-\(segment.object.digest.description.prefix(16))"
    }

    /// Whether a name is of those that backups have; others in a place are left alone.
    static func isOurs(_ name: String) -> Bool { name.hasPrefix(backups) || isBlocks(name) }

    static func isBlocks(_ name: String) -> Bool { name.hasPrefix(blocks) }

    /// The height whose backup a name belongs to.
    static func height(_ name: String) -> UInt64? {
        guard name.hasPrefix(backups) else { return nil }
        let text = name.dropFirst(backups.count).prefix { $0 != "/" }
        return text.utf8.count == 20 ? UInt64(text) : nil
    }

    /// Heights of the backups that have a manifest, ascending.
    static func heights(_ names: [String]) -> [UInt64] {
        names.compactMap { name in height(name).flatMap { manifest($0) == name ? $0 : nil } }.sorted()
    }

    private static func digits(_ height: UInt64) -> String {
        let text = String(height)
        return String(repeating: "0", count: 20 - text.utf8.count) + text
    }
}
