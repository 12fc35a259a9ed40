import Concurrency
import Ledger
import Node
import Storage
import StorageRocksDB

extension Benchmark {
    /// What a ledger costs that is not busy: opening it, recovering it, reading all of it again.
    static let openings: [Benchmark] = [
        Benchmark(
            "open-10m", "seconds to open a ledger of ten million accounts",
            floor: .atMost(5), goal: .atMost(1)
        ) { setting in
            let chain = try ledger(of: 10_000_000, setting)
            let runs = try (0...setting.runs).map { _ in try secondsToOpen(chain) }.dropFirst()
            let memory = Machine.memory
            return [
                Figure("open-10m", unit: "s", runs: Array(runs)),
                // The most that was ever resident while it was opened several times, one after the other.
                Figure("open-10m-memory", unit: "GB", runs: [memory.most / 1e9]),
                Figure("open-10m-disk", unit: "GB", runs: [Machine.bytes(under: chain.path) / 1e9]),
            ]
        },
        Benchmark("recover-10m", "seconds to open it again after kill -9 under load") { setting in
            let chain = try ledger(of: 10_000_000, setting)
            let runs = try (0..<setting.runs).map { _ in
                let load = try Child(
                    setting.tool,
                    [
                        "bench", "--in-process", "--dir", setting.directory.path, "--only", "accrual-lines-10m",
                        "--runs", "1000",
                    ])
                pause(milliseconds: loadMilliseconds)
                load.kill()
                return try secondsToOpen(chain)
            }
            return [Figure("recover-10m", unit: "s", runs: runs)]
        },
        Benchmark("audit-lines", "accrual lines a second that an audit executes and compares") { setting in
            let chain = try BenchChain.prepared("audit", in: setting.directory, accounts: 10_000)
            let batches = 40
            try chain.running { running in
                _ = try running.submit(
                    accrualBatches(chain, count: batches, lines: ListBounds.linesMax, accounts: 10_000, run: 1),
                    window: 8)
            }
            let store = try RocksDBStore(directory: chain.storePath(OrganisationID(1)), mode: .readOnly)
            defer { store.close() }
            var total = 0
            try store.scan(.keys) { _, _ in
                total += 1
                return true
            }
            let runs = try (0..<setting.runs).map { _ in
                let start = Machine.now()
                let report = try Audit.run(store)
                guard report.ok else { throw BenchError("audit", "the audit found \(report.firstWrong!)") }
                return Double(total) / Machine.seconds(since: start)
            }
            return [Figure("audit-lines", unit: "1/s", runs: runs)]
        },
    ]

    private static let loadMilliseconds: UInt64 = 12_000

    static func pause(milliseconds: UInt64) { _ = Waiter<Void>().wait(within: milliseconds) }

    /// From nothing to a node that answers.
    static func secondsToOpen(_ chain: BenchChain) throws -> Double {
        let start = Machine.now()
        return try chain.running { running in
            _ = running.node.status
            return Machine.seconds(since: start)
        }
    }
}
