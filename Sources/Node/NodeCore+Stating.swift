public import Chain
import Ledger
import Ordering

/// A validator's word on how far it has come, for a new epoch of the order.
extension NodeCore {
    /// Makes the statement for the epoch after this node's own. It has to be sealed in the directory before it leaves
    /// (``BlockStore/seal(_:)``), and the node must not run meanwhile.
    ///
    /// A directory that was restored, or never voted, does not know on what its validator voted in another life. It
    /// says nothing before it has voted itself, which it does only above the head that it read at its start: everything
    /// below stands in it then.
    ///
    /// It is signed by the key of the height after the newest executed one, which those who check it know to be this
    /// validator's. An exchange of that key may lie between: votes that the old one signed are not named then, which
    /// changes nothing of what is stated, since all entries are.
    /// - Returns: nil where it has halted, has no voting key, or has not come so far.
    public func statement(bytes: [UInt8]) -> EpochStatement? {
        guard halted == nil, let key = key(at: executed + 1), executed >= voteFloor,
            executed - certified <= UInt64(FinalBlocks.countMax)
        else { return nil }
        let above = executed > certified ? Array(certified + 1...executed) : []
        return EpochStatement(
            signing: epoch.number + 1, bytes: bytes, certificate: newestCertificate,
            entries: above.map { height in
                let executed = blocks[height]!
                // One that is not on disk never left, and is not given now.
                let isNamed = executed.isLocked && listed(at: height) == listed(at: self.executed + 1)
                return .init(hash: executed.block.header.entry, vote: isNamed ? executed.lock : nil)
            }, genesis: executor.genesisHash, validator: configuration.validator, key: key)
    }

    /// Who governs which height, as far as this node has come.
    public var sets: ValidatorSets { executor.sets }
}
