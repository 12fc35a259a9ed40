import Ledger

extension Benchmark {
    /// How cost grows with the number of accounts, while batches are as large as they may be.
    static let accountsGrowth = [10_000, 100_000, 1_000_000, 10_000_000].map { accounts in
        Benchmark(
            "growth-accounts-\(short(accounts))", "accrual lines a second over \(short(accounts)) accounts",
            size: accounts,
            ledger: Ledger(
                name: ledgerName(accounts), bytes: Double(accounts) * bytesAnAccount + bytesOfRuns)
        ) { setting in
            let name = "growth-accounts-\(short(accounts))"
            return try accruals(setting, name, accounts: accounts).map { figure in
                try opened(figure.at(accounts), ledger(of: accounts, setting, kept: true))
            }
        }
    }

    /// How it grows with what has been accrued before, on one ledger that goes on from point to point.
    static let historyGrowth = [1, 2, 5, 10, 20, 50].map { millions in
        let target = millions * 1_000_000
        return Benchmark(
            "growth-history-\(short(target))", "accrual lines a second that bring a history to \(short(target))",
            size: target,
            ledger: Ledger(
                name: GrowingHistory.name(accounts: historyAccounts),
                bytes: Double(target) * bytesALine + Double(historyAccounts) * bytesAnAccount)
        ) { setting in
            let history = GrowingHistory(setting: setting, accounts: historyAccounts)
            return [try history.grow(to: target, "growth-history-\(short(target))")]
        }
    }

    /// How it falls with the number of lines under one signature, over 10,000 accounts.
    static let batchGrowth = [1, 10, 100, 1000, ListBounds.linesMax].map { lines in
        Benchmark(
            "growth-batch-\(short(lines))", "accrual lines a second, \(short(lines)) under one signature", size: lines
        ) { setting in
            let count = min(envelopesARunMax, linesARun / lines)
            return [try batches(setting, "growth-batch-\(short(lines))", lines: lines, count: count, accounts: 10_000)]
        }
    }

    /// Batches of one size, in a ledger that is made for them.
    static func batches(
        _ setting: Setting, _ name: String, lines: Int, count: Int, accounts: Int
    ) throws -> Figure {
        let chain = try BenchChain.prepared("batches", in: setting.directory, accounts: accounts)
        return try chain.running { running in
            try throughput(
                setting, name, each: lines,
                load: { accrualBatches(chain, count: count, lines: lines, accounts: accounts, run: $0) },
                submit: { load in
                    let window = min(envelopesUnderWayMax, max(batchesUnderWay, linesUnderWay / lines))
                    return try running.submit(load, window: window, threads: 2)
                }
            ).at(lines)
        }
    }

    /// The accounts over which a history grows: enough that rows and natural keys vie for the same memory.
    private static let historyAccounts = 1_000_000

    /// A run of small batches is shorter, since each of them is signed before.
    private static let linesARun = 40 * ListBounds.linesMax
    private static let envelopesARunMax = 20_000
    /// Lines on their way to the node at once, in batches of any size.
    private static let linesUnderWay = 65_536
    /// Half of what a node takes from one sender before it has answered.
    private static let envelopesUnderWayMax = 4096

    /// Room to ask for beforehand: more than has been measured, since compaction writes before it removes.
    private static let bytesALine = 250.0
    private static let bytesAnAccount = 200.0
    private static let bytesOfRuns = 5e8

    /// Adds how long the ledger takes to open again once its load has ended, and how much of the processor.
    static func opened(_ figure: Figure, _ chain: BenchChain) throws -> Figure {
        var figure = figure
        let before = Machine.processorSeconds
        let seconds = try (0..<openingsMeasured).map { _ in try secondsToOpen(chain) }
        let processor = (Machine.processorSeconds - before) / Double(openingsMeasured)
        figure.details.append(.init("openSeconds", Statistics.median(seconds)))
        figure.details.append(.init("openProcessorSeconds", processor))
        return figure
    }

    private static let openingsMeasured = 3

    /// A number as the names of benchmarks have it: `10k`, `5m`, `8190`.
    static func short(_ number: Int) -> String {
        if number >= 1_000_000, number % 1_000_000 == 0 { return "\(number / 1_000_000)m" }
        if number >= 10_000, number % 1000 == 0 { return "\(number / 1000)k" }
        return "\(number)"
    }
}

extension Figure {
    /// The figure as a point of a curve.
    func at(_ x: Int) -> Figure {
        var figure = self
        figure.details.insert(.init("x", Double(x)), at: 0)
        return figure
    }
}
