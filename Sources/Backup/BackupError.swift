public import Crypto
public import Node
public import Storage

/// Why a backup was not made, or is not taken.
public enum BackupError: Error, Sendable, CustomStringConvertible {
    /// The place cannot be used: what was tried, and what it says.
    case place(String, reason: String)
    /// No backup is there, or none of the height.
    case none(UInt64?, in: String)
    /// One of this height is there already.
    case exists(UInt64)
    /// Something of a backup is not there.
    case missing(String)
    /// Bytes are not those that the manifest names.
    case differs(String)
    /// Bytes are nothing that a backup has.
    case malformed(String, reason: String)
    /// A manifest's signature is not that of whom it names.
    case signature(UInt64)
    /// A manifest is signed by another than the one it has to be of.
    case signer(UInt64, found: PublicKey, wanted: PublicKey)
    case genesis(UInt64)
    case recipient(given: PublicKey, recipients: [PublicKey])
    case recipients(ParcelError)
    /// The blocks of the archive are not a chain, or not certified.
    case archive(height: UInt64, reason: String)
    case snapshot(SnapshotError)
    case storage(StorageError)
    case refused(String)
    /// Whoever makes it was told to end.
    case ended

    /// A short, stable name.
    public var code: String {
        switch self {
        case .place: "backup-place"
        case .none: "backup-none"
        case .exists: "backup-exists"
        case .missing: "backup-missing"
        case .differs: "backup-differs"
        case .malformed: "backup-malformed"
        case .signature, .signer: "backup-signer"
        case .genesis: "backup-genesis"
        case .recipient, .recipients: "backup-recipient"
        case .archive: "backup-archive"
        case .snapshot: "backup-snapshot"
        case .storage(let error): "storage-\(error.code.rawValue)"
        case .refused: "backup-refused"
        case .ended: "backup-ended"
        }
    }

    public var description: String {
        switch self {
        case .place(let what, let reason): "cannot \(what): \(reason)"
        case .none(let height, let place):
            "there is no backup \(height.map { "of height \($0) " } ?? "")in \(place)"
        case .exists(let height):
            "a backup of height \(height) is there already; the chain has to move on before another one makes sense"
        case .missing(let name):
            "\(name) is not there, though the manifest names it; take another backup" + Self.advice(name)
        case .differs(let name):
            "\(name) is not what the manifest names: it was changed or cut short; "
                + (BackupNames.isBlocks(name) ? "take it away, and take another backup" : "take another backup")
                + Self.advice(name)
        case .malformed(let name, let reason): "\(name) is nothing that belongs to a backup: \(reason)"
        case .signature(let height):
            "the signature of the manifest of height \(height) does not hold: it was changed, or never signed by whom "
                + "it names"
        case .signer(let height, let found, let wanted):
            "the manifest of height \(height) is signed by \(found), and \(wanted) was to have signed it"
        case .genesis(let height): "the backup of height \(height) is of a chain with another genesis"
        case .recipient(let given, let recipients):
            "the backup is addressed to \(recipients.map(\.description).joined(separator: ", ")), and the key that was "
                + "given is \(given)"
        case .recipients(let error): "\(error)"
        case .archive(let height, let reason): "the archive of blocks does not hold at height \(height): \(reason)"
        case .snapshot(let error): "\(error)"
        case .storage(let error): "\(error)"
        case .refused(let reason): reason
        case .ended: "the work was ended before it was done"
        }
    }

    /// Later backups refer to the same blocks.
    private static func advice(_ name: String) -> String {
        BackupNames.isBlocks(name) ? ", which writes all blocks anew" : ""
    }
}
