import Ledger

/// Which backups stay: the newest ones, and one for each of the last days, weeks and months that had any.
public struct Retention: Sendable, Equatable {
    /// At least one.
    public let newest: Int
    public let days: Int
    public let weeks: Int
    public let months: Int

    public static let countMax = 1000
    /// What is kept where nothing else is said.
    public static let standard = Retention(newest: 3, days: 7, weeks: 4, months: 12)

    public init(newest: Int, days: Int = 0, weeks: Int = 0, months: Int = 0) {
        precondition(newest > 0, "the newest backup stays")
        self.newest = newest
        self.days = days
        self.weeks = weeks
        self.months = months
    }

    /// Weeks begin on Monday, and all times are UTC, so that it does not matter where the machine is.
    /// - Parameter backups: height and time (milliseconds since 1970), ascending by height.
    /// - Returns: the heights that stay. Of a day, a week or a month it is the newest.
    public func keeps(_ backups: [(height: UInt64, time: UInt64)]) -> Set<UInt64> {
        let descending = backups.reversed()
        var kept = Set(descending.prefix(newest).map(\.height))
        for (count, period) in [(days, Self.day), (weeks, Self.week), (months, Self.month)] {
            var seen: Set<UInt64> = []
            for backup in descending where seen.count < count && seen.insert(period(backup.time)).inserted {
                kept.insert(backup.height)
            }
        }
        return kept
    }

    private static func day(_ time: UInt64) -> UInt64 { time / 86_400_000 }

    /// 1 January 1970 was a Thursday.
    private static func week(_ time: UInt64) -> UInt64 { (day(time) + 3) / 7 }

    private static func month(_ time: UInt64) -> UInt64 {
        let date = CivilDate(localDay: Int64(day(time)))
        return UInt64(12 * date.year + date.month)
    }
}

extension BackupWriter {
    /// Takes away what need not stay, and what belongs to no backup: left by one that was cut off.
    /// - Parameter kept: never taken away: the one that was made just now.
    /// - Returns: heights of the backups that were taken away.
    /// - Throws: ``BackupError``. Where a manifest cannot be read nothing is taken away, since what it names is not
    ///   known.
    public func tidy(_ retention: Retention, keeping kept: UInt64) throws(BackupError) -> [UInt64] {
        let names = try place.names()
        var manifests: [BackupManifest] = []
        for height in BackupNames.heights(names) { manifests.append(try BackupReader.manifest(place, height)) }
        // Of another node's or another chain's backups the place is not this one's to tidy.
        guard manifests.allSatisfy({ $0.genesis == genesis.hash && $0.organisation == organisation }) else {
            throw .refused(
                "backups of another node lie in \(place.title): nothing was taken away; give each node a place")
        }
        let staying = retention.keeps(manifests.map { ($0.height, $0.blockTime) }).union([kept])
        let gone = manifests.filter { !staying.contains($0.height) }
        // A backup without a manifest is none, whatever else of it is still there.
        for manifest in gone { try place.remove(BackupNames.manifest(manifest.height)) }
        var belonging: Set<String> = []
        for manifest in manifests where staying.contains(manifest.height) {
            belonging.insert(BackupNames.manifest(manifest.height))
            for index in manifest.parts.indices { belonging.insert(BackupNames.part(manifest.height, index)) }
            for segment in manifest.archive { belonging.insert(BackupNames.segment(segment)) }
        }
        for name in names where BackupNames.isOurs(name) && !belonging.contains(name) { try place.remove(name) }
        return gone.map(\.height)
    }
}
