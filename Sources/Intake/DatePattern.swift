/// A date format such as `yyyy-MM-dd HH:mm:ss` or `d/M/yyyy`, against the real calendar.
///
/// `yyyy` four digits; `MM` `dd` `HH` two; `M` `d` `H` one or two; `mm` `ss` two; `SSS` three; `XXX` an offset such as
/// `+08:00` or `Z`, `XX` one such as `+0800` or `Z`. Letters of the text itself stand between apostrophes; everything
/// else, such as `年`, stands for itself.
public struct DatePattern: Equatable, Sendable {
    private enum Part: Equatable, Sendable {
        case number(Field, digits: ClosedRange<Int>)
        case offset(colon: Bool)
        case literal([UInt8])
    }

    private enum Field: Int, Sendable {
        case year, month, day, hour, minute, second, millisecond
    }

    /// How far a zone can be from UTC.
    public static let offsetMinutesMax = 18 * 60

    public let text: String
    private let parts: [Part]
    /// Minutes east of UTC, for dates that name no zone themselves.
    public let offsetMinutes: Int

    /// - Parameter offsetMinutes: east of UTC, for dates that name no zone themselves.
    /// - Throws: a sentence in ``Refusal`` that says what of the pattern is not understood.
    public init(_ text: String, offsetMinutes: Int = 0) throws(Refusal) {
        self.text = text
        self.offsetMinutes = offsetMinutes
        var parts: [Part] = []
        var fields: Set<Int> = []
        var rest = Array(text.unicodeScalars)[...]
        func literal(_ scalar: Unicode.Scalar) {
            let bytes = Array(String(Character(scalar)).utf8)
            if case .literal(let before)? = parts.last {
                parts[parts.count - 1] = .literal(before + bytes)
            } else {
                parts.append(.literal(bytes))
            }
        }
        while let first = rest.first {
            if first == "'" {
                guard let closing = rest.dropFirst().firstIndex(of: "'") else {
                    throw Refusal("an apostrophe is not closed")
                }
                rest[(rest.startIndex + 1)..<closing].forEach(literal)
                rest = rest[(closing + 1)...]
                continue
            }
            guard first.isASCII, first.properties.isAlphabetic else {
                literal(first)
                rest = rest.dropFirst()
                continue
            }
            let run = rest.prefix { $0 == first }.count
            let word = String(String.UnicodeScalarView(rest.prefix(run)))
            rest = rest.dropFirst(run)
            let part = try Self.part(word)
            let key: Int
            switch part {
            case .number(let field, _): key = field.rawValue
            default: key = -1
            }
            guard fields.insert(key).inserted else { throw Refusal("\(word) repeats what the pattern already has") }
            if case .number(_, let digits)? = parts.last, digits.count > 1, case .number = part {
                throw Refusal("a number of one or two digits needs a sign between it and \(word)")
            }
            parts.append(part)
        }
        for (field, word) in [(Field.year, "yyyy"), (.month, "MM or M"), (.day, "dd or d")]
        where !fields.contains(field.rawValue) {
            throw Refusal("\(word) is missing")
        }
        self.parts = parts
    }

    /// What is not understood, in a sentence for a person.
    public struct Refusal: Error, Equatable, Sendable {
        public let reason: String
        init(_ reason: String) { self.reason = reason }
    }

    private static func part(_ word: String) throws(Refusal) -> Part {
        switch word {
        case "yyyy": return .number(.year, digits: 4...4)
        case "MM": return .number(.month, digits: 2...2)
        case "M": return .number(.month, digits: 1...2)
        case "dd": return .number(.day, digits: 2...2)
        case "d": return .number(.day, digits: 1...2)
        case "HH": return .number(.hour, digits: 2...2)
        case "H": return .number(.hour, digits: 1...2)
        case "mm": return .number(.minute, digits: 2...2)
        case "ss": return .number(.second, digits: 2...2)
        case "SSS": return .number(.millisecond, digits: 3...3)
        case "XXX": return .offset(colon: true)
        case "XX": return .offset(colon: false)
        default:
            throw Refusal(
                "\(word) is not understood; there are yyyy, MM, M, dd, d, HH, H, mm, ss, SSS, XXX and XX, "
                    + "and letters of the text stand between apostrophes")
        }
    }

    /// Milliseconds since 1970-01-01T00:00:00Z; nil when the text does not fit the pattern or there is no such day.
    public func milliseconds(_ text: ArraySlice<UInt8>) -> Int64? {
        // Year, month, day, hour, minute, second, millisecond.
        var values = (year: 0, month: 1, day: 1, hour: 0, minute: 0, second: 0, millisecond: 0)
        var offset = offsetMinutes
        var rest = text
        for part in parts {
            switch part {
            case .literal(let bytes):
                guard rest.starts(with: bytes) else { return nil }
                rest = rest.dropFirst(bytes.count)
            case .offset(let colon):
                guard let (minutes, length) = Self.offset(rest, colon: colon) else { return nil }
                offset = minutes
                rest = rest.dropFirst(length)
            case .number(let field, let digits):
                guard let value = Self.number(&rest, digits: digits) else { return nil }
                switch field {
                case .year: values.year = value
                case .month: values.month = value
                case .day: values.day = value
                case .hour: values.hour = value
                case .minute: values.minute = value
                case .second: values.second = value
                case .millisecond: values.millisecond = value
                }
            }
        }
        guard rest.isEmpty, values.year >= 1, (1...12).contains(values.month), values.hour <= 23, values.minute <= 59,
            values.second <= 59, values.day >= 1, values.day <= daysIn(month: values.month, year: values.year)
        else { return nil }
        let days = daysSince1970(year: values.year, month: values.month, day: values.day)
        let seconds = ((days * 24 + values.hour) * 60 + values.minute - offset) * 60 + values.second
        return Int64(seconds * 1000 + values.millisecond)
    }

    private static func number(_ rest: inout ArraySlice<UInt8>, digits: ClosedRange<Int>) -> Int? {
        var value = 0
        var count = 0
        while count < digits.upperBound, let byte = rest.first, isASCIIDigit(byte) {
            value = value * 10 + Int(byte - 0x30)
            count += 1
            rest = rest.dropFirst()
        }
        return count >= digits.lowerBound ? value : nil
    }

    /// Reads `Z`, `+08:00` or `+0800`: minutes east of UTC, and how many bytes that took.
    static func offset(_ text: ArraySlice<UInt8>, colon: Bool) -> (minutes: Int, length: Int)? {
        if text.first == UInt8(ascii: "Z") { return (0, 1) }
        guard let sign = text.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") else { return nil }
        var rest = text.dropFirst()
        guard let hours = number(&rest, digits: 2...2) else { return nil }
        if colon {
            guard rest.first == UInt8(ascii: ":") else { return nil }
            rest = rest.dropFirst()
        }
        guard let minutes = number(&rest, digits: 2...2), minutes <= 59 else { return nil }
        let total = hours * 60 + minutes
        guard total <= offsetMinutesMax else { return nil }
        return (sign == UInt8(ascii: "-") ? -total : total, colon ? 6 : 5)
    }
}

private func daysIn(month: Int, year: Int) -> Int {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
}

/// Days from 1970-01-01, by counting years from March so that the leap day is the last of its year.
private func daysSince1970(year: Int, month: Int, day: Int) -> Int {
    let y = month > 2 ? year : year - 1
    let era = y / 400
    let yearOfEra = y - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
}
