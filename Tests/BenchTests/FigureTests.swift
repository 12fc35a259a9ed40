import JSON
import Testing

@testable import Bench

@Suite struct FigureTests {
    @Test func theMiddleRunCountsAndTheSpreadIsSaid() {
        let figure = Figure("speed", unit: "1/s", runs: [100, 104, 98, 101, 99])
        #expect(figure.value == 100)
        #expect(abs(figure.spread - 0.06) < 1e-9)
        #expect(figure.doubts == [])
        #expect(Figure("speed", unit: "1/s", runs: [1, 2, 3, 4]).value == 2.5)
        #expect(Figure("speed", unit: "1/s", runs: [100, 140]).doubts == ["its runs differ by 33 % of their median"])
    }

    @Test func quantilesAreValuesThatWereSeen() {
        let sorted = (1...1000).map(Double.init)
        #expect(Statistics.quantile(0.5, ofSorted: sorted) == 500)
        #expect(Statistics.quantile(0.99, ofSorted: sorted) == 990)
        #expect(Statistics.quantile(0.999, ofSorted: sorted) == 999)
        #expect(Statistics.quantile(1, ofSorted: sorted) == 1000)
        #expect(Statistics.quantile(0.99, ofSorted: [7]) == 7)
    }

    @Test(arguments: [
        (0.0, "0.000"), (0.5678, "0.568"), (-1.25, "-1.250"), (99.9996, "100.000"), (999.5, "999.500"),
        (1234.5, "1235"), (123_456_789, "123456789"), (.nan, "0"), (.infinity, "0"),
    ])
    func numbersHaveTheDigitsThatMeanSomething(value: Double, text: String) {
        #expect(Figure.text(value) == text)
    }

    @Test func aLineOfJSONSaysAllOfIt() {
        var figure = Figure("a \"b\"", unit: "ms", runs: [1, 2, 3], details: [.init("p99", 2.5)])
        figure.ratio = 0.25
        figure.doubts = ["late"]
        #expect(
            figure.json == #"{"name":"a \"b\"","value":2.000,"unit":"ms","ratio":0.250,"runs":[1.000,2.000,3.000],"#
                + #""spread":1.000,"p99":2.500,"doubts":["late"]}"#)
        figure.ratio = nil
        #expect(figure.json.contains(#""ratio":null"#))
    }

    /// What one process tells the other loses nothing.
    @Test func aLineBetweenProcessesComesBackWhole() throws {
        var figure = Figure("x", unit: "s", runs: [1.0 / 3, 2e-9, 5e12], details: [.init("a", 0.1), .init("b", 7)])
        figure.doubts = ["one", "its other, longer one"]
        let back = try #require(Figure(line: figure.line))
        #expect(back.line == figure.line)
        #expect(back.runs == figure.runs)
        #expect(back.details.map(\.name) == ["a", "b"])
        #expect(back.doubts == figure.doubts)
        let bare = try #require(Figure(line: Figure("x", unit: "s", runs: [1]).line))
        #expect(bare.details.isEmpty && bare.doubts.isEmpty)
        #expect(Figure(line: "Building for production...") == nil)
    }

    @Test func floorsAreJudgedByTheFigureOrItsRatio() {
        var figure = Figure("x", unit: "s", runs: [10])
        #expect(Benchmark.Bound.atLeast(10).holds(figure) == true)
        #expect(Benchmark.Bound.atLeast(11).holds(figure) == false)
        #expect(Benchmark.Bound.atMost(10).holds(figure) == true)
        #expect(Benchmark.Bound.atMost(9).holds(figure) == false)
        #expect(Benchmark.Bound.ratioAtLeast(0.5).holds(figure) == nil)
        figure.ratio = 0.4
        #expect(Benchmark.Bound.ratioAtLeast(0.5).holds(figure) == false)
    }

    @Test func namesOfBenchmarksAreUniqueAndRatiosLeadToEarlierOnes() {
        let names = (Benchmark.all + Benchmark.growth).map(\.name)
        #expect(Set(names).count == names.count)
        for (index, benchmark) in Benchmark.all.enumerated() {
            if let other = benchmark.ratioTo { #expect(names[..<index].contains(other), "\(benchmark.name)") }
        }
    }
}
