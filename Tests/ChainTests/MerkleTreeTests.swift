import Canonical
import Chain
import Crypto
import Testing

@Suite struct MerkleTreeTests {
    let leaves = (0..<300).map(sample)

    @Test func rootsOfEverySizeAreThoseOfTheDefinition() throws {
        var growing = AppendTree()
        for count in 0...leaves.count {
            let root = MerkleTree.root(of: Array(leaves.prefix(count)))
            #expect(root == TreeModel.listRoot(leaves.prefix(count)), "\(count) leaves")
            #expect(growing.root == root, "\(count) leaves")
            #expect(growing.count == count)
            #expect(try AppendTree(canonicalBytes: growing.canonicalBytes) == growing)
            if count < leaves.count { growing.append(leaves[count]) }
        }
    }

    @Test func rootsAreFrozen() {
        #expect(MerkleTree.root(of: []) == .zero)
        #expect(MerkleTree.root(of: [sample(7)]) == sample(7))
        #expect(
            MerkleTree.root(of: leaves).description
                == "b8956c3c53e541681826086e1b2ae88ee1b27ecdf82b031c0ad597c36de901df")
    }

    @Test func everyPathOfSmallListsLeadsToTheRoot() throws {
        for count in 1...33 {
            let list = Array(leaves.prefix(count))
            let root = MerkleTree.root(of: list)
            for index in 0..<count {
                let path = MerkleTree.path(of: index, in: list)
                #expect(path.root(leaf: list[index]) == root, "leaf \(index) of \(count)")
                #expect(path.root(leaf: sample(999)) != root)
                #expect(try MerklePath(canonicalBytes: path.canonicalBytes) == path)
            }
        }
    }

    @Test(arguments: [(0, 1), (0, 2), (4, 5), (2, 6), (12, 13), (6, 13)])
    func changedPathIsRefusedOrFails(index: Int, count: Int) {
        let list = Array(leaves.prefix(count))
        let root = MerkleTree.root(of: list)
        let path = MerkleTree.path(of: index, in: list)
        for (bit, bytes) in bitFlips(of: path.canonicalBytes).enumerated() {
            guard let changed = try? MerklePath(canonicalBytes: bytes) else { continue }
            // The claimed length is not in the root: a leaf on the left edge may have the same siblings in a list of
            // another length. The place of the leaf and its digest are what a path proves.
            if changed.index == path.index && changed.siblings == path.siblings { continue }
            #expect(changed.root(leaf: list[index]) != root, "bit \(bit)")
        }
    }

    /// The root of a block's list holds its length, so nothing of a path may change.
    @Test(arguments: [(0, 1), (0, 2), (0, 3), (4, 5), (2, 3), (2, 6), (12, 13), (6, 13)])
    func changedPathMissesTheCountedRoot(index: Int, count: Int) {
        let list = Array(leaves.prefix(count))
        let path = MerkleTree.path(of: index, in: list)
        let root = MerkleTree.countedRoot(of: list)
        #expect(path.countedRoot(leaf: list[index]) == root)
        for (bit, bytes) in bitFlips(of: path.canonicalBytes).enumerated() {
            guard let changed = try? MerklePath(canonicalBytes: bytes) else { continue }
            #expect(changed.countedRoot(leaf: list[index]) != root, "bit \(bit)")
        }
    }

    /// By the bare root alone, the third leaf of three could be shown as the second of two.
    @Test func placeIsProvedByTheCountedRoot() throws {
        let list = Array(leaves.prefix(3))
        let path = MerkleTree.path(of: 2, in: list)
        let moved = MerklePath(index: 1, count: 2, siblings: path.siblings)
        #expect(moved.root(leaf: list[2]) == MerkleTree.root(of: list))
        #expect(moved.countedRoot(leaf: list[2]) != MerkleTree.countedRoot(of: list))
        #expect(MerkleTree.countedRoot(of: []) == .zero)
    }

    @Test func pathOfTheWrongShapeHasNoRoot() {
        let siblings = MerkleTree.path(of: 3, in: Array(leaves.prefix(7))).siblings
        #expect(MerklePath(index: 3, count: 7, siblings: Array(siblings.dropLast())).root(leaf: leaves[3]) == nil)
        #expect(MerklePath(index: 3, count: 7, siblings: siblings + [.zero]).root(leaf: leaves[3]) == nil)
        #expect(MerklePath(index: 7, count: 7, siblings: siblings).root(leaf: leaves[3]) == nil)
        #expect(MerklePath(index: -1, count: 7, siblings: siblings).root(leaf: leaves[3]) == nil)
        #expect(MerklePath(index: 0, count: 0, siblings: []).root(leaf: leaves[3]) == nil)
    }

    @Test func pathOutsideItsBoundsIsRefused() {
        func encoded(_ index: UInt64, _ count: UInt64, _ siblings: Int) -> [UInt8] {
            var encoder = Encoder()
            encoder.u64(index)
            encoder.u64(count)
            encoder.sequence((0..<siblings).map(sample))
            return encoder.bytes
        }
        for (index, count, siblings) in [
            (1, 1, 0), (0, 0, 0), (0, 2, 0), (0, 2, 2), (0, 1 << 63, 63), (UInt64.max, UInt64.max, 64),
            (0, UInt64(Int.max), 64), (0, UInt64(Int.max), 65),
        ] as [(UInt64, UInt64, Int)] {
            #expect(throws: DecodingError.self) { try MerklePath(canonicalBytes: encoded(index, count, siblings)) }
        }
        #expect(throws: Never.self) { try MerklePath(canonicalBytes: encoded(0, UInt64(Int.max), 63)) }
    }

    @Test func appendTreeOutsideItsBoundsIsRefused() throws {
        func encoded(_ count: UInt64, _ peaks: Int) -> [UInt8] {
            var encoder = Encoder()
            encoder.u64(count)
            encoder.sequence((0..<peaks).map(sample))
            return encoder.bytes
        }
        for (count, peaks) in [(0, 1), (1, 0), (3, 1), (3, 3), (1 << 48, 1), (UInt64.max, 64)] as [(UInt64, Int)] {
            #expect(throws: DecodingError.self) { try AppendTree(canonicalBytes: encoded(count, peaks)) }
        }
        var last = try AppendTree(canonicalBytes: encoded(1 << 48 - 1, 48))
        last.append(sample(1))
        #expect(last.count == AppendTree.countMax)
    }
}
