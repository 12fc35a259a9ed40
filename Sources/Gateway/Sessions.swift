import Canonical
import Chain
import Concurrency
import Crypto
import Ledger
import Node
import Storage
import Wire

/// Challenges and tokens. Neither is kept: both carry what they say and a tag that only this process can make, so
/// nobody can fill its memory with them; what was used is remembered until it expires. A restart ends all tokens.
struct Sessions: Sendable {
    let chain: ChainReader
    /// The organisation whose node this is: stands in the challenge, so that one signed for another node is worth
    /// nothing here.
    let validator: OrganisationID
    let observers: Set<PublicKey>
    let tokenMilliseconds: UInt64
    private let key = AuthenticationKey()
    private let used = Locked<[Digest: UInt64]>([:])

    static let challengeMilliseconds: UInt64 = 120_000
    /// Challenges that were used and have not expired. Beyond it no more tokens are given until some have.
    private static let usedMax = 65_536

    init(
        chain: ChainReader, validator: OrganisationID, observers: Set<PublicKey>, tokenMilliseconds: UInt64
    ) {
        self.chain = chain
        self.validator = validator
        self.observers = observers
        self.tokenMilliseconds = tokenMilliseconds
    }

    /// Who asks, and until when it is good; what the tag is over.
    private struct Ticket: Canonical {
        let isToken: Bool
        let genesis: Digest
        let validator: OrganisationID
        let claimant: Claimant
        let expiresAt: UInt64
        let random: [UInt8]

        func encode(to encoder: inout Encoder) {
            encoder.bool(isToken)
            encoder.value(genesis)
            encoder.value(validator)
            encoder.value(claimant.principal)
            encoder.value(claimant.key)
            encoder.u64(expiresAt)
            encoder.fixed(random)
        }

        init(from decoder: inout Decoder) throws(DecodingError) {
            isToken = try decoder.bool()
            genesis = try decoder.value()
            validator = try decoder.value()
            claimant = Claimant(try decoder.value(), try decoder.value())
            expiresAt = try decoder.u64()
            random = try decoder.fixed(16)
        }

        init(isToken: Bool, genesis: Digest, validator: OrganisationID, claimant: Claimant, expiresAt: UInt64) {
            self.isToken = isToken
            self.genesis = genesis
            self.validator = validator
            self.claimant = claimant
            self.expiresAt = expiresAt
            random = randomBytes(16)
        }
    }

    private func seal(_ ticket: Ticket) -> [UInt8] {
        let bytes = ticket.canonicalBytes
        return bytes + key.tag(bytes)
    }

    private func open(_ sealed: [UInt8]) -> Ticket? {
        guard sealed.count > AuthenticationKey.tagCount else { return nil }
        let bytes = Array(sealed.dropLast(AuthenticationKey.tagCount))
        guard key.verifies(Array(sealed.suffix(AuthenticationKey.tagCount)), of: bytes) else { return nil }
        return try? Ticket(canonicalBytes: bytes)
    }

    func challenge(_ claimant: Claimant) -> Challenge {
        let expiresAt = chain.clock() + Self.challengeMilliseconds
        return Challenge(
            bytes: seal(
                Ticket(
                    isToken: false, genesis: chain.genesisHash, validator: validator, claimant: claimant,
                    expiresAt: expiresAt)), expiresAt: expiresAt)
    }

    func token(_ request: TokenRequest) throws(Problem) -> Token {
        let now = chain.clock()
        guard let ticket = open(request.challenge), !ticket.isToken, ticket.claimant == request.claimant,
            ticket.expiresAt > now
        else { throw Problem(.challengeInvalid) }
        let message = Challenge.signedBytes(genesis: chain.genesisHash, challenge: request.challenge)
        guard request.claimant.key.verifies(request.signature, of: message) else {
            throw Problem(.ledger(.signatureInvalid), field: "$.signature")
        }
        guard try isValid(request.claimant) else { throw Problem(.keyRevoked, field: "$.key") }
        let digest = SHA256.hash(request.challenge)
        let isFirst = used.withLock { used -> Bool in
            if used.count >= Self.usedMax { used = used.filter { $0.value > now } }
            guard used.count < Self.usedMax, used[digest] == nil else { return false }
            used[digest] = ticket.expiresAt
            return true
        }
        guard isFirst else { throw Problem(.challengeInvalid) }
        let expiresAt = now + tokenMilliseconds
        let token = Ticket(
            isToken: true, genesis: chain.genesisHash, validator: validator, claimant: request.claimant,
            expiresAt: expiresAt)
        return Token(text: base64URL(seal(token)), expiresAt: expiresAt)
    }

    /// Whom a token was given to.
    /// - Throws: ``Problem`` where it is none, has expired, or its key speaks for nobody any more.
    func holder(_ token: String) throws(Problem) -> Holder {
        guard token.utf8.count <= 512, let sealed = unbase64URL(token), let ticket = open(sealed), ticket.isToken else {
            throw Problem(.tokenInvalid)
        }
        let holder = Holder(claimant: ticket.claimant, expiresAt: ticket.expiresAt)
        try check(holder)
        return holder
    }

    /// Who reads, until when.
    struct Holder: Sendable {
        let claimant: Claimant
        let expiresAt: UInt64
    }

    func check(_ holder: Holder) throws(Problem) {
        guard holder.expiresAt > chain.clock() else { throw Problem(.tokenExpired) }
        guard try isValid(holder.claimant) else { throw Problem(.keyRevoked) }
    }

    /// Whether the key speaks for the principal now.
    private func isValid(_ claimant: Claimant) throws(Problem) -> Bool {
        switch claimant.principal {
        case .observer(let key): return key == claimant.key && observers.contains(key)
        case .validator(let id):
            return chain.set[id]?.key == claimant.key
        case .organisation(let id):
            let row = try chain.read { (tables) throws(StorageError) in try tables.organisation(id) }.value
            return row.map { $0.issuingKey == claimant.key || $0.governingKey == claimant.key } ?? false
        case .account(let id):
            let row = try chain.read { (tables) throws(StorageError) in try tables.account(id) }
            return row.value?.isValid(claimant.key, at: row.stamp.height + 1) ?? false
        }
    }
}
