import Canonical
import Chain
import Crypto
import Ledger
import Testing

@Suite struct EntryTests {
    static let chain = SampleChain.grown
    static let block = chain.blocks[3]
    static let previous = chain.blocks[2].header.entry

    private static func read(
        _ raw: [UInt8], position: UInt64 = 3, previous: Digest = previous, genesis: Digest = chain.genesis.hash,
        set: ValidatorSet = chain.set, rules: UInt32 = 1
    ) throws(Entry.Fault) -> Entry {
        try Entry(raw: raw, position: position, previous: previous, genesis: genesis, set: set, rules: rules)
    }

    /// An entry that is right in all but what is said.
    private static func raw(
        position: UInt64 = 3, previous: Digest = previous, proposer: UInt32 = 4, seed: UInt8? = nil,
        certificate: Certificate? = nil, transactions: [Transaction] = []
    ) -> [UInt8] {
        Entry(
            position: position, previous: previous, proposer: OrganisationID(proposer), certificate: certificate,
            transactions: transactions
        ).signed(genesis: chain.genesis.hash, key: Sample.key(seed ?? UInt8(proposer)))
    }

    /// Signs whatever stands before the signature.
    private static func signed(_ content: [UInt8]) -> [UInt8] {
        let message = Domain.entrySignature.prefix + chain.genesis.hash.bytes + SHA256.hash(.entry, content).bytes
        return content + Sample.key(4).sign(message).canonicalBytes
    }

    @Test func isReadAsItWasWritten() throws {
        let entry = try Self.read(Self.block.raw)
        #expect(entry.position == 3)
        #expect(entry.previous == Self.previous)
        #expect(entry.proposer.number == 4)
        #expect(entry.certificate == Self.chain.certificate(2, by: [1, 2, 3, 4]))
        #expect(entry.transactions.map(\.bytes) == Self.block.transactions.map(\.bytes))
        #expect(entry.signed(genesis: Self.chain.genesis.hash, key: Sample.key(4)) == Self.block.raw)
        #expect(Entry.hash(raw: Self.block.raw) == Self.block.header.entry)
    }

    @Test func anyValidatorMayPropose() throws {
        for proposer in [1, 2, 3, 4] as [UInt32] {
            #expect(try Self.read(Self.raw(proposer: proposer)).proposer.number == proposer)
        }
    }

    @Test func everyFaultIsNamed() {
        let content = Array(Self.raw().dropLast(65))
        let doubled = Self.chain.certificate(2)
        let twice = Certificate(
            epoch: 0, height: 2, header: doubled.header, signatures: doubled.signatures + doubled.signatures)
        let cases: [(name: String, raw: [UInt8], fault: Entry.Fault)] = [
            ("more than 1 MiB", Self.block.raw + [UInt8](repeating: 0, count: Entry.bytesMax), .tooLarge),
            ("1 MiB of zeros", [UInt8](repeating: 0, count: Entry.bytesMax), .malformed),
            ("one byte more", [UInt8](repeating: 0, count: Entry.bytesMax + 1), .tooLarge),
            ("nothing", [], .malformed), ("garbage", Array("not an entry at all".utf8), .malformed),
            ("a byte behind the signature", Self.block.raw + [0], .malformed),
            ("a byte too few", Array(Self.block.raw.dropLast()), .malformed),
            ("a byte behind the transactions, signed", Self.signed(content + [0]), .malformed),
            ("no signature", content, .malformed),
            ("more transactions than there are", Self.signed(content.dropLast() + [1]), .malformed),
            ("too many transactions", Self.signed(content.dropLast() + [0x81, 0x40]), .malformed),
            ("a length that is not minimal", Self.signed(content.dropLast() + [0x80, 0]), .malformed),
            ("an empty transaction", Self.signed(content.dropLast() + [1, 0]), .malformed),
            ("a certificate with a signer twice", Self.raw(certificate: twice), .malformed),
            ("an unknown suite", content + [2] + [UInt8](repeating: 0, count: 64), .malformed),
            ("another position", Self.raw(position: 4), .position),
            ("another previous entry", Self.raw(previous: sample(1)), .previous),
            ("a proposer who does not vote", Self.raw(proposer: 9), .proposer),
            ("an unknown proposer", Self.raw(proposer: 5), .proposer),
            ("another validator's key", Self.raw(proposer: 4, seed: 3), .signature),
            ("a signature of zeros", content + [1] + [UInt8](repeating: 0, count: 64), .signature),
        ]
        for (name, raw, fault) in cases {
            #expect(throws: fault, "\(name)") { try Self.read(raw) }
        }
        #expect(throws: Entry.Fault.signature) {
            try Self.read(Self.block.raw, genesis: Sample.genesisOfOne.hash)
        }
        // What is carried is judged against the own header at its height, in execution.
        #expect(Set(cases.map(\.fault)).union([.certificate, .epoch]) == Set(Entry.Fault.allCases))
    }

    @Test func largestEntryFits() throws {
        let line = AccrualLine(
            account: Sample.account(1),
            key: NaturalKey(source: Sample.source, order: [UInt8](repeating: 7, count: NaturalKey.orderBytesMax)),
            amount: .max, pending: true)
        let list = AccrueList(unit: Sample.unit, lines: [AccrualLine](repeating: line, count: ListBounds.linesMax))
        let body = TransactionBody(
            nonce: 1, validUntil: 2,
            signers: [Signer(.organisation(OrganisationID(1)), Sample.key(Sample.issuingSeed(1)).publicKey)],
            operations: [.accrue(list)])
        let large = Transaction(
            signing: body, genesis: Self.chain.genesis.hash, keys: [Sample.key(Sample.issuingSeed(1))])
        #expect(large.bytes.count <= Transaction.bytesMax)
        let raw = Self.raw(certificate: Self.chain.certificate(2), transactions: [large])
        #expect(raw.count <= Entry.bytesMax)
        #expect(try Self.read(raw).transactions[0].id == large.id)
    }

    @Test func alteredByteIsRefused() {
        for (flip, bytes) in byteFlips(of: Self.block.raw).enumerated() {
            #expect(throws: Entry.Fault.self, "flip \(flip)") { try Self.read(bytes) }
        }
    }
}
