public import Storage

/// Directories that did not begin with the genesis but with a snapshot: what is not in them, and how they say so.
extension BlockStore {
    static let joiningKey = Array("joining".utf8)
    static let beganKey = Array("began".utf8)
    static let droppedKey = Array("dropped".utf8)

    /// The height of the snapshot with which this directory began; 0 where it began with the genesis. Of blocks up to
    /// there it has neither entries nor receipts, nor their transactions' places.
    public func beginning() throws(StorageError) -> UInt64 { try number(Self.beganKey) }

    /// Makes sure that what follows from a height's block can be told here.
    /// - Throws: ``StorageError`` `.notFound` where the directory began with a snapshot of that height or a later one.
    public func checkHistory(of height: UInt64) throws(StorageError) {
        let began = try beginning()
        guard height > began || height == 0 else {
            throw StorageError(
                .notFound,
                "this node began with a snapshot of height \(began) and has no blocks up to there; ask one that has "
                    + "been there from the genesis on", place: "block \(height)")
        }
    }

    /// Makes sure that no snapshot has been left half restored here.
    func checkWhole() throws(StorageError) {
        guard try store.get(.meta, Self.joiningKey) != nil else { return }
        throw StorageError(
            .notFound,
            "a snapshot was being restored here and did not come to its end; delete the directory and join again",
            place: "the node's directory")
    }
}
