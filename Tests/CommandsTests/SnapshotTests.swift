import Canonical
import Chain
import Concurrency
import Foundation
import HTTPClient
import JSON
import Ledger
import Node
import ServerKit
import StorageRocksDB
import TestSupport
import Testing

@testable import Commands

/// A validator that begins with a snapshot, from files and from a node.
@Suite(.ownThread) struct SnapshotCommandTests {
    private struct Shelf {
        let chain: String
        let snapshots: String
        let root: URL
        let height: Int

        func path(_ validator: Int) -> String { chain + "/nodes/\(validator)/db" }
        func remove(_ validator: Int) throws { try FileManager.default.removeItem(atPath: path(validator)) }
        func restore(_ validator: Int, _ words: String...) -> Call {
            Call(["snapshot", "restore", "--dir", chain, "--validator", "\(validator)", "--json"] + words)
        }
        func verify(_ words: String...) -> Call {
            Call(["snapshot", "verify", snapshots, "--genesis", chain + "/genesis", "--json"] + words)
        }
    }

    /// A chain of four validators with a snapshot of it.
    private func withSnapshot(_ body: (Shelf) throws -> Void) throws {
        try withChain("--validators", "4") { root, chain in
            try Members.make(in: chain)
            let snapshots = root.file("snapshots")
            let written = Call("snapshot", "write", "--dir", chain, "--out", snapshots, "--json")
            try #require(written.code == 0, "\(written.errors)")
            let height = try #require(written.json["height"].int)
            try body(Shelf(chain: chain, snapshots: snapshots, root: root, height: height))
        }
    }

    private func pay(_ chain: String) -> Call {
        Call("wallet", "redeem", "--from", "anna", "--unit", "TENTH", "--amount", "1", "--dir", chain)
    }

    @Test func aValidatorBeginsWithFiles() throws {
        try withSnapshot { shelf in
            let verified = shelf.verify()
            try #require(verified.code == 0, "\(verified.errors)")
            #expect(verified.json["height"].int == shelf.height)
            let header = try #require(verified.json["header"].text)
            try shelf.remove(4)
            let made = shelf.restore(4, "--snapshot", shelf.snapshots, "--checkpoint", "\(shelf.height):\(header)")
            try #require(made.code == 0, "\(made.errors)")
            // It takes part, and its tables are those of the others.
            #expect(pay(shelf.chain).code == 0)
            let roots = try (1...4).map { validator in
                let store = try RocksDBStore(directory: shelf.path(validator), mode: .readOnly)
                defer { store.close() }
                let blocks = BlockStore(store)
                let height = try blocks.height()
                #expect(height > shelf.height)
                return try blocks.header(UInt64(shelf.height) + 1)?.state
            }
            #expect(Set(roots).count == 1 && roots[0] != nil)
            // What it has not, it says.
            let audit = Call("audit", shelf.chain, "--validator", "4", "--json")
            #expect(audit.code == 3 || audit.code == 1, "\(audit.code)")
            #expect(audit.error["reason"].text?.contains("began with a snapshot of height \(shelf.height)") == true)
            #expect(Call("audit", shelf.chain, "--validator", "1").code == 0)
            // A second one over it is refused.
            #expect(shelf.restore(4, "--snapshot", shelf.snapshots).error["code"].text == "storage-exists")
            // A snapshot by who began with one.
            let again = Call(
                "snapshot", "write", "--dir", shelf.chain, "--validator", "4", "--out", shelf.root.file("more"))
            #expect(again.code == 0, "\(again.errors)")
        }
    }

