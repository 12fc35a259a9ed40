import Foundation
import Storage
import StorageRocksDB
import TestSupport
import Testing

/// What every store must do, asked of each driver.
@Suite struct StoreConformanceTests {
    enum Driver: CaseIterable, Sendable {
        case memory, rocksDB
        /// In front of a RocksDB store: everything waits; hardly anything does.
        case behindAll, behindFew

        func withStore(_ body: (any Store) throws -> Void) throws {
            switch self {
            case .memory:
                try body(MemoryStore())
            case .rocksDB, .behindAll, .behindFew:
                try withTemporaryDirectory { directory in
                    let store = try RocksDBStore(directory: directory.path, mode: .create)
                    defer { store.close() }
                    try body(front(store))
                }
            }
        }

        private func front(_ store: any Store) -> any Store {
            var limits = WriteBehindStore.Limits()
            switch self {
            case .memory, .rocksDB: return store
            case .behindAll: limits.rowsMax = .max
            case .behindFew: limits.rowsMax = 3
            }
            return WriteBehindStore(store, limits: limits)
        }
    }

    @Test(arguments: Driver.allCases)
    func keepsWhatWasPutAndForgetsWhatWasDeleted(_ driver: Driver) throws {
        try driver.withStore { store in
            #expect(try store.get(.accounts, [1]) == nil)
            try store.write([.put(.accounts, key: [1], value: [10, 11])])
            try store.write([.put(.accounts, key: [1], value: [12])], synced: true)
            #expect(try store.get(.accounts, [1]) == [12])
            #expect(try store.get(.holdings, [1]) == nil, "columns are apart")
            try store.write([.delete(.accounts, key: [1]), .delete(.accounts, key: [2])])
            #expect(try store.get(.accounts, [1]) == nil)
        }
    }

    @Test(arguments: Driver.allCases)
    func keepsEmptyKeysEmptyValuesAndLargeOnes(_ driver: Driver) throws {
        try driver.withStore { store in
            let large = (0..<1 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            try store.write([
                .put(.parameters, key: [], value: [7]), .put(.parameters, key: [0], value: []),
                .put(.blocks, key: [0xFF], value: large),
            ])
            #expect(try store.get(.parameters, []) == [7])
            #expect(try store.get(.parameters, [0]) == [])
            #expect(try store.get(.blocks, [0xFF]) == large)
        }
    }

    @Test(arguments: Driver.allCases)
    func getsManyInTheOrderOfTheKeys(_ driver: Driver) throws {
        try driver.withStore { store in
            try store.write([
                .put(.keys, key: [], value: [0]), .put(.keys, key: [2, 2], value: [22]),
                .put(.keys, key: [1], value: []),
            ])
            #expect(try store.getMany(.keys, [[2, 2], [3], [], [1], [2, 2]]) == [[22], nil, [0], [], [22]])
            #expect(try store.getMany(.keys, []).isEmpty)
            #expect(try store.getMany(.keys, [[]]) == [[0]])
        }
    }

    @Test(arguments: Driver.allCases)
    func laterChangeOfABatchWins(_ driver: Driver) throws {
        try driver.withStore { store in
            try store.write([
                .put(.meta, key: [1], value: [1]), .delete(.meta, key: [1]), .put(.meta, key: [1], value: [2]),
                .put(.meta, key: [2], value: [1]), .delete(.meta, key: [2]),
            ])
            #expect(try store.get(.meta, [1]) == [2])
            #expect(try store.get(.meta, [2]) == nil)
        }
    }

    @Test(arguments: Driver.allCases)
    func scansBothWaysFromAKey(_ driver: Driver) throws {
        try driver.withStore { store in
            let keys: [[UInt8]] = [[], [1], [1, 0], [2], [0x7F], [0x80], [0xFF], [0xFF, 0xFF]]
            try store.write(keys.shuffled().map { .put(.replays, key: $0, value: $0 + [9]) })
            try store.write([.put(.holds, key: [3], value: [])])

            for start in [nil] + keys + [[0], [1, 0, 0], [3], [0xFF, 0, 1], [0xFF, 0xFF, 0xFF]] {
                let ascending = keys.filter { key in start.map { !key.lexicographicallyPrecedes($0) } ?? true }
                let descending = keys.filter { key in start.map { !$0.lexicographicallyPrecedes(key) } ?? true }
                #expect(try store.keys(.replays, from: start, descending: false) == ascending)
                #expect(try store.keys(.replays, from: start, descending: true) == descending.reversed())
            }
            #expect(try store.keys(.replays, from: nil, descending: true, count: 2) == [[0xFF, 0xFF], [0xFF]])
            #expect(try store.keys(.accruals, from: nil, descending: false).isEmpty)
        }
    }

    /// A scan may look things up and even write; it goes on over the rows as they stood.
    @Test(arguments: Driver.allCases)
    func scanSeesOneMoment(_ driver: Driver) throws {
        try driver.withStore { store in
            try store.write((0..<10).map { .put(.units, key: [$0], value: [$0]) })
            var seen: [UInt8] = []
            try store.scan(.units) { key, _ in
                seen.append(key[0])
                #expect(throws: Never.self) {
                    try store.write([.put(.units, key: [key[0] + 100], value: [])])
                    #expect(try store.get(.units, [key[0] + 100]) != nil)
                }
                return true
            }
            #expect(seen == Array(0..<10))
        }
    }

