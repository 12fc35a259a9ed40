import Crypto
import Ledger
import Node
import Terminal

/// The voting keys in a node's directory, for the node that runs there.
struct VotingKeyFiles: VotingKeys {
    let place: KeyPlace
    let passphrase: Passphrase
    /// Told of a key that was found.
    var found: @Sendable (SecretKey) -> Void = { _ in }
    /// Told what went wrong, and of a key that took the place of another.
    var report: @Sendable (String) -> Void = { _ in }

    init(_ path: String, _ id: OrganisationID, _ passphrase: Passphrase) {
        place = KeyPlace(ChainDirectory.votingKeyPath(path, id))
        self.passphrase = passphrase
    }

    func find(_ key: PublicKey) -> SecretKey? {
        do {
            guard let secret = try place.find(key, passphrase) else {
                report(
                    "Where this node stands, the chain lists the voting key \(key), which is neither \(place.file) nor "
                        + "\(place.next). The node follows, and votes where the chain lists one of these; or put the "
                        + "missing key there as \(place.next).")
                return nil
            }
            found(secret)
            return secret
        } catch {
            report("The voting key \(key) cannot be used: \(Self.text(error))")
            return nil
        }
    }

    func holds(_ key: PublicKey) {
        do {
            guard try place.publicKey != key, try place.nextPublicKey == key else { return }
            try place.takeNext()
            report("The voting key is \(key) from now on; the one before it is kept beside \(place.file).")
        } catch {
            report("The new voting key could not be put in the place of the old one: \(Self.text(error))")
        }
    }

    private static func text(_ error: any Error) -> String {
        (error as? CommandError)?.sentence ?? "\(error)"
    }
}
