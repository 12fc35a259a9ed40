import Crypto
import Foundation
import Ledger
import ServerKit
import TestSupport
import Testing

@testable import Commands

/// Keys under another passphrase: all of them or none, and again where it was interrupted.
@Suite(.ownThread) struct PassphraseTests {
    private struct Sealed {
        let root: URL
        let chain: String
        let old: String
        let new: String

        var change: [String] {
            ["passphrase", "--dir", chain, "--passphrase-file", old, "--new-passphrase-file", new, "--json"]
        }

        /// Whether the passphrase in this file opens every key of the directory, and a member can pay with it.
        func opens(_ passphrase: String) throws -> Bool {
            let bytes = try Files.firstLine(passphrase)
            let paid = Call(
                "wallet", "send", "--from", "anna", "--to", "ben", "--unit", "TENTH", "--amount", "1", "--dir", chain,
                "--passphrase-file", passphrase)
            return try paid.code == 0
                && keyFiles(chain).allSatisfy { (try? ChainDirectory.keyFile($0).open(passphrase: bytes)) != nil }
        }
    }

    private func withSealed<R>(_ body: (Sealed) throws -> R) throws -> R {
        try withTemporaryDirectory { root in
            let chain = root.file("chain")
            try Call.ok("init", "--dev", "--dir", chain)
            try Members.make(in: chain)
            let sealed = Sealed(
                root: root, chain: chain, old: try root.write("old", "the old one\n"),
                new: try root.write("new", "the new one\n"))
            // In the clear so far, which the same command ends.
            let first = try Call.ok("passphrase", "--dir", chain, "--new-passphrase-file", sealed.old, "--json")
            try #require(first.json["sealed"].count == 5 && first.json["already"].int == 0)
            return try body(sealed)
        }
    }

    @Test func everyKeyIsSealedAnew() throws {
        try withSealed { sealed in
            let recipient = sealed.root.file("recipient.key")
            try Call.ok("backup", "key", recipient, "--passphrase-file", sealed.old)
            let keys = try keyFiles(sealed.chain).map { try ChainDirectory.keyFile($0).publicKey }
            #expect(try sealed.opens(sealed.old))
            #expect(try !sealed.opens(sealed.new))
            let changed = Call(sealed.change + ["--key", recipient])
            #expect(changed.code == 0 && changed.json["sealed"].count == 6, "\(changed.errors)")
            #expect(try sealed.opens(sealed.new))
            #expect(try !sealed.opens(sealed.old))
            #expect(try keyFiles(sealed.chain).map { try ChainDirectory.keyFile($0).publicKey } == keys)
            #expect(throws: KeyFileError.passphraseWrong) {
                try ChainDirectory.keyFile(recipient).open(passphrase: Array("the old one".utf8))
            }
            _ = try ChainDirectory.keyFile(recipient).open(passphrase: Array("the new one".utf8))
        }
    }

    /// Cut off after some of the files, the same command does the rest.
    @Test func whatWasInterruptedGoesOn() throws {
        try withSealed { sealed in
            let voting = ChainDirectory.votingKeyPath(sealed.chain, OrganisationID(1))
            try Call.ok(
                "passphrase", "--key", voting, "--passphrase-file", sealed.old, "--new-passphrase-file", sealed.new)
            #expect(try !sealed.opens(sealed.new))
            #expect(try !sealed.opens(sealed.old))
            let rest = Call(sealed.change)
            #expect(rest.json["sealed"].count == 4 && rest.json["already"].int == 1, "\(rest.errors)")
            #expect(try sealed.opens(sealed.new))
            #expect(Call(sealed.change).json["already"].int == 5)
        }
    }

    @Test func whatDoesNotOpenChangesNothing() throws {
        try withSealed { sealed in
            let foreign = sealed.root.file("foreign.key")
            let other = try sealed.root.write("other", "another one\n")
            try Call.ok("backup", "key", foreign, "--passphrase-file", other)
            let before = try snapshot(sealed.root.path)
            let refused = Call(sealed.change + ["--key", foreign])
            #expect(refused.code == 1 && refused.error["field"].text == foreign)
            #expect(refused.error["reason"].text?.contains("no key was changed") == true)

            let empty = try sealed.root.write("empty", "\n")
            let (dir, old) = (["passphrase", "--dir", sealed.chain, "--json"], ["--passphrase-file", sealed.old])
            for (words, code, field) in [
                (dir + ["--new-passphrase-file", sealed.new], "key-sealed", nil),
                (dir + old + ["--new-passphrase-file", sealed.old], "passphrase-same", "--new-passphrase-file"),
                (dir + old + ["--new-passphrase-file", empty], "passphrase-empty", "--new-passphrase-file"),
                (["passphrase", "--json"] + old + ["--new-passphrase-file", sealed.new], "keys-missing", "--dir"),
                (
                    ["passphrase", "--json", "--key", sealed.old] + old + ["--new-passphrase-file", sealed.new],
                    "key-invalid", sealed.old
                ),
            ] as [([String], String, String?)] {
                let call = Call(words)
                #expect(call.code != 0 && call.error["code"].text == code, "\(call.errors)")
                if let field { #expect(call.error["field"].text == field) }
            }
            try FileManager.default.removeItem(atPath: empty)
            #expect(try snapshot(sealed.root.path) == before)
        }
    }

    /// An operator who is root leaves no file behind that the node's user cannot read.
    @Test(.enabled(if: geteuid() == 0)) func whatRootWritesIsTheDirectorysOwners() throws {
        try withSealed { sealed in
            let nobody: uid_t = 65_534
            for name in try FileManager.default.subpathsOfDirectory(atPath: sealed.chain) + ["."] {
                try #require(chown("\(sealed.chain)/\(name)", nobody, nobody) == 0)
            }
            // Nor is that user given, by a link in the way, what was not its own.
            let treasure = try sealed.root.write("treasure", "root's\n")
            let trap = ChainDirectory.votingKeyPath(sealed.chain, OrganisationID(1)) + ".partial"
            try #require(symlink(treasure, trap) == 0)
            #expect(Call(sealed.change).code == 0)
            try Call.ok(
                "consortium", "rekey", "--dir", sealed.chain, "--by", "1", "--issuing", "--passphrase-file", sealed.new)
            for name in try Files.names(in: sealed.chain + "/keys") {
                let attributes = try FileManager.default.attributesOfItem(atPath: "\(sealed.chain)/keys/\(name)")
                #expect(attributes[.ownerAccountID] as? Int == Int(nobody), "\(name)")
                #expect(attributes[.posixPermissions] as? Int == 0o600)
            }
            #expect(try FileManager.default.attributesOfItem(atPath: treasure)[.ownerAccountID] as? Int == 0)
            #expect(try String(contentsOfFile: treasure, encoding: .utf8) == "root's\n")
        }
    }

}

private func keyFiles(_ chain: String) throws -> [String] {
    try ["\(chain)/keys", "\(chain)/nodes/1"].flatMap { folder in
        try Files.names(in: folder).filter { $0.hasSuffix(".key") }.map { "\(folder)/\($0)" }
    }
}
