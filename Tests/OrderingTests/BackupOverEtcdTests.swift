import EtcdKit
import FleetKit
import Foundation
import JSON
import Ledger
import ServerKit
import TestSupport
import Testing

extension RunningTests {
    /// Backups of a node that runs: under load, and back on an empty host.
    @Suite struct BackupOverEtcdTests {
        /// The node makes backups by itself and by hand while everybody sends; its host is lost with everything but the
        /// keys; what comes back joins, votes, and never says anything twice.
        @Test func aLostHostComesBackFromABackupThatWasTakenUnderLoad() throws {
            try withTemporaryDirectory { root in
                let fleet = try Fleet(in: root)
                defer { fleet.end() }
                let all = [0, 1, 2, 3]
                let (lost, store) = (fleet.machines[3].directory, root.appendingPathComponent("backups").path)
                let recipient = root.appendingPathComponent("recipient.key").path
                let key = try Self.run("backup", "key", recipient, "--dev")["publicKey"]?.string ?? ""
                try fleet.change(
                    3, "\"organisation\": 4,",
                    "\"organisation\": 4, \"backup\": "
                        + "{\"store\": \"\(store)\", \"recipients\": [\"\(key)\"], \"everySeconds\": 10, "
                        + "\"keep\": {\"newest\": 2, \"days\": 0, \"weeks\": 0, \"months\": 0}},")
                try fleet.start(all)
                try fleet.found()
                let node = try #require(fleet.machines[3].process)
                var made: JSONValue = .null
                let certified = try fleet.underLoad(through: all) {
                    try node.waitFor("Backup: height ")
                    made = try Self.backUp(lost)
                }
                #expect(certified > 0)
                let height = try #require(made["height"]?.number)
                try fleet.transfer(24, through: all)

                // The host is gone; of all that was on it there are the keys and the passphrase, kept elsewhere.
                fleet.kill(3)
                let kept = root.appendingPathComponent("kept").path
                try FileManager.default.moveItem(atPath: lost + "/nodes/4/voting.key", toPath: kept)
                let genesis = fleet.machines[0].directory + "/genesis"
                let files = try FileManager.default.contentsOfDirectory(atPath: lost).filter { $0.hasSuffix(".pem") }
                let secrets = try FileManager.default.contentsOfDirectory(atPath: lost)
                    .filter { $0.hasSuffix(".key") || $0.hasSuffix(".password") }
                let safe = root.appendingPathComponent("safe").path
                try FileManager.default.moveItem(atPath: lost, toPath: safe)
                let restored = try Self.run(
                    "backup", "restore", "--store", store, "--genesis", genesis, "--key", recipient, "--signer",
                    Self.signer(made), "--height", "\(height)", "--dir", lost)
                #expect(restored["stateRoot"] == made["stateRoot"])
                #expect(restored["files"]?.items == ["node.json"])
                for name in files + secrets {
                    try FileManager.default.copyItem(atPath: "\(safe)/\(name)", toPath: "\(lost)/\(name)")
                }
                try FileManager.default.moveItem(atPath: kept, toPath: lost + "/nodes/4/voting.key")
                try FileManager.default.copyItem(atPath: safe + "/keys", toPath: lost + "/keys")

                try fleet.start([3])
                try fleet.agree(all, at: fleet.height(0))
                // Without its votes the others are too few.
                fleet.kill(2)
                try fleet.transfer(12, through: [0, 1, 3])
                try fleet.start([2])
                try fleet.agree(all, at: fleet.height(0))
                for index in all { #expect(try fleet.total(at: index) == 8_000) }
                // It has no blocks from before, so its backups go on from those that do, under another key too.
                _ = try fleet.consortium(3, ["rekey", "--voting"])
                try #require(fleet.machines[3].process).waitFor("The voting key is")
                let last = try Self.backUp(lost)
                #expect(Self.signer(last) != Self.signer(made))
                // It has said nothing twice: nobody is suspended, and the records hold.
                for index in all { _ = try fleet.stop(index) }
                let first = fleet.machines[0].directory
                let members = try Self.run("consortium", "members", "--dir", first)["organisations"]?.items ?? []
                #expect(members.count == 4 && members.allSatisfy { $0["standing"] == "active" }, "\(members)")
                _ = try Self.run("audit", first)
                // It makes backups on, each with the blocks that come after the ones before.
                let listed = try Self.run("backup", "list", "--dir", lost)["backups"]?.items ?? []
                #expect(listed.count <= 3 && listed.allSatisfy { $0["failure"] == nil }, "\(listed)")
                // By the words of the document, which name the directory alone.
                #expect(try Self.run("backup", "verify", "--dir", lost)["opened"] == .bool(false))
                let drill = ["--key", recipient, "--scratch", root.path, "--history"]
                #expect(try Self.run(["backup", "drill", "--dir", lost] + drill)["compared"]?.number == 3)
            }
        }

        /// Makes a backup by hand, once the tables have moved on since the node made one by itself.
        private static func backUp(_ directory: String) throws -> JSONValue {
            let deadline = ContinuousClock.now + .seconds(60)
            while true {
                let child = try Child(["backup", "create", "--dir", directory, "--json"])
                if child.wait() == 0 { return try JSONValue(parsing: Array(child.output.utf8)) }
                guard child.errors.contains("backup-exists"), ContinuousClock.now < deadline else {
                    throw Fleet.Failed(child.errors)
                }
                usleep(200_000)
            }
        }

        private static func signer(_ manifest: JSONValue) -> String { manifest["signer"]?.string ?? "" }

        private static func run(_ words: String...) throws -> JSONValue { try run(words) }

        private static func run(_ words: [String]) throws -> JSONValue {
            try JSONValue(parsing: Array(Fleet.run(words + ["--json"]).utf8))
        }
    }
}

extension JSONValue {
    fileprivate var string: String? { if case .string(let text) = self { text } else { nil } }
    fileprivate var items: [JSONValue]? { if case .array(let items) = self { items } else { nil } }
}
