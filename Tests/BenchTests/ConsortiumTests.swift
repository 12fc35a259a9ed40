import Foundation
import ServerKit
import TestSupport
import Testing

@testable import Bench

/// Four nodes over a real etcd cluster, on a small scale: what is timed must be the work that it says.
@Suite(.ownThread) struct ConsortiumTests {
    private func onAConsortium(_ body: (ServedConsortium) throws -> Void) throws {
        try withTemporaryDirectory { root in
            let directory = try BenchDirectory(root.appendingPathComponent("bench").path)
            let setting = Benchmark.Setting(directory: directory, runs: 1, tool: Built.path("lianfen"))
            try ServedConsortium.running(setting, holders: Self.holders, body)
        }
    }

    private static let holders = 20

    private func transfers(_ consortium: ServedConsortium, _ count: Int, run: Int) -> [[UInt8]] {
        Benchmark.signedTransfers(consortium.chain, count: count, run: run, draw: .uniform, holders: Self.holders)
            .map(HTTPLoad.submission)
    }

    private func wait(_ consortium: ServedConsortium, _ index: Int, at height: UInt64) throws {
        let deadline = Date(timeIntervalSinceNow: 60)
        while try consortium.height(index) < height, Date() < deadline { usleep(20_000) }
        #expect(try consortium.height(index) >= height)
    }

    @Test func allNodesCertifyTheirShareAndOneThatWasAwayCatchesUp() throws {
        try onAConsortium { consortium in
            let all = consortium.all
            #expect(all == [0, 1, 2, 3])
            let before = consortium.costs
            let times = try consortium.doors.send(transfers(consortium, 40, run: 1), through: all, connections: 4)
            #expect(times.nanoseconds.count == 40 && times.nanoseconds.allSatisfy { $0 > 0 })
            let spent = consortium.costs - before
            #expect(spent.nodes > 0 && spent.etcd > 0)

            // What nobody certifies must not be taken for work done.
            let spoilt = transfers(consortium, 1, run: 2).map { Array($0.dropLast()) + [$0.last! ^ 1] }
            #expect(throws: BenchError.self) {
                try consortium.doors.send(spoilt, through: [2], connections: 1)
            }

            // Away, and back: with the order at first, then with the other nodes alone.
            for round in 0..<2 {
                if round == 1 { try consortium.takeOrder(from: 3) }
                try consortium.stop(3)
                #expect(throws: (any Error).self) { try consortium.height(3) }
                try consortium.doors.send(
                    transfers(consortium, 30, run: 3 + round), through: [0, 1, 2], connections: 4, aSecond: 300)
                let height = try consortium.height(0)
                try consortium.start(3)
                try wait(consortium, 3, at: height)
            }
            let none = try consortium.doors.send(
                transfers(consortium, 5, run: 9), through: [0], connections: 1, isOver: { true })
            #expect(none.nanoseconds == [])
        }
    }

    @Test func theLoadIsSharedOutWhole() {
        let requests = (0..<10).map { [UInt8($0)] }
        let shares = (0..<3).map { Doors.share(requests, $0, of: 3) }
        #expect(shares.map(\.count) == [4, 3, 3])
        #expect(Set(shares.joined()) == Set(requests))
    }

    @Test func whereEtcdIsNotInstalledThePackageIsNamed() throws {
        try withTemporaryDirectory { root in
            let error = #expect(throws: BenchError.self) { try EtcdMembers(in: root.path, installed: "/nowhere") }
            #expect(error?.description.contains("/nowhere/etcd is missing") == true)
            #expect(error?.description.contains("Debian's package etcd-server") == true)
        }
    }
}
