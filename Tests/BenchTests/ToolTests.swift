import Foundation
import TestSupport
import Testing

@testable import Bench

/// The command as it is called, in the build that the tests are made of.
@Suite struct ToolTests {
    private func run(_ words: String...) throws -> (lines: [String], code: Int32?) {
        try Child(Built.path("lianfen"), words).finish()
    }

    @Test func aFigureOfADebugBuildSaysSo() throws {
        try withTemporaryDirectory { root in
            let path = root.appendingPathComponent("bench").path
            let (lines, code) = try run("bench", "--dir", path, "--only", "verify-limit", "--runs", "1", "--json")
            #expect(code == 0)
            try #require(lines.count == 1)
            #expect(lines[0].hasPrefix(#"{"name":"verify-limit","value":"#))
            #expect(lines[0].contains(#""unit":"1/s","ratio":null"#))
            #if DEBUG
                #expect(lines[0].contains("it comes from a debug build"))
            #endif
        }
    }

    @Test func aDirectoryOfSomebodyElseIsRefused() throws {
        try withTemporaryDirectory { root in
            try Data("mine".utf8).write(to: root.appendingPathComponent("letter"))
            let (lines, code) = try run("bench", "--dir", root.path, "--only", "verify-limit")
            #expect(lines.isEmpty)
            #expect(code == 3)
            #expect(try FileManager.default.contentsOfDirectory(atPath: root.path) == ["letter"])
        }
    }

    @Test func curvesAreOfferedPointByPoint() throws {
        let (lines, code) = try run("bench", "--growth", "--largest", "1000", "--list")
        #expect(code == 0)
        let names = lines.map { $0.prefix { $0 != " " } }
        #expect(
            names == ["verify-limit", "growth-batch-1", "growth-batch-10", "growth-batch-100", "growth-batch-1000"])
        let (machine, machineCode) = try run("bench", "--machine", "--json")
        #expect(machineCode == 0)
        #expect(machine.count == 1 && machine[0].hasPrefix(#"{"machine":""#) && machine[0].contains(" cores, "))
    }

    /// Transfers and batches on a small scale, end to end.
    @Test func aLedgerTakesItsLoad() throws {
        try withTemporaryDirectory { root in
            let directory = try BenchDirectory(root.appendingPathComponent("bench").path)
            let chain = try BenchChain.prepared("small", in: directory, holders: 50, accounts: 100)
            try chain.running { running in
                let transfers = Benchmark.signedTransfers(chain, count: 200, run: 1, draw: .uniform, holders: 50)
                #expect(transfers.count == 200)
                let seconds = try running.submit(transfers, threads: 2)
                #expect(seconds > 0)
                let batches = Benchmark.accrualBatches(chain, count: 3, lines: 90, accounts: 150, run: 1)
                try running.submit(batches)
                // The same again has no effect, and a benchmark must not take that for work done.
                #expect(throws: BenchError.self) { try running.submit(batches) }
            }
        }
    }
}
