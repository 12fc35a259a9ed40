public import Canonical
public import Crypto
public import Ledger

/// A quorum's votes for one header: the block and all its ancestors are final.
public struct Certificate: Sendable, Equatable {
    public let epoch: UInt32
    public let height: UInt64
    public let round: UInt32
    public let phase: Vote.Phase
    public let header: Digest
    /// In ascending order of validator, each once.
    public let signatures: [VoteSignature]

    /// One validator's part.
    public struct VoteSignature: Sendable, Equatable {
        public let validator: OrganisationID
        public let time: UInt64
        public let signature: Signature

        public init(validator: OrganisationID, time: UInt64, signature: Signature) {
            self.validator = validator
            self.time = time
            self.signature = signature
        }
    }

    public init(
        epoch: UInt32, height: UInt64, round: UInt32 = 0, phase: Vote.Phase = .commit, header: Digest,
        signatures: [VoteSignature]
    ) {
        self.epoch = epoch
        self.height = height
        self.round = round
        self.phase = phase
        self.header = header
        self.signatures = signatures
    }

    /// Joins votes, each verified before, that agree in all but validator, time and signature.
    /// - Precondition: at least one vote, of distinct validators.
    public init(joining votes: [Vote]) {
        let first = votes[0]
        precondition(
            votes.allSatisfy {
                $0.epoch == first.epoch && $0.height == first.height && $0.round == first.round
                    && $0.phase == first.phase && $0.header == first.header
            }, "a certificate joins votes for one header")
        self.init(
            epoch: first.epoch, height: first.height, round: first.round, phase: first.phase, header: first.header,
            signatures: votes.sorted { $0.validator < $1.validator }.map {
                VoteSignature(validator: $0.validator, time: $0.time, signature: $0.signature)
            })
    }

    public var hash: Digest { SHA256.hash(.certificate, canonicalBytes) }

    /// Lower median of the signed times: no single member moves it beyond what another said.
    public var medianTime: UInt64 {
        signatures.isEmpty ? 0 : signatures.map(\.time).sorted()[(signatures.count - 1) / 2]
    }

    /// Why a certificate proves nothing.
    public enum Refusal: String, Error, Sendable {
        case signerTwice = "a signer stands in it twice, or signers are not in order"
        case signerUnknown = "a signer is no validator of that height"
        case signatureInvalid = "a signature does not match"
        case quorumMissed = "fewer validators signed than a quorum"
    }

    /// Checks that a quorum of distinct validators of `set` signed, and that every signature in it is good.
    public func verify(genesis: Digest, set: ValidatorSet) throws(Refusal) {
        for (a, b) in zip(signatures, signatures.dropFirst()) where !(a.validator < b.validator) {
            throw .signerTwice
        }
        guard signatures.count >= set.quorum else { throw .quorumMissed }
        for signature in signatures {
            guard set[signature.validator] != nil else { throw .signerUnknown }
            let vote = Vote(
                epoch: epoch, height: height, round: round, phase: phase, header: header, time: signature.time,
                validator: signature.validator, signature: signature.signature)
            guard vote.verifies(genesis: genesis, in: set) else { throw .signatureInvalid }
        }
    }
}

extension Certificate: Canonical {
    public func encode(to encoder: inout Encoder) {
        encoder.u32(epoch)
        encoder.u64(height)
        encoder.u32(round)
        encoder.u8(phase.rawValue)
        encoder.value(header)
        encoder.sequence(signatures)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        epoch = try decoder.u32()
        height = try decoder.u64()
        round = try decoder.u32()
        guard let phase = Vote.Phase(rawValue: try decoder.u8()) else { throw decoder.refusal(.unknownVariant) }
        self.phase = phase
        header = try decoder.value()
        signatures = try decoder.ascending(min: 1, max: Genesis.validatorsMax, by: \.validator)
    }
}

extension Certificate.VoteSignature: Canonical {
    public func encode(to encoder: inout Encoder) {
        encoder.value(validator)
        encoder.u64(time)
        encoder.value(signature)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        validator = try decoder.value()
        time = try decoder.u64()
        signature = try decoder.value()
    }
}
