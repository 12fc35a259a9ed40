import Canonical
import Chain
import Crypto
package import Ledger
package import Storage

/// Stands between a node and its directory and says every lock that was written, once the write has returned. So a
/// test knows all votes that may have left the process, also those that it never saw on disk.
package final class WitnessStore: Store {
    private let inner: any Store
    private let member: OrganisationID
    private let dropsSyncs: Bool

    /// - Parameter dropsSyncs: plants the fault that power cuts must find: a store that syncs nothing.
    package init(_ inner: any Store, member: OrganisationID, dropsSyncs: Bool) {
        self.inner = inner
        self.member = member
        self.dropsSyncs = dropsSyncs
    }

    package func get(_ column: Column, _ key: [UInt8]) throws(StorageError) -> [UInt8]? { try inner.get(column, key) }

    package func getMany(_ column: Column, _ keys: [[UInt8]]) throws(StorageError) -> [[UInt8]?] {
        try inner.getMany(column, keys)
    }

    package func scan(
        _ column: Column, from start: [UInt8]?, descending: Bool, _ body: ([UInt8], [UInt8]) -> Bool
    ) throws(StorageError) {
        try inner.scan(column, from: start, descending: descending, body)
    }

    package func write(_ batch: WriteBatch, synced: Bool) throws(StorageError) {
        try inner.write(batch, synced: synced && !dropsSyncs)
        for case .put(.locks, _, let value) in batch.changes {
            guard let vote = try? Vote(canonicalBytes: value) else { continue }
            Word.lock(member: member, height: vote.height, header: vote.header, vote: SHA256.hash(value)).say()
        }
    }

    package func close() { inner.close() }
}
