public import Canonical

/// A voting key that came by an exchange or went by one: whose it is or was. The row stays for ever, so that nobody
/// votes by a key that was somebody's before.
public struct VotingKey: Sendable, Equatable, Canonical {
    public let organisation: OrganisationID
    /// How many voting keys the organisation had before it.
    public let number: UInt32
    /// Where and when it was replaced; none: the organisation still has it.
    public let end: End?

    /// The end of a key.
    public struct End: Sendable, Equatable, Canonical {
        /// The first height on which it does not vote any more.
        public let height: UInt64
        /// Block time of the exchange.
        public let time: UInt64

        public func encode(to encoder: inout Encoder) {
            encoder.u64(height)
            encoder.u64(time)
        }

        init(height: UInt64, time: UInt64) {
            self.height = height
            self.time = time
        }

        public init(from decoder: inout Decoder) throws(DecodingError) {
            height = try decoder.u64()
            time = try decoder.u64()
        }
    }

    /// Voting keys that one organisation has had at most, its first one included: one a week for ten years. Each is a
    /// change of the validators that everybody has to follow, and a row that stays.
    public static let countMax: UInt32 = 520
    /// For so long after its exchange, in block time, a key still answers for what it said while it voted: seven days.
    /// Nobody escapes by an exchange, and whoever finds an old key later can do no harm with it.
    public static let accusableMilliseconds: UInt64 = 7 * 86_400_000

    init(_ organisation: OrganisationID, number: UInt32, end: End? = nil) {
        self.organisation = organisation
        self.number = number
        self.end = end
    }

    /// Whether it answers at a block time for what it said of a height.
    func answers(forHeight height: UInt64, at time: UInt64) -> Bool {
        guard let end else { return true }
        return height < end.height && time <= end.time + Self.accusableMilliseconds
    }

    public func encode(to encoder: inout Encoder) {
        encoder.value(organisation)
        encoder.u32(number)
        encoder.option(end)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        organisation = try decoder.value()
        number = try decoder.u32()
        end = try decoder.option()
    }
}
