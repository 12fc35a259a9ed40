import Ledger

extension Benchmark {
    /// The same work given to PostgreSQL, which a user would otherwise take.
    static let postgres: [Benchmark] = [
        Benchmark(
            "postgresql-transfer", "transfers a second in a plain ledger in PostgreSQL, unsigned, synced commits",
            ratioTo: "signed-transfer"
        ) { setting in
            try postgres(setting, "postgresql-transfer", clients: [16, 32, 64]) { ledger throws(BenchError) in
                try ledger.transfers()
            }
        },
        Benchmark(
            "postgresql-accrual-lines", "accrual lines a second there, in batches of 8,190", ratioTo: "accrual-lines"
        ) { setting in
            try postgres(setting, "postgresql-accrual-lines", clients: [1, 2, 4]) { ledger throws(BenchError) in
                try ledger.accruals(lines: ListBounds.linesMax)
            }
        },
        Benchmark(
            "postgresql-latency-1", "p99 of a transfer there, one client, in milliseconds", ratioTo: "latency-1",
            run: postgresLatency),
    ]

    private static let secondsATrial = 2
    private static let secondsARun = 4

    /// How much a second goes through with as many clients as suit PostgreSQL best.
    private static func postgres(
        _ setting: Setting, _ name: String, clients: [Int],
        load: (PostgresLedger) throws(BenchError) -> PostgresLedger.Load
    ) throws -> [Figure] {
        try PostgresServer.running(in: setting.directory) { server in
            let ledger = try PostgresLedger(server)
            let load = try load(ledger)
            var transactions = 0
            func run(_ clients: Int, seconds: Int) throws -> PgbenchReport {
                let report = try ledger.run(load, clients: clients, ["-T", "\(seconds)"])
                transactions += report.transactions
                return report
            }
            let trials = try clients.map { (clients: $0, rate: try run($0, seconds: secondsATrial).rate) }
            let best = trials.max { $0.rate < $1.rate }!.clients
            // The files of the log are used again from here on; none of the runs has to wait for this.
            try server.query("CHECKPOINT")
            let before = (size: try ledger.size(), transactions: transactions)
            var costs: [Double] = []
            let rates = try setting.measured({ _ in }) { _ in
                let start = Machine.processorSeconds(ofFamily: server.process)
                let report = try run(best, seconds: secondsARun)
                let seconds = Machine.processorSeconds(ofFamily: server.process) - start
                costs.append(seconds * 1e6 / Double(report.transactions * load.each))
                return report.rate * Double(load.each)
            }
            let after = try ledger.size()
            try ledger.check(load, transactions: transactions)
            let all = Double((transactions - before.transactions) * load.each)
            return [
                Figure(
                    name, unit: "1/s", runs: rates,
                    details: [
                        .init("clients", Double(best)),
                        // The server's alone, without the run that warms up.
                        .init("processorMicrosecondsEach", Statistics.median(Array(costs.dropFirst()))),
                        .init("bytesOnDiskEach", (after.tables - before.size.tables) / all),
                        .init("logBytesEach", (after.log - before.size.log) / all),
                    ])
            ]
        }
    }

    private static func postgresLatency(_ setting: Setting) throws -> [Figure] {
        try PostgresServer.running(in: setting.directory) { server in
            let ledger = try PostgresLedger(server)
            let load = try ledger.transfers()
            var all: [UInt64] = []
            var rates: [Double] = []
            let runs = try setting.measured({ run in "times-\(run)" }) { log in
                let report = try ledger.run(
                    load, clients: 1,
                    ["-t", "\(transfersOfOneClient)", "--log", "--log-prefix=\(server.path)/\(log)"])
                let times = try PgbenchReport.nanoseconds(log: server.lines(ofFilesNamed: "\(log)."))
                rates.append(report.rate)
                all += times
                return Statistics.quantile(0.99, ofSorted: times.map { Double($0) / 1e6 }.sorted())
            }
            try ledger.check(load, transactions: rates.count * transfersOfOneClient)
            return [
                Figure(
                    "postgresql-latency-1", unit: "ms", runs: runs,
                    details: Statistics.latencies(nanoseconds: Array(all.dropFirst(transfersOfOneClient)))
                        + [.init("transfersASecond", Statistics.median(Array(rates.dropFirst())))])
            ]
        }
    }
}
