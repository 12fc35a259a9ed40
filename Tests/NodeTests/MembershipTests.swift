import Chain
import Crypto
import Ledger
import Node
import Ordering
import Simulation
import Storage
import Testing

/// Validators that come, go and are suspended while the chain runs: what is decided at a height governs from the second
/// one after it.
@Suite("membership") struct MembershipTests {
    private func ids(_ stage: Stage, _ height: UInt64, at index: Int = 0) throws -> [UInt32] {
        try BlockStore(stage.members[index].disk).set(at: height).validators.map(\.id.number)
    }

    /// The chain goes on: something is ordered at a member and certified at all of these.
    private func goesOn(_ stage: Stage, _ order: UInt8, at index: Int, for all: [Int]) throws {
        let request = stage.submit(stage.earning(order), to: index)
        if stage.members[index].answers[request] == nil { stage.pass(2_000) }
        let (receipt, place) = try #require(stage.receipt(request, at: index))
        #expect(receipt.result == .done)
        stage.pass(3_000)
        let wanted = try stage.header(place.height, at: index)
        for other in all {
            #expect(stage.members[other].halted == nil)
            #expect(stage.status(other).committed >= place.height)
            #expect(try stage.header(place.height, at: other) == wanted)
        }
    }

    private func audit(_ stage: Stage, _ index: Int) throws {
        let report = try Audit.run(stage.members[index].disk)
        #expect(report.ok, "\(String(describing: report.firstWrong))")
    }

    @Test func anApplicantFollowsIsAdmittedAndVotes() throws {
        let stage = try Stage(validators: 4, applicants: 1)
        stage.found()
        #expect(stage.status(4).committed == stage.log.head)
        #expect(stage.members[4].sent.isEmpty)
        // What is brought to it before cannot be ordered there.
        let early = stage.submit(stage.earning(1), to: 4)
        #expect(stage.members[4].answers[early] == .refused(.follower))

        let place = try stage.decide(.admit(stage.cast.application(4)), by: [0, 1, 2, 3])
        let height = place.height
        try goesOn(stage, 2, at: 0, for: [0, 1, 2, 3, 4])
        try goesOn(stage, 3, at: 1, for: [0, 1, 2, 3, 4])
        #expect(try ids(stage, height + 1) == [1, 2, 3, 4])
        #expect(try ids(stage, height + 2) == [1, 2, 3, 4, 5])
        let (last, first) = (
            try #require(try stage.header(height + 1, at: 0)), try #require(try stage.header(height + 2, at: 0))
        )
        #expect(last.validators == stage.cast.set.hash && last.nextValidators != last.validators)
        #expect(first.validators == last.nextValidators)
        // Everything before them is certified by those who were there before.
        let certificate = try #require(try BlockStore(stage.members[0].disk).certificate(height + 1))
        #expect(certificate.height == height + 1)
        try certificate.verify(genesis: stage.cast.genesisHash, set: stage.cast.set)
        #expect(stage.members[4].sent.allSatisfy { $0.height >= height + 2 } && !stage.members[4].sent.isEmpty)
        // Five voters, of which four decide: the new one stands in for one that stopped.
        stage.kill(1)
        try goesOn(stage, 4, at: 4, for: [0, 2, 3, 4])
        // It opens again as what it is now, and the one that was away comes back.
        stage.kill(4)
        try stage.open(4)
        try stage.open(1)
        stage.run()
        try goesOn(stage, 5, at: 4, for: [0, 1, 2, 3, 4])
        for index in [0, 1, 4] { try audit(stage, index) }
        for index in 0..<5 { #expect(stage.saidTwice(index) == []) }
    }

    /// Checks 2 and 4.
    @Test func check4TwoVotesOfOneValidatorSuspendIt() throws {
        let stage = try Stage()
        stage.found()
        stage.kill(3)
        let height = stage.log.head + 1
        stage.carries = { _, _ in false }
        stage.submit(stage.earning(1), to: 0)
        let real = try #require(try stage.header(height, at: 0)).hash
        for index in 0..<3 {
            stage.post(.vote(stage.vote(real, height: height, by: 3)), to: index)
            stage.post(.vote(stage.vote(SHA256.hash([1]), height: height, by: 3)), to: index)
        }
        stage.carries = { _, _ in true }
        stage.run()
        stage.pass(5_000)
        let row = try BlockStore(stage.members[0].disk).organisation(OrganisationID(4))
        #expect(row?.standing == .suspended)
        let accused = try #require(
            stage.members[0].certified.first { block in
                block.block.decoded.transactions.contains { $0.body.operations.first?.kind == "accuse" }
            }?.block.header.height)
        try goesOn(stage, 2, at: 1, for: [0, 1, 2])
        try goesOn(stage, 3, at: 2, for: [0, 1, 2])
        #expect(try ids(stage, accused + 1) == [1, 2, 3, 4] && ids(stage, accused + 2) == [1, 2, 3])
        // All who saw it brought it; it took effect once, and nobody brings it for ever.
        let brought = stage.members[0].certified.flatMap { block in
            zip(block.block.decoded.transactions, block.block.output.receipts).filter {
                $0.0.body.operations.first?.kind == "accuse"
            }.map(\.1)
        }
        #expect(brought.count == 3)
        #expect(brought.filter { $0.outcomes == [.done] }.count == 1)
        #expect(brought.filter { $0.outcomes == [.exists] }.count == 2)

        // A certificate that its signature is part of is refused from then on.
        let newest = try #require(try stage.header(stage.log.head, at: 0))
        let set = try BlockStore(stage.members[0].disk).set(at: newest.height)
        let votes = [0, 3].map { stage.vote(newest.hash, height: newest.height, by: $0) }
        let signatures = votes.map {
            Certificate.VoteSignature(validator: $0.validator, time: $0.time, signature: $0.signature)
        }
        let stale = Certificate(epoch: 0, height: newest.height, header: newest.hash, signatures: signatures)
        #expect(throws: Certificate.Refusal.signerUnknown) {
            try stale.verify(genesis: stage.cast.genesisHash, set: set)
        }
        stage.order(stage.entry([], certificate: stale))
        #expect(stage.members[1].certified.last?.block.decoded.fault != nil)

