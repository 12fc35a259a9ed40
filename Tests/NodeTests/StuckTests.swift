import Chain
import Crypto
import Ledger
import Node
import Ordering
import Simulation
import Storage
import Testing

/// What would leave a node, or whoever asked it, waiting for good.
@Suite("nothing waits for good") struct StuckTests {
    /// The tables of one member come late: the other members go on, it does not run away from its own disk, and it
    /// catches up.
    @Test func aSlowDiskHoldsExecutionBack() throws {
        let stage = try Stage()
        stage.found()
        let start = stage.status(3).committed
        stage.commits = { $0 != 3 }
        for number: UInt8 in 0..<60 { stage.submit(stage.earning(number, amount: 1), to: 0) }
        #expect(stage.status(0).committed == stage.log.head)
        #expect(stage.status(3).committed == start)
        #expect(stage.status(3).executed - start <= NodeCore.uncommittedMax)
        stage.commits = { _ in true }
        while stage.status(3).committed < stage.log.head {
            let before = stage.status(3).committed
            stage.writeTables(of: 3)
            stage.pass(2000)
            try #require(stage.status(3).committed > before)
        }
        #expect(try stage.balance(0, at: 3) == 60)
    }

    /// Results of signatures are kept within a bound, and an entry may have to wait for long.
    @Test func anEntryThatWaitsDoesNotLoseItsSignatures() throws {
        let stage = try Stage(opening: false)
        stage.configure = { $0.signaturesKeptMax = 16 }
        for index in 0..<4 { try stage.open(index) }
        stage.run()
        stage.found()
        stage.carries = { _, _ in false }
        for number: UInt8 in 0..<8 { stage.order(stage.entry([stage.earning(number)])) }
        #expect(stage.status(0).executed - stage.status(0).certified == NodeCore.uncertifiedMax)
        stage.order(stage.entry([stage.earning(8)]))
        for number: UInt8 in 100..<140 {
            let good = stage.earning(number)
            let bad = Transaction(body: good.body, signatures: [Signature(bytes: [UInt8](repeating: 1, count: 64))])
            let request = stage.submit(bad, to: 0)
            #expect(stage.members[0].answers[request] == .refused(.signatureInvalid))
        }
        stage.carries = { _, _ in true }
        stage.pass(20_000)
        #expect(stage.status(0).committed == stage.log.head)
        #expect(try stage.balance(0, at: 0) == 90)
    }

    @Test func whoAsksForAProofOfANodeThatStoppedIsAnswered() throws {
        let stage = try Stage()
        let (account, unit) = (stage.cast.people[0].id, stage.cast.units[0])
        // One waits for the first certificate, one comes when the node has stopped.
        stage.carries = { _, _ in false }
        stage.post(.prove(account: account, unit: unit, request: 901), to: 0)
        stage.run()
        #expect(stage.members[0].answers[901] == nil)
        stage.post(.failed(StorageError(.inputOutput, "the disk is gone", place: "the node's directory")), to: 0)
        stage.run()
        #expect(stage.members[0].answers[901] == .refused(.halted))
        stage.post(.prove(account: account, unit: unit, request: 902), to: 0)
        stage.run()
        #expect(stage.members[0].answers[902] == .refused(.halted))
    }

    @Test func whoOnlyFollowsTakesNoTransactionUp() throws {
        let stage = try Stage(opening: false)
        stage.followers = [3]
        for index in 0..<4 { try stage.open(index) }
        stage.run()
        stage.found()
        let request = stage.submit(stage.earning(1), to: 3)
        #expect(stage.members[3].answers[request] == .refused(.follower))
        #expect(stage.status(3).pooled == 0)
    }
}
