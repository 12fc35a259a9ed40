import Canonical
import Chain
import Crypto
import Ledger
import Testing

/// Where the fuzz targets begin: small values of each kind that they read, made of what the golden vectors are made of.
@Suite("fuzz seeds") struct FuzzSeedTests {
    @Test func proofs() throws {
        for (name, proof) in ProofTests.proofs {
            try VectorFile.check("Fuzz/Corpus/Proof/\(Self.file(name))", proof.canonicalBytes)
        }
        for number in [5, 9, 13, 16] {
            let (name, proof, _) = ProofTests.refused[number]
            try VectorFile.check("Fuzz/Corpus/Proof/\(Self.file(name))", proof.canonicalBytes)
        }
    }

    /// Their first bytes tell them from the others, as in the target.
    @Test func sideProofs() throws {
        for number in [1, 2, 5, 8] {
            let (name, proof, _) = SideProofTests.proofs[number]
            try VectorFile.check("Fuzz/Corpus/Proof/side-\(Self.file(name))", proof.canonicalBytes)
        }
    }

    /// The first byte names the kind, as in the target.
    @Test func canonical() throws {
        func check(_ name: String, _ kind: UInt8, _ bytes: [UInt8]) throws {
            try VectorFile.check("Fuzz/Corpus/Canonical/\(name)", [kind] + bytes)
        }
        let chain = SampleChain.grown
        for (number, block) in chain.blocks.enumerated() {
            for (index, transaction) in block.transactions.enumerated() {
                try check("envelope-\(number)-\(index)", 0, transaction.bytes)
            }
            if number > 0 { try check("entry-\(number)", 1, Array(block.raw.dropLast(65))) }
            for (index, receipt) in block.receipts.enumerated() {
                try check("receipt-\(number)-\(index)", 7, receipt.canonicalBytes)
            }
        }
        for (number, operation) in Sample.operations.enumerated() where operation.canonicalBytes.count < 400 {
            let body = TransactionBody(
                nonce: 1, validUntil: 2, signers: [Signer(.account(Sample.account(1)), Sample.key(41).publicKey)],
                operations: [operation])
            let transaction = Transaction(signing: body, genesis: .zero, keys: [Sample.key(41)])
            try check("envelope-of-\(operation.kind)-\(number)", 0, transaction.bytes)
            if case .publish(let program, _) = operation {
                try check("program-\(number)", 3, program.canonicalBytes)
            }
        }
        try check("genesis", 2, chain.genesis.canonicalBytes)
        try check("genesis-of-one", 2, Sample.genesisOfOne.canonicalBytes)
        try check("key-file-clear", 4, KeyFile(clear: Sample.key(1)).canonicalBytes)
        try check("key-file-sealed", 4, Self.sealedKeyFile)
        try check("certificate", 5, chain.certificate(3).canonicalBytes)
        try check("header", 6, chain.head.canonicalBytes)
        try check("vote", 8, chain.vote(1, height: 3).canonicalBytes)
        try check("holding", 9, [UInt8](repeating: 0, count: 16) + [1] + [UInt8](repeating: 0, count: 33))
        try check("log-tree", 10, chain.trees.logs(at: 6)![.keys]!.canonicalBytes)
        try check("sub-roots", 11, chain.blocks[5].roots.canonicalBytes)
        try check("account", 12, Array(Sample.account(7).description.utf8))
        try check("step", 13, LightChain.step(5, from: 4).canonicalBytes)
        try check("manifest", 14, Array(Self.manifest.canonicalBytes.dropLast(Digest.byteCount)))
        try check("row", 15, SnapshotRow(key: [1, 2], value: [3]).canonicalBytes)
    }

    private static var manifest: SnapshotManifest {
        let chain = SampleChain.grown
        var dropped = AppendTree()
        dropped.append(sample(1))
        return SnapshotManifest(
            genesis: chain.genesis.hash, changes: [LightChain.step(5)], headers: chain.headers(4...5),
            certificate: chain.certificate(5), carried: chain.certificate(4), roots: chain.blocks[5].roots,
            dropped: dropped, chunks: [.init(.accounts, [1]), .init(.keys, [2, 3])])
    }

    /// Written out, since a sealed file has another salt each time.
    private static var sealedKeyFile: [UInt8] {
        var encoder = Encoder()
        encoder.fixed(Array("LFKEY".utf8) + [1])
        encoder.variant(1)
        encoder.u64(2)
        encoder.u64(64 << 20)
        encoder.fixed([UInt8](repeating: 3, count: 16 + 24 + 48))
        encoder.value(Sample.key(1).publicKey)
        return encoder.bytes
    }

    private static func file(_ name: String) -> String {
        name.replacing(",", with: "").replacing(" ", with: "-")
    }
}
