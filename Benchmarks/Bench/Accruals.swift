import Ledger
import Wallet

extension Benchmark {
    /// Batches of accrual lines under one signature each.
    static let accruals: [Benchmark] = [
        Benchmark(
            "accrual-lines", "accrual lines a second in batches of 8,190, over 10,000 accounts",
            floor: .atLeast(120_000), goal: .atLeast(300_000)
        ) { try accruals($0, "accrual-lines", accounts: 10_000) },
        Benchmark(
            "accrual-lines-1m", "the same over a million accounts", ratioTo: "accrual-lines",
            floor: .atLeast(60_000), goal: .atLeast(240_000)
        ) { try accruals($0, "accrual-lines-1m", accounts: 1_000_000) },
        Benchmark(
            "accrual-lines-10m", "the same over ten million accounts", ratioTo: "accrual-lines",
            floor: .atLeast(42_000), goal: .atLeast(180_000)
        ) { try accruals($0, "accrual-lines-10m", accounts: 10_000_000) },
    ]

    /// Batches of a run, and how many of them are under way at once.
    private static let batchesARun = 40
    static let batchesUnderWay = 8

    static func accruals(_ setting: Setting, _ name: String, accounts: Int) throws -> [Figure] {
        let chain = try ledger(of: accounts, setting)
        return try chain.running { running in
            let size = Machine.bytes(under: chain.path)
            let lines = ListBounds.linesMax
            var figure = try throughput(
                setting, name, each: lines,
                load: { run in accrualBatches(chain, count: batchesARun, lines: lines, accounts: accounts, run: run) },
                submit: { load in try running.submit(load, window: batchesUnderWay) })
            let all = Double(batchesARun * (setting.runs + 1) * lines)
            figure.details.append(.init("bytesOnDiskEach", (Machine.bytes(under: chain.path) - size) / all))
            return [figure]
        }
    }

    /// A ledger of so many accounts without a key.
    static func ledger(of accounts: Int, _ setting: Setting, kept: Bool? = nil) throws -> BenchChain {
        try BenchChain.prepared(ledgerName(accounts), in: setting.directory, accounts: accounts, kept: kept)
    }

    static func ledgerName(_ accounts: Int) -> String { "accounts-\(accounts)" }

    /// Batches whose orders nobody has used before, made on all cores.
    static func accrualBatches(
        _ chain: BenchChain, count: Int, lines: Int, accounts: Int, run: Int
    ) -> [[UInt8]] {
        // Orders are numbered from the time on, so that a ledger that is used again takes them too.
        let first = Machine.now() / 1000
        return inParallel(count: count) { range, part in
            var numbers = Numbers(seed: UInt64(run) << 32 | UInt64(part) << 24 | 0xACC)
            return range.map { batch in
                accrualBatch(chain, order: "\(first)-\(batch)", lines: lines, accounts: accounts, &numbers)
            }
        }
    }

    /// A batch of an order of so many lines, each for an account of its own drawing.
    static func accrualBatch(
        _ chain: BenchChain, order: String, lines: Int, accounts: Int, _ numbers: inout Numbers
    ) -> [UInt8] {
        let lines = (0..<lines).map { line in
            AccrualLine(
                account: BenchChain.account(Int.random(in: 0..<accounts, using: &numbers)),
                key: NaturalKey(source: BenchChain.source, order: Array(order.utf8), line: UInt32(line)),
                amount: UInt64.random(in: 1...1000, using: &numbers))
        }
        return chain.encoded([.accrue(AccrueList(unit: BenchChain.unit, lines: lines))], by: chain.issuer)
    }
}
