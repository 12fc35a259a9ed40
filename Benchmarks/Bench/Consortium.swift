import Concurrency
import Ledger

extension Benchmark {
    /// Four organisations' nodes and three etcd members, each a process of its own, all on this machine.
    static let consortium: [Benchmark] = [
        Benchmark(
            "consortium-transfer",
            "signed transfers a second over HTTP, answered when certified, four nodes over three etcd members",
            floor: .atLeast(4000), goal: .atLeast(6500)
        ) { setting in
            try ServedConsortium.running(setting) { consortium in
                [
                    try consortium.figure(setting, "consortium-transfer") { run in
                        consortium.transfers(transfersARun, run: run)
                    } send: {
                        try consortium.saturate($0)
                    }
                ]
            }
        },
        Benchmark(
            "consortium-latency", "p99 from submission to certificate at half of that load, in milliseconds",
            floor: .atMost(500), goal: .atMost(150)
        ) { setting in try ServedConsortium.running(setting) { [try latency(setting, "consortium-latency", $0)] } },
        Benchmark(
            "consortium-accrual", "accrual lines a second in batches of 8,190 over HTTP, over 10,000 accounts",
            ratioTo: "accrual-lines", floor: .ratioAtLeast(0.5 / 4), goal: .ratioAtLeast(0.8 / 4)
        ) { setting in
            try ServedConsortium.running(setting) { consortium in
                let lines = ListBounds.linesMax
                return [
                    try consortium.figure(setting, "consortium-accrual", each: lines) { run in
                        accrualBatches(
                            consortium.chain, count: batchesARun, lines: lines, accounts: BenchChain.holders, run: run
                        ).map(HTTPLoad.submission)
                    } send: { load in
                        try consortium.doors.send(
                            load, through: consortium.all, connections: batchesUnderWay / consortium.all.count)
                    }
                ]
            }
        },
        Benchmark(
            "consortium-catch-up",
            "transfers a second that a node executes which was away, while 1,000 more a second arrive",
            floor: .atLeast(arrivingASecond)
        ) { setting in try ServedConsortium.running(setting) { try catchUp(setting, "consortium-catch-up", $0) } },
    ]

    /// Transfers of a run: some seconds' worth.
    private static let transfersARun = 40_000
    private static let batchesARun = 24

    /// The load that the nodes bear is found first; then transfers fall due at half that rate, whatever the nodes do.
    private static func latency(
        _ setting: Setting, _ name: String, _ consortium: ServedConsortium
    ) throws -> Figure {
        let rates = try (0..<3).map { run in
            let load = consortium.transfers(transfersARun, run: run)
            return Double(load.count) / (try consortium.saturate(load).seconds)
        }
        let half = Statistics.median(Array(rates.dropFirst())) / 2
        var all: [UInt64] = []
        let runs = try setting.measured({ consortium.transfers(transfersARun / 2, run: 100 + $0) }) { load in
            let times = try consortium.doors.send(
                load, through: consortium.all, connections: ServedConsortium.clients, aSecond: half
            ).nanoseconds
            all += times
            return Statistics.quantile(0.99, ofSorted: times.map { Double($0) / 1e6 }.sorted())
        }
        return Figure(
            name, unit: "ms", runs: runs,
            details: Statistics.latencies(nanoseconds: Array(all.dropFirst(transfersARun / 2)))
                + [.init("transfersASecond", half)])
    }
}

extension Benchmark {
    /// What a node misses while it is away.
    private static let transfersMissed = 30_000
    private static let arrivingASecond = 1000.0
    private static let catchUpSecondsMax = 30.0
    private static let lookEveryMilliseconds: UInt64 = 20

