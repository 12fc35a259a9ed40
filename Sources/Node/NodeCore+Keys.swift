import Chain
import Crypto
import Ledger

/// Which voting key this node signs by: at each height the one that the chain lists there for its organisation. A key
/// that is exchanged is asked for as soon as the exchange is executed, two heights before it votes, so that the node
/// goes on without a pause; and when all heights before its first one are final, the old key is of no more use.
extension NodeCore {
    /// So long a node that lacks the listed key keeps what waits in it: whoever exchanges keys may bring it at once.
    static let keyWaitMilliseconds: UInt64 = 5000
    /// How often the listed key is asked for where it is not there.
    static let keyAskMilliseconds: UInt64 = 1000
    /// Keys that are held: the present one, its successor, and what was exchanged meanwhile. The oldest go.
    static let keysMax = 4

    /// A voting key with its public one, which takes work to derive.
    struct KeyPair: Sendable {
        let secret: SecretKey
        let publicKey: PublicKey

        init(_ secret: SecretKey) {
            self.secret = secret
            publicKey = secret.publicKey
        }
    }

    /// The listed key that is not here, and since when it is asked for.
    struct MissingKey: Sendable {
        let key: PublicKey
        let since: UInt64
        var askedAt: UInt64
    }

    /// The key that the chain lists for this node's organisation at a height; beyond what is decided, the newest.
    func listed(at height: UInt64) -> PublicKey? { executor.sets[height][configuration.validator]?.key }

    /// The key by which this node signs for a height, where it is listed there and the key is here.
    func key(at height: UInt64) -> SecretKey? {
        guard let listed = listed(at: height) else { return nil }
        return keys.first { $0.publicKey == listed }?.secret
    }

    /// Whether this node votes at a height, were it not for a key that may come in a moment.
    func isVoterOrWaits(at height: UInt64, _ now: UInt64) -> Bool {
        if isVoter(at: height) { return true }
        guard let missing, listed(at: height) == missing.key else { return false }
        return now < missing.since + Self.keyWaitMilliseconds
    }

    /// Asks for the key that the newest set lists, where it is not here. Nothing that another key signs would count.
    mutating func lookForKey(_ now: UInt64) {
        guard !keys.isEmpty, signingStopped == nil, let listed = listed(at: .max),
            !keys.contains(where: { $0.publicKey == listed })
        else {
            missing = nil
            return
        }
        guard let there = missing, there.key == listed else {
            missing = MissingKey(key: listed, since: now, askedAt: now)
            effects.append(.findKey(listed))
            return
        }
        guard now >= there.askedAt + Self.keyAskMilliseconds else { return }
        missing!.askedAt = now
        effects.append(.findKey(listed))
    }

    mutating func take(_ key: SecretKey, _ now: UInt64) {
        let pair = KeyPair(key)
        guard !keys.contains(where: { $0.publicKey == pair.publicKey }) else { return }
        keys.append(pair)
        keys.removeFirst(max(0, keys.count - Self.keysMax))
        lookForKey(now)
    }

    /// Says once which of several keys holds from here on, when all heights before its first one are final.
    mutating func noteKeyHolds() {
        guard keys.count > 1, let listed = listed(at: committed + 1), listed != keyHeld,
            keys.contains(where: { $0.publicKey == listed })
        else { return }
        keyHeld = listed
        effects.append(.keyHolds(listed))
    }

    /// Votes that came early were held against the validators that were known then.
    mutating func recheckVotes(_ change: ValidatorSets.Change) {
        let genesis = executor.genesisHash
        votes.keep(from: change.from) { $0.verifies(genesis: genesis, in: change.set) }
    }

    /// Why this node does not sign now: for good, or until it has its key.
    public var silence: String? {
        if let signingStopped { return signingStopped }
        return missing.map {
            "the voting key here is not the one that the chain lists for \(configuration.validator), \($0.key)"
        }
    }
}
