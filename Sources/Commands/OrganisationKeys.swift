import Chain
import Crypto
import Ledger

/// The new keys of an organisation, written into its directory.
struct OrganisationKeys {
    /// Where it votes.
    let voting: SecretKey?
    let issuing: SecretKey
    let governing: SecretKey

    /// Makes the directories of an organisation and its keys in them.
    init(_ id: OrganisationID, votes: Bool = true, in path: String, _ passphrase: [UInt8]?) throws {
        for directory in ["", "/nodes", "/nodes/\(id.number)", "/keys", "/wallets"] {
            try Files.makeDirectory(path + directory)
        }
        func new(_ file: String) throws -> SecretKey { try KeyFile.make(at: file, passphrase: passphrase) }
        voting = votes ? try new(ChainDirectory.votingKeyPath(path, id)) : nil
        issuing = try new(ChainDirectory.keyPath(path, id, "issuing"))
        governing = try new(ChainDirectory.keyPath(path, id, "governing"))
    }

    /// In the order in which they sign an application.
    var all: [SecretKey] { (voting.map { [$0] } ?? []) + [issuing, governing] }

    /// What the chain is told of the organisation.
    func terms(_ id: OrganisationID, name: String, quota: UInt64) -> GenesisOrganisation {
        GenesisOrganisation(
            id: id, name: name, votingKey: voting?.publicKey, issuingKey: issuing.publicKey,
            governingKey: governing.publicKey, quota: quota)
    }
}
