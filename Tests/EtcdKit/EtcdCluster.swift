public import Foundation
public import TestSupport

/// A real cluster of etcd members on loopback, with certificates and users, in a directory of its own. When it goes, or
/// the process ends in whatever way, its members are killed and the directory is removed.
public final class EtcdCluster {
    /// One process, and what outlives it.
    private final class Member {
        let name: String
        let host: TestHost
        let clientPort: Int
        let peerPort: Int
        var process: Process?

        init(name: String, host: TestHost, clientPort: Int, peerPort: Int) {
            self.name = name
            self.host = host
            self.clientPort = clientPort
            self.peerPort = peerPort
        }

        var clientURL: String { "https://\(host.address):\(clientPort)" }
        var peerURL: String { "https://\(host.address):\(peerPort)" }
    }

    public let directory: URL
    private let members: [Member]
    private let quotaBytes: Int
    private var isNew = true
    /// Kills the members and removes what they held.
    private let lifeline: Lifeline

    public static let user = "lianfen"
    public static let password = "of the tests"

    /// Starts a cluster and waits until it answers.
    /// - Parameters:
    ///   - secured: whether it knows nodes by user and password, beside their certificates.
    ///   - hosts: where its members run, one each; none for this machine itself.
    ///   - certificates: a directory that the examples' make-certificates filled for 127.0.0.1; none: it makes its own.
    public init(
        members count: Int = 3, in directory: URL, secured: Bool = true, quotaBytes: Int = 2 << 30,
        hosts: [TestHost] = [], certificates: URL? = nil
    ) throws {
        self.directory = directory
        self.quotaBytes = quotaBytes
        let ports = try Self.freePorts(2 * count)
        members = (0..<count).map { index in
            Member(
                name: "m\(index + 1)", host: hosts.isEmpty ? .loopback : hosts[index], clientPort: ports[2 * index],
                peerPort: ports[2 * index + 1])
        }
        lifeline = try Lifeline("kill -9 $(cat \"$0\"/*.pid) 2>/dev/null; rm -rf \"$0\"", directory.path)
        if let certificates {
            let host = TestHost.loopback.address
            for (name, source) in [
                ("authority.pem", "authority.pem"), ("server.pem", "\(host).pem"), ("server.key", "\(host).key"),
                ("client.pem", "etcd-client.pem"), ("client.key", "etcd-client.key"),
            ] { try FileManager.default.copyItem(atPath: certificates.path + "/" + source, toPath: path(name)) }
        } else {
            let addresses = Set([TestHost.loopback.address] + members.map(\.host.address))
            try Self.makeCertificates(in: directory, for: addresses)
        }
        for index in members.indices {
            let files = tlsFiles(index)
            try FileManager.default.copyItem(atPath: authority, toPath: files.authority)
            try FileManager.default.copyItem(atPath: path("server.pem"), toPath: files.certificate)
            try FileManager.default.copyItem(atPath: path("server.key"), toPath: files.key)
        }
        for index in members.indices { try start(index) }
        isNew = false
        try waitUntilHealthy()
        if secured { try secure() }
    }

    /// Lets it know nodes by user and password, and nobody else.
    private func secure() throws {
        try control("user", "add", "root:root")
        try control("role", "add", "ring")
        try control("role", "grant-permission", "ring", "--prefix=true", "readwrite", "/lianfen/")
        try control("user", "add", "\(Self.user):\(Self.password)")
        try control("user", "grant-role", Self.user, "ring")
        try control("user", "grant-role", "root", "root")
        try control("auth", "enable")
    }

