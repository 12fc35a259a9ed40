import Canonical
public import Chain
public import Ledger
public import Storage

/// What a directory keeps of the order's epochs: for which one this validator has given its word, in which one it
/// stands, and how far it has seen the engine's own counter come.
extension BlockStore {
    private static let sealedKey = Array("epoch".utf8)
    private static let statementKey = Array("epoch/statement".utf8)
    private static let adoptedKey = Array("epoch/adopted".utf8)
    private static let revisionKey = Array("epoch/revision".utf8)

    /// The newest epoch that this directory has stated or adopted: nothing is ever signed here in an older one.
    public func sealedEpoch() throws(StorageError) -> UInt64 { try number(Self.sealedKey) }

    /// The newest epoch in which the node of this directory has begun.
    public func adoptedEpoch() throws(StorageError) -> UInt64 { try number(Self.adoptedKey) }

    /// The newest statement that was made here.
    public func statement() throws(StorageError) -> EpochStatement? {
        try value(.meta, Self.statementKey, "the statement for an epoch")
    }

    /// The newest epoch that the chain knows of at the tables' height.
    public func newestEpoch() throws(StorageError) -> EpochRow {
        let newest: [(key: [UInt8], row: EpochRow)] = try rows(
            .epochs, from: nil, descending: true, max: 1, "an epoch of the order")
        return newest.first?.row ?? .first
    }

    /// Seals the directory for the statement's epoch, synced: to be done before the statement leaves.
    public func seal(_ statement: EpochStatement) throws(StorageError) {
        var batch = WriteBatch()
        batch.put(.meta, Self.sealedKey, bigEndianBytes(UInt64(statement.number)))
        batch.put(.meta, Self.statementKey, statement.canonicalBytes)
        try store.write(batch, synced: true)
    }

    /// A statement with the raw entries of which it speaks, all of which stand here.
    public func stated(_ statement: EpochStatement) throws(StorageError) -> StatedEntries {
        var entries: [[UInt8]] = []
        for (index, stated) in statement.entries.enumerated() {
            let position = statement.certified + 1 + UInt64(index)
            guard let raw = try block(position), Entry.hash(raw: raw) == stated.hash else {
                throw StorageError(
                    .corrupt, "the entry of position \(position) is not the one that was stated; restore the directory",
                    place: "the node's directory")
            }
            entries.append(raw)
        }
        return StatedEntries(statement, entries: entries)
    }

    /// Takes the directory into a new epoch, whose ring the caller has seen or will never read. May be repeated.
    ///
    /// What was executed above the tables' height goes, since the new ring may show other entries there or none, and is
    /// read again from it or from peers; all but what leads to the header with which the old epoch ended: others may
    /// have that from nobody else. Locks stay. A vote on such a height in the new epoch is no contradiction, since the
    /// epoch is another, and cannot undo anything: of whatever could be certified in the old one, the statements name
    /// the entry (``EpochChange``).
    public func adopt(_ start: EpochChange.Start) throws(StorageError) {
        guard try adoptedEpoch() < UInt64(start.number) else { return }
        var kept = try height()
        if let certificate = start.certificate, certificate.height > kept,
            try header(certificate.height)?.hash == certificate.header
        {
            kept = certificate.height
        }
        var batch = WriteBatch()
        let newest = try newestBlock()
        if newest > kept {
            for height in kept + 1...newest {
                batch.delete(.blocks, bigEndianBytes(height))
                batch.delete(.headers, bigEndianBytes(height))
            }
        }
        batch.put(.meta, Self.adoptedKey, bigEndianBytes(UInt64(start.number)))
        batch.put(.meta, Self.sealedKey, bigEndianBytes(max(try sealedEpoch(), UInt64(start.number))))
        // The new ring may stand in another engine, which counts from the beginning.
        batch.delete(.meta, Self.revisionKey)
        try store.write(batch, synced: true)
    }

    /// How far the ordering engine's own counter had come when it was last noted; 0 where it never was.
    public func orderingRevision() throws(StorageError) -> UInt64 { try number(Self.revisionKey) }

    /// Notes it, without a sync: what is forgotten of it makes the guard a little weaker and nothing wrong.
    public func note(orderingRevision revision: UInt64) throws(StorageError) {
        var batch = WriteBatch()
        batch.put(.meta, Self.revisionKey, bigEndianBytes(revision))
        try store.write(batch, synced: false)
    }
}
