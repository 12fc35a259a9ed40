import Testing

@testable import Soak

@Suite struct VerdictTests {
    private func samples(_ minutes: Int, _ change: (Double, inout Sample) -> Void = { _, _ in }) -> [Sample] {
        (1...minutes * Sample.aMinute).map { index in
            var sample = Sample(
                seconds: Double(index * Sample.everySeconds) + 0.7, residentBytes: 2e8, tables: 30, descriptors: 60,
                threads: 20)
            change(sample.seconds / 60, &sample)
            return sample
        }
    }

    @Test func whatStaysAsItIsHolds() throws {
        let verdict = Verdict(samples(20), minutes: 20)
        #expect(verdict.holds)
        #expect(try #require(verdict.growth) == 0)
        #expect(verdict.text.contains("It holds."))
    }

    @Test func fiveInAHundredAreAllowedAndNoMore() throws {
        for (after, holds) in [(2.09e8, true), (2.11e8, false), (1.91e8, true), (1.89e8, false)] {
            let verdict = Verdict(samples(20) { if $0 > 10 { $1.residentBytes = after } }, minutes: 20)
            #expect(verdict.holds == holds, "\(after)")
            #expect(try #require(verdict.growth) == after / 2e8 - 1)
        }
        #expect(Verdict(samples(20) { if $0 > 10 { $1.residentBytes = 2.2e8 } }, minutes: 20).text.contains("10.0 %"))
    }

    /// One moment says little: what fills up at first, and what is there for a while, counts in neither window.
    @Test func onlyTheWindowsCount() {
        let verdict = Verdict(
            samples(20) { if $0 < 3.9 || (6.2...17.8).contains($0) { $1.residentBytes = 9e8 } }, minutes: 20)
        #expect(verdict.holds)
    }

    @Test func oneDescriptorOrThreadMoreIsTooMany() {
        let descriptors = Verdict(samples(20) { if $0 > 15 { $1.descriptors = 61 } }, minutes: 20)
        #expect(descriptors.faults == ["60 descriptors became 61"])
        let threads = Verdict(samples(20) { if $0 > 15 { $1.threads = 19 } }, minutes: 20)
        #expect(threads.faults == ["20 threads became 19"])
        #expect(threads.text.contains("IT DOES NOT HOLD"))
        // A single sample may meet a connection that is just closing.
        #expect(Verdict(samples(20) { if $0 > 19.9 { $1.descriptors = 63 } }, minutes: 20).holds)
    }

    @Test func tableFilesComeAndGoWithinTheirBound() {
        #expect(Verdict(samples(20) { if $0 > 15 { $1.tables = 60 } }, minutes: 20).holds)
        #expect(!Verdict(samples(20) { if $0 > 15 { $1.tables = 1001 } }, minutes: 20).holds)
    }

    @Test func aShortLoadIsNotJudged() {
        let verdict = Verdict(samples(3), minutes: 3)
        #expect(verdict.growth == nil)
        #expect(verdict.text == "Not judged: that takes 9 minutes or more.")
    }
}
