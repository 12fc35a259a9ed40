import Canonical
import Chain
import Concurrency
import Crypto
package import Ledger
package import Storage

/// Stands between a node and its directory and says every lock that was written, once the write has returned. So a
/// test knows all votes that may have left the process, also those that it never saw on disk.
package final class WitnessStore: Store {
    /// A fault of the store that a campaign must find.
    package enum Plant: String, Sendable {
        /// Syncs nothing: only a power cut shows it.
        case unsynced
        /// A lock's batch is written with the next one, though it was said to be stable: a kill shows it.
        case late
    }

    private let inner: any Store
    private let member: OrganisationID
    private let plant: Plant?
    private let held = Locked(WriteBatch())

    package init(_ inner: any Store, member: OrganisationID, plant: Plant? = nil) {
        self.inner = inner
        self.member = member
        self.plant = plant
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
        try put(batch, synced: synced)
        for case .put(.locks, _, let value) in batch.changes {
            guard let vote = try? Vote(canonicalBytes: value) else { continue }
            Word.lock(member: member, height: vote.height, header: vote.header, vote: SHA256.hash(value)).say()
        }
    }

    private func put(_ batch: WriteBatch, synced: Bool) throws(StorageError) {
        switch plant {
        case nil: try inner.write(batch, synced: synced)
        case .unsynced: try inner.write(batch, synced: false)
        case .late:
            try inner.write(held.withLock { $0 }, synced: true)
            held.withLock { $0 = synced ? batch : WriteBatch() }
            if !synced { try inner.write(batch, synced: false) }
        }
    }

    package func close() { inner.close() }
}
