import Chain
import Crypto
import Ledger
import Node
import Simulation
import Storage
import Testing

/// Validators that exchange their voting keys while the chain runs, and chains whose rules do not have that yet.
@Suite("voting keys") struct VotingKeyTests {
    /// A stage on which a member has the key that is to take its present one's place, as the command writes it before
    /// it proposes anything.
    private func stage(_ index: Int = 1, rules: UInt32 = 2) throws -> Stage {
        let stage = try Stage(rules: rules)
        stage.found()
        stage.keyFiles[index] = [stage.cast.votingKeys[index], new(stage, index)]
        return stage
    }

    private func new(_ stage: Stage, _ index: Int) -> SecretKey { stage.cast.keys(index, generation: 1).voting }

    private func exchange(_ stage: Stage, _ index: Int = 1) throws -> UInt64 {
        try stage.decide(.keys(stage.cast.exchange(index, generation: 1)), by: [index]).height
    }

    /// Something is ordered at a member and certified at all of these. By the organisation that keeps its issuing key.
    private func goesOn(_ stage: Stage, _ order: UInt8, at index: Int, for all: [Int] = [0, 1, 2, 3]) throws {
        let request = stage.submit(stage.earning(order), to: index)
        if stage.members[index].answers[request] == nil { stage.pass(2_000) }
        let (receipt, place) = try #require(stage.receipt(request, at: index))
        #expect(receipt.result == .done)
        stage.pass(3_000)
        for other in all {
            #expect(stage.members[other].halted == nil)
            #expect(stage.status(other).committed >= place.height)
        }
    }

    private func votes(_ stage: Stage, of index: Int, by key: SecretKey) -> [UInt64] {
        stage.members[index].sent.filter { $0.verifies(genesis: stage.cast.genesisHash, key: key.publicKey) }
            .map(\.height).sorted()
    }

    @Test func aNodeGoesOnByItsNewKeyWithoutAPause() throws {
        let stage = try stage()
        let (old, new) = (stage.cast.votingKeys[1], new(stage, 1))
        let height = try exchange(stage)
        for order in 1...4 as ClosedRange<UInt8> { try goesOn(stage, order, at: 1) }
        // Each height by the key that is listed there, and none left out.
        #expect(votes(stage, of: 1, by: old).last == height + 1)
        let newer = Set(votes(stage, of: 1, by: new)).sorted()
        #expect(newer == Array(height + 2...stage.log.head))
        #expect(stage.saidTwice(1) == [] && stage.members[1].core?.silence == nil)
        // The exchange is certified by those who voted before it, as any change of the validators is.
        let certificate = try #require(try BlockStore(stage.members[0].disk).certificate(height + 1))
        try certificate.verify(genesis: stage.cast.genesisHash, set: stage.cast.set)
        // Once that is so the old key is of no more use: another process does without.
        #expect(stage.members[1].held == [old.publicKey, new.publicKey])
        stage.kill(1)
        stage.keyFiles[1] = [new]
        try stage.open(1)
        stage.run()
        try goesOn(stage, 5, at: 1)
        for index in 0..<4 {
            let report = try Audit.run(stage.members[index].disk)
            #expect(report.ok, "\(String(describing: report.firstWrong))")
        }
    }

    @Test func aKeyThatComesLateVotesFromThenOn() throws {
        let stage = try stage()
        stage.findsKeys = { _ in false }
        let height = try exchange(stage)
        for order in 1...3 as ClosedRange<UInt8> { try goesOn(stage, order, at: 0) }
        #expect(stage.members[1].sent.allSatisfy { $0.height < height + 2 })
        #expect(stage.members[1].core?.silence?.contains("\(new(stage, 1).publicKey)") == true)
        stage.pass(5_000)
        let refused = stage.submit(stage.earning(9), to: 1)
        #expect(stage.members[1].answers[refused] == .refused(.follower))
        stage.findsKeys = { _ in true }
        stage.pass(1_000)
        try goesOn(stage, 4, at: 1)
        #expect(!votes(stage, of: 1, by: new(stage, 1)).isEmpty)
        #expect(stage.saidTwice(1) == [])
    }

    /// Whoever has found an old key can do nothing with it: what it signs for later heights counts for nobody, however
    /// early it comes.
    @Test func anEarlyVoteByTheOldKeyDoesNotCount() throws {
        let stage = try stage()
        // One hears nothing of the order while the others go on.
        stage.wakes = { $0 != 3 }
        stage.carries = { _, to in to != 3 }
        let height = try exchange(stage)
        for order in 1...2 as ClosedRange<UInt8> { try goesOn(stage, order, at: 0, for: [0, 1, 2]) }
        let late = height + 2
        let header = try #require(try stage.header(late, at: 0)).hash
        stage.kill(3)
        stage.finals = { _, _ in [] }
        let behind = stage.members[3]
        try stage.open(3)
        for index in [0, 1] { stage.post(.vote(stage.vote(header, height: late, by: index)), to: 3) }
        stage.run()
        let status = try #require(behind.core?.status)
        #expect(status.executed >= late)
        // With the old key's vote it would have had a quorum of its own, and a certificate that nobody takes.
        for certificate in behind.certified.map(\.certificate) where certificate.height >= late {
            let set = try BlockStore(stage.members[0].disk).set(at: certificate.height)
            try certificate.verify(genesis: stage.cast.genesisHash, set: set)
        }
        stage.wakes = { _ in true }
        stage.carries = { _, _ in true }
        stage.pass(5_000)
        try goesOn(stage, 3, at: 3)
    }

