import Canonical
public import Chain
public import Crypto
public import Ledger
public import Storage

/// Rows as a query asks for them.
extension BlockStore {
    public func organisation(_ id: OrganisationID) throws(StorageError) -> Organisation? {
        try value(.organisations, bigEndianBytes(UInt64(id.number)).suffix(4).map { $0 }, "organisation")
    }

    /// Organisations after a number, those that were suspended or have left too, in ascending order.
    public func organisations(after id: OrganisationID?, max: Int) throws(StorageError) -> [Organisation] {
        let from = id.map { Array(bigEndianBytes(UInt64($0.number)).suffix(4)) + [0] }
        return try rows(.organisations, from: from, max: max, "organisation").map(\.row)
    }

    /// Whose a voting key is or was that came by an exchange or went by one; nil for all others, such as those of the
    /// genesis.
    public func votingKey(_ key: PublicKey) throws(StorageError) -> VotingKey? {
        try value(.votingKeys, key.canonicalBytes, "voting key")
    }

    /// A proposal that is neither carried nor lapsed.
    public func proposal(_ id: ProposalID) throws(StorageError) -> Proposal? {
        try value(.proposals, id.bytes, "proposal")
    }

    /// Open proposals after an id, in ascending order of id.
    public func proposals(
        after id: ProposalID?, max: Int
    ) throws(StorageError) -> [(id: ProposalID, proposal: Proposal)] {
        try rows(.proposals, from: id.map { $0.bytes + [0] }, max: max, "proposal").map {
            (id: Digest(bytes: $0.key), proposal: $0.row)
        }
    }

    /// At most so many rows of a column, from a key on, upwards or downwards.
    func rows<Row: Canonical>(
        _ column: Column, from: [UInt8]?, descending: Bool = false, max: Int, _ what: String
    ) throws(StorageError) -> [(key: [UInt8], row: Row)] {
        var raw: [(key: [UInt8], value: [UInt8])] = []
        try store.scan(column, from: from, descending: descending) { key, value in
            raw.append((key, value))
            return raw.count < max
        }
        return try raw.map { (raw) throws(StorageError) in (key: raw.key, row: try decode(raw.value, what)) }
    }

    /// One version of a unit's terms.
    public func program(_ unit: UnitCode, version: UInt32) throws(StorageError) -> Program? {
        try value(.programs, unit.paddedBytes + bigEndianBytes(UInt64(version)).suffix(4), "program")
    }

    public func hold(_ id: HoldID) throws(StorageError) -> Hold? { try value(.holds, id.bytes, "reservation") }

    /// How far an accrual has come that was pending once.
    public func totals(_ key: NaturalKey, issuer: OrganisationID) throws(StorageError) -> AccrualTotals? {
        let digest = key.digest(issuer: issuer).bytes
        if let open: AccrualTotals = try value(.accruals, digest, "open accrual") { return open }
        return try value(.settled, digest, "settled accrual")
    }

    public func clawback(_ key: NaturalKey, issuer: OrganisationID) throws(StorageError) -> Clawback? {
        try value(.clawbacks, key.digest(issuer: issuer).bytes, "clawback")
    }

    /// The accrual lines that used these natural keys, in their order.
    public func accepted(
        _ keys: [NaturalKey], issuer: OrganisationID
    ) throws(StorageError) -> [AcceptedLine?] {
        var lines: [AcceptedLine?] = []
        lines.reserveCapacity(keys.count)
        for row in try store.getMany(.keys, keys.map { $0.digest(issuer: issuer).bytes }) {
            lines.append(try row.map { (bytes) throws(StorageError) in try decode(bytes, "accrual line") })
        }
        return lines
    }

    /// Units after a code, in ascending order.
    public func units(after code: UnitCode?, max: Int) throws(StorageError) -> [Unit] {
        try rows(.units, from: code.map { $0.paddedBytes + [0] }, max: max, "unit").map(\.row)
    }

    /// A block's transactions with their receipts, as far as it is certified and holds any.
    /// - Returns: nil where no such height stands in the tables.
    /// - Throws: ``StorageError`` `.notFound` where the directory began with a snapshot above the height.
    public func contents(_ height: UInt64, genesis: Genesis) throws(StorageError) -> BlockContents? {
        try checkHistory(of: height)
        guard height <= (try self.height()), let header = try header(height) else { return nil }
        let receipts = try receipts(height) ?? []
        guard height > 0, !receipts.isEmpty, let raw = try block(height), let previous = try self.header(height - 1),
            let entry = try? Entry(
                raw: raw, position: height, previous: previous.entry, genesis: genesis.hash, set: try set(at: height),
                rules: header.rulesVersion)
        else { return BlockContents(header: header, transactions: [], receipts: [], byteCount: 0) }
        return BlockContents(
            header: header, transactions: entry.transactions, receipts: receipts, byteCount: raw.count)
    }
}

/// What a certified block holds: as many receipts as transactions.
public struct BlockContents: Sendable {
    public let header: Header
    public let transactions: [Transaction]
    public let receipts: [Receipt]
    /// Bytes of its entry, which tell how much memory it takes.
    public let byteCount: Int

    init(header: Header, transactions: [Transaction], receipts: [Receipt], byteCount: Int) {
        self.header = header
        self.transactions = transactions
        self.receipts = receipts
        self.byteCount = byteCount
    }

    public init(_ certified: CertifiedBlock) {
        let block = certified.block
        let transactions = block.output.receipts.isEmpty ? [] : block.decoded.transactions
        self.init(
            header: block.header, transactions: transactions, receipts: block.output.receipts,
            byteCount: block.decoded.raw.count)
    }
}
