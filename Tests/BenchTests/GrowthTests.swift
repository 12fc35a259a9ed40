import Foundation
import Ledger
import Storage
import StorageRocksDB
import TestSupport
import Testing

@testable import Bench

/// Curves of growth, and the import, on a small scale.
@Suite struct GrowthTests {
    private func withSetting(runs: Int = 1, tool: String = "", _ body: (Benchmark.Setting) throws -> Void) throws {
        try withTemporaryDirectory { root in
            let directory = try BenchDirectory(root.appendingPathComponent("bench").path)
            try body(Benchmark.Setting(directory: directory, runs: runs, tool: tool))
        }
    }

    private func history(_ setting: Benchmark.Setting) -> GrowingHistory {
        GrowingHistory(setting: setting, accounts: 100, lines: 60, batchesMax: 2, singles: 5)
    }

    /// Natural keys of the ledger, and its own genesis.
    private func state(_ setting: Benchmark.Setting) throws -> (keys: Int, genesis: [UInt8]) {
        let path = setting.directory.ledger(GrowingHistory.name(accounts: 100))
        let store = try RocksDBStore(directory: path + "/1", mode: .readOnly)
        defer { store.close() }
        var keys = 0
        try store.scan(.keys) { _, _ in
            keys += 1
            return true
        }
        return (keys, try BenchChain.read(path + "/genesis"))
    }

    /// A point stands for exactly as many lines as it says, whether its history is new or goes on.
    @Test func aHistoryGoesOnFromPointToPoint() throws {
        try withSetting { setting in
            let first = try history(setting).grow(to: 405, "a")
            #expect(first.details.first { $0.name == "x" }?.value == 405)
            #expect(first.runs.count == 1 && first.value > 0)
            let begun = try state(setting)
            #expect(begun.keys == 405)

            let second = try history(setting).grow(to: 1000, "b")
            let details = Dictionary(uniqueKeysWithValues: second.details.map { ($0.name, $0.value) })
            #expect(details["x"] == 1000)
            #expect(details["bytesOnDiskEach"] != nil)
            for name in ["processorMicrosecondsEach", "openSeconds", "p99Milliseconds"] {
                #expect(try #require(details[name], "\(name)") > 0, "\(name)")
            }
            let gone = try state(setting)
            #expect(gone.keys == 1000)
            #expect(gone.genesis == begun.genesis)

            // A point behind where it stands begins a history of its own.
            _ = try history(setting).grow(to: 405, "a")
            let anew = try state(setting)
            #expect(anew.keys == 405)
            #expect(anew.genesis != begun.genesis)
        }
    }

    @Test func runsThatDoNotFitAreRefusedAndChangeNothing() throws {
        try withSetting { setting in
            _ = try history(setting).grow(to: 405, "a")
            let error = #expect(throws: BenchError.self) { try history(setting).grow(to: 529, "b") }
            #expect(error?.code == "runs-too-many")
            #expect(error?.description.contains("between a history of 405 lines and one of 529") == true)
            _ = try history(setting).grow(to: 530, "b")
            #expect(try state(setting).keys == 530)
        }
    }

    /// A history that was cut short is of unknown length, so it is no point's beginning.
    @Test func aHistoryThatWasCutShortBeginsAnew() throws {
        try withSetting { setting in
            _ = try history(setting).grow(to: 405, "a")
            let begun = try state(setting)
            try FileManager.default.removeItem(
                atPath: setting.directory.ledger(GrowingHistory.name(accounts: 100)) + "/history")
            _ = try history(setting).grow(to: 1000, "b")
            let anew = try state(setting)
            #expect(anew.keys == 1000)
            #expect(anew.genesis != begun.genesis)
        }
    }

    @Test(arguments: [1, 7, 60])
    func batchesOfAnySizeAreMeasured(lines: Int) throws {
        try withSetting { setting in
            let figure = try Benchmark.batches(setting, "b", lines: lines, count: 5, accounts: 50)
            #expect(figure.details.first { $0.name == "x" }?.value == Double(lines))
            #expect(figure.value > 0)
        }
    }

    @Test func pointsStandInOrderAndShareTheirLedgers() {
        let curves = Dictionary(grouping: Benchmark.growth) { $0.name.split(separator: "-")[1] }
        #expect(curves.keys.sorted() == ["accounts", "batch", "history"])
        for (name, points) in curves { #expect(points.map(\.size) == points.map(\.size).sorted(), "\(name)") }
        #expect(curves["accounts"]?.map(\.size) == [10_000, 100_000, 1_000_000, 10_000_000])
        #expect(curves["history"]?.map(\.size) == [1, 2, 5, 10, 20, 50].map { $0 * 1_000_000 })
        #expect(curves["batch"]?.map(\.size) == [1, 10, 100, 1000, ListBounds.linesMax])
        // All points of a history are one ledger, and the last of them the largest.
        let histories = curves["history"] ?? []
        #expect(Benchmark.bytesOnDisk(histories) == Benchmark.bytesOnDisk(histories.suffix(1)))
        #expect(Benchmark.bytesOnDisk(Benchmark.growth) > Benchmark.bytesOnDisk(histories))
    }

    @Test func anImportIsMeasuredFromOutside() throws {
        try withSetting(tool: Built.path("lianfen")) { setting in
            let figure = try Benchmark.importRows(setting, "i", rows: 400, members: 30)
            #expect(figure.runs.count == 1 && figure.value > 0)
        }
        try withSetting(tool: "/bin/false") { setting in
            let error = #expect(throws: BenchError.self) {
                try Benchmark.importRows(setting, "i", rows: 400, members: 30)
            }
            #expect(error?.description == "`lianfen init` failed: it said nothing")
        }
    }
}
