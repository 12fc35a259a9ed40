import Canonical
import Chain
import Crypto
import FleetKit
import Foundation
import JSON
import Ledger
import Node
import ServerKit
import Storage
import StorageRocksDB
import TestSupport
import Testing

extension EtcdTests {
    /// A node whose disk was changed behind its back, as a process of the tool among others.
    @Suite struct DivergenceProcessesTests {
        /// One balance is off by one point, and roots and header were made to fit, so that its directory opens. The
        /// node stops at the next height, and ends with the table, both sub-roots and who has shown them.
        @Test func oneBalanceOnDiskIsFoundAndNamed() throws {
            try withTemporaryDirectory { root in
                let fleet = try Fleet(in: root)
                defer { fleet.end() }
                let all = [0, 1, 2, 3]
                try fleet.start(all)
                try fleet.found()
                try fleet.transfer(8, through: all)
                try fleet.agree(all, at: fleet.height(0))
                // A block that stands above its tables would be executed again at the start, and tell at once.
                repeat {
                    if fleet.machines[3].process == nil { try fleet.start([3]) }
                    _ = try fleet.stop(3)
                } while try !fleet.isSettled(3)
                let altered = try fleet.alterBalance(3)

                try fleet.start([3])
                let process = try #require(fleet.machines[3].process)
                try fleet.transfer(3, through: [0, 1, 2])
                #expect(process.wait() != 0)
                let error = try JSONValue(parsing: Array((process.errors.split(separator: "\n").last ?? "").utf8))
                guard case .string(let reason)? = error["error"]?["reason"] else {
                    throw Fleet.Failed("no reason: \(process.errors)")
                }
                #expect(error["error"]?["code"] == "halted")
                #expect(reason.contains("they come apart in the table holdings"), "\(reason)")
                #expect(reason.contains("分歧在表 holdings"), "\(reason)")
                #expect(reason.contains("organisation ") && reason.contains("at height \(altered + 1)"), "\(reason)")
                // The others have never noticed.
                try fleet.transfer(6, through: [0, 1, 2])
                #expect(try fleet.total(at: 0) == 8_000)
            }
        }
    }
}

extension Fleet {
    private func withTables<R>(_ index: Int, _ body: (BlockStore) throws -> R) throws -> R {
        let place = machines[index].directory + "/nodes/\(index + 1)/db"
        let store = try RocksDBStore(directory: place, mode: .readWrite)
        defer { store.close() }
        return try body(BlockStore(store))
    }

    /// Whether nothing stands above a stopped node's tables.
    fileprivate func isSettled(_ index: Int) throws -> Bool {
        try withTables(index) { try $0.newestBlock() == $0.height() }
    }

    /// Changes somebody's points by one, in a stopped node's directory, and makes roots and header fit; answers its
    /// height.
    fileprivate func alterBalance(_ index: Int) throws -> UInt64 {
        try withTables(index) { tables in
            var rows: [(key: [UInt8], value: [UInt8])] = []
            try tables.store.scan(.holdings) { key, value in
                rows.append((key, value))
                return true
            }
            // Its last member but one is what remains of the last lot.
            rows[0].value[rows[0].value.count - 16] ^= 1
            var leaves = StateTree.Leaves()
            for (key, value) in rows {
                let summary = try Holding(canonicalBytes: value).summary
                leaves.append(Table.leafKey(key), Table.leafValue(summary.canonicalBytes))
            }
            let forged = StateTree(building: [leaves]).root
            let height = try tables.height()
            let roots = SubRoots(
                try #require(try tables.roots(height)).roots.map {
                    $0.name == Table.holdings.rawValue ? SubRoot(name: $0.name, root: forged) : $0
                })
            let header = try #require(try tables.header(height))
            let other = Header(
                height: height, parent: header.parent, entry: header.entry, transactions: header.transactions,
                receipts: header.receipts, state: roots.stateRoot, validators: header.validators,
                nextValidators: header.nextValidators, rulesVersion: header.rulesVersion, time: header.time,
                certificate: header.certificate)
            var batch = WriteBatch()
            batch.put(.holdings, rows[0].key, rows[0].value)
            batch.put(.roots, bigEndianBytes(height), roots.canonicalBytes)
            batch.put(.headers, bigEndianBytes(height), other.canonicalBytes)
            try tables.store.write(batch, synced: true)
            return height
        }
    }
}
