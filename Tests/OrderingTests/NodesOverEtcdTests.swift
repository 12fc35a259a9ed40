import EtcdKit
import Foundation
import Ledger
import Node
import Ordering
import OrderingEtcd
import Simulation
import Storage
import TestSupport
import Testing

extension EtcdTests {
    /// Validators with real threads over a real etcd cluster: one order for all of them, whatever the cluster suffers.
    @Suite struct NodesOverEtcdTests {
        @Test func fourNodesCertifyWhatTheyOrder() throws {
            try with { (machines) throws in
                let tally = machines.load(400)
                tally.wait(for: 400)
                #expect(tally.other == [])
                try hold(machines, tally, 400)
            }
        }

        @Test func theyGoOnWithoutAMemberOfTheCluster() throws {
            try with { (machines) throws in
                for index in 0..<3 {
                    let first = machines.load(100)
                    machines.cluster.kill(index)
                    let second = machines.load(100)
                    first.wait(for: 100)
                    second.wait(for: 100)
                    try hold(machines, first, 100)
                    try hold(machines, second, 100)
                    try machines.cluster.start(index)
                }
            }
        }

        @Test func theyWaitForAMajorityAndLoseNothing() throws {
            try with { (machines) throws in
                let first = machines.load(100)
                machines.cluster.kill(0)
                machines.cluster.kill(1)
                let second = machines.load(100)
                usleep(4_000_000)
                #expect(second.done.count < 100)
                #expect(machines.logs.contains { $0.condition.complaint != nil })
                try machines.cluster.start(1)
                first.wait(for: 100)
                second.wait(for: 100)
                try hold(machines, first, 100)
                try hold(machines, second, 100)
            }
        }

        @Test func theyGoOnBehindAMemberThatHangs() throws {
            try with { (machines) throws in
                for index in 0..<3 {
                    machines.cluster.pause(index)
                    let tally = machines.load(50)
                    tally.wait(for: 50)
                    machines.cluster.resume(index)
                    try hold(machines, tally, 50)
                }
            }
        }

        /// A node that was away while the ring went on without it has the missing blocks from its peers.
        @Test func whoWasAwayForLongCatchesUp() throws {
            try with { (machines) throws in
                machines.isolate(3)
                let tally = machines.load(200, at: [0, 1, 2])
                tally.wait(for: 200)
                #expect(tally.done.count == 200, "\(tally.other.prefix(3))")
                let floor = machines.runners[0].status.certified
                #expect(floor > machines.runners[3].status.committed)
                try machines.trim(below: floor)
                machines.reconnect(3)
                try hold(machines, tally, 200)
                #expect(machines.runners[3].status.committed >= floor)
            }
        }

        private func with(_ body: (Machines) throws -> Void) throws {
            try withTemporaryDirectory { directory in
                let machines = try Machines(in: directory)
                defer { machines.stop() }
                try machines.found()
                try body(machines)
            }
        }

        /// All were done, each stands once where its receipt says, everybody has the same, and no point came or went.
        private func hold(_ machines: Machines, _ tally: Tally, _ count: Int) throws {
            #expect(tally.done.count == count, "\(tally.other.prefix(3))")
            try machines.settled()
            for (id, place) in tally.done {
                for runner in machines.runners { #expect(try runner.blocks.place(id) == place) }
            }
            for index in machines.runners.indices {
                #expect(try machines.total(at: index) == UInt64(1_000 * machines.cast.people.count))
            }
        }
    }
}
