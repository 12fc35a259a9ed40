import Canonical
import Chain
import Crypto
import Ledger
import Node
import Ordering
import Simulation
import Storage
import Testing

/// The checks of the consortium's design that concern what is executed, by their numbers there.
@Suite("execution on the chain") struct ReplayTests {
    // MARK: 10

    @Test func check10TheSameBodyAgainAnswersWithTheFirst() throws {
        let stage = try Stage()
        stage.found()
        let earning = stage.earning(1)
        let first = try #require(stage.receipt(stage.submit(earning, to: 0), at: 0))
        for index in 0..<4 {
            let again = try #require(stage.receipt(stage.submit(earning, to: index), at: index)).receipt
            #expect(again.result == .duplicate)
            #expect(again.first == first.place)
        }
        // After a restart of all, too: the window is part of the state.
        for index in 0..<4 { stage.kill(index) }
        for index in 0..<4 { try stage.open(index) }
        stage.run()
        stage.pass(10_000)
        let again = try #require(stage.receipt(stage.submit(earning, to: 3), at: 3)).receipt
        #expect(again.result == .duplicate)
        #expect(try stage.balance(0, at: 3) == 10)
    }

    @Test func check10AfterTheWindowItIsRefused() throws {
        let stage = try Stage()
        stage.found()
        let earning = stage.earning(1)
        stage.submit(earning, to: 0)
        stage.pass(90_000)
        #expect(stage.members[0].answers[stage.submit(earning, to: 0)] == .refused(.expired))
        // Ordered all the same, by one who does not look: refused in execution, and nothing moves.
        stage.order(stage.entry([earning]))
        stage.pass(1000)
        #expect(
            stage.members[1].certified.last { !$0.block.output.receipts.isEmpty }?.block.output.receipts.map(\.result)
                == [.expired])
        #expect(try stage.balance(0, at: 1) == 10)
    }

    @Test func check10OnASiblingChainItIsRefused() throws {
        let stage = try Stage()
        let sibling = try Stage(validators: 7)
        stage.found()
        sibling.found()
        let earning = stage.earning(1)
        #expect(sibling.members[0].answers[sibling.submit(earning, to: 0)] == .refused(.signatureInvalid))
        sibling.order(sibling.entry([earning]))
        #expect(sibling.members[0].certified.last?.block.output.receipts.map(\.result) == [.signatureInvalid])
    }

    @Test func check10AVoteOrEntryOfAnotherKindIsRefused() throws {
        let stage = try Stage()
        let cast = stage.cast
        // A validator's signature of a vote stands under an entry, and the other way round.
        let vote = stage.vote(.zero, height: 1, by: 0)
        var raw = stage.entry([])
        raw.replaceSubrange((raw.count - 64)..., with: vote.signature.bytes)
        stage.order(raw)
        #expect(stage.members[1].certified.last?.block.decoded.fault == .signature)
        let entrySignature = Signature(bytes: Array(stage.entry([]).suffix(64)))
        let header = try #require(try stage.header(1, at: 1)).hash
        let forged = Vote(
            epoch: 0, height: 1, header: header, time: vote.time, validator: cast.organisation(0),
            signature: entrySignature)
        #expect(!forged.verifies(genesis: cast.genesisHash, in: cast.set))
    }

    // MARK: 15

    /// Every process has another hash seed, and debug and release builds differ: the roots must not. The constant is
    /// part of the format: of a version of the rules it never changes.
    @Test func check15TheSameRootsInAnotherProcess() throws {
        let cast = Cast(validators: 4, rules: 1)
        let disk = SimulatedDisk()
        try disk.write(BlockStore.genesisBatch(cast.genesis), synced: true)
        var executor = try BlockStore(disk).executor(genesis: cast.genesis) { _ in }
        for raw in cast.corpus(seed: 15, entries: 60) {
            let decoded = executor.decode(raw)
            #expect(decoded.fault == nil)
            _ = executor.execute(
                decoded,
                signaturesVerify: { decoded.transactions[$0].signaturesVerify(genesis: cast.genesisHash) },
                header: { _ in nil }, entry: { _ in nil }, certificateVerifies: { _, _ in false })
        }
        #expect(executor.head.height == 60)
        #expect("\(executor.head.hash)" == "048cdbc820314e95f25d2436c6824c48164a957ef5b0c175a77ad1d7688f0f0a")
    }

    // MARK: 21

    @Test func check21GoodAndGarbageSignatureOfOneBody() throws {
        let stage = try Stage()
        stage.found()
        let (one, two) = (stage.earning(1), stage.earning(2))
        // Nodes see different ones first.
        stage.carries = { _, _ in true }
        let bad = stage.submit(Cast.garbled(one), to: 0)
        #expect(stage.members[0].answers[bad] == .refused(.signatureInvalid))
        #expect(stage.members[0].answers[stage.submit(Cast.garbled(two), to: 0)] == .refused(.signatureInvalid))
        stage.order(stage.entry([Cast.garbled(one), one], by: 3))
        stage.order(stage.entry([two, Cast.garbled(two)], by: 3))
        let head = stage.log.head
        #expect(try BlockStore(stage.members[2].disk).receipts(head - 1)?.map(\.result) == [.signatureInvalid, .done])
        #expect(try BlockStore(stage.members[2].disk).receipts(head)?.map(\.result) == [.done, .signatureInvalid])
        for index in 0..<4 {
            #expect(stage.status(index).committed == head)
            #expect(try stage.header(head, at: index) == stage.header(head, at: 0))
            #expect(try stage.balance(0, at: index) == 20)
            let place = try #require(try BlockStore(stage.members[index].disk).place(one.id))
            #expect(place == Place(height: head - 1, index: 1))
        }
        // The good one is still taken, and is the same transaction.
        let again = try #require(stage.receipt(stage.submit(one, to: 0), at: 0)).receipt
        #expect(again.result == .duplicate)
    }

    @Test func check21TheGarbageAtOneNodeTheGoodAtAnother() throws {
        let stage = try Stage()
        stage.found()
        let earning = stage.earning(1)
        let bad = stage.submit(Cast.garbled(earning), to: 0)
        let good = stage.submit(earning, to: 1)
        #expect(stage.members[0].answers[bad] == .refused(.signatureInvalid))
        #expect(stage.receipt(good, at: 1)?.receipt.result == .done)
        for index in 0..<4 { #expect(try stage.balance(0, at: index) == 10) }
    }

    // MARK: 23

    @Test(arguments: [1, 4]) func check23AnIdleNightKeepsTheClockFresh(_ validators: Int) throws {
        let stage = try Stage(validators: validators)
        stage.found()
        stage.pass(30_000)
        let minutes = validators == 1 ? 60 : 15
        for _ in 0..<minutes {
            stage.pass(60_000)
            let time = stage.status(0).time
            #expect(time + 30_000 > stage.now, "block time is \(stage.now - time) ms behind")
        }
        let heights = stage.log.head
        // One entry in five seconds, and no more work than that.
        #expect(heights <= UInt64(minutes * 15 + 20))
        #expect(stage.members[0].steps < minutes * 60 * 20)
        let request = stage.submit(stage.earning(1, validFor: 20_000), to: 0)
        stage.pass(1000)
        #expect(stage.receipt(request, at: 0)?.receipt.result == .done)
    }
}
