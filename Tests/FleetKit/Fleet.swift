import Canonical
import Chain
import Concurrency
import Crypto
public import EtcdKit
public import Foundation
public import HTTPClient
public import JSON
public import Ledger
import Node
public import ServerKit
import TestSupport
public import Testing
public import Wallet
import Wire

/// Nodes of a consortium as processes of the tool, each with a directory as it would be on a machine of its own, over a
/// real etcd cluster, with TLS between them.
public final class Fleet {
    /// One node: its directory, where it listens, and its process while it runs.
    public final class Machine {
        public let directory: String
        public let url: String
        let host: TestHost
        /// By how much its clock has jumped; none where it cannot.
        let clock: JumpingClock?
        /// What its node is told besides.
        public var options: [String] = []
        /// PEM files by which it shows itself; none: those that all have.
        public var tls: (certificate: String, key: String)?
        /// What stands in its node's environment.
        public var environment: [String: String] = [:]
        public fileprivate(set) var process: Child?
        fileprivate(set) var launchedAt = ContinuousClock.now
        /// What its processes before the present one said of themselves.
        private(set) var said = ""

        init(directory: String, url: String, host: TestHost = .loopback, clock: JumpingClock? = nil) {
            self.directory = directory
            self.url = url
            self.host = host
            self.clock = clock
        }

        /// Lets go of a process that has ended.
        fileprivate func buryProcess() {
            said += process?.errors ?? ""
            process = nil
        }
    }

    public let cluster: EtcdCluster
    public let genesis: Genesis
    public private(set) var machines: [Machine]
    /// Through which everybody talks; none where all is on loopback. First the nodes' hosts, then the members'.
    let network: Network?
    private let root: URL
    /// PEM file of the authority that vouches for the nodes; clients read it too.
    public let authority: String
    public let unit = UnitCode("MALL")!
    public private(set) var people: [Author] = []

    /// What the directories of the nodes are made for.
    public struct Site {
        public let root: URL
        public let cluster: EtcdCluster
        /// Where the validators' nodes are to listen, in their order.
        public let urls: [String]
        /// PEM file of the authority that vouches for the nodes.
        public let authority: String
        /// In which the tool makes them.
        public let environment: [String: String]
    }

    /// - Parameters:
    ///   - network: a host for each validator and then one for each of the three members of the cluster.
    ///   - clocksJump: whether each node has a clock of its own.
    ///   - isSecured: whether the cluster knows one user for all nodes; else `make` makes its users.
    ///   - certificates: a directory that the examples' make-certificates filled for 127.0.0.1, of which nodes and
    ///     cluster have everything; none: each make their own.
    ///   - environment: of the tool that makes the chain, and of the nodes until a test says otherwise.
    ///   - make: makes the directories of the validators, and answers them; none: `lianfen init --apart` does.
    public init(
        validators: Int = 4, in root: URL, network: Network? = nil, clocksJump: Bool = false, isSecured: Bool = true,
        certificates: URL? = nil, environment: [String: String] = [:],
        make: (Site) throws -> [String] = Fleet.initApart
    ) throws {
        self.root = root
        self.network = network
        let hosts = network?.hosts ?? []
        let (etcd, tls) = (root.appendingPathComponent("etcd"), root.appendingPathComponent("tls"))
        for directory in [etcd, tls] {
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        }
        // From yesterday on where clocks may go back.
        let yesterday = try clocksJump ? JumpingClock(at: root.appendingPathComponent("yesterday").path) : nil
        yesterday?.jump(toMilliseconds: -86_400_000)
        if let certificates {
            let host = TestHost.loopback.address
            for (name, source) in [
                ("authority.pem", "authority.pem"), ("server.pem", "\(host).pem"), ("server.key", "\(host).key"),
            ] {
                try FileManager.default.copyItem(
                    at: certificates.appendingPathComponent(source), to: tls.appendingPathComponent(name))
            }
        } else {
            try makeCertificates(in: tls, for: hosts.map(\.address), environment: yesterday?.environment ?? [:])
        }
        authority = tls.appendingPathComponent("authority.pem").path
        cluster = try EtcdCluster(
            in: etcd, secured: isSecured, hosts: Array(hosts.dropFirst(validators)), certificates: certificates)
        let urls = try EtcdCluster.freePorts(validators).enumerated().map { index, port in
            "https://\((hosts.isEmpty ? TestHost.loopback : hosts[index]).address):\(port)"
        }
        let password = root.appendingPathComponent("password")
        try Data("\(EtcdCluster.password)\n".utf8).write(to: password)
        let directories = try make(
            Site(root: root, cluster: cluster, urls: urls, authority: authority, environment: environment))
        machines = try zip(directories, urls).enumerated().map { index, place in
            let (directory, url) = place
            return Machine(
                directory: directory, url: url, host: hosts.isEmpty ? .loopback : hosts[index],
                clock: try clocksJump ? JumpingClock(at: directory + "/clock") : nil)
        }
        genesis = try Genesis(canonicalBytes: Self.bytes(machines[0].directory + "/genesis"))
        for machine in machines { machine.environment = environment }
    }

