import Crypto
import Foundation
import Glibc
import Ledger
import ServerKit
import TestSupport
import Testing
import Wire

@testable import Commands

/// `lianfen backup`: what was kept comes back; what is wrong is said, with nothing half-written left behind.
@Suite(.ownThread) struct BackupCommandTests {
    private struct Shelf {
        let root: URL
        let chain: String
        let store: String
        let key: String
        let publicKey: String

        func create(_ words: String...) -> Call {
            Call(["backup", "create", "--dir", chain, "--store", store, "--recipient", publicKey, "--json"] + words)
        }
        func reading(_ command: String, _ words: [String]) -> Call {
            Call(["backup", command, "--store", store, "--key", key, "--json"] + words)
        }
        var genesis: String { chain + "/genesis" }
        /// All that stands in the store, and nothing half-written.
        func files() throws -> [String: Data] { try snapshot(store) }
    }

    private func withShelf(_ body: (Shelf) throws -> Void) throws {
        try withChain("--validators", "2") { root, chain in
            try Members.make(in: chain)
            let key = root.file("recipient.key")
            let made = try Call.ok("backup", "key", key, "--dev", "--json")
            try body(
                Shelf(
                    root: root, chain: chain, store: root.file("store"), key: key,
                    publicKey: try #require(made.json["publicKey"].text)))
        }
    }

    private func pay(_ chain: String) throws {
        try Call.ok("wallet", "redeem", "--from", "anna", "--unit", "TENTH", "--amount", "1", "--dir", chain)
    }

    @Test func whatWasKeptComesBack() throws {
        try withShelf { shelf in
            _ = try Shop().importing("1,somebody,3.00,done\n", into: shelf.chain, in: shelf.root)
            let made = shelf.create()
            try #require(made.code == 0, "\(made.errors)")
            // Nothing has happened since, so there is nothing to keep, and nothing failed.
            #expect(shelf.create().error["code"].text == "backup-exists")
            #expect(BackupRecord.read(shelf.chain).failure == nil)
            try pay(shelf.chain)
            let more = shelf.create("--keep", "1")
            try #require(more.code == 0, "\(more.errors)")
            #expect(more.json["removed"][0].int == made.json["height"].int)
            let listed = try Call.ok("backup", "list", "--store", shelf.store, "--json")
            #expect(listed.json["backups"].count == 1)
            let without = try Call.ok(
                "backup", "verify", "--store", shelf.store, "--genesis", shelf.genesis, "--json")
            #expect(without.json["opened"].flag == false)

            for history in [[], ["--history"]] {
                let place = shelf.root.file("host\(history.count)")
                let restored = shelf.reading("restore", ["--genesis", shelf.genesis, "--dir", place] + history)
                try #require(restored.code == 0, "\(restored.errors)")
                #expect(restored.json["stateRoot"].text == more.json["stateRoot"].text)
                #expect(restored.errors.contains("holds no keys"))
                // Who is who came along, and no key did.
                let people = try Data(contentsOf: URL(fileURLWithPath: place + "/people.sqlite"))
                #expect(people.count > 0)
                #expect(try snapshot(place).keys.filter { $0.hasSuffix(".key") } == [])
                let audit = Call("audit", place, "--validator", "1", "--json")
                #expect((audit.code == 0) == !history.isEmpty, "\(audit.errors)")
                // A chain that is there is not written over.
                let again = shelf.reading("restore", ["--genesis", shelf.genesis, "--dir", place])
                #expect(again.error["code"].text == "storage-exists", "\(again.errors)")
            }
            let drill = shelf.reading("drill", ["--dir", shelf.chain, "--scratch", shelf.root.path, "--history"])
            #expect(drill.code == 0 && drill.json["compared"].int == 3, "\(drill.errors)")
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: shelf.root.path).allSatisfy {
                    !$0.contains("drill")
                })
        }
    }

