import Canonical
import Crypto
import Foundation
import Ledger
import Node
import ServerKit
import Storage
import StorageRocksDB
import TestSupport
import Testing

/// `lianfen epoch` on directories of a chain that has hardly run, and what it refuses.
@Suite(.ownThread) struct EpochCommandTests {
    /// A directory for each of four organisations.
    private func withMachines(_ body: (_ directories: [String], _ root: String) throws -> Void) throws {
        try withTemporaryDirectory { root in
            let home = root.appendingPathComponent("mall").path
            let urls = (1...4).flatMap { ["--node-url", "https://127.0.0.1:\(7000 + $0)"] }
            let made = Call(
                ["init", "--dev", "--apart", "--validators", "4", "--dir", home, "--etcd", "https://127.0.0.1:2379"]
                    + urls)
            try #require(made.code == 0, "\(made.errors)")
            let directories = (1...4).map { "\(home)/\($0)" }
            for (index, directory) in directories.enumerated() { try vote(UInt32(index + 1), directory) }
            try body(directories, root.path)
        }
    }

    /// Leaves a vote in a directory, as a node does that has run.
    private func vote(_ organisation: UInt32, _ directory: String) throws {
        func read(_ name: String) throws -> [UInt8] {
            Array(try Data(contentsOf: URL(fileURLWithPath: "\(directory)/\(name)")))
        }
        let genesis = try Genesis(canonicalBytes: read("genesis"))
        let key = try KeyFile(canonicalBytes: read("nodes/\(organisation)/voting.key")).open(passphrase: nil)
        let vote = Vote(
            signing: genesis.hash, height: 1, epoch: 0, time: genesis.time + 1, genesis: genesis.hash,
            validator: OrganisationID(organisation), key: key)
        let store = try RocksDBStore(directory: "\(directory)/nodes/\(organisation)/db", mode: .readWrite)
        defer { store.close() }
        try store.write(BlockStore.lockBatch(vote), synced: true)
    }

    private static let bytes = String(repeating: "0a", count: 16)

    @Test func aQuorumsStatementsAreTakenEverywhere() throws {
        try withMachines { directories, root in
            let files = try directories.prefix(3).enumerated().map { index, directory in
                let file = "\(root)/statement-\(index)"
                let answer = try Call.ok(
                    "epoch", "sign", "--dir", directory, "--number", "1", "--bytes", Self.bytes, "--out", file, "--json"
                ).json
                #expect(answer["certified"].int == 0 && answer["last"].int == 0)
                #expect(answer["bytes"].text == Self.bytes)
                return file
            }
            let rings = directories.map { directory in
                let joined = Call(["epoch", "join", "--dir", directory, "--json"] + files.reversed())
                #expect(joined.json["number"].int == 1 && joined.json["firstHeight"].int == 1)
                return joined.json["ring"].text
            }
            #expect(rings[0]?.count == 32)
            #expect(Set(rings).count == 1)
            // Once more changes nothing; the next epoch is another one.
            #expect(Call(["epoch", "join", "--dir", directories[3]] + files).code == 0)
            let again = Call(
                "epoch", "sign", "--dir", directories[3], "--number", "1", "--bytes", Self.bytes, "--out",
                "\(root)/again", "--json")
            #expect(again.error["code"].text == "epoch-number")
            let next = Call(
                "epoch", "sign", "--dir", directories[3], "--number", "2", "--new", "--out", "\(root)/next", "--json")
            #expect(next.json["number"].int == 2)
        }
    }

    @Test func whatIsWrongIsNamed() throws {
        try withMachines { directories, root in
            func sign(_ index: Int, _ words: String...) -> Call {
                Call(["epoch", "sign", "--dir", directories[index], "--out", "\(root)/\(index)", "--json"] + words)
            }
            #expect(sign(0, "--number", "1").error["code"].text == "either")
            #expect(sign(0, "--number", "1", "--new", "--bytes", Self.bytes).error["code"].text == "either")
            #expect(sign(0, "--number", "1", "--bytes", "0a0b").error["code"].text == "epoch-bytes")
            #expect(sign(0, "--number", "1", "--bytes", "nothing").error["code"].text == "epoch-bytes")
            #expect(sign(0, "--number", "2", "--new").error["code"].text == "epoch-number")
            #expect(!FileManager.default.fileExists(atPath: "\(root)/0"))
            #expect(sign(0, "--number", "1", "--bytes", Self.bytes).code == 0)
            // Its word is given.
            #expect(sign(0, "--number", "1", "--bytes", String(Self.bytes.reversed())).error["field"].text == "--bytes")
            #expect(sign(0, "--number", "2", "--bytes", Self.bytes).error["field"].text == "--number")
            #expect(sign(1, "--number", "1", "--new").code == 0)

            func join(_ files: String...) -> JSON {
                Call(["epoch", "join", "--dir", directories[2], "--json"] + files).error
            }
            let (first, second) = ("\(root)/0", "\(root)/1")
            let differs = join(first, second)
            #expect(differs["code"].text == "epoch-refused")
            #expect(differs["reason"].text?.contains("another epoch than the first") == true)
            #expect(join(first)["reason"].text?.contains("1 statements are of validators of height 1") == true)
            #expect(join(first, first)["reason"].text?.contains("two statements") == true)
            #expect(join(first, "\(root)/nowhere")["code"].text == "file-notFound")
            let garbage = "\(directories[0])/genesis"
            #expect(join(first, garbage)["code"].text == "epoch-file")
            #expect(join(first, garbage)["field"].text == garbage)

            // A file of the directory's own that is broken.
            try Data("garbage".utf8).write(to: URL(fileURLWithPath: "\(directories[3])/epoch"))
            let broken = Call("epoch", "join", "--dir", directories[3], first, "--json").error
            #expect(broken["code"].text == "epoch-file")
            #expect(broken["field"].text == "\(directories[3])/epoch")
        }
    }
}
