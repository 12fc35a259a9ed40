import EtcdKit
import FleetKit
import Foundation
import ServerKit
import TestSupport
import Testing

extension RunningTests {
    /// What operators do to a consortium that runs, by the commands of docs/operations.md, under load: no transfer
    /// fails, and the chain never stands for long.
    @Suite struct OperationsOverEtcdTests {
        private static let all = [0, 1, 2, 3]
        /// A leader of the cluster that goes is missed for up to two seconds; the rest is for what else runs here.
        private static let pauseMax = Duration.seconds(20)

        /// The new member has the name and the addresses of the one that was lost, so that no node hears of it.
        @Test func aMemberOfTheClusterThatIsLostForGoodIsReplacedUnderLoad() throws {
            try withTemporaryDirectory { root in
                let fleet = try Fleet(in: root)
                defer { fleet.end() }
                try fleet.start(Self.all)
                try fleet.found()
                let cluster = fleet.cluster
                let node = try #require(fleet.machines[0].process)
                let member = "The ordering cluster's member \(cluster.endpoints[1])"
                let certified = try fleet.underLoad(through: Self.all, pauseMax: Self.pauseMax) {
                    try cluster.lose(1)
                    // Everything goes on, and somebody has to know.
                    try node.waitFor("\(member) does not answer: ")
                    try fleet.waitForBlocks(5)
                    try cluster.replace(1)
                    // The new one is needed from here on: without it the other two are one.
                    cluster.kill(0)
                    try fleet.waitForBlocks(5)
                    try cluster.start(0)
                    try cluster.waitUntilHealthy()
                    try node.waitFor("\(member) answers again.")
                }
                #expect(certified > 0)
                let members = try cluster.control("member", "list").split(separator: "\n")
                #expect(members.count == 3 && members.allSatisfy { $0.contains(", started, ") }, "\(members)")
                try fleet.agree(Self.all, at: fleet.height(0))
            }
        }

        /// All that was signed by the old authority goes, while everything runs: at the end it counts for nothing.
        @Test func certificatesAndTheirAuthorityAreExchangedUnderLoad() throws {
            try withTemporaryDirectory { root in
                let (old, new) = (root.appendingPathComponent("tls-old"), root.appendingPathComponent("tls-new"))
                for directory in [old, new] {
                    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
                    try runScript("\(Self.examples)/make-certificates 127.0.0.1", in: directory)
                }
                try runScript("cat tls-old/authority.pem tls-new/authority.pem >both.pem", in: root)
                let both = root.appendingPathComponent("both.pem").path
                let fleet = try Fleet(in: root, certificates: old)
                defer { fleet.end() }
                for (index, machine) in fleet.machines.enumerated() {
                    let pem = root.appendingPathComponent("node-\(index + 1)").path
                    try Self.install(old.path + "/127.0.0.1.pem", as: pem + ".pem")
                    try Self.install(old.path + "/127.0.0.1.key", as: pem + ".key")
                    machine.tls = (pem + ".pem", pem + ".key")
                }
                try fleet.start(Self.all)
                try fleet.found()
                let cluster = fleet.cluster
                let certified = try fleet.underLoad(through: Self.all, pauseMax: Self.pauseMax) {
                    // 1. Everybody trusts both authorities.
                    try Self.trust(both, in: fleet, gently: true)

                    // 2. Everything shows what the new one has signed. Members read it when somebody connects.
                    for index in cluster.endpoints.indices {
                        let files = cluster.tlsFiles(index)
                        try Self.install(new.path + "/127.0.0.1.key", as: files.key)
                        try Self.install(new.path + "/127.0.0.1.pem", as: files.certificate)
                        #expect(try Self.shows(files.certificate, cluster.endpoints[index], in: root))
                    }
                    for machine in fleet.machines {
                        try Self.install(new.path + "/etcd-client.key", as: machine.directory + "/etcd-client.key")
                        try Self.install(new.path + "/etcd-client.pem", as: machine.directory + "/etcd-client.pem")
                    }
                    for (index, machine) in fleet.machines.enumerated() {
                        let files = try #require(machine.tls)
                        try Self.install(new.path + "/127.0.0.1.key", as: files.key)
                        try Self.install(new.path + "/127.0.0.1.pem", as: files.certificate)
                        #expect(try !Self.shows(files.certificate, machine.url, in: root))
                        try Self.reload(fleet, index)
                        try #require(machine.process).waitFor("Shows the new certificate.")
                        #expect(try Self.shows(files.certificate, machine.url, in: root))
                        try fleet.agree([index], at: fleet.height((index + 1) % 4))
                    }
                    for (name, file) in [
                        ("etcd-client.pem", cluster.clientCertificate), ("etcd-client.key", cluster.clientKey),
                    ] { try Self.install(new.path + "/" + name, as: file) }

                    // 3. Nobody trusts the old one any more.
                    try Self.trust(new.path + "/authority.pem", in: fleet, gently: false)
                    try fleet.waitForBlocks(5)
                }
                #expect(certified > 0)
                // What the old one has signed opens no door.
                #expect(throws: (any Error).self) {
                    try runScript(
                        """
                        ETCDCTL_API=3 etcdctl --endpoints \(cluster.endpoints[0]) --cacert \(both) \
                          --cert tls-old/etcd-client.pem --key tls-old/etcd-client.key \
                          --user \(EtcdCluster.user):'\(EtcdCluster.password)' endpoint health
                        """, in: root)
                }
                // Nobody lives on connections from before: each starts with nothing but what it has on its disk.
                for index in Self.all { _ = try fleet.stop(index) }
                try fleet.start(Self.all)
                try fleet.transfer(8, through: Self.all)
                try fleet.agree(Self.all, at: fleet.height(0))
            }
        }

