import Chain
import Crypto
import Ledger
import TestSupport
import Testing

/// Random consortia that lose their ring: whatever a quorum says, with every liar that is tolerated among them, no
/// certified entry is lost.
@Suite struct EpochPropertyTests {
    /// How far each validator has come when the ring is lost, and who certified what.
    private struct Consortium {
        let set: ValidatorSet
        let keys: [SecretKey]
        let liars: Set<Int>
        /// Entries of the lost ring; the hash of a position's header is the entry's, since nothing depends on it here.
        let ring: [Digest]
        /// The highest position that each has stored and voted on.
        let reached: [Int]
        /// The newest certificate that each knows of.
        let certified: [Int]
        /// The highest position on which a quorum has voted, whether or not anybody knows.
        let final: Int
        static let genesis = sample(9)

        init(using random: inout SeededGenerator) {
            let count = Int.random(in: 1...7, using: &random)
            keys = (0..<count).map { Sample.key(UInt8($0 + 1)) }
            let set = ValidatorSet(
                keys.enumerated().map { Validator(id: OrganisationID(UInt32($0 + 1)), key: $1.publicKey) })
            self.set = set
            liars = Set((0..<count).shuffled(using: &random).prefix(set.faulty))
            let length = Int.random(in: 0...10, using: &random)
            ring = (0..<length).map { sample(20 + $0) }
            // Nobody runs more than eight positions ahead of what he knows to be certified.
            let wished = (0..<count).map { _ in Int.random(in: 0...length, using: &random) }
            func agreed(_ reached: [Int]) -> Int { reached.sorted(by: >)[set.quorum - 1] }
            let bound = agreed(wished) + FinalBlocks.countMax
            let reached = wished.map { min($0, bound) }
            self.reached = reached
            final = agreed(reached)
            let known = agreed(reached)
            certified = reached.map { reached in
                let low = max(0, reached - FinalBlocks.countMax)
                return Int.random(in: min(low, known)...min(reached, known), using: &random)
            }
        }

        func vote(_ index: Int, _ position: Int) -> Vote {
            Vote(
                signing: ring[position - 1], height: UInt64(position), epoch: 0, time: UInt64(position),
                genesis: Self.genesis, validator: set.validators[index].id, key: keys[index])
        }

        func certificate(_ position: Int) -> Certificate? {
            guard position > 0 else { return nil }
            let voters = set.validators.indices.filter { reached[$0] >= position }.prefix(set.quorum)
            return Certificate(joining: voters.map { vote($0, position) })
        }

        func statement(_ index: Int, certified: Int, _ entries: [EpochStatement.Ordered]) -> EpochStatement {
            EpochStatement(
                signing: 1, bytes: [UInt8](repeating: 3, count: 16), certificate: certificate(certified),
                entries: entries, genesis: Self.genesis, validator: set.validators[index].id, key: keys[index])
        }

        func honest(_ index: Int) -> EpochStatement {
            statement(
                index, certified: certified[index],
                (certified[index]..<max(certified[index], reached[index])).map { position in
                    .init(hash: ring[position], vote: vote(index, position + 1))
                })
        }

        /// Hides what it knows, or names entries that never were.
        func lie(_ index: Int, using random: inout SeededGenerator) -> EpochStatement {
            let certified = Int.random(in: 0...certified[index], using: &random)
            let honest = Int.random(
                in: 0...min(FinalBlocks.countMax, max(0, reached[index] - certified)), using: &random)
            let invented = Int.random(in: 0...FinalBlocks.countMax - honest, using: &random) / 3
            return statement(
                index, certified: certified,
                (0..<honest).map { .init(hash: ring[certified + $0], vote: nil) }
                    + (0..<invented).map { .init(hash: sample(100 + $0), vote: nil) })
        }

        func start(_ statements: [EpochStatement]) -> EpochChange.Start? {
            let ordered = EpochChange(statements.sorted { $0.validator < $1.validator })
            return try? ordered.verify(after: 0, genesis: Self.genesis, sets: { _ in set })
        }

        /// Whether a ring that begins so holds, or stands on, everything that is certified.
        func keeps(_ start: EpochChange.Start) -> Bool {
            let first = Int(start.firstHeight)
            return final < first
                || final < first + start.entries.count
                    && (first...final).allSatisfy { start.entries[$0 - first] == ring[$0 - 1] }
        }
    }

    @Test(arguments: 0..<400)
    func noCertifiedEntryIsLost(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let consortium = Consortium(using: &random)
        let all = consortium.set.validators.indices
        let statements = all.map { index in
            consortium.liars.contains(index) ? consortium.lie(index, using: &random) : consortium.honest(index)
        }
        var starts: [EpochChange.Start] = []
        for _ in 0..<6 {
            let count = Int.random(in: consortium.set.quorum...all.count, using: &random)
            let some = all.shuffled(using: &random).prefix(count)
            guard let start = consortium.start(some.map { statements[$0] }) else {
                // Only a lie keeps the chain from going on.
                #expect(some.contains { consortium.liars.contains($0) }, "seed \(seed)")
                continue
            }
            #expect(consortium.keeps(start), "seed \(seed)")
            if !some.contains(where: { consortium.liars.contains($0) }) { starts.append(start) }
        }
        // Whichever honest quorums speak, one begins with what the other does, as far as both go.
        for (one, other) in zip(starts, starts.dropFirst()) {
            for (index, entry) in one.entries.enumerated() {
                let there = Int(one.firstHeight) + index - Int(other.firstHeight)
                if other.entries.indices.contains(there) { #expect(other.entries[there] == entry, "seed \(seed)") }
            }
        }
        // The honest ones alone can always go on, where they are a quorum.
        let honest = all.filter { !consortium.liars.contains($0) }
        if honest.count >= consortium.set.quorum {
            let start = try #require(consortium.start(honest.map { statements[$0] }), "seed \(seed)")
            #expect(consortium.keeps(start), "seed \(seed)")
        }
    }

    /// The property is not empty: with one signer fewer than a quorum, seeds are found that lose a certified entry.
    @Test func fewerThanAQuorumWouldLoseSome() {
        let lost = (0..<400).filter { seed in
            var random = SeededGenerator(seed: UInt64(seed))
            let consortium = Consortium(using: &random)
            let few = consortium.set.validators.indices.shuffled(using: &random).prefix(consortium.set.quorum - 1)
            let statements = few.map { index in
                consortium.liars.contains(index) ? consortium.lie(index, using: &random) : consortium.honest(index)
            }.sorted { $0.validator < $1.validator }
            return (try? EpochChange(statements).start()).map { !consortium.keeps($0) } ?? false
        }
        #expect(!lost.isEmpty)
    }
}
