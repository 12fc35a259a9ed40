import Canonical
import Chain
import Crypto
import Ledger
import Testing

@Suite struct SideProofTests {
    /// The side ledger.
    static let chain = SampleChain.grown

    /// The ledger that anchors it, with a receipt of its own.
    static let main: SampleChain = {
        var chain = SampleChain(Sample.genesisOfOne)
        let alone = (Party.organisation(OrganisationID(7)), Sample.issuingSeed(7))
        chain.append([chain.transaction([.publish(Sample.program, issuer: OrganisationID(7))], by: [alone])])
        chain.append([])
        return chain
    }()

    /// Another side ledger, on which the same organisations did the same at first.
    static let sibling: SampleChain = {
        var chain = SampleChain(
            Genesis(
                chain: "sibling", time: Sample.genesis.time, rulesVersion: Sample.genesis.rulesVersion,
                orderingEpoch: Sample.genesis.orderingEpoch, organisations: Sample.genesis.organisations))
        let north = (Party.organisation(OrganisationID(1)), Sample.issuingSeed(1))
        chain.append([chain.transaction([.publish(Sample.program, issuer: OrganisationID(1))], by: [north])])
        return chain
    }()

    /// Each with an anchor under which it holds: at its own height and above it, and both kinds.
    static let proofs: [(name: String, proof: SideProof, anchor: SideAnchor)] = ProofTests.proofs.map {
        ($0.name, SideProof($0.proof), chain.anchor(Int($0.proof.certificate.height)))
    }

    /// Every way in which a whole proof does not hold under an anchor.
    static let refused: [(name: String, proof: SideProof, anchor: SideAnchor, refusal: SideProof.Refusal)] = {
        // Of height 2, anchored at 5; of height 3, anchored there.
        let good = proofs[1].proof
        let receipt = SideProof(chain.receiptProof(height: 3, index: 0))
        let (anchor, side) = (chain.anchor(5), chain.genesis.hash)
        func with(_ headers: [Header], _ proof: SideProof = good) -> SideProof {
            SideProof(genesis: side, subject: proof.subject, headers: headers)
        }
        /// Headers from the second height on, one of them altered.
        func altered(_ index: Int, _ change: (Header) -> Header) -> SideProof {
            var headers = good.headers
            headers[index] = change(headers[index])
            return with(headers)
        }
        let headers = good.headers
        let ofMain = SideProof(main.receiptProof(height: 1, index: 0, certified: 2))
        let forged = Receipt(transaction: sample(1), result: .done, outcomes: [.done])
        let list = [Proof.leaf(forged)]
        let forgedHeader = headers[0].with(receipts: MerkleTree.countedRoot(of: list))
        let forgedSubject = Proof.Subject.receipt(forged, path: MerkleTree.path(of: 0, in: list))
        var all: [(String, SideProof, SideAnchor, SideProof.Refusal)] = [
            // Another ledger.
            (
                "another ledger's genesis",
                SideProof(genesis: sibling.genesis.hash, subject: good.subject, headers: headers), anchor, .genesis
            ),
            (
                "an anchor of another ledger", good,
                SideAnchor(genesis: sibling.genesis.hash, height: 5, header: anchor.header), .genesis
            ),
            ("a proof of the main ledger", ofMain, chain.anchor(2), .genesis),
            (
                "a proof of the main ledger under the side ledger's name", with(ofMain.headers, ofMain),
                chain.anchor(2), .headerForeign
            ),
            (
                "a receipt of the main ledger under the side ledger's headers", with(chain.headers(1...2), ofMain),
                chain.anchor(2), .subject(.path)
            ),
            (
                "a proof of another side ledger under this one's name",
                with(sibling.headers(1...1), SideProof(sibling.receiptProof(height: 1, index: 0))), chain.anchor(1),
                .headerForeign
            ),
            // Headers.
            ("no headers", with([]), anchor, .headerCount),
            ("a header left out", with([headers[0]] + headers[2...]), anchor, .headersBroken),
            ("headers the other way round", with(headers.reversed()), anchor, .headersBroken),
            (
                "two headers exchanged", with([headers[0], headers[2], headers[1], headers[3]]), anchor,
                .headersBroken
            ),
            ("a header twice", with([headers[0]] + headers), anchor, .headersBroken),
            ("an altered first header", altered(0) { $0.with(time: $0.time + 1) }, anchor, .headersBroken),
            ("an altered header in between", altered(1) { $0.with(receipts: sample(1)) }, anchor, .headersBroken),
            ("an altered last header", altered(3) { $0.with(validators: sample(1)) }, anchor, .headerForeign),
            ("another parent", altered(2) { $0.with(parent: sample(1)) }, anchor, .headersBroken),
            ("another height in between", altered(2) { $0.with(height: 5) }, anchor, .headersBroken),
            ("heights beyond all numbers", altered(0) { $0.with(height: .max) }, anchor, .anchorBelow),
            (
                "a receipt of one's own in an altered header",
                SideProof(genesis: side, subject: forgedSubject, headers: [forgedHeader] + headers[1...]), anchor,
                .headersBroken
            ),
            (
                "the same, anchored at its own height",
                SideProof(genesis: side, subject: forgedSubject, headers: [forgedHeader]), chain.anchor(2),
                .headerForeign
            ),
            // The anchor.
            ("an anchor below the statement", good, chain.anchor(1), .anchorBelow),
            ("an anchor above the headers", good, chain.anchor(6), .heightForeign),
            ("an anchor below the last header", good, chain.anchor(4), .heightForeign),
            ("headers that end before the anchor", with(chain.headers(2...4)), anchor, .heightForeign),
            ("headers that go on beyond it", with(chain.headers(2...6)), anchor, .heightForeign),
            (
                "an anchor that names another height", good,
                SideAnchor(genesis: side, height: 6, header: anchor.header), .heightForeign
            ),
            (
                "an anchor that names another header", good,
                SideAnchor(genesis: side, height: 5, header: chain.anchor(4).header), .headerForeign
            ),
            (
                "a receipt of another height", with(chain.headers(2...5), receipt), anchor, .subject(.path)
            ),
        ]
        // What is no statement of its header is none here either.
        for (name, proof, refusal) in ProofTests.refused {
            let fault: Proof.Subject.Fault? =
                switch refusal {
                case .state: .state
                case .path: .path
                default: nil
                }
            guard let fault else { continue }
            all.append((name, SideProof(proof), chain.anchor(Int(proof.certificate.height)), .subject(fault)))
        }
        return all
    }()

