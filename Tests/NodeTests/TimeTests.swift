import Chain
import Crypto
import Ledger
import Node
import Ordering
import Simulation
import Storage
import Testing

/// What a node does when nothing happens, or clocks and messages are not what they should be.
@Suite("time and silence") struct TimeTests {
    @Test func aFollowerThatHearsNothingFollows() throws {
        let stage = try Stage(opening: false)
        stage.followers = [3]
        for index in 0..<4 { try stage.open(index) }
        stage.run()
        stage.wakes = { $0 != 3 }
        stage.carries = { _, to in to != 3 }
        stage.found()
        stage.submit(stage.earning(1), to: 0)
        stage.pass(10_000)
        #expect(stage.status(3).committed + 2 >= stage.status(0).committed)
        #expect(try stage.balance(0, at: 3) == 10)
        #expect(stage.members[3].sent.isEmpty)
    }

    /// Of four who hold transactions at the same moment all append, and three in vain; while that goes on, each leaves
    /// every position to whose turn it is. One who is gone holds nobody up, and nobody's transactions wait for long.
    @Test(arguments: [nil, 2])
    func whereSeveralOrderEachPositionIsLeftToWhoseTurnItIs(gone: Int?) throws {
        let stage = try Stage()
        stage.found()
        if let gone { stage.kill(gone) }
        let there = (0..<4).filter { $0 != gone }
        let (head, before) = (stage.log.head, stage.appendsInVain)
        let rounds = 40
        var heads: [UInt64] = []
        for round in 0..<rounds {
            heads.append(stage.log.head)
            for index in there {
                let number = UInt64(4 * round + index)
                stage.post(.submit(stage.earning(UInt8(number)), request: 1_000 + number), to: index)
            }
            stage.run()
            stage.pass(1)
        }
        stage.pass(1_000)
        for round in 0..<rounds {
            for index in there {
                let found = try #require(stage.receipt(1_000 + UInt64(4 * round + index), at: index))
                #expect(found.receipt.result == .done)
                let waited = found.place.height - heads[round]
                #expect(waited <= 8, "node \(index) waited for \(waited) positions in round \(round)")
            }
        }
        let positions = Int(stage.log.head - head)
        #expect(positions >= 8)
        let inVain = stage.appendsInVain - before
        #expect(inVain > 0 && inVain <= positions / 2, "\(inVain) of \(positions)")
    }

    /// Behind by more than uncertified heights may be, with no votes left to come.
    @Test func aNodeThatComesLateCatchesUp() throws {
        let stage = try Stage()
        stage.found()
        stage.kill(3)
        for order in 0..<30 as Range<UInt8> { stage.submit(stage.earning(order), to: Int(order % 3)) }
        try stage.open(3)
        stage.run()
        stage.pass(3000)
        #expect(stage.status(3).committed + 1 >= stage.status(0).committed)
        stage.pass(10_000)
        #expect(try stage.balance(0, at: 3) == 300)
    }

    @Test func aClockSetBackStopsNothing() throws {
        let stage = try Stage()
        stage.found()
        stage.pass(60_000)
        stage.now -= 50_000
        for index in 0..<4 { stage.post(.tick, to: index) }
        stage.run()
        let head = stage.log.head
        stage.pass(20_000)
        #expect(stage.log.head >= head + 3)
        let request = stage.submit(stage.earning(1, validFor: 100_000), to: 1)
        #expect(stage.receipt(request, at: 1)?.receipt.result == .done)
    }

    /// Clocks too far behind do not vote; once they are right, what was executed meanwhile is voted on.
    @Test func clocksThatWereBehindVoteLate() throws {
        let stage = try Stage()
        stage.found()
        stage.pass(200_000)
        stage.now -= 100_000
        for index in 0..<4 { stage.post(.tick, to: index) }
        stage.run()
        let request = stage.submit(stage.earning(1, validFor: 250_000), to: 1)
        #expect(stage.members[1].answers[request] == nil)
        let said = stage.members[1].sent.count
        stage.pass(30_000)
        #expect(stage.members[1].sent.count == said)
        stage.now += 100_000
        for index in 0..<4 { stage.post(.tick, to: index) }
        stage.run()
        stage.pass(2000)
        #expect(stage.receipt(request, at: 1)?.receipt.result == .done)
        for index in 0..<4 { #expect(stage.saidTwice(index) == []) }
    }

    @Test func check7AnotherOrderIsRefused() throws {
        let stage = try Stage()
        stage.found()
        stage.kill(0)
        let entries = stage.log.entries
        // The order was restored from yesterday.
        stage.log = SimulatedLog(Array(entries.dropLast()))
        try stage.open(0)
        stage.run()
        #expect(stage.members[0].halted == .logBehind(head: 2, executed: 3))
        // The order shows something else.
        stage.kill(1)
        stage.log = SimulatedLog(Array(entries.dropLast()) + [[1, 2, 3]])
        try stage.open(1)
        stage.run()
        #expect(stage.members[1].halted == .logDiffers(position: 3))
        let refused = stage.submit(stage.earning(1), to: 1)
        #expect(stage.members[1].answers[refused] == .refused(.halted))
    }

    @Test func aDirectoryOfAnotherChainIsRefused() throws {
        let stage = try Stage()
        #expect(throws: StorageError(.exists, "", place: "")) {
            _ = try NodeCore.open(
                store: stage.members[0].disk, genesis: Cast(validators: 7).genesis,
                configuration: .init(validator: stage.cast.organisation(0), votingKey: nil),
                epoch: .init(genesis: stage.cast.genesis), logHead: 0, now: stage.now)
        }
    }

    @Test func aKeyThatTheChainDoesNotListDoesNotVote() throws {
        let stage = try Stage()
        let (core, effects) = try NodeCore.open(
            store: SimulatedDisk(), genesis: stage.cast.genesis,
            configuration: .init(validator: stage.cast.organisation(0), votingKey: stage.cast.votingKeys[1]),
            epoch: .init(genesis: stage.cast.genesis), logHead: 0, now: stage.now)
        #expect(core.silence?.contains("organisation 1") == true)
        #expect(!effects.isEmpty)
    }
}
