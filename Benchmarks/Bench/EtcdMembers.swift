import Glibc

/// Three members of an etcd cluster on loopback for as long as they are measured, as docs/machines.md sets one up:
/// certificates in both directions, and a user for the nodes.
final class EtcdMembers {
    /// Everything of it is here, and goes with it.
    private let path: String
    private let ports: [Int]
    private var shell: Child?

    private static let user = "lianfen"
    private static let password = "of the benchmarks"
    private static let count = 3
    private static let readySecondsMax = 60.0

    /// Starts them in an empty directory, and waits until they answer.
    /// - Parameter installed: where Debian's packages put their programs.
    /// - Throws: ``BenchError`` where etcd is missing, or does not start.
    init(in path: String, installed: String = "/usr/bin") throws {
        let needed = [("etcd", "etcd-server"), ("etcdctl", "etcd-client"), ("openssl", "openssl")]
        for (program, package) in needed where access("\(installed)/\(program)", X_OK) != 0 {
            throw BenchError(
                "etcd",
                "\(installed)/\(program) is missing, and without it nodes have no order. Install Debian's "
                    + "package \(package)")
        }
        self.path = path
        ports = try Machine.freePorts(2 * Self.count)
        try Self.run(Self.certificates, in: path)
        try BenchChain.write(Array("\(Self.password)\n".utf8), to: "\(path)/password")
        shell = try Child("/usr/bin/setpriv", ["--pdeathsig", "KILL", "/bin/sh", "-c", members, path])
        let start = Machine.now()
        while !(try isReady()) {
            guard Machine.seconds(since: start) < Self.readySecondsMax else {
                throw BenchError("etcd", "etcd did not start: \(Benchmark.lastLine(of: "\(path)/m1.log"))")
            }
            Benchmark.pause(milliseconds: 100)
        }
        try Self.run(users, in: path)
    }

    /// Ends them.
    func stop() { if let shell = shell.take() { shell.kill() } }

    deinit { stop() }

    /// The shell whose children the members are.
    var process: pid_t { shell?.id ?? 0 }

    /// What `lianfen init --apart` is told of them.
    var arguments: [String] {
        (0..<Self.count).flatMap { ["--etcd", client($0)] } + [
            "--etcd-ca", "\(path)/authority.pem", "--etcd-certificate", "\(path)/client.pem", "--etcd-key",
            "\(path)/client.key", "--etcd-user", Self.user, "--etcd-password-file", "\(path)/password",
        ]
    }

    private func client(_ index: Int) -> String { "https://127.0.0.1:\(ports[2 * index])" }
    private func peer(_ index: Int) -> String { "https://127.0.0.1:\(ports[2 * index + 1])" }

    /// Nodes show a certificate without a common name, since etcd would take that for a user.
    private static let certificates = """
        new="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
        openssl req -x509 $new -days 2 -subj /CN=bench -keyout authority.key -out authority.pem
        for name in server client; do
          openssl req $new -subj /O=bench -keyout $name.key -out $name.csr
          printf 'subjectAltName=IP:127.0.0.1\\nextendedKeyUsage=serverAuth,clientAuth' >$name.ext
          openssl x509 -req -in $name.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 \
            -extfile $name.ext -out $name.pem
        done
        """

    /// All of them, each of which ends with this script.
    private var members: String {
        let all = (0..<Self.count).map { "m\($0 + 1)=\(peer($0))" }.joined(separator: ",")
        let each = (0..<Self.count).map { index in
            """
            setpriv --pdeathsig KILL etcd --name m\(index + 1) --data-dir m\(index + 1) --initial-cluster \(all) \
            --listen-client-urls \(client(index)) --advertise-client-urls \(client(index)) \
            --listen-peer-urls \(peer(index)) --initial-advertise-peer-urls \(peer(index)) \
            --client-cert-auth --trusted-ca-file authority.pem --cert-file server.pem --key-file server.key \
            --peer-client-cert-auth --peer-trusted-ca-file authority.pem --peer-cert-file server.pem \
            --peer-key-file server.key --quota-backend-bytes \(2 << 30) --max-request-bytes 2097152 \
            --logger zap --log-level error >m\(index + 1).log 2>&1 &
            """
        }
        return "cd \"$0\"\n" + each.joined(separator: "\n") + "\nwait"
    }

    private var control: String {
        "export ETCDCTL_API=3\netcdctl() { command etcdctl --cacert authority.pem --cert client.pem --key client.key "
            + "--command-timeout 10s --endpoints \((0..<Self.count).map(client).joined(separator: ",")) \"$@\"; }\n"
    }

    private func isReady() throws -> Bool {
        try Child("/bin/bash", ["-c", "cd \"$0\"\n" + control + "etcdctl endpoint health >/dev/null 2>&1", path])
            .finish().code == 0
    }

    private var users: String {
        control + """
            etcdctl user add root:root
            etcdctl role add ring
            etcdctl role grant-permission ring --prefix=true readwrite /lianfen/
            etcdctl user add '\(Self.user):\(Self.password)'
            etcdctl user grant-role \(Self.user) ring
            etcdctl user grant-role root root
            etcdctl auth enable
            """
    }

    private static func run(_ script: String, in path: String) throws {
        let text = "exec >script.log 2>&1\nset -e\n" + script
        let (_, code) = try Child("/bin/bash", ["-c", "cd \"$0\"\n" + text, path]).finish()
        guard code == 0 else {
            throw BenchError("etcd", "etcd could not be set up: \(Benchmark.lastLine(of: "\(path)/script.log"))")
        }
    }
}
