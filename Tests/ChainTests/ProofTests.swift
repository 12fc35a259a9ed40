import Canonical
import Chain
import Crypto
import Ledger
import Testing

@Suite struct ProofTests {
    static let chain = SampleChain.grown

    /// Proofs of both kinds, of what is there and of what is not, certified at once and later.
    static let proofs: [(name: String, proof: Proof)] = [
        ("balance", chain.balanceProof(Sample.account(4), Sample.unit, height: 3)),
        ("balance, later certified", chain.balanceProof(Sample.account(3), Sample.unit, height: 2, certified: 5)),
        ("no balance", chain.balanceProof(Sample.account(77), Sample.unit, height: 5)),
        ("no balance of an unknown unit", chain.balanceProof(Sample.account(1), UnitCode("P")!, height: 5)),
        ("no balance where there is none at all", chain.balanceProof(Sample.account(1), Sample.unit, height: 1)),
        ("receipt with lines", chain.receiptProof(height: 2, index: 0)),
        ("receipt with portions", chain.receiptProof(height: 3, index: 0)),
        ("receipt of a reservation", chain.receiptProof(height: 3, index: 1)),
        ("receipt of a refusal", chain.receiptProof(height: 3, index: 4, certified: 6)),
        ("receipt of a duplicate", chain.receiptProof(height: 5, index: 1)),
    ]

