import Canonical
import Crypto
import Foundation
import Ledger
import ServerKit
import TestSupport
import Testing

@testable import Commands

/// Keys of an organisation are exchanged in a directory: what lies where at which moment, and what is refused.
@Suite(.ownThread) struct RekeyTests {
    private let two = OrganisationID(2)

    private func place(_ chain: String, _ kind: String) -> KeyPlace {
        KeyPlace(
            kind == "voting" ? ChainDirectory.votingKeyPath(chain, two) : ChainDirectory.keyPath(chain, two, kind))
    }

    private func found(in root: URL) throws -> String {
        let chain = root.appendingPathComponent("chain").path
        try Call.ok("init", "--dev", "--dir", chain, "--validators", "4")
        return chain
    }

    private func former(_ chain: String, _ folder: String, _ kind: String) throws -> [String] {
        try Files.names(in: "\(chain)/\(folder)").filter { $0.contains("\(kind).former-") }
    }

    @Test func newKeysAreDrawnAndPutInPlace() throws {
        try withTemporaryDirectory { root in
            let chain = try found(in: root)
            let old = try #require(try place(chain, "issuing").publicKey)
            let answer = try Call.ok(
                "consortium", "rekey", "--dir", chain, "--by", "2", "--voting", "--issuing", "--json")
            let issuing = try #require(try place(chain, "issuing").publicKey)
            #expect(issuing != old && answer.json["keys"]["issuing"].text == issuing.description)
            #expect(try former(chain, "keys", "2-issuing").count == 1)
            #expect(!Files.exists(place(chain, "issuing").next))
            // The voting key its validator puts in place, once that votes by it.
            let voting = try #require(answer.json["keys"]["voting"].text)
            for quota in 1...5 where Files.exists(place(chain, "voting").next) {
                try Call.ok("consortium", "propose", "--dir", chain, "--by", "2", "--quota", "1=\(quota)")
            }
            #expect(try place(chain, "voting").publicKey?.description == voting)
            #expect(try former(chain, "nodes/2", "voting").count == 1)
            let members = try Call.ok("consortium", "members", "--dir", chain, "--json").output
            #expect(members.contains(voting) && members.contains(issuing.description))
            #expect(try Call.ok("audit", chain, "--json").json["ok"].flag == true)
        }
    }

    /// Killed between the certificate and the new key's place, or before anything was certified.
    @Test func whatWasInterruptedGoesOn() throws {
        try withTemporaryDirectory { root in
            let chain = try found(in: root)
            let governing = place(chain, "governing")
            // A key was drawn, and nothing came of it.
            let drawn = try governing.draw(.none).publicKey
            let first = try Call.ok("consortium", "rekey", "--dir", chain, "--by", "2", "--governing", "--json")
            #expect(first.json["keys"]["governing"].text == drawn.description)
            #expect(try governing.publicKey == drawn)
            // It was certified, and the files stood as before.
            let kept = try #require(try former(chain, "keys", "2-governing").first)
            try FileManager.default.moveItem(atPath: governing.file, toPath: governing.next)
            try FileManager.default.moveItem(atPath: "\(chain)/keys/\(kept)", toPath: governing.file)
            let again = try Call.ok("consortium", "rekey", "--dir", chain, "--by", "2", "--json")
            #expect(again.output.contains("governing"))
            #expect(try governing.publicKey == drawn && former(chain, "keys", "2-governing") == [kept])
            let nothing = Call("consortium", "rekey", "--dir", chain, "--by", "2", "--json")
            #expect(nothing.code == 2 && nothing.error["code"].text == "kind-missing")
        }
    }

    @Test func whoHasLostItsGoverningKeyIsGivenAnother() throws {
        try withTemporaryDirectory { root in
            let chain = try found(in: root)
            let file = root.appendingPathComponent("application.json").path
            try Call.ok(
                "consortium", "rekey", "--dir", chain, "--by", "2", "--governing", "--application", file)
            let proposal = try Call.ok(
                "consortium", "propose", "--dir", chain, "--by", "1", "--keys", file, "--json")
            let id = try #require(proposal.json["proposal"].text)
            #expect(proposal.json["carried"].flag == false)
            try Call.ok("consortium", "approve", id, "--dir", chain, "--by", "3")
            let last = try Call.ok("consortium", "approve", id, "--dir", chain, "--by", "4", "--json")
            #expect(last.json["carried"].flag == true)
            let before = Call("consortium", "propose", "--dir", chain, "--by", "2", "--quota", "1=7", "--json")
            #expect(before.error["code"].text == "key-not-valid")
            try Call.ok("consortium", "rekey", "--dir", chain, "--by", "2")
            try Call.ok("consortium", "propose", "--dir", chain, "--by", "2", "--quota", "1=7")
        }
    }

    @Test func whatCannotBeIsRefusedWithTheWayOut() throws {
        try withTemporaryDirectory { root in
            let chain = try found(in: root)
            let rules = Call("consortium", "propose", "--dir", chain, "--by", "1", "--rules", "3", "--json")
            #expect(rules.code == 1 && rules.error["code"].text == "rules-unknown")
            #expect(rules.error["reason"].text?.contains("up to version 2") == true)
            let unknown = Call("consortium", "rekey", "--dir", chain, "--by", "9", "--issuing", "--json")
            #expect(unknown.error["code"].text == "organisation-unknown")
            // Of a key that signs too and is not here, nothing is drawn for another.
            try FileManager.default.removeItem(atPath: place(chain, "issuing").file)
            let missing = Call("consortium", "rekey", "--dir", chain, "--by", "2", "--governing", "--json")
            #expect(missing.error["code"].text == "key-missing")
            #expect(missing.error["field"].text == place(chain, "issuing").file)
            #expect(!Files.exists(place(chain, "governing").next))
        }
    }
}
