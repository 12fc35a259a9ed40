import Canonical
import Chain
import Concurrency
import Foundation
import Ledger
import Node
import Ordering
import ServerKit
import Simulation
import Storage
import Testing

/// What a node's runner makes of a board for votes.
@Suite(.ownThread) struct BoardTests {
    /// What stands at a place counts only where it can be what the place says, of everything
    /// else no node hears, and what a board fails to do is tried again.
    @Test func aRunnerTakesWhatCanBeMeantAndNothingElse() throws {
        let cast = Cast(validators: 4)
        let board = Shelf()
        let log = InProcessLog(epoch: OrderingEpoch(genesis: cast.genesis))
        let start = wallClockMilliseconds()
        let clock: @Sendable () -> UInt64 = { Cast.genesisTime + 1_000 + wallClockMilliseconds() - start }
        let signatures = SignaturePool(genesis: cast.genesisHash)
        defer { signatures.stop() }
        let runners = try (0..<4).map { index in
            let store = MemoryStore()
            let (core, effects) = try NodeCore.open(
                store: store, genesis: cast.genesis,
                configuration: .init(validator: cast.organisation(index), votingKey: cast.votingKeys[index]),
                epoch: log.epoch, logHead: 0, now: clock())
            var surroundings = NodeRunner.Surroundings()
            surroundings.clock = clock
            surroundings.board = board
            return NodeRunner(
                core, effects, blocks: BlockStore(store), ordering: log, signatures: signatures,
                surroundings: surroundings)
        }
        defer { for runner in runners { runner.stop() } }
        let deadline = Date(timeIntervalSinceNow: 120)
        while runners.contains(where: { $0.status.committed == 0 }), Date() < deadline { usleep(20_000) }
        for runner in runners {
            let certificate = try #require(try runner.blocks.certificate(above: 0))
            try certificate.verify(genesis: cast.genesisHash, set: cast.set)
            #expect(runner.status.halted == nil && runner.status.signingStopped == nil)
        }
        #expect(board.failures > 0)
    }
}

/// A board in memory that fails now and then, and shows beside each vote what it is not.
private final class Shelf: VoteBoard {
    private struct State: Sendable {
        var votes: [UInt32: [UInt64: [UInt8]]] = [:]
        var calls = 0
        var failures = 0

        mutating func call() throws(OrderingError) {
            calls += 1
            if calls % 3 == 1 {
                failures += 1
                throw .unreachable("simulated")
            }
        }
    }

    private let state = Locked(State())

    var failures: Int { state.withLock { $0.failures } }

    func put(_ votes: [PostedVote]) throws(OrderingError) {
        try state.withLock { (state) throws(OrderingError) in
            try state.call()
            for posted in votes {
                guard let vote = try? Vote(canonicalBytes: posted.bytes) else { continue }
                state.votes[vote.validator.number, default: [:]][posted.height] = posted.bytes
            }
        }
    }

    func votes(of validator: UInt32, heights: ClosedRange<UInt64>) throws(OrderingError) -> [PostedVote] {
        try state.withLock { (state) throws(OrderingError) in
            try state.call()
            let there = heights.compactMap { height in
                state.votes[validator]?[height].map { PostedVote(height: height, bytes: $0) }
            }
            let misplaced = there.map { PostedVote(height: $0.height + 1, bytes: $0.bytes) }
            let others = state.votes.filter { $0.key != validator }.flatMap { votes in
                votes.value.map { PostedVote(height: $0.key, bytes: $0.value) }
            }
            let garbage = heights.map { PostedVote(height: $0, bytes: [0xFF, UInt8(truncatingIfNeeded: $0)]) }
            // Whatever goes beyond the heights that were asked for is not looked at.
            return there + garbage + misplaced + others
        }
    }
}
