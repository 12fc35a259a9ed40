import Chain
import Crypto
import Ledger
import Node
import Simulation
import Testing

/// Votes that nobody certifies are put up beside the order too, so that a chain goes on whose nodes do not reach each
/// other.
@Suite("votes by a second way") struct VoteBoardTests {
    /// A put costs the order as much as an entry: while votes arrive there is none.
    @Test func nobodyPutsUpWhatIsCertified() throws {
        let stage = try Stage()
        stage.hasBoard = true
        stage.found()
        for number: UInt8 in 0..<20 { stage.submit(stage.earning(number), to: Int(number) % 4) }
        stage.pass(60_000)
        #expect(stage.status(0).committed == stage.log.head)
        #expect(stage.board.isEmpty)
    }

    @Test func theChainGoesOnWhereNoVoteArrives() throws {
        let stage = try Stage()
        stage.found()
        stage.carries = { _, _ in false }
        let before = stage.status(0).certified
        let request = stage.submit(stage.earning(1), to: 0)
        stage.pass(20_000)
        #expect(stage.status(0).certified == before)
        stage.hasBoard = true
        stage.pass(20_000)
        #expect(stage.receipt(request, at: 0)?.receipt.result == .done)
        for number: UInt8 in 2..<10 { stage.submit(stage.earning(number), to: Int(number) % 4) }
        stage.pass(60_000)
        let head = stage.log.head
        for index in 0..<4 { #expect(stage.status(index).committed + NodeCore.uncertifiedMax >= head) }
        #expect(try stage.header(head - 8, at: 0) == stage.header(head - 8, at: 3))
    }

    /// Some cannot be reached by votes, and only follow: they read what others put up.
    @Test func whoOnlyFollowsReadsThere() throws {
        let stage = try Stage(opening: false)
        stage.followers = [3]
        stage.hasBoard = true
        for index in 0..<4 { try stage.open(index) }
        stage.carries = { _, _ in false }
        stage.run()
        stage.pass(20_000)
        #expect(stage.status(3).certified > 0)
        #expect(stage.board[stage.cast.organisation(3)] == nil)
    }

    /// What stands there is a vote as any: one that does not hold, or names another header, counts for nothing; one
    /// under this validator's own key that it did not make says that somebody else has the key.
    @Test func nothingThereIsBelieved() throws {
        let stage = try Stage()
        stage.found()
        stage.carries = { _, _ in false }
        stage.order(stage.entry([stage.earning(1)]))
        let (height, cast) = (stage.log.head, stage.cast)
        let before = stage.status(0).certified
        func vote(_ index: Int, _ key: SecretKey, _ header: Digest = .zero) -> Vote {
            Vote(
                signing: header, height: height, epoch: 0, time: stage.now, genesis: cast.genesisHash,
                validator: cast.organisation(index), key: key)
        }
        let stranger = SecretKey()
        for index in 1..<4 { stage.board[cast.organisation(index)] = [height: vote(index, stranger)] }
        for vote in (1..<4).map({ stage.board[cast.organisation($0)]![height]! }) {
            stage.post(.vote(vote), to: 0)
        }
        stage.run()
        #expect(stage.status(0).certified == before && stage.status(0).halted == nil)
        #expect(stage.status(0).signingStopped == nil)
        // The true ones come by the same way, over the others.
        stage.hasBoard = true
        stage.pass(5_000)
        #expect(stage.status(0).certified >= height)
    }
}
