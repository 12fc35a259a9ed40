import TestSupport
import Testing

@testable import Ledger

/// The last millisecond of a day in the program's zone.
struct ExpiryTests {
    static let shanghai = [ZoneOffset(from: 0, minutes: 480)]
    static let newYork = [
        ZoneOffset(from: 0, minutes: -300), ZoneOffset(from: 1_710_054_000_000, minutes: -240),
        ZoneOffset(from: 1_730_613_600_000, minutes: -300),
    ]
    /// Moves at 00:00 and 01:00 local time.
    static let azores = [
        ZoneOffset(from: 0, minutes: -60), ZoneOffset(from: 1_711_846_800_000, minutes: 0),
        ZoneOffset(from: 1_729_990_800_000, minutes: -60),
    ]
    /// Moves at midnight: one day ends an hour later on the clock than it seems.
    static let beirut = [
        ZoneOffset(from: 0, minutes: 120), ZoneOffset(from: 1_711_836_000_000, minutes: 180),
        ZoneOffset(from: 1_729_976_400_000, minutes: 120),
    ]
    /// Had no 30 December 2011.
    static let apia = [ZoneOffset(from: 0, minutes: -600), ZoneOffset(from: 1_325_239_200_000, minutes: 840)]

    static func day(_ year: Int, _ month: Int, _ day: Int, hour: UInt64 = 0) -> UInt64 {
        UInt64(ModelCalendar.shared.index(year, month, day)) * 86_400_000 + hour * 3_600_000
    }

    static func expiry(_ policy: ExpiryPolicy?, _ zone: [ZoneOffset], earned: UInt64) -> UInt64 {
        Book.program(expiry: policy, zone: policy == nil ? [] : zone).expiry(earnedAt: earned)
    }

    /// The ends of days were taken from the IANA tables by another program.
    static let vectors: [(policy: ExpiryPolicy, zone: [ZoneOffset], earned: UInt64, end: UInt64)] = [
        // 31 January and a month: the leap day, the 28th, and from a leap day to the 28th.
        (.months(1), shanghai, day(2024, 1, 31, hour: 4), 1_709_222_399_999),
        (.months(13), shanghai, day(2024, 1, 31, hour: 4), 1_740_758_399_999),
        (.months(12), shanghai, day(2024, 2, 29, hour: 4), 1_740_758_399_999),
        (.yearEnds(0), shanghai, day(2024, 6, 1), 1_735_660_799_999),
        // The last and the first millisecond of a local year.
        (.yearEnds(0), shanghai, 1_735_660_799_999, 1_735_660_799_999),
        (.yearEnds(0), shanghai, 1_735_660_800_000, 1_735_660_799_999 + 365 * 86_400_000),
        // On either side of local midnight.
        (.days(1), shanghai, 1_709_222_399_999, 1_709_222_399_999 + 86_400_000),
        (.days(1), shanghai, 1_709_222_400_000, 1_709_222_399_999 + 2 * 86_400_000),
        // Days of 23 and 25 hours.
        (.days(8), newYork, day(2024, 3, 1, hour: 12), 1_710_046_799_999),
        (.days(9), newYork, day(2024, 3, 1, hour: 12), 1_710_129_599_999),
        (.days(1), newYork, day(2024, 11, 1, hour: 12), 1_730_606_399_999),
        (.days(2), newYork, day(2024, 11, 1, hour: 12), 1_730_696_399_999),
        (.yearEnds(0), newYork, day(2024, 3, 1), 1_735_707_599_999),
        (.days(1), azores, day(2024, 3, 29, hour: 12), 1_711_846_799_999),
        (.days(2), azores, day(2024, 3, 29, hour: 12), 1_711_929_599_999),
        (.days(1), azores, day(2024, 10, 25, hour: 12), 1_729_987_199_999),
        (.days(2), azores, day(2024, 10, 25, hour: 12), 1_730_077_199_999),
        (.days(1), beirut, day(2024, 3, 29, hour: 12), 1_711_835_999_999),
        (.days(1), beirut, day(2024, 10, 25, hour: 12), 1_729_979_999_999),
        (.days(9), apia, day(2011, 12, 20, hour: 22), 1_325_239_199_999),
        (.days(10), apia, day(2011, 12, 20, hour: 22), 1_325_239_199_999),
        (.days(11), apia, day(2011, 12, 20, hour: 22), 1_325_325_599_999),
    ]

    @Test(arguments: vectors.indices) func vector(_ index: Int) {
        let (policy, zone, earned, end) = Self.vectors[index]
        #expect(Self.expiry(policy, zone, earned: earned) == end)
    }

    @Test func withoutAPolicyNothingEnds() {
        #expect(Self.expiry(nil, [], earned: Book.start) == LotTerms.noExpiry)
    }

    /// Against the definition, by another calendar, also where the clock is moved over midnight.
    @Test func randomZonesAgreeWithTheDefinition() {
        let seed: UInt64 = 20_240_229
        var random = SeededGenerator(seed: seed)
        for round in 0..<5000 {
            var from: UInt64 = 0
            var zone: [ZoneOffset] = []
            let earned = UInt64.random(in: 0..<3_000_000_000_000, using: &random)
            for _ in 0..<Int.random(in: 1...5, using: &random) {
                zone.append(ZoneOffset(from: from, minutes: Int16.random(in: -900...900, using: &random)))
                // Some of the moves fall near what is asked.
                let near =
                    Bool.random(using: &random) ? earned + UInt64.random(in: 0..<(40 * 86_400_000), using: &random) : 0
                from = max(from + UInt64.random(in: 1..<(90 * 86_400_000), using: &random), near)
            }
            let policy: ExpiryPolicy =
                switch round % 3 {
                case 0: .days(UInt16.random(in: 1...60, using: &random))
                case 1: .months(UInt16.random(in: 1...120, using: &random))
                default: .yearEnds(UInt16.random(in: 0...10, using: &random))
                }
            let program = Book.program(expiry: policy, zone: zone)
            let ours = program.expiry(earnedAt: earned)
            let theirs = ModelCalendar.shared.expiry(program, earnedAt: earned)
            #expect(ours == theirs, "seed \(seed), round \(round): \(policy) from \(earned) in \(zone)")
        }
    }

    @Test func civilDatesAgreeWithCountedOnes() {
        for (index, date) in ModelCalendar.shared.dates.enumerated() {
            let civil = CivilDate(localDay: Int64(index))
            let same = civil.year == date.year && civil.month == date.month && civil.dayOfMonth == date.day
            #expect(same && civil.day == Int64(index))
        }
    }

    @Test(arguments: [0, 1, UInt64(Int64.max) - 1, UInt64(Int64.max), UInt64.max])
    func noTimeTraps(_ time: UInt64) {
        for policy in [.days(3650), .months(120), .yearEnds(10)] as [ExpiryPolicy] {
            for minutes in [-900, 0, 900] as [Int16] {
                let end = Self.expiry(policy, [ZoneOffset(from: 0, minutes: minutes)], earned: time)
                #expect(end < LotTerms.noExpiry)
            }
        }
    }
}
