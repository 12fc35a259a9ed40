import Canonical
import Chain
import Crypto
import Testing

@Suite struct StateProofTests {
    let tree = StateTree(building: (0..<60).map { (sample($0), sample($0 + 100)) })
    /// Two keys that part at the last bit but one: nearly all siblings of their proofs are empty.
    let close = StateTree(building: [(Digest(0, 0, 0, 0), sample(1)), (Digest(0, 0, 0, 2), sample(2))])

    /// Proofs of presence and of both kinds of absence, with what they prove.
    private var cases: [(proof: StateProof, key: Digest, value: Digest?, root: Digest)] {
        var cases: [(StateProof, Digest, Digest?, Digest)] = []
        for number in [0, 1, 59] {
            cases.append((tree.prove(sample(number), in: tree.head)!, sample(number), sample(number + 100), tree.root))
        }
        for number in 60..<70 {
            cases.append((tree.prove(sample(number), in: tree.head)!, sample(number), nil, tree.root))
        }
        for (key, value) in [
            (Digest(0, 0, 0, 0), sample(1)), (Digest(0, 0, 0, 2), sample(2)), (Digest(0, 0, 0, 1), nil),
            (Digest(0, 0, 1, 0), nil), (Digest(1 << 63, 0, 0, 0), nil),
        ] as [(Digest, Digest?)] {
            cases.append((close.prove(key, in: close.head)!, key, value, close.root))
        }
        cases.append((StateTree().prove(sample(1), in: StateTree().head)!, sample(1), nil, .zero))
        return cases
    }

    @Test func provesWhatIsThereAndWhatIsNot() throws {
        var ends = (own: 0, empty: 0, other: 0)
        for (proof, key, value, root) in cases {
            #expect(proof.verify(key: key, value: value, root: root))
            #expect(!proof.verify(key: key, value: value == nil ? sample(3) : nil, root: root))
            #expect(!proof.verify(key: key, value: sample(3), root: root))
            #expect(!proof.verify(key: key, value: value, root: sample(4)))
            #expect(try StateProof(canonicalBytes: proof.canonicalBytes) == proof)
            switch proof.end {
            case .own: ends.own += 1
            case .empty: ends.empty += 1
            case .other: ends.other += 1
            }
        }
        #expect(ends.own > 0 && ends.empty > 0 && ends.other > 0)
    }

    @Test func changedBitIsRefusedOrFails() {
        for (proof, key, value, root) in cases {
            for (bit, bytes) in bitFlips(of: proof.canonicalBytes).enumerated() {
                guard let changed = try? StateProof(canonicalBytes: bytes) else { continue }
                #expect(!changed.verify(key: key, value: value, root: root), "bit \(bit) of \(proof)")
            }
        }
    }

    @Test func shortenedOrLengthenedBytesAreRefused() {
        for (proof, _, _, _) in cases {
            let bytes = proof.canonicalBytes
            for count in 0..<bytes.count {
                #expect(throws: DecodingError.self) { try StateProof(canonicalBytes: Array(bytes.prefix(count))) }
            }
            #expect(throws: DecodingError.self) { try StateProof(canonicalBytes: bytes + [0]) }
        }
    }

    @Test func proofOfOneKeyProvesNoOther() {
        for (proof, key, _, root) in cases {
            for other in 0..<80 where sample(other) != key {
                #expect(!proof.verify(key: sample(other), value: sample(other + 100), root: root))
                guard tree.value(of: sample(other), in: tree.head) != nil, root == tree.root else { continue }
                #expect(!proof.verify(key: sample(other), value: nil, root: root))
            }
        }
    }

    @Test func bytesThatSayTheSameDifferentlyAreRefused() {
        let sibling = sample(1).bytes
        let zero = Digest.zero.bytes
        for bytes in [
            [3, 0],  // no such end
            [0, 1, 0x80] + zero,  // an empty sibling written out
            [0, 1, 0x00],  // an empty sibling at the deepest place
            [0, 2, 0x80] + sibling,  // the same, one deeper
            [0, 1, 0xC0] + sibling + sibling,  // more than the depth
            [0, 1, 0x81] + sibling,
            [0, 0x81, 0x02] + [UInt8](repeating: 0, count: 32) + [0x80] + sibling,  // 257 levels
            [0, 0x80, 0x00],  // a length of zero in two bytes
        ] {
            #expect(throws: DecodingError.self) { try StateProof(canonicalBytes: bytes) }
        }
        #expect(throws: Never.self) { try StateProof(canonicalBytes: [0, 1, 0x80] + sibling) }
        #expect(throws: Never.self) { try StateProof(canonicalBytes: [0, 2, 0x40] + sibling) }
    }
}
