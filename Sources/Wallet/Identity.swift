public import Crypto
import Ledger
public import Wire

/// Whom a client speaks for when it reads what not everybody may.
public struct Identity: Sendable {
    public let principal: Principal
    public let key: SecretKey

    public init(_ principal: Principal, _ key: SecretKey) {
        self.principal = principal
        self.key = key
    }

    /// An account or organisation that signs, as a reader; nil for a guardian, who reads nothing.
    public init?(_ author: Author) {
        switch author.party {
        case .account(let id): self.init(.account(id), author.key)
        case .organisation(let id), .governor(let id): self.init(.organisation(id), author.key)
        case .validator(let id): self.init(.validator(id), author.key)
        case .guardian: return nil
        }
    }

    var claimant: Claimant { Claimant(principal, key.publicKey) }
}
