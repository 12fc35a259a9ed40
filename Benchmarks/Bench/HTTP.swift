import Canonical
import Concurrency
import Gateway
import Glibc
import HTTPServer
import JSON
import Ledger
import Node
import Wallet
import Wire

extension Benchmark {
    /// The same through the node's interface.
    static let http: [Benchmark] = [
        Benchmark(
            "http-submit", "signed transfers a second over HTTP, answered when certified, 64 connections",
            floor: .atLeast(8000), goal: .atLeast(20_000)
        ) { setting in
            try served(setting) { door in
                try figure(setting, "http-submit", door) { run in
                    signedTransfers(door.chain, count: submissionsARun, run: run, draw: .uniform).map(
                        HTTPLoad.submission)
                }
            }
        },
        Benchmark(
            "http-balance", "balances a second over HTTP, read by their issuer, 64 connections",
            floor: .atLeast(30_000), goal: .atLeast(80_000)
        ) { setting in
            try served(setting) { door in
                let token = try door.token()
                return try figure(setting, "http-balance", door) { run in
                    var numbers = Numbers(seed: UInt64(run))
                    return (0..<readingsARun).map { _ in
                        door.balance(of: Int.random(in: 0..<BenchChain.holders, using: &numbers), token: token)
                    }
                }
            }
        },
    ]

    private static let clients = 64
    private static let submissionsARun = 20_000
    private static let readingsARun = 60_000

    private static func figure(
        _ setting: Setting, _ name: String, _ door: Door, _ requests: (Int) -> [[UInt8]]
    ) throws -> [Figure] {
        let load = HTTPLoad(port: door.port, connections: clients)
        var all: [UInt64] = []
        let runs = try setting.measured(requests) { requests in
            let (seconds, times) = try load.send(requests)
            all = times
            return Double(requests.count) / seconds
        }
        return [
            Figure(
                name, unit: "1/s", runs: runs,
                details: Statistics.latencies(nanoseconds: all)
                    + [.init("residentBytes", Machine.memory.resident)])
        ]
    }

    private static func served(_ setting: Setting, _ body: (Door) throws -> [Figure]) throws -> [Figure] {
        let chain = try BenchChain.prepared("holders", in: setting.directory, holders: BenchChain.holders)
        let relay = Locked<Gateway?>(nil)
        let running = try BenchChain.Running(chain) { block in relay.withLock { $0 }?.note(block) }
        defer { running.consortium.stop() }
        let log = EventLog(level: .warning, clock: { wallClockMilliseconds() }, write: { _ in })
        defer { log.stop() }
        let gateway = try Gateway(
            genesis: chain.genesis, node: running.node,
            configuration: .init(validator: OrganisationID(1), answersPath: "\(chain.path)/answers.sqlite"), log: log)
        relay.withLock { $0 = gateway }
        let server = try HTTPServer(configuration: HTTPServerConfiguration(), application: gateway)
        gateway.attach(server)
        defer {
            server.stop(graceMilliseconds: 1000)
            gateway.stop()
        }
        return try body(Door(chain: chain, port: server.port))
    }

    /// Requests as bytes, so that nothing is made while it is measured.
    private struct Door: Sendable {
        let chain: BenchChain
        let port: Int

        func balance(of holder: Int, token: String) -> [UInt8] {
            HTTPLoad.request(
                "GET /v1/accounts/\(BenchChain.account(holder))/balances/\(BenchChain.unit)",
                ["Authorization: Bearer \(token)"])
        }

        /// The issuer's, which may read every balance of its unit.
        func token() throws -> String {
            try NodeClient(
                "http://127.0.0.1:\(port)", pin: .genesis(chain.genesis), identity: Identity(chain.issuer)
            ).currentToken().text
        }
    }
}
