import Canonical
import Chain
import Crypto
import Ledger
import Testing

@Suite struct LightClientTests {
    typealias C = LightChain

    /// From the genesis over every change, with what lies between: one by one, by links, and by leaps.
    static let way: [LightStep] = [
        C.step(3), C.step(5), C.step(8, from: 6), C.step(9), C.step(10), C.step(11), C.step(25), C.step(30, from: 26),
        C.step(31),
        C.step(39, from: 33, epoch: 1),
    ]

    /// A client that has taken up so many steps of the way.
    static func client(after steps: Int) -> LightClient {
        var client = LightClient(C.genesis)
        for step in way.prefix(steps) { try! client.advance(to: step) }
        return client
    }

    /// What is forged, after which steps of the way it is shown, and why it is refused.
    static let forgeries: [(name: String, after: Int, step: LightStep, refusal: LightClient.Refusal)] = {
        func certified(
            _ header: Header, by height: Int? = nil, set: ValidatorSet? = nil, epoch: UInt32 = 0, signers: Int? = nil
        ) -> LightStep {
            LightStep(
                [header], certificate: C.certificate(of: header, by: height, epoch: epoch, signers: signers), set: set)
        }
        let (announcing, first) = (C.headers[5], C.headers[6])
        let (old, new) = (C.validators(5), C.validators(6))
        let good = C.certificate(of: C.headers[4])
        func changed(
            epoch: UInt32 = 0, height: UInt64 = 4, round: UInt32 = 0, header: Digest = good.header,
            signatures: [Certificate.VoteSignature] = good.signatures, of headers: [Header] = [C.headers[4]]
        ) -> LightStep {
            LightStep(
                headers,
                certificate: Certificate(
                    epoch: epoch, height: height, round: round, header: header, signatures: signatures))
        }
        let own = C.set([(1, 91), (2, 92), (3, 93), (4, 94)])
        let ownHeader = C.headers[4].with(nextValidators: own.hash)
        let ownChild = C.headers[5].with(parent: ownHeader.hash, validators: own.hash, nextValidators: own.hash)
        let kept = first.with(validators: old.hash, nextValidators: old.hash)
        let late = C.headers[4].with(time: C.headers[3].time)
        let early = C.headers[8].with(time: C.headers[3].time + 4)
        let otherParent = C.headers[4].with(parent: sample(1))
        let quiet = announcing.with(nextValidators: old.hash)
        let otherChain = C.certificate(of: C.headers[4], chain: Sample.genesisOfOne.hash)
        return [
            // Who signs.
            ("signed by the former set after the change", 2, certified(first, by: 5), .certificate(.signerUnknown)),
            (
                "a former set that was smaller", 4, certified(C.headers[10], by: 9, set: C.validators(11)),
                .certificate(.quorumMissed)
            ),
            (
                "signed with a key that was exchanged", 5, certified(C.headers[11], by: 10),
                .certificate(.signatureInvalid)
            ),
            (
                "an exchange of a key that the new key certifies", 4,
                certified(C.headers[10], by: 11, set: C.validators(11)), .certificate(.signatureInvalid)
            ),
            (
                "signed by the next set before the change", 1, certified(announcing, by: 6, set: new),
                .certificate(.signerUnknown)
            ),
            (
                "a signer twice", 1, changed(signatures: [good.signatures[0], good.signatures[0], good.signatures[1]]),
                .certificate(.signerTwice)
            ),
            ("too few", 1, certified(C.headers[4], signers: 2), .certificate(.quorumMissed)),
            ("nobody", 1, changed(signatures: []), .certificate(.quorumMissed)),
            // What is signed.
            ("another genesis", 1, LightStep([C.headers[4]], certificate: otherChain), .certificate(.signatureInvalid)),
            ("another epoch than was signed", 1, changed(epoch: 1), .certificate(.signatureInvalid)),
            ("another round than was signed", 1, changed(round: 1), .certificate(.signatureInvalid)),
            ("another height than was signed", 1, changed(height: 5), .step(.certificateForeign)),
            ("another header than was signed", 1, changed(of: [otherParent]), .step(.certificateForeign)),
            (
                "another header named than was signed", 1, changed(header: late.hash, of: [late]),
                .step(.timeBack)
            ),
            (
                "another header put in place of the signed one", 1,
                changed(header: quiet.with(receipts: sample(3)).hash, of: [quiet.with(receipts: sample(3))]),
                .step(.certificateForeign)
            ),
            (
                "signatures of another header", 1,
                LightStep(
                    [announcing],
                    certificate: Certificate(
                        epoch: 0, height: 5, header: announcing.hash, signatures: good.signatures), set: new),
                .certificate(.signatureInvalid)
            ),
            // Which set.
            (
                "another set than was announced", 1, certified(announcing, set: C.validators(10)), .step(.setForeign)
            ),
            ("an announced set that is not shown", 1, certified(announcing), .step(.setMissing)),
            ("a set that nobody announced", 1, certified(C.headers[4], set: new), .step(.setForeign)),
            (
                "validators of one's own in a signed header", 1, certified(ownHeader, by: 4), .step(.setMissing)
            ),
            (
                "a change that rests on those who come", 1,
                LightStep(Array(C.headers[4...7]), certificate: C.certificate(of: C.headers[7])),
                .step(.changeUncertified)
            ),
            (
                "a change to keys of one's own, which then sign", 1,
                LightStep(
                    [ownHeader, ownChild],
                    certificate: Certificate(
                        joining: [91, 92, 93].map {
                            Vote(
                                signing: ownChild.hash, height: 5, epoch: 0, time: ownChild.time,
                                genesis: C.genesis.hash, validator: OrganisationID($0 - 90), key: Sample.key(UInt8($0)))
                        }), set: nil), .step(.changeUncertified)
            ),
            ("a fork that keeps the former set", 2, certified(kept, by: 5), .step(.validatorsForeign)),
            (
                "the new set before it was announced", 1, certified(C.headers[4].with(validators: new.hash), by: 6),
                .step(.validatorsForeign)
            ),
            ("a leap over a change", 1, certified(C.headers[8]), .step(.changeUnseen)),
            ("a leap over two changes", 2, certified(C.headers[12]), .step(.changeUnseen)),
            (
                "a header that announces the set it has", 3, certified(C.headers[9], set: C.validators(9)),
                .step(.setForeign)
            ),
            // Where.
            ("the same height again", 1, certified(C.headers[3]), .step(.heightNotAbove)),
            ("a height below", 3, certified(C.headers[7]), .step(.heightNotAbove)),
            ("headers that begin below", 3, C.step(9, from: 8), .step(.heightNotAbove)),
            ("another parent", 1, certified(otherParent), .step(.parentForeign)),
            (
                "a header left out", 2,
                LightStep([C.headers[6], C.headers[8]], certificate: C.certificate(of: C.headers[8])),
                .step(.headersBroken)
            ),
            (
                "headers the other way round", 2,
                LightStep([C.headers[7], C.headers[6]], certificate: C.certificate(of: C.headers[6])),
                .step(.headersBroken)
            ),
            (
                "a height after which there is none", 2,
                LightStep(
                    [C.headers[6].with(height: .max), C.headers[7]], certificate: C.certificate(of: C.headers[7])),
                .step(.headersBroken)
            ),
            (
                "headers beyond the certified one", 2,
                LightStep(Array(C.headers[6...8]), certificate: C.certificate(of: C.headers[7])),
                .step(.certificateForeign)
            ),
            ("more headers than a quorum runs ahead", 6, C.step(25, from: 17), .step(.headerCount)),
            ("no headers", 1, LightStep([], certificate: good), .step(.headerCount)),
            // When.
            ("a time that stands still", 1, certified(late), .step(.timeBack)),
            ("a time that so many heights cannot have", 2, certified(early), .step(.timeBack)),
            ("an older ordering epoch", 10, certified(C.headers[40]), .step(.epochBack)),
        ]
    }()

