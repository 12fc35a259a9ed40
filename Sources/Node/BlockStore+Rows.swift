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
        var raw: [[UInt8]] = []
        try store.scan(.units, from: code.map { $0.paddedBytes + [0] }, descending: false) { _, value in
            raw.append(value)
            return raw.count < max
        }
        var units: [Unit] = []
        for bytes in raw { units.append(try decode(bytes, "unit")) }
        return units
    }

    /// A block's transactions with their receipts, as far as it is certified and holds any.
    /// - Returns: nil where no such height stands in the tables.
    public func contents(_ height: UInt64, genesis: Genesis) throws(StorageError) -> BlockContents? {
        guard height <= (try self.height()), let header = try header(height) else { return nil }
        let receipts = try receipts(height) ?? []
        guard height > 0, !receipts.isEmpty, let raw = try block(height), let previous = try self.header(height - 1),
            let entry = try? Entry(
                raw: raw, position: height, previous: previous.entry, genesis: genesis.hash, set: try set(at: height))
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
