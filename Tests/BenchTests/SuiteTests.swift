import Foundation
import TestSupport
import Testing

@testable import Bench

/// Several benchmarks together, here of a tool that repeats what it is told.
@Suite struct SuiteTests {
    private func figure(_ name: String, _ runs: [Double], doubts: [String] = []) -> Figure {
        var figure = Figure(name, unit: "1/s", runs: runs)
        figure.doubts += doubts
        return figure
    }

    private func withSuite(_ tool: String, _ body: (inout Suite) throws -> Void) throws {
        try withTemporaryDirectory { root in
            let directory = try BenchDirectory(root.appendingPathComponent("bench").path)
            var suite = Suite(Benchmark.Setting(directory: directory, tool: tool))
            try body(&suite)
        }
    }

    @Test func aRatioIsToWhatWasMeasuredBefore() throws {
        try withSuite("/bin/echo") { suite in
            let transfers = Benchmark.transfers[0]
            let alone = try suite.run(transfers, arguments: [figure(transfers.name, [30]).line])
            #expect(alone.map(\.ratio) == [nil])
            _ = try suite.run(.verifyLimit, arguments: [figure("verify-limit", [40]).line])
            let after = try suite.run(transfers, arguments: [figure(transfers.name, [30]).line])
            #expect(after.map(\.ratio) == [0.75])
        }
    }

    /// Where the machine was busy, everything after it says so, and whose doubt that is.
    @Test func doubtsOfTheMachineGoOn() throws {
        try withSuite("/bin/echo") { suite in
            let other = Benchmark.accruals[0]
            #expect(try suite.run(other, arguments: [figure(other.name, [5]).line])[0].doubts == [])
            let busy = figure("verify-limit", [40], doubts: ["too busy"])
            #expect(try suite.run(.verifyLimit, arguments: [busy.line])[0].doubts == ["too busy"])
            let after = try suite.run(other, arguments: [figure(other.name, [5], doubts: ["late"]).line])
            #expect(after[0].doubts == ["late", "verify-limit: too busy"])
        }
    }

    @Test func whatFailsIsNamed() throws {
        try withSuite("/bin/false") { suite in
            let error = #expect(throws: BenchError.self) { try suite.run(.verifyLimit, arguments: []) }
            #expect(error?.description == "verify-limit did not come to its end")
        }
    }
}
