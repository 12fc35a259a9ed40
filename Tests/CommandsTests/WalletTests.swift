import Foundation
import ServerKit
import TestSupport
import Testing

@testable import Commands

/// A member's side of the command line.
@Suite(.ownThread) struct WalletTests {
    /// Anna has 12.5 and Ben nothing, in a unit with one decimal.
    private func withMembers<R>(_ options: String..., body: (_ root: URL, _ chain: String) throws -> R) throws -> R {
        try withTemporaryDirectory { root in
            let chain = root.file("chain")
            let made = Call(["init", "--dev", "--dir", chain] + options)
            try #require(made.code == 0, "\(made.errors)")
            try Members.make(in: chain)
            return try body(root, chain)
        }
    }

    @Test func sendRedeemAndLookBack() throws {
        try withMembers { _, chain in
            let dir = ["--dir", chain, "--json"]
            let show = Call(["wallet", "show"] + dir).json
            #expect(show[0]["name"].text == "anna" && show[1]["name"].text == "ben" && show.count == 2)
            #expect(show[0]["sealed"].flag == false)
            let anna = try #require(show[0]["account"].text)
            #expect(anna.hasPrefix("lf1"))

            var balance = Call(["wallet", "balance", "anna"] + dir).json
            #expect(balance["holdings"][0]["available"].text == "125")
            #expect(balance["claimed"].flag == true && balance["frozen"].flag == false)
            let byID = Call(["wallet", "balance", anna] + dir).json
            #expect(byID["account"].text == anna)

            func pay(_ words: String...) -> Call {
                Call(["wallet"] + words + ["--from", "anna", "--unit", "TENTH"] + dir)
            }
            let sent = pay("send", "--to", "ben", "--amount", "2.5")
            #expect(sent.code == 0, "\(sent.errors)")
            #expect(sent.json["result"].text == "done")
            #expect(pay("redeem", "--amount", "3", "--reference", "coffee").code == 0)
            balance = Call(["wallet", "balance", "anna"] + dir).json
            #expect(balance["holdings"][0]["available"].text == "70")
            let text = Call("wallet", "balance", "ben", "--dir", chain)
            #expect(text.output.hasPrefix("TENTH: 2.5 available, 0.0 held, 0.0 pending, 0.0 owed\nAt height "))

            let receipts = Call(["wallet", "receipts", "anna"] + dir).json
            #expect((0..<4).map { receipts[$0]["kinds"][0].text } == ["redeem", "transfer", "accrue", "open"])
            #expect(receipts[1]["transaction"].text == (sent.json["transaction"].text))
            #expect(Call(["wallet", "receipts", "anna", "--last", "1"] + dir).json.count == 1)
            #expect(Call("wallet", "receipts", "ben", "--dir", chain).output.split(separator: "\n").count == 2)
            #expect(try Call.ok("audit", chain, "--json").json["ok"].flag == true)
        }
    }

