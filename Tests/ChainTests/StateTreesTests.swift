import Canonical
import Chain
import Crypto
import Ledger
import Testing

@Suite struct StateTreesTests {
    static let chain = SampleChain.grown

    @Test func rootsAscendAndLeaveOutEmptyTables() throws {
        for block in Self.chain.blocks {
            let names = block.roots.roots.map(\.name)
            #expect(names == names.sorted())
            #expect(Set(names).isSubset(of: Table.allCases.map(\.rawValue)))
            #expect(block.roots.roots.allSatisfy { $0.root != .zero })
            #expect(block.roots.stateRoot == block.header.state)
            #expect(try SubRoots(canonicalBytes: block.roots.canonicalBytes) == block.roots)
        }
        #expect(Self.chain.blocks[0].roots.roots.map(\.name) == ["organisations", "parameters"])
        #expect(
            Self.chain.blocks[1].roots.roots.map(\.name)
                == ["accounts", "organisations", "parameters", "programs", "replays", "units"])
        let all = Self.chain.blocks[5].roots.roots.map(\.name)
        #expect(
            all == [
                "accounts", "accruals", "clawbacks", "holdings", "holds", "keys", "organisations", "parameters",
                "programs", "replays", "units",
            ])
        #expect(Self.chain.blocks[2].roots[.clawbacks] == .zero)
        #expect(Self.chain.blocks[5].roots[.clawbacks] != .zero)
    }

    @Test func rootsInDisorderAreRefused() {
        let roots = Self.chain.blocks[3].roots.roots
        for wrong in [Array(roots.reversed()), roots + [roots.last!], [SubRoot(name: "é", root: .zero)]] {
            #expect(throws: DecodingError.self) { try SubRoots(canonicalBytes: SubRoots(wrong).canonicalBytes) }
        }
        let long = SubRoot(name: String(repeating: "a", count: 33), root: .zero)
        #expect(throws: DecodingError.self) { try SubRoot(canonicalBytes: long.canonicalBytes) }
    }

    @Test func firstDifferenceNamesTheRoom() {
        let roots = Self.chain.blocks[3].roots
        #expect(roots.firstDifference(from: roots) == nil)
        for (index, room) in roots.roots.enumerated() {
            var changed = roots.roots
            changed[index] = SubRoot(name: room.name, root: sample(1))
            #expect(roots.firstDifference(from: SubRoots(changed)) == room.name)
            changed.remove(at: index)
            #expect(roots.firstDifference(from: SubRoots(changed)) == room.name)
            #expect(SubRoots(changed).firstDifference(from: roots) == room.name)
        }
        let several = roots.roots.map { SubRoot(name: $0.name, root: sample(1)) }
        #expect(roots.firstDifference(from: SubRoots(several)) == "accounts")
    }

    /// Rows that change are proved at every height that is held, whatever came later.
    @Test func olderHeightsStayProvable() {
        for (height, holdings) in Self.chain.holdings.enumerated() {
            let root = Self.chain.blocks[height].roots[.holdings]
            for number in 0...9 as ClosedRange<UInt8> {
                let place = SampleChain.HoldingPlace(account: Sample.account(number), unit: Sample.unit)
                let key = place.account.bytes + place.unit.paddedBytes
                let value = holdings[place].map { Table.leafValue($0.canonicalBytes) }
                let proof = Self.chain.trees.prove(.holdings, key: key, at: UInt64(height))
                #expect(proof?.verify(key: Table.leafKey(key), value: value, root: root) == true, "\(height) \(number)")
            }
        }
    }

    @Test func releasedHeightsAreNotProved() {
        var chain = Self.chain
        let key = Sample.account(1).bytes + Sample.unit.paddedBytes
        chain.release(below: 4)
        for height in 0...7 as ClosedRange<UInt64> {
            let isHeld = (4...6).contains(height)
            #expect((chain.trees.prove(.holdings, key: key, at: height) != nil) == isHeld, "height \(height)")
            #expect((chain.trees.roots(at: height) != nil) == isHeld)
            #expect((chain.trees.logs(at: height) != nil) == isHeld)
        }
        // The head stays, however much is let go.
        chain.release(below: 100)
        #expect(chain.trees.roots(at: 5) == nil)
        #expect(chain.trees.headRoots == Self.chain.trees.headRoots)
        chain.append([])
        #expect(chain.trees.roots(at: 7) == chain.blocks[7].roots)
    }

    /// Rows only ever added have no proofs; their root has a leaf for every height, empty ones too.
    @Test func logsHaveALeafForEveryHeight() throws {
        #expect(Self.chain.trees.prove(.keys, key: [], at: 3) == nil)
        for height in 0...6 as ClosedRange<UInt64> {
            let logs = try #require(Self.chain.trees.logs(at: height))
            for table in Table.allCases where table.isLog {
                let log = try #require(logs[table])
                #expect(log.tree.count == Int(height) + 1)
                #expect(Self.chain.trees.roots(at: height)![table] == (log.hasRows ? log.tree.root : .zero))
                #expect(try StateTrees.LogTree(canonicalBytes: log.canonicalBytes) == log)
            }
        }
        let empty = StateTrees.additions(nil)
        let (before, after) = (Self.chain.trees.logs(at: 3)![.keys]!, Self.chain.trees.logs(at: 4)![.keys]!)
        var grown = before.tree
        grown.append(empty)
        #expect(grown == after.tree)
    }

    /// Trees that are built from stored rows go on as those that grew.
    @Test func treesFromStoredRowsAreTheSame() {
        let genesis = Sample.genesis
        var leaves: [Table: StateTree.Leaves] = [:]
        for change in Ledger.genesisChanges(genesis) where !change.table.isLog {
            for row in change.rows {
                leaves[change.table, default: .init()].append(Table.leafKey(row.key), Table.leafValue(row.value!))
            }
        }
        let grown = StateTrees(genesis: genesis)
        let built = StateTrees(height: 0, logs: grown.logs(at: 0)!) { table in leaves[table].map { [$0] } ?? [] }
        #expect(built.headRoots == grown.headRoots)
        #expect(built.headRoots.stateRoot == Self.chain.blocks[0].header.state)
    }
}
