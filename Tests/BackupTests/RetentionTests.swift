import Foundation
import TestSupport
import Testing

@testable import Backup

@Suite struct RetentionTests {
    /// The same by a calendar that others have made: a backup stays where it is among the newest, or the last of one
    /// of the newest days, weeks or months.
    private func model(_ retention: Retention, _ backups: [(height: UInt64, time: UInt64)]) -> Set<UInt64> {
        var calendar = Calendar(identifier: .iso8601)
        calendar.timeZone = TimeZone(identifier: "UTC")!
        var kept = Set(backups.suffix(retention.newest).map(\.height))
        for (count, component) in [
            (retention.days, Calendar.Component.day), (retention.weeks, .weekOfYear), (retention.months, .month),
        ] {
            var last: [Date: UInt64] = [:]
            for backup in backups {
                let date = Date(timeIntervalSince1970: Double(backup.time) / 1000)
                last[calendar.dateInterval(of: component, for: date)!.start] = backup.height
            }
            for start in last.keys.sorted().suffix(count) { kept.insert(last[start]!) }
        }
        return kept
    }

    @Test(arguments: 0..<60) func itKeepsWhatACalendarSays(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let retention = Retention(
            newest: .random(in: 1...4, using: &random), days: .random(in: 0...8, using: &random),
            weeks: .random(in: 0...6, using: &random), months: .random(in: 0...14, using: &random))
        var time = UInt64.random(in: 0...2_000_000_000_000, using: &random)
        var backups: [(height: UInt64, time: UInt64)] = []
        for index in 0..<Int.random(in: 1...200, using: &random) {
            time += UInt64.random(in: 1...(seed % 2 == 0 ? 86_400_000 : 700_000_000), using: &random)
            backups.append((UInt64(index + 1), time))
        }
        #expect(retention.keeps(backups) == model(retention, backups))
        #expect(retention.keeps(backups).contains(backups.last!.height))
    }
}
