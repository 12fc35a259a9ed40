public import Canonical
public import Crypto
import JSON
public import Ledger

/// Who reads: an account or an organisation what concerns it, a validator or an observer whole blocks.
public enum Principal: Hashable, Sendable {
    case account(AccountID)
    /// By its issuing or its governing key.
    case organisation(OrganisationID)
    /// By its voting key.
    case validator(OrganisationID)
    /// By a key that the node was told of.
    case observer(PublicKey)
}

extension Principal: Canonical {
    public func encode(to encoder: inout Encoder) {
        switch self {
        case .account(let id):
            encoder.variant(0)
            encoder.value(id)
        case .organisation(let id):
            encoder.variant(1)
            encoder.value(id)
        case .validator(let id):
            encoder.variant(2)
            encoder.value(id)
        case .observer(let key):
            encoder.variant(3)
            encoder.value(key)
        }
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        switch try decoder.variant(below: 4) {
        case 0: self = .account(try decoder.value())
        case 1: self = .organisation(try decoder.value())
        case 2: self = .validator(try decoder.value())
        default: self = .observer(try decoder.value())
        }
    }
}

extension Form where Value == Principal {
    public static let principal = choice(
        "Who reads: an account or an organisation what concerns it, a validator or an observer whole blocks.",
        [
            Choice("account", .account, { .account($0) }) { if case .account(let id) = $0 { id } else { nil } },
            Choice("organisation", .organisation, { .organisation($0) }) {
                if case .organisation(let id) = $0 { id } else { nil }
            },
            Choice("validator", .organisation, { .validator($0) }) {
                if case .validator(let id) = $0 { id } else { nil }
            },
            Choice("observer", .publicKey, { .observer($0) }) { if case .observer(let key) = $0 { key } else { nil } },
        ]
    ).named("Principal")
}

/// Who wants to read, and by which key.
public struct Claimant: Sendable, Hashable {
    public let principal: Principal
    public let key: PublicKey

    public init(_ principal: Principal, _ key: PublicKey) {
        self.principal = principal
        self.key = key
    }
}

extension Form where Value == Claimant {
    public static let claimant = object(
        "Who wants to read, and by which key.", Field("principal", .principal), Field("key", .publicKey),
        make: { (principal: Principal, key: PublicKey) throws(JSONError) in Claimant(principal, key) },
        parts: { ($0.principal, $0.key) }
    ).named("ChallengeRequest")
}

/// What a claimant signs to show that the key is his.
public struct Challenge: Sendable {
    public let bytes: [UInt8]
    public let expiresAt: UInt64

    public static let byteCountMax = 256

    public init(bytes: [UInt8], expiresAt: UInt64) {
        self.bytes = bytes
        self.expiresAt = expiresAt
    }

    /// Under a domain tag of its own, so that it never could be a transaction: tag, hash of the genesis, the challenge,
    /// which names who asks, the key, and the organisation whose node asks.
    public static func signedBytes(genesis: Digest, challenge: [UInt8]) -> [UInt8] {
        Domain.session.prefix + genesis.bytes + challenge
    }
}

/// What a challenge or a token says, before the tag with which its node ends it: a client reads a challenge before it
/// signs it.
public struct SessionTicket: Sendable, Canonical {
    public let isToken: Bool
    public let genesis: Digest
    /// The organisation whose node gave it.
    public let validator: OrganisationID
    public let claimant: Claimant
    public let expiresAt: UInt64
    public let random: [UInt8]

    public static let randomCount = 16

    /// - Precondition: 16 random bytes.
    public init(
        isToken: Bool, genesis: Digest, validator: OrganisationID, claimant: Claimant, expiresAt: UInt64,
        random: [UInt8]
    ) {
        precondition(random.count == Self.randomCount, "a ticket has 16 random bytes")
        self.isToken = isToken
        self.genesis = genesis
        self.validator = validator
        self.claimant = claimant
        self.expiresAt = expiresAt
        self.random = random
    }

    public func encode(to encoder: inout Encoder) {
        encoder.bool(isToken)
        encoder.value(genesis)
        encoder.value(validator)
        encoder.value(claimant.principal)
        encoder.value(claimant.key)
        encoder.u64(expiresAt)
        encoder.fixed(random)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        isToken = try decoder.bool()
        genesis = try decoder.value()
        validator = try decoder.value()
        claimant = Claimant(try decoder.value(), try decoder.value())
        expiresAt = try decoder.u64()
        random = try decoder.fixed(Self.randomCount)
    }
}

extension Challenge {
    /// What the challenge says; nil where it says nothing that a node of this interface would.
    public var ticket: SessionTicket? {
        guard bytes.count > AuthenticationKey.tagCount else { return nil }
        return try? SessionTicket(canonicalBytes: Array(bytes.dropLast(AuthenticationKey.tagCount)))
    }
}

extension Form where Value == WithBytes<Challenge> {
    public static let challenge = object(
        "What a claimant signs to show that the key is his.",
        Field("challenge", .hexadecimal(1...Challenge.byteCountMax)),
        Field("signingBytes", .hexadecimal(1...Challenge.byteCountMax + 100), "To be signed."),
        Field("expiresAt", .time),
        make: { (bytes: [UInt8], signing: [UInt8], expiresAt: UInt64) throws(JSONError) in
            WithBytes(Challenge(bytes: bytes, expiresAt: expiresAt), signing)
        }, parts: { ($0.value.bytes, $0.bytes, $0.value.expiresAt) }
    ).named("Challenge")
}

/// A signed challenge.
public struct TokenRequest: Sendable {
    public let claimant: Claimant
    public let challenge: [UInt8]
    public let signature: Signature

    public init(claimant: Claimant, challenge: [UInt8], signature: Signature) {
        self.claimant = claimant
        self.challenge = challenge
        self.signature = signature
    }
}

extension Form where Value == TokenRequest {
    public static let tokenRequest = object(
        "A signed challenge.", Field("principal", .principal), Field("key", .publicKey),
        Field("challenge", .hexadecimal(1...Challenge.byteCountMax)), Field("signature", .signature),
        make: { (principal: Principal, key: PublicKey, challenge: [UInt8], signature: Signature) throws(JSONError) in
            TokenRequest(claimant: Claimant(principal, key), challenge: challenge, signature: signature)
        }, parts: { ($0.claimant.principal, $0.claimant.key, $0.challenge, $0.signature) }
    ).named("TokenRequest")
}

/// What opens reads until it expires, or its key is revoked.
public struct Token: Sendable {
    public let text: String
    public let expiresAt: UInt64

    public init(text: String, expiresAt: UInt64) {
        self.text = text
        self.expiresAt = expiresAt
    }
}

extension Form where Value == Token {
    public static let token = object(
        "What opens reads until it expires, or its key is revoked.",
        Field("token", .string(1...512), "To be sent as Authorization: Bearer …"), Field("expiresAt", .time),
        make: { (text: String, expiresAt: UInt64) throws(JSONError) in Token(text: text, expiresAt: expiresAt) },
        parts: { ($0.text, $0.expiresAt) }
    ).named("Token")
}