    /// Nobody escapes by an exchange.
    @Test func twoVotesByTheKeyBeforeSuspendItsOwner() throws {
        let stage = try stage(3)
        stage.kill(3)
        let height = stage.log.head + 1
        try goesOn(stage, 1, at: 0, for: [0, 1, 2])
        let real = try #require(try stage.header(height, at: 0)).hash
        _ = try exchange(stage, 3)
        let votes = [real, SHA256.hash([1])].map { stage.vote($0, height: height, by: 3) }
        let evidence = try #require(Evidence(votes[0], votes[1], key: stage.cast.votingKeys[3].publicKey))
        let accusation = stage.cast.issue(
            0, nonce: 77, validUntil: stage.now + 60_000, [.accuse(evidence)])
        stage.submit(accusation, to: 0)
        stage.pass(3_000)
        #expect(try BlockStore(stage.members[0].disk).organisation(OrganisationID(4))?.standing == .suspended)
    }

    // MARK: Rules that do not have it

    /// To a chain of version 1 an exchange is what it was to programs that knew that version alone: bytes that do not
    /// decode, in whichever company.
    @Test func inVersion1AnExchangeMakesItsEntryAnEmptyBlock() throws {
        let stage = try stage(rules: 1)
        try goesOn(stage, 1, at: 0)
        let parent = try #require(try stage.header(stage.log.head, at: 0))
        let exchange = stage.cast.govern(
            1, nonce: 5, validUntil: stage.now + 60_000,
            .propose(.keys(stage.cast.exchange(1, generation: 1)), by: stage.cast.organisation(1)))
        // It is refused before it is ordered, and says why.
        let request = stage.submit(exchange, to: 1)
        #expect(stage.members[1].answers[request] == .refused(.rulesVersion(needed: 2, holds: 1)))
        #expect(stage.log.head == parent.height)
        // Ordered all the same, it takes with it what stands beside it, and the certificate that the entry carries.
        let certificate = try BlockStore(stage.members[0].disk).certificate(parent.height)
        stage.order(stage.entry([stage.earning(2), exchange], certificate: certificate))
        stage.pass(3_000)
        let header = try #require(try stage.header(parent.height + 1, at: 0))
        // On the same chain some bytes of no meaning stand there instead.
        let other = try self.stage(rules: 1)
        try goesOn(other, 1, at: 0)
        other.order([1, 2, 3])
        other.pass(3_000)
        let garbage = try #require(try other.header(parent.height + 1, at: 0))
        #expect(garbage.parent == parent.hash && garbage.certificate == .zero && garbage.time == parent.time + 1)
        let malformed = Header(
            height: garbage.height, parent: garbage.parent, entry: header.entry, transactions: garbage.transactions,
            receipts: garbage.receipts, state: garbage.state, validators: garbage.validators,
            nextValidators: garbage.nextValidators, rulesVersion: 1, time: garbage.time, certificate: .zero)
        #expect(header == malformed && header.entry == Entry.hash(raw: stage.log.entries[Int(parent.height)]))
        #expect(
            try BlockStore(stage.members[0].disk).contents(header.height, genesis: stage.cast.genesis)?
                .transactions.isEmpty == true)
        // Decided on, version 2 has it from the second height after that on, and not before.
        let decided = try stage.decide(.rules(version: 2), by: [0, 2, 3]).height
        stage.order(stage.entry([exchange]))
        #expect(try stage.header(decided + 1, at: 0)?.transactions == malformed.transactions)
        let place = try stage.decide(.keys(stage.cast.exchange(1, generation: 1)), by: [1])
        #expect(place.height == decided + 2)
        for order in 3...5 as ClosedRange<UInt8> { try goesOn(stage, order, at: 1) }
        for index in 0..<4 { #expect(try Audit.run(stage.members[index].disk).ok) }
    }

    /// A program that knows version 1 alone stops where version 2 begins, and its directory goes on under another.
    @Test func whoKnowsVersion1AloneGoesOnAfterItsUpgrade() throws {
        let stage = try Stage(opening: false, rules: 1)
        for index in 0..<4 {
            stage.configure = { $0.rulesKnown = index == 3 ? 1...1 : 1...2 }
            try stage.open(index)
        }
        stage.run()
        stage.found()
        let decided = try stage.decide(.rules(version: 2), by: [0, 1, 2]).height
        for order in 1...3 as ClosedRange<UInt8> { try goesOn(stage, order, at: 0, for: [0, 1, 2]) }
        let halt = try #require(stage.members[3].halted)
        #expect(halt == .rulesVersion(2, from: decided + 2, known: 1))
        #expect(halt.description.contains("up to version 1") && halt.chinese?.contains("第 2 版") == true)
        stage.members[3].halted = nil
        stage.configure = { $0.rulesKnown = 1...2 }
        try stage.open(3)
        stage.run()
        stage.pass(3_000)
        try goesOn(stage, 4, at: 3)
    }
}
