public import Canonical
public import Crypto

/// What a validator says of a height: this header, at this time. The whole of it, signature included, is the vote
/// lock: it is synced before it leaves the process, and a restart sends exactly these bytes again.
public struct Vote: Sendable, Equatable {
    /// Number of the ordering epoch.
    public let epoch: UInt32
    public let height: UInt64
    /// 0 in this version of the rules; in the format from the first day.
    public let round: UInt32
    public let phase: Phase
    public let header: Digest
    /// The validator's clock, and past the header's time.
    public let time: UInt64
    public let validator: OrganisationID
    public let signature: Signature

    public enum Phase: UInt8, Sendable {
        case commit = 0
    }

    public init(
        epoch: UInt32, height: UInt64, round: UInt32 = 0, phase: Phase = .commit, header: Digest, time: UInt64,
        validator: OrganisationID, signature: Signature
    ) {
        self.epoch = epoch
        self.height = height
        self.round = round
        self.phase = phase
        self.header = header
        self.time = time
        self.validator = validator
        self.signature = signature
    }

    /// Makes and signs a vote of round 0, phase commit.
    public init(
        signing header: Digest, height: UInt64, epoch: UInt32, time: UInt64, genesis: Digest,
        validator: OrganisationID, key: SecretKey
    ) {
        let message = Self.signedBytes(
            genesis: genesis, epoch: epoch, height: height, round: 0, phase: .commit, header: header, time: time)
        self.init(
            epoch: epoch, height: height, header: header, time: time, validator: validator,
            signature: key.sign(message))
    }

    public static func signedBytes(
        genesis: Digest, epoch: UInt32, height: UInt64, round: UInt32, phase: Phase, header: Digest, time: UInt64
    ) -> [UInt8] {
        var encoder = Encoder(capacity: 128)
        encoder.fixed(Domain.vote.prefix)
        encoder.value(genesis)
        encoder.u32(epoch)
        encoder.u64(height)
        encoder.u32(round)
        encoder.u8(phase.rawValue)
        encoder.value(header)
        encoder.u64(time)
        return encoder.bytes
    }

    /// Whether the signature is that of `key`.
    public func verifies(genesis: Digest, key: PublicKey) -> Bool {
        key.verifies(
            signature,
            of: Self.signedBytes(
                genesis: genesis, epoch: epoch, height: height, round: round, phase: phase, header: header, time: time))
    }
}

extension Vote: Canonical {
    public func encode(to encoder: inout Encoder) {
        encoder.u32(epoch)
        encoder.u64(height)
        encoder.u32(round)
        encoder.u8(phase.rawValue)
        encoder.value(header)
        encoder.u64(time)
        encoder.value(validator)
        encoder.value(signature)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        epoch = try decoder.u32()
        height = try decoder.u64()
        round = try decoder.u32()
        guard let phase = Phase(rawValue: try decoder.u8()) else { throw decoder.refusal(.unknownVariant) }
        self.phase = phase
        header = try decoder.value()
        time = try decoder.u64()
        validator = try decoder.value()
        signature = try decoder.value()
    }
}
