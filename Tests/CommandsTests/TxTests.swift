import Canonical
import Crypto
import Foundation
import JSON
import Ledger
import Node
import ServerKit
import TestSupport
import Testing
import Wallet
import Wire

@testable import Commands

/// Transactions by hand, from one program to the next.
@Suite(.ownThread) struct TxTests {
    private func body(_ chain: String, more: String = "") throws -> String {
        let wallets = Wallets(try ChainDirectory(chain, passphrase: .none))
        let (anna, ben) = (try wallets.entry("anna"), try wallets.entry("ben"))
        return """
            {"signers": [{"party": {"account": "\(anna.account)"}, "key": "\(anna.keyFile.publicKey)"},
                         {"party": {"account": "\(ben.account)"}, "key": "\(ben.keyFile.publicKey)"}],
             "operations": [{"kind": "transfer", "from": "\(anna.account)", "to": "\(ben.account)", "unit": "TENTH",
                             "amount": "5"}]\(more)}
            """
    }

    private func withMembers<R>(_ body: (_ root: URL, _ chain: String) throws -> R) throws -> R {
        try withChain { root, chain in
            try Members.make(in: chain)
            return try body(root, chain)
        }
    }

    private func call(_ words: String..., input: String) -> Call { Call(words, input: Array(input.utf8)) }

