import Canonical
import Chain
import Crypto
import Ledger
import Node
import Ordering
import Simulation
import Storage
import Testing

/// The checks of the consortium's design that concern votes, by their numbers there.
@Suite("consensus") struct ConsensusTests {
    @Test func aQuietChainAnswersAtOnce() throws {
        let stage = try Stage()
        stage.found()
        let request = stage.submit(stage.earning(1), to: 2)
        let (receipt, place) = try #require(stage.receipt(request, at: 2))
        #expect(receipt.result == .done)
        #expect(place.height == stage.log.head)
        for index in 0..<4 {
            #expect(stage.status(index).committed == stage.log.head)
            #expect(try stage.balance(0, at: index) == 10)
            #expect(stage.saidTwice(index) == [])
        }
    }

    // MARK: 1

    @Test func check1ADuplicatedSignerIsRefused() throws {
        let stage = try Stage()
        stage.found()
        let good = try #require(stage.members[0].certified.last?.certificate)
        #expect(throws: Never.self) { try good.verify(genesis: stage.cast.genesisHash, set: stage.cast.set) }
        func refusal(_ signatures: [Certificate.VoteSignature]) -> Certificate.Refusal? {
            let certificate = Certificate(
                epoch: good.epoch, height: good.height, header: good.header, signatures: signatures)
            do throws(Certificate.Refusal) {
                try certificate.verify(genesis: stage.cast.genesisHash, set: stage.cast.set)
                return nil
            } catch { return error }
        }
        let (a, b) = (good.signatures[0], good.signatures[1])
        #expect(refusal([a, a, b]) == .signerTwice)
        #expect(refusal([a, b, a]) == .signerTwice)
        // The same signer with other bytes: it signed twice, at two times.
        let again = stage.vote(good.header, height: good.height, by: 0, later: 7)
        let other = Certificate.VoteSignature(
            validator: again.validator, time: again.time, signature: again.signature)
        #expect(refusal([a, other, b]) == .signerTwice)
        #expect(refusal([a, b]) == .quorumMissed)

        // An entry that carries one makes an empty block, and the chain goes on.
        let doubled = Certificate(epoch: good.epoch, height: good.height, header: good.header, signatures: [a, a, b])
        let earning = stage.earning(1)
        stage.order(stage.entry([earning], certificate: doubled))
        #expect(stage.members[1].certified.last?.block.decoded.fault != nil)
        #expect(try stage.balance(0, at: 1) == 0)
        let request = stage.submit(earning, to: 1)
        #expect(stage.receipt(request, at: 1)?.receipt.result == .done)
    }

    @Test func check1OneSignerTwiceMakesNoQuorum() throws {
        let stage = try Stage()
        stage.carries = { _, _ in false }
        stage.submit(stage.cast.foundation(validUntil: stage.now + 60_000)[0], to: 0)
        let header = try #require(try stage.header(1, at: 0)).hash
        for later: UInt64 in 0..<5 { stage.post(.vote(stage.vote(header, height: 1, by: 1, later: later)), to: 0) }
        stage.run()
        #expect(stage.status(0).certified == 0)
        stage.post(.vote(stage.vote(header, height: 1, by: 2)), to: 0)
        stage.run()
        #expect(stage.status(0).certified == 1)
    }

    // MARK: 3

    @Test func check3AGarbageVoteDoesNotHinderACertificate() throws {
        let stage = try Stage()
        stage.carries = { _, _ in false }
        stage.submit(stage.cast.foundation(validUntil: stage.now + 60_000)[0], to: 0)
        let header = try #require(try stage.header(1, at: 0)).hash
        let good = stage.vote(header, height: 1, by: 1)
        var bytes = good.signature.bytes
        bytes[3] ^= 1
        let garbage = Vote(
            epoch: 0, height: 1, header: header, time: good.time, validator: good.validator,
            signature: Signature(bytes: bytes))
        let lie = stage.vote(.zero, height: 1, by: 3)
        for vote in [garbage, lie, good, stage.vote(header, height: 1, by: 2)] { stage.post(.vote(vote), to: 0) }
        stage.run()
        #expect(stage.status(0).certified == 1)
        #expect(stage.status(0).halted == nil)
        let certificate = try #require(stage.members[0].certified.last?.certificate)
        #expect(throws: Never.self) { try certificate.verify(genesis: stage.cast.genesisHash, set: stage.cast.set) }
        #expect(certificate.signatures.map(\.validator.number) == [1, 2, 3])
    }

    // MARK: 5