        /// A node is told first and the cluster then, so that whoever has to show himself again knows what to say.
        @Test func passwordsOfTheClusterAreExchangedUnderLoad() throws {
            try withTemporaryDirectory { root in
                var passwords: [String: String] = [:]
                let fleet = try Fleet(in: root, isSecured: false) { site in
                    passwords = try site.cluster.makeUsers(chain: "mall", numbers: Self.all.map { $0 + 1 })
                    return try Self.initApart(site)
                }
                defer { fleet.end() }
                try fleet.start(Self.all)
                try fleet.found()
                let cluster = fleet.cluster
                let certified = try fleet.underLoad(through: Self.all, pauseMax: Self.pauseMax) {
                    for index in Self.all {
                        let user = "lianfen-\(index + 1)"
                        let password = try Self.draw(root)
                        try Self.tell(fleet, index, password)
                        try Self.change(user, to: password, cluster, in: root)
                        #expect(try !Self.knows(cluster, user, try #require(passwords[user]), in: root))
                        try fleet.waitForBlocks(3)
                        // By its own door and in its own words.
                        try fleet.transfer(2, through: [index])
                    }
                }
                #expect(certified > 0)

                // Whoever told the cluster first has a node that nobody lets in until it is told as well.
                let password = try Self.draw(root)
                try Self.change("lianfen-4", to: password, cluster, in: root)
                try fleet.transfer(3, through: [0, 1, 2])
                try Self.tell(fleet, 3, password)
                try fleet.transfer(2, through: [3])
                try fleet.agree(Self.all, at: fleet.height(0))
            }
        }

        // MARK: The commands

        private static let examples = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("examples/machines").path

        private static func install(_ source: String, as file: String) throws {
            try runScript("install -m 600 '\(source)' '\(file)'", in: URL(fileURLWithPath: "/"))
        }

        /// Gives everybody this file of authorities: nodes and clients read it for each new connection, members of the
        /// cluster when they start.
        /// - Parameter gently: whether the first member is asked to end, as systemd does; the hard way takes less time.
        private static func trust(_ authorities: String, in fleet: Fleet, gently: Bool) throws {
            for machine in fleet.machines {
                for name in ["nodes-ca.pem", "etcd-ca.pem"] {
                    try install(authorities, as: machine.directory + "/" + name)
                }
            }
            for file in [fleet.authority, fleet.cluster.authority] { try install(authorities, as: file) }
            for index in fleet.cluster.endpoints.indices {
                try install(authorities, as: fleet.cluster.tlsFiles(index).authority)
                try fleet.cluster.restart(index, gently: gently && index == 0)
                try fleet.waitForBlocks(2)
            }
        }