    @Test func whatIsWrongIsSaid() throws {
        try withShelf { shelf in
            let made = shelf.create()
            try #require(made.code == 0, "\(made.errors)")
            let before = try shelf.files()
            let other = try Call.ok("backup", "key", shelf.root.file("other.key"), "--dev", "--json")
            #expect(Call("backup", "key", shelf.key, "--dev", "--json").error["code"].text == "file-exists")
            #expect(
                Call("backup", "key", shelf.root.file("third.key"), "--json").error["code"].text == "passphrase-missing"
            )
            #expect(!FileManager.default.fileExists(atPath: shelf.root.file("third.key")))

            func create(_ words: String...) -> JSON {
                Call(["backup", "create", "--dir", shelf.chain, "--json"] + words).error
            }
            #expect(create("--recipient", shelf.publicKey)["code"].text == "store-missing")
            #expect(create("--store", shelf.store)["code"].text == "recipients-missing")
            #expect(create("--store", shelf.store, "--recipient", "01ab")["field"].text == "--recipient")
            let none = "01" + String(repeating: "0", count: 64)
            #expect(create("--store", shelf.store, "--recipient", none)["code"].text == "backup-recipient")
            #expect(create("--store", shelf.store, "--endpoint", "http://127.0.0.1:1")["field"].text == "--endpoint")
            #expect(create("--store", "s3://bucket/x", "--recipient", none)["field"].text == "--endpoint")
            #expect(
                create(
                    "--store", "s3://bucket/x", "--endpoint", "http://store.example", "--access-key", "a",
                    "--secret-file", shelf.key)["code"].text == "plain-http")
            #expect(create("--validator", "9", "--store", shelf.store)["code"].text == "validator-unknown")

            func verify(_ words: String...) -> JSON { shelf.reading("verify", words).error }
            #expect(verify()["code"].text == "genesis-missing")
            #expect(verify("--genesis", shelf.genesis, "--height", "999")["code"].text == "backup-none")
            let foreign = shelf.root.file("foreign")
            try Call.ok("init", "--dev", "--dir", foreign)
            #expect(verify("--genesis", foreign + "/genesis")["code"].text == "backup-genesis")
            let signer = try #require(other.json["publicKey"].text)
            let said = verify("--genesis", shelf.genesis, "--signer", signer)
            #expect(said["code"].text == "backup-signer" && said["reason"].text?.contains(signer) == true)
            #expect(said["reason"].text?.contains("--signer") == true)
            // A disk that is not mounted is not a store without backups.
            let away = shelf.root.file("away")
            let unmounted = Call("backup", "list", "--store", away, "--json")
            #expect(unmounted.code == 3 && unmounted.error["code"].text == "store-missing")
            #expect(unmounted.error["reason"].text?.contains(away) == true)
            let strange = Call(
                "backup", "verify", "--store", shelf.store, "--genesis", shelf.genesis, "--key",
                shelf.root.file("other.key"), "--json")
            #expect(strange.error["code"].text == "backup-recipient")
            #expect(strange.error["reason"].text?.contains(shelf.publicKey) == true, "it names whom it is addressed to")
            #expect(shelf.reading("restore", ["--genesis", shelf.genesis]).error["field"].text == "--dir")
            #expect(try shelf.files() == before)

            // What was changed is named, and nothing of the attempt to restore is left.
            let part = try #require(before.keys.first { $0.hasSuffix("/part-0") })
            var bad = before[part]!
            bad[bad.count / 2] ^= 4
            try bad.write(to: URL(fileURLWithPath: shelf.store + "/" + part))
            let place = shelf.root.file("host")
            let refused = shelf.reading("restore", ["--genesis", shelf.genesis, "--dir", place])
            #expect(refused.error["code"].text == "backup-differs", "\(refused.errors)")
            #expect(refused.error["reason"].text?.contains(part) == true)
            #expect(!FileManager.default.fileExists(atPath: place))
            #expect(shelf.reading("drill", ["--genesis", shelf.genesis, "--scratch", shelf.root.path]).code != 0)
            try before[part]!.write(to: URL(fileURLWithPath: shelf.store + "/" + part))
            #expect(shelf.reading("restore", ["--genesis", shelf.genesis, "--dir", place]).code == 0)

