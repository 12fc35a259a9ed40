import Foundation
import ServerKit
import Storage
import StorageRocksDB
import TestSupport
import Testing

/// `node` and `demo` as processes of their own.
@Suite(.ownThread) struct NodeAndDemoTests {
    @Test func theDemoGoesOnWhereItStopped() throws {
        try withTemporaryDirectory { root in
            let chain = root.file("demo")
            let first = try Child("demo", "--seconds", "4", "--dir", chain, "--listen", "127.0.0.1:0", "--json")
            #expect(first.wait() == 0, "\(first.errors)")
            let height = try #require(first.json["height"].int)
            #expect(try #require(first.json["transactions"].int) > 0)
            #expect(first.json["refused"].int == 0)
            let members = try accounts(in: chain)
            #expect(members.count == 320)

            let second = try Child("demo", "--dir", chain, "--listen", "127.0.0.1:0")
            try second.waitFor("4 organisations certify blocks in this process")
            usleep(2_500_000)
            second.interrupt()
            #expect(second.wait() == 0, "\(second.errors)")
            #expect(second.output.contains("certified height "))
            #expect(second.output.contains("GALAXY"))
            #expect(!second.errors.contains("Made a development chain"))
            #expect(try accounts(in: chain) == members)

            let balance = Call("wallet", "balance", "alice", "--dir", chain)
            #expect(balance.output.contains("GALAXY: "), "\(balance.output) \(balance.errors)")
            let sent = Call(
                "wallet", "send", "--from", "alice", "--to", "bob", "--unit", "GALAXY", "--amount", "500", "--dir",
                chain)
            #expect(sent.code == 0, "\(sent.errors)")

            let audit = Call("audit", chain, "--json")
            #expect(audit.code == 0, "\(audit.output)")
            #expect(try #require(audit.json["height"].int) > height)
            #expect(audit.json["validators"].count == 4)
        }
    }

    private func accounts(in chain: String) throws -> Set<[UInt8]> {
        let store = try RocksDBStore(directory: chain + "/nodes/1/db", mode: .readOnly)
        defer { store.close() }
        var keys: Set<[UInt8]> = []
        try store.scan(.accounts) { key, _ in
            keys.insert(key)
            return true
        }
        return keys
    }

    @Test func theDemoPlaysAFile() throws {
        try withTemporaryDirectory { root in
            let orders = try root.write("orders.csv", Shop.header + "1,anna,10.00,done\n2,ben,x,done\n")
            let mapping = try root.write("shop.json", Shop().json)
            let chain = root.file("demo")
            let call = Call(
                "demo", "--orders", orders, "--mapping", mapping, "--dir", chain, "--listen", "127.0.0.1:0", "--json")
            #expect(call.code == 0, "\(call.errors)")
            #expect(call.json["lines"].int == 1)
            #expect(call.json["units"][0]["outstanding"].text == "10")
            #expect(call.errors.contains("Rejected rows     1"))
            let lacking = Call(
                "demo", "--orders", orders, "--dir", root.file("other"), "--listen", "127.0.0.1:0", "--json")
            #expect(lacking.code == 2)
            #expect(lacking.error["field"].text == "--mapping")
            #expect(!FileManager.default.fileExists(atPath: root.file("other")))
        }
    }

    @Test func aNodeTellsItsHeights() throws {
        try withChain("--validators", "4") { _, chain in
            let node = try Child("node", "--dir", chain, "--seconds", "7", "--json")
            #expect(node.wait() == 0, "\(node.errors)")
            let lines = node.output.split(separator: "\n").map { JSON(lastLineOf: String($0)) }
            #expect(lines.allSatisfy { $0["height"].int != nil && $0["stateRoot"].text?.count == 64 })
            let heights = lines.compactMap { $0["height"].int }
            #expect(heights == heights.sorted() && heights.last ?? 0 > 0, "\(heights)")
            #expect(node.errors.contains("Running 4 validators of lianfen"))
            #expect(Call("audit", chain).code == 0)
        }
    }
}
