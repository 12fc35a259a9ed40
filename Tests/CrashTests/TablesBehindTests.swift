import Chain
import Concurrency
import CrashKit
import Crypto
import Ledger
import Node
import Storage
import TestSupport
import Testing

/// The tables are written without a sync, so after a power cut they may stand far below the blocks, and each member's
/// at another height. The blocks are the log: executed again, they must give everything that was answered.
@Suite struct TablesBehindTests {
    /// Heights of the tables by member, and how many blocks a member may hold, where it had stopped early.
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let tables: [UInt64]
        var blocks: [UInt64] = []
    }

    static let cases = [
        Case(testDescription: "one, at the genesis", tables: [0]),
        Case(testDescription: "one, 30 heights up", tables: [30]),
        Case(testDescription: "four at the genesis", tables: [0, 0, 0, 0]),
        Case(testDescription: "four at different heights", tables: [25, 0, 11, 40]),
        Case(testDescription: "one far behind", tables: [60, 60, 60, 1]),
        Case(testDescription: "one that had stopped early", tables: [60, 60, 60, 2], blocks: [.max, .max, .max, 20]),
        Case(
            testDescription: "one that had stopped early, the others without tables", tables: [0, 0, 0, 2],
            blocks: [.max, .max, .max, 20]),
    ]

    @Test(arguments: cases)
    func tablesFarBehindTheBlocksAreMadeAgain(_ at: Case) throws {
        let bank = Bank("", Bank.genesis(validators: at.tables.count))
        let recorders = bank.members.map { _ in Recorder() }
        let said = Locked<[Word]>([])
        let consortium = try start(bank, recorders)
        var load = Load(bank, consortium, seed: 9) { word in said.withLock { $0.append(word) } }
        load.run(count: 320)
        consortium.stop()
        let locks = try recorders.map { try rows($0, .locks) }
        #expect(locks.allSatisfy { $0.count > 50 }, "\(locks.map(\.count)) heights")

        let stores = recorders.enumerated().map { index, recorder in
            recorder.replayed(
                tables: at.tables[index], blocks: at.blocks.isEmpty ? .max : at.blocks[index])
        }
        let again = try start(bank, stores)
        var after = Load(bank, again, seed: 10) { word in said.withLock { $0.append(word) } }
        after.settle()
        #expect(again.halted == [])
        again.stop()

        var roots: Set<Digest> = []
        for (index, store) in stores.enumerated() {
            let blocks = BlockStore(store)
            let report = try Audit.run(store, trusted: bank.genesis)
            #expect(report.firstWrong == nil)
            if try blocks.height() == stores.map({ try BlockStore($0).height() }).max() {
                roots.insert(report.stateRoot)
            }
            var wrong: [String] = []
            try Tally(blocks, bank).compare { wrong.append($0) }
            #expect(wrong == [])
            for case .answer(let id, let place, _, let result, let first) in said.withLock({ $0 })
            where place.height <= report.height {
                #expect(try blocks.place(id) == first ?? place)
                #expect(try blocks.receipts(place.height)?[Int(place.index)].result == result)
            }
            let now = try rows(store, .locks)
            for (height, lock) in locks[index]
            where at.blocks.isEmpty || height.reduce(0, { $0 << 8 | UInt64($1) }) <= at.blocks[index] {
                #expect(now[height] == lock, "a lock was written again")
            }
        }
        #expect(roots.count == 1)
        let refused = said.withLock { $0.contains { if case .failed = $0 { true } else { false } } }
        #expect(!refused)
    }

    private func start(_ bank: Bank, _ stores: [Recorder]) throws -> Consortium {
        // Every height by itself, so that tables can be left behind at any.
        var tables = WriteBehindStore.Limits()
        tables.rowsMax = 1
        return try Consortium(
            genesis: bank.genesis,
            members: zip(bank.members, stores).map {
                Consortium.Member(organisation: $0, votingKey: Bank.votingKey($0), store: $1)
            }, tables: tables)
    }

    private func rows(_ store: any Store, _ column: Column) throws -> [[UInt8]: [UInt8]] {
        var rows: [[UInt8]: [UInt8]] = [:]
        try store.scan(column) { key, value in
            rows[key] = value
            return true
        }
        return rows
    }
}

/// A directory in memory that remembers its batches, so that a disk can be made on which some were never written.
private final class Recorder: Store {
    private let inner = MemoryStore()
    private let batches = Locked<[(batch: WriteBatch, synced: Bool)]>([])

    func get(_ column: Column, _ key: [UInt8]) throws(StorageError) -> [UInt8]? { try inner.get(column, key) }

    func scan(
        _ column: Column, from start: [UInt8]?, descending: Bool, _ body: ([UInt8], [UInt8]) -> Bool
    ) throws(StorageError) {
        try inner.scan(column, from: start, descending: descending, body)
    }

    func write(_ batch: WriteBatch, synced: Bool) throws(StorageError) {
        try inner.write(batch, synced: synced)
        batches.withLock { $0.append((batch, synced)) }
    }

    /// Stays readable: the test looks into it after the node has closed it.
    func close() {}

    /// A directory with the blocks up to one height and the tables at another, or at the next below.
    func replayed(tables: UInt64, blocks: UInt64) -> Recorder {
        let other = Recorder()
        for (batch, synced) in batches.withLock({ $0 }) {
            let height = Self.height(batch, synced)
            if height <= (synced ? blocks : tables) { try? other.write(batch, synced: synced) }
        }
        return other
    }

    /// Height of a block that is locked, or of the tables after a commit.
    private static func height(_ batch: WriteBatch, _ synced: Bool) -> UInt64 {
        for case .put(let column, let key, let value) in batch.changes {
            if synced, column == .headers { return number(key) }
            if !synced, column == .meta, key == Array("height".utf8) { return number(value) }
        }
        return 0
    }

    private static func number(_ bytes: [UInt8]) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
}
