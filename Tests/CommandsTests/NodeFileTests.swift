import Crypto
import Foundation
import HTTPClient
import JSON
import Ledger
import OrderingEtcd
import Peers
import ServerKit
import TestSupport
import Testing
import Wire

@testable import Commands

/// `node.json`: what is wrong with it is said with its place, and what to do, before anything is done.
@Suite(.ownThread) struct NodeFileTests {
    /// A chain of four in directories of their own, the first of which is looked at.
    private static func withApart<R>(_ body: (_ root: URL, _ directory: String) throws -> R) throws -> R {
        try withTemporaryDirectory { root in
            let chain = root.file("mall")
            try Call.ok("init", "--dev", "--apart", "--validators", "4", "--dir", chain)
            return try body(root, chain + "/1")
        }
    }

    private static func read(_ directory: String) throws -> NodeFile {
        let text = try Data(contentsOf: URL(fileURLWithPath: directory + "/node.json"))
        return try Form.nodeFile.parse(JSONValue(parsing: Array(text)))
    }

    @Test func eachDirectoryIsWholeForOneOrganisation() throws {
        try Self.withApart { root, first in
            let genesis = try Data(contentsOf: URL(fileURLWithPath: first + "/genesis"))
            for number in 1...4 {
                let home = root.file("mall/\(number)")
                #expect(try Data(contentsOf: URL(fileURLWithPath: home + "/genesis")) == genesis)
                let names = try FileManager.default.contentsOfDirectory(atPath: home).sorted()
                #expect(names == ["genesis", "keys", "node.json", "nodes", "wallets"])
                #expect(try FileManager.default.contentsOfDirectory(atPath: home + "/nodes") == ["\(number)"])
                #expect(
                    try FileManager.default.contentsOfDirectory(atPath: home + "/keys").sorted()
                        == ["\(number)-governing.key", "\(number)-issuing.key"])
                let file = try Self.read(home)
                #expect(file.organisation == OrganisationID(UInt32(number)))
                #expect(file.ordering == .init(endpoints: ["http://127.0.0.1:2379"]))
                #expect(
                    file.peers
                        == (1...4).filter { $0 != number }.map {
                            .init(organisation: OrganisationID(UInt32($0)), url: "http://127.0.0.1:\(7877 + $0)")
                        })
                #expect(Call("audit", home).code == 0)
                #expect(Call("wallet", "new", "anna", "--unopened", "--dir", home).code == 0)
            }
        }
    }

    @Test func filesThatAreNamedGoIntoEachDirectory() throws {
        try withTemporaryDirectory { root in
            let chain = root.file("mall")
            let (ca, password) = (try root.write("x.pem", "authority"), try root.write("p", "secret\n"))
            try Call.ok(
                "init", "--dev", "--apart", "--validators", "2", "--dir", chain, "--etcd", "https://e1:2379", "--etcd",
                "https://e2:2379", "--etcd-ca", ca, "--etcd-user", "malls", "--etcd-password-file", password, "--ca",
                ca, "--node-url", "https://a.example:8443", "--node-url", "https://b.example:8443")
            let second = chain + "/2"
            let file = try Self.read(second)
            #expect(
                file.ordering
                    == .init(
                        endpoints: ["https://e1:2379", "https://e2:2379"], ca: "etcd-ca.pem", user: "malls",
                        passwordFile: "etcd.password"))
            #expect(
                file.peers == [
                    .init(organisation: OrganisationID(1), url: "https://a.example:8443", ca: "nodes-ca.pem")
                ]
            )
            let setup = try NodeSetup(ChainDirectory(second, passphrase: .none))
            #expect(setup.etcd?.login == .init(user: "malls", password: "secret"))
            #expect(setup.etcd?.authorities == .file(second + "/etcd-ca.pem"))
            #expect(setup.peers[0].authorities == second + "/nodes-ca.pem")
            // What a password is, others on the machine do not read.
            let mode = try FileManager.default.attributesOfItem(atPath: second + "/etcd.password")[.posixPermissions]
            #expect(mode as? Int == 0o600)
        }
    }

    /// Each node is somebody of its own to the cluster, where its organisation has a user there.
    @Test func eachNodeHasItsOwnUser() throws {
        try withTemporaryDirectory { root in
            let chain = root.file("mall")
            let users = try (1...3).flatMap { number in
                [
                    "--etcd-user", "lianfen-\(number)", "--etcd-password-file",
                    try root.write("p\(number)", "secret \(number)\n"),
                ]
            }
            let call = Call(["init", "--dev", "--apart", "--validators", "3", "--dir", chain] + users)
            try #require(call.code == 0, "\(call.errors)")
            for number in 1...3 {
                let setup = try NodeSetup(ChainDirectory("\(chain)/\(number)", passphrase: .none))
                #expect(setup.etcd?.login == .init(user: "lianfen-\(number)", password: "secret \(number)"))
                #expect(setup.etcd?.voter == UInt32(number))
            }
        }
    }

    @Test(arguments: [
        (["--etcd", "http://127.0.0.1:1"], "--etcd"), (["--node-url", "http://127.0.0.1:1"], "--node-url"),
        (["--organisation", "7"], "--organisation"), (["--apart", "--node-url", "http://127.0.0.1:1"], "--node-url"),
        (["--apart", "--etcd", "http://10.0.0.1:2379"], "node.json: $.ordering.endpoints[0]"),
        (["--apart", "--etcd-user", "x"], "node.json: $.ordering.passwordFile"),
        (["--apart", "--etcd-user", "x", "--etcd-user", "y"], "--etcd-user"),
        (
            ["--apart", "--etcd-user", "x", "--etcd-password-file", "p", "--etcd-password-file", "q"],
            "--etcd-password-file"
        ),
    ])
    func optionsThatMakeNoSenseAreRefused(_ options: [String], _ field: String) throws {
        try withTemporaryDirectory { root in
            let chain = root.file("mall")
            let call = Call(["init", "--dev", "--validators", "4", "--dir", chain, "--json"] + options)
            #expect(call.code == 2, "\(call.errors)")
            #expect(call.error["field"].text == field)
            #expect(!FileManager.default.fileExists(atPath: chain))
        }
    }

    /// A change to the file, the place that the refusal names, and words of its sentence.
    private static let wrong: [(from: String, to: String, place: String, words: String)] = [
        ("\"organisation\": 2,", "\"organisation\": 3,", "$.peers[1].organisation", "an organisation has one node"),
        ("\"organisation\": 2,", "\"organisation\": 1,", "$.peers[0].organisation", "is this node itself"),
        (":7879\"", ":7880\"", "$.peers[1].url", "the same as in peers[0]"),
        ("http://127.0.0.1:7879", "http://node.example:7879", "$.peers[0].url", "without TLS"),
        ("http://127.0.0.1:7879", "http://127.0.0.1.example:7879", "$.peers[0].url", "without TLS"),
        ("http://127.0.0.1:7879", "127.0.0.1:7879", "$.peers[0].url", "is no URL of a server"),
        ("http://127.0.0.1:7879", "https://a@b/c", "$.peers[0].url", "is no URL of a server"),
        ("\"organisation\": 1,", "\"organization\": 1,", "$.organization", "is not known"),
        ("\"organisation\": 1,", "", "$.organisation", "is missing"),
        ("\"organisation\": 1,", "\"organisation\": \"1\",", "$.organisation", "a whole number was expected"),
        ("\"quotaBytes\": 2147483648", "\"quotaBytes\": 1", "$.ordering.quotaBytes", "has to be from"),
        ("2147483648", "2147483648, \"ca\": \"none.pem\"", "$.ordering.ca", "none.pem"),
        ("2147483648", "2147483648, \"ca\": \"wallets\"", "$.ordering.ca", "Is a directory"),
        (
            "2147483648", "2147483648, \"certificate\": \"none.pem\", \"key\": \"x\"", "$.ordering.certificate",
            "No such"
        ),
        (
            "2147483648", "2147483648, \"certificate\": \"genesis\", \"key\": \"none.key\"", "$.ordering.key",
            "none.key"
        ),
        (
            "2147483648", "2147483648, \"user\": \"x\", \"passwordFile\": \"none\"", "$.ordering.passwordFile",
            "No such file"
        ),
        (":7879\"", ":7879\", \"ca\": \"none.pem\"", "$.peers[0].ca", "none.pem"),
        ("\"observers\": []", "\"observers\": [], \"observers\": []", "$.observers", "is given twice"),
        ("2147483648", "2147483648, \"user\": \"x\"", "$.ordering.passwordFile", "are given together"),
        ("2147483648", "2147483648, \"key\": \"x\"", "$.ordering.certificate", "are given together"),
        ("[\"http://127.0.0.1:2379\"]", "[]", "$.ordering.endpoints", "1 to 9"),
        ("[\"http://127.0.0.1:2379\"]", "[\"http://[::1]:1\", \"http://[::1]:1\"]", "$.ordering.endpoints[1]", "twice"),
        ("\"observers\": []", "\"observers\": [\"00\"]", "$.observers[0]", "is not"),
        (
            "\"observers\": []", "\"observers\": [], \"checkpoint\": {\"height\": \"1\"}", "$.checkpoint.header",
            "missing"
        ),
        ("\"observers\": []", "\"observers\": [],", "$", "the name of a member"),
    ]

    @Test func whatIsWrongIsNamed() throws {
        try Self.withApart { _, directory in
            let path = directory + "/node.json"
            let text = try String(contentsOfFile: path, encoding: .utf8)
            for wrong in Self.wrong {
                let range = try #require(text.range(of: wrong.from))
                try text.replacingCharacters(in: range, with: wrong.to)
                    .write(toFile: path, atomically: true, encoding: .utf8)
                let before = try snapshot(directory)
                let call = Call("node", "--dir", directory, "--seconds", "1", "--json")
                #expect(call.code == 1, "\(wrong): \(call.errors)")
                #expect(call.error["code"].text == "node-file")
                #expect(call.error["field"].text == "\(path): \(wrong.place)")
                #expect(call.error["reason"].text?.contains(wrong.words) == true, "\(wrong): \(call.errors)")
                #expect(try snapshot(directory) == before)
            }
        }
    }

    @Test func whoIsAValidatorAlreadyDoesNotJoin() throws {
        try Self.withApart { root, directory in
            let path = root.file("late")
            let taken = Call("init", "--dev", "--join", directory + "/genesis", "--organisation", "2", "--dir", path)
            #expect(taken.code == 2 && taken.errors.contains("is a validator of this chain already"))
            let nobody = Call("init", "--dev", "--join", directory + "/genesis", "--dir", path)
            #expect(nobody.code == 2 && nobody.errors.contains("--organisation"))
            #expect(!FileManager.default.fileExists(atPath: path))
            let call = try Call.ok(
                "init", "--dev", "--join", directory + "/genesis", "--organisation", "9", "--dir", path, "--json")
            let key = try #require(call.json["votingKey"].text.flatMap { PublicKey(hex: $0) })
            let stored = try ChainDirectory.readKey(path + "/nodes/9/voting.key", .none)
            #expect(stored.publicKey == key)
            let file = try Self.read(path)
            #expect(file.ordering == nil && file.peers.count == 4)
        }
    }
}
