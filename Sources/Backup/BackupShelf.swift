/// What backups a place has.
public enum BackupShelf {
    public struct Entry: Sendable {
        public let height: UInt64
        /// Its manifest, or why that is of no use.
        public let manifest: Result<BackupManifest, BackupError>
    }

    /// Ascending by height.
    public static func list(_ place: any BackupPlace) throws(BackupError) -> [Entry] {
        BackupNames.heights(try place.names()).map { height in
            Entry(
                height: height,
                manifest: Result { () throws(BackupError) in try BackupReader.manifest(place, height) })
        }
    }
}
