import Canonical
import Chain
import Crypto
import Ledger
import Testing

extension VectorTests {
    @Test func headers() throws {
        let chain = SampleChain.grown
        let all = chain.blocks.map(\.header) + [Self.headerOfEnds]
        for header in all { #expect(try Header(canonicalBytes: header.canonicalBytes) == header) }
        let times: [(UInt64, [UInt64]?)] = [
            (0, nil), (1000, nil), (1000, [1]), (1000, [1001]), (1000, [5000, 9000]), (1000, [2000, 9000, 3000]),
            (1000, [4000, 1, 3000, 2]), (1000, [1, 1, .max]), (5, [6, 6, 6, 6]), (7, [.max]),
            (Genesis.timeMax, nil), (Genesis.timeMax, [.max]), (7, [Genesis.timeMax, .max]),
        ]
        let rules = times.map { parent, signed in
            [
                "parent": .u64(parent), "times": .optional(signed) { .list($0) { .u64($0) } },
                "time": .u64(Header.time(parent: parent, certificate: signed.map(Self.certificate(times:)))),
            ] as VectorValue
        }
        try VectorFile.check(
            "headers", about: "Headers: fields, bytes, hash; block time from the parent's and a certificate's times.",
            [
                (
                    "headers",
                    .list(all) { ["fields": $0.vector, "bytes": .bytes(of: $0), "hash": .bytes(of: $0.hash)] }
                ), ("times", .list(rules)),
            ])
    }

    private static let headerOfEnds = Header(
        height: .max, parent: sample(1), entry: sample(2), transactions: sample(3), receipts: sample(4),
        state: sample(5), validators: sample(6), nextValidators: sample(7), rulesVersion: .max, time: .max,
        certificate: sample(8))

    static func certificate(times: [UInt64]) -> Certificate {
        Certificate(
            epoch: 0, height: 1, header: .zero,
            signatures: times.enumerated().map { index, time in
                .init(
                    validator: OrganisationID(UInt32(index)), time: time,
                    signature: Signature(bytes: [UInt8](repeating: 0, count: 64)))
            })
    }

    @Test func votes() throws {
        let genesis = Sample.genesis.hash
        let votes = [
            Vote(
                signing: sample(1), height: 1, epoch: 0, time: 0, genesis: genesis, validator: OrganisationID(1),
                key: Sample.key(1)),
            Vote(
                signing: .zero, height: .max, epoch: .max, time: .max, genesis: genesis, validator: OrganisationID(4),
                key: Sample.key(4)),
        ]
        for vote in votes {
            #expect(vote.verifies(genesis: genesis, in: ValidatorSet(Sample.genesis)))
            #expect(try Vote(canonicalBytes: vote.canonicalBytes) == vote)
        }
        try VectorFile.check(
            "votes", about: "Votes: fields, signed bytes, signature from a fixed seed, bytes.",
            [
                ("genesis", .bytes(of: genesis)),
                (
                    "votes",
                    .list(votes) {
                        [
                            "epoch": .number($0.epoch), "height": .u64($0.height), "round": .number($0.round),
                            "phase": .number($0.phase.rawValue), "header": .bytes(of: $0.header), "time": .u64($0.time),
                            "validator": .number($0.validator.number),
                            "seed": .hex(Sample.seed(UInt8($0.validator.number))),
                            "signed": .hex(
                                Vote.signedBytes(
                                    genesis: genesis, epoch: $0.epoch, height: $0.height, round: $0.round,
                                    phase: $0.phase, header: $0.header, time: $0.time)),
                            "signature": .bytes(of: $0.signature), "bytes": .bytes(of: $0),
                        ]
                    }
                ),
            ])
    }

    @Test func certificates() throws {
        let chain = SampleChain.grown
        let genesis = chain.genesis.hash
        let good = chain.certificate(3, by: [1, 2, 3, 4])
        var cases: [(Certificate, String?)] = [(good, nil), (chain.certificate(2), nil)]
        for sample in CertificateTests.refused { cases.append((sample.certificate, "\(sample.refusal)")) }
        let certificates = cases.map { certificate, refusal in
            let found: Certificate.Refusal? =
                switch Result(catching: { () throws(Certificate.Refusal) in
                    try certificate.verify(genesis: genesis, set: chain.set)
                }) {
                case .success: nil
                case .failure(let refusal): refusal
                }
            #expect(found.map { "\($0)" } == refusal)
            return [
                "fields": certificate.vector, "bytes": .bytes(of: certificate), "hash": .bytes(of: certificate.hash),
                "medianTime": .u64(certificate.medianTime), "refusal": .optional(refusal) { .text($0) },
            ] as VectorValue
        }
        let quorums = (1...100).map { count in
            let set = ValidatorSet(
                (1...count).map { Validator(id: OrganisationID(UInt32($0)), key: Sample.key(1).publicKey) })
            return ["n": .number(count), "f": .number(set.faulty), "q": .number(set.quorum)] as VectorValue
        }
        try VectorFile.check(
            "certificates",
            about:
                "Certificates: fields, bytes, hash, lower median of the times, why refused; f and q of n validators.",
            [
                ("genesis", .bytes(of: genesis)), ("validators", .bytes(of: chain.set)),
                ("certificates", .list(certificates)), ("quorums", .list(quorums)),
            ])
    }

    @Test func lists() throws {
        let lists = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 33].map { count in
            let leaves = (0..<count).map(sample)
            return [
                "leaves": .list(leaves) { .bytes(of: $0) }, "root": .bytes(of: MerkleTree.root(of: leaves)),
                "countedRoot": .bytes(of: MerkleTree.countedRoot(of: leaves)),
                "paths": .list(Array(0..<count)) { .bytes(of: MerkleTree.path(of: $0, in: leaves)) },
            ] as VectorValue
        }
        try VectorFile.check(
            "lists", about: "Merkle trees over lists: roots, roots over length and root, every leaf's path.",
            [("lists", .list(lists))])
    }