    @Test func whatIsWrongIsNamed() throws {
        try withSnapshot { shelf in
            let chunk = shelf.snapshots + "/\(shelf.height)/chunk-0"
            let manifest = shelf.snapshots + "/\(shelf.height)/manifest"
            func flip(_ path: String, _ body: () throws -> Void) throws {
                let good = try Data(contentsOf: URL(fileURLWithPath: path))
                var bad = good
                bad[bad.count / 2] ^= 0x10
                try bad.write(to: URL(fileURLWithPath: path))
                try body()
                try good.write(to: URL(fileURLWithPath: path))
            }
            try flip(chunk) {
                let said = shelf.verify()
                #expect(said.code == 1 && said.error["code"].text == "snapshot-refused", "\(said.errors)")
                #expect(said.error["reason"].text?.contains("chunk 0 is not the one") == true)
                try shelf.remove(4)
                #expect(shelf.restore(4, "--snapshot", shelf.snapshots).error["code"].text == "snapshot-refused")
                // What is left of it says that it is to be deleted.
                let used = pay(shelf.chain)
                #expect(used.code != 0 && used.errors.contains("delete the directory and join again"), "\(used.errors)")
            }
            try flip(manifest) {
                let said = shelf.verify()
                #expect(said.code == 1 && said.error["code"].text == "snapshot-invalid", "\(said.errors)")
            }
            try shelf.remove(4)
            try FileManager.default.moveItem(atPath: chunk, toPath: chunk + ".away")
            #expect(shelf.restore(4, "--snapshot", shelf.snapshots).error["code"].text == "snapshot-incomplete")
            try FileManager.default.moveItem(atPath: chunk + ".away", toPath: chunk)
            for (words, code) in [
                (["--height", "999"], "snapshot-missing"), (["--checkpoint", "12"], "checkpoint-invalid"),
                (["--checkpoint", "\(shelf.height):" + String(repeating: "0", count: 64)], "checkpoint-differs"),
                (["--checkpoint", "99999:" + String(repeating: "0", count: 64)], "checkpoint-elsewhere"),
            ] {
                let call = Call(
                    ["snapshot", "verify", shelf.snapshots, "--genesis", shelf.chain + "/genesis", "--json"] + words)
                #expect(call.error["code"].text == code, "\(words): \(call.errors)")
            }
            let other = shelf.root.file("other")
            #expect(Call("init", "--dev", "--dir", other).code == 0)
            let foreign = Call("snapshot", "verify", shelf.snapshots, "--genesis", other + "/genesis", "--json")
            #expect(foreign.error["reason"].text?.contains("another genesis") == true)
            let twice = Call("snapshot", "write", "--dir", shelf.chain, "--out", shelf.snapshots, "--json")
            #expect(twice.error["code"].text == "snapshot-exists")
            #expect(Call("snapshot", "restore", "--dir", shelf.chain, "--validator", "4").code == 2)
        }
    }

    /// What `init` makes knows nothing yet, and gives way; a directory that somebody's node runs in does not.
    @Test func anEmptyDirectoryGivesWay() throws {
        try withSnapshot { shelf in
            try shelf.remove(4)
            let genesis = try Genesis(
                canonicalBytes: [UInt8](Data(contentsOf: URL(fileURLWithPath: shelf.chain + "/genesis"))))
            try ChainDirectory.makeStore(shelf.chain, OrganisationID(4), genesis)
            let running = try RocksDBStore(directory: shelf.path(4), mode: .readWrite)
            #expect(shelf.restore(4, "--snapshot", shelf.snapshots).error["code"].text == "storage-locked")
            running.close()
            let made = shelf.restore(4, "--snapshot", shelf.snapshots)
            try #require(made.code == 0, "\(made.errors)")
            #expect(pay(shelf.chain).code == 0)
            #expect(shelf.restore(4, "--snapshot", shelf.snapshots).error["code"].text == "storage-exists")
        }
    }

    /// From a running node, by the voting key; then that node is the one that answers.
    @Test func aValidatorBeginsWithWhatANodeHandsOut() throws {
        try withSnapshot { shelf in
            func serving(_ body: (String) throws -> Void) throws {
                let node = try Child([
                    "node", "--dir", shelf.chain, "--listen", "127.0.0.1:0", "--drain", "0", "--snapshots",
                    shelf.snapshots,
                ])
                try node.waitFor("Serving http://")
                var url = String(node.errors.components(separatedBy: "Serving ")[1].prefix { $0 != " " })
                if url.hasSuffix("/") { url.removeLast() }
                defer {
                    node.interrupt()
                    #expect(node.wait() == 0, "\(node.errors)")
                }
                try body(url)
            }
            try shelf.remove(1)
            try serving { url in
                let made = shelf.restore(1, "--node", url)
                try #require(made.code == 0, "\(made.errors)")
                #expect(made.json["height"].int == shelf.height)
            }
            try serving { url in
                let http = try HTTPClient()
                func get(_ path: String, _ headers: [HTTPField] = []) throws -> (Int, String) {
                    let answer = try http.perform(HTTPClientRequest("GET", url + path, headers: headers))
                    return (answer.status, String(decoding: answer.body, as: UTF8.self))
                }
                for path in ["/v1/blocks/1", "/v1/blocks/\(shelf.height)", "/v1/blocks?cursor=\(shelf.height)"] {
                    let (status, body) = try get(path)
                    #expect(status == 404 && body.contains("history-not-here"), "\(path): \(body)")
                    #expect(body.contains("began with a snapshot of height \(shelf.height)"))
                }
                let (status, body) = try get("/v1/events", [HTTPField("Last-Event-ID", "1")])
                #expect(status == 404 && body.contains("history-not-here"), "\(body)")
                let unknown = try get("/v1/transactions/" + String(repeating: "0", count: 64))
                #expect(unknown.1.contains("began with a snapshot"), "\(unknown.1)")
                // What it has, it answers; and a page ends where its blocks do.
                #expect(try get("/v1/blocks/\(shelf.height)/header").0 == 200)
                #expect(try get("/v1/validators/changes").0 == 200)
                let page = try get("/v1/blocks?limit=500")
                #expect(page.0 == 200 || page.1.contains("history-not-here"), "\(page.1)")
                #expect(try get("/v1/snapshots").0 == 401)
            }
        }
    }
}