    /// Every way in which a whole, readable proof does not hold.
    static let refused: [(name: String, proof: Proof, refusal: Proof.Refusal)] = {
        let good = proofs[1].proof
        let receipt = chain.receiptProof(height: 3, index: 0)
        func changed(
            _ proof: Proof = good, genesis: Digest? = nil, subject: Proof.Subject? = nil, headers: [Header]? = nil,
            certificate: Certificate? = nil
        ) -> Proof {
            Proof(
                genesis: genesis ?? proof.genesis, subject: subject ?? proof.subject,
                headers: headers ?? proof.headers, certificate: certificate ?? proof.certificate)
        }
        guard case .balance(let account, let unit, let summary, let roots, let path) = good.subject,
            case .receipt(let said, let listPath) = receipt.subject,
            case .balance(_, _, _, let laterRoots, let laterPath) = proofs[2].proof.subject
        else { preconditionFailure("a balance, a receipt, a balance") }
        func foreign(_ header: Header, next: Bool) -> Header {
            next ? header.with(nextValidators: sample(1)) : header.with(validators: sample(1))
        }
        func signed(_ header: Header) -> Certificate {
            Certificate(
                joining: ([1, 2, 4] as [UInt32]).map {
                    Vote(
                        signing: header.hash, height: header.height, epoch: 0, time: header.time + 1,
                        genesis: chain.genesis.hash, validator: OrganisationID($0), key: Sample.key(UInt8($0)))
                })
        }
        let head = chain.blocks[3].header
        let emptied = SubRoots(roots.roots.filter { $0.name != Table.holdings.rawValue })
        var list: [(String, Proof, Proof.Refusal)] = [
            ("another genesis", changed(genesis: Sample.genesisOfOne.hash), .genesis),
            ("headers beyond the certified one", changed(headers: chain.headers(2...6)), .headers),
            ("headers that end before it", changed(headers: chain.headers(2...4)), .headers),
            ("a header left out", changed(headers: [chain.blocks[2].header] + chain.headers(4...5)), .headers),
            ("headers the other way round", changed(headers: good.headers.reversed()), .headers),
            ("a certificate of another header", changed(certificate: chain.certificate(4)), .headers),
            (
                "a certificate that names another height",
                changed(
                    certificate: Certificate(
                        epoch: 0, height: 6, header: good.certificate.header, signatures: good.certificate.signatures)),
                .headers
            ),
            ("headers of another height", changed(headers: chain.headers(3...5)), .state),
            (
                "roots of another height",
                changed(
                    subject: .balance(
                        account: account, unit: unit, summary: summary, roots: laterRoots, path: path)), .state
            ),
            (
                "roots without holdings",
                changed(
                    subject: .balance(
                        account: account, unit: unit, summary: nil, roots: emptied,
                        path: proofs[4].proof.balancePath!)), .state
            ),
            (
                "another path",
                changed(
                    subject: .balance(
                        account: account, unit: unit, summary: summary, roots: roots, path: laterPath)), .path
            ),
            (
                "a balance shown as none",
                changed(
                    subject: .balance(
                        account: account, unit: unit, summary: nil, roots: roots, path: path)), .path
            ),
            (
                "a balance of another account",
                changed(
                    subject: .balance(
                        account: Sample.account(2), unit: unit, summary: summary, roots: roots, path: path)), .path
            ),
            (
                "another balance",
                changed(
                    subject: .balance(
                        account: account, unit: unit,
                        summary: chain.holdings[2][.init(account: Sample.account(5), unit: unit)],
                        roots: roots, path: path)), .path
            ),
            (
                "another place in the list",
                changed(
                    receipt,
                    subject: .receipt(
                        said, path: MerklePath(index: 1, count: listPath.count, siblings: listPath.siblings))), .path
            ),
            (
                "another length of the list",
                changed(
                    receipt,
                    subject: .receipt(
                        said, path: MerklePath(index: 0, count: listPath.count + 1, siblings: listPath.siblings))),
                .path
            ),
            (
                "a receipt of another transaction",
                changed(
                    receipt,
                    subject: .receipt(
                        chain.blocks[3].receipts[1], path: listPath)), .path
            ),
            (
                "a refusal shown as done",
                changed(
                    proofs[8].proof,
                    subject: .receipt(
                        Receipt(transaction: chain.blocks[3].receipts[4].transaction, result: .done),
                        path: proofs[8].proof.listPath!)), .path
            ),
        ]
        let foreignHead = foreign(head, next: false)
        list.append(
            (
                "other validators", changed(receipt, headers: [foreignHead], certificate: signed(foreignHead)),
                .validators
            ))
        // One that announces others and is certified itself holds; so does not one that rests on a later certificate.
        let announcing = foreign(head, next: true)
        for (name, child) in [
            ("other validators next, and the former ones sign", chain.blocks[4].header),
            ("other validators next, who sign", foreign(chain.blocks[4].header, next: false)),
        ] {
            let linked = child.with(parent: announcing.hash)
            list.append(
                (name, changed(receipt, headers: [announcing, linked], certificate: signed(linked)), .validators))
        }
        for (name, certificate, refusal) in CertificateTests.refused where certificate.height == 3 {
            guard certificate.header == head.hash else { continue }
            list.append((name, changed(receipt, certificate: certificate), .certificate(refusal)))
        }
        return list
    }()

    @Test(arguments: refused.indices)
    func refusedByName(number: Int) {
        let (name, proof, refusal) = Self.refused[number]
        #expect(throws: refusal, "\(name)") { _ = try proof.verify(genesis: Self.chain.genesis) }
        #expect(!refusal.description.isEmpty)
    }

    @Test func proofOfAnotherGenesisIsRefused() {
        for (_, proof) in Self.proofs {
            #expect(throws: Proof.Refusal.genesis) { _ = try proof.verify(genesis: Sample.genesisOfOne) }
        }
    }

    @Test(arguments: proofs.indices)
    func holds(number: Int) throws {
        let proof = Self.proofs[number].proof
        let verified = try proof.verify(genesis: Self.chain.genesis)
        #expect(verified.subject == proof.subject)
        #expect(verified.height == proof.headers[0].height)
        #expect(verified.time == proof.headers[0].time)
        #expect(verified.stateRoot == proof.headers[0].state)
        #expect(verified.signers.map(\.number) == [1, 2, 4])
        #expect(verified.validators == 4)
        #expect(verified.quorum == 3)
        #expect(try Proof(canonicalBytes: proof.canonicalBytes) == proof)
    }

