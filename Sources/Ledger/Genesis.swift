public import Canonical
public import Crypto

/// What all members agreed on before the first block. Its hash names the chain and stands in all signed bytes.
public struct Genesis: Sendable, Equatable {
    /// ASCII name of the chain, 1 to 32 characters.
    public let chain: String
    /// Time of block 0, milliseconds since 1970 UTC.
    public let time: UInt64
    public let rulesVersion: UInt32
    /// 16 random bytes of ordering epoch 0.
    public let orderingEpoch: [UInt8]
    public let parameters: Parameters
    /// In ascending order of id; at least one of them votes.
    public let organisations: [GenesisOrganisation]

    public static let chainBytesMax = 32
    public static let organisationsMax = 1000
    public static let validatorsMax = 100
    /// End of the year 9999. Past it a clock is wrong; and far below the integer's end no sum of times can overflow.
    public static let timeMax: UInt64 = 253_402_300_799_999
    /// The versions of the rules that this program executes. A new chain begins with the newest.
    public static let rulesVersionsKnown: ClosedRange<UInt32> = 1...2

    public init(
        chain: String, time: UInt64, rulesVersion: UInt32 = rulesVersionsKnown.upperBound, orderingEpoch: [UInt8],
        parameters: Parameters = Parameters(), organisations: [GenesisOrganisation]
    ) {
        self.chain = chain
        self.time = time
        self.rulesVersion = rulesVersion
        self.orderingEpoch = orderingEpoch
        self.parameters = parameters
        self.organisations = organisations
    }

    public var hash: Digest { SHA256.hash(.genesis, canonicalBytes) }

    /// Organisations that vote, with their keys, in order of id.
    public var validators: [(id: OrganisationID, key: PublicKey)] {
        organisations.compactMap { organisation in organisation.votingKey.map { (organisation.id, $0) } }
    }
}

extension Genesis: Canonical {
    public func encode(to encoder: inout Encoder) {
        encoder.string(chain)
        encoder.u64(time)
        encoder.u32(rulesVersion)
        encoder.fixed(orderingEpoch)
        encoder.value(parameters)
        encoder.sequence(organisations)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        chain = try decoder.string(max: Self.chainBytesMax)
        guard !chain.isEmpty, chain.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw decoder.refusal(.invalidText)
        }
        time = try decoder.u64()
        guard time <= Self.timeMax else { throw decoder.refusal(.invalidValue) }
        rulesVersion = try decoder.u32()
        orderingEpoch = try decoder.fixed(16)
        parameters = try decoder.value()
        organisations = try decoder.ascending(min: 1, max: Self.organisationsMax, by: \.id)
        let voting = organisations.compactMap(\.votingKey)
        guard (1...Self.validatorsMax).contains(voting.count), Set(voting).count == voting.count else {
            throw decoder.refusal(.invalidValue)
        }
    }
}

/// A founding organisation: its three kinds of key, which are never the same key, and what it may have outstanding.
public struct GenesisOrganisation: Sendable, Equatable, Canonical {
    public let id: OrganisationID
    /// Shown name, 1 to 64 bytes of UTF-8.
    public let name: String
    /// Signs votes and entries. None: it issues, and does not vote.
    public let votingKey: PublicKey?
    /// Signs issue and all that concerns its members.
    public let issuingKey: PublicKey
    /// Signs decisions about the consortium.
    public let governingKey: PublicKey
    /// The most that may be outstanding of each of its units, in smallest parts.
    public let quota: UInt64

    public static let nameBytesMax = 64

    public init(
        id: OrganisationID, name: String, votingKey: PublicKey?, issuingKey: PublicKey, governingKey: PublicKey,
        quota: UInt64
    ) {
        self.id = id
        self.name = name
        self.votingKey = votingKey
        self.issuingKey = issuingKey
        self.governingKey = governingKey
        self.quota = quota
    }

    public func encode(to encoder: inout Encoder) {
        encoder.value(id)
        encoder.string(name)
        encoder.option(votingKey)
        encoder.value(issuingKey)
        encoder.value(governingKey)
        encoder.u64(quota)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        id = try decoder.value()
        name = try decoder.string(max: Self.nameBytesMax)
        votingKey = try decoder.option()
        issuingKey = try decoder.value()
        governingKey = try decoder.value()
        quota = try decoder.u64()
        guard !name.isEmpty, id.number > 0, issuingKey != governingKey, votingKey != issuingKey,
            votingKey != governingKey
        else { throw decoder.refusal(.invalidValue) }
    }
}

/// Limits that the members agree on; all of them bound something that outsiders could otherwise make large.
public struct Parameters: Sendable, Equatable, Canonical {
    /// How far a transaction's `validUntil` may lie after the block's time.
    public var replayWindowMilliseconds: UInt64 = 300_000
    /// Accounts that one organisation may open in a minute of block time.
    public var openingsPerMinuteMax: UInt32 = 600_000
    /// Units that one organisation may publish.
    public var unitsPerOrganisationMax: UInt32 = 256
    /// How far a reservation's deadline may lie ahead.
    public var reservationMillisecondsMax: UInt64 = 7 * 86_400_000

    /// What the window may be: a second to a day.
    public static let replayWindowMillisecondsRange: ClosedRange<UInt64> = 1000...86_400_000
    /// What ``reservationMillisecondsMax`` may be: up to a leap year.
    public static let reservationMillisecondsMaxRange: ClosedRange<UInt64> = 0...366 * 86_400_000

    public init() {}

    public func encode(to encoder: inout Encoder) {
        encoder.u64(replayWindowMilliseconds)
        encoder.u32(openingsPerMinuteMax)
        encoder.u32(unitsPerOrganisationMax)
        encoder.u64(reservationMillisecondsMax)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        replayWindowMilliseconds = try decoder.u64()
        openingsPerMinuteMax = try decoder.u32()
        unitsPerOrganisationMax = try decoder.u32()
        reservationMillisecondsMax = try decoder.u64()
        guard Self.replayWindowMillisecondsRange.contains(replayWindowMilliseconds),
            Self.reservationMillisecondsMaxRange.contains(reservationMillisecondsMax)
        else { throw decoder.refusal(.invalidValue) }
    }
}