    @Test func builtSignedByTwoAndShown() throws {
        try withMembers { (_, chain) throws in
            let built = call("tx", "build", input: try body(chain))
            try #require(built.code == 0, "\(built.errors)")
            let id = try #require(built.json["id"].text)
            let bytes = try #require(built.json["bytes"].text.flatMap { unhex($0) })
            let decoded = try TransactionBody(canonicalBytes: bytes)
            #expect(SHA256.hash(.transactionBody, bytes).description == id)
            #expect(built.json["body"]["nonce"].text == String(decoded.nonce))
            let now = UInt64(Date().timeIntervalSince1970 * 1000)
            #expect((now + 100_000...now + 121_000).contains(decoded.validUntil))
            // Another build draws another nonce; what is given is kept.
            let again = call("tx", "build", input: try body(chain))
            #expect(again.json["id"].text != id)
            let fixed = call("tx", "build", input: try body(chain, more: #", "nonce": "7", "validUntil": "99""#))
            #expect(fixed.json["body"]["nonce"].text == "7" && fixed.json["body"]["validUntil"].text == "99")

            func sign(_ name: String, _ input: String) -> Call {
                call("tx", "sign", "--wallet", name, "--dir", chain, input: input)
            }
            let half = sign("ben", built.output)
            #expect(half.json["signatures"][0].isNull && half.json["signatures"][1].text?.count == 130)
            #expect(half.json["envelope"].value == nil)
            let whole = sign("anna", half.output)
            let envelope = try #require(whole.json["envelope"].text.flatMap { unhex($0) })
            let transaction = try Transaction(envelope: envelope)
            let genesis = try ChainDirectory.readGenesis(chain + "/genesis")
            #expect(transaction.signaturesVerify(genesis: genesis.hash) && transaction.id.description == id)
            #expect(whole.json["transaction"].names == ["nonce", "operations", "signatures", "signers", "validUntil"])
            // The other way round, and again: the same signatures.
            #expect(sign("ben", sign("anna", built.output).output).json["envelope"].text == hex(envelope))
            #expect(sign("anna", whole.output).output == whole.output)
            // It is a transaction: the ledger takes it.
            let directory = try ChainDirectory(chain, passphrase: .none)
            try directory.withConsortium { (consortium) throws in
                #expect(try Submission.receipt(consortium.first.submit(transaction)).receipt.result == .done)
            }

            // Shown from each of its forms.
            let inner = try JSONSerialization.data(
                withJSONObject: try #require(whole.json["transaction"].value), options: [])
            let forms: [[UInt8]] = [
                Array(whole.output.utf8), Array(inner), envelope, Array(hex(envelope).utf8),
                Array((hex(envelope).uppercased() + "\n").utf8),
            ]
            for form in forms {
                let shown = Call(["tx", "show", "--genesis", chain + "/genesis", "--json"], input: form)
                #expect(shown.code == 0 && shown.json["id"].text == id, "\(shown.errors)")
                #expect((0..<2).map { shown.json["signatures"][$0]["state"].text } == ["good", "good"])
                #expect(shown.json["envelope"].text == hex(envelope))
            }
            for form in [Array(built.output.utf8), bytes, Array(hex(bytes).utf8), Array(half.output.utf8)] {
                let shown = Call(["tx", "show", "--json"], input: form)
                #expect(shown.code == 0 && shown.json["id"].text == id, "\(shown.errors)")
                #expect(shown.json["signatures"][0]["state"].text == "missing")
            }
            let text = Call(["tx", "show"], input: envelope).output
            for words in ["Transaction \(id)\n", "1. transfer\n", "amount: 5\n", "unit: TENTH", "signature unchecked"] {
                #expect(text.contains(words), "\(text)")
            }
            // Signed for another chain.
            #expect(Call("init", "--dev", "--dir", chain + "-other").code == 0)
            let foreign = Call(["tx", "show", "--genesis", chain + "-other/genesis", "--json"], input: envelope)
            #expect(foreign.code == 1 && foreign.json["signatures"][0]["state"].text == "wrong")
        }
    }

    /// The bytes go straight to a node; half a transaction gives none.
    @Test func theEnvelopeAsItIs() throws {
        try withMembers { (_, chain) throws in
            let built = call("tx", "build", input: try body(chain))
            let half = call("tx", "sign", "--wallet", "ben", "--dir", chain, input: built.output)
            let whole = call("tx", "sign", "--wallet", "anna", "--dir", chain, input: half.output)
            let raw = Call(
                ["tx", "sign", "--wallet", "anna", "--dir", chain, "--envelope"], input: Array(half.output.utf8))
            #expect(raw.code == 0 && hex(raw.bytes) == whole.json["envelope"].text)
            let early = call(
                "tx", "sign", "--wallet", "anna", "--dir", chain, "--envelope", "--json", input: built.output)
            #expect(early.code == 1 && early.error["code"].text == "signatures-missing" && early.output.isEmpty)
            // What a node prepared is read as it answers it, and held against itself.
            let prepared = #"{"prepared":\#(built.output),"height":"1","stateRoot":"00"}"#
            #expect(call("tx", "sign", "--wallet", "ben", "--dir", chain, input: prepared).output == half.output)
            let forged = prepared.replacingOccurrences(of: #""amount":"5""#, with: #""amount":"6""#)
            #expect(call("tx", "sign", "--wallet", "ben", "--dir", chain, input: forged).code == 1)
        }
    }

    @Test func aChallengeIsSignedForATokenAndNothingElse() throws {
        try withMembers { (_, chain) throws in
            let genesis = try ChainDirectory.readGenesis(chain + "/genesis")
            let anna = try Wallets(try ChainDirectory(chain, passphrase: .none)).entry("anna")
            // The node's own signingBytes are not looked at.
            let asked = #"{"challenge":"0102","signingBytes":"ff","expiresAt":"9","height":"1"}"#
            let message = Challenge.signedBytes(genesis: genesis.hash, challenge: [1, 2])
            let signed = call("tx", "token", "--wallet", "anna", "--dir", chain, input: asked)
            #expect(signed.code == 0 && signed.json.names == ["challenge", "key", "principal", "signature"])
            #expect(signed.json["principal"]["account"].text == anna.account.description)
            let signature = try Form<Signature>.signature.parse(
                .string(try #require(signed.json["signature"].text)))
            #expect(anna.keyFile.publicKey.verifies(signature, of: message))
            let key = ["--key", chain + "/keys/1-issuing.key", "--dir", chain]
            let mall = Call(["tx", "token", "--organisation", "1"] + key, input: Array(asked.utf8))
            #expect(mall.code == 0 && mall.output.contains(#""principal":{"organisation":1}"#), "\(mall.errors)")
            for (words, input, code) in [
                (key, asked, "either"), (["--organisation", "1", "--validator", "1"] + key, asked, "either"),
                (["--organisation", "1"] + key, "{}", "json-invalid"),
                (["--organisation", "1"] + key, #"{"challenge":"0G"}"#, "json-invalid"),
                (["--organisation", "1"] + key, "", "json-invalid"),
            ] as [([String], String, String)] {
                let wrong = Call(["tx", "token", "--json"] + words, input: Array(input.utf8))
                #expect(wrong.code != 0 && wrong.error["code"].text == code, "\(words): \(wrong.errors)")
                #expect(wrong.output.isEmpty)
            }
        }
    }

    @Test func aWalletThatNobodyHasOpened() throws {
        try withMembers { (_, chain) throws in
            let drawn = Call("wallet", "new", "cleo", "--dir", chain, "--unopened", "--json")
            let entry = try Wallets(try ChainDirectory(chain, passphrase: .none)).entry("cleo")
            #expect(drawn.code == 0 && drawn.json["account"].text == entry.account.description)
            #expect(drawn.json["key"].text == entry.keyFile.publicKey.description)
            let balance = Call("wallet", "balance", "cleo", "--dir", chain, "--json")
            #expect(balance.code == 1 && balance.error["code"].text == "account-unknown", "\(balance.errors)")
            #expect(Call("wallet", "new", "cleo", "--dir", chain, "--unopened").code == 1)
        }
    }

    @Test func keyFilesSignToo() throws {
        try withMembers { (_, chain) throws in
            let issuer = try ChainDirectory(chain, passphrase: .none).issuer(OrganisationID(1))
            let body = """
                {"signers": [{"party": {"organisation": 1}, "key": "\(issuer.key.publicKey)"}],
                 "operations": [{"kind": "open", "organisation": 1, "lines": [{"account": "\(strangerID(9))"}]}]}
                """
            let built = call("tx", "build", input: body)
            let key = chain + "/keys/1-issuing.key"
            for place in [["--genesis", chain + "/genesis"], ["--dir", chain]] {
                let signed = Call(["tx", "sign", "--key", key] + place, input: Array(built.output.utf8))
                #expect(signed.code == 0 && signed.json["envelope"].text != nil, "\(signed.errors)")
            }
            for (words, exit, code) in [
                (["--key", key], 2, "genesis-missing"), (["--dir", chain], 2, "either"),
                (["--key", key, "--wallet", "anna", "--dir", chain], 2, "either"),
                (["--wallet", "anna", "--genesis", chain + "/genesis"], 2, "missing-option"),
                (["--wallet", "anna", "--dir", chain], 1, "key-foreign"),
                (["--key", chain + "/genesis", "--dir", chain], 1, "key-invalid"),
                (["--key", chain + "/none", "--dir", chain], 1, "file-notFound"),
            ] as [([String], Int32, String)] {
                let wrong = Call(["tx", "sign", "--json"] + words, input: Array(built.output.utf8))
                #expect(wrong.code == exit && wrong.error["code"].text == code, "\(words): \(wrong.errors)")
                #expect(wrong.output.isEmpty)
            }
        }
    }

    /// What is wrong is named by its place, and nothing is written.
    @Test func wrongInputIsNamed() throws {
        try withMembers { (_, chain) throws in
            let good = try body(chain)
            let built = call("tx", "build", input: good).output
            func altered(_ old: String, _ new: String, in text: String) -> String {
                #expect(text.contains(old), "\(old)")
                return text.replacingOccurrences(of: old, with: new)
            }
            for (words, input, field) in [
                ("build", altered("\"5\"", "5", in: good), "$.operations[0].amount"),
                ("build", altered("TENTH", "tenth", in: good), "$.operations[0].unit"),
                ("build", altered("\"transfer\"", "\"transfers\"", in: good), "$.operations[0].kind"),
                ("build", altered("\"signers\"", "\"signer\"", in: good), "$.signer"),
                ("build", String(good.dropLast()), "$"),
                ("build", "[]", "$"),
                ("build", altered("\"amount\"", "\"unit\"", in: good), "$.operations[0].unit"),
                ("show", "{}", "$.signers"), ("show", good, "$.nonce"),
                ("show", altered("\"amount\":\"5\"", "\"amount\":\"6\"", in: built), "$.id"),
                ("show", altered("\"amount\":\"5\"", "\"amount\":\"\"", in: built), "$.body.operations[0].amount"),
                (
                    "show", String(built.trimmingCharacters(in: .newlines).dropLast()) + #","signatures":[null]}"#,
                    "$.signatures"
                ),
                (
                    "show", String(built.trimmingCharacters(in: .newlines).dropLast()) + #","signatures":["x",null]}"#,
                    "$.signatures[0]"
                ),
                ("show", "", nil), ("show", " \n", nil), ("show", "00ff", nil), ("show", "neither", nil),
            ] as [(String, String, String?)] {
                let wrong = call("tx", words, "--json", input: input)
                #expect(wrong.code == 1, "\(words) \(input): \(wrong.output)")
                #expect(wrong.error["field"].text == field, "\(words) \(input): \(wrong.errors)")
                #expect(wrong.error["reason"].text?.isEmpty == false && wrong.output.isEmpty)
            }
            let twice = altered("\"nonce\": 1", "", in: "\"nonce\": 1") + good
            #expect(call("tx", "build", input: twice + twice).code == 1)
        }
    }

    @Test func aRealPipe() throws {
        try withMembers { (root, chain) throws in
            let input = try root.write("body.json", try body(chain))
            let lianfen = Child.binary.path
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/bash")
            process.arguments = [
                "-c",
                """
                set -o pipefail
                '\(lianfen)' tx build < '\(input)' | '\(lianfen)' tx sign --wallet anna --dir '\(chain)' \
                  | '\(lianfen)' tx sign --wallet ben --dir '\(chain)' \
                  | '\(lianfen)' tx show --genesis '\(chain)/genesis'
                """,
            ]
            let output = try root.write("output", "")
            process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: output))
            try process.run()
            process.waitUntilExit()
            let text = try String(contentsOfFile: output, encoding: .utf8)
            #expect(process.terminationStatus == 0)
            #expect(text.components(separatedBy: "signature good").count == 3, "\(text)")
        }
    }
}