    /// A node is stopped, the others go on, and the clock runs from its start until it is where they are. Only what it
    /// missed counts, though it executes what arrives meanwhile as well: so this is how fast the gap closes. First with
    /// the order, which still holds all of it; then with the other nodes alone, as for one that was away for longer
    /// than the order's ring reaches back.
    private static func catchUp(
        _ setting: Setting, _ name: String, _ consortium: ServedConsortium
    ) throws -> [Figure] {
        let away = ServedConsortium.validators - 1
        let others = Array(0..<away)
        func figure(_ name: String, number: Int) throws -> Figure {
            var blocks: [Double] = []
            let runs = try setting.measured({ run in
                try consortium.stop(away)
                let height = try consortium.height(0)
                try consortium.doors.send(
                    consortium.transfers(transfersMissed, run: number + 2 * run), through: others,
                    connections: ServedConsortium.clients)
                let missed = try consortium.height(0) - height
                let most = Int(catchUpSecondsMax * arrivingASecond)
                return (missed, consortium.transfers(most, run: number + 2 * run + 1))
            }) { missed, arriving in
                let isBack = Locked(false)
                let failure = Locked<(any Error)?>(nil)
                let doors = consortium.doors
                let load = WorkerThread("arriving") {
                    do {
                        try doors.send(
                            arriving, through: others, connections: ServedConsortium.clients, aSecond: arrivingASecond,
                            isOver: { isBack.withLock { $0 } })
                    } catch { failure.withLock { $0 = error } }
                }
                defer {
                    isBack.withLock { $0 = true }
                    load.join()
                }
                let start = Machine.now()
                try consortium.start(away)
                while true {
                    let there = try consortium.height(0)
                    if try consortium.height(away) >= there { break }
                    guard Machine.seconds(since: start) < catchUpSecondsMax else {
                        throw BenchError("load", "a node that was away does not catch up")
                    }
                    pause(milliseconds: lookEveryMilliseconds)
                }
                let seconds = Machine.seconds(since: start)
                if let failure = failure.withLock({ $0 }) { throw failure }
                blocks.append(Double(missed) / seconds)
                return Double(transfersMissed) / seconds
            }
            return Figure(
                name, unit: "1/s", runs: runs,
                details: [.init("blocksASecond", Statistics.median(Array(blocks.dropFirst())))])
        }
        let fromOrder = try figure(name, number: 0)
        try consortium.takeOrder(from: away)
        return [fromOrder, try figure("\(name)-from-nodes", number: 100)]
    }
}

extension ServedConsortium {
    /// Clients of each node: together as many transfers as fill an entry while the one before is certified.
    static let clients = 1024

    var all: [Int] { Array(0..<Self.validators) }

    /// Transfers as requests.
    func transfers(_ count: Int, run: Int) -> [[UInt8]] {
        Benchmark.signedTransfers(chain, count: count, run: run, draw: .uniform).map(HTTPLoad.submission)
    }

    /// Sends them through all nodes as fast as these take them.
    func saturate(_ requests: [[UInt8]]) throws -> (seconds: Double, nanoseconds: [UInt64]) {
        try doors.send(requests, through: all, connections: Self.clients)
    }

    /// How much a second is certified, and what one of it costs each kind of process.
    fileprivate func figure(
        _ setting: Benchmark.Setting, _ name: String, each: Int = 1, load: (Int) throws -> [[UInt8]],
        send: ([[UInt8]]) throws -> (seconds: Double, nanoseconds: [UInt64])
    ) throws -> Figure {
        var spent: [Costs] = []
        var heights: [Double] = []
        var all: [UInt64] = []
        let runs = try setting.measured(load) { requests in
            let amount = Double(requests.count * each)
            let (before, height) = (costs, try self.height(0))
            let (seconds, times) = try send(requests)
            let after = costs - before
            spent.append(
                Costs(
                    nodes: after.nodes * 1e6 / amount, etcd: after.etcd * 1e6 / amount,
                    clients: after.clients * 1e6 / amount))
            heights.append(amount / Double(max(1, try self.height(0) - height)))
            all = times
            return amount / seconds
        }
        func median(_ part: (Costs) -> Double) -> Double { Statistics.median(spent.dropFirst().map(part)) }
        return Figure(
            name, unit: "1/s", runs: runs,
            details: [
                .init("nodesMicrosecondsEach", median(\.nodes)), .init("etcdMicrosecondsEach", median(\.etcd)),
                .init("clientsMicrosecondsEach", median(\.clients)),
                .init("aBlock", Statistics.median(Array(heights.dropFirst()))),
            ] + Statistics.latencies(nanoseconds: all))
    }
}
