import Canonical
import Chain
import Crypto
import Ledger
import Testing

@Suite struct EpochChangeTests {
    static let chain = SampleChain.grown
    static let genesis = chain.genesis.hash
    static let bytes = [UInt8](repeating: 5, count: 16)

    /// What a validator says that holds a certificate and the entries up to a height, of which it voted on the first.
    static func statement(
        _ validator: UInt32, number: UInt32 = 1, bytes: [UInt8] = bytes, certified: Int = 3, last: Int = 5,
        entry: [Int: Digest] = [:], vote: ((_ position: Int) -> Vote?)? = nil, certificate: Certificate? = nil,
        genesis: Digest = genesis, seed: UInt8? = nil
    ) -> EpochStatement {
        EpochStatement(
            signing: number, bytes: bytes,
            certificate: certificate ?? (certified == 0 ? nil : chain.certificate(certified)),
            entries: (certified..<max(certified, last)).map { $0 + 1 }.map { position in
                EpochStatement.Ordered(
                    hash: entry[position] ?? chain.blocks[position].header.entry,
                    vote: vote == nil ? chain.vote(validator, height: position) : vote!(position))
            }, genesis: genesis, validator: OrganisationID(validator), key: Sample.key(seed ?? UInt8(validator)))
    }

    static func refusal(_ statements: [EpochStatement], after number: UInt32 = 0) -> EpochChange.Refusal? {
        do throws(EpochChange.Refusal) {
            _ = try EpochChange(statements).verify(after: number, genesis: genesis, sets: { _ in chain.set })
            return nil
        } catch { return error }
    }

    @Test func theRingBeginsAfterTheNewestCertificate() throws {
        let start = try EpochChange([
            Self.statement(1, certified: 0, last: 4), Self.statement(2, certified: 3, last: 3),
            Self.statement(4, certified: 2, last: 5),
        ]).verify(after: 0, genesis: Self.genesis, sets: { _ in Self.chain.set })
        #expect(start.number == 1)
        #expect(start.firstHeight == 4)
        #expect(start.certificate == Self.chain.certificate(3))
        #expect(start.entries == [4, 5].map { Self.chain.blocks[$0].header.entry })
    }

    @Test func aChainWithoutACertificateBeginsAtItsFirstEntry() throws {
        let start = try EpochChange([1, 2, 3].map { Self.statement($0, certified: 0, last: 2) })
            .verify(after: 0, genesis: Self.genesis, sets: { _ in Self.chain.set })
        #expect(start.firstHeight == 1)
        #expect(start.certificate == nil)
        #expect(start.entries.count == 2)
    }

    /// Nodes that were told of other statements must not take the ring for theirs.
    @Test func otherStatementsNameAnotherRing() throws {
        let rings = try [[1, 2, 3], [1, 2, 4], [1, 2, 3, 4]].map { validators in
            try EpochChange(validators.map { Self.statement($0) }).start().bytes
        }
        #expect(Set(rings).count == 3)
        #expect(rings.allSatisfy { $0.count == EpochStatement.bytesCount })
    }

    static let forged: [(name: String, statements: [EpochStatement], refusal: EpochChange.Refusal)] = {
        func with(_ third: EpochStatement) -> [EpochStatement] { [statement(1), statement(2), third] }
        let three = OrganisationID(3)
        let good = chain.certificate(3)
        func certificate(_ certificate: Certificate) -> [EpochStatement] {
            with(statement(3, certificate: certificate))
        }
        func vote(_ vote: @escaping (Int) -> Vote?) -> [EpochStatement] { with(statement(3, vote: vote)) }
        let few = Certificate(
            epoch: 0, height: 3, header: good.header, signatures: Array(good.signatures.prefix(2)))
        let later = Certificate(epoch: 1, height: 3, header: good.header, signatures: good.signatures)
        let other = Certificate(epoch: 0, height: 3, header: sample(1), signatures: good.signatures)
        func signed(_ epoch: UInt32, _ height: Int, by validator: UInt32 = 3, header: Digest? = nil) -> Vote {
            let block = chain.blocks[height].header
            return Vote(
                signing: header ?? block.hash, height: UInt64(height), epoch: epoch, time: block.time + 1,
                genesis: genesis, validator: OrganisationID(validator), key: Sample.key(UInt8(validator)))
        }
        return [
            ("nobody", [], .missing),
            ("two of four", [statement(1), statement(2)], .quorumMissed(height: 4, count: 2, quorum: 3)),
            ("one twice", [statement(1), statement(2), statement(2)], .statedTwice(OrganisationID(2))),
            ("out of order", [statement(1), statement(3), statement(2)], .statedTwice(OrganisationID(2))),
            ("another number", with(statement(3, number: 2)), .epochDiffers(three)),
            ("other bytes", with(statement(3, bytes: [UInt8](repeating: 6, count: 16))), .epochDiffers(three)),
            ("who is no validator", with(statement(9)), .validatorUnknown(OrganisationID(9))),
            ("another's key", with(statement(3, seed: 4)), .signatureInvalid(three)),
            ("another chain", with(statement(3, genesis: Sample.genesisOfOne.hash)), .signatureInvalid(three)),
            ("a certificate of two", certificate(few), .certificate(three, .quorumMissed)),
            ("a certificate of the new epoch", certificate(later), .certificateForeign(three)),
            ("a certificate of another header", certificate(other), .certificate(three, .signatureInvalid)),
            (
                "another entry", with(statement(3, entry: [5: sample(2)])),
                .entriesDiffer(position: 5, OrganisationID(1), three)
            ),
            ("a vote of another's", vote { signed(0, $0, by: 2) }, .voteForeign(three, position: 4)),
            ("a vote of the new epoch", vote { signed(1, $0) }, .voteForeign(three, position: 4)),
            ("a vote for another height", vote { signed(0, $0 - 1) }, .voteForeign(three, position: 4)),
            (
                "a vote with another's signature",
                vote { position in
                    let (own, other) = (signed(0, position), signed(0, position, by: 2))
                    return Vote(
                        epoch: 0, height: own.height, header: own.header, time: own.time, validator: three,
                        signature: other.signature)
                }, .voteForeign(three, position: 4)
            ),
        ]
    }()

