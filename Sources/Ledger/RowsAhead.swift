import Canonical
import Crypto

/// Rows that a transaction of many lines will ask for, read before its turn and on another thread: execution is one
/// thread, and must not wait for the disk line by line.
///
/// Only a hint. What is missing is read when it is asked for, and what is too old to be trusted is not used.
public struct RowsAhead: Sendable {
    /// The tables stood at this height, or past it, when the first row was read.
    let height: UInt64
    var accounts: [AccountID: Account?] = [:]
    var holdings: [HoldingKey: Holding?] = [:]
    var keys: [Digest: AcceptedLine?] = [:]

    /// Reads many rows of a table; nil for those that are absent, and nil in all where reading fails.
    public typealias ManyLoader = (Table, [[UInt8]]) -> [[UInt8]?]?

    /// - Parameters:
    ///   - missing: what the ledger lacks, as ``Ledger/missing(of:)`` gave it.
    ///   - height: at which the tables stand; asked for before anything is loaded.
    /// - Returns: nil where the height cannot be read.
    public init?(
        of transaction: Transaction, missing: RowsMissing, at height: () -> UInt64?, load: ManyLoader
    ) {
        guard let height = height() else { return nil }
        self.height = height
        accounts.read(missing.accounts, .accounts, load)
        holdings.read(missing.holdings, .holdings, load)
        // The issuer of a unit is not known here, but it has to sign.
        let issuers = transaction.body.signers.compactMap { signer -> OrganisationID? in
            if case .organisation(let id) = signer.party { id } else { nil }
        }
        for operation in transaction.body.operations {
            switch operation {
            case .accrue(let list):
                for issuer in issuers { keys.read(list.lines.map { $0.key.digest(issuer: issuer) }, .keys, load) }
            case .vest(let list), .void(let list), .clawBack(let list):
                for issuer in issuers {
                    let digests = list.lines.map { $0.key.digest(issuer: issuer) }
                    keys.read(digests, .keys, load)
                    let earners = digests.compactMap { keys[$0]??.account }
                    holdings.read(earners.map { HoldingKey(account: $0, unit: list.unit) }, .holdings, load)
                }
            default: break
            }
        }
    }
}

/// Rows that a transaction of many lines will ask for and that are not in memory, as far as its lines name them.
public struct RowsMissing: Sendable {
    var accounts: [AccountID] = []
    var holdings: [HoldingKey] = []

    /// Fewer lines are read as fast when their turn comes.
    static let linesMin = 64
}

extension Ledger {
    /// What is worth reading before a transaction's turn; nil where it has few lines. A natural key is seldom found
    /// anywhere, so it is looked for in any case.
    public func missing(of transaction: Transaction) -> RowsMissing? {
        let operations = transaction.body.operations
        guard operations.reduce(0, { $0 + $1.lineCount }) >= RowsMissing.linesMin else { return nil }
        var missing = RowsMissing()
        for operation in operations {
            switch operation {
            case .open(let list):
                for line in list.lines where !state.accounts.has(line.account) { missing.accounts.append(line.account) }
            case .accrue(let list):
                for line in list.lines {
                    if !state.accounts.has(line.account) { missing.accounts.append(line.account) }
                    let key = HoldingKey(account: line.account, unit: list.unit)
                    if !state.holdings.has(key) { missing.holdings.append(key) }
                }
            default: break
            }
        }
        return missing
    }
}

extension Dictionary where Key: RowKey {
    fileprivate mutating func read<Row: Canonical>(
        _ wanted: [Key], _ table: Table, _ load: RowsAhead.ManyLoader
    ) where Value == Row? {
        guard !wanted.isEmpty, let rows = load(table, wanted.map(\.keyBytes)) else { return }
        reserveCapacity(count + wanted.count)
        for (key, row) in zip(wanted, rows) {
            guard let row else {
                self[key] = .some(nil)
                continue
            }
            // A row that does not decode is left to whoever needs it, and says so there.
            if let row = try? Row(canonicalBytes: row) { self[key] = .some(row) }
        }
    }
}

extension Operation {
    /// Lines of its list; 0 where it has none.
    var lineCount: Int {
        switch self {
        case .open(let list): list.lines.count
        case .accrue(let list): list.lines.count
        case .vest(let list), .void(let list), .clawBack(let list): list.lines.count
        default: 0
        }
    }
}
