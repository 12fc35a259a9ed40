import Canonical
import Crypto
import EtcdKit
import FleetKit
import Foundation
import Ledger
import Ordering
import OrderingEtcd
import ServerKit
import TestSupport
import Testing

extension EtcdTests {
    /// Votes beside the ring: the second way for them, over a real cluster with the users that operators make.
    @Suite struct EtcdVotesTests {
        private static let chain = "mall"

        /// With users of validators 1 and 2, made as docs/machines.md says: the second has the password that it had in
        /// a cluster before, and that of the first is drawn.
        private func withUsers(_ body: (EtcdCluster, (UInt32, String) -> EtcdConfiguration) throws -> Void) throws {
            try withTemporaryDirectory { root in
                let cluster = try EtcdCluster(in: root, secured: false)
                let former = "of the cluster before"
                try "\(former)\n".write(
                    to: root.appendingPathComponent("lianfen-2.password"), atomically: true, encoding: .utf8)
                let passwords = try cluster.makeUsers(chain: Self.chain, numbers: [1, 2])
                #expect(passwords["lianfen-1"]?.count == 48 && passwords["lianfen-2"] == former)
                try body(cluster) { voter, user in
                    var configuration = cluster.configuration(chain: Self.chain, secured: false)
                    configuration.voter = voter
                    configuration.login = .init(user: user, password: passwords[user]!)
                    return configuration
                }
            }
        }

        private func with<R>(_ configuration: EtcdConfiguration, _ body: (EtcdLog) throws -> R) throws -> R {
            let log = try EtcdLog(configuration, epoch: Rings.epoch)
            defer { log.stop() }
            return try body(log)
        }

        private func posted(_ heights: ClosedRange<UInt64>, _ byte: UInt8) -> [PostedVote] {
            heights.map { PostedVote(height: $0, bytes: [byte, UInt8($0)]) }
        }

