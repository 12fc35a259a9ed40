import Canonical
public import Chain
public import Crypto
public import Ledger

/// Turns entries into blocks: the one way from raw bytes at a position to a header. The node, the audit and the
/// simulator all go through it.
public struct Executor: Sendable {
    public let genesis: Genesis
    public let genesisHash: Digest
    /// Who governs which height, up to the second one after the head.
    public private(set) var sets: ValidatorSets
    /// The version of the rules by which the next height is executed.
    public private(set) var rulesVersion: UInt32
    var ledger: Ledger
    public private(set) var trees: StateTrees
    /// Header of the newest executed height.
    public private(set) var head: Header
    /// Height of the newest certificate that entries up to the head carried.
    public private(set) var carried: UInt64
    /// The newest epoch of the order whose statements entries up to the head carried.
    public private(set) var epoch: EpochRow

    /// - Parameters:
    ///   - head: the header at which the tables stand.
    ///   - carried: height of the newest certificate carried up to there.
    ///   - sets: who governs the heights from `carried` to the second one after `head`.
    public init(
        genesis: Genesis, ledger: Ledger, trees: StateTrees, head: Header, carried: UInt64, sets: ValidatorSets,
        epoch: EpochRow = .first
    ) {
        self.genesis = genesis
        genesisHash = ledger.genesisHash
        self.sets = sets
        self.ledger = ledger
        rulesVersion = self.ledger.rulesVersion(at: head.height + 1)
        self.trees = trees
        self.head = head
        self.carried = carried
        self.epoch = epoch
    }

    /// Those who govern the next height.
    public var set: ValidatorSet { sets[head.height + 1] }

    /// The header of block 0.
    public static func genesisHeader(_ genesis: Genesis) -> Header {
        let set = ValidatorSet(genesis).hash
        let hash = genesis.hash
        return Header(
            height: 0, parent: .zero, entry: hash, transactions: .zero, receipts: .zero,
            state: StateTrees(genesis: genesis).headRoots.stateRoot, validators: set, nextValidators: set,
            rulesVersion: genesis.rulesVersion, time: genesis.time, certificate: .zero)
    }

    /// An entry that was read and judged as far as it goes without execution.
    public struct Decoded: Sendable {
        public let height: UInt64
        public let raw: [UInt8]
        public let entryHash: Digest
        /// None: the bytes make an empty block, for the reason in `fault`.
        public internal(set) var entry: Entry?
        public internal(set) var fault: Entry.Fault?

        public var transactions: [Transaction] { entry?.transactions ?? [] }
    }

    /// Reads the bytes at the next position.
    public func decode(_ raw: [UInt8]) -> Decoded {
        let height = head.height + 1
        let hash = Entry.hash(raw: raw)
        do throws(Entry.Fault) {
            let entry = try Entry(
                raw: raw, position: height, previous: head.entry, genesis: genesisHash, set: set, rules: rulesVersion)
            return Decoded(height: height, raw: raw, entryHash: hash, entry: entry, fault: nil)
        } catch {
            return Decoded(height: height, raw: raw, entryHash: hash, entry: nil, fault: error)
        }
    }

    /// What execution made of an entry.
    public struct Block: Sendable {
        public let decoded: Decoded
        public let header: Header
        public let output: Ledger.Output
        /// The receipts as they are stored: a list.
        public let receiptBytes: [UInt8]
        public let roots: SubRoots
        /// Height of the newest certificate carried up to this block.
        public let carried: UInt64
        /// The certificate that this entry carried, where it counts.
        public let certificate: Certificate?
        /// Who votes from the second height after this one on, where that changed.
        public let change: ValidatorSets.Change?
    }

