import Canonical
import Chain
import Crypto
import Glibc
import Ledger

/// The first byte chooses what the others are read as. Whatever is read must be written as the very same bytes, since
/// bytes are what is hashed and signed.
@main enum FuzzCanonical {
    static func main() {
        exit(
            runFuzzer { start, count in
                let input = bytes(start, count)
                guard let choice = input.first else { return 0 }
                let content = Array(input.dropFirst())
                switch choice {
                case 0: FuzzCanonical.envelope(content)
                case 1: FuzzCanonical.entry(content)
                case 2: FuzzCanonical.genesis(content)
                case 3: FuzzCanonical.same(content, Program.self) { _ = $0.expiry(earnedAt: Genesis.timeMax) }
                case 4: FuzzCanonical.same(content, KeyFile.self) { precondition("\($0)".contains("key file of")) }
                case 5: FuzzCanonical.certificate(content)
                case 6: FuzzCanonical.same(content, Header.self) { _ = $0.hash }
                case 7: FuzzCanonical.same(content, Receipt.self) { _ = Proof.leaf($0) }
                case 8: FuzzCanonical.same(content, Vote.self) { _ = $0.signature }
                case 9: FuzzCanonical.same(content, Holding.self) { _ = $0.lots }
                case 10: FuzzCanonical.same(content, StateTrees.LogTree.self) { _ = $0.tree.root }
                case 11: FuzzCanonical.same(content, SubRoots.self) { _ = $0.stateRoot }
                case 12: FuzzCanonical.text(content)
                case 13: FuzzCanonical.step(content)
                case 14: FuzzCanonical.manifest(content)
                case 15: FuzzCanonical.same(content, SnapshotRow.self) { _ = $0.key }
                default: break
                }
                return 0
            })
    }

    private static func same<V: Canonical>(_ content: [UInt8], _ type: V.Type, _ use: (V) -> Void) {
        guard let value = try? V(canonicalBytes: content) else { return }
        precondition(value.canonicalBytes == content, "another form of the same \(V.self)")
        use(value)
    }

    private static func envelope(_ content: [UInt8]) {
        guard let transaction = try? Transaction(envelope: content) else { return }
        precondition(transaction.bytes == content)
        let again = Transaction(body: transaction.body, signatures: transaction.signatures)
        precondition(again.bytes == content && again.id == transaction.id, "another form of the same transaction")
        _ = transaction.signaturesVerify(genesis: .zero)
        _ = transaction.body.runsFirst
    }

    private static func step(_ content: [UInt8]) {
        same(content, LightStep.self) { step in
            guard let set = step.set, let first = step.headers.first,
                var client = try? LightClient(
                    genesis: .zero, checkpoint: Checkpoint(height: first.height, header: first.hash), header: first,
                    set: set)
            else { return }
            try? client.advance(to: step)
            try? client.verify(step.headers, by: step.certificate)
        }
    }

    /// Without its closing digest, which is put behind it.
    private static func manifest(_ content: [UInt8]) {
        same(content + SHA256.hash(.snapshot, content).bytes, SnapshotManifest.self) { manifest in
            _ = manifest.byteCount
        }
    }

    /// Without its signature, which is put behind it: a fuzzer does not guess one.
    private static func entry(_ content: [UInt8]) {
        let key = FuzzCanonical.proposer
        let set = ValidatorSet([Validator(id: OrganisationID(4), key: key.publicKey)])
        var decoder = Decoder(content)
        guard let position = try? decoder.u64(), let previous: Digest = try? decoder.value() else { return }
        let message = Domain.entrySignature.prefix + Digest.zero.bytes + SHA256.hash(.entry, content).bytes
        let raw = content + key.sign(message).canonicalBytes
        let rules = Genesis.rulesVersionsKnown.upperBound
        guard
            let entry = try? Entry(
                raw: raw, position: position, previous: previous, genesis: .zero, set: set, rules: rules)
        else { return }
        precondition(entry.signed(genesis: .zero, key: key) == raw, "another form of the same entry")
    }

    private static let proposer = SecretKey(seed: [UInt8](repeating: 4, count: SecretKey.seedCount))

    /// A genesis that is read can be started from.
    private static func genesis(_ content: [UInt8]) {
        same(content, Genesis.self) { genesis in
            let set = ValidatorSet(genesis)
            precondition((1...set.count).contains(set.quorum))
            _ = StateTrees(genesis: genesis).headRoots.stateRoot
            _ = Header.time(parent: genesis.time, certificate: nil)
        }
    }

    private static func certificate(_ content: [UInt8]) {
        same(content, Certificate.self) { certificate in
            _ = certificate.hash
            _ = Header.time(parent: 0, certificate: certificate)
            let set = ValidatorSet([Validator(id: OrganisationID(4), key: proposer.publicKey)])
            _ = try? certificate.verify(genesis: .zero, set: set)
        }
    }

    /// An account id has one text in lower case and one in upper case.
    private static func text(_ content: [UInt8]) {
        guard let text = String(validating: content, as: UTF8.self), let id = try? AccountID(text: text) else { return }
        precondition(id.description == text || id.description.uppercased() == text, "another text of the same account")
    }
}
