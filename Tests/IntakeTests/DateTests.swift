import Intake
import Testing

@Suite struct DateTests {
    @Test(arguments: [
        ("yyyy-MM-dd HH:mm:ss", 0, "1970-01-01 00:00:00", 0),
        ("yyyy-MM-dd HH:mm:ss", -180, "2017-07-09 21:57:05", 1_499_648_225_000),
        ("d/M/yyyy", 0, "5/8/2022", 1_659_657_600_000), ("d/M/yyyy", 180, "16/05/2021", 1_621_112_400_000),
        ("M/d/yyyy", 0, "2/29/2024", 1_709_164_800_000), ("yyyyMMdd", 0, "20000229", 951_782_400_000),
        ("yyyy年M月d日 HH:mm", 480, "2024年2月29日 08:00", 1_709_164_800_000),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", 0, "2024-02-29T08:00:00.250+08:00", 1_709_164_800_250),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", 0, "2024-02-29T00:00:00.250Z", 1_709_164_800_250),
        ("yyyy-MM-dd HH:mm:ss XX", 0, "2019-09-09 17:03:06 -0400", 1_568_062_986_000),
        ("yyyy-MM-dd", 0, "0001-01-01", -62_135_596_800_000), ("yyyy-MM-dd", 0, "9999-12-31", 253_402_214_400_000),
        ("yyyy-MM-dd", 0, "1969-12-31", -86_400_000), ("yyyy-MM-dd", 0, "1900-02-28", -2_203_977_600_000),
    ])
    func dates(pattern: String, offset: Int, text: String, milliseconds: Int) throws {
        let pattern = try DatePattern(pattern, offsetMinutes: offset)
        #expect(pattern.milliseconds(Array(text.utf8)[...]) == Int64(milliseconds))
    }

    @Test(arguments: [
        ("yyyy-MM-dd", "2023-02-29"), ("yyyy-MM-dd", "1900-02-29"), ("yyyy-MM-dd", "2024-04-31"),
        ("yyyy-MM-dd", "2024-13-01"), ("yyyy-MM-dd", "2024-00-10"), ("yyyy-MM-dd", "2024-01-00"),
        ("yyyy-MM-dd", "0000-01-01"), ("yyyy-MM-dd", "2024-1-01"), ("yyyy-MM-dd", "24-01-01"),
        ("yyyy-MM-dd", "2024-01-01 "), ("yyyy-MM-dd", "2024-01-01x"), ("yyyy-MM-dd", "2024/01/01"), ("yyyy-MM-dd", ""),
        ("yyyy-MM-dd HH:mm:ss", "2024-01-01 24:00:00"), ("yyyy-MM-dd HH:mm:ss", "2024-01-01 23:60:00"),
        ("yyyy-MM-dd HH:mm:ss", "2024-01-01 23:59:60"), ("yyyy-MM-dd HH:mm:ss", "2024-01-01"),
        ("d/M/yyyy", "13/13/2022"), ("d/M/yyyy", "/1/2022"), ("d/M/yyyy", "001/1/2022"), ("d/M/yyyy", "1/1/20222"),
        ("yyyy-MM-ddXXX", "2024-01-01+19:00"), ("yyyy-MM-ddXXX", "2024-01-01+0800"),
        ("yyyy-MM-ddXX", "2024-01-01+08:00"),
        ("yyyy-MM-ddXXX", "2024-01-01"), ("yyyy-MM-ddXXX", "2024-01-01+08:6"),
    ])
    func noDates(pattern: String, text: String) throws {
        #expect(try DatePattern(pattern).milliseconds(Array(text.utf8)[...]) == nil)
    }

    @Test(arguments: [
        ("yy-MM-dd", "yy is not understood"), ("yyyy-MM-dd hh:mm", "hh is not understood"),
        ("yyyy-MM", "dd or d is missing"),
        ("MM-dd", "yyyy is missing"), ("yyyy-MM-dd M", "M repeats"), ("Mdyyyy", "needs a sign between it and d"),
        ("yyyy-MM-dd 'T", "an apostrophe is not closed"), ("yyyy-mm-dd", "MM or M is missing"),
        ("yyyy-MM-dTHH", "T is not understood"), ("", "yyyy is missing"), ("yyyy-MM-dd XXX XX", "XX repeats"),
    ])
    func patternsThatAreRefused(pattern: String, reason: String) {
        let error = #expect(throws: DatePattern.Refusal.self) { try DatePattern(pattern) }
        #expect(error?.reason.contains(reason) == true, "\(error?.reason ?? "")")
    }

    /// Every day of 800 years follows the day before it.
    @Test func everyDayFollows() throws {
        let pattern = try DatePattern("yyyyMMdd")
        var expected: Int64 = -11_676_096_000_000
        for year in 1600..<2400 {
            for month in 1...12 {
                for day in 1...31 {
                    let text = "\(year)\(month < 10 ? "0" : "")\(month)\(day < 10 ? "0" : "")\(day)"
                    guard let found = pattern.milliseconds(Array(text.utf8)[...]) else {
                        #expect(day > 28)
                        continue
                    }
                    if found != expected { Issue.record("\(text): \(found) is not \(expected)") }
                    expected = found + 86_400_000
                }
            }
        }
        #expect(expected == 13_569_465_600_000)
    }
}
