import Canonical
import Crypto
import Foundation
import JSON
import Ledger
import OrderingEtcd
import ServerKit
import Terminal
import TestSupport
import Testing
import Wire

@testable import Commands

/// `lianfen init consortium`: what four who bring their own keys come to, and what is refused on the way.
@Suite(.ownThread) struct CeremonyTests {
    /// A refusal names a file and a place in it, says why, and changes nothing.
    private static func expect(
        _ call: Call, _ field: String, _ words: String, _ code: Int32 = 1,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(call.code == code, "\(call.errors)", sourceLocation: sourceLocation)
        #expect(call.error["field"].text == field, "\(call.errors)", sourceLocation: sourceLocation)
        #expect(
            call.error["reason"].text?.contains(words) == true, "\(call.errors)", sourceLocation: sourceLocation)
    }

    @Test func fourOrganisationsBeginWithOneGenesisAndNobodyHasAnothersSecret() throws {
        try Ceremony.with(upTo: .approved) { ceremony in
            for number in ceremony.numbers {
                let call = ceremony.begin(number, options: ["--etcd", "http://127.0.0.1:2379"])
                try #require(call.code == 0, "\(call.errors)")
                #expect(call.json["quorum"].int == 3 && call.json["faulty"].int == 1)
            }
            let bytes = try Ceremony.bytes(ceremony.genesis)
            let genesis = try Genesis(canonicalBytes: bytes)
            for number in ceremony.numbers {
                let home = ceremony.directory(number)
                #expect(try Ceremony.bytes(home + "/genesis") == bytes)
                let names = try FileManager.default.contentsOfDirectory(atPath: home).sorted()
                #expect(
                    names == ["approval.json", "genesis", "keys", "node.json", "nodes", "request.json", "wallets"])
                let setup = try NodeSetup(ChainDirectory(home, passphrase: .none))
                #expect(setup.file.organisation == OrganisationID(UInt32(number)))
                #expect(
                    setup.file.peers
                        == ceremony.numbers.filter { $0 != number }.map {
                            .init(organisation: OrganisationID(UInt32($0)), url: Ceremony.url($0))
                        })
                #expect(Call("audit", home).code == 0)
                let voting = try ceremony.keys(number)[0].publicKey
                #expect(genesis.organisations[number - 1].votingKey == voting)
            }
            // Every file below the root, those that were sent among them.
            let files = try snapshot(ceremony.root.path)
            for number in ceremony.numbers {
                for key in try ceremony.keys(number) {
                    // As a file in the clear has it: behind the magic, the version and the kind.
                    let seed = Data(KeyFile(clear: key).canonicalBytes.dropFirst(7).prefix(SecretKey.seedCount))
                    let holders = files.filter { $0.value.range(of: seed) != nil }.map(\.key)
                    #expect(holders.count == 1 && holders.allSatisfy { $0.hasPrefix("mall-\(number)/") }, "\(holders)")
                }
            }
        }
    }

    /// A silent organisation is founded with the others, and runs no node.
    @Test func whoDoesNotVoteBeginsWithoutANode() throws {
        try Ceremony.with(silent: true, upTo: .approved) { ceremony in
            Self.expect(
                ceremony.begin(4, options: ["--etcd", "http://127.0.0.1:2379"]), "--etcd", "does not vote", 2)
            let call = ceremony.begin(4)
            try #require(call.code == 0, "\(call.errors)")
            #expect(call.json["quorum"].int == 2 && call.json["faulty"].int == 0)
            #expect(!FileManager.default.fileExists(atPath: ceremony.directory(4) + "/node.json"))
            #expect(try ceremony.keys(4).count == 2)
            #expect(ceremony.begin(1).code == 0)
            let warned = ceremony.assemble(out: ceremony.root.file("again"))
            #expect(warned.code == 0 && warned.errors.contains("With 3 validators no faulty one is borne"))
        }
    }

    // MARK: Asking

    @Test func aRequestThatOthersWouldRefuseIsNotMade() throws {
        try withTemporaryDirectory { (root: URL) throws in
            let ceremony = Ceremony(root: root, numbers: [1])
            let url = ["--node-url", "https://a.example"]
            for (options, field, words) in [
                ([], "--node-url", "is missing"), (["--silent"] + url, "--node-url", "does not vote"),
                (["--node-url", "http://a.example"], "--node-url", "without TLS"),
                (["--node-url", "a.example"], "--node-url", "is no URL"),
                (url + ["--replay-window", "0"], "--replay-window", "from 1 to 86400"),
            ] {
                Self.expect(ceremony.ask(1, options), field, words, 2)
            }
            let unsealed = Call(
                "init", "consortium", "request", "--dir", ceremony.directory(1), "--chain", "mall", "--number", "1",
                "--name", "x", "--node-url", "https://a.example", "--json")
            Self.expect(unsealed, "--passphrase-file", "keys are sealed under a passphrase")
            for (chain, name, field) in [
                ("two words", "x", "--chain"), ("mall", String(repeating: "商", count: 22), "--name"),
                ("mall", "", "--name"),
            ] {
                let call = Call(
                    ["init", "consortium", "request", "--dev", "--dir", ceremony.directory(1), "--chain", chain]
                        + ["--number", "1", "--name", name, "--json"] + url)
                #expect(call.code == 2 && call.error["field"].text == field, "\(call.errors)")
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: root.path) == [])
            // A URL is signed as it is written.
            #expect(ceremony.ask(1, ["--node-url", "https://a.example/"]).code == 0)
            #expect(try FoundingFile.request.read(ceremony.request(1)).node == "https://a.example")
            Self.expect(ceremony.ask(1, url), "--dir", "is not empty", 3)
        }
    }

    // MARK: Putting together

    @Test func requestsThatDoNotGoTogetherAreNamed() throws {
        try Ceremony.with { ceremony in
            let (first, others) = (ceremony.request(1), Array(ceremony.requests.prefix(3)))
            var parameters = Parameters()
            parameters.unitsPerOrganisationMax = 7
            let (ones, fours) = (try ceremony.keys(1), try ceremony.keys(4))
            let text = try String(contentsOfFile: ceremony.request(4), encoding: .utf8)
            func edited(_ from: String, _ to: String, _ name: String) throws -> String {
                try #require(text.contains(from))
                return try ceremony.root.write(name, text.replacingOccurrences(of: from, with: to))
            }
            for (file, place, words) in [
                (first, "$", "is the same request as \(first)"),
                (try ceremony.forge(4, as: "number", id: 1), "$.organisation.id", "is 1, as in \(first);"),
                (try ceremony.forge(4, as: "name", title: "商城 1"), "$.organisation.name", "as in \(first);"),
                (
                    try ceremony.forge(4, as: "key", keys: [fours[0], ones[1], fours[2]]), "$.organisation.issuingKey",
                    "as in \(first);"
                ),
                (
                    try ceremony.forge(4, as: "kind", keys: [ones[2], fours[1], fours[0]]), "$.organisation.votingKey",
                    "as in \(first) as $.organisation.governingKey;"
                ),
                (try ceremony.forge(4, as: "node", node: Ceremony.url(1)), "$.node", "as in \(first);"),
                (
                    try ceremony.forge(4, as: "chain", terms: FoundingTerms(chain: "malls")), "$.terms.chain",
                    "is \"malls\", and \"mall\" in \(first);"
                ),
                (
                    try ceremony.forge(4, as: "units", terms: FoundingTerms(chain: "mall", parameters: parameters)),
                    "$.terms.parameters.unitsPerOrganisationMax", "is 7, and 256 in \(first);"
                ),
                (
                    try ceremony.forge(4, as: "rules", terms: FoundingTerms(chain: "mall", rulesVersion: 3)),
                    "$.terms.rulesVersion", "is 3; this program knows"
                ),
                (try edited("商城 4", "商城 5", "renamed"), "$.signatures[0]", "does not hold"),
                (try edited("\"node\"", "\"nodes\"", "unknown"), "$.nodes", "is not known"),
                (try edited("\"id\": 4", "\"id\": 0", "zero"), "$.organisation.id", "numbers begin with 1"),
                (try edited("]\n}", "]", "broken"), "$", "a comma or }"),
                (try ceremony.root.write("empty", ""), "$", "the text ends"),
            ] {
                Self.expect(ceremony.assemble(others + [file]), "\(file): \(place)", words)
                #expect(!FileManager.default.fileExists(atPath: ceremony.genesis))
            }
            let missing = ceremony.assemble(others + [ceremony.root.file("none")])
            Self.expect(missing, ceremony.root.file("none"), "No such file")
            #expect(ceremony.assemble().code == 0)
            let before = try Ceremony.bytes(ceremony.genesis)
            Self.expect(ceremony.assemble(), "--out", "is there already")
            #expect(try Ceremony.bytes(ceremony.genesis) == before)
        }
    }

    @Test func aChainOfWhichNobodyVotesIsRefused() throws {
        try withTemporaryDirectory { root in
            let ceremony = Ceremony(root: root, numbers: [1])
            #expect(ceremony.ask(1, ["--silent"]).code == 0)
            Self.expect(ceremony.assemble(), "REQUEST", "none of these organisations votes")
        }
    }

    // MARK: Approving

    @Test func whatNobodyAskedForIsNotApproved() throws {
        try Ceremony.with(upTo: .assembled) { ceremony in
            let own = ceremony.directory(2)
            let before = try snapshot(own)
            let three = [1, 2, 3].map { ceremony.request($0) }
            Self.expect(
                ceremony.approve(2, three), "\(ceremony.genesis): $.organisations[3].id",
                "is 4, \"商城 4\", of which no request is given")
            Self.expect(
                ceremony.approve(2, [1, 3, 4].map { ceremony.request($0) }), "REQUEST",
                "the request of organisation 2 itself")
            let (small, larger) = (ceremony.root.file("small"), try ceremony.forge(2, as: "larger", quota: 5))
            #expect(ceremony.assemble(three, out: small).code == 0)
            Self.expect(
                ceremony.approve(2, genesis: small), "\(small): $.organisations",
                "have no organisation 4, which asks in \(ceremony.request(4))")
            Self.expect(
                ceremony.approve(2, [ceremony.request(1), larger, ceremony.request(3), ceremony.request(4)]),
                "\(larger): $.organisation.quota", "is \"5\", and \"1000000000000\" in \(own)/request.json")
            // Whoever put the genesis together had another request of 3.
            let third = try ceremony.forge(3, as: "third", quota: 5)
            let other = ceremony.root.file("other")
            #expect(
                ceremony.assemble([ceremony.request(1), ceremony.request(2), third, ceremony.request(4)], out: other)
                    .code == 0)
            Self.expect(
                ceremony.approve(2, genesis: other), "\(other): $.organisations[2].quota",
                "is \"5\", and \"1000000000000\" in \(ceremony.request(3));")
            // One that lies ahead of the clock.
            let genesis = try Genesis(canonicalBytes: Ceremony.bytes(ceremony.genesis))
            let late = Genesis(
                chain: genesis.chain, time: genesis.time + 3_600_000, orderingEpoch: genesis.orderingEpoch,
                organisations: genesis.organisations)
            let ahead = try ceremony.root.write("ahead", late.canonicalBytes)
            Self.expect(ceremony.approve(2, genesis: ahead), "\(ahead): $.time", "and this machine's clock says")
            #expect(try snapshot(own) == before)

            // Approving is the same however often; of another genesis, only after the first has gone.
            #expect(ceremony.approve(2).code == 0)
            let approved = try snapshot(own)
            #expect(ceremony.approve(2).code == 0)
            let another = ceremony.root.file("another")
            #expect(ceremony.assemble(out: another).code == 0)
            Self.expect(ceremony.approve(2, genesis: another), ceremony.approval(2), "\(genesis.hash)")
            #expect(try snapshot(own) == approved)
        }
    }

    @Test func aDirectoryWithOtherKeysApprovesNothing() throws {
        try Ceremony.with(upTo: .assembled) { ceremony in
            let (mine, theirs) = (ceremony.directory(2), ceremony.directory(3))
            try FileManager.default.removeItem(atPath: mine + "/keys/2-governing.key")
            Self.expect(ceremony.approve(2), mine + "/keys/2-governing.key", "No such file")
            try FileManager.default.copyItem(
                atPath: theirs + "/keys/3-governing.key", toPath: mine + "/keys/2-governing.key")
            Self.expect(ceremony.approve(2), mine + "/keys/2-governing.key", "not the key that")
            Self.expect(
                Call(
                    "init", "consortium", "approve", "--dir", ceremony.root.file("none"), "--genesis", ceremony.genesis,
                    ceremony.request(1), "--json"), "--dir", "there is no request.json", 3)
        }
    }

    @Test func approvingTakesThePassphrase() throws {
        try withTemporaryDirectory { root in
            let ceremony = Ceremony(root: root, numbers: [1])
            let passphrase = try root.write("passphrase", "the right one\n")
            try Call.ok(
                "init", "consortium", "request", "--dir", ceremony.directory(1), "--chain", "mall", "--number", "1",
                "--name", "x", "--node-url", Ceremony.url(1), "--passphrase-file", passphrase)
            #expect(ceremony.assemble().code == 0)
            let before = try snapshot(ceremony.directory(1))
            let governing = ceremony.directory(1) + "/keys/1-governing.key"
            Self.expect(ceremony.approve(1), governing, "no passphrase was given")
            let words = [
                "init", "consortium", "approve", "--dir", ceremony.directory(1), "--genesis", ceremony.genesis,
            ]
            let wrong = try root.write("wrong", "another\n")
            Self.expect(
                Call(words + [ceremony.request(1), "--json", "--passphrase-file", wrong]), governing,
                "does not open this key")
            #expect(try snapshot(ceremony.directory(1)) == before)
            #expect(Call(words + [ceremony.request(1), "--passphrase-file", passphrase]).code == 0)
            // Nothing secret is opened to begin.
            #expect(ceremony.begin(1).code == 0)
        }
    }

    // MARK: Beginning

    @Test func nobodyBeginsWithWhatNotAllApproved() throws {
        try Ceremony.with(upTo: .approved) { ceremony in
            let before = try snapshot(ceremony.directory(1))
            let others = [1, 2, 4].map { ceremony.approval($0) }
            let genesis = try Genesis(canonicalBytes: Ceremony.bytes(ceremony.genesis))
            func changed(_ change: (inout [GenesisOrganisation]) -> Void) -> Genesis {
                var organisations = genesis.organisations
                change(&organisations)
                return Genesis(
                    chain: genesis.chain, time: genesis.time, orderingEpoch: genesis.orderingEpoch,
                    organisations: organisations)
            }
            let stranger = SecretKey().publicKey
            let third = genesis.organisations[2]
            let other = changed {
                $0[2] = GenesisOrganisation(
                    id: third.id, name: third.name, votingKey: stranger, issuingKey: third.issuingKey,
                    governingKey: third.governingKey, quota: third.quota)
            }
            Self.expect(ceremony.begin(1, others), "APPROVAL", "no approval is given of organisation 3 (商城 3)")
            Self.expect(
                ceremony.begin(1, others + [ceremony.approval(4)]), "\(ceremony.approval(4)): $.organisation",
                "is 4, as in \(ceremony.approval(4))")
            // 3 has approved a genesis with another key of its own.
            let elsewhere = try ceremony.approve(3, other, as: "elsewhere")
            Self.expect(
                ceremony.begin(1, others + [elsewhere]),
                "\(elsewhere): $.genesis.organisations[2].votingKey",
                "is \"\(stranger)\" in what organisation 3 approved, and \"\(third.votingKey!)\" in "
                    + "\(ceremony.genesis), which organisation 1 approved")
            // The genesis itself is another than the one that this organisation approved.
            let file = try ceremony.root.write("other", other.canonicalBytes)
            Self.expect(
                ceremony.begin(1, genesis: file), "\(file): $.organisations[2].votingKey",
                "is \"\(stranger)\", and \"\(third.votingKey!)\" in the genesis that organisation 1 approved")
            // 3 looks for a node elsewhere.
            var nodes = Ceremony.nodes(genesis)
            nodes[1] = .init(organisation: OrganisationID(2), url: "https://elsewhere.example")
            let moved = try ceremony.approve(3, genesis, nodes: nodes, as: "moved")
            Self.expect(
                ceremony.begin(1, others + [moved]), "\(moved): $.nodes[1].url",
                "is \"https://elsewhere.example\" in what organisation 3 approved")
            // Somebody else has signed in the name of 3.
            let forged = FoundingApproval(
                signing: genesis, nodes: Ceremony.nodes(genesis), by: OrganisationID(3), key: SecretKey())
            let false3 = try ceremony.root.write("false", Form<FoundingApproval>.foundingApproval.write(forged).text)
            Self.expect(ceremony.begin(1, others + [false3]), "\(false3): $.signature", "is not by the governing key")
            // Options that a node would refuse, and files that are not there.
            Self.expect(
                ceremony.begin(1, options: ["--etcd", "http://10.0.0.1:1"]), "node.json: $.ordering.endpoints[0]",
                "without TLS", 2)
            Self.expect(
                ceremony.begin(1, options: ["--ca", ceremony.root.file("none")]), ceremony.root.file("none"), "No such")
            #expect(try snapshot(ceremony.directory(1)) == before)

            // Its own approval may be left out, and has to be there.
            try FileManager.default.moveItem(atPath: ceremony.approval(1), toPath: ceremony.root.file("mine"))
            let rest = [2, 3, 4].map { ceremony.approval($0) }
            Self.expect(ceremony.begin(1, rest), "--dir", "organisation 1 itself has not approved yet")
            try FileManager.default.moveItem(atPath: ceremony.root.file("mine"), toPath: ceremony.approval(1))
            #expect(ceremony.begin(1, rest).code == 0)
            let begun = try snapshot(ceremony.directory(1))
            Self.expect(ceremony.begin(1), "--dir", "has begun in")
            Self.expect(ceremony.approve(1), "--dir", "has begun in")
            #expect(try snapshot(ceremony.directory(1)) == begun)
        }
    }

    /// A beginning that was cut short is begun again.
    @Test func whatAKillLeavesBehindIsInNobodysWay() throws {
        try Ceremony.with(upTo: .approved) { ceremony in
            let home = ceremony.directory(1)
            #expect(ceremony.begin(1).code == 0)
            // As if killed before the last step, with a half made copy as well.
            try FileManager.default.removeItem(atPath: home + "/genesis")
            try FileManager.default.createDirectory(
                atPath: home + "/begin.making/nodes", withIntermediateDirectories: true)
            try Data("x".utf8).write(to: URL(fileURLWithPath: home + "/begin.making/node.json"))
            let call = ceremony.begin(1, options: ["--etcd", "https://c.example:2379"])
            #expect(call.code == 0, "\(call.errors)")
            #expect(!FileManager.default.fileExists(atPath: home + "/begin.making"))
            let setup = try NodeSetup(ChainDirectory(home, passphrase: .none))
            #expect(setup.etcd?.endpoints == ["https://c.example:2379"])
            #expect(Call("audit", home).code == 0)
        }
    }

    // MARK: One byte

    /// Every byte of the genesis, changed in turn: nobody begins with it, and what nobody asked for is not approved.
    @Test func aGenesisThatDiffersInOneByteIsRefusedWithTheField() throws {
        try Ceremony.with(silent: true, upTo: .approved) { ceremony in
            let right = try Ceremony.bytes(ceremony.genesis)
            let genesis = try Genesis(canonicalBytes: right)
            let home = try FounderDirectory(ceremony.directory(1))
            let approvals = try FoundingApprovals(ceremony.approvals, of: home)
            let founders = try Founders(ceremony.requests)
            /// Where it is refused, and why.
            func refusal(
                _ bytes: [UInt8], _ read: (GenesisFile) throws -> Genesis
            ) throws -> (place: String, reason: String)? {
                do { _ = try read(GenesisFile(path: "genesis", bytes: bytes)) } catch let error as CommandError {
                    let place = try #require(error.field)
                    try #require(place.hasPrefix("genesis: "))
                    return (String(place.dropFirst("genesis: ".count)), error.reason)
                }
                return nil
            }
            #expect(try refusal(right, approvals.checked) == nil)
            #expect(try refusal(right, founders.checked) == nil)
            var drawn = 0
            for offset in right.indices {
                let field = try #require(genesis.field(at: offset))
                for flip: UInt8 in [1, 0x80] {
                    var bytes = right
                    bytes[offset] ^= flip
                    let begun = try refusal(bytes, approvals.checked)
                    #expect(begun?.place == field, "byte \(offset): \(String(describing: begun))")
                    #expect(begun?.reason.contains("organisation 1 approved") == true)
                    let approved = try refusal(bytes, founders.checked)
                    guard let approved else {
                        // Nobody asks for these; the hash is another, and so is what would be compared by voice.
                        #expect(field == "$.time" || field == "$.orderingEpoch")
                        drawn += 1
                        continue
                    }
                    #expect(
                        approved.place == field,
                        "byte \(offset): \(String(describing: approved))")
                }
            }
            #expect(drawn > 16)
            // Too short and too long ones too.
            for count in right.indices {
                let cut = Array(right[..<count])
                #expect(try refusal(cut, approvals.checked)?.place == genesis.field(at: count))
                #expect(try refusal(cut, founders.checked) != nil)
            }
            #expect(try refusal(right + [0], approvals.checked)?.place == "$")
            #expect(try refusal(right + [0], founders.checked)?.place == "$")

            // And once through the command.
            var bytes = right
            bytes[bytes.count - 1] ^= 1
            let file = try ceremony.root.write("changed", bytes)
            let before = try snapshot(ceremony.directory(1))
            Self.expect(
                ceremony.begin(1, genesis: file), "\(file): $.organisations[3].quota", "this is another genesis")
            #expect(try snapshot(ceremony.directory(1)) == before)
        }
    }
}
