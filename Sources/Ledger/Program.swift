public import Canonical

/// What an issuer publishes of a unit: one version of its terms.
public struct Program: Sendable, Equatable {
    public let unit: UnitCode
    /// Digits after the point when amounts are shown, 0 to 4. Never changes.
    public let decimals: UInt8
    /// ISO 4217, three capital letters. Never changes.
    public let currency: String
    /// What `facePoints` smallest parts are worth, in the currency's minor units.
    public let faceMinor: UInt64
    public let facePoints: UInt64
    /// None: points of this version do not expire.
    public let expiry: ExpiryPolicy?
    /// The program's zone as offsets from UTC, each valid from an instant on; the first from 0. Never a name, since
    /// hosts' zone tables differ. Empty where there is no expiry.
    public let zone: [ZoneOffset]

    public static let decimalsMax: UInt8 = 4
    public static let zoneOffsetsMax = 256

    public init(
        unit: UnitCode, decimals: UInt8 = 0, currency: String, faceMinor: UInt64, facePoints: UInt64,
        expiry: ExpiryPolicy? = nil, zone: [ZoneOffset] = []
    ) {
        self.unit = unit
        self.decimals = decimals
        self.currency = currency
        self.faceMinor = faceMinor
        self.facePoints = facePoints
        self.expiry = expiry
        self.zone = zone
    }

    /// The expiry of a lot earned at `time`: the last millisecond of a day in the program's zone; none is
    /// ``LotTerms/noExpiry``.
    public func expiry(earnedAt time: UInt64) -> UInt64 {
        guard let expiry else { return LotTerms.noExpiry }
        let local = CivilDate(localDay: localDay(of: time))
        let last: Int64
        switch expiry {
        case .days(let days): last = local.day + Int64(days)
        case .months(let months): last = local.adding(months: Int64(months)).day
        case .yearEnds(let years): last = CivilDate(year: local.year + Int64(years), month: 12, dayOfMonth: 31).day
        }
        return endOfDay(last)
    }

    /// Times past the year 9999 count as its end, so that no time that a genesis may state overflows.
    private static let timeMax: UInt64 = 253_402_300_799_999

    private func localDay(of time: UInt64) -> Int64 {
        let time = min(time, Self.timeMax)
        let local = Int64(time) + offsetMilliseconds(at: time)
        return local >= 0
            ? local / ZoneOffset.dayMilliseconds : (local - ZoneOffset.dayMilliseconds + 1) / ZoneOffset.dayMilliseconds
    }

    /// The last instant whose local date is not past this day. Of each offset that is the local end of the day or,
    /// where the clock is moved over it, the instant before the move; an offset that begins only after the day has
    /// none.
    private func endOfDay(_ day: Int64) -> UInt64 {
        let localEnd = (day + 1) * ZoneOffset.dayMilliseconds - 1
        var end: UInt64 = 0
        for (index, offset) in zone.enumerated() {
            guard let last = UInt64(exactly: localEnd - offset.milliseconds), last >= offset.from else { continue }
            end = index + 1 < zone.count ? min(last, zone[index + 1].from - 1) : last
        }
        return end
    }

    private func offsetMilliseconds(at time: UInt64) -> Int64 {
        zone.last { $0.from <= time }?.milliseconds ?? 0
    }
}

/// When points of a program end. Counted from the day on which they were earned.
public enum ExpiryPolicy: Sendable, Equatable, Canonical {
    /// At the end of the day this many days later, 1 to 3,650.
    case days(UInt16)
    /// At the end of the same day this many months later, clamped to the month's end, 1 to 120.
    case months(UInt16)
    /// At the end of the year this many years later, 0 to 10.
    case yearEnds(UInt16)

    public func encode(to encoder: inout Encoder) {
        switch self {
        case .days(let count):
            encoder.variant(0)
            encoder.u16(count)
        case .months(let count):
            encoder.variant(1)
            encoder.u16(count)
        case .yearEnds(let count):
            encoder.variant(2)
            encoder.u16(count)
        }
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        let kind = try decoder.variant(below: 3)
        let count = try decoder.u16()
        switch kind {
        case 0 where (1...3650).contains(count): self = .days(count)
        case 1 where (1...120).contains(count): self = .months(count)
        case 2 where count <= 10: self = .yearEnds(count)
        default: throw decoder.refusal(.invalidValue)
        }
    }
}

/// From `from` (milliseconds since 1970 UTC) on, local time is UTC plus `minutes`.
public struct ZoneOffset: Sendable, Equatable, Canonical {
    public let from: UInt64
    public let minutes: Int16

    static let dayMilliseconds: Int64 = 86_400_000
    /// The widest offset that a zone has had is +14 hours; a little room above it.
    private static let minutesMax: Int16 = 15 * 60

    public init(from: UInt64, minutes: Int16) {
        self.from = from
        self.minutes = minutes
    }

    var milliseconds: Int64 { Int64(minutes) * 60_000 }

    public func encode(to encoder: inout Encoder) {
        encoder.u64(from)
        encoder.u16(UInt16(bitPattern: minutes))
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        from = try decoder.u64()
        minutes = Int16(bitPattern: try decoder.u16())
        guard (-Self.minutesMax...Self.minutesMax).contains(minutes) else { throw decoder.refusal(.invalidValue) }
    }
}

extension Program: Canonical {
    public func encode(to encoder: inout Encoder) {
        encoder.value(unit)
        encoder.u8(decimals)
        encoder.string(currency)
        encoder.u64(faceMinor)
        encoder.u64(facePoints)
        encoder.option(expiry)
        encoder.sequence(zone)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        unit = try decoder.value()
        decimals = try decoder.u8()
        currency = try decoder.string(max: 3)
        faceMinor = try decoder.u64()
        facePoints = try decoder.u64()
        expiry = try decoder.option()
        zone = try decoder.ascending(max: Self.zoneOffsetsMax, by: \.from)
        guard decimals <= Self.decimalsMax, currency.utf8.count == 3,
            currency.utf8.allSatisfy({ (0x41...0x5A).contains($0) }), faceMinor > 0, facePoints > 0,
            expiry == nil ? zone.isEmpty : zone.first?.from == 0
        else { throw decoder.refusal(.invalidValue) }
    }
}

/// A day of the proleptic Gregorian calendar, by integer arithmetic alone.
package struct CivilDate: Equatable {
    package let year: Int64
    package let month: Int64
    let dayOfMonth: Int64

    init(year: Int64, month: Int64, dayOfMonth: Int64) {
        self.year = year
        self.month = month
        self.dayOfMonth = dayOfMonth
    }

    /// The date of a day counted from 1970-01-01. Years are counted from March here, so that the leap day is the last.
    package init(localDay day: Int64) {
        let shifted = day + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        dayOfMonth = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// Days since 1970-01-01.
    var day: Int64 {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + dayOfMonth - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    /// The same day of a later month, or that month's last day where it has no such day (31 January → 28 February).
    func adding(months: Int64) -> CivilDate {
        let index = year * 12 + (month - 1) + months
        let newYear = index / 12
        let newMonth = index % 12 + 1
        return CivilDate(
            year: newYear, month: newMonth, dayOfMonth: min(dayOfMonth, Self.days(inMonth: newMonth, of: newYear)))
    }

    private static func days(inMonth month: Int64, of year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}
