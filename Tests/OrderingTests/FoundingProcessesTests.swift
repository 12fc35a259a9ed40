import Canonical
import Crypto
import EtcdKit
import FleetKit
import Foundation
import Ledger
import ServerKit
import TestSupport
import Testing

extension RunningTests {
    /// Four organisations found a chain by what docs/founding.md says, each in a directory of its own, and their nodes
    /// run as processes over a real cluster.
    @Suite struct FoundingProcessesTests {
        private static let numbers = 1...4
        private static let hosts = ["a", "b", "c", "d"]

        @Test func fourOrganisationsFoundAChainByTheDocument() throws {
            let guide = try Guide("docs/founding.md")
            try withTemporaryDirectory { root in
                let home = root.appendingPathComponent("founding")
                var site: Fleet.Site?
                let fleet = try Fleet(in: root, isSecured: false) { made in
                    site = made
                    try Self.prepare(home, made)
                    try Self.run(guide, nil, in: home, made)
                    return Self.numbers.map { home.appendingPathComponent("mall-\($0)").path }
                }
                defer { fleet.end() }
                try Self.expectSecretsStay(in: home)
                for (number, machine) in zip(Self.numbers, fleet.machines) {
                    machine.options = ["--passphrase-file", home.appendingPathComponent("passphrase-\(number)").path]
                }
                let all = [0, 1, 2, 3]
                try fleet.start(all)
                try fleet.agree(all, at: 1)
                try Self.run(guide, "after", in: home, #require(site))
            }
        }

        /// What the page has from elsewhere: certificates, and users of the cluster with their passwords.
        private static func prepare(_ home: URL, _ site: Fleet.Site) throws {
            let tls = home.appendingPathComponent("tls")
            try FileManager.default.createDirectory(at: tls, withIntermediateDirectories: true)
            // The page has one authority for all.
            let authorities = try [site.authority, site.cluster.authority].map { try Fleet.bytes($0) }
            try Data(authorities.flatMap(\.self)).write(to: tls.appendingPathComponent("authority.pem"))
            for (name, bytes) in [
                ("etcd-client.pem", try Fleet.bytes(site.cluster.clientCertificate)),
                ("etcd-client.key", try Fleet.bytes(site.cluster.clientKey)),
            ] { try Data(bytes).write(to: tls.appendingPathComponent(name)) }
            for (user, password) in try site.cluster.makeUsers(chain: "mall", numbers: Array(numbers)) {
                try Data("\(password)\n".utf8).write(to: tls.appendingPathComponent("\(user).password"))
            }
        }

        /// Runs the page's commands of a kind, one after the other, and holds what they print against the page.
        private static func run(_ guide: Guide, _ kind: String?, in home: URL, _ site: Fleet.Site) throws {
            let snippets = guide.all("sh", kind)
            try #require(!snippets.isEmpty)
            func here(_ text: String) -> String {
                var text = text
                for (host, url) in zip(hosts, site.urls) {
                    text = text.replacingOccurrences(of: "https://\(host).example:8443", with: url)
                }
                for (host, endpoint) in zip(hosts, site.cluster.endpoints) {
                    text = text.replacingOccurrences(of: "https://\(host).example:2379", with: endpoint)
                }
                return text
            }
            let tool = Child.binary.deletingLastPathComponent().path
            let script = snippets.enumerated().map { "{\n\(here($1.code))\n} >.out-\($0) 2>>.errors\n" }
            func said(_ name: String) -> String {
                (try? String(contentsOf: home.appendingPathComponent(name), encoding: .utf8)) ?? ""
            }
            do {
                try runScript("set -u\nPATH=\(tool):$PATH\n" + script.joined(), in: home)
            } catch { throw Fleet.Failed("\(guide.page): \(said(".errors"))") }
            for (index, snippet) in snippets.enumerated() {
                let promised = snippet.output.isEmpty ? [] : here(snippet.output).components(separatedBy: "\n")
                #expect(Guide.difference(said(".out-\(index)"), promised) == nil, "\(guide.page):\(snippet.line)")
            }
        }

        /// As a file in the clear has it: behind the magic, the version and the kind.
        private static func seed(_ key: SecretKey) -> [UInt8] {
            Array(KeyFile(clear: key).canonicalBytes.dropFirst(7).prefix(SecretKey.seedCount))
        }

        /// No key of an organisation stands in a file of another, nor in one that was sent; and none stands in clear.
        private static func expectSecretsStay(in home: URL) throws {
            var secrets: [(owner: Int, file: String, sealed: [UInt8], seed: [UInt8])] = []
            for number in numbers {
                let passphrase = try Fleet.bytes(home.appendingPathComponent("passphrase-\(number)").path)
                    .prefix { $0 != 0x0A }
                for name in [
                    "nodes/\(number)/voting.key", "keys/\(number)-issuing.key", "keys/\(number)-governing.key",
                ] {
                    let file = "mall-\(number)/\(name)"
                    let sealed = try Fleet.bytes(home.appendingPathComponent(file).path)
                    let key = try KeyFile(canonicalBytes: sealed).open(passphrase: Array(passphrase))
                    // Without the public key at its end, which is no secret.
                    let own = Array(sealed.dropLast(key.publicKey.canonicalBytes.count).suffix(48))
                    secrets.append((number, file, own, Self.seed(key)))
                }
            }
            #expect(secrets.count == 12)
            var read = 0
            for name in try FileManager.default.subpathsOfDirectory(atPath: home.path) {
                let file = home.appendingPathComponent(name)
                guard let data = try? Data(contentsOf: file) else { continue }
                read += 1
                for secret in secrets {
                    #expect(data.range(of: Data(secret.seed)) == nil, "\(secret.file) stands in clear in \(name)")
                    let isThere = data.range(of: Data(secret.sealed)) != nil
                    #expect(isThere == (name == secret.file), "\(secret.file) stands in \(name)")
                }
                if !name.hasPrefix("passphrase-") {
                    for number in numbers {
                        let passphrase = try Fleet.bytes(home.appendingPathComponent("passphrase-\(number)").path)
                        let words = Data(passphrase.prefix { $0 != 0x0A })
                        #expect(data.range(of: words) == nil, "the passphrase of \(number) stands in \(name)")
                    }
                }
            }
            #expect(read > 60)
        }
    }
}
