import Canonical
import Crypto
import EtcdKit
import FleetKit
import JSON
import Ledger
import ServerKit
import TestSupport
import Testing
import Wallet
import Wire

import class Foundation.FileManager

extension RunningTests {
    /// What is exchanged while a consortium works: the organisations' keys, and the program itself.
    @Suite struct UpgradeProcessesTests {
        private let all = [0, 1, 2, 3]

        private func key(_ fleet: Fleet, _ index: Int, _ file: String) throws -> SecretKey {
            try KeyFile(canonicalBytes: Fleet.bytes("\(fleet.machines[index].directory)/\(file)"))
                .open(passphrase: nil)
        }

        private func votingKey(_ fleet: Fleet, _ index: Int) throws -> SecretKey {
            try key(fleet, index, "nodes/\(index + 1)/voting.key")
        }

        /// Why a node does not take what somebody signs.
        private func refusal(_ fleet: Fleet, _ author: Author, _ operation: Operation) throws -> ResultCode? {
            let client = try fleet.client(0)
            defer { client.stop() }
            do throws(NodeClientError) {
                _ = try client.submit(client.signed(operation, by: author))
                return nil
            } catch { return error.refusal }
        }

        /// Exchanges a voting key, and waits until its node has put the new one in place.
        private func exchange(_ fleet: Fleet, _ index: Int, _ kinds: [String]) throws -> UInt64 {
            let answer = try fleet.consortium(index, ["rekey"] + kinds)
            guard let height = answer["height"]?.number else { throw Fleet.Failed("no height: \(answer.text)") }
            if kinds.contains("--voting") {
                try #require(fleet.machines[index].process).waitFor("The voting key is")
            }
            return UInt64(height)
        }

        /// Each kind of key, alone and all at once, while clients go on; the old ones open nothing any more.
        @Test func everyKindOfKeyIsExchangedUnderLoad() throws {
            try withTemporaryDirectory { root in
                let fleet = try Fleet(in: root)
                defer { fleet.end() }
                try fleet.start(all)
                try fleet.found()
                let issuing = try key(fleet, 0, "keys/1-issuing.key")
                let governing = try key(fleet, 2, "keys/3-governing.key")
                let voting = try votingKey(fleet, 1)
                let outcome = try fleet.underTraffic(seed: 1) {
                    _ = try exchange(fleet, 0, ["--issuing"])
                    _ = try exchange(fleet, 2, ["--governing"])
                    let height = try exchange(fleet, 1, ["--voting"])
                    let last = try exchange(fleet, 3, ["--voting", "--issuing", "--governing"])
                    try fleet.agree(all, at: last + 2)

                    let (one, three) = (OrganisationID(1), OrganisationID(3))
                    let open = Operation.open(
                        OpenList(
                            organisation: one, lines: [OpenLine(account: .random(), credential: SecretKey().publicKey)])
                    )
                    #expect(try refusal(fleet, Author(.organisation(one), issuing), open) == .keyNotValid)
                    let new = try key(fleet, 0, "keys/1-issuing.key")
                    #expect(try refusal(fleet, Author(.organisation(one), new), open) == nil)
                    let quota = Operation.propose(.quota(one, 5), by: three)
                    #expect(try refusal(fleet, Author(.governor(three), governing), quota) == .keyNotValid)
                    // Who has the old voting key reads no more than anybody else.
                    for (old, isKnown) in [(voting, false), (try votingKey(fleet, 1), true)] {
                        let client = try fleet.client(0, speakingFor: Identity(.validator(OrganisationID(2)), old))
                        defer { client.stop() }
                        let found = Result { () throws(NodeClientError) in try client.finals(above: height).height }
                        switch found {
                        case .success: #expect(isKnown)
                        case .failure(let error): #expect(!isKnown && error.code.rawValue == "key-not-valid")
                        }
                    }
                    // The old files are kept, and nothing waits any more.
                    let names = try FileManager.default.contentsOfDirectory(
                        atPath: fleet.machines[3].directory + "/nodes/4")
                    #expect(names.filter { $0.hasPrefix("voting.former-") }.count == 1)
                    #expect(!names.contains("voting.next.key"))
                    // A process that begins now has its new key alone.
                    fleet.kill(3)
                    try fleet.start([3])
                    try fleet.agree(all, at: fleet.height(0))
                }
                #expect(outcome.complaints.isEmpty, "\(outcome.complaints)")
                // Nobody was sent away from a node that changed its key.
                #expect(outcome.failures["node-follows"] == nil, "\(outcome.failures)")
            }
        }

        /// Four nodes of a program that knows version 1 of the rules alone, replaced one after the other; then version
        /// 2 is decided on, and the one that was left old halts where it begins, and goes on after its upgrade.
        @Test func aConsortiumIsUpgradedWhileItWorks() throws {
            try withTemporaryDirectory { root in
                let fleet = try Fleet(in: root, environment: ["LIANFEN_RULES_KNOWN": "1"])
                defer { fleet.end() }
                #expect(fleet.genesis.rulesVersion == 1)
                try fleet.start(all)
                try fleet.found()
                let outcome = try fleet.underTraffic(seed: 2) {
                    for index in [0, 1, 2] {
                        _ = try fleet.stop(index)
                        fleet.machines[index].environment = [:]
                        try fleet.start([index])
                        try fleet.agree(all, at: fleet.height((index + 1) % 4))
                    }
                    // What version 2 has is refused before it is ordered, with the way there.
                    let early = try fleet.consortiumChild(1, ["rekey", "--governing"])
                    #expect(early.wait() != 0 && early.errors.contains("rules-too-old"))
                    let proposing = try fleet.consortiumChild(0, ["propose", "--rules", "2"])
                    try #require(proposing.wait() == 0, "\(proposing.errors)")
                    #expect(proposing.errors.contains("the node of organisation 4"))
                    #expect(proposing.errors.contains("up to version 1"))
                    let answer = try JSONValue(parsing: Array(proposing.output.utf8))
                    guard case .string(let proposal)? = answer["proposal"] else { throw Fleet.Failed("no proposal") }
                    _ = try fleet.consortium(1, ["approve", proposal])
                    let decided = UInt64(try fleet.consortium(2, ["approve", proposal])["height"]?.number ?? 0)
                    // It says which version it knows, which one the chain has, and what to do.
                    let old = try #require(fleet.machines[3].process)
                    #expect(old.wait() != 0)
                    #expect(old.errors.contains("from height \(decided + 2) on the chain's rules have version 2"))
                    #expect(old.errors.contains("install a release that knows version 2"))
                    try fleet.agree([0, 1, 2], at: decided + 2)
                    // What was begun before goes on with the key that was drawn then.
                    _ = try exchange(fleet, 1, ["--governing"])
                    fleet.kill(3)
                    fleet.machines[3].environment = [:]
                    try fleet.start([3])
                    try fleet.agree(all, at: fleet.height(0))
                    _ = try exchange(fleet, 3, ["--voting"])
                    try fleet.agree(all, at: fleet.height(0) + 3)
                }
                #expect(outcome.complaints.isEmpty, "\(outcome.complaints)")
            }
        }
    }
}
