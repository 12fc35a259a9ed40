import Crypto
import JSON
import Ledger
import Terminal
import Wallet
import Wire

/// `lianfen consortium rekey`: an organisation exchanges its own keys.
enum RekeyCommand {
    /// The kinds of key, as the command line names them.
    private enum Kind: String, CaseIterable {
        case voting, issuing, governing

        func place(_ path: String, _ id: OrganisationID) -> KeyPlace {
            KeyPlace(
                self == .voting
                    ? ChainDirectory.votingKeyPath(path, id) : ChainDirectory.keyPath(path, id, rawValue))
        }

        func listed(_ terms: GenesisOrganisation) -> PublicKey? {
            switch self {
            case .voting: terms.votingKey
            case .issuing: terms.issuingKey
            case .governing: terms.governingKey
            }
        }
    }

    static let command = Command(
        "rekey", "exchange keys of your organisation",
        details: """
            Draws the new keys, writes them beside the old ones (`….next.key`), proposes the exchange, which your \
            organisation decides alone, and puts the new issuing and governing keys in place. The new voting key votes \
            from the second height after that on: the node in DIR, which may run meanwhile, takes it up by itself and \
            puts it in place once it is of use. Old keys are kept as `….former-….key`; delete them when their time has \
            passed. All three keys sign, so those that stay have to be in DIR too.

            Interrupted, the same command goes on where it stood. An organisation that has lost its governing key \
            writes an application with --application FILE instead, which another proposes (`lianfen consortium \
            propose --keys FILE`) and a quorum approves; then `lianfen consortium rekey` without a kind of key puts \
            the new ones in place.
            """,
        options: [.path("dir", placeholder: "DIR", .required, help: "the chain's directory"), Passphrase.option]
            + NodeOption.options + [
                .integer("by", in: 1...Int(UInt32.max), .required, help: "your organisation's number"),
                .flag("voting", help: "exchange the voting key, in the directory of its node"),
                .flag("issuing", help: "exchange the issuing key"),
                .flag("governing", help: "exchange the governing key"),
                .path(
                    "application", placeholder: "FILE",
                    help: "propose nothing; write there what another organisation is to propose"),
            ]
    ) { parsed, console in
        let wanted = Kind.allCases.filter { parsed.flag($0.rawValue) }
        let application = parsed.text("application")
        guard !wanted.isEmpty || application == nil else { throw nothingWanted }
        let directory = try NodeOption.directory(parsed)
        let node = try NodeOption(parsed)
        let id = OrganisationID(UInt32(parsed.requiredNumber("by")))
        let terms = try Self.terms(of: id, directory, node)
        let settled: [Kind] = try settle(directory, terms)
        guard !wanted.isEmpty else {
            guard !settled.isEmpty else { throw nothingWanted }
            console.answer(
                ["inPlace": .array(settled.map { .string($0.rawValue) })],
                text: "In place: the new \(names(settled)) of \(id).")
            return .ok
        }
        let keys = try draw(wanted, directory, terms)
        let new = GenesisOrganisation(
            id: id, name: terms.name, votingKey: keys[.voting]?.publicKey, issuingKey: keys[.issuing]!.publicKey,
            governingKey: keys[.governing]!.publicKey, quota: terms.quota)
        let signed = Application(
            signing: new, genesis: directory.genesisHash, keys: Kind.allCases.compactMap { keys[$0] })
        if let application {
            try Applicant.write(signed, to: application)
            console.answer(
                ["application": .string(application)],
                text: "Wrote \(application). Give it to another organisation, which proposes it with --keys; once it "
                    + "is carried, `lianfen consortium rekey` without a kind of key puts the new ones in place.")
            return .ok
        }
        let governor = try directory.governor(id)
        // Once it is carried only the new key opens the receipt's proof; to send it takes none.
        let speaker = Author(.governor(id), keys[.governing]!)
        let answer = try directory.withChain(node, .send(speaker: speaker)) {
            try $0.submit([.propose(.keys(signed), by: id)], by: [governor])
        }
        let inPlace = try settle(directory, new)
        let height = answer.place.height
        var text = "Exchanged at height \(height): \(names(wanted)) of \(id)."
        if wanted.contains(.voting) {
            text += " The new voting key votes from height \(height + 2) on; the node takes it up by itself."
        }
        let drawn = Kind.allCases.filter { wanted.contains($0) }.map { kind in
            JSONValue.Member(kind.rawValue, .string(keys[kind]!.publicKey.description))
        }
        let names: JSONValue = .array(inPlace.map { .string($0.rawValue) })
        console.answer(
            ["height": JSONValue(height), "keys": .object(drawn), "inPlace": names], text: text)
        return .ok
    }

    private static let nothingWanted = CommandError(
        code: "kind-missing", field: "--voting",
        reason: "say which keys to exchange: --voting, --issuing, --governing; nothing that was begun waits here",
        exit: .usage)

    private static func names(_ kinds: [Kind]) -> String {
        kinds.map(\.rawValue).joined(separator: ", ") + (kinds.count == 1 ? " key" : " keys")
    }

    private static func terms(
        of id: OrganisationID, _ directory: ChainDirectory, _ node: NodeOption?
    ) throws -> GenesisOrganisation {
        let members = try directory.withChain(node, .read) { try $0.organisations() }
        guard let member = members.first(where: { $0.terms.id == id }) else {
            throw Submission.explain(LedgerRefusal(.organisationUnknown))
        }
        return member.terms
    }

    /// Puts issuing and governing keys in place that the chain has already; the voting key its node puts there.
    private static func settle(_ directory: ChainDirectory, _ terms: GenesisOrganisation) throws -> [Kind] {
        try [.issuing, .governing].filter { kind in
            let place = kind.place(directory.path, terms.id)
            guard try place.nextPublicKey == kind.listed(terms), try place.publicKey != kind.listed(terms) else {
                return false
            }
            try place.takeNext()
            return true
        }
    }

    /// The three keys that the organisation would have: new ones of the kinds wanted, which are on disk then, and the
    /// present ones of the others.
    private static func draw(
        _ wanted: [Kind], _ directory: ChainDirectory, _ terms: GenesisOrganisation
    ) throws -> [Kind: SecretKey] {
        var keys: [Kind: SecretKey] = [:]
        // First all that may fail without anything drawn.
        for kind in Kind.allCases {
            let place = kind.place(directory.path, terms.id)
            guard let listed = kind.listed(terms) else {
                guard !wanted.contains(kind) else {
                    throw CommandError(
                        code: "silent", field: "--\(kind)", reason: "\(terms.id) does not vote, and has no voting key",
                        exit: .usage)
                }
                continue
            }
            guard wanted.contains(kind) else {
                guard let key = try place.find(listed, directory.passphrase) else {
                    throw CommandError(
                        code: "key-missing", field: place.file,
                        reason: "the \(kind) key that the chain has for \(terms.id) is not here, and it has to sign "
                            + "too; exchange it as well, by --\(kind), where it is lost")
                }
                keys[kind] = key
                continue
            }
            guard Files.exists(place.file) else {
                throw CommandError(
                    code: "key-missing", field: place.file,
                    reason: "the \(kind) key of \(terms.id) does not lie here; exchange it where it does")
            }
            guard try place.nextPublicKey != listed else {
                throw CommandError(
                    code: "key-pending", field: place.next,
                    reason: "the chain has this key already, and the node has not put it in its place yet: let the "
                        + "node run, then exchange it again", exit: .environment)
            }
        }
        for kind in wanted { keys[kind] = try kind.place(directory.path, terms.id).draw(directory.passphrase) }
        return keys
    }
}