    @Test(arguments: forged.indices)
    func refusedByName(number: Int) {
        let (name, statements, refusal) = Self.forged[number]
        #expect(Self.refusal(statements) == refusal, "\(name)")
    }

    @Test func anEpochFollowsOnTheOneBefore() {
        let statements = [1, 2, 3].map { Self.statement($0) }
        #expect(Self.refusal(statements) == nil)
        #expect(Self.refusal(statements, after: 1) == .notNext(number: 1, expected: 2))
        #expect(Self.refusal(statements, after: .max) == .notNext(number: 1, expected: 0))
        let zero = [1, 2, 3].map { Self.statement($0, number: 0, certified: 0, last: 0) }
        #expect(Self.refusal(zero) == .notNext(number: 0, expected: 1))
    }

    /// Entries may lie on both sides of a change of the validators, and those who take over may have certified more.
    @Test func whoTakesOverHasToSpeakToo() {
        let next = ValidatorSet(
            [3, 4, 5, 6].map { Validator(id: OrganisationID($0), key: Sample.key(UInt8($0)).publicKey) })
        func refusal(_ validators: [UInt32]) -> EpochChange.Refusal? {
            do throws(EpochChange.Refusal) {
                _ = try EpochChange(validators.map { Self.statement($0) }).verify(
                    after: 0, genesis: Self.genesis, sets: { $0 < 6 ? Self.chain.set : next })
                return nil
            } catch { return error }
        }
        #expect(refusal([1, 2, 3]) == .quorumMissed(height: 6, count: 1, quorum: 3))
        #expect(refusal([3, 4, 5]) == .quorumMissed(height: 4, count: 2, quorum: 3))
        #expect(refusal([2, 3, 4, 5]) == nil)
    }

    @Test func everyByteMatters() throws {
        let change = EpochChange([1, 2, 3].map { Self.statement($0) })
        let bytes = change.canonicalBytes
        #expect(try EpochChange(canonicalBytes: bytes) == change)
        for index in stride(from: 0, to: bytes.count, by: 5) {
            var altered = bytes
            altered[index] ^= 0x10
            if let decoded = try? EpochChange(canonicalBytes: altered) {
                #expect(Self.refusal(decoded.statements) != nil, "byte \(index)")
            }
        }
    }

    @Test func aStatementComesWithItsEntries() throws {
        let statement = Self.statement(1)
        let stated = StatedEntries(statement, entries: [4, 5].map { Self.chain.blocks[$0].raw })
        let bytes = stated.canonicalBytes
        #expect(bytes.count < StatedEntries.bytesMax)
        #expect(try StatedEntries(canonicalBytes: bytes) == stated)
        var altered = bytes
        altered[bytes.count - 1] ^= 1
        #expect(throws: DecodingError.self) { try StatedEntries(canonicalBytes: altered) }
        let without = StatedEntries(Self.statement(1, last: 3), entries: [])
        #expect(throws: DecodingError.self) {
            try StatedEntries(canonicalBytes: statement.canonicalBytes + without.canonicalBytes.suffix(1))
        }
    }
}
