import Ledger
import Node

extension Benchmark {
    /// One client who waits for each transfer before the next.
    static let latencies: [Benchmark] = [
        Benchmark(
            "latency-1", "p99 from submission to certificate, one client, one validator, in milliseconds",
            floor: .atMost(10), goal: .atMost(5)
        ) { try latency($0, "latency-1", validators: 1) },
        Benchmark(
            "latency-4", "the same with four validators in this process",
            floor: .atMost(30), goal: .atMost(12)
        ) { try latency($0, "latency-4", validators: 4) },
    ]

    static let transfersOfOneClient = 1000

    private static func latency(_ setting: Setting, _ name: String, validators: Int) throws -> [Figure] {
        let chain = try BenchChain.prepared(
            validators == 1 ? "holders" : "holders-\(validators)", in: setting.directory, validators: validators,
            holders: BenchChain.holders)
        return try chain.running { running in
            var all: [UInt64] = []
            var rates: [Double] = []
            let runs = try setting.measured({ run in
                signedTransfers(chain, count: transfersOfOneClient, run: run, draw: .uniform)
            }) { load in
                let begin = Machine.now()
                let times = try running.timesOfEach(load)
                rates.append(Double(load.count) / Machine.seconds(since: begin))
                all += times
                return Statistics.quantile(0.99, ofSorted: times.map { Double($0) / 1e6 }.sorted())
            }
            return [
                Figure(
                    name, unit: "ms", runs: runs,
                    details: Statistics.latencies(nanoseconds: Array(all.dropFirst(transfersOfOneClient)))
                        + [.init("transfersASecond", Statistics.median(Array(rates.dropFirst())))])
            ]
        }
    }
}