    @Test(arguments: proofs.indices)
    func holds(number: Int) throws {
        let (_, proof, anchor) = Self.proofs[number]
        let verified = try proof.verify(under: anchor)
        #expect(verified.genesis == Self.chain.genesis.hash)
        #expect(verified.subject == proof.subject)
        #expect(verified.height == proof.headers[0].height)
        #expect(verified.time == Self.chain.blocks[Int(verified.height)].header.time)
        #expect(try SideProof(canonicalBytes: proof.canonicalBytes) == proof)
        #expect(try SideAnchor(canonicalBytes: anchor.canonicalBytes) == anchor)
        #expect(anchor.canonicalBytes.count == SideAnchor.byteCount)
    }

    @Test func proofsAreOfBothKindsAnchoredThereAndAbove() {
        let kinds = Set(
            Self.proofs.map { _, proof, anchor in
                [proof.isOfReceipt, anchor.height > proof.headers[0].height]
            })
        #expect(kinds.count == 4)
    }

    @Test(arguments: refused.indices)
    func refusedByName(number: Int) {
        let (name, proof, anchor, refusal) = Self.refused[number]
        #expect(throws: refusal, "\(name)") { _ = try proof.verify(under: anchor) }
        #expect(!refusal.description.isEmpty)
    }

    @Test func everyRefusalIsShown() {
        let shown = Set(Self.refused.map(\.refusal.description))
        let all: [SideProof.Refusal] = [
            .genesis, .headerCount, .anchorBelow, .headersBroken, .heightForeign, .headerForeign, .subject(.state),
            .subject(.path),
        ]
        #expect(shown == Set(all.map(\.description)))
        #expect(shown.count == all.count)
    }