    /// Makes users for validators as operators do, by the script of the examples; answers their passwords by name.
    /// - Parameter numbers: of the validators' organisations.
    public func makeUsers(chain: String, numbers: [Int]) throws -> [String: String] {
        let examples = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("examples/machines")
        try runScript(
            """
            export ETCDCTL_ENDPOINTS=\(endpoints.joined(separator: ",")) ETCDCTL_CACERT=\(authority)
            export ETCDCTL_CERT=\(clientCertificate) ETCDCTL_KEY=\(clientKey) ROOT_PASSWORD=root
            \(isSecured ? "export ETCDCTL_USER=root:root" : "")
            \(examples.path)/make-users \(chain) \(numbers.map(String.init).joined(separator: " "))
            """, in: directory)
        isSecured = true
        var passwords: [String: String] = [:]
        for name in numbers.map({ "lianfen-\($0)" }) {
            let text = try String(contentsOfFile: path("\(name).password"), encoding: .utf8)
            passwords[name] = text.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        return passwords
    }

    deinit { for index in members.indices { kill(index) } }

    public var endpoints: [String] { members.map(\.clientURL) }
    public var authority: String { path("authority.pem") }
    public var clientCertificate: String { path("client.pem") }
    public var clientKey: String { path("client.key") }

    /// A member's own files, as on a machine of its own.
    public func tlsFiles(_ index: Int) -> (authority: String, certificate: String, key: String) {
        let name = members[index].name
        return (path("\(name)-authority.pem"), path("\(name).pem"), path("\(name).key"))
    }

    // MARK: Faults

    public func start(_ index: Int) throws {
        let member = members[index]
        guard member.process == nil else { return }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        let tls = tlsFiles(index)
        let words = [
            "/bin/sh", "-c", "echo $$ >\"$0\"; exec etcd \"$@\"", path("\(member.name).pid"), "--name", member.name,
            "--data-dir", path(member.name),
            "--listen-client-urls", member.clientURL, "--advertise-client-urls", member.clientURL,
            "--listen-peer-urls", member.peerURL, "--initial-advertise-peer-urls", member.peerURL,
            "--initial-cluster", peers, "--initial-cluster-state", isNew ? "new" : "existing",
            "--client-cert-auth", "--trusted-ca-file", tls.authority,
            "--cert-file", tls.certificate, "--key-file", tls.key,
            "--peer-client-cert-auth", "--peer-trusted-ca-file", tls.authority,
            "--peer-cert-file", tls.certificate, "--peer-key-file", tls.key,
            "--quota-backend-bytes", String(quotaBytes), "--max-request-bytes", "2097152",
            "--logger", "zap", "--log-level", "error",
        ]
        process.arguments = member.host.wrapper + words
        let log = directory.appendingPathComponent("\(member.name).log")
        if !FileManager.default.fileExists(atPath: log.path) { try Data().write(to: log) }
        let handle = try FileHandle(forWritingTo: log)
        try handle.seekToEnd()
        process.standardOutput = handle
        process.standardError = handle
        process.standardInput = FileHandle.nullDevice
        try process.run()
        member.process = process
    }

    public func kill(_ index: Int) {
        guard let process = members[index].process else { return }
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        members[index].process = nil
    }

    /// Takes a member away with its disk.
    public func lose(_ index: Int) throws {
        kill(index)
        try FileManager.default.removeItem(atPath: path(members[index].name))
    }

    /// Puts a member with an empty disk in the place of one that was lost, under its name and at its addresses, as
    /// operators do it with etcdctl; answers once it has what the others have.
    public func replace(_ index: Int) throws {
        let member = members[index]
        let others = endpoints.enumerated().filter { $0.offset != index }.map(\.element).joined(separator: ",")
        // ID, status, name, peer URLs, client URLs, learner.
        let listed = try control("--endpoints", others, "member", "list").split(separator: "\n")
            .map { $0.components(separatedBy: ", ") }
        guard let id = listed.first(where: { $0.count > 2 && $0[2] == member.name })?[0] else {
            throw EtcdFailure("member list", "\(member.name) is not among \(listed)")
        }
        try control("--endpoints", others, "member", "remove", id)
        try again {
            try control("--endpoints", others, "member", "add", member.name, "--peer-urls", member.peerURL)
        }
        try start(index)
        try waitUntilHealthy(index)
    }

    /// Ends a member and starts it again; answers once it has what the others have.
    /// - Parameter gently: whether it is asked to end, for which it takes its time while somebody watches.
    public func restart(_ index: Int, gently: Bool) throws {
        if gently {
            signal(index, SIGTERM)
            members[index].process?.waitUntilExit()
            members[index].process = nil
        } else {
            kill(index)
        }
        try start(index)
        try waitUntilHealthy(index)
    }

    public func pause(_ index: Int) { signal(index, SIGSTOP) }
    public func resume(_ index: Int) { signal(index, SIGCONT) }

    private func signal(_ index: Int, _ signal: Int32) {
        if let process = members[index].process { Foundation.kill(process.processIdentifier, signal) }
    }

    /// Ends all members, forgets what they held, and starts the same cluster anew, empty: with the ids that it had.
    public func wipe(secured: Bool = false) throws {
        for index in members.indices { kill(index) }
        for member in members { try FileManager.default.removeItem(atPath: path(member.name)) }
        isNew = true
        for index in members.indices { try start(index) }
        isNew = false
        isSecured = false
        try waitUntilHealthy()
        if secured { try secure() }
    }

    /// Copies what the cluster holds now to a file, which it answers. A member that was cut off may have to come to
    /// itself first.
    public func copy() throws -> String {
        try waitUntilHealthy()
        let file = path("copy-\(UUID().uuidString)")
        try control("--endpoints", endpoints[0], "snapshot", "save", file)
        return file
    }

    /// Ends all members and starts the cluster with what a copy holds, as an operator does after a loss.
    public func restore(_ copy: String) throws {
        for index in members.indices { kill(index) }
        for member in members {
            try FileManager.default.removeItem(atPath: path(member.name))
            try control(
                "snapshot", "restore", copy, "--name", member.name, "--initial-cluster", peers,
                "--initial-advertise-peer-urls", member.peerURL, "--data-dir",
                path(member.name))
        }
        for index in members.indices { try start(index) }
        try waitUntilHealthy()
    }

    private var peers: String {
        members.map { "\($0.name)=\($0.peerURL)" }.joined(separator: ",")
    }

    // MARK: The operators' tool

    /// Runs etcdctl as the user root.
    @discardableResult
    public func control(_ words: String...) throws -> String {
        let output = directory.appendingPathComponent("etcdctl-\(UUID().uuidString)")
        try Data().write(to: output)
        defer { try? FileManager.default.removeItem(at: output) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/etcdctl")
        process.arguments =
            [
                "--cacert", authority, "--cert", clientCertificate,
                "--key", clientKey, "--command-timeout", "10s",
            ] + (words.contains("--endpoints") ? [] : ["--endpoints", endpoints.joined(separator: ",")])
            + (isSecured ? ["--user", "root:root"] : []) + words
        process.environment = ["ETCDCTL_API": "3"]
        let handle = try FileHandle(forWritingTo: output)
        process.standardOutput = handle
        process.standardError = handle
        try process.run()
        process.waitUntilExit()
        let text = try String(contentsOf: output, encoding: .utf8)
        guard process.terminationStatus == 0 else { throw EtcdFailure(words.joined(separator: " "), text) }
        if words == ["auth", "enable"] { isSecured = true }
        return text
    }

    private var isSecured = false

    /// Gives back what compaction has freed at one member.
    public func defragment(_ endpoint: String) throws { try control("--endpoints", endpoint, "defrag") }

    /// Waits until a member, or all of them, answer what a quorum agrees on.
    public func waitUntilHealthy(_ index: Int? = nil) throws {
        let asked = (index.map { [endpoints[$0]] } ?? endpoints).joined(separator: ",")
        try again { try control("--endpoints", asked, "endpoint", "health") }
    }

    /// Repeats a command until it succeeds: members that have not been connected to each other for some seconds refuse
    /// changes of the cluster, and for want of a leader everything.
    private func again(_ command: () throws -> Void) throws {
        let deadline = Date(timeIntervalSinceNow: 30)
        while true {
            do { return try command() } catch {
                if Date() > deadline { throw error }
                usleep(100_000)
            }
        }
    }

    private func path(_ name: String) -> String { directory.appendingPathComponent(name).path }

    // MARK: Making

    /// An authority, a certificate for the members, which are each other's clients too, and one for nodes without a
    /// common name, by which etcd would take it for a user.
    private static func makeCertificates(in directory: URL, for addresses: Set<String>) throws {
        let names = addresses.sorted().map { "IP:\($0)" }.joined(separator: ",")
        let script = """
            key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
            openssl req -x509 $key -days 2 -subj /CN=authority -addext basicConstraints=critical,CA:TRUE \
              -keyout authority.key -out authority.pem
            leaf() { openssl req $key -subj /O=lianfen -keyout $1.key -out $1.csr
              printf "$2" > $1.ext
              openssl x509 -req -in $1.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 \
                -extfile $1.ext -out $1.pem; }
            leaf server "subjectAltName=\(names)\\nextendedKeyUsage=serverAuth,clientAuth"
            leaf client "extendedKeyUsage=clientAuth"
            """
        try runScript(script, in: directory)
    }

    /// Ports of loopback that nobody has now.
    public static func freePorts(_ count: Int) throws -> [Int] {
        var sockets: [Int32] = []
        defer { for socket in sockets { close(socket) } }
        return try (0..<count).map { _ in
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            sockets.append(descriptor)
            guard let port = bound(descriptor, to: 0) else { throw EtcdFailure("bind", "there is no free port") }
            return port
        }
    }

    /// Whether nobody has a port of loopback now.
    public static func isFree(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        return bound(descriptor, to: port) != nil
    }

    /// The port of loopback that a socket has got: this one, or for 0 a free one.
    private static func bound(_ descriptor: Int32, to port: Int) -> Int? {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        address.sin_port = in_port_t(port).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let done = unsafe withUnsafeMutablePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe bind(descriptor, address, length) == 0 && getsockname(descriptor, address, &length) == 0
            }
        }
        return done ? Int(UInt16(bigEndian: address.sin_port)) : nil
    }
}

/// A command that failed, and what it said.
public struct EtcdFailure: Error, CustomStringConvertible {
    public let description: String

    init(_ command: String, _ output: String) { description = "\(command): \(output)" }
}
