import Canonical
import Crypto
import Dispatch
import TestSupport
import Testing

@testable import Chain

@Suite struct StateTreeTests {
    /// Keys that share long prefixes: levels at which only one side is taken are where a compact trie goes wrong.
    static func crowded(_ number: Int) -> Digest {
        let spread: [UInt64] = [0, 1, 0x8000_0000_0000_0000, 0x00ff_0000_0000_0000]
        return Digest(
            spread[number & 3], spread[number >> 2 & 3], spread[number >> 4 & 1] ^ UInt64(number >> 6),
            UInt64(number >> 5 & 1))
    }

    @Test func rootsAreFrozen() {
        #expect(StateTree().root == .zero)
        let one = StateTree(building: [(sample(1), sample(2))])
        #expect(one.root.description == "4634cf88b2e9f1ddf6dfca5ac5ad51df2e66b9cba06f79ee0ce9867b465a96a5")
        let many = StateTree(building: (0..<1000).map { (sample($0), sample($0 + 1)) })
        #expect(many.root.description == "7352f4de0a95733d8cdf4cb622cf8be7bd8d524088b43a9f079eba4e90f86731")
        let deep = StateTree(building: (0..<64).map { (Self.crowded($0), sample($0)) })
        #expect(deep.root.description == "29568e8b0a4fb3e9b04535ef966b2a74337239035846e219e69ccedbba994591")
    }