            // Only one at a time.
            let lock = open(shelf.chain + "/backup.lock", O_RDWR | O_CLOEXEC)
            #expect(flock(lock, LOCK_EX | LOCK_NB) == 0)
            #expect(shelf.create().error["code"].text == "backup-running")
            close(lock)
        }
    }

    /// The backup that is there stays as it is, nothing half-written does, and a restore says beforehand that it will
    /// not fit.
    @Test(.enabled(if: LoopMount.isPermitted, "needs root and loop mounts")) func aFullDiskHurtsNoBackup() throws {
        try LoopMount.with(megabytes: 40) { mount in
            try withShelf { shelf in
                let there = Shelf(
                    root: shelf.root, chain: shelf.chain, store: mount.path + "/store", key: shelf.key,
                    publicKey: shelf.publicKey)
                let made = there.create()
                try #require(made.code == 0, "\(made.errors)")
                let before = try there.files()
                try pay(shelf.chain)
                try mount.fill(leaving: 8 << 10)
                let failed = there.create()
                #expect(failed.code == 3 && failed.error["code"].text == "backup-place", "\(failed.errors)")
                #expect(failed.error["reason"].text?.contains("No space left") == true, "\(failed.errors)")
                #expect(failed.error["reason"].text?.contains(mount.path) == true)
                #expect(try there.files() == before)
                let standing = BackupRecord.read(shelf.chain)
                #expect(standing.verified?.height == made.json["height"].int.map { UInt64($0) })
                #expect(standing.failure?.reason.contains("No space left") == true)

                let place = mount.path + "/host"
                let restored = there.reading("restore", ["--genesis", shelf.genesis, "--dir", place])
                #expect(restored.code == 3 && restored.error["code"].text == "room-missing", "\(restored.errors)")
                #expect(restored.error["reason"].text?.contains("bytes are free") == true)
                // Nor does a snapshot that does not fit leave anything.
                let snapshots = mount.path + "/snapshots"
                let written = Call("snapshot", "write", "--dir", shelf.chain, "--out", snapshots, "--json")
                #expect(written.code == 3, "\(written.errors)")
                #expect(try FileManager.default.contentsOfDirectory(atPath: snapshots) == [])
                try mount.free()
                #expect(there.create().code == 0)
                #expect(BackupRecord.read(shelf.chain).failure == nil)
            }
        }
    }

    @Test func theNextOneIsDueWhenItsTimeHasCome() {
        func standing(_ madeAt: UInt64?, _ failedAt: UInt64? = nil) -> BackupStanding {
            BackupStanding(
                verified: madeAt.map {
                    BackupStanding.Verified(
                        height: 1, stateRoot: SHA256.hash([]), madeAt: $0, byteCount: 1, milliseconds: 1, store: "s")
                }, failure: failedAt.map { BackupStanding.Failure(reason: "r", at: $0) })
        }
        let (hour, day, now): (UInt64, UInt64, UInt64) = (3_600_000, 86_400_000, 1_800_000_000_000)
        for (standing, isDue) in [
            (standing(nil), true), (standing(now - hour), false), (standing(now - day), true),
            // A failure is tried again after a quarter of an hour, and not at once.
            (standing(nil, now - 60_000), false), (standing(nil, now - hour), true),
            (standing(now - 2 * day, now - 60_000), false),
            // Clocks that were set back put nothing off.
            (standing(now + 9 * day), true), (standing(now - 2 * day, now + hour), true),
        ] { #expect(BackupClock.isDue(standing, every: day, now: now) == isDue, "\(standing)") }
        #expect(BackupClock.isDue(standing(now - 11_000, now - 11_000), every: 10_000, now: now))
    }
}
