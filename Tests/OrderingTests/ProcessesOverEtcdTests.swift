import Chain
import EtcdKit
import FleetKit
import Foundation
import HTTPClient
import JSON
import Ledger
import Node
import Ordering
import OrderingEtcd
import ServerKit
import TestSupport
import Testing
import Wallet

extension EtcdTests {
    /// The tool as it runs on several machines: a process for each organisation, an etcd cluster, TLS between all.
    @Suite struct ProcessesOverEtcdTests {
        /// Found, loaded through everybody, killed, left behind by the ring, followed: one chain for everybody.
        @Test func fourProcessesAreOneChain() throws {
            try withTemporaryDirectory { root in
                let fleet = try Fleet(in: root)
                defer { fleet.end() }
                let all = [0, 1, 2, 3]
                try fleet.start(all)
                try fleet.found()
                try fleet.transfer(40, through: all)
                try fleet.agree(all, at: fleet.height(0))

                // One dies in the middle, and comes back with what it had.
                fleet.kill(3)
                try fleet.transfer(30, through: [0, 1, 2])
                try fleet.start([3])
                try fleet.transfer(8, through: all)
                try fleet.agree(all, at: fleet.height(0))

                // One is away until the order has let go of what it lacks, which its peers have.
                let away = try fleet.stop(2)["height"]?.number ?? 0
                try fleet.transfer(30, through: [0, 1, 3])
                let floor = try fleet.height(0)
                #expect(floor > away)
                try fleet.withOrder { try $0.trim(below: floor) }
                try fleet.start([2])
                try fleet.agree(all, at: floor)
                try fleet.transfer(8, through: all)

                // Somebody follows from the genesis, without the order, once the others know the key.
                let (_, key) = try fleet.join(9)
                for index in all {
                    try fleet.change(index, "\"observers\": []", "\"observers\": [\"\(key)\"]")
                }
                for index in all { try #require(fleet.machines[index].process).waitFor("node.json again") }
                try fleet.start([4])
                try fleet.agree(all + [4], at: fleet.height(0))
                #expect(try fleet.answer(to: fleet.transfer(), at: 4)["code"] == "node-follows")
                for index in all + [4] { #expect(try fleet.total(at: index) == 8_000) }

                // What the others' nodes are, each knows.
                let last = try fleet.stop(0)
                #expect(last["alarm"] == false)
                #expect(last["lag"]?.number ?? 99 <= 1)
                guard case .array(let peers)? = last["peers"] else { throw Fleet.Failed("no peers: \(last.text)") }
                #expect(peers.count == 3)
                #expect(peers.allSatisfy { $0["answering"] == true && ($0["height"]?.number ?? 0) > 0 })
                #expect(last["ordering"]?["complaint"] == .null)
            }
        }

        /// An applicant's node follows, is admitted by all, and votes: four of five are a quorum, of which it is one.
        @Test func anApplicantBecomesAValidatorWhileAllRun() throws {
            try withTemporaryDirectory { root in
                let fleet = try Fleet(in: root)
                defer { fleet.end() }
                let all = [0, 1, 2, 3]
                try fleet.start(all)
                try fleet.found()
                let (file, key) = try fleet.apply(5)
                for index in all {
                    try fleet.change(index, "\"observers\": []", "\"observers\": [\"\(key)\"]")
                    try #require(fleet.machines[index].process).waitFor("node.json again")
                }
                try fleet.start([4])
                try fleet.agree(all + [4], at: fleet.height(0))
                let proposed = try fleet.consortium(0, ["propose", "--admit", file])
                guard case .string(let proposal)? = proposed["proposal"] else { throw Fleet.Failed(proposed.text) }
                var answer = proposed
                for index in 1...3 { answer = try fleet.consortium(index, ["approve", proposal]) }
                #expect(answer["carried"] == true, "\(answer.text)")
                let carried = UInt64(answer["height"]?.number ?? 0)
                try fleet.transfer(8, through: all)
                try fleet.agree([4], at: carried + 2)
                // Without it the others would be too few now.
                fleet.kill(3)
                try fleet.transfer(12, through: [0, 1, 2, 4])
                let height = try fleet.height(0)
                #expect(height > carried + 2)
                try fleet.start([3])
                try fleet.agree(all + [4], at: height)
                let certified = try fleet.certificate(at: height, of: 0)
                #expect(certified.signatures.count >= 4)
            }
        }

        /// A validator's disk is lost, and the order has let go of most: it begins with a snapshot that a peer hands
        /// out, takes what came after from there, and votes on.
        @Test func aValidatorOnANewDiskBeginsWithAPeersSnapshot() throws {
            try withTemporaryDirectory { root in
                let fleet = try Fleet(in: root)
                defer { fleet.end() }
                let all = [0, 1, 2, 3]
                let shelf = root.appendingPathComponent("snapshots").path
                fleet.machines[1].options = ["--snapshots", shelf]
                try fleet.start(all)
                try fleet.found()
                try fleet.transfer(24, through: all)
                fleet.kill(3)
                try FileManager.default.removeItem(atPath: fleet.machines[3].directory + "/nodes/4/db")
                let height = try fleet.snapshot(of: 1, to: shelf)
                try fleet.transfer(24, through: [0, 1, 2])
                try fleet.withOrder { try $0.trim(below: try fleet.height(0)) }

                let restored = try Fleet.run(["snapshot", "restore", "--dir", fleet.machines[3].directory, "--json"])
                #expect(try JSONValue(parsing: Array(restored.utf8))["height"]?.number == height)
                try fleet.start([3])
                try fleet.agree(all, at: fleet.height(0))
                // Without its votes the others are too few.
                fleet.kill(2)
                try fleet.transfer(12, through: [0, 1, 3])
                try fleet.start([2])
                try fleet.agree(all, at: fleet.height(0))
                for index in all { #expect(try fleet.total(at: index) == 8_000) }
            }
        }

        /// A cluster that was wiped is not taken for a new one by nodes that have executed what it held; a file that
        /// is wrong changes nothing in a running node; and too few validators raise the alarm.
        @Test func whatIsWrongIsSaidAndHurtsNobody() throws {
            try withTemporaryDirectory { root in
                let fleet = try Fleet(in: root)
                defer { fleet.end() }
                try fleet.start([0, 1, 2])
                try fleet.found()

                try fleet.change(0, "\"organisation\": 2,", "\"organisation\": 1,")
                let first = try #require(fleet.machines[0].process)
                try first.waitFor("Goes on with the setup as it was: ")
                #expect(first.errors.contains("is this node itself"))
                try fleet.change(0, "      \"organisation\": 1,", "      \"organisation\": 2,")
                try first.waitFor("node.json again")

                // A directory whose genesis differs in one byte is not opened at all.
                let genesis = fleet.machines[3].directory + "/genesis"
                var bytes = try Fleet.bytes(genesis)
                bytes[bytes.count - 1] ^= 1
                try Data(bytes).write(to: URL(fileURLWithPath: genesis))
                try fleet.launch(3)
                let foreign = try #require(fleet.machines[3].process)
                #expect(foreign.wait() != 0)
                #expect(foreign.errors.contains("genesis"), "\(foreign.errors)")
                #expect(try fleet.height(0) > 0)
                try fleet.transfer(6, through: [0, 1, 2])

                // Two of four are too few.
                fleet.kill(1)
                #expect(try fleet.answer(to: fleet.transfer(), at: 0)["height"] != nil)
                try first.waitFor("Alarm: the order has come to height")
                try fleet.start([1])
                try first.waitFor("Certificates come again")
                try fleet.transfer(6, through: [0, 1, 2])

                // Nobody founds the chain anew in a cluster that has lost it.
                for index in 0..<3 { fleet.kill(index) }
                try fleet.cluster.wipe()
                try fleet.start([0])
                try #require(fleet.machines[0].process).waitFor("cannot be used")
                #expect(try fleet.cluster.control("get", "--prefix", "/lianfen/") == "")
                #expect(try fleet.height(0) > 0)
            }
        }
    }
}

extension Fleet {
    /// Writes a snapshot beside a running node, whose directory shows its tables a second late; answers its height.
    fileprivate func snapshot(of index: Int, to shelf: String) throws -> Int128 {
        for _ in 0..<Self.snapshotTries {
            let child = try Child(["snapshot", "write", "--dir", machines[index].directory, "--out", shelf, "--json"])
            if child.wait() == 0, let height = try JSONValue(parsing: Array(child.output.utf8))["height"]?.number {
                return height
            }
            usleep(250_000)
        }
        throw Failed("no snapshot can be written of node \(index + 1)")
    }

    private static let snapshotTries = 40

    fileprivate func certificate(at height: UInt64, of index: Int) throws -> Certificate {
        let client = try client(index)
        defer { client.stop() }
        return try #require(try client.certificate(above: height - 1).value)
    }

    /// The order's cluster, as an operator looks into it.
    func withOrder<R>(_ body: (EtcdLog) throws -> R) throws -> R {
        let log = try EtcdLog(cluster.configuration(chain: genesis.chain), epoch: OrderingEpoch(genesis: genesis))
        defer { log.stop() }
        return try body(log)
    }
}