    /// Every byte: refused when it is read, or when it is checked.
    @Test(arguments: proofs.indices)
    func alteredInAnyByteIsRefused(number: Int) {
        let (name, proof, anchor) = Self.proofs[number]
        for (flip, bytes) in byteFlips(of: proof.canonicalBytes).enumerated() {
            guard let changed = try? SideProof(canonicalBytes: bytes) else { continue }
            #expect(throws: SideProof.Refusal.self, "\(name), flip \(flip)") {
                _ = try changed.verify(under: anchor)
            }
        }
    }

    /// The same where whoever alters it makes the closing digest fit. What then still holds is a true statement of
    /// another account or unit that has nothing; all else is refused.
    @Test(arguments: proofs.indices)
    func alteredWithItsDigestProvesNothingUntrue(number: Int) {
        let (name, proof, anchor) = Self.proofs[number]
        let chain = Self.chain
        let content = Array(proof.canonicalBytes.dropLast(Digest.byteCount))
        for (flip, bytes) in byteFlips(of: content).enumerated() {
            let fitting = bytes + SHA256.hash(.sideProof, bytes).bytes
            guard let changed = try? SideProof(canonicalBytes: fitting),
                let verified = try? changed.verify(under: anchor)
            else { continue }
            let isTrue = chain.truly(lacks: verified.subject, at: verified.height)
            #expect(isTrue, "\(name), flip \(flip) holds")
        }
    }

    @Test func anAlteredAnchorRefusesAll() throws {
        for (name, proof, anchor) in Self.proofs {
            for (flip, bytes) in byteFlips(of: anchor.canonicalBytes).enumerated() {
                let changed = try SideAnchor(canonicalBytes: bytes)
                #expect(throws: SideProof.Refusal.self, "\(name), flip \(flip)") {
                    _ = try proof.verify(under: changed)
                }
            }
        }
    }

    @Test func shortenedOrLengthenedIsRefused() {
        let (_, proof, anchor) = Self.proofs[1]
        for count in proof.canonicalBytes.indices {
            #expect(throws: DecodingError.self) {
                try SideProof(canonicalBytes: Array(proof.canonicalBytes.prefix(count)))
            }
        }
        for count in 0..<SideAnchor.byteCount {
            #expect(throws: DecodingError.self) {
                try SideAnchor(canonicalBytes: Array(anchor.canonicalBytes.prefix(count)))
            }
        }
        #expect(throws: DecodingError.self) { try SideProof(canonicalBytes: proof.canonicalBytes + [0]) }
        #expect(throws: DecodingError.self) { try SideAnchor(canonicalBytes: anchor.canonicalBytes + [0]) }
    }

    @Test func anOrdinaryProofIsNoSideProof() {
        let proof = ProofTests.proofs[5].proof.canonicalBytes
        #expect(throws: DecodingError.self) { try SideProof(canonicalBytes: proof) }
        #expect(throws: DecodingError.self) { try Proof(canonicalBytes: Self.proofs[5].proof.canonicalBytes) }
    }

    // MARK: Bounds

    @Test func asManyHeadersAsThereMayBeAndNoMore() throws {
        let receipt = Receipt(transaction: sample(1), result: .done, outcomes: [.done])
        let list = [Proof.leaf(receipt)]
        var headers = [Self.chain.head.with(receipts: MerkleTree.countedRoot(of: list))]
        while headers.count < SideProof.headersMax {
            let last = headers[headers.count - 1]
            headers.append(last.with(parent: last.hash, height: last.height + 1))
        }
        let subject = Proof.Subject.receipt(receipt, path: MerkleTree.path(of: 0, in: list))
        func proof() -> SideProof { SideProof(genesis: sample(2), subject: subject, headers: headers) }
        func anchor() -> SideAnchor {
            SideAnchor(
                genesis: sample(2), height: headers[headers.count - 1].height,
                header: headers[headers.count - 1].hash)
        }
        #expect(try proof().verify(under: anchor()).height == headers[0].height)
        let bytes = proof().canonicalBytes
        #expect(bytes.count < SideProof.bytesMax)
        #expect(try SideProof(canonicalBytes: bytes) == proof())
        let last = headers[headers.count - 1]
        headers.append(last.with(parent: last.hash, height: last.height + 1))
        #expect(throws: SideProof.Refusal.headerCount) { try proof().verify(under: anchor()) }
        #expect(throws: DecodingError.self) { try SideProof(canonicalBytes: proof().canonicalBytes) }
    }

    @Test func moreBytesThanATransactionHoldsAreRefused() throws {
        func outcome(_ count: Int, first: TransactionID?) -> Outcome {
            .lines(
                done: 0,
                exceptions: (0..<count).map { LineResult(index: UInt16($0), result: .duplicate, first: first) })
        }
        let full = [8190, 8190, 8190, 1000].map { outcome($0, first: sample(1)) }
        func bytes(lines: Int) -> [UInt8] {
            let receipt = Receipt(
                transaction: sample(1), result: .done, outcomes: full + [outcome(lines, first: nil)])
            let path = MerkleTree.path(of: 0, in: [sample(3)])
            return SideProof(
                genesis: sample(2), subject: .receipt(receipt, path: path), headers: [Self.chain.head]
            ).canonicalBytes
        }
        // Each line more takes 5 bytes.
        let room = SideProof.bytesMax - bytes(lines: 200).count
        let most = 200 + room / 5
        try #require(room > 0 && most < 8190)
        #expect(throws: Never.self) { try SideProof(canonicalBytes: bytes(lines: most)) }
        let larger = bytes(lines: most + 1)
        #expect((SideProof.bytesMax + 1...SideProof.bytesMax + 5).contains(larger.count))
        #expect(throws: DecodingError(.lengthTooLarge, at: larger.count)) { try SideProof(canonicalBytes: larger) }
    }

    // MARK: Anchors

    @Test func anAnchorIsMadeOfACertifiedHeader() throws {
        let chain = Self.chain
        let client = LightClient(chain.genesis)
        let header = chain.blocks[5].header
        #expect(try SideAnchor(of: header, certificate: chain.certificate(5), by: client) == chain.anchor(5))
        #expect(throws: LightClient.Refusal.certificate(.quorumMissed)) {
            try SideAnchor(of: header, certificate: chain.certificate(5, by: [1, 2]), by: client)
        }
        #expect(throws: LightClient.Refusal.step(.certificateForeign)) {
            try SideAnchor(of: header, certificate: chain.certificate(4), by: client)
        }
        // The same validators vote on the other ledger: what tells the two apart is what they signed.
        #expect(throws: LightClient.Refusal.certificate(.signatureInvalid)) {
            try SideAnchor(of: header, certificate: chain.certificate(5), by: LightClient(Self.sibling.genesis))
        }
    }

    // MARK: Once for ever

    @Test func oneReceiptHasOneKeyWhateverAnchorItComesBy() throws {
        let chain = Self.chain
        for (height, index) in [(2, 0), (3, 0), (3, 4)] {
            let keys = try (height...6).map { anchored in
                try SideProof(chain.receiptProof(height: height, index: index, certified: anchored))
                    .verify(under: chain.anchor(anchored)).key
            }
            #expect(Set(keys).count == 1)
            #expect(keys.count > 1)
        }
        let keys = try [3, 5].map { anchored in
            try SideProof(chain.balanceProof(Sample.account(4), Sample.unit, height: 3, certified: anchored))
                .verify(under: chain.anchor(anchored)).key
        }
        #expect(keys[0] == keys[1])
    }

    /// Also that a duplicate has the key of what it repeats.
    @Test func eachTransactionHasAKeyOfItsOwn() throws {
        let chain = Self.chain
        var keys: [TransactionID: Set<Digest>] = [:]
        for (height, block) in chain.blocks.enumerated() {
            for (index, receipt) in block.receipts.enumerated() {
                keys[receipt.transaction, default: []].insert(try chain.receiptKey(height: height, index: index))
            }
        }
        let receipts = chain.blocks.flatMap(\.receipts)
        #expect(receipts.contains { $0.result == .duplicate })
        #expect(keys.count < receipts.count)
        #expect(keys.values.allSatisfy { $0.count == 1 })
        #expect(Set(keys.values.joined()).count == keys.count)
    }

    @Test func eachHoldingOfEachHeightHasAKeyOfItsOwn() throws {
        let chain = Self.chain
        var keys: Set<Digest> = [try chain.receiptKey(height: 3, index: 0)]
        let units = [Sample.unit, try #require(UnitCode("P"))]
        for height in 2...5 {
            for account in [1, 2, 77] as [UInt8] {
                for unit in units {
                    let proof = SideProof(chain.balanceProof(Sample.account(account), unit, height: height))
                    keys.insert(try proof.verify(under: chain.anchor(height)).key)
                }
            }
        }
        #expect(keys.count == 1 + 4 * 3 * 2)
    }

    @Test func theSameTransactionOnAnotherSideLedgerHasAnotherKey() throws {
        let (chain, sibling) = (Self.chain, Self.sibling)
        let (here, there) = (chain.blocks[1].receipts[0], sibling.blocks[1].receipts[0])
        #expect(here == there)
        #expect(here.result == .done)
        #expect(try chain.receiptKey(height: 1, index: 0) != sibling.receiptKey(height: 1, index: 0))
    }
}

extension SampleChain {
    /// What anchors one of its headers elsewhere.
    func anchor(_ height: Int) -> SideAnchor {
        SideAnchor(genesis: genesis.hash, height: UInt64(height), header: blocks[height].header.hash)
    }

    /// The key of a receipt that is anchored at its own height.
    fileprivate func receiptKey(height: Int, index: Int) throws(SideProof.Refusal) -> Digest {
        try SideProof(receiptProof(height: height, index: index)).verify(under: anchor(height)).key
    }
}

extension SideProof {
    /// The statement of an ordinary proof, whose certified header is to be anchored.
    init(_ proof: Proof) { self.init(genesis: proof.genesis, subject: proof.subject, headers: proof.headers) }

    var isOfReceipt: Bool { if case .receipt = subject { true } else { false } }
}