        @Test func eachPutsUpItsOwnAndNobodyElses() throws {
            try withUsers { (cluster, place) throws in
                let one = try EtcdLog(place(1, "lianfen-1"), epoch: Rings.epoch)
                let two = try EtcdLog(place(2, "lianfen-2"), epoch: Rings.epoch)
                defer {
                    one.stop()
                    two.stop()
                }
                try one.found()
                #expect(try two.votes(of: 1, heights: 1...8) == [])
                try one.put(posted(1...3, 1))
                try two.put(posted(2...2, 2))
                #expect(try two.votes(of: 1, heights: 1...8) == posted(1...3, 1))
                #expect(try one.votes(of: 2, heights: 1...8) == posted(2...2, 2))
                #expect(try two.votes(of: 1, heights: 2...2) == posted(2...2, 1))

                // What stands there already costs the cluster nothing; what is older goes with the next.
                let before = try one.lookedAtRevision()
                try one.put(posted(1...3, 1))
                #expect(try one.lookedAtRevision() == before)
                try one.put(posted(3...4, 1))
                #expect(try two.votes(of: 1, heights: 1...8) == posted(3...4, 1))

                // Under another's number the cluster lets nobody write, and says so where the node's standing is.
                try with(place(1, "lianfen-2")) { thief in
                    #expect(throws: OrderingError.self) { try thief.put(posted(3...3, 9)) }
                    let complaint = try #require(thief.condition.complaint)
                    #expect(complaint.contains("permission denied"), "\(complaint)")
                    #expect(complaint.contains("/lianfen/mall/votes/1/"), "\(complaint)")
                    // The ring it may use as any member.
                    #expect(thief.append([1], at: 1) == .appended)
                }
                #expect(try one.votes(of: 1, heights: 1...8) == posted(3...4, 1))
                #expect(one.condition.complaint == nil)

                // Trimming takes the own ones down with the ring, and not those of others.
                for position in 2...6 as ClosedRange<UInt64> { #expect(one.append([1], at: position) == .appended) }
                try one.trim(below: 4)
                #expect(try two.votes(of: 1, heights: 1...8) == posted(4...4, 1))
                #expect(try two.votes(of: 2, heights: 1...8) == posted(2...2, 2))
                #expect(try two.read(from: 4, max: 8, bytesMax: 8 << 20).entries.count == 3)

                // Somebody who is admitted later.
                let late = try cluster.makeUsers(chain: Self.chain, numbers: [7])
                var configuration = place(1, "lianfen-1")
                configuration.voter = 7
                configuration.login = .init(user: "lianfen-7", password: try #require(late["lianfen-7"]))
                try with(configuration) { seven in
                    try seven.put(posted(5...5, 7))
                    #expect(try one.votes(of: 7, heights: 5...5) == posted(5...5, 7))
                }
            }
        }

        /// Whoever may write at a place can put anything there: it is bounded, and read as nothing.
        @Test func garbageIsBounded() throws {
            try withUsers { (cluster, place) throws in
                try with(place(2, "lianfen-2")) { (log) throws in
                    try log.found()
                    try log.put([PostedVote(height: 1, bytes: [UInt8](repeating: 9, count: 1 << 20))])
                    #expect(try log.votes(of: 2, heights: 1...8) == [])
                    // The calls that follow are none the worse for it.
                    #expect(log.append([1], at: 1) == .appended && log.condition.complaint == nil)
                    try log.put(posted(2...2, 2))
                    #expect(try log.votes(of: 2, heights: 1...8) == posted(2...2, 2))
                    for key in ["3", "x", "00000000000000000004x", "000000000000000000003"] {
                        try cluster.control("put", "/lianfen/mall/votes/2/\(key)", "garbage")
                    }
                    try cluster.control("put", "/lianfen/mall/votes/2/00000000000000000003", "garbage")
                    let found = try log.votes(of: 2, heights: 1...8)
                    #expect(found == posted(2...2, 2) + [PostedVote(height: 3, bytes: Array("garbage".utf8))])
                }
            }
        }

        /// No vote of one half comes to the other over HTTP, and three of four are a quorum: they certify by what each
        /// puts up, with garbage where votes were to stand.
        @Test func processesCertifyWithoutHTTPBetweenThem() throws {
            try withTemporaryDirectory { root in
                let fleet = try Fleet(in: root)
                defer { fleet.end() }
                let all = [0, 1, 2, 3]
                for index in all {
                    let others = index < 2 ? [2, 3] : [0, 1]
                    for (port, other) in others.enumerated() {
                        try fleet.change(index, fleet.machines[other].url, "https://127.0.0.1:\(port + 1)")
                    }
                }
                let votes = "/lianfen/\(fleet.genesis.chain)/votes"
                let stranger = Vote(
                    signing: .zero, height: 2, epoch: 0, time: 1, genesis: fleet.genesis.hash,
                    validator: OrganisationID(2), key: SecretKey())
                for height in 1...8 {
                    let key = "0000000000000000000\(height)"
                    try fleet.cluster.control("put", "\(votes)/1/\(key)", String(repeating: "x", count: 100_000))
                    try fleet.cluster.control("put", "\(votes)/2/\(key)", "\(stranger.canonicalBytes)")
                }
                try fleet.start(all)
                try fleet.found(people: 4)
                try fleet.transfer(4, through: all)
                let height = try fleet.height(0)
                try fleet.agree(all, at: height)
                #expect(try fleet.total(at: 3) == 4_000)
                let standing = try fleet.cluster.control("get", "--prefix", "--keys-only", votes)
                for number in 1...4 { #expect(standing.contains("\(votes)/\(number)/"), "\(standing)") }
                // Each takes its older ones down, so that few stand there.
                #expect(standing.split(separator: "\n").count <= 4 * 2 * 8)
            }
        }
    }
}

extension EtcdLog {
    /// The cluster's counter of changes, as it is now.
    fileprivate func lookedAtRevision() throws -> UInt64 {
        _ = try read(from: 1, max: 1, bytesMax: 1)
        return revision
    }
}
