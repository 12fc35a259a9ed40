/// How money is written in a file, and how exactly it is kept.
///
/// An amount becomes a whole number of 10^-`decimals`. Full-width digits, signs and separators (`￥１，２３４．５０`) are the
/// same as their ASCII forms.
public struct MoneyFormat: Equatable, Sendable {
    /// What becomes of an amount below zero.
    public enum Negative: String, CaseIterable, Sendable {
        /// The row is rejected.
        case reject
        /// A row of a sum is subtracted; an order whose whole amount is below zero earns nothing.
        case nothing
    }

    /// The most decimals that can be kept.
    public static let decimalsMax = 4

    /// The sign between the whole part and the decimals.
    public var decimal: UInt8
    /// The sign between groups of three digits; nil where there is none.
    public var thousands: UInt8?
    /// What may stand before or after an amount, such as `￥` or `R$`, in its folded form.
    private var signs: [[UInt8]]
    /// How many decimals an amount may have.
    public var decimals: Int
    public var negative: Negative

    public init(
        decimal: UInt8 = 0x2E, thousands: UInt8? = nil, signs: [String] = [], decimals: Int = 2,
        negative: Negative = .reject
    ) {
        precondition((0...Self.decimalsMax).contains(decimals) && decimal != thousands)
        self.decimal = decimal
        self.thousands = thousands
        // The longest first, so that `R$` is not taken for a sign `R` and a stray `$`.
        self.signs = signs.map { Array(folded(Array($0.utf8)[...])) }.sorted { $0.count > $1.count }
        self.decimals = decimals
        self.negative = negative
    }

    /// An amount, or a sentence that says why it is none.
    public enum Parsed: Equatable, Sendable {
        case amount(Int64)
        case refused(String)
    }

    /// Reads one field.
    public func parse(_ field: ArraySlice<UInt8>) -> Parsed {
        var body = trimmed(folded(field))
        if body.isEmpty { return .refused("is empty") }
        var isNegative = false
        var hasSign = false
        // A minus or plus stands before or behind the currency sign, once.
        for _ in 0..<2 {
            if !hasSign, body.first == 0x2D || body.first == 0x2B {
                hasSign = true
                isNegative = body.first == 0x2D
                body = trimmed(body.dropFirst())
            }
            if let sign = signs.first(where: { body.starts(with: $0) }) { body = trimmed(body.dropFirst(sign.count)) }
        }
        if let sign = signs.first(where: { body.suffix($0.count).elementsEqual($0) }) {
            body = trimmed(body.dropLast(sign.count))
        }
        return number(body, isNegative: isNegative, field)
    }

    private func number(_ body: ArraySlice<UInt8>, isNegative: Bool, _ field: ArraySlice<UInt8>) -> Parsed {
        var value: Int64 = 0
        var fits = true
        var group = 0
        var hasGroups = false
        var fraction: Int?
        var hasDigits = false
        func append(_ digit: Int64) {
            let (product, tooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, carried) = product.addingReportingOverflow(digit)
            if tooLarge || carried { fits = false } else { value = sum }
        }
        for byte in body {
            if isASCIIDigit(byte) {
                hasDigits = true
                append(Int64(byte - 0x30))
                if let digits = fraction { fraction = digits + 1 } else { group += 1 }
            } else if byte == decimal, fraction == nil, !hasGroups || group == 3 {
                fraction = 0
            } else if let thousands, byte == thousands, fraction == nil,
                hasGroups ? group == 3 : (1...3).contains(group)
            {
                hasGroups = true
                group = 0
            } else {
                return .refused("\(quoted(field)) is not an amount of money")
            }
        }
        if !hasDigits || fraction == 0 || (hasGroups && fraction == nil && group != 3) {
            return .refused("\(quoted(field)) is not an amount of money")
        }
        let places = fraction ?? 0
        guard places <= decimals else {
            return .refused("\(quoted(field)) has \(places) decimals; the mapping allows \(decimals)")
        }
        for _ in places..<decimals { append(0) }
        return fits ? .amount(isNegative ? -value : value) : .refused("\(quoted(field)) is too large an amount")
    }
}

/// Full-width forms and the many blanks, minus signs and apostrophes as their plain forms; the bytes are valid UTF-8.
private func folded(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    guard bytes.contains(where: { $0 >= 0x80 }) else { return bytes }
    var output: [UInt8] = []
    for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
        let plain: Unicode.Scalar =
            switch scalar.value {
            case 0xFF01...0xFF5E: Unicode.Scalar(UInt8(scalar.value - 0xFEE0))
            case 0xFFE0: "\u{A2}"
            case 0xFFE1: "\u{A3}"
            case 0xFFE5: "\u{A5}"
            case 0xFFE6: "\u{20A9}"
            case 0xA0, 0x2007, 0x2009, 0x202F, 0x3000: " "
            case 0x2212: "-"
            case 0x2019: "'"
            default: scalar
            }
        output.append(contentsOf: String(Character(plain)).utf8)
    }
    return output[...]
}