    @Test func state() throws {
        let sets: [[(key: Digest, value: Digest)]] = [
            [], [(sample(1), sample(2))], (0..<20).map { (sample($0), sample($0 + 100)) },
            [(Digest(0, 0, 0, 0), sample(1)), (Digest(0, 0, 0, 2), sample(2))],
            (0..<40).map { (StateTreeTests.crowded($0), sample($0)) },
        ]
        let trees = sets.map { pairs in
            let tree = StateTree(building: pairs)
            let keys =
                pairs.map(\.key) + (200..<206).map(sample) + [
                    Digest(0, 0, 0, 1), Digest(0, 0, 1, 0), Digest(1 << 63, 0, 0, 0),
                ]
            let proofs = keys.map { key in
                let proof = tree.prove(key, in: tree.head)!
                let value = tree.value(of: key, in: tree.head)
                #expect(proof.verify(key: key, value: value, root: tree.root))
                return [
                    "key": .bytes(of: key), "value": .optional(value) { .bytes(of: $0) }, "proof": .bytes(of: proof),
                ] as VectorValue
            }
            return [
                "pairs": .list(pairs) { .list([.bytes(of: $0.key), .bytes(of: $0.value)]) },
                "root": .bytes(of: tree.root), "proofs": .list(proofs),
            ] as VectorValue
        }
        let chain = SampleChain.grown
        let roots = chain.blocks.map(\.roots) + [SubRoots([])]
        var holdings: [VectorValue] = []
        for (place, summary) in chain.holdings[5].sorted(by: { $0.key.account < $1.key.account }) {
            holdings.append([
                "account": .bytes(of: place.account), "unit": .text(place.unit.description), "summary": summary.vector,
                "bytes": .bytes(of: summary),
                "leafKey": .bytes(of: Table.leafKey(place.account.bytes + place.unit.paddedBytes)),
                "leafValue": .bytes(of: Table.leafValue(summary.canonicalBytes)),
            ])
        }
        try VectorFile.check(
            "state",
            about: "State trees: pairs, root, proofs of what is there and what is not; sub-roots; leaves of holdings.",
            [
                ("trees", .list(trees)),
                (
                    "subRoots",
                    .list(roots) {
                        ["roots": $0.vector, "bytes": .bytes(of: $0), "stateRoot": .bytes(of: $0.stateRoot)]
                    }
                ), ("holdings", .list(holdings)),
            ])
    }

    @Test func proofs() throws {
        let genesis = SampleChain.grown.genesis
        let cases = try ProofTests.proofs.map { name, proof in
            let verified = try proof.verify(genesis: genesis)
            return [
                "name": .text(name), "subject": verified.subject.vector, "height": .u64(verified.height),
                "time": .u64(verified.time),
                "stateRoot": .bytes(of: verified.stateRoot), "signers": .list(verified.signers) { .number($0.number) },
                "validators": .number(verified.validators), "quorum": .number(verified.quorum),
                "bytes": .bytes(of: proof),
            ] as VectorValue
        }
        let refused = ProofTests.refused.map { name, proof, refusal in
            ["name": .text(name), "refusal": .text(refusal.name), "bytes": .bytes(of: proof)] as VectorValue
        }
        try VectorFile.check(
            "proofs", about: "Whole proofs of balances and receipts with their genesis, and proofs that do not hold.",
            [("genesis", .bytes(of: genesis)), ("proofs", .list(cases)), ("refused", .list(refused))])
    }

