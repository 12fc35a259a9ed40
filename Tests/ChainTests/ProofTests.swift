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
    func alteredInAnyByteIsRefused(number: Int) {
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
            guard case .balance(let account, let unit, nil, _, _) = verified.subject,
                chain.holdings[Int(verified.height)][.init(account: account, unit: unit)] == nil
            else {
                Issue.record("\(name), flip \(flip) holds")
                continue
            }
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
