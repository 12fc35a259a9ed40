public import Crypto
public import Ledger

/// Someone who signs: a party of the chain with its key there.
public struct Author: Sendable {
    public let party: Party
    public let key: SecretKey

    public init(_ party: Party, _ key: SecretKey) {
        self.party = party
        self.key = key
    }
}

extension Transaction {
    /// Milliseconds that a transaction is good for where nothing else is asked for; well inside the replay window.
    public static let lifetimeMilliseconds: UInt64 = 120_000

    /// Builds and signs a transaction. The first author is the sender.
    /// - Parameters:
    ///   - now: the caller's clock, from which `validUntil` is counted.
    ///   - nonce: any number that the sender has not used within the window; random where none is given.
    public static func signed(
        _ operations: [Operation], by authors: [Author], genesis: Digest, now: UInt64,
        lifetime: UInt64 = lifetimeMilliseconds, nonce: UInt64? = nil
    ) -> Transaction {
        let random = randomBytes(8).reduce(0) { $0 << 8 | UInt64($1) }
        let body = TransactionBody(
            nonce: nonce ?? random, validUntil: now + lifetime,
            signers: authors.map { Signer($0.party, $0.key.publicKey) }, operations: operations)
        return Transaction(signing: body, genesis: genesis, keys: authors.map(\.key))
    }
}
