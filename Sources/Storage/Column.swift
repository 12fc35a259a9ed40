/// One key space of a node's directory; the raw value names its column family. Append, never rename: the names are on
/// disk. Heights are 8 bytes big-endian, so that keys sort by height.
public enum Column: String, CaseIterable, Sendable {
    // Written before a vote, in one synced batch.

    /// height → entry as it was ordered (raw bytes; the genesis block's row holds the genesis itself).
    case blocks
    /// height → header.
    case headers
    /// height → the vote lock: the whole signed vote message of that height.
    case locks

    // Written after the certificate, in one batch with `meta/height`.

    /// name → value: `format`, `chain` (genesis hash), `height` (newest height whose rows stand in the tables),
    /// `carried`, `log/NAME` (a log's tree), what the node keeps of the order's epochs; where the directory began with
    /// a snapshot, `began` (its height) and `dropped` (the tree of the nonces that had left before it); `joining` while
    /// such a one is not whole.
    case meta
    /// height → certificate.
    case certificates
    /// height → receipts of its transactions, in the entry's order.
    case receipts
    /// height → the tables' sub-roots, whose digest is the header's state root: says which table differs when nodes do.
    case roots
    /// height → the validators that vote from there on; a row where they change.
    case sets
    /// transaction id (32) → height (8), index in the entry (4). Only transactions that burnt their nonce.
    case transactions

    // Rows that change: leaves of the state tree.

    /// empty key → the chain's parameters.
    case parameters
    /// organisation id (4, big-endian) → organisation.
    case organisations
    /// unit code (16, zero-padded), version (4, big-endian) → program.
    case programs
    /// unit code (16) → the unit's issuer, newest version and supply totals.
    case units
    /// account id (16) → account with its credentials.
    case accounts
    /// account id (16), unit code (16) → holding: totals and lots.
    case holdings
    /// hold id (32) → reservation.
    case holds
    /// natural key digest (32) → accrual with points still pending.
    case accruals
    /// natural key digest (32) → what was clawed back of an accrual.
    case clawbacks
    /// proposal id (32) → a decision that waits for approvals.
    case proposals
    /// digest of validator, epoch, height, round and phase (32) → a validator's contradiction.
    case offences
    /// number (4, big-endian) → an epoch of the order after the first: its first height.
    case epochs
    /// empty key → which version of the rules holds, once it has changed.
    case rules
    /// voting key (33) → whose it is or was, where it came by an exchange or went by one.
    case votingKeys

    // Rows only ever added: an append-only Merkle tree with one leaf a height.

    /// natural key digest (32) → the accrual line as first accepted.
    case keys
    /// natural key digest (32) → final totals of an accrual that was pending once.
    case settled
    /// height → the nonces that its block burnt, each with its validUntil, transaction and place; a row leaves once
    /// block time is past every validUntil in it and in the rows before.
    case replays
    /// table's name, 0, height (8) → what leads from that height's additions to their leaf: of natural keys and settled
    /// accruals their keys in the order of execution, of nonces, which leave, the leaf's digest. Nothing where nothing
    /// was added.
    case additions
}
