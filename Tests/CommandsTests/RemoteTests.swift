import Concurrency
import Foundation
import Ledger
import Node
import ServerKit
import TestSupport
import Testing

@testable import Commands

/// The same commands against a node somewhere else: in this directory there are wallets, keys and the genesis only.
@Suite(.ownThread) struct RemoteTests {
    /// A node as a process of its own, with the chain's directory and that of somebody who only talks to it.
    private func withNode<R>(
        _ options: [String] = [], members: Bool = true, scheme: String = "http",
        body: (_ root: URL, _ chain: String, _ here: String, _ url: String) throws -> R
    ) throws -> R {
        try withChain("--validators", "4") { root, chain in
            if members { try Members.make(in: chain) }
            let node = try Child(["node", "--dir", chain, "--listen", "127.0.0.1:0", "--drain", "0"] + options)
            try node.waitFor("Serving \(scheme)://")
            let words = node.errors.components(separatedBy: "Serving ")[1]
            let here = try copy(chain, to: root.file("here"))
            defer {
                node.interrupt()
                #expect(node.wait() == 0, "\(node.errors)")
            }
            return try body(root, chain, here, String(words.prefix { $0 != " " }))
        }
    }

    /// What somebody has who runs no node.
    private func copy(_ chain: String, to here: String) throws -> String {
        try FileManager.default.createDirectory(atPath: here, withIntermediateDirectories: false)
        for name in ["genesis", "keys", "wallets"] {
            try FileManager.default.copyItem(atPath: chain + "/" + name, toPath: here + "/" + name)
        }
        return here
    }