        // It comes back, follows, and votes no more; released, it votes again without a restart.
        let before = stage.members[3].sent.count
        try stage.open(3)
        stage.pass(10_000)
        #expect(stage.status(3).committed == stage.status(0).committed)
        let late = stage.submit(stage.earning(9), to: 3)
        #expect(stage.members[3].answers[late] == .refused(.follower))
        let sent = stage.members[3].sent.dropFirst(before).map(\.height)
        #expect(sent.allSatisfy { $0 < accused + 2 })
        let released = try stage.decide(.release(OrganisationID(4)), by: [0, 1])
        try goesOn(stage, 4, at: 0, for: [0, 1, 2, 3])
        try goesOn(stage, 5, at: 3, for: [0, 1, 2, 3])
        #expect(stage.members[3].sent.contains { $0.height >= released.height + 2 })
        #expect(stage.members[3].sent.allSatisfy { $0.height < accused + 2 || $0.height >= released.height + 2 })
        for index in 0..<4 { try audit(stage, index) }
    }

    @Test func whoIsSuspendedAnswersWhatWaitsAndOrdersNothing() throws {
        let stage = try Stage()
        stage.found()
        try stage.decide(.suspend(OrganisationID(2)), by: [0, 2, 3])
        try goesOn(stage, 1, at: 0, for: [0, 1, 2, 3])
        try goesOn(stage, 2, at: 2, for: [0, 1, 2, 3])
        let head = stage.log.head
        let request = stage.submit(stage.earning(3), to: 1)
        #expect(stage.members[1].answers[request] == .refused(.follower))
        #expect(stage.log.head == head)
        // An entry that it signs all the same makes an empty block.
        stage.order(stage.entry([stage.earning(4)], by: 1))
        #expect(stage.members[0].certified.last?.block.decoded.fault == .proposer)
    }

    @Test func aMemberLeaves() throws {
        let stage = try Stage()
        stage.found()
        try stage.decide(.exit(OrganisationID(4)), by: [0, 1, 2])
        for order in 1...3 as ClosedRange<UInt8> { try goesOn(stage, order, at: Int(order) % 3, for: [0, 1, 2, 3]) }
        #expect(stage.status(0).validators.count == 3 && stage.status(3).validators.count == 3)
        stage.kill(3)
        try goesOn(stage, 4, at: 0, for: [0, 1, 2])
    }

    /// Who was away over changes, and for whom the order has nothing left, has certificates of each set in turn.
    @Test func catchingUpOverChangesOfTheValidators() throws {
        let stage = try Stage(validators: 4, applicants: 2)
        stage.found()
        stage.kill(3)
        let away = stage.log.head
        // Three of four go on, but admission takes all four, whoever's node runs.
        try stage.decide(.admit(stage.cast.application(4)), by: [0, 1, 2, 3])
        for order in 1...4 as ClosedRange<UInt8> { try goesOn(stage, order, at: 0, for: [0, 1, 2, 4, 5]) }
        try stage.decide(.suspend(OrganisationID(2)), by: [0, 2, 3, 4])
        for order in 5...8 as ClosedRange<UInt8> { try goesOn(stage, order, at: 0, for: [0, 1, 2, 4, 5]) }
        try stage.decide(.admit(stage.cast.application(5)), by: [0, 2, 3, 4])
        for order in 9...12 as ClosedRange<UInt8> { try goesOn(stage, order, at: 4, for: [0, 1, 2, 4, 5]) }
        stage.log.trim(below: stage.log.head)
        #expect(away + 12 < stage.log.head)
        try stage.open(3)
        stage.run()
        stage.pass(10_000)
        #expect(stage.status(3).committed == stage.status(0).committed)
        try goesOn(stage, 13, at: 3, for: [0, 1, 2, 3, 4, 5])
        #expect(stage.status(3).validators.validators.map(\.id.number) == [1, 3, 4, 5, 6])
        try audit(stage, 3)
    }

    @Test func rulesThatThisProgramDoesNotHaveStopItBeforeTheyHold() throws {
        let stage = try Stage()
        stage.found()
        let place = try stage.decide(.rules(version: 3), by: [0, 1, 2])
        stage.submit(stage.earning(1), to: 0)
        stage.pass(20_000)
        for index in 0..<4 {
            #expect(stage.members[index].halted == .rulesVersion(3, from: place.height + 2, known: 2))
            #expect(stage.status(index).executed == place.height + 1)
        }
        // A program that has them goes on where that one stopped.
        stage.configure = { $0.rulesKnown = 1...3 }
        for index in 0..<4 {
            stage.members[index].halted = nil
            try stage.open(index)
        }
        stage.run()
        try goesOn(stage, 2, at: 1, for: [0, 1, 2, 3])
        #expect(try stage.header(stage.log.head, at: 0)?.rulesVersion == 3)
    }
}