    /// Every refusal has a stable name, English and Chinese, and costs nothing.
    @Test func refusalsSpeakBothLanguages() throws {
        try withMembers { _, chain in
            let before = try unit("TENTH", in: chain)
            let stranger = strangerID(0x77)
            let cases: [(words: [String], code: String)] = [
                (
                    ["send", "--from", "anna", "--to", "ben", "--unit", "TENTH", "--amount", "99"],
                    "balance-insufficient"
                ),
                (["send", "--from", "anna", "--to", "anna", "--unit", "TENTH", "--amount", "1"], "self-addressed"),
                (["send", "--from", "anna", "--to", stranger, "--unit", "TENTH", "--amount", "1"], "account-unknown"),
                (["send", "--from", "anna", "--to", "ben", "--unit", "NOSUCH", "--amount", "1"], "unit-unknown"),
                (["send", "--from", "anna", "--to", "ben", "--unit", "TENTH", "--amount", "0"], "amount-zero"),
                (["redeem", "--from", "ben", "--unit", "TENTH", "--amount", "1"], "balance-insufficient"),
                (["balance", stranger], "account-unknown"),
            ]
            for (words, code) in cases {
                let call = Call(["wallet"] + words + ["--dir", chain, "--json"])
                #expect(call.code == 1, "\(words): \(call.errors)")
                #expect(call.error["code"].text == code, "\(words): \(call.errors)")
                let reason = call.error["reason"].text ?? ""
                #expect(
                    reason.contains(". ") && reason.contains { ("\u{4E00}"..."\u{9FFF}").contains($0) }, "\(reason)")
                let text = Call(["wallet"] + words + ["--dir", chain])
                #expect(text.errors.contains("error: ") && text.output.isEmpty)
            }
            #expect(try unit("TENTH", in: chain) == before)
        }
    }

    @Test func wrongWordsAreUsage() throws {
        try withMembers { (_, chain) throws in
            func pay(_ amount: String, unit: String = "TENTH", to: String = "ben") -> Call {
                Call(
                    "wallet", "send", "--from", "anna", "--to", to, "--unit", unit, "--amount", amount, "--dir", chain,
                    "--json")
            }
            for amount in ["1.25", "-1", "1,5", "", ".5", "1.", "1e3", "99999999999999999999", "０", "1.5.5"] {
                let call = pay(amount)
                #expect(call.code == 2, "\(amount): \(call.errors)")
                #expect(call.error["field"].text == "--amount", "\(call.errors)")
            }
            for (call, code) in [
                (pay("1", unit: "lower case"), "unit-invalid"), (pay("1", to: "lf1qqqq"), "account-invalid"),
                (pay("1", to: "../x"), "wallet-name"),
                (Call("wallet", "new", "a/b", "--dir", chain, "--json"), "wallet-name"),
                (Call("wallet", "new", "lf1me", "--dir", chain, "--json"), "wallet-name"),
            ] {
                #expect(call.code == 2)
                #expect(call.error["code"].text == code, "\(call.errors)")
            }
            for (call, code) in [
                (pay("1", to: "nobody"), "wallet-unknown"),
                (Call("wallet", "new", "anna", "--dir", chain, "--json"), "wallet-taken"),
                (Call("wallet", "new", "x", "--organisation", "9", "--dir", chain, "--json"), "organisation-unknown"),
            ] {
                #expect(call.code == 1)
                #expect(call.error["code"].text == code, "\(call.errors)")
            }
            let long = String(repeating: "r", count: 49)
            let redeem = Call(
                "wallet", "redeem", "--from", "anna", "--unit", "TENTH", "--amount", "1", "--reference", long, "--dir",
                chain, "--json")
            #expect(redeem.code == 2)
            #expect(redeem.error["code"].text == "reference-too-long")
        }
    }

    /// Elsewhere than in a development chain every key is sealed, and a missing passphrase is a refusal, not a prompt.
    @Test func sealedKeysWantTheirPassphrase() throws {
        try withTemporaryDirectory { root in
            let chain = root.file("chain")
            let missing = Call("init", "--dir", chain, "--json")
            #expect(missing.code == 1)
            #expect(missing.error["code"].text == "passphrase-missing")
            #expect(!FileManager.default.fileExists(atPath: chain))

            let right = try root.write("right", "correct horse\nsecond line")
            let wrong = try root.write("wrong", "battery staple\n")
            let empty = try root.write("empty", "\n")
            #expect(Call("init", "--dir", chain, "--passphrase-file", right).code == 0)
            func new(_ options: String...) -> Call {
                Call(["wallet", "new", "anna", "--dir", chain, "--json"] + options)
            }
            for (call, code) in [
                (new(), "key-sealed"), (new("--passphrase-file", wrong), "key-sealed"),
                (new("--passphrase-file", empty), "passphrase-empty"),
            ] {
                #expect(call.code == 1)
                #expect(call.error["code"].text == code, "\(call.errors)")
                #expect(!call.errors.contains("staple"))
                #expect(call.error["reason"].text?.contains("passphrase") == true || code == "passphrase-empty")
            }
            let absent = new("--passphrase-file", root.file("absent"))
            #expect(absent.code == 1)
            #expect(try FileManager.default.contentsOfDirectory(atPath: chain + "/wallets") == [])
            let made = new("--passphrase-file", right)
            #expect(made.code == 0, "\(made.errors)")
            #expect(Call("wallet", "show", "--dir", chain, "--json").json[0]["sealed"].flag == true)
            // Neither the passphrase nor a key in the clear is anywhere below.
            for (name, bytes) in try snapshot(chain) {
                #expect(bytes.range(of: Data("correct horse".utf8)) == nil, "\(name)")
            }
            let child = try Child(
                ["wallet", "new", "ben", "--dir", chain], environment: ["LIANFEN_PASSPHRASE": "correct horse"])
            #expect(child.wait() == 0, "\(child.errors)")
            let waiting = try Child(["node", "--dir", chain, "--seconds", "1"])
            #expect(waiting.wait() == 1)
            #expect(waiting.errors.contains("LIANFEN_PASSPHRASE"))
        }
    }

    // MARK: Proofs

    @Test func proofsAreCheckedOffline() throws {
        try withMembers("--validators", "4") { root, chain in
            let genesis = try root.write(
                "genesis", Array(try Data(contentsOf: URL(fileURLWithPath: chain + "/genesis"))))
            let dir = ["--dir", chain, "--json"]
            let balance = root.file("balance.proof")
            let receipt = root.file("receipt.proof")
            let none = root.file("none.proof")
            func export(_ words: String...) -> Call { Call(["proof", "export"] + words + dir) }
            #expect(export("--account", "anna", "--unit", "TENTH", "--out", balance).code == 0)
            #expect(export("--account", "ben", "--unit", "TENTH", "--out", none).code == 0)
            let id = try #require(Call(["wallet", "receipts", "anna"] + dir).json[0]["transaction"].text)
            #expect(export("--transaction", id, "--out", receipt).code == 0)
            // Nothing but the proof and the genesis is needed.
            try FileManager.default.removeItem(atPath: chain)

            func verify(_ file: String, _ genesis: String = genesis) -> Call {
                Call("proof", "verify", file, "--genesis", genesis, "--json")
            }
            let first = verify(balance).json
            #expect(first["valid"].flag == true && first["kind"].text == "balance")
            #expect(first["available"].text == "125" && first["unit"].text == "TENTH")
            #expect(first["validators"].int == 4 && first["quorum"].int == 3)
            #expect(try #require(first["signers"].int) >= 3)
            #expect(verify(none).json["available"].text == "0")
            let second = verify(receipt).json
            #expect(second["kind"].text == "receipt" && second["transaction"].text == id)
            #expect(second["result"].text == "done")
            let text = Call("proof", "verify", balance, "--genesis", genesis).output
            #expect(text.hasPrefix("Valid. lf1"))
            #expect(text.contains("of 4 organisations signed (3 make it final)."))

            // Another chain's genesis, and a file that is none.
            #expect(Call("init", "--dev", "--dir", root.file("other")).code == 0)
            let foreign = verify(balance, root.file("other/genesis"))
            #expect(foreign.code == 1)
            #expect(foreign.error["reason"].text?.contains("another genesis") == true)
            let unread = verify(balance, receipt)
            #expect(unread.code == 1)
            #expect(unread.error["code"].text == "genesis-invalid")
            #expect(verify(genesis).error["code"].text == "proof-invalid")

            // A bit of every third byte; cut short, and with one byte more.
            for file in [balance, receipt] {
                let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: file)))
                let altered = root.file("altered.proof")
                var accepted: [Int] = []
                for index in stride(from: 0, to: bytes.count, by: 3) {
                    var copy = bytes
                    copy[index] ^= 1 << UInt8(index % 8)
                    _ = try root.write("altered.proof", copy)
                    if verify(altered).code != 1 { accepted.append(index) }
                }
                #expect(accepted == [])
                for copy in [Array(bytes.dropLast()), bytes + [0], []] {
                    _ = try root.write("altered.proof", copy)
                    #expect(verify(altered).code == 1)
                }
            }
        }
    }

    @Test func proofsThatCannotBeMadeSayWhy() throws {
        try withChain { root, chain in
            let out = root.file("out")
            func export(_ words: String...) -> Call {
                Call(["proof", "export", "--dir", chain, "--out", out, "--json"] + words)
            }
            for (call, exit, code) in [
                (export(), 2, "either"), (export("--account", "anna"), 2, "either"),
                (export("--transaction", "zz"), 2, "transaction-invalid"),
                (export("--transaction", String(repeating: "0", count: 64)), 1, "transaction-unknown"),
                (export("--transaction", String(repeating: "0", count: 64), "--unit", "U"), 2, "either"),
                (export("--account", "anna", "--unit", "UNIT"), 1, "wallet-unknown"),
            ] as [(Call, Int32, String)] {
                #expect(call.code == exit)
                #expect(call.error["code"].text == code, "\(call.errors)")
            }
            #expect(!FileManager.default.fileExists(atPath: out))
            // A chain without a block yet: a node runs until there is a certificate that proves that nothing is there.
            let call = export("--account", strangerID(1), "--unit", "UNIT")
            #expect(call.code == 0, "\(call.errors)")
            #expect(
                Call("proof", "verify", out, "--genesis", chain + "/genesis", "--json").json["valid"].flag == true)
        }
    }

    /// Looking and proving need no lock, sending does.
    @Test func besideARunningNode() throws {
        try withMembers { root, chain in
            let node = try Child("node", "--dir", chain)
            try node.waitFor("Running 1 validator ")
            let dir = ["--dir", chain, "--json"]
            #expect(Call(["wallet", "balance", "anna"] + dir).json["holdings"][0]["available"].text == "125")
            #expect(Call(["wallet", "receipts", "anna"] + dir).code == 0)
            let out = root.file("proof")
            let proof = Call(["proof", "export", "--account", "anna", "--unit", "TENTH", "--out", out] + dir)
            #expect(proof.code == 0, "\(proof.errors)")
            #expect(Call("proof", "verify", out, "--genesis", chain + "/genesis").code == 0)
            #expect(Call("audit", chain, "--json").json["ok"].flag == true)
            for words in [
                ["wallet", "new", "cy"],
                ["wallet", "send", "--from", "anna", "--to", "ben", "--unit", "TENTH", "--amount", "1"],
            ] {
                let call = Call(words + dir)
                #expect(call.code == 3)
                #expect(call.error["code"].text == "storage-locked")
                #expect(call.error["reason"].text?.contains("stop the node that uses it first") == true)
            }
            #expect(!FileManager.default.fileExists(atPath: chain + "/wallets/cy.wallet"))
            node.interrupt()
            #expect(node.wait() == 0, "\(node.errors)")
            #expect(node.output.contains("Stopped at height "))
        }
    }
}
