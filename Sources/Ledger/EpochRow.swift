public import Canonical

/// An epoch of the order after the first one, as the chain knows it: a row for each, written by the entry that carries
/// the validators' statements. It stands under the state root, so that who begins with a snapshot has it proved.
public struct EpochRow: Sendable, Equatable, Canonical, TableRow {
    /// 1 or more, each one more than the one before.
    public let number: UInt32
    /// The first height on which votes name it.
    public let firstHeight: UInt64
    /// So many entries from there on are those of the ring before, byte for byte: on them there may be votes of that
    /// epoch as well, and one node may hold a certificate of theirs that the others had not heard of.
    public let kept: UInt32

    public init(number: UInt32, firstHeight: UInt64, kept: UInt32) {
        self.number = number
        self.firstHeight = firstHeight
        self.kept = kept
    }

    /// The first epoch, which the genesis names and which has no row.
    public static let first = EpochRow(number: 0, firstHeight: 1, kept: 0)

    /// Whether a vote on a height may name an epoch, as far as this newest one tells.
    public func allows(_ epoch: UInt32, at height: UInt64) -> Bool {
        guard height >= firstHeight else { return epoch < number }
        return epoch == number || epoch < number && height - firstHeight < UInt64(kept)
    }

    /// Whether a certificate of a height may name an epoch, where the chain may yet tell of epochs after this one.
    public func mayCertify(_ epoch: UInt32, at height: UInt64) -> Bool {
        allows(epoch, at: height) || epoch > number && height >= firstHeight
    }

    public func encode(to encoder: inout Encoder) {
        encoder.u32(number)
        encoder.u64(firstHeight)
        encoder.u32(kept)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        number = try decoder.u32()
        firstHeight = try decoder.u64()
        kept = try decoder.u32()
    }
}

/// In order of the numbers.
private struct EpochKey: RowKey {
    let number: UInt32

    func encodeKey(to encoder: inout Encoder) {
        for shift in [24, 16, 8, 0] { encoder.u8(UInt8(truncatingIfNeeded: number >> UInt32(shift))) }
    }
}

extension Ledger.Output {
    /// Adds the row of an epoch that has begun: the one change that no transaction makes.
    public func adding(_ epoch: EpochRow) -> Ledger.Output {
        var row = TableChanges(.epochs, room: 1)
        row.add(EpochKey(number: epoch.number), epoch)
        let place = changes.firstIndex { $0.table.rawValue > Table.epochs.rawValue } ?? changes.count
        return Ledger.Output(
            receipts: receipts, changes: changes[..<place] + [row] + changes[place...], replaysLeft: replaysLeft,
            burnt: burnt, voters: voters)
    }
}