    @Test func followsEveryChangeFromTheGenesis() throws {
        var client = LightClient(C.genesis)
        #expect(client.validators == ValidatorSet(C.genesis))
        for step in Self.way {
            try client.advance(to: step)
            let last = step.headers[step.headers.count - 1]
            #expect(client.trusted.height == last.height)
            #expect(client.trusted.hash == last.hash)
            #expect(client.trusted.time == last.time)
            #expect(client.trusted.epoch == step.certificate.epoch)
            #expect(client.validators.hash == last.nextValidators)
        }
        for height in 0...C.heights { #expect(client.validators(at: UInt64(height)) == C.validators(height)) }
    }

    @Test(arguments: forgeries.indices)
    func forgeryIsRefusedByName(number: Int) {
        let (name, after, step, refusal) = Self.forgeries[number]
        var client = Self.client(after: after)
        let before = client
        #expect(throws: refusal, "\(name)") { () throws in try client.advance(to: step) }
        #expect(client == before, "\(name)")
        #expect(!refusal.description.isEmpty)
    }

    @Test func eachReasonHasAForgery() {
        let shown = Self.forgeries.compactMap { if case .step(let fault) = $0.refusal { fault } else { nil } }
        // The others are shown below.
        #expect(
            Set(shown).union([.checkpointForeign, .heightTooOld]) == Set(LightClient.Fault.allCases))
    }