    @Test func aWalletOverHTTP() throws {
        try withNode { root, _, here, url in
            let end = ["--dir", here, "--node", url, "--json"]
            func wallet(_ words: String...) -> Call { Call(["wallet"] + words + end) }
            let balance = wallet("balance", "anna")
            try #require(balance.code == 0, "\(balance.errors)")
            #expect(balance.json["holdings"][0]["available"].text == "125")
            #expect(balance.json["holdings"][0]["lots"][0]["remaining"].text == "125")
            #expect(balance.json["claimed"].flag == true && balance.json["stateRoot"].text?.count == 64)
            #expect(wallet("balance", "ben").json["holdings"].count == 0)

            let made = wallet("new", "cy")
            try #require(made.code == 0, "\(made.errors)")
            let cy = try #require(made.json["account"].text)
            let sent = wallet("send", "--from", "anna", "--to", "cy", "--unit", "TENTH", "--amount", "2.5")
            #expect(sent.code == 0 && sent.json["result"].text == "done", "\(sent.errors)")
            let redeemed = wallet("redeem", "--from", "cy", "--unit", "TENTH", "--amount", "1", "--reference", "tea")
            #expect(redeemed.code == 0, "\(redeemed.errors)")
            #expect(wallet("balance", "cy").json["holdings"][0]["available"].text == "15")
            let receipts = wallet("receipts", "cy").json
            #expect((0..<3).map { receipts[$0]["kinds"][0].text } == ["redeem", "transfer", "open"])
            #expect(receipts[1]["transaction"].text == sent.json["transaction"].text)
            #expect(wallet("receipts", "cy", "--last", "1").json.count == 1)
            // Who opened an account may look too, where its wallet is not here.
            try FileManager.default.removeItem(atPath: here + "/wallets/cy.wallet")
            let asIssuer = wallet("balance", cy)
            #expect(asIssuer.json["holdings"][0]["available"].text == "15", "\(asIssuer.errors)")

            let proof = root.file("proof")
            for words in [
                ["--account", "anna", "--unit", "TENTH"],
                ["--transaction", try #require(sent.json["transaction"].text)],
            ] {
                let exported = Call(["proof", "export", "--out", proof] + words + end)
                #expect(exported.code == 0, "\(words): \(exported.errors)")
                #expect(Call("proof", "verify", proof, "--genesis", here + "/genesis").code == 0)
            }
            #expect(
                Call(["proof", "export", "--out", proof, "--account", "anna", "--unit", "NONE"] + end)
                    .error["code"].text == "unit-not-found")
            #expect(
                Call(["proof", "export", "--out", proof, "--transaction", String(repeating: "0", count: 64)] + end)
                    .error["code"].text == "transaction-unknown")
        }
    }

    /// `--node` more than once: a node that is not there holds nobody up, and where none is there all are named.
    @Test func theNextNodeIsAskedWhereOneIsNotThere() throws {
        try withNode { root, _, here, url in
            let nobody = "http://127.0.0.1:\(ScriptedServer.closedPort())"
            let end = ["--dir", here, "--node", nobody, "--node", url, "--json"]
            let sent = Call(
                ["wallet", "send", "--from", "anna", "--to", "ben", "--unit", "TENTH", "--amount", "2.5"] + end)
            #expect(sent.code == 0 && sent.json["result"].text == "done", "\(sent.errors)")
            #expect(Call(["wallet", "balance", "anna"] + end).json["holdings"][0]["available"].text == "100")
            let followed = Call(
                "validators", "follow", "--node", nobody, "--node", url, "--genesis", here + "/genesis", "--json")
            #expect(followed.code == 0 && followed.json["validators"]["quorum"].int == 3, "\(followed.errors)")
            let lost = Call("wallet", "balance", "anna", "--dir", here, "--node", nobody, "--node", nobody, "--json")
            #expect(lost.code == 3 && lost.error["code"].text == "node-unreachable", "\(lost.errors)")
            #expect(lost.error["reason"].text?.hasPrefix("None of 2 nodes can answer.") == true)
            let plain = Call("wallet", "balance", "anna", "--dir", here, "--node", url, "--node", "http://192.0.2.1")
            #expect(plain.code == 2 && plain.errors.contains("without TLS"))
        }
    }

    /// The demo's members, at nodes somewhere.
    @Test func membersShopAtRunningNodes() throws {
        try withNode(members: false) { root, chain, here, url in
            let nobody = "http://127.0.0.1:\(ScriptedServer.closedPort())"
            let load = Call(
                "load", "--dir", here, "--node", nobody, "--node", url, "--seconds", "3", "--rate", "200", "--json")
            try #require(load.code == 0, "\(load.errors)")
            #expect(load.json["failed"].int == 0)
            #expect(load.json["lines"].int ?? 0 > 50 && load.json["transactions"].int ?? 0 > 10)
            #expect(load.json["units"].count == 4 && load.json["units"][0]["unit"].text == "GALAXY")
            #expect(load.errors.contains("4 shops and 2 nodes"))
            let balance = Call("wallet", "balance", "alice", "--dir", here, "--node", url)
            #expect(balance.output.contains("GALAXY: "), "\(balance.errors)")
            // It goes on with the same members, where only two organisations' keys are.
            for number in [2, 4] {
                try FileManager.default.removeItem(atPath: here + "/keys/\(number)-issuing.key")
            }
            let again = Call("load", "--dir", here, "--node", url, "--seconds", "1", "--json")
            #expect(again.code == 0 && again.json["units"].count == 2, "\(again.errors)")
            let other = root.file("other")
            #expect(Call("init", "--dev", "--dir", other).code == 0)
            let differs = Call("load", "--dir", here, "--dir", other, "--node", url, "--json")
            #expect(differs.code == 2 && differs.error["code"].text == "chain-differs", "\(differs.errors)")
        }
    }

    @Test func validatorsAreFollowedFromTheGenesis() throws {
        try withNode { root, _, here, url in
            let (genesis, changes, proof) = (here + "/genesis", root.file("changes"), root.file("proof"))
            let followed = Call(
                "validators", "follow", "--node", url, "--genesis", genesis, "--out", changes, "--json")
            try #require(followed.code == 0, "\(followed.errors)")
            #expect(followed.json["validators"]["members"].count == 4)
            #expect(followed.json["validators"]["quorum"].int == 3)
            #expect(followed.json["changes"].count == 0 && followed.json["stale"].flag == false)
            let text = Call("validators", "follow", "--node", url, "--genesis", genesis)
            #expect(text.output.contains("organisations 1, 2, 3, 4 vote, 3 of 4 make a block final"))
            let exported = Call(
                "proof", "export", "--dir", here, "--node", url, "--account", "anna", "--unit", "TENTH", "--out", proof)
            try #require(exported.code == 0, "\(exported.errors)")
            #expect(Call("proof", "verify", proof, "--genesis", genesis, "--changes", changes).code == 0)
            // A change that is none.
            let wrong = Call("proof", "verify", proof, "--genesis", genesis, "--changes", proof, "--json")
            #expect(wrong.code == 1 && wrong.error["code"].text == "changes-invalid")
        }
    }

    /// The same names and sentences as on the spot.
    @Test func refusalsAreTheSame() throws {
        try withNode { root, _, here, url in
            for (words, exit, code) in [
                (
                    ["send", "--from", "anna", "--to", "ben", "--unit", "TENTH", "--amount", "99"], 1,
                    "balance-insufficient"
                ),
                (["send", "--from", "anna", "--to", "anna", "--unit", "TENTH", "--amount", "1"], 1, "self-addressed"),
                (
                    ["send", "--from", "anna", "--to", strangerID(7), "--unit", "TENTH", "--amount", "1"], 1,
                    "account-unknown"
                ),
                (["send", "--from", "anna", "--to", "ben", "--unit", "NOSUCH", "--amount", "1"], 1, "unit-unknown"),
                (
                    ["send", "--from", "anna", "--to", "ben", "--unit", "TENTH", "--amount", "1.25"], 2,
                    "amount-invalid"
                ),
                (["balance", "nobody"], 1, "wallet-unknown"), (["balance", strangerID(7)], 1, "not-yours"),
            ] as [([String], Int32, String)] {
                let call = Call(["wallet"] + words + ["--dir", here, "--node", url, "--json"])
                #expect(call.code == exit && call.error["code"].text == code, "\(words): \(call.errors)")
                guard exit == 1, words[0] == "send" else { continue }
                #expect(call.error["reason"].text?.contains { ("\u{4E00}"..."\u{9FFF}").contains($0) } == true)
            }
            // Another chain, nobody there, a wrong URL, an option without its node.
            try #require(Call("init", "--dev", "--dir", root.file("other")).code == 0)
            let dead = "http://127.0.0.1:\(ScriptedServer.closedPort())"
            for (words, exit, code) in [
                (["--dir", root.file("other"), "--node", url], 1, "genesis-differs"),
                (["--dir", here, "--node", url, "--genesis", root.file("other/genesis")], 1, "genesis-differs"),
                (["--dir", here, "--node", dead], 3, "node-unreachable"),
                (["--dir", here, "--node", "nowhere"], 2, "url-invalid"),
                (["--dir", here, "--node", url, "--ca", root.file("none")], 3, "node-not-trusted"),
                (["--dir", here, "--ca", root.file("none")], 2, "node-option"),
                (["--dir", root.file("none"), "--node", url], 3, "directory-missing"),
            ] as [([String], Int32, String)] {
                let call = Call(["wallet", "new", "dan", "--json"] + words)
                #expect(call.code == exit && call.error["code"].text == code, "\(words): \(call.errors)")
                #expect(!FileManager.default.fileExists(atPath: here + "/wallets/dan.wallet"))
            }
            // The directory pins nothing by itself: a genesis may lie elsewhere.
            try FileManager.default.moveItem(atPath: here + "/genesis", toPath: root.file("genesis"))
            let elsewhere = Call(
                "wallet", "balance", "anna", "--dir", here, "--node", url, "--genesis", root.file("genesis"))
            #expect(elsewhere.code == 0, "\(elsewhere.errors)")
        }
    }

    /// An account that was refused leaves no wallet; one that may have been opened does, though nobody answered.
    @Test func aWalletIsKeptAsLongAsItMayHaveAnAccount() throws {
        try withChain { root, chain in
            let relay = BlockRelay()
            let here = try copy(chain, to: root.file("here"))
            let isLost = Counter(1)
            let directory = try ChainDirectory(chain, passphrase: .none)
            try directory.withConsortium(certified: { relay.take($0) }) { consortium in
                let server = try LedgerServer(
                    consortium, relay,
                    before: { request in
                        request.method == "POST" && isLost.value == 0
                            ? .text(#"{"code":"ticket-expired","number":73,"detail":"No."}"#, status: 409) : nil
                    },
                    after: { request, reply in
                        request.method == "POST" && isLost.value == 1 ? .text("no JSON") : reply
                    })
                defer { server.stop() }
                func new(_ name: String) -> Call {
                    Call("wallet", "new", name, "--dir", here, "--node", server.url, "--json")
                }
                let lost = new("eve")
                #expect(lost.code == 1 && lost.error["code"].text == "outcome-unknown", "\(lost.errors)")
                #expect(FileManager.default.fileExists(atPath: here + "/wallets/eve.wallet"))
                _ = isLost.countDown()
                let refused = new("dan")
                #expect(refused.code == 1 && refused.error["code"].text == "ticket-expired", "\(refused.errors)")
                #expect(!FileManager.default.fileExists(atPath: here + "/wallets/dan.wallet"))
            }
        }
    }

    @Test func overTLS() throws {
        try withTemporaryDirectory { certificates in
            try makeCertificates(in: certificates)
            func file(_ name: String) -> String { certificates.file(name) }
            try withNode(
                ["--tls-certificate", file("server.pem"), "--tls-key", file("server.key")], scheme: "https"
            ) { _, _, here, url in
                func balance(_ options: String...) -> Call {
                    Call(["wallet", "balance", "anna", "--dir", here, "--node", url, "--json"] + options)
                }
                let trusted = balance("--ca", file("authority.pem"))
                #expect(trusted.json["holdings"][0]["available"].text == "125", "\(trusted.errors)")
                for call in [balance(), balance("--ca", file("stranger.pem"))] {
                    #expect(call.code == 3 && call.error["code"].text == "node-not-trusted", "\(call.errors)")
                }
            }
        }
    }

    // MARK: Imports

    private static let rows =
        (0..<40).map { "\($0),person \($0 % 7),\($0 + 1).00,\(["done", "open", "gone"][$0 % 3])\n" }.joined()

    @Test func anImportOverHTTPIsTheSame() throws {
        try withNode(members: false) { root, chain, here, url in
            func run(_ rows: String, _ options: String...) throws -> JSON {
                let call = try Shop().importing(
                    Array((Shop.header + rows).utf8), into: here, in: root, ["--node", url] + options)
                try #require(call.code == 0, "\(call.errors)")
                return call.json
            }
            let rows = Self.rows + "x,y,z,done\n"
            let dry = try run(rows, "--dry-run")
            let before = try unitsOverHTTP(here, url)
            #expect(before == "unit-unknown")
            let first = try run(rows)
            for totals in [dry, first] {
                #expect(totals["orders"].sum == [40, 820] && totals["rejected"].int == 1)
                #expect(totals["vested"].sum == [14, 287] && totals["pending"].sum == [13, 260])
                #expect(totals["voided"].sum == [13, 273] && totals["already"].int == 0)
            }
            for again in [try run(rows), try run(rows, "--dry-run")] {
                #expect(again["already"].int == 40 && again["vested"].sum == [0, 0])
            }
            // What has vested, was cancelled, came back.
            let later = try run("0,person 0,1.00,gone\n1,person 1,2.00,done\n2,person 2,3.00,gone\n")
            #expect(later["clawedBack"].sum == [1, 1] && later["vested"].sum == [1, 2] && later["already"].int == 1)
            let rejects = try String(contentsOfFile: here + "/orders.csv.rejects.csv", encoding: .utf8)
            #expect(rejects == "file,line,reason,record\r\n")
            #expect(try unitsOverHTTP(here, url) == "SHOP")
        }
    }

    private func unitsOverHTTP(_ here: String, _ url: String) throws -> String {
        let directory = try ChainDirectory(here, passphrase: .none)
        let node = NodeOption([url])
        let facts = try directory.withChain(node, .readAs(speaker: try directory.issuer(OrganisationID(1)))) {
            try $0.unit(UnitCode("SHOP")!)
        }
        return facts == nil ? "unit-unknown" : "SHOP"
    }

    /// Several batches under way, and a network that loses every third answer.
    @Test func aLossyNetworkChangesNothing() throws {
        try withChain("--validators", "4") { root, chain in
            let directory = try ChainDirectory(chain, passphrase: .none)
            let relay = BlockRelay()
            let here = try copy(chain, to: root.file("here"))
            let count = 20_000
            let orders = (0..<count).map { "\($0),person \($0 % 900),\($0 % 50 + 1).00,done\n" }.joined()
            let points = (0..<count).reduce(0) { $0 + $1 % 50 + 1 }
            try directory.withConsortium(certified: { relay.take($0) }) { consortium in
                let posts = Counter()
                let server = try LedgerServer(
                    consortium, relay,
                    after: { request, reply in
                        request.method == "POST" && request.target == "/v1/transactions" && posts.add() % 3 == 0
                            ? .hangUp : reply
                    })
                defer { server.stop() }
                func run() throws -> JSON {
                    let call = try Shop().importing(
                        Array((Shop.header + orders).utf8), into: here, in: root, ["--node", server.url])
                    try #require(call.code == 0, "\(call.errors)")
                    return call.json
                }
                let first = try run()
                #expect(first["vested"].sum == [count, points] && first["rejected"].int == 0)
                #expect(posts.value > 6)
                #expect(try run()["already"].int == count)
                #expect(try consortium.first.blocks.unit(UnitCode("SHOP")!)?.available == UInt64(points))
            }
            #expect(try Call.ok("audit", chain, "--json").json["ok"].flag == true)
        }
    }
}