    /// Executes the next entry.
    /// - Parameters:
    ///   - signaturesVerify: what is known of the signatures of each transaction, by its index in the entry.
    ///   - ahead: rows that were read before, of those of many lines.
    ///   - header: the hash of the own header at a height, to hold a carried certificate against.
    ///   - entry: the hash of the entry at a height below, to hold statements against.
    ///   - certificateVerifies: whether a quorum of the set that governs a certificate's height signed it; the caller
    ///     may know that already.
    public mutating func execute(
        _ decoded: Decoded, signaturesVerify: (_ index: Int) -> Bool,
        ahead: (Transaction) -> RowsAhead? = { _ in nil }, header own: (UInt64) -> Digest?,
        entry: (UInt64) -> Digest?, certificateVerifies: (Certificate, ValidatorSet) -> Bool
    ) -> Block {
        precondition(decoded.height == head.height + 1, "entries are executed in order")
        var decoded = decoded
        var counting: Certificate?
        var begun: EpochRow?
        if let change = decoded.entry?.epoch {
            begun = begins(by: change, at: decoded.height, header: own, entry: entry)
            if begun == nil {
                decoded.entry = nil
                decoded.fault = .epoch
            }
        }
        // One that is not newer than the last its ancestors carried counts as none, whatever is in it: so nobody needs
        // to know headers and validators of long ago, which one that joined lately has not.
        if let certificate = decoded.entry?.certificate, certificate.height > carried {
            if certificate.height < decoded.height, own(certificate.height) == certificate.header,
                (begun ?? epoch).allows(certificate.epoch, at: certificate.height),
                certificateVerifies(certificate, sets[certificate.height])
            {
                counting = certificate
            } else {
                decoded.entry = nil
                decoded.fault = .certificate
                begun = nil
            }
        }
        let time = Header.time(parent: head.time, certificate: counting)
        let inputs = decoded.transactions.enumerated().map { index, transaction in
            Ledger.Input(transaction, signaturesVerify: signaturesVerify(index), ahead: ahead(transaction))
        }
        let executed = ledger.execute(height: decoded.height, time: time, inputs)
        let output = begun.map { executed.adding($0) } ?? executed
        if let begun { epoch = begun }
        trees.append(output.changes, height: decoded.height)
        if let counting { carried = counting.height }
        let (validators, nextValidators) = (sets[decoded.height].hash, sets[decoded.height + 1].hash)
        // None are left only where rows could not be read; the caller drops the block then.
        let change = output.voters.flatMap { voters in
            voters.isEmpty ? nil : sets.append(ValidatorSet(voters), from: decoded.height + 2)
        }
        let rulesVersion = rulesVersion
        self.rulesVersion = ledger.rulesVersion(at: decoded.height + 1)
        let roots = trees.headRoots
        let (receiptBytes, receiptLeaves) = Self.encode(output.receipts)
        head = Header(
            height: decoded.height, parent: head.hash, entry: decoded.entryHash,
            transactions: MerkleTree.countedRoot(of: decoded.transactions.map(\.envelopeDigest)),
            receipts: MerkleTree.countedRoot(of: receiptLeaves), state: roots.stateRoot,
            validators: validators, nextValidators: nextValidators, rulesVersion: rulesVersion, time: time,
            certificate: counting?.hash ?? .zero)
        return Block(
            decoded: decoded, header: head, output: output, receiptBytes: receiptBytes, roots: roots, carried: carried,
            certificate: counting, change: change)
    }

    /// The epoch that begins by statements which the entry at a height carries; nil where they do not hold.
    ///
    /// They have to be what a quorum signed for the epoch after the newest one, and the chain has to be what they say:
    /// the header that their newest certificate names, and above it their entries, byte for byte and in order. What
    /// lies below the newest certificate carried is final, and not everybody who has to come to the same answer knows
    /// it, so it is not looked at. (That one may be newer than what was stated: whoever holds it back can show it, on
    /// one of the entries that are kept, before the statements are carried.)
    public func begins(
        by change: EpochChange, at height: UInt64, header: (UInt64) -> Digest?, entry: (UInt64) -> Digest?
    ) -> EpochRow? {
        guard let start = try? change.start() else { return nil }
        let (end, final) = (start.firstHeight + UInt64(start.entries.count), carried)
        guard end > final, end <= height,
            start.certificate.map({ $0.height < final || header($0.height) == $0.header }) ?? true,
            zip(start.firstHeight..., start.entries).allSatisfy({ $0 < final || entry($0) == $1 }),
            (try? change.verify(after: epoch.number, genesis: genesisHash, final: final, sets: { sets[$0] })) != nil
        else { return nil }
        return start.row
    }

    /// Receipts as they are stored, and their leaves in the receipt root: each is encoded once.
    private static func encode(_ receipts: [Receipt]) -> (bytes: [UInt8], leaves: [Digest]) {
        var encoder = Encoder(capacity: 16 + receipts.count * 96)
        encoder.length(receipts.count)
        let leaves = receipts.map { receipt in
            let start = encoder.count
            encoder.value(receipt)
            return encoder.withBytes(from: start) { Proof.leaf(encoded: $0) }
        }
        return (encoder.bytes, leaves)
    }

    /// A transaction whose signatures are to be checked, and which rows are worth reading meanwhile.
    func unchecked(_ transaction: Transaction, _ ticket: Pool.Ticket?) -> SignaturePool.Unchecked {
        SignaturePool.Unchecked(transaction, ticket, missing: ledger.missing(of: transaction))
    }

    /// Rows up to `height` stand in the tables.
    public mutating func stored(upTo height: UInt64) {
        ledger.stored(upTo: height)
        trees.release(below: height)
        sets.forget(below: min(carried, height))
    }
}