    /// Every set of up to four keys, reached from every other such set in one update.
    @Test func smallSetsExhaustively() {
        let keys = [0, 1, 8, 37].map(Self.crowded)
        func pairs(_ set: Int) -> [Digest: Digest] {
            var pairs: [Digest: Digest] = [:]
            for (index, key) in keys.enumerated() where set >> index & 1 == 1 { pairs[key] = sample(index) }
            return pairs
        }
        for from in 0..<16 {
            for to in 0..<16 {
                var tree = StateTree(building: pairs(from).map { ($0.key, $0.value) })
                #expect(tree.root == TreeModel.stateRoot(pairs(from)), "set \(from)")
                let version = tree.update(keys.map { ($0, pairs(to)[$0]) })
                #expect(version.root == TreeModel.stateRoot(pairs(to)), "set \(from) to \(to)")
                for key in keys {
                    #expect(tree.value(of: key, in: version) == pairs(to)[key])
                    let proof = tree.prove(key, in: version)
                    #expect(proof?.verify(key: key, value: pairs(to)[key], root: version.root) == true)
                }
            }
        }
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func randomUpdatesAgreeWithTheModel(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let key = seed % 2 == 0 ? Self.crowded : sample
        var tree = StateTree()
        var model: [Digest: Digest] = [:]
        var versions = [(tree.head, model)]
        for step in 0..<150 {
            var changes: [(key: Digest, value: Digest?)] = []
            for _ in 0..<Int.random(in: 0...12, using: &random) {
                // Mostly growth first, mostly shrinking later, so that the tree is empty again at times.
                let removes = Int.random(in: 0..<10, using: &random) < (step / 50 == 1 ? 8 : 3)
                let value = removes ? nil : sample(Int.random(in: 0..<4, using: &random))
                changes.append((key(Int.random(in: 0..<90, using: &random)), value))
            }
            let version = tree.update(changes)
            for (key, value) in changes { model[key] = value }
            versions.append((version, model))
            try #require(version.root == TreeModel.stateRoot(model), "seed \(seed), step \(step)")
            if Int.random(in: 0..<3, using: &random) == 0 {
                let kept = Int.random(in: 1...8, using: &random)
                versions.removeFirst(max(0, versions.count - kept))
                tree.retire(before: versions[0].0)
            }
            let (old, oldModel) = versions[Int.random(in: 0..<versions.count, using: &random)]
            for number in 0..<90 {
                let value = oldModel[key(number)]
                try #require(tree.value(of: key(number), in: old) == value, "seed \(seed), step \(step)")
                guard number % 7 == step % 7 else { continue }
                let proof = try #require(tree.prove(key(number), in: old))
                try #require(proof.verify(key: key(number), value: value, root: old.root), "seed \(seed), step \(step)")
                try #require(try StateProof(canonicalBytes: proof.canonicalBytes) == proof)
            }
        }
    }

    /// Many changes at once are made part by part, on several threads: the tree is the same.
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func severalThreadsMakeTheSameTree(seed: UInt64) throws {
        let threads: StateTree.Parallel = { count, body in
            DispatchQueue.concurrentPerform(iterations: count, execute: body)
        }
        var random = SeededGenerator(seed: seed)
        let key = seed % 2 == 0 ? Self.crowded : sample
        var leaves = [StateTree.Leaves(), StateTree.Leaves(), StateTree.Leaves()]
        var model: [Digest: Digest] = [:]
        // Crowded numbers may mean one key.
        for number in 0..<3000 where Bool.random(using: &random) && model[key(number)] == nil {
            model[key(number)] = sample(number)
            leaves[number % 3].append(key(number), sample(number))
        }
        var tree = StateTree(building: leaves, parallel: threads)
        #expect(tree.root == TreeModel.stateRoot(model))
        var one = StateTree(building: model.map { ($0.key, $0.value) })
        for step in 0..<6 {
            let changes = (0..<1500).map { _ -> (key: Digest, value: Digest?) in
                let number = Int.random(in: 0..<3000, using: &random)
                return (key(number), Int.random(in: 0..<3, using: &random) == 0 ? nil : sample(step))
            }
            for (key, value) in changes { model[key] = value }
            let version = tree.update(changes, parallel: threads)
            #expect(version.root == one.update(changes).root)
            try #require(version.root == TreeModel.stateRoot(model), "seed \(seed), step \(step)")
            for number in stride(from: 0, to: 3000, by: 97) {
                let proof = try #require(tree.prove(key(number), in: version))
                #expect(proof == one.prove(key(number), in: one.head))
                #expect(proof.verify(key: key(number), value: model[key(number)], root: version.root))
            }
            if step == 3 { tree.retire(before: version) }
        }
    }

    @Test func rootDependsOnTheSetAlone() {
        var random = SeededGenerator(seed: 7)
        var pairs = (0..<400).map { (key: sample($0), value: sample($0 + 1)) }
        let built = StateTree(building: pairs)
        for _ in 0..<3 {
            pairs.shuffle(using: &random)
            #expect(StateTree(building: pairs).root == built.root)
            var grown = StateTree()
            for pair in pairs { grown.update([(pair.key, pair.value)]) }
            #expect(grown.root == built.root)
            grown.update((400..<500).map { (sample($0), sample(0)) } + [(sample(3), nil)])
            #expect(grown.root != built.root)
            grown.update((400..<500).map { (sample($0), nil) } + [(sample(3), sample(4))])
            #expect(grown.root == built.root)
            grown.update(pairs.map { ($0.key, nil) })
            #expect(grown.root == .zero)
        }
    }

    @Test func lastChangeOfAKeyWins() {
        var tree = StateTree()
        #expect(
            tree.update([(sample(1), sample(5)), (sample(2), sample(6)), (sample(1), nil)]).root
                == TreeModel.stateRoot([sample(2): sample(6)]))
        #expect(
            tree.update([(sample(2), nil), (sample(2), sample(7))]).root
                == TreeModel.stateRoot([sample(2): sample(7)]))
        let twice = StateTree(building: [(sample(2), sample(6)), (sample(1), sample(1)), (sample(2), sample(7))])
        #expect(twice.root == TreeModel.stateRoot([sample(1): sample(1), sample(2): sample(7)]))
    }

    @Test func updateThatChangesNothingTakesNoRoom() {
        var tree = StateTree(building: (0..<100).map { (sample($0), sample($0)) })
        let before = (tree.root, tree.byteCount)
        let version = tree.update((0..<100).map { (sample($0), sample($0)) } + (200..<300).map { (sample($0), nil) })
        #expect(version.number == 1)
        #expect((tree.root, tree.byteCount) == before)
    }

    @Test func retiredVersionsAreNotProved() {
        var tree = StateTree()
        let versions = (0..<4).map { tree.update([(sample(1), sample($0))]) }
        tree.retire(before: versions[2])
        #expect(tree.prove(sample(1), in: versions[1]) == nil)
        #expect(tree.value(of: sample(1), in: versions[1]) == nil)
        #expect(tree.value(of: sample(1), in: versions[2]) == sample(2))
        #expect(tree.value(of: sample(1), in: versions[3]) == sample(3))
        for number in 0..<StateTree.versionsMax { tree.update([(sample(1), sample(number))]) }
        #expect(tree.prove(sample(1), in: versions[3]) == nil)
    }

    @Test func versionOfAnotherTreeIsNotProved() {
        var (one, other) = (StateTree(), StateTree())
        let version = one.update([(sample(1), sample(2))])
        other.update([(sample(1), sample(3))])
        #expect(other.prove(sample(1), in: version) == nil)
    }

    @Test func arenaDoesNotGrowUnderSteadyChurn() {
        var random = SeededGenerator(seed: 11)
        // Many leaves to each part of the tree: a part has room for the most that it ever held.
        let count = 1000 * StateTree.partCount
        var tree = StateTree(building: (0..<count).map { (sample($0), sample(0)) })
        var versions = [tree.head]
        var settled = 0
        for step in 0..<600 {
            // As many keys come as go, eight versions are held.
            var changes: [(key: Digest, value: Digest?)] = (0..<160).map { _ in
                (sample(Int.random(in: 8 * step..<8 * step + count, using: &random)), sample(step))
            }
            for number in 8 * step..<8 * step + 8 {
                changes += [(sample(number), nil), (sample(number + count), sample(step))]
            }
            versions.append(tree.update(changes))
            if versions.count > 8 { versions.removeFirst() }
            tree.retire(before: versions[0])
            if step == 100 { settled = tree.byteCount }
        }
        #expect(tree.byteCount <= settled + settled / 20)
    }

    /// The same changes again and again take the room of the first time again, to the node.
    @Test func everyNodeReplacedIsUsedAgain() {
        var tree = StateTree(building: (0..<10).map { (sample($0), sample($0)) })
        var settled = 0
        for round in 0..<20 {
            var random = SeededGenerator(seed: 5)
            for step in 0..<40 {
                let changes: [(key: Digest, value: Digest?)] = (0..<9).map { _ in
                    let number = Int.random(in: 0..<64, using: &random)
                    return (Self.crowded(number), Bool.random(using: &random) ? nil : sample(step))
                }
                tree.retire(before: tree.update(changes))
            }
            tree.retire(before: tree.update((0..<64).map { (Self.crowded($0), nil) }))
            if round == 0 { settled = tree.byteCount }
        }
        #expect(tree.byteCount == settled)
    }

    @Test func leafTakesWhatIsSaid() {
        let tree = StateTree(building: (0..<5000).map { (sample($0), sample(0)) })
        #expect(tree.byteCount <= 112 * 5000)
    }
}
