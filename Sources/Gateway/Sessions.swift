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
    let observers: Locked<Set<PublicKey>>
    let tokenMilliseconds: UInt64
    private let key = AuthenticationKey()
    private let used = Locked(Used())

    /// Challenges that were used and have not expired.
    private struct Used: Sendable {
        var until: [Digest: (expiresAt: UInt64, key: PublicKey)] = [:]
        var byKey: [PublicKey: Int] = [:]

        mutating func forget(before now: UInt64) {
            for (digest, use) in until where use.expiresAt <= now {
                until[digest] = nil
                byKey[use.key, default: 1] -= 1
                if byKey[use.key] == 0 { byKey[use.key] = nil }
            }
        }
    }

    static let challengeMilliseconds: UInt64 = 120_000
    /// Challenges that are remembered, and those of one key, so that nobody uses up what is for all. Beyond it no more
    /// tokens are given until some have expired.
    private static let usedMax = 65_536
    private static let usedByKeyMax = 64

    init(
        chain: ChainReader, validator: OrganisationID, observers: Set<PublicKey>, tokenMilliseconds: UInt64
    ) {
        self.chain = chain
        self.validator = validator
        self.observers = Locked(observers)
        self.tokenMilliseconds = tokenMilliseconds
    }

    private func seal(_ ticket: SessionTicket) -> [UInt8] {
        let bytes = ticket.canonicalBytes
        return bytes + key.tag(bytes)
    }

    private func open(_ sealed: [UInt8]) -> SessionTicket? {
        guard sealed.count > AuthenticationKey.tagCount else { return nil }
        let bytes = Array(sealed.dropLast(AuthenticationKey.tagCount))
        guard key.verifies(Array(sealed.suffix(AuthenticationKey.tagCount)), of: bytes) else { return nil }
        return try? SessionTicket(canonicalBytes: bytes)
    }

    func challenge(_ claimant: Claimant) -> Challenge {
        let expiresAt = chain.clock() + Self.challengeMilliseconds
        return Challenge(
            bytes: seal(
                SessionTicket(
                    isToken: false, genesis: chain.genesisHash, validator: validator, claimant: claimant,
                    expiresAt: expiresAt, random: randomBytes(SessionTicket.randomCount))), expiresAt: expiresAt)
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
        let isRepeat = try used.withLock { (used) throws(Problem) -> Bool in
            if used.until[digest] != nil { return true }
            if used.until.count >= Self.usedMax || used.byKey[request.claimant.key] ?? 0 >= Self.usedByKeyMax {
                used.forget(before: now)
            }
            guard used.until.count < Self.usedMax, used.byKey[request.claimant.key] ?? 0 < Self.usedByKeyMax else {
                throw Problem(.tooManyRequests, "As many tokens as may be were given in the last minutes.")
            }
            used.until[digest] = (ticket.expiresAt, request.claimant.key)
            used.byKey[request.claimant.key, default: 0] += 1
            return false
        }
        if isRepeat { throw Problem(.challengeInvalid) }
        let expiresAt = now + tokenMilliseconds
        let token = SessionTicket(
            isToken: true, genesis: chain.genesisHash, validator: validator, claimant: request.claimant,
            expiresAt: expiresAt, random: randomBytes(SessionTicket.randomCount))
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
        case .observer(let key): return key == claimant.key && observers.withLock { $0.contains(key) }
        case .validator(let id):
            // Also of one that is suspended: it follows the chain.
            let row = try chain.read { (tables) throws(StorageError) in try tables.organisation(id) }.value
            return row.map { $0.votingKey == claimant.key && $0.standing != .exited } ?? false
        case .organisation(let id):
            let row = try chain.read { (tables) throws(StorageError) in try tables.organisation(id) }.value
            return row.map { $0.issuingKey == claimant.key || $0.governingKey == claimant.key } ?? false
        case .account(let id):
            let row = try chain.read { (tables) throws(StorageError) in try tables.account(id) }
            return row.value?.isValid(claimant.key, at: row.stamp.height + 1) ?? false
        }
    }
}