    @Test func sideProofs() throws {
        typealias S = SideProofTests
        let further = [4, 6].map { anchored in
            (
                "receipt with portions, later anchored",
                SideProof(S.chain.receiptProof(height: 3, index: 0, certified: anchored)), S.chain.anchor(anchored)
            )
        }
        let sibling = (
            "receipt on another side ledger", SideProof(S.sibling.receiptProof(height: 1, index: 0)),
            S.sibling.anchor(1)
        )
        let here = (
            "receipt of the same transaction", SideProof(S.chain.receiptProof(height: 1, index: 0)), S.chain.anchor(1)
        )
        let cases = try (S.proofs + further + [here, sibling]).map { name, proof, anchor in
            let verified = try proof.verify(under: anchor)
            return [
                "name": .text(name), "genesis": .bytes(of: anchor.genesis), "anchorHeight": .u64(anchor.height),
                "header": .bytes(of: anchor.header), "anchor": .bytes(of: anchor),
                "subject": verified.subject.vector, "height": .u64(verified.height), "time": .u64(verified.time),
                "key": .bytes(of: verified.key), "bytes": .bytes(of: proof),
            ] as VectorValue
        }
        let refused = S.refused.map { name, proof, anchor, refusal in
            [
                "name": .text(name), "anchor": .bytes(of: anchor), "refusal": .text(refusal.name),
                // Without headers it is refused when it is read.
                "readable": .bool((try? SideProof(canonicalBytes: proof.canonicalBytes)) == proof),
                "bytes": .bytes(of: proof),
            ] as VectorValue
        }
        try VectorFile.check(
            "side-proofs",
            about: """
                Proofs of a side ledger, each with its anchor and the key that its claim has, whatever anchor it comes \
                by; proofs that do not hold under an anchor, and why.
                """,
            [("proofs", .list(cases)), ("refused", .list(refused))])
    }

    @Test func lightClient() throws {
        typealias C = LightChain
        let genesis = C.genesis
        var client = LightClient(genesis)
        let steps = try LightClientTests.way.map { step throws -> VectorValue in
            try client.advance(to: step)
            #expect(try LightStep(canonicalBytes: step.canonicalBytes) == step)
            return [
                "height": .u64(client.trusted.height), "header": .bytes(of: client.trusted.hash!),
                "validators": .bytes(of: client.validators.hash), "bytes": .bytes(of: step),
            ]
        }
        let forgeries = LightClientTests.forgeries.map { name, after, step, refusal in
            [
                "name": .text(name), "after": .number(after), "refusal": .text(refusal.name),
                // What no step can be is refused when it is read.
                "readable": .bool((try? LightStep(canonicalBytes: step.canonicalBytes)) == step),
                "bytes": .bytes(of: step),
            ] as VectorValue
        }
        let start = C.headers[8]
        try VectorFile.check(
            "light",
            about: """
                A light client's way over changes of the validators, each step with its certificate; forged steps, \
                after how many good ones they are shown, and why they are refused; a checkpoint from which the way \
                goes on at its fourth step; a proof of a height after two of the steps.
                """,
            [
                ("genesis", .bytes(of: genesis)), ("steps", .list(steps)), ("forgeries", .list(forgeries)),
                (
                    "checkpoint",
                    [
                        "height": .u64(start.height), "hash": .bytes(of: start.hash), "header": .bytes(of: start),
                        "validators": .bytes(of: C.validators(9)), "skips": 3,
                    ]
                ),
                ("proof", ["needs": 2, "height": "7", "signers": [2, 3, 5], "bytes": .bytes(of: C.receiptProof)]),
            ])
    }
}

extension LightClient.Refusal {
    var name: String {
        switch self {
        case .step(let fault): "\(fault)"
        case .certificate(let refusal): "\(refusal)"
        }
    }
}

extension Proof.Refusal {
    var name: String {
        switch self {
        case .genesis: "genesis"
        case .headers: "headers"
        case .validators: "validators"
        case .certificate: "certificate"
        case .state: "state"
        case .path: "path"
        }
    }
}

extension SideProof.Refusal {
    var name: String {
        switch self {
        case .genesis: "genesis"
        case .headerCount: "headerCount"
        case .anchorBelow: "anchorBelow"
        case .headersBroken: "headersBroken"
        case .heightForeign: "heightForeign"
        case .headerForeign: "headerForeign"
        case .subject(let fault): "\(fault)"
        }
    }
}