    /// Two rows always change together; readers on other threads never see one without the other.
    @Test(arguments: Driver.allCases)
    func batchIsVisibleWholeOrNotAtAll(_ driver: Driver) throws {
        try driver.withStore { store in
            let (turns, readers) = (300, 3)
            let torn = Atomic()
            DispatchQueue.concurrentPerform(iterations: readers + 1) { thread in
                for turn in 0..<turns {
                    let value: [UInt8] = [UInt8(turn % 256), UInt8(turn / 256)]
                    if thread == 0 {
                        try! store.write([
                            .put(.holdings, key: [1], value: value), .put(.holdings, key: [2], value: value),
                        ])
                    } else {
                        var values: [[UInt8]] = []
                        try! store.scan(.holdings) { _, value in
                            values.append(value)
                            return true
                        }
                        if !values.isEmpty, values.count != 2 || values[0] != values[1] { torn.set() }
                    }
                }
            }
            #expect(!torn.isSet)
        }
    }

    @Test(arguments: Driver.allCases)
    func refusesEverythingOnceClosed(_ driver: Driver) throws {
        try driver.withStore { store in
            try store.write([.put(.meta, key: [1], value: [1])])
            store.close()
            store.close()
            let closed = StorageError(.closed, "", place: "")
            #expect(throws: closed) { try store.get(.meta, [1]) }
            #expect(throws: closed) { try store.getMany(.meta, [[1]]) }
            #expect(throws: closed) { try store.scan(.meta) { _, _ in true } }
            #expect(throws: closed) { try store.write(WriteBatch(), synced: true) }
        }
    }

    /// Closing while others read must end in `.closed` for them, never in a crash.
    @Test(arguments: Driver.allCases)
    func closesBesideReaders(_ driver: Driver) throws {
        try driver.withStore { store in
            try store.write((0..<100).map { .put(.units, key: [$0], value: [$0]) })
            DispatchQueue.concurrentPerform(iterations: 4) { thread in
                if thread == 0 {
                    usleep(5_000)
                    store.close()
                    return
                }
                do {
                    while true {
                        _ = try store.get(.units, [50])
                        try store.scan(.units) { _, _ in true }
                    }
                } catch {
                    #expect(error as? StorageError == StorageError(.closed, "", place: ""))
                }
            }
        }
    }
}

/// A flag that any thread may raise.
private final class Atomic: @unchecked Sendable {
    // True because `flag` is only touched under `lock`.
    private let lock = NSLock()
    private var flag = false

    func set() { lock.withLock { flag = true } }
    var isSet: Bool { lock.withLock { flag } }
}
