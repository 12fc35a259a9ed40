import Intake
import Testing

@Suite struct MoneyTests {
    private static let plain = MoneyFormat()
    private static let yuan = MoneyFormat(thousands: 0x2C, signs: ["￥", "元", "CNY", "RMB"])
    private static let euro = MoneyFormat(decimal: 0x2C, thousands: 0x2E, signs: ["€"])
    private static let swiss = MoneyFormat(thousands: 0x27, signs: ["CHF"])
    private static let french = MoneyFormat(decimal: 0x2C, thousands: 0x20, decimals: 3)

    @Test(
        arguments: [
            (plain, "0", 0), (plain, "1500.4", 150_040), (plain, "99.9", 9990), (plain, "144.0", 14400),
            (plain, ".5", 50),
            (plain, " 12 ", 1200), (plain, "-3.20", -320), (plain, "+3.20", 320), (plain, "007", 700),
            (plain, "92233720368547758.07", Int64.max), (plain, "-92233720368547758.07", -Int64.max),
            (yuan, "￥1,234.50", 123_450), (yuan, "¥1,234.50", 123_450), (yuan, "￥１，２３４．５０", 123_450),
            (yuan, "1234.5", 123_450), (yuan, "-￥5", -500), (yuan, "￥-5", -500), (yuan, "￥ －５", -500),
            (yuan, "1,234元", 123_400), (yuan, "CNY 12.30", 1230), (yuan, "１２．３０　RMB", 1230),
            (yuan, "1,234,567", 123_456_700),
            (euro, "1.234,50 €", 123_450), (euro, "1.234", 123_400), (euro, "€ 0,07", 7),
            (swiss, "CHF 1'234.50", 123_450), (swiss, "1’234.50", 123_450),
            (french, "1 234,567", 1_234_567), (french, "1\u{202F}234,5", 1_234_500),
            (french, "\u{2212}1\u{A0}000", -1_000_000),
        ] as [(MoneyFormat, String, Int64)])
    func amounts(format: MoneyFormat, text: String, minor: Int64) {
        #expect(format.parse(Array(text.utf8)[...]) == .amount(minor))
    }

    @Test(
        arguments: [
            (plain, "", "is empty"), (plain, "   ", "is empty"), (yuan, "　", "is empty"),
            (plain, "abc", "“abc” is not an amount of money"), (plain, "1e3", "not an amount"),
            (plain, "5.", "not an amount"),
            (plain, ".", "not an amount"), (plain, "-", "not an amount"), (plain, "--1", "not an amount"),
            (plain, "1,234.50", "not an amount"), (plain, "￥5", "not an amount"), (plain, "1.2.3", "not an amount"),
            (plain, "(5.00)", "not an amount"), (plain, "1 2", "not an amount"), (plain, "0x10", "not an amount"),
            (plain, "NaN", "not an amount"), (plain, "٣", "not an amount"), (plain, "+-1", "not an amount"),
            (yuan, "1,23", "not an amount"), (yuan, "1,2345", "not an amount"), (yuan, ",123", "not an amount"),
            (yuan, "1234,567", "not an amount"), (yuan, "1,234.5,6", "not an amount"),
            (yuan, "1,,234", "not an amount"),
            (yuan, "￥", "not an amount"), (yuan, "$5", "not an amount"), (yuan, "1,23.45", "not an amount"),
            (plain, "1.234", "“1.234” has 3 decimals; the mapping allows 2"), (euro, "1,500", "has 3 decimals"),
            (plain, "92233720368547758.08", "is too large an amount"),
            (plain, "99999999999999999999999", "is too large"),
            (plain, "100000000000000000", "is too large"),
        ] as [(MoneyFormat, String, String)])
    func refusals(format: MoneyFormat, text: String, reason: String) {
        guard case .refused(let said) = format.parse(Array(text.utf8)[...]) else {
            Issue.record("“\(text)” was accepted")
            return
        }
        #expect(said.contains(reason))
    }

    @Test func longestSignFirst() {
        let format = MoneyFormat(signs: ["R", "R$"])
        #expect(format.parse(Array("R$ 5".utf8)[...]) == .amount(500))
    }

    @Test func rates() {
        let perReal = EarningRate(points: 1, per: 100)
        #expect(perReal.points(for: 199, unitDecimals: 0) == 1)
        #expect(perReal.points(for: 99, unitDecimals: 0) == 0)
        #expect(perReal.points(for: 199, unitDecimals: 2) == 199)
        #expect(EarningRate(points: 2, per: 300).points(for: 1000, unitDecimals: 0) == 6)
        #expect(EarningRate(points: 7, per: 3).points(for: 10, unitDecimals: 1) == 233)
        #expect(perReal.points(for: UInt64(Int64.max), unitDecimals: 2) == UInt64(Int64.max))
        #expect(perReal.points(for: UInt64(Int64.max), unitDecimals: 3) == nil)
        #expect(EarningRate(points: EarningRate.pointsMax, per: 1).points(for: .max, unitDecimals: 4) == nil)
    }
}