    /// What is refused would be good as it stands elsewhere: each of these forgeries differs from a good step.
    @Test func goodStepsAreTakenUpInManyWays() throws {
        for heights in [[5, 9, 10, 30, 40], [1, 2, 5, 6, 9, 10, 11, 30, 31], [4, 5, 8, 9, 10, 29, 30]] {
            var client = LightClient(C.genesis)
            for height in heights { try client.advance(to: C.step(height)) }
        }
    }

    @Test func everyBitOfAStepMatters() throws {
        let client = Self.client(after: 1)
        for (flip, bytes) in byteFlips(of: C.step(5, from: 4).canonicalBytes).enumerated() {
            guard let step = try? LightStep(canonicalBytes: bytes) else { continue }
            var other = client
            #expect(throws: LightClient.Refusal.self, "flip \(flip)") { () throws in try other.advance(to: step) }
        }
    }

    @Test func beginsAtACheckpoint() throws {
        let header = C.headers[8]
        let checkpoint = try #require(Checkpoint("8:\(header.hash)"))
        #expect(checkpoint.description == "8:\(header.hash)")
        for text in ["", "8", "08:\(header.hash)", "8:\(header.hash):", "-1:\(header.hash)", "8:00"] {
            #expect(Checkpoint(text) == nil, "\(text)")
        }
        let genesis = C.genesis.hash
        var client = try LightClient(
            genesis: genesis, checkpoint: checkpoint, header: header, set: C.validators(9))
        for step in Self.way[3...] { try client.advance(to: step) }
        #expect(client.validators == C.validators(41))
        #expect(client.validators(at: 7) == nil)
        #expect(throws: LightClient.Refusal.step(.heightTooOld)) { () throws in
            try client.verify([C.headers[7]], by: C.certificate(of: C.headers[7]))
        }
        // Of a checkpoint at a change, its own height's validators are not known.
        let change = try LightClient(
            genesis: genesis, checkpoint: Checkpoint(height: 9, header: C.headers[9].hash), header: C.headers[9],
            set: C.validators(10))
        #expect(change.validators(at: 9) == nil)
        #expect(change.validators(at: 10) == C.validators(10))
        for (shown, set, fault) in [
            (C.headers[7], C.validators(9), .checkpointForeign),
            (header.with(time: 1), C.validators(9), .checkpointForeign), (header, C.validators(1), .setForeign),
        ] as [(Header, ValidatorSet, LightClient.Fault)] {
            #expect(throws: LightClient.Refusal.step(fault)) { () throws in
                _ = try LightClient(genesis: genesis, checkpoint: checkpoint, header: shown, set: set)
            }
        }
    }

    /// A proof of a height after a change holds for who has seen the change, and for nobody else.
    @Test func proofAfterAChangeNeedsTheChange() throws {
        let proof = C.receiptProof
        #expect(throws: Proof.Refusal.validators) { () throws in _ = try proof.verify(genesis: C.genesis) }
        #expect(throws: Proof.Refusal.validators) { () throws in _ = try proof.verify(by: Self.client(after: 1)) }
        for steps in 2...Self.way.count {
            let verified = try proof.verify(by: Self.client(after: steps))
            #expect(verified.height == 7)
            #expect(verified.signers.map(\.number) == [2, 3, 5])
        }
        // Across the change, the new set certifies what the former one left.
        let across = Array(C.headers[4...7])
        let certificate = C.certificate(of: C.headers[7])
        try Self.client(after: 2).verify(across, by: certificate)
        #expect(throws: LightClient.Refusal.step(.changeUncertified)) { () throws in
            try Self.client(after: 1).verify(across, by: certificate)
        }
        // A header that announces others than those who came is not of this chain.
        let other = C.headers[5].with(nextValidators: sample(1))
        #expect(throws: LightClient.Refusal.step(.validatorsForeign)) { () throws in
            try Self.client(after: 3).verify([other], by: C.certificate(of: other))
        }
        // Of the change itself, its own certificate is enough.
        try Self.client(after: 0).verify([C.headers[5]], by: C.certificate(of: C.headers[5]))
    }

    @Test func tellsByTimeWhetherItIsCurrent() {
        let client = Self.client(after: 1)
        let time = C.headers[3].time
        #expect(!client.isStale(at: 0))
        #expect(!client.isStale(at: time + LightClient.staleMilliseconds))
        #expect(client.isStale(at: time + LightClient.staleMilliseconds + 1))
    }

    @Test func setsAreForgottenBeyondTheirBound() throws {
        // One validator, whose key is another at every height.
        func key(_ height: Int) -> SecretKey {
            SecretKey(seed: [UInt8](repeating: 1, count: 30) + [UInt8(height / 256), UInt8(height % 256)])
        }
        func set(_ height: Int) -> ValidatorSet {
            ValidatorSet([Validator(id: OrganisationID(7), key: key(height).publicKey)])
        }
        func header(_ height: Int) -> Header {
            C.headers[1].with(
                validators: set(height).hash, nextValidators: set(height + 1).hash, height: UInt64(height),
                time: C.genesis.time + UInt64(height))
        }
        let start = header(0)
        var client = try LightClient(
            genesis: C.genesis.hash, checkpoint: Checkpoint(height: 0, header: start.hash), header: start, set: set(1))
        for height in 1...LightClient.setsMax {
            let next = header(height).with(parent: client.trusted.hash)
            let vote = Vote(
                signing: next.hash, height: next.height, epoch: 0, time: next.time, genesis: C.genesis.hash,
                validator: OrganisationID(7), key: key(height))
            try client.advance(to: LightStep([next], certificate: Certificate(joining: [vote]), set: set(height + 1)))
        }
        #expect(client.validators(at: 1) == nil)
        #expect(client.validators(at: 2) == set(2))
    }

    @Test func stepsStayWithinTheirBytes() throws {
        let set = ValidatorSet(
            (1...100).map { Validator(id: OrganisationID($0), key: Sample.key(UInt8($0)).publicKey) })
        let certificate = Certificate(
            epoch: 0, height: 8, header: .zero,
            signatures: set.validators.map {
                .init(validator: $0.id, time: 1, signature: Sample.key(1).sign([]))
            })
        let step = LightStep(Array(C.headers[1...8]), certificate: certificate, set: set)
        #expect(step.canonicalBytes.count <= LightStep.bytesMax)
        #expect(try LightSteps(canonicalBytes: LightSteps([step, step]).canonicalBytes).steps == [step, step])
        #expect(LightStep.bytesMax * LightSteps.pageCountMax <= LightSteps.bytesMax)
    }
}
