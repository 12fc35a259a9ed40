import Ledger

/// Dates by counting days one after the other, and the expiry of points by its definition: the last instant at which
/// the program's local date is not past the last day. Nothing of it is shared with the ledger's own arithmetic.
struct ModelCalendar {
    struct Date: Hashable {
        var year: Int
        var month: Int
        var day: Int
    }

    /// Index: days since 1970-01-01.
    let dates: [Date]
    private let indexes: [Date: Int]

    static let shared = ModelCalendar()

    private init() {
        var dates: [Date] = []
        var indexes: [Date: Int] = [:]
        for year in 1970...2150 {
            for month in 1...12 {
                for day in 1...Self.length(year, month) {
                    let date = Date(year: year, month: month, day: day)
                    indexes[date] = dates.count
                    dates.append(date)
                }
            }
        }
        self.dates = dates
        self.indexes = indexes
    }

    static func length(_ year: Int, _ month: Int) -> Int {
        let leap = year % 400 == 0 || (year % 4 == 0 && year % 100 != 0)
        return [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
    }

    func index(_ year: Int, _ month: Int, _ day: Int) -> Int { indexes[Date(year: year, month: month, day: day)]! }

    static func localDay(_ time: UInt64, _ zone: [ZoneOffset]) -> Int {
        var minutes = 0
        for offset in zone where offset.from <= time { minutes = Int(offset.minutes) }
        let local = Int(time) + minutes * 60_000
        let day = local / 86_400_000
        return local % 86_400_000 < 0 ? day - 1 : day
    }

    func expiry(_ program: Program, earnedAt time: UInt64) -> UInt64 {
        guard let policy = program.expiry else { return UInt64.max }
        let today = Self.localDay(time, program.zone)
        let last: Int
        switch policy {
        case .days(let days): last = today + Int(days)
        case .yearEnds(let years): last = index(dates[today].year + Int(years), 12, 31)
        case .months(let months):
            var date = dates[today]
            for _ in 0..<months {
                date.month += 1
                if date.month > 12 { (date.year, date.month) = (date.year + 1, 1) }
            }
            last = index(date.year, date.month, min(date.day, Self.length(date.year, date.month)))
        }
        // A day can end only where the clock of one of the offsets strikes midnight, or just before it is moved.
        var candidates: [Int] = []
        for offset in program.zone {
            candidates.append((last + 1) * 86_400_000 - Int(offset.minutes) * 60_000 - 1)
            candidates.append(Int(offset.from) - 1)
        }
        let ends = candidates.filter {
            $0 >= 0 && Self.localDay(UInt64($0), program.zone) <= last
                && Self.localDay(UInt64($0) + 1, program.zone) > last
        }
        return UInt64(ends.max()!)
    }
}
