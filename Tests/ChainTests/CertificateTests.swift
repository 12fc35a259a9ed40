import Canonical
import Chain
import Crypto
import Ledger
import Testing

@Suite struct CertificateTests {
    static let chain = SampleChain.grown
    static let genesis = chain.genesis.hash
    static let good = chain.certificate(3)

    /// `good` with some of its parts exchanged.
    static func changed(
        epoch: UInt32 = 0, height: UInt64 = 3, round: UInt32 = 0, header: Digest? = nil,
        signatures: [Certificate.VoteSignature]? = nil
    ) -> Certificate {
        Certificate(
            epoch: epoch, height: height, round: round, header: header ?? good.header,
            signatures: signatures ?? good.signatures)
    }

    static func signature(_ validator: UInt32, seed: UInt8? = nil, after: UInt64 = 1) -> Certificate.VoteSignature {
        let header = chain.blocks[3].header
        let vote = Vote(
            signing: header.hash, height: 3, epoch: 0, time: header.time + after, genesis: genesis,
            validator: OrganisationID(validator), key: Sample.key(seed ?? UInt8(validator)))
        return .init(validator: vote.validator, time: vote.time, signature: vote.signature)
    }

    static let refused: [(name: String, certificate: Certificate, refusal: Certificate.Refusal)] = [
        (
            "one signer thrice, same bytes", changed(signatures: [signature(1), signature(1), signature(1)]),
            .signerTwice
        ),
        (
            "one signer twice, different bytes",
            changed(signatures: [signature(1), signature(1, after: 2), signature(2)]), .signerTwice
        ),
        (
            "one signer twice beside a quorum",
            changed(signatures: [signature(1), signature(2), signature(2), signature(3)]),
            .signerTwice
        ),
        ("out of order", changed(signatures: [signature(1), signature(4), signature(2)]), .signerTwice),
        (
            "a signer who is not listed", changed(signatures: [signature(1), signature(2), signature(5)]),
            .signerUnknown
        ),
        (
            "an organisation that does not vote, by its issuing key",
            changed(signatures: [signature(1), signature(2), signature(9, seed: Sample.issuingSeed(9))]), .signerUnknown
        ),
        (
            "a listed signer by another key", changed(signatures: [signature(1), signature(2), signature(3, seed: 4)]),
            .signatureInvalid
        ),
        (
            "a garbage signature beside a quorum",
            changed(signatures: [signature(1), signature(2), signature(3), signature(4, seed: 3)]), .signatureInvalid
        ),
        ("two of four", changed(signatures: [signature(1), signature(2)]), .quorumMissed),
        ("nobody", changed(signatures: []), .quorumMissed),
        ("another epoch", changed(epoch: 1), .signatureInvalid),
        ("another height", changed(height: 4), .signatureInvalid),
        ("another round", changed(round: 1), .signatureInvalid),
        ("another header", changed(header: sample(1)), .signatureInvalid),
        (
            "another time",
            changed(
                signatures: good.signatures.map {
                    .init(validator: $0.validator, time: $0.time + 1, signature: $0.signature)
                }), .signatureInvalid
        ),
    ]

    @Test func quorumOfDistinctValidatorsHolds() throws {
        for signers in [[1, 2, 3], [2, 3, 4], [1, 2, 3, 4]] as [[UInt32]] {
            try Self.chain.certificate(3, by: signers).verify(genesis: Self.genesis, set: Self.chain.set)
        }
    }

    @Test(arguments: refused.indices)
    func refusedByName(number: Int) {
        let (name, certificate, refusal) = Self.refused[number]
        #expect(throws: refusal, "\(name)") { try certificate.verify(genesis: Self.genesis, set: Self.chain.set) }
    }

    /// Check 1, before any key is tried: such bytes are no certificate.
    @Test func signerTwiceIsRefusedWhenItIsRead() {
        for (name, certificate, refusal) in Self.refused {
            let decoded = try? Certificate(canonicalBytes: certificate.canonicalBytes)
            let isReadable = refusal != .signerTwice && !certificate.signatures.isEmpty
            #expect((decoded == certificate) == isReadable, "\(name)")
        }
    }

    @Test func anotherChainIsRefused() {
        #expect(throws: Certificate.Refusal.signatureInvalid) {
            try Self.good.verify(genesis: Sample.genesisOfOne.hash, set: Self.chain.set)
        }
    }

    /// Check 2: the set decides, not the signature.
    @Test func check2ASignerOfAnotherSetIsRefused() {
        let without = ValidatorSet(Self.chain.set.validators.filter { $0.id.number != 2 })
        #expect(without.quorum == 2)
        #expect(throws: Certificate.Refusal.signerUnknown) { try Self.good.verify(genesis: Self.genesis, set: without) }
    }

    /// Check 3: who joins votes leaves out what does not verify.
    @Test func garbageVoteDoesNotPreventACertificate() throws {
        var votes = [1, 2, 3, 4].map { Self.chain.vote($0, height: 3) }
        votes[2] = Vote(
            epoch: 0, height: 3, header: votes[0].header, time: votes[0].time, validator: OrganisationID(3),
            signature: Signature(bytes: [UInt8](repeating: 7, count: 64)))
        let good = votes.filter { $0.verifies(genesis: Self.genesis, in: Self.chain.set) }
        #expect(good.map(\.validator.number) == [1, 2, 4])
        try Certificate(joining: good.reversed()).verify(genesis: Self.genesis, set: Self.chain.set)
    }

    @Test func alteredByteIsRefused() {
        for (flip, bytes) in byteFlips(of: Self.good.canonicalBytes).enumerated() {
            guard let changed = try? Certificate(canonicalBytes: bytes) else { continue }
            #expect(throws: Certificate.Refusal.self, "flip \(flip)") {
                try changed.verify(genesis: Self.genesis, set: Self.chain.set)
            }
        }
    }

    @Test func quorumsAreThoseOfTheRule() {
        for count in 1...100 {
            let set = ValidatorSet(
                (1...count).map { Validator(id: OrganisationID(UInt32($0)), key: Sample.key(1).publicKey) })
            #expect(set.faulty == (count - 1) / 3)
            // Any two quorums share an honest validator, and the honest ones alone make one.
            #expect(2 * set.quorum - count > set.faulty)
            #expect(2 * (set.quorum - 1) - count <= set.faulty)
            #expect(set.quorum <= count - set.faulty || count == 2)
        }
        let named = [1: 1, 2: 2, 3: 2, 4: 3, 5: 4, 6: 4, 7: 5, 10: 7]
        for (count, quorum) in named {
            let set = ValidatorSet(
                (1...count).map { Validator(id: OrganisationID(UInt32($0)), key: Sample.key(1).publicKey) })
            #expect(set.quorum == quorum, "\(count) validators")
        }
    }

    @Test func medianIsTheLowerOne() {
        for (times, median) in [
            ([5], 5), ([9, 5], 5), ([1, 9, 5], 5), ([4, 3, 2, 1], 2), ([.max, 0, 0, .max, .max], .max),
        ] as [([UInt64], UInt64)] {
            #expect(VectorTests.certificate(times: times).medianTime == median, "\(times)")
        }
        #expect(VectorTests.certificate(times: []).medianTime == 0)
    }
}