    /// One call that makes all keys, as for one operator.
    public static func initApart(_ site: Site) throws -> [String] {
        let home = site.root.appendingPathComponent("mall").path
        let cluster = site.cluster
        try run(
            ["init", "--dev", "--apart", "--validators", "\(site.urls.count)", "--dir", home, "--ca", site.authority]
                + site.urls.flatMap { ["--node-url", $0] } + cluster.endpoints.flatMap { ["--etcd", $0] }
                + [
                    "--etcd-ca", cluster.authority, "--etcd-certificate", cluster.clientCertificate, "--etcd-key",
                    cluster.clientKey, "--etcd-user", EtcdCluster.user, "--etcd-password-file",
                    site.root.appendingPathComponent("password").path,
                ], environment: site.environment)
        return site.urls.indices.map { "\(home)/\($0 + 1)" }
    }

    public static func bytes(_ path: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: path)))
    }

    /// Runs the tool to its end; answers what it printed.
    @discardableResult
    public static func run(_ words: [String], environment: [String: String] = [:]) throws -> String {
        let child = try Child(words, environment: environment)
        try #require(child.wait() == 0, "\(words): \(child.errors)")
        return child.output
    }

    /// What the tool is told of the cluster and of the nodes.
    private var places: [String] {
        machines.flatMap { ["--node-url", $0.url] } + ["--ca", authority]
            + cluster.endpoints.flatMap { ["--etcd", $0] }
            + [
                "--etcd-ca", cluster.authority, "--etcd-certificate", cluster.clientCertificate, "--etcd-key",
                cluster.clientKey, "--etcd-user", EtcdCluster.user, "--etcd-password-file",
                root.appendingPathComponent("password").path,
            ]
    }

    /// Adds the directory of an applicant, with access to the order; answers the file of the application, and the
    /// voting key.
    public func apply(_ organisation: Int) throws -> (file: String, key: String) {
        let directory = root.appendingPathComponent("applicant-\(organisation)").path
        try Self.run(
            [
                "consortium", "apply", "--dev", "--genesis", machines[0].directory + "/genesis", "--number",
                "\(organisation)", "--name", "Applicant", "--dir", directory,
            ] + places)
        machines.append(
            Machine(directory: directory, url: "https://127.0.0.1:\(try EtcdCluster.freePorts(1)[0])"))
        let key = try KeyFile(canonicalBytes: Self.bytes(directory + "/nodes/\(organisation)/voting.key"))
        return (directory + "/application.json", key.publicKey.description)
    }

    /// An organisation's command about the consortium, through its own node; answers what it printed.
    public func consortium(_ index: Int, _ words: [String]) throws -> JSONValue {
        let child = try consortiumChild(index, words)
        try #require(child.wait() == 0, "\(words): \(child.errors)")
        return try JSONValue(parsing: Array(child.output.utf8))
    }

    /// The same as a process, for whoever wants to see what it notes, or how it fails.
    public func consortiumChild(_ index: Int, _ words: [String]) throws -> Child {
        try Child(
            ["consortium"] + words + [
                "--by", "\(index + 1)", "--dir", machines[index].directory, "--node", machines[index].url, "--ca",
                authority, "--json",
            ])
    }

    /// Adds the directory of somebody who follows, with a place to listen at.
    public func join(_ organisation: Int) throws -> (machine: Machine, key: String) {
        let directory = root.appendingPathComponent("follower-\(organisation)").path
        let output = try Self.run(
            [
                "init", "--dev", "--join", machines[0].directory + "/genesis", "--organisation", "\(organisation)",
                "--dir", directory, "--ca", authority, "--json",
            ] + machines.flatMap { ["--node-url", $0.url] })
        let answer = try JSONValue(parsing: Array(output.utf8))
        guard case .string(let key)? = answer["votingKey"] else { throw Failed("no key: \(output)") }
        let machine = Machine(
            directory: directory, url: "https://127.0.0.1:\(try EtcdCluster.freePorts(1)[0])")
        machines.append(machine)
        return (machine, key)
    }

    /// Adds a process of a directory at a place of its own, with the key of somebody who is there.
    public func twin(of index: Int, in directory: String) throws -> Int {
        machines.append(
            Machine(directory: directory, url: "https://127.0.0.1:\(try EtcdCluster.freePorts(1)[0])"))
        return machines.count - 1
    }

    public struct Failed: Error, CustomStringConvertible {
        public let description: String
        public init(_ description: String) { self.description = description }
    }

    /// Of a client that trusts the nodes' authority.
    public var configuration: HTTPClientConfiguration {
        var configuration = HTTPClientConfiguration()
        configuration.authorities = .file(authority)
        return configuration
    }

    // MARK: Processes

    /// Starts a node; returns at once.
    public func launch(_ index: Int) throws {
        let machine = machines[index]
        let tls = root.appendingPathComponent("tls")
        machine.launchedAt = .now
        machine.process = try Child(
            [
                "node", "--dir", machine.directory, "--listen", String(machine.url.dropFirst("https://".count)),
                "--json", "--log-level", "error", "--drain", "0", "--tls-certificate",
                machine.tls?.certificate ?? tls.appendingPathComponent("server.pem").path, "--tls-key",
                machine.tls?.key ?? tls.appendingPathComponent("server.key").path,
            ] + machine.options, environment: machine.environment,
            through: machine.host.wrapper + (machine.clock?.wrapper ?? []))
    }

    public func start(_ indices: [Int]) throws {
        for index in indices { try launch(index) }
        for index in indices { try #require(machines[index].process).waitFor("Running the node of") }
    }

    public func kill(_ index: Int) {
        machines[index].process?.kill()
        machines[index].process?.wait()
        machines[index].buryProcess()
    }

    /// Asks a node to end, and waits until it has; answers its last words.
    public func stop(_ index: Int) throws -> JSONValue {
        guard let process = machines[index].process else { throw Failed("\(index) does not run") }
        process.signal(SIGTERM)
        let code = process.wait()
        machines[index].buryProcess()
        try #require(code == 0, "\(process.errors)")
        return try JSONValue(parsing: Array((process.output.split(separator: "\n").last ?? "").utf8))
    }

    /// Ends what still runs, without waiting for its manners.
    public func end() { for index in machines.indices { kill(index) } }

    // MARK: The chain

    public func client(_ index: Int, as author: Author? = nil) throws -> NodeClient {
        try client(index, speakingFor: author.flatMap { Identity($0) })
    }

    public func client(_ index: Int, speakingFor identity: Identity?) throws -> NodeClient {
        if let process = machines[index].process, !process.isRunning {
            throw Failed("node \(index) has ended: \(process.errors)")
        }
        return try NodeClient(machines[index].url, pin: .genesis(genesis), authorities: authority, identity: identity)
    }

    /// A client of several nodes, which asks the first of these first.
    public func client(of indices: [Int], as author: Author) throws -> NodeClient {
        try NodeClient(
            indices.map { machines[$0].url }, pin: .genesis(genesis), authorities: authority,
            identity: Identity(author))
    }

    static let pointsEach: UInt64 = 1_000

    /// A unit, accounts, and 1,000 points for each of them, through all nodes in turn.
    public func found(people count: Int = 8) throws {
        let key = try KeyFile(canonicalBytes: Self.bytes(machines[0].directory + "/keys/1-issuing.key"))
            .open(passphrase: nil)
        let first = OrganisationID(1)
        let issuer = Author(.organisation(first), key)
        people = (0..<count).map { _ in Author(.account(.random()), SecretKey()) }
        let lines = people.enumerated().map { index, person in
            AccrualLine(
                account: person.account, key: NaturalKey(source: SourceID("till")!, order: [UInt8(index)]),
                amount: Self.pointsEach, pending: false)
        }
        for (index, operation) in [
            Operation.publish(Program(unit: unit, currency: "CNY", faceMinor: 1, facePoints: 1), issuer: first),
            .open(
                OpenList(
                    organisation: first,
                    lines: people.map { OpenLine(account: $0.account, credential: $0.key.publicKey) })),
            .accrue(AccrueList(unit: unit, lines: lines)),
        ].enumerated() {
            let client = try client(index)
            defer { client.stop() }
            _ = try client.submit(client.signed(operation, by: issuer))
        }
    }

    /// Each of so many transfers of one point through one of these nodes, all nodes at a time; waits for all answers.
    public func transfer(_ count: Int, through indices: [Int]) throws {
        let failures = Locked<[String]>([])
        let threads = try indices.enumerated().map { place, index in
            let client = try client(index)
            let (people, unit) = (people, unit)
            return WorkerThread("transfers") {
                defer { client.stop() }
                for number in stride(from: place, to: count, by: indices.count) {
                    let (from, to) = (people[number % people.count], people[(number + 1) % people.count])
                    do {
                        let operation = Operation.transfer(
                            from: from.account, to: to.account, unit: unit, amount: 1)
                        _ = try client.submit(client.signed(operation, by: from))
                    } catch { failures.withLock { $0.append("\(index): \(error)") } }
                }
            }
        }
        for thread in threads { thread.join() }
        try #require(failures.withLock { $0 } == [])
    }

    public func height(_ index: Int) throws -> UInt64 {
        let client = try client(index)
        defer { client.stop() }
        return try client.chain().stamp.height
    }

    /// Waits until these nodes stand at some height or above it, and compares what all of them have there.
    public func agree(_ indices: [Int], at height: UInt64, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let headers = try indices.map { index in
            let client = try client(index)
            defer { client.stop() }
            let deadline = Date(timeIntervalSinceNow: 60)
            while try client.chain().stamp.height < height, Date() < deadline { usleep(50_000) }
            var request = HTTPClientRequest(
                "GET", machines[index].url + "/v1/blocks/\(height)/header",
                headers: [HTTPField("Accept", "application/octet-stream")])
            request.totalMilliseconds = 10_000
            return try Header(canonicalBytes: HTTPClient(configuration).perform(request).body)
        }
        #expect(headers.allSatisfy { $0 == headers[0] }, sourceLocation: sourceLocation)
        #expect(headers[0].height == height, sourceLocation: sourceLocation)
    }

    /// What everybody has together, as a node's certified proofs have it.
    public func total(at index: Int) throws -> UInt64 {
        try people.reduce(0) { total, person in
            let client = try client(index, as: person)
            defer { client.stop() }
            return total + (try client.balance(of: person.account, unit: unit).value.available)
        }
    }

    /// Changes a node's setup, and lets a running one read it again.
    public func change(_ index: Int, _ from: String, _ to: String) throws {
        let path = machines[index].directory + "/node.json"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        try #require(text.contains(from))
        try text.replacingOccurrences(of: from, with: to).write(toFile: path, atomically: true, encoding: .utf8)
        machines[index].process?.signal(SIGHUP)
    }
}

extension Author {
    public var account: AccountID {
        guard case .account(let id) = party else { preconditionFailure("a member has an account") }
        return id
    }
}
