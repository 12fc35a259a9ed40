import Canonical
import Chain
import Crypto
import Glibc
import Ledger

/// Reads and verifies proofs against the genesis of the golden vectors, and side proofs against an anchor of the header
/// that they end with. The closing digest is made to fit first, so that what stands before it is put to the test; the
/// seeds are the proofs of the golden vectors.
@main enum FuzzProof {
    static func main() {
        exit(
            runFuzzer { start, count in
                let content = Array(bytes(start, count).dropLast(Digest.byteCount))
                if content.starts(with: Array("LFSIDE".utf8)) {
                    FuzzProof.side(content + SHA256.hash(.sideProof, content).bytes)
                    return 0
                }
                let whole = content + SHA256.hash(.proof, content).bytes
                guard let proof = try? Proof(canonicalBytes: whole) else { return 0 }
                precondition(proof.canonicalBytes == whole, "another form of the same proof")
                FuzzProof.verify(proof)
                FuzzProof.walk(proof.subject)
                return 0
            })
    }

    /// Nobody but a quorum signs, so only headers that it did sign can stand under a proof that holds.
    private static func verify(_ proof: Proof) {
        do throws(Proof.Refusal) {
            let verified = try proof.verify(genesis: genesis)
            precondition(verified.signers.count >= verified.quorum)
            precondition(Set(verified.signers).count == verified.signers.count)
            precondition(verified.height == proof.headers[0].height)
        } catch {
            precondition(!error.description.isEmpty)
        }
    }

    private static func side(_ whole: [UInt8]) {
        guard let proof = try? SideProof(canonicalBytes: whole), let last = proof.headers.last else { return }
        precondition(proof.canonicalBytes == whole, "another form of the same proof")
        walk(proof.subject)
        let anchor = SideAnchor(genesis: proof.genesis, height: last.height, header: last.hash)
        do throws(SideProof.Refusal) {
            let verified = try proof.verify(under: anchor)
            precondition(verified.height == proof.headers[0].height && verified.height <= anchor.height)
            precondition(last.height - verified.height == UInt64(proof.headers.count - 1), "a height was left out")
        } catch {
            precondition(!error.description.isEmpty)
        }
        let foreign = SideAnchor(genesis: proof.genesis, height: last.height, header: proof.genesis)
        precondition((try? proof.verify(under: foreign)) == nil, "a header that is not anchored")
    }

    /// The paths once more by themselves: a certificate that does not hold would hide them.
    private static func walk(_ subject: Proof.Subject) {
        switch subject {
        case .balance(let account, let unit, let summary, let roots, let path):
            let value = summary.map { Table.leafValue($0.canonicalBytes) }
            let key = Table.leafKey(account.bytes + unit.paddedBytes)
            let holds = path.verify(key: key, value: value, root: roots[.holdings])
            let turned = path.verify(key: key, value: value == nil ? .zero : nil, root: roots[.holdings])
            precondition(!(holds && turned), "one path proves presence and absence")
        case .receipt(let receipt, let path):
            precondition(path.root(leaf: Proof.leaf(receipt)) != nil, "a path that is read has a root")
        }
    }

    private static let genesis: Genesis = {
        func key(_ number: UInt8) -> PublicKey {
            SecretKey(seed: [UInt8](repeating: number, count: SecretKey.seedCount)).publicKey
        }
        func organisation(_ number: UInt8, _ name: String, votes: Bool = true, quota: UInt64) -> GenesisOrganisation {
            GenesisOrganisation(
                id: OrganisationID(UInt32(number)), name: name, votingKey: votes ? key(number) : nil,
                issuingKey: key(100 + number), governingKey: key(200 + number), quota: quota)
        }
        let genesis = Genesis(
            chain: "vectors", time: 1_700_000_000_000, rulesVersion: 1, orderingEpoch: Array(0..<16),
            organisations: [
                organisation(1, "Mall of the North", quota: 1_000_000_000), organisation(2, "联分", quota: .max),
                organisation(3, "Çarşı", quota: 1), organisation(4, "4", quota: 1_000_000),
                organisation(9, "Only issues", votes: false, quota: 0),
            ])
        precondition("\(genesis.hash)" == hashOfVectors, "the genesis of the golden vectors is another one")
        return genesis
    }()

    private static let hashOfVectors = "8deffbc028161160e4b92682511eb73adffa1790d7894c7ca9c63163ac8a2093"
}