    @Test func saysWhatTheLedgerSays() throws {
        guard case .balance(_, _, let summary?, _, _) = Self.proofs[0].proof.subject,
            case .balance(_, _, nil, _, _) = Self.proofs[2].proof.subject
        else {
            Issue.record("a balance, and none")
            return
        }
        #expect(summary.available == 3700)
        #expect(summary.held == 300)
        #expect(summary.pending == 0)
        #expect(summary.debt == 0)
        let results = Self.chain.blocks.map { $0.receipts.map(\.result) }
        #expect(
            results == [
                [], [.done, .done], [.done], [.done, .done, .selfAddressed, .done, .signerMissing], [],
                [.done, .duplicate, .done], [],
            ])
        // The second account had 300 left when 2000 were taken back.
        let owing = Self.chain.holdings[5][.init(account: Sample.account(2), unit: Sample.unit)]
        #expect(owing?.available == 0)
        #expect(owing?.debt == 1700)
    }

    /// Check 20. Every byte: refused when it is read, or when it is checked.
    @Test(arguments: proofs.indices)
    func check20AlteredInAnyByteIsRefused(number: Int) {
        let (name, proof) = Self.proofs[number]
        let genesis = Self.chain.genesis
        for (flip, bytes) in byteFlips(of: proof.canonicalBytes).enumerated() {
            guard let changed = try? Proof(canonicalBytes: bytes) else { continue }
            #expect(throws: Proof.Refusal.self, "\(name), flip \(flip)") { _ = try changed.verify(genesis: genesis) }
        }
    }

    /// The same where whoever alters it makes the closing digest fit. What then still holds is a true statement of
    /// another account or unit that has nothing; all else is refused.
    @Test(arguments: proofs.indices)
    func alteredWithItsDigestProvesNothingUntrue(number: Int) {
        let (name, proof) = Self.proofs[number]
        let chain = Self.chain
        let content = Array(proof.canonicalBytes.dropLast(Digest.byteCount))
        for (flip, bytes) in byteFlips(of: content).enumerated() {
            let fitting = bytes + SHA256.hash(.proof, bytes).bytes
            guard let changed = try? Proof(canonicalBytes: fitting),
                let verified = try? changed.verify(genesis: chain.genesis)
            else { continue }
            let isTrue = chain.truly(lacks: verified.subject, at: verified.height)
            #expect(isTrue, "\(name), flip \(flip) holds")
        }
    }

    @Test func shortenedOrLengthenedIsRefused() {
        for (_, proof) in [Self.proofs[1], Self.proofs[8]] {
            let bytes = proof.canonicalBytes
            for count in 0..<bytes.count {
                #expect(throws: DecodingError.self) { try Proof(canonicalBytes: Array(bytes.prefix(count))) }
            }
            #expect(throws: DecodingError.self) { try Proof(canonicalBytes: bytes + [0]) }
        }
    }
}

extension Proof {
    var balancePath: StateProof? { if case .balance(_, _, _, _, let path) = subject { path } else { nil } }
    var listPath: MerklePath? { if case .receipt(_, let path) = subject { path } else { nil } }
}

extension Header {
    /// The same with some of its parts exchanged.
    func with(
        parent: Digest? = nil, receipts: Digest? = nil, validators: Digest? = nil, nextValidators: Digest? = nil,
        height: UInt64? = nil, time: UInt64? = nil
    ) -> Header {
        Header(
            height: height ?? self.height, parent: parent ?? self.parent, entry: entry, transactions: transactions,
            receipts: receipts ?? self.receipts, state: state, validators: validators ?? self.validators,
            nextValidators: nextValidators ?? self.nextValidators, rulesVersion: rulesVersion,
            time: time ?? self.time, certificate: certificate)
    }
}

extension SampleChain {
    /// Whether something says, and truly, that a holding was not there at a height.
    func truly(lacks subject: Proof.Subject, at height: UInt64) -> Bool {
        guard case .balance(let account, let unit, nil, _, _) = subject else { return false }
        return holdings[Int(height)][.init(account: account, unit: unit)] == nil
    }
}