        /// Whether who listens there shows the certificate of this file.
        private static func shows(_ file: String, _ url: String, in directory: URL) throws -> Bool {
            let place = String(url.dropFirst("https://".count))
            return try succeeds(
                """
                [ "$(openssl s_client -connect \(place) </dev/null 2>/dev/null | openssl x509 -noout -serial)" = \
                  "$(openssl x509 -noout -serial -in '\(file)')" ]
                """, in: directory)
        }

        private static func succeeds(_ script: String, in directory: URL) throws -> Bool {
            let answer = directory.appendingPathComponent("answer-\(UUID().uuidString)")
            try runScript("if \(script); then echo yes; else echo no; fi >'\(answer.path)'", in: directory)
            return try String(contentsOf: answer, encoding: .utf8) == "yes\n"
        }

        /// What the tool makes for validators with a user of the cluster each.
        private static func initApart(_ site: Fleet.Site) throws -> [String] {
            let home = site.root.appendingPathComponent("mall").path
            let cluster = site.cluster
            let users = site.urls.indices.map { "lianfen-\($0 + 1)" }
            try Fleet.run(
                [
                    "init", "--dev", "--apart", "--chain", "mall", "--validators", "\(users.count)", "--dir", home,
                    "--ca", site.authority, "--etcd-ca", cluster.authority, "--etcd-certificate",
                    cluster.clientCertificate, "--etcd-key", cluster.clientKey,
                ] + site.urls.flatMap { ["--node-url", $0] } + cluster.endpoints.flatMap { ["--etcd", $0] }
                    + users.flatMap {
                        [
                            "--etcd-user", $0, "--etcd-password-file",
                            cluster.directory.appendingPathComponent("\($0).password").path,
                        ]
                    })
            return users.indices.map { "\(home)/\($0 + 1)" }
        }

        /// Draws a password into the file `next.password`.
        private static func draw(_ root: URL) throws -> String {
            try runScript("umask 077; openssl rand -hex 24 >next.password", in: root)
            return root.appendingPathComponent("next.password").path
        }

        /// Gives a node the password that it is to show from its next token on.
        private static func tell(_ fleet: Fleet, _ index: Int, _ password: String) throws {
            try install(password, as: fleet.machines[index].directory + "/etcd.password")
            try reload(fleet, index)
        }

        /// What `systemctl reload` does; returns when the node has read its setup again.
        private static func reload(_ fleet: Fleet, _ index: Int) throws {
            let node = try #require(fleet.machines[index].process)
            let before = node.readings
            node.signal(SIGHUP)
            let deadline = Date(timeIntervalSinceNow: 30)
            while node.readings == before, Date() < deadline { usleep(20_000) }
            try #require(node.readings > before, "\(node.errors)")
        }

        private static func change(
            _ user: String, to password: String, _ cluster: EtcdCluster, in root: URL
        ) throws {
            try runScript(
                """
                \(environment(cluster, "root:root"))
                etcdctl user passwd \(user) --interactive=false <'\(password)'
                """, in: root)
        }

        /// Whether the cluster lets this user in with this password.
        private static func knows(
            _ cluster: EtcdCluster, _ user: String, _ password: String, in root: URL
        ) throws -> Bool {
            try succeeds("(\(environment(cluster, "\(user):\(password)")); etcdctl get /lianfen/mall/tip)", in: root)
        }

        private static func environment(_ cluster: EtcdCluster, _ user: String) -> String {
            """
            export ETCDCTL_API=3 ETCDCTL_ENDPOINTS=\(cluster.endpoints.joined(separator: ",")) \
            ETCDCTL_CACERT=\(cluster.authority) ETCDCTL_CERT=\(cluster.clientCertificate) \
            ETCDCTL_KEY=\(cluster.clientKey) ETCDCTL_USER=\(user)
            """
        }
    }
}

extension Child {
    /// How often a node has read its setup again.
    fileprivate var readings: Int { (output + errors).components(separatedBy: "/node.json again.").count - 1 }
}

extension Fleet {
    /// Waits until so many blocks more are certified.
    fileprivate func waitForBlocks(_ count: UInt64) throws {
        let start = try height(0)
        let deadline = Date(timeIntervalSinceNow: 60)
        while try height(0) < start + count {
            try #require(Date() < deadline, "the chain stands at \(start)")
            usleep(20_000)
        }
    }
}