    @Test(arguments: [Stage.LockFate.unsaid, .lost])
    func check5KilledAroundTheSyncNeverSaysTwoThings(_ fate: Stage.LockFate) throws {
        let stage = try Stage()
        stage.found()
        let height = stage.log.head + 1
        stage.lockFate = { member, at in member == 0 && at == height ? fate : .done }
        stage.submit(stage.earning(1), to: 1)
        #expect(stage.members[0].core == nil)
        #expect(stage.members[0].sent.allSatisfy { $0.height < height })
        let locked = try BlockStore(stage.members[0].disk).lock(height)
        #expect((locked != nil) == (fate == .unsaid))

        stage.lockFate = { _, _ in .done }
        stage.now += 3000
        try stage.open(0)
        stage.run()
        let said = stage.members[0].sent.filter { $0.height == height }
        // Exactly the bytes that were locked; or none before, and one now.
        if let locked { #expect(said == [locked]) }
        #expect(Set(said.map(\.canonicalBytes)).count == 1)
        stage.submit(stage.earning(2), to: 0)
        // It may wait a moment for the certificate of the block before it.
        stage.pass(1000)
        for index in 0..<4 {
            #expect(stage.saidTwice(index) == [])
            #expect(stage.members[index].core!.accused.isEmpty)
            #expect(stage.status(index).validators[stage.cast.organisation(0)] != nil)
            #expect(try stage.balance(0, at: index) == 20)
            #expect(try stage.header(height, at: index) == stage.header(height, at: 1))
        }
    }

    // MARK: Many at once

    /// What waits together is one entry, and is executed and answered as what comes one by one.
    @Test func transactionsThatComeTogetherShareAnEntry() throws {
        let stage = try Stage()
        stage.found()
        let before = stage.log.head
        stage.together = true
        let orders: Range<UInt8> = 100..<140
        for order in orders { stage.post(.submit(stage.earning(order), request: 1000 + UInt64(order)), to: 0) }
        stage.run()
        stage.pass(1000)
        // The first may go alone, before the signatures of the others are known.
        #expect(stage.log.head <= before + 3)
        for order in orders {
            guard case .receipt(let receipt, _)? = stage.members[0].answers[1000 + UInt64(order)] else {
                Issue.record("order \(order): no receipt")
                continue
            }
            #expect(receipt.result == .done)
        }
        for index in 1..<4 {
            #expect(try stage.header(stage.log.head, at: index) == stage.header(stage.log.head, at: 0))
            #expect(try stage.balance(0, at: index) == stage.balance(0, at: 0))
        }
    }

    /// Few transactions wait for the certificate of the block before them, and not for ever where it does not come.
    @Test func fewTransactionsWaitForACertificateAndNotForLong() throws {
        let stage = try Stage()
        stage.found()
        stage.carries = { _, _ in false }
        stage.submit(stage.earning(1), to: 0)
        let head = stage.log.head
        stage.submit(stage.earning(2), to: 0)
        #expect(stage.log.head == head, "the block before has no certificate yet")
        stage.pass(1000)
        #expect(stage.log.head == head + 1)
        stage.carries = { _, _ in true }
        stage.pass(5000)
        #expect(try stage.balance(0, at: 0) == 20)
        stage.submit(stage.earning(3), to: 0)
        #expect(stage.log.head >= head + 2, "with nothing under way nothing waits")
    }

    // MARK: 6

    @Test func check6TheOneThatMeetsATwinStopsSigning() throws {
        let stage = try Stage()
        stage.found()
        // Somebody else with its key votes on a height that it has not reached.
        stage.post(.vote(stage.vote(.zero, height: stage.log.head + 1, by: 0)), to: 0)
        stage.run()
        #expect(stage.status(0).signingStopped != nil)
        let said = stage.members[0].sent.count
        let refused = stage.submit(stage.earning(1), to: 0)
        #expect(stage.members[0].answers[refused] == .refused(.halted))
        let request = stage.submit(stage.earning(1), to: 1)
        #expect(stage.receipt(request, at: 1)?.receipt.result == .done)
        stage.pass(30_000)
        #expect(stage.members[0].sent.count == said)
        // It follows all the same.
        #expect(stage.status(0).committed == stage.status(1).committed)
        #expect(stage.status(0).halted == nil)
    }

    /// Twins that read the same order say the same, at other times: the others count one of them, and the certificates
    /// that they order tell the second.
    @Test func check6ATwinThatSaysTheSameIsMetInACertificate() throws {
        let stage = try Stage()
        stage.found()
        stage.submit(stage.earning(1), to: 1)
        let newest = try #require(stage.members[0].certified.last?.block.header)
        let twin = stage.vote(newest.hash, height: newest.height, by: 0, later: 7)
        let votes = [1, 2].compactMap { stage.members[$0].sent.last { $0.height == newest.height } } + [twin]
        stage.order(stage.entry([], certificate: Certificate(joining: votes)))
        #expect(stage.status(0).signingStopped?.contains("another process") == true)
        for index in 1..<4 { #expect(stage.status(index).signingStopped == nil) }
        let request = stage.submit(stage.earning(2), to: 1)
        #expect(stage.receipt(request, at: 1)?.receipt.result == .done)
        #expect(stage.status(0).committed == stage.status(1).committed)
        for index in 0..<4 { #expect(stage.saidTwice(index) == []) }
    }

    @Test func check6RestoredWithoutLocksVotesOnlyAboveTheHead() throws {
        let stage = try Stage()
        stage.found()
        stage.carries = { _, _ in false }
        stage.submit(stage.earning(1), to: 1)
        let head = stage.log.head
        stage.kill(0)
        stage.members[0].disk = SimulatedDisk()
        let before = stage.members[0].sent.count
        stage.carries = { _, _ in true }
        try stage.open(0)
        stage.run()
        #expect(stage.members[0].sent.count == before)
        // What it said itself before comes back to it: that is no twin.
        for vote in stage.members[0].sent { stage.post(.vote(vote), to: 0) }
        stage.run()
        stage.pass(20_000)
        #expect(stage.status(0).signingStopped == nil)
        stage.submit(stage.earning(2), to: 2)
        #expect(stage.members[0].sent[before...].allSatisfy { $0.height > head })
        #expect(stage.members[0].sent.count > before)
        #expect(stage.saidTwice(0) == [])
        #expect(stage.status(0).committed == stage.status(1).committed)
        #expect(try stage.balance(0, at: 0) == 20)
    }

    // MARK: 13

    @Test func check13OneOfFourStoppedGoesOnTwoHalt() throws {
        let stage = try Stage()
        stage.found()
        stage.kill(3)
        let one = stage.submit(stage.earning(1), to: 0)
        #expect(stage.receipt(one, at: 0)?.receipt.result == .done)
        stage.kill(2)
        let two = stage.submit(stage.earning(2, validFor: 250_000), to: 0)
        stage.pass(120_000)
        #expect(stage.members[0].answers[two] == nil)
        #expect(stage.status(0).executed - stage.status(0).certified <= NodeCore.uncertifiedMax)
        #expect(try stage.balance(0, at: 0) == 10)
        // Waiting is no work: a few wakes a second, not thousands.
        #expect(stage.members[0].steps < 2000)
        try stage.open(2)
        stage.run()
        stage.pass(15_000)
        #expect(stage.receipt(two, at: 0)?.receipt.result == .done)
        try stage.open(3)
        stage.pass(15_000)
        for index in 0..<4 {
            #expect(try stage.balance(0, at: index) == 20)
            #expect(stage.saidTwice(index) == [])
        }
    }

    // MARK: 22

    @Test func check22TheChainGoesOnWithAnEntryThatOnlySomeLocked() throws {
        for locking in [[0], [1, 2], [0, 1, 3]] {
            let stage = try Stage()
            stage.found()
            let height = stage.log.head + 1
            stage.lockFate = { member, at in
                at < height ? .done : locking.contains(member) ? .unsaid : .lost
            }
            let earning = stage.earning(1)
            stage.submit(earning, to: locking[0])
            let raw = stage.log.entries[Int(height) - 1]
            #expect(stage.members.allSatisfy { $0.core == nil })
            // The order is what the directories hold.
            let stores = stage.members.map { BlockStore($0.disk) }
            let order = InProcessLog(
                epoch: OrderingEpoch(genesis: stage.cast.genesis),
                archives: stores.map { store in { (try? store.block($0)) ?? nil } },
                heads: try stores.map { try $0.newestBlock() })
            let range = try order.read(from: 1, max: 100, bytesMax: 1 << 30)
            stage.log = SimulatedLog(range.entries.map(\.bytes))
            #expect(stage.log.head == height)
            stage.lockFate = { _, _ in .done }
            for index in 0..<4 { try stage.open(index) }
            stage.run()
            let request = stage.submit(earning, to: 2)
            stage.pass(10_000)
            #expect(stage.log.entries[Int(height) - 1] == raw)
            let answer = try #require(stage.receipt(request, at: 2)).receipt
            #expect(answer.result == .duplicate)
            #expect(answer.first?.height == height)
            for index in 0..<4 {
                #expect(stage.status(index).certified > height)
                #expect(stage.saidTwice(index) == [])
                #expect(try stage.balance(0, at: index) == 10)
            }
        }
    }

    @Test func check22AFirstEntryThatOneLocked() throws {
        let stage = try Stage()
        stage.lockFate = { member, _ in member == 1 ? .unsaid : .lost }
        stage.submit(stage.cast.foundation(validUntil: stage.now + 60_000)[0], to: 1)
        stage.lockFate = { _, _ in .done }
        for index in 0..<4 { try stage.open(index) }
        stage.run()
        // Three have no lock and may not vote on it: the next entry carries it.
        #expect(stage.status(0).certified == 0)
        stage.pass(10_000)
        for index in 0..<4 { #expect(stage.status(index).certified >= 2) }
    }
}
