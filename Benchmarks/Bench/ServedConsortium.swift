import Canonical
import Concurrency
import Crypto
import Glibc
import JSON
import Ledger
import Wallet
import Wire

/// The nodes of four organisations and the etcd cluster that orders their entries: processes of their own, all on this
/// machine, made by `lianfen init --apart`. Clients reach the nodes by plain HTTP on loopback, and so do the nodes each
/// other; between nodes and etcd there is TLS.
final class ServedConsortium {
    let chain: BenchChain
    private let tool: String
    private let path: String
    let doors: Doors
    private let order: EtcdMembers
    private var nodes: [Node] = []

    /// One that runs.
    private final class Node {
        private var served: ServedNode?
        let process: pid_t

        init(_ served: consuming ServedNode) {
            process = served.process
            self.served = consume served
        }

        func stop() -> Int32? {
            guard let served = served.take() else { return nil }
            return served.stop()
        }

        deinit { _ = stop() }
    }

    static let validators = 4
    /// Should nobody be left to stop them.
    private static let secondsMax = 3600
    /// So much may be outstanding of the unit.
    private static let quota = 1 << 62

    /// Makes a chain and starts everything. Holders have accounts and something to spend.
    static func running<R>(
        _ setting: Benchmark.Setting, holders: Int = BenchChain.holders, _ body: (ServedConsortium) throws -> R
    ) throws -> R {
        let consortium = try ServedConsortium(setting)
        defer { consortium.stop() }
        let founding = consortium.chain.founding(holders: holders).map(HTTPLoad.submission)
        try consortium.doors.send(founding, through: [0], connections: 1)
        return try body(consortium)
    }

    private init(_ setting: Benchmark.Setting) throws {
        tool = setting.tool
        path = try setting.directory.remake("consortium")
        guard mkdir("\(path)/etcd", 0o750) == 0 else { throw BenchError("directory", "cannot make \(path)/etcd") }
        order = try EtcdMembers(in: "\(path)/etcd")
        doors = Doors(ports: try Machine.freePorts(Self.validators))
        let (home, errors) = ("\(path)/mall", "\(path)/init.errors")
        let urls = doors.ports.flatMap { ["--node-url", "http://127.0.0.1:\($0)"] }
        let (_, code) = try Child(
            tool,
            [
                "init", "--dev", "--apart", "--validators", "\(Self.validators)", "--quota", "\(Self.quota)", "--dir",
                home,
            ]
                + urls + order.arguments, errors: errors
        ).finish()
        guard code == 0 else { throw BenchError("load", "lianfen init failed: \(Benchmark.lastLine(of: errors))") }
        let key = try KeyFile(canonicalBytes: BenchChain.read("\(home)/1/keys/1-issuing.key"))
        chain = try BenchChain("\(home)/1", issuingKey: try key.open(passphrase: nil))
        for index in 0..<Self.validators { nodes.append(try served(index)) }
    }

    private func served(_ index: Int) throws -> Node {
        Node(try ServedNode(tool, directory(index), port: doors.ports[index], secondsMax: Self.secondsMax))
    }

    /// An organisation's directory.
    func directory(_ index: Int) -> String { "\(path)/mall/\(index + 1)" }

    private func stop() {
        for node in nodes { _ = node.stop() }
        order.stop()
    }

    /// Stops one of the nodes.
    /// - Throws: ``BenchError`` where its end is not the ordinary one.
    func stop(_ index: Int) throws {
        guard nodes[index].stop() == 0 else {
            throw BenchError("load", "node \(index + 1) did not end in the ordinary way")
        }
    }

    /// Starts it again; it has opened its door then.
    func start(_ index: Int) throws { nodes[index] = try served(index) }

    /// Takes a node's access to the order away, from its next start on: it hears of blocks from the other nodes alone.
    func takeOrder(from index: Int) throws {
        let path = "\(directory(index))/\(NodeFile.name)"
        let file = try Form.nodeFile.parse(JSONValue(parsing: BenchChain.read(path)))
        let alone = NodeFile(organisation: file.organisation, ordering: nil, peers: file.peers)
        try BenchChain.write(Form.nodeFile.write(alone).bytes, to: path)
    }

    /// The height up to which a node's tables have come.
    func height(_ index: Int) throws -> UInt64 {
        let client = try NodeClient("http://127.0.0.1:\(doors.ports[index])", pin: .genesis(chain.genesis))
        defer { client.stop() }
        return try client.chain().stamp.height
    }

    /// Processor time so far.
    struct Costs {
        var nodes: Double
        var etcd: Double
        /// This process, which makes the load.
        var clients: Double

        static func - (left: Costs, right: Costs) -> Costs {
            Costs(
                nodes: left.nodes - right.nodes, etcd: left.etcd - right.etcd, clients: left.clients - right.clients)
        }
    }

    var costs: Costs {
        Costs(
            nodes: nodes.map { Machine.processorSeconds(ofFamily: $0.process) }.reduce(0, +),
            etcd: Machine.processorSeconds(ofFamily: order.process), clients: Machine.processorSeconds)
    }
}

/// Where the nodes of a consortium are.
struct Doors: Sendable {
    let ports: [Int]

    /// Sends these through nodes at a time, each of which gets every so many-th and has clients of its own in a thread.
    /// - Parameters:
    ///   - connections: clients of each node.
    ///   - rate: how many fall due a second at all nodes together; none: each as soon as a client is free.
    ///   - isOver: from when it says so on no more are sent.
    /// - Returns: how long all of them took, and each one by itself.
    /// - Throws: ``BenchError`` where one is not answered as certified.
    @discardableResult
    func send(
        _ requests: [[UInt8]], through indices: [Int], connections: Int, aSecond rate: Double? = nil,
        isOver: @escaping @Sendable () -> Bool = { false }
    ) throws -> (seconds: Double, nanoseconds: [UInt64]) {
        let results = Locked<[Result<[UInt64], BenchError>]>([])
        let start = Machine.now()
        let threads = indices.enumerated().map { place, index in
            let load = HTTPLoad.certifying(port: ports[index], connections: connections)
            let share = Self.share(requests, place, of: indices.count)
            return WorkerThread("clients-\(index + 1)") {
                let result = Result { () throws(BenchError) in
                    try load.send(share, aSecond: rate.map { $0 / Double(indices.count) }, isOver: isOver).nanoseconds
                }
                results.withLock { $0.append(result) }
            }
        }
        for thread in threads { thread.join() }
        let seconds = Machine.seconds(since: start)
        return (seconds, try results.withLock { $0 }.flatMap { try $0.get() })
    }

    /// Every so many-th.
    static func share(_ requests: [[UInt8]], _ place: Int, of count: Int) -> [[UInt8]] {
        stride(from: place, to: requests.count, by: count).map { requests[$0] }
    }
}
