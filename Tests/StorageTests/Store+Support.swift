import Foundation
import Storage
import StorageRocksDB

extension Store {
    func write(_ changes: [WriteBatch.Change], synced: Bool = false) throws(StorageError) {
        var batch = WriteBatch()
        for change in changes {
            switch change {
            case .put(let column, let key, let value): batch.put(column, key, value)
            case .delete(let column, let key): batch.delete(column, key)
            }
        }
        try write(batch, synced: synced)
    }

    func keys(
        _ column: Column, from start: [UInt8]?, descending: Bool, count: Int = .max
    ) throws(StorageError) -> [[UInt8]] {
        var keys: [[UInt8]] = []
        try scan(column, from: start, descending: descending) { key, _ in
            keys.append(key)
            return keys.count < count
        }
        return keys
    }
}

/// A height as the columns have it.
func height(_ number: UInt64) -> [UInt8] {
    withUnsafeBytes(of: number.bigEndian) { Array($0) }
}

/// The code and sentence with which opening fails; nil where it succeeds.
func refusal(_ directory: String, _ mode: RocksDBStore.Mode) -> StorageError? {
    do {
        try RocksDBStore(directory: directory, mode: mode).close()
        return nil
    } catch {
        return error
    }
}

/// A path of its own for a test that waits for a child process, which `withTemporaryDirectory` cannot do.
func ownDirectory() -> String {
    FileManager.default.temporaryDirectory.appendingPathComponent("lianfen-\(UUID().uuidString)").path
}
