import Concurrency
import Foundation
import ServerKit
import Storage
import StorageRocksDB
import TestSupport
import Testing

@testable import Commands

/// Wrong flags and wrong files: a sentence that names the field, the exit code of the documents, and nothing changed.
@Suite(.ownThread) struct BadInputTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let words: String
        let exit: Int32
        let code: String
        let field: String?

        init(_ words: String, _ exit: Int32, _ code: String, _ field: String?) {
            (self.words, self.exit, self.code, self.field) = (words, exit, code, field)
        }

        var testDescription: String { words }
    }

    /// `ROOT` is a directory of the test, with a chain in `ROOT/chain`, an empty directory and a few files.
    @Test(arguments: [
        Case("nosuch", 2, "unknown-command", nil), Case("wallet", 2, "missing-command", nil),
        Case("wallet fly", 2, "unknown-command", nil), Case("proof", 2, "missing-command", nil),
        Case("init", 2, "missing-option", "--dir"), Case("init --dev --dir", 2, "missing-value", "--dir"),
        Case("init --dir ROOT/new", 1, "passphrase-missing", "--passphrase-file"),
        Case("init --dir ROOT/new --passphrase-file ROOT/none", 1, "file-notFound", "ROOT/none"),
        Case("init --dev=yes --dir ROOT/new", 2, "unexpected-value", "--dev"),
        Case("init --dev --dir ROOT/new --validators 0", 2, "invalid-value", "--validators"),
        Case("init --dev --dir ROOT/new --validators 17", 2, "invalid-value", "--validators"),
        Case("init --dev --dir ROOT/new --validators four", 2, "invalid-value", "--validators"),
        Case("init --dev --dir ROOT/new --validators 1 --validators 4", 2, "repeated-option", "--validators"),
        Case("init --dev --dir ROOT/new --quota 0", 2, "invalid-value", "--quota"),
        Case("init --dev --dir ROOT/new --quota 99999999999999999999", 2, "invalid-value", "--quota"),
        Case("init --dev --dir ROOT/new --chain=", 2, "chain-name", "--chain"),
        Case("init --dev --dir ROOT/new --chain 链", 2, "chain-name", "--chain"),
        Case("init --dev --dir ROOT/new --colour red", 2, "unknown-option", "--colour"),
        Case("init --dev --dir ROOT/new surplus", 2, "unknown-command", nil),
        Case("init --dev --dir ROOT/new consortium assemble", 2, "unknown-option", "--dir"),
        Case("init consortium begin --dir ROOT/chain --genesis ROOT/none", 3, "founder-missing", "--dir"),
        Case("init --dev --dir ROOT/chain", 3, "directory-taken", "--dir"),
        Case("init --dev --dir ROOT/text", 3, "directory-taken", "--dir"),
        Case("init --dev --dir ROOT/none/new", 1, "file-notFound", nil),
        Case("node", 2, "missing-option", "--dir"), Case("node --dir=", 2, "invalid-value", "--dir"),
        Case("node --dir ROOT/none", 3, "directory-missing", "--dir"),
        Case("node --dir ROOT/empty", 3, "chain-missing", "--dir"),
        Case("node --dir ROOT/text", 3, "directory-missing", "--dir"),
        Case("node --dir ROOT/chain --seconds 0", 2, "invalid-value", "--seconds"),
        Case("node --dir ROOT/chain --seconds soon", 2, "invalid-value", "--seconds"),
        Case("demo --rate 0 --dir ROOT/new", 2, "invalid-value", "--rate"),
        Case("demo --orders ROOT/text --dir ROOT/new", 2, "mapping-missing", "--mapping"),
        Case("demo --orders ROOT/none --mapping ROOT/none --dir ROOT/new", 1, "file-notFound", "ROOT/none"),
        Case("demo --dir ROOT/text", 3, "directory-taken", "--dir"),
        Case("wallet new --dir ROOT/chain", 2, "missing-argument", "NAME"),
        Case("wallet new anna", 2, "missing-option", "--dir"),
        Case("wallet new 安娜 --dir ROOT/chain", 2, "wallet-name", nil),
        Case("wallet new anna --organisation 0 --dir ROOT/chain", 2, "invalid-value", "--organisation"),
        Case("wallet balance --dir ROOT/chain", 2, "missing-argument", "ACCOUNT"),
        Case("wallet balance lf1qqqqqqqq --dir ROOT/chain", 2, "account-invalid", nil),
        Case("wallet send --from a --to b --unit U --amount 1 --dir ROOT/chain", 1, "wallet-unknown", nil),
        Case("wallet receipts a --last 0 --dir ROOT/chain", 2, "invalid-value", "--last"),
        Case("import --dir ROOT/chain --mapping ROOT/text", 2, "missing-argument", "FILE"),
        Case("import ROOT/text --dir ROOT/chain", 2, "missing-option", "--mapping"),
        Case("import ROOT/text --mapping ROOT/text --dir ROOT/chain", 1, "mapping-invalid", "$"),
        Case("import ROOT/text --mapping ROOT/empty --dir ROOT/chain", 3, "file", "ROOT/empty"),
        Case("audit", 2, "missing-argument", "DIR"), Case("audit ROOT/none", 3, "directory-missing", "DIR"),
        Case("audit ROOT/chain --validator 2", 1, "validator-unknown", "--validator"),
        Case("audit ROOT/chain --genesis ROOT/text", 1, "genesis-invalid", "ROOT/text"),
        Case("audit ROOT/chain ROOT/chain", 2, "surplus-argument", nil),
        Case("proof verify ROOT/text", 2, "missing-option", "--genesis"),
        Case("proof verify ROOT/text --genesis ROOT/chain/genesis", 1, "proof-invalid", "ROOT/text"),
        Case("proof verify ROOT/none --genesis ROOT/chain/genesis", 1, "file-notFound", "ROOT/none"),
        Case("wallet balance a --dir ROOT/chain --ca ROOT/text", 2, "node-option", "--ca"),
        Case("wallet new a --dir ROOT/chain --node nowhere", 2, "url-invalid", "--node"),
        Case("wallet balance a --dir ROOT/chain --node http://mall.example:80", 2, "plain-http", "--node"),
        Case("validators follow --genesis ROOT/chain/genesis --node http://192.0.2.1", 2, "plain-http", "--node"),
        Case(
            "snapshot restore --dir ROOT/chain --validator 1 --node http://127.0.0.1.mall.example", 2, "plain-http",
            "--node"),
        Case("wallet new a --dir ROOT/empty --node http://127.0.0.1:1", 3, "chain-missing", "--dir"),
        Case(
            "wallet new a --dir ROOT/chain --node http://127.0.0.1:1 --genesis ROOT/text", 1, "genesis-invalid",
            "ROOT/text"),
        Case("wallet new a --dir ROOT/chain --node http://127.0.0.1:1", 3, "node-unreachable", nil),
        Case(
            "import ROOT/text --mapping ROOT/text --dir ROOT/chain --genesis ROOT/text", 2, "node-option", "--genesis"),
        Case("tx", 2, "missing-command", nil), Case("tx build", 1, "json-invalid", "$"),
        Case("tx show", 1, "input-empty", nil), Case("tx show --genesis ROOT/text", 1, "input-empty", nil),
        Case("tx sign", 2, "either", "--key"), Case("tx sign --key ROOT/text", 2, "genesis-missing", "--genesis"),
        Case("tx sign --key ROOT/text --genesis ROOT/chain/genesis", 1, "key-invalid", "ROOT/text"),
        Case("tx sign --wallet a --dir ROOT/chain", 1, "wallet-unknown", nil),
        Case("proof export --dir ROOT/chain --account a --unit u", 2, "missing-option", "--out"),
        Case("proof export --dir ROOT/chain --account a --unit u --out ROOT/out", 1, "wallet-unknown", nil),
    ])
    func aWrongCallNamesItsFieldAndChangesNothing(_ wrong: Case) throws {
        try withTemporaryDirectory { root in
            let chain = root.file("chain")
            try #require(Call("init", "--dev", "--dir", chain).code == 0)
            try FileManager.default.createDirectory(atPath: root.file("empty"), withIntermediateDirectories: false)
            _ = try root.write("text", "this is only a text\n")
            let before = try snapshot(root.path)
            let words = wrong.words.split(separator: " ").map { $0.replacing("ROOT", with: root.path) }
            let call = Call(words.map(String.init) + ["--json"])
            #expect(call.code == wrong.exit, "\(call.errors)")
            #expect(call.output.isEmpty)
            #expect(call.error["code"].text == wrong.code, "\(call.errors)")
            if let field = wrong.field {
                #expect(call.error["field"].text == field.replacing("ROOT", with: root.path), "\(call.errors)")
            }
            let reason = call.error["reason"].text ?? ""
            #expect(reason.count > 9 && !reason.contains("Error Domain") && !reason.contains("(code:"), "\(reason)")
            #expect(try snapshot(root.path) == before)
        }
    }

    // MARK: Damaged directories

    @Test func damagedDirectoriesAreRefusedByName() throws {
        try withTemporaryDirectory { root in
            struct Damage {
                let what: String
                let exit: Int32
                let code: String
                let apply: (String) throws -> Void
            }
            func text(_ name: String) -> (String) throws -> Void {
                { try Data("not what belongs here".utf8).write(to: URL(fileURLWithPath: $0 + "/" + name)) }
            }
            func gone(_ name: String) -> (String) throws -> Void {
                { try FileManager.default.removeItem(atPath: $0 + "/" + name) }
            }
            let damages = [
                Damage(what: "genesis", exit: 1, code: "genesis-invalid", apply: text("genesis")),
                Damage(what: "no genesis", exit: 3, code: "chain-missing", apply: gone("genesis")),
                Damage(what: "voting key", exit: 1, code: "key-invalid", apply: text("nodes/1/voting.key")),
                Damage(what: "no voting key", exit: 1, code: "file-notFound", apply: gone("nodes/1/voting.key")),
                Damage(what: "issuing key", exit: 1, code: "key-invalid", apply: text("keys/1-issuing.key")),
                Damage(what: "no issuing key", exit: 1, code: "key-missing", apply: gone("keys/1-issuing.key")),
                Damage(what: "no nodes", exit: 3, code: "node-missing", apply: gone("nodes")),
                Damage(what: "CURRENT", exit: 3, code: "storage-corrupt", apply: text("nodes/1/db/CURRENT")),
                Damage(what: "no CURRENT", exit: 3, code: "storage-corrupt", apply: gone("nodes/1/db/CURRENT")),
                Damage(
                    what: "manifest", exit: 3, code: "storage-corrupt",
                    apply: { chain in
                        let names = try FileManager.default.contentsOfDirectory(atPath: chain + "/nodes/1/db")
                        let name = try #require(names.first { $0.hasPrefix("MANIFEST-") })
                        let url = URL(fileURLWithPath: chain + "/nodes/1/db/" + name)
                        var bytes = try Data(contentsOf: url)
                        bytes[bytes.count / 2] ^= 0x41
                        try bytes.write(to: url)
                    }),
                Damage(
                    what: "another format", exit: 3, code: "storage-format",
                    apply: { chain in
                        let store = try RocksDBStore(directory: chain + "/nodes/1/db", mode: .readWrite)
                        defer { store.close() }
                        var batch = WriteBatch()
                        batch.put(.meta, Array("format".utf8), Array("7".utf8))
                        try store.write(batch, synced: true)
                    }),
                Damage(
                    what: "another organisation's key", exit: 1, code: "key-foreign",
                    apply: { chain in
                        try FileManager.default.removeItem(atPath: chain + "/nodes/1/voting.key")
                        try FileManager.default.copyItem(
                            atPath: chain + "/keys/1-issuing.key", toPath: chain + "/nodes/1/voting.key")
                    }),
            ]
            for damage in damages {
                let chain = root.file(damage.what)
                try #require(Call("init", "--dev", "--dir", chain).code == 0)
                try damage.apply(chain)
                let call = Call("wallet", "new", "anna", "--dir", chain, "--json")
                #expect(call.code == damage.exit, "\(damage.what): \(call.errors)")
                #expect(call.error["code"].text == damage.code, "\(damage.what): \(call.errors)")
                #expect(!FileManager.default.fileExists(atPath: chain + "/wallets/anna.wallet"), "\(damage.what)")
            }
        }
    }

    @Test func tooFewValidatorsAreSaidSo() throws {
        try withChain("--validators", "4") { root, chain in
            for id in ["2", "4"] { try FileManager.default.removeItem(atPath: "\(chain)/nodes/\(id)") }
            let call = Call("wallet", "new", "anna", "--dir", chain, "--json")
            #expect(call.code == 3)
            #expect(call.error["reason"].text?.contains("2 of 4 validators live in") == true, "\(call.errors)")
            #expect(call.error["reason"].text?.contains("takes 3") == true)
        }
    }

    @Test func damagedWalletsAndPeople() throws {
        try withChain { root, chain in
            _ = try URL(fileURLWithPath: chain).write("wallets/anna.wallet", "no wallet")
            let wallet = Call("wallet", "show", "--dir", chain, "--json")
            #expect(wallet.code == 1)
            #expect(wallet.error["field"].text == chain + "/wallets/anna.wallet")
            _ = try URL(fileURLWithPath: chain).write("people.sqlite", String(repeating: "no database ", count: 1000))
            let call = try Shop().importing("1,anna,10.00,done\n", into: chain, in: root)
            #expect(call.code == 3)
            #expect(call.error["code"].text == "people" && call.error["field"].text == chain + "/people.sqlite")
            #expect(try units(in: chain).isEmpty)
        }
    }

    // MARK: Other users

    /// The directory belongs to root and is closed to others; the tool runs as nobody.
    @Test(.enabled(if: geteuid() == 0, "needs root, to become somebody else"), arguments: [false, true])
    func anotherUsersDirectory(_ isClosed: Bool) async throws {
        let root = FileManager.default.temporaryDirectory.appendingPathComponent("lianfen-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: root) }
        let chain = root.file("chain")
        try #require(Call("init", "--dev", "--dir", chain).code == 0)
        if !isClosed { chmod(chain, 0o755) }
        let before = try snapshot(chain)
        let result = await #expect(processExitsWith: .exitCode(3), observing: [\.standardErrorContent]) {
            [chain = chain as String] in
            guard setgid(65_534) == 0, setuid(65_534) == 0 else { exit(1) }
            for words in [["wallet", "show"], ["wallet", "balance", "x"], ["node", "--seconds", "1"]] {
                let call = Call(words + ["--dir", chain])
                FileHandle.standardError.write(Data("\(words): \(call.code) \(call.errors)".utf8))
            }
            let call = Call("wallet", "new", "anna", "--dir", chain)
            FileHandle.standardError.write(Data(call.errors.utf8))
            exit(call.code)
        }
        let said = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
        #expect(said.contains("Permission denied") || said.contains("may not use this directory"), "\(said)")
        #expect(!said.contains(": 0 ") && !said.contains("Fatal"), "\(said)")
        #expect(try snapshot(chain) == before)
    }
}
