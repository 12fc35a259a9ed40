import Concurrency
import Storage
import TestSupport
import Testing

/// What a store that lets rows wait must do beyond what every store must.
@Suite struct WriteBehindTests {
    /// Against a store that lets nothing wait: whatever is asked, both answer the same.
    @Test(arguments: 1...20)
    func readsAsIfNothingWaited(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var limits = WriteBehindStore.Limits()
        limits.rowsMax = Int.random(in: 1...60, using: &random)
        let behind = Behind()
        let store = WriteBehindStore(behind, limits: limits)
        let model = MemoryStore()
        for _ in 0..<300 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0: try store.writeDown()
            case 1...6:
                let changes = (0..<Int.random(in: 1...8, using: &random)).map { _ in change(&random) }
                let synced = Int.random(in: 0..<4, using: &random) == 0
                try store.write(changes, synced: synced)
                try model.write(changes)
            default: try compare(store, model, &random)
            }
        }
        store.close()
        let left = MemoryStore()
        try left.write(behind.batches.flatMap(\.changes))
        for column in Self.columns {
            #expect(try rows(left, column) { try $0.scan($1, $2) } == rows(model, column) { try $0.scan($1, $2) })
        }
    }

    private static let columns = [Column.holdings, .units, .accounts]

    private func key(_ random: inout SeededGenerator) -> [UInt8] {
        (0..<Int.random(in: 0...3, using: &random)).map { _ in UInt8.random(in: 0...3, using: &random) }
    }

    private func change(_ random: inout SeededGenerator) -> WriteBatch.Change {
        let column = Self.columns.randomElement(using: &random)!
        let key = key(&random)
        return Int.random(in: 0..<3, using: &random) == 0
            ? .delete(column, key: key) : .put(column, key: key, value: [UInt8.random(in: 0...255, using: &random)])
    }

    private func compare(_ store: WriteBehindStore, _ model: MemoryStore, _ random: inout SeededGenerator) throws {
        let column = Self.columns.randomElement(using: &random)!
        let start = key(&random)
        #expect(try store.get(column, start) == model.get(column, start))
        let keys = (0..<5).map { _ in key(&random) }
        #expect(try store.getMany(column, keys) == model.getMany(column, keys))
        for descending in [false, true] {
            let most = Int.random(in: 1...12, using: &random)
            let scanned = try [store as any Store, model].map { store in
                try rows(store, column, most: most) { try $0.scan($1, from: start, descending: descending, $2) }
            }
            #expect(scanned[0] == scanned[1])
        }
        #expect(
            try rows(store, column) { try $0.scan($1, prefix: start, $2) }
                == rows(model, column) { try $0.scan($1, prefix: start, $2) })
    }

    private func rows(
        _ store: any Store, _ column: Column, most: Int = .max,
        _ scan: (any Store, Column, ([UInt8], [UInt8]) -> Bool) throws -> Void
    ) throws -> [[UInt8]] {
        var rows: [[UInt8]] = []
        try scan(store, column) { key, value in
            rows.append(key + [0xFF] + value)
            return rows.count < most
        }
        return rows
    }

    /// Batches leave together and in order: what stands behind is always what some of the first batches made.
    @Test func leavesWholeBatchesBehind() throws {
        let behind = Behind()
        var limits = WriteBehindStore.Limits()
        limits.rowsMax = 10
        let store = WriteBehindStore(behind, limits: limits)
        for number in UInt8(1)...100 {
            try store.write([
                .put(.meta, key: [0], value: [number]), .put(.units, key: [number], value: [number]),
                .put(.holdings, key: [number % 7], value: [number]),
            ])
        }
        #expect(behind.batches.count > 5)
        #expect(behind.batches.count < 40, "rows of several batches are written together")
        var there: UInt8 = 0
        for batch in behind.batches {
            let now = try #require(
                batch.changes.compactMap { change -> UInt8? in
                    guard case .put(.meta, _, let value) = change else { return nil }
                    return value[0]
                }.last)
            let units = batch.changes.compactMap { change -> UInt8? in
                guard case .put(.units, let key, _) = change else { return nil }
                return key[0]
            }
            #expect(units == Array(there + 1...now))
            there = now
        }
    }

    @Test func writesRowsOnceAndInOrder() throws {
        let behind = Behind()
        let store = WriteBehindStore(behind)
        try store.write([.put(.units, key: [9], value: [1]), .put(.units, key: [2], value: [1])])
        try store.write([.put(.units, key: [5], value: [2]), .put(.units, key: [9], value: [2])])
        try store.write([.delete(.units, key: [2])])
        #expect(behind.batches.isEmpty)
        try store.writeDown()
        try store.writeDown()
        let batches = behind.batches
        #expect(batches.count == 1)
        let keys = batches.flatMap(\.changes).map { change in
            switch change {
            case .put(_, let key, let value): key + value
            case .delete(_, let key): key
            }
        }
        #expect(keys == [[2], [5, 2], [9, 2]])
    }

    @Test func syncedBatchesGoAtOnce() throws {
        let behind = Behind()
        let store = WriteBehindStore(behind)
        try store.write([.put(.units, key: [1], value: [1])])
        try store.write([.put(.blocks, key: [1], value: [2])], synced: true)
        #expect(behind.batches.count == 1, "what waits has nothing to do with it")
        try store.write([.put(.units, key: [1], value: [3])], synced: true)
        #expect(behind.batches.count == 3, "an older row that waits goes before the newer one")
        try store.writeDown()
        #expect(try behind.get(.units, [1]) == [3])
    }

    /// What could not be written is read all the same, and leaves with the next write.
    @Test func keepsWhatCouldNotBeWritten() throws {
        let behind = Behind()
        let store = WriteBehindStore(behind)
        try store.write([.put(.units, key: [1], value: [1]), .put(.units, key: [2], value: [1])])
        behind.isFull.withLock { $0 = true }
        let full = StorageError(.diskFull, "", place: "")
        #expect(throws: full) { try store.writeDown() }
        #expect(try store.get(.units, [1]) == [1])
        try store.write([.put(.units, key: [1], value: [2])])
        #expect(throws: full) { try store.writeDown() }
        #expect(try store.getMany(.units, [[1], [2]]) == [[2], [1]])
        behind.isFull.withLock { $0 = false }
        try store.writeDown()
        #expect(try behind.getMany(.units, [[1], [2]]) == [[2], [1]])
    }
}

/// A store in memory that remembers its batches, and can be full.
private final class Behind: Store {
    private let inner = MemoryStore()
    private let written = Locked<[WriteBatch]>([])
    let isFull = Locked(false)

    var batches: [WriteBatch] { written.withLock { $0 } }

    func get(_ column: Column, _ key: [UInt8]) throws(StorageError) -> [UInt8]? { try inner.get(column, key) }

    func scan(
        _ column: Column, from start: [UInt8]?, descending: Bool, _ body: ([UInt8], [UInt8]) -> Bool
    ) throws(StorageError) {
        try inner.scan(column, from: start, descending: descending, body)
    }

    func write(_ batch: WriteBatch, synced: Bool) throws(StorageError) {
        if isFull.withLock({ $0 }) { throw StorageError(.diskFull, "no room", place: "memory") }
        try inner.write(batch, synced: synced)
        written.withLock { $0.append(batch) }
    }

    func close() { inner.close() }
}
