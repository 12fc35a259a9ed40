import Backup
import Canonical
import Chain
import Concurrency
import Crypto
import Glibc
import JSON
import Ledger
import Node
import Storage
import StorageRocksDB
import Terminal
import Wire

/// `lianfen backup`: the data backup centre 数据备份中心.
enum BackupCommands {
    static let command = Command(
        "backup", "keep sealed copies of a node's directory, check and restore them",
        details: """
            A backup is the tables at a certified height, the blocks since the backup before, and the files beside \
            them (node.json, people.sqlite), sealed to the recipients' public keys, under a manifest signed with the \
            node's voting key. It holds no keys: copy those once, to a safe place. It counts only once all of it has \
            been read back from the store and has given the state root that a quorum signed. A running node makes \
            backups by itself where its node.json says so (docs/operations.md).
            """, subcommands: [key, create, list, verify, restore, drill])

    // MARK: Recipients

    private static let key = Command(
        "key", "make the key of a recipient",
        details: """
            Writes the secret key to FILE, sealed under a passphrase, and prints the public key, which goes into \
            `recipients` of node.json. Keep FILE away from the node: it opens all backups that are addressed to it.
            """,
        arguments: [Argument("FILE", .path, help: "where to write it; must not exist")],
        options: [.flag("dev", help: "for trying: without a passphrase"), Passphrase.option]
    ) { parsed, console in
        let file = parsed.requiredText("FILE")
        guard !Files.exists(file) else {
            throw CommandError(
                code: "file-exists", field: file,
                reason: "it exists already, and may be the only key to backups; nothing was changed")
        }
        let made = try KeyFile.make(at: file, passphrase: try InitCommand.passphrase(parsed))
        console.answer(
            ["file": .string(file), "publicKey": .string(made.publicKey.description)],
            text: "Wrote \(file). Its public key:\n\(made.publicKey)")
        return .ok
    }

    // MARK: Making

    private static let directory = Option.path("dir", placeholder: "DIR", help: "the chain's directory")

    private static let create = Command(
        "create", "make a backup now, also beside a running node",
        details: """
            Where to, to whom and what stays is as DIR/node.json has it, or as the options say. A failure leaves the \
            backups that were there as they were.
            """,
        options: [
            .path("dir", placeholder: "DIR", .required, help: "the chain's directory"),
            .integer("validator", in: 1...1_000_000, help: "whose tables, where several live here; default: the first"),
            .string("recipient", placeholder: "KEY", .repeated, help: "a public key that can read it"),
            .integer(
                "keep", in: 1...Retention.countMax,
                help: "how many of the newest stay; default: all, or as node.json has it"),
            Passphrase.option,
        ] + BackupSetup.options
    ) { parsed, console in
        let chain = try ChainDirectory(parsed.requiredText("dir"), passphrase: Passphrase(parsed))
        let node = NodeSetup.exists(in: chain.path) ? try NodeSetup(chain) : nil
        let setup = node?.backup
        let wanted = parsed.number("validator").map { OrganisationID(UInt32($0)) } ?? node?.file.organisation
        guard let id = chain.members.first(where: { wanted == nil || wanted == $0 }) else {
            throw CommandError(
                code: "validator-unknown", field: "--validator", reason: "no such validator lives in \(chain.path)")
        }
        guard let place = try BackupSetup.place(parsed) ?? setup?.place else { throw storeMissing }
        let named = try parsed.texts("recipient").map { text in
            guard let key = PublicKey(hex: text) else { throw keyInvalid("--recipient") }
            return key
        }
        let recipients = named.isEmpty ? setup?.recipients ?? [] : named
        guard !recipients.isEmpty else {
            throw CommandError(
                code: "recipients-missing", field: "--recipient",
                reason: "say who can read the backup: `lianfen backup key` makes a key", exit: .usage)
        }
        let retention = parsed.number("keep").map { Retention(newest: $0) } ?? setup?.retention
        let key = try ChainDirectory.readKey(ChainDirectory.votingKeyPath(chain.path, id), chain.passphrase)
        let maker = BackupMaker(
            chain, id, place, recipients: recipients, retention: retention,
            // How one into another place goes is no word on those that the node makes.
            isRecorded: setup.map { $0.place.title == place.title } ?? true, signer: { key })
        let bar = ProgressBar(console, "backup:", unit: "objects", total: nil)
        let made = try explaining { try maker.make { _, done in bar.set(done) } }
        bar.finish()
        if let reason = made.untidied { console.note("Older backups were not taken away: \(reason).") }
        console.answer(
            .object(
                members(made.manifest) + [
                    .init("store", .string(place.title)), .init("milliseconds", JSONValue(made.milliseconds)),
                    .init("removed", .array(made.removed.map { JSONValue($0) })),
                    .init("untidied", made.untidied.map { .string($0) } ?? .null),
                ]),
            text: "Made and read back: \(text(made.manifest)), in \(place.title).")
        return .ok
    }

    // MARK: Looking

    private static let list = Command(
        "list", "list the backups of a store", options: [directory] + BackupSetup.options
    ) { parsed, console in
        let place = try place(parsed)
        let found = try explaining { try BackupShelf.list(place) }
        console.answer(
            [
                "store": .string(place.title),
                "backups": .array(
                    found.map { entry in
                        switch entry.manifest {
                        case .success(let manifest): .object(members(manifest))
                        case .failure(let error):
                            ["height": JSONValue(entry.height), "failure": .string(error.description)]
                        }
                    }),
            ],
            text: found.isEmpty
                ? "There is no backup in \(place.title)."
                : found.map { entry in
                    switch entry.manifest {
                    case .success(let manifest): text(manifest)
                    case .failure(let error): "height \(entry.height): of no use: \(error)"
                    }
                }.joined(separator: "\n"))
        return .ok
    }

    private static let height = Option.integer(
        "height", in: 1...Int.max, placeholder: "HEIGHT", help: "which backup; default: the newest there")
    private static let reading: [Option] =
        [
            directory, height,
            .path("genesis", placeholder: "FILE", help: "the genesis you trust; default: DIR/genesis"),
            .path("key", placeholder: "FILE", help: "the secret key of one of the recipients"),
            .string(
                "signer", placeholder: "KEY",
                help: "who has to have signed it; default: the voting key in DIR, else one that the genesis lists"),
            Passphrase.option,
        ] + BackupSetup.options

    private static let verify = Command(
        "verify", "check that a backup is whole, and what is in it",
        details: """
            Without --key, that every object is there byte for byte, under the manifest's signature. With a \
            recipient's key all of it is read: the rows have to give the state root that a quorum signed, and the \
            blocks have to be the chain up to there.
            """, options: reading
    ) { parsed, console in
        let stored = try Stored(parsed, needsKey: false)
        let bar = ProgressBar(console, "check:", unit: "objects", total: nil)
        try explaining {
            if stored.hasKey {
                try stored.reader.verify(genesis: stored.genesis, progress: { done, _ in bar.set(done) })
            } else {
                try stored.reader.verifyObjects(progress: { done, _ in bar.set(done) })
            }
        }
        bar.finish()
        console.answer(
            .object(members(stored.reader.manifest) + [.init("opened", .bool(stored.hasKey))]),
            text: "\(stored.hasKey ? "Valid" : "Whole, not opened"): \(text(stored.reader.manifest)).")
        return .ok
    }

    // MARK: Restoring

    private static let restore = Command(
        "restore", "make a node's directory from a backup, on an empty host",
        details: """
            Makes DIR/nodes/N/db, and the files that lay beside it where they are not there. DIR may have its keys \
            already, or get them afterwards: backups hold none. Everything is checked as `verify` does; after a \
            failure nothing is left. A validator that comes back so votes on nothing that was ordered before. With \
            --history it comes from the archived blocks, all executed anew, so that it has every block and receipt.
            """,
        options: reading + [
            .flag("history", help: "execute all archived blocks rather than begin with the tables")
        ]
    ) { parsed, console in
        guard let path = parsed.text("dir") else {
            throw CommandError(code: "missing", field: "--dir", reason: "say where to restore", exit: .usage)
        }
        let stored = try Stored(parsed, needsKey: true)
        let bar = ProgressBar(console, "restore:", unit: parsed.flag("history") ? "blocks" : "chunks", total: nil)
        let restoring = Restoring(stored.reader, stored.genesis)
        let files = try explaining {
            try restoring.restore(to: path, history: parsed.flag("history")) { done, _ in bar.set(done) }
        }
        bar.finish()
        let manifest = stored.reader.manifest
        for name in files.left { console.note("\(path)/\(name) was there already and is as it was.") }
        if !Files.exists(ChainDirectory.votingKeyPath(path, manifest.organisation)) {
            console.note(
                "A backup holds no keys: put \(ChainDirectory.votingKeyPath(path, manifest.organisation)) in its place "
                    + "before the node runs.")
        }
        console.answer(
            .object(members(manifest) + [.init("files", .array(files.written.map { .string($0) }))]),
            text: "Made \(ChainDirectory.storePath(path, manifest.organisation)): \(text(manifest)).")
        return .ok
    }

    private static let drill = Command(
        "drill", "restore a backup into a scratch directory, compare the roots, and take it away",
        details: """
            Does all that `restore` does, in a directory that it makes below --scratch and takes away. Then it \
            compares the state root of what was restored with the one that a quorum signed; with --dir also with \
            what that node's own tables say of the height.
            """,
        options: reading + [
            .path("scratch", placeholder: "DIR", .fallback("."), help: "where to restore; needs room for it"),
            .flag("history", help: "execute all archived blocks too, and compare again"),
        ]
    ) { parsed, console in
        let stored = try Stored(parsed, needsKey: true)
        let manifest = stored.reader.manifest
        let scratch = "\(parsed.requiredText("scratch"))/lianfen-drill-\(getpid())"
        let begun = ProgressBar.monotonic()
        let bar = ProgressBar(console, "drill:", unit: "steps", total: nil)
        defer { Files.removeTree(scratch) }
        var roots: [Digest] = []
        for history in parsed.flag("history") ? [false, true] : [false] {
            let place = scratch + (history ? "/history" : "/tables")
            for directory in [scratch, place] { try Files.makeDirectory(directory) }
            _ = try explaining {
                try Restoring(stored.reader, stored.genesis).restore(to: place, history: history) { done, _ in
                    bar.set(done)
                }
            }
            let store = try RocksDBStore(
                directory: ChainDirectory.storePath(place, manifest.organisation), mode: .readOnly)
            defer { store.close() }
            let blocks = BlockStore(store)
            guard try blocks.height() == manifest.height, let root = try blocks.header(manifest.height)?.state else {
                throw CommandError(
                    code: "drill-height", reason: "what was restored does not stand at height \(manifest.height)")
            }
            roots.append(root)
        }
        if let path = parsed.text("dir"), Files.exists(ChainDirectory.storePath(path, manifest.organisation)) {
            let store = try RocksDBStore(
                directory: ChainDirectory.storePath(path, manifest.organisation), mode: .readOnly)
            defer { store.close() }
            if let own = try BlockStore(store).header(manifest.height) { roots.append(own.state) }
        }
        bar.finish()
        guard roots.allSatisfy({ $0 == manifest.stateRoot }) else {
            throw CommandError(
                code: "drill-root",
                reason: "the state root of what was restored is not \(manifest.stateRoot): do not rely on this backup")
        }
        let milliseconds = (ProgressBar.monotonic() - begun) / 1_000_000
        console.answer(
            .object(
                members(manifest) + [
                    .init("milliseconds", JSONValue(milliseconds)), .init("compared", JSONValue(roots.count)),
                ]),
            text: "Restored and compared in \(milliseconds) ms: \(text(manifest)), state root \(manifest.stateRoot).")
        return .ok
    }

    // MARK: Parts

    /// A backup that the command line names, whose manifest holds.
    private struct Stored {
        let reader: BackupReader
        let genesis: Genesis
        let hasKey: Bool

        init(_ parsed: Parsed, needsKey: Bool) throws {
            let path = parsed.text("dir")
            guard let file = parsed.text("genesis") ?? path.map(ChainDirectory.genesisPath) else {
                throw CommandError(
                    code: "genesis-missing", field: "--genesis",
                    reason: "say which chain it has to be: give the genesis that you trust", exit: .usage)
            }
            genesis = try ChainDirectory.readGenesis(file)
            let place = try BackupCommands.place(parsed, genesis: parsed.text("genesis"))
            let key = try parsed.text("key").map { try ChainDirectory.readKey($0, Passphrase(parsed)) }
            guard key != nil || !needsKey else {
                throw CommandError(
                    code: "missing", field: "--key", reason: "it takes the secret key of one of the recipients",
                    exit: .usage)
            }
            hasKey = key != nil
            var wanted = BackupReader.Wanted(height: parsed.number("height").map { UInt64($0) }, genesis: genesis.hash)
            wanted.signer = try parsed.text("signer").map { text in
                guard let key = PublicKey(hex: text) else { throw keyInvalid("--signer") }
                return key
            }
            let (sought, genesis) = (wanted, genesis)
            reader = try explaining {
                let reader = try BackupReader(place, sought, key: key)
                guard sought.signer == nil else { return reader }
                // Whose it should be: what stands in the directory, else what the genesis says.
                let manifest = reader.manifest
                // It takes no passphrase: the public key stands in the clear.
                let own = path.flatMap {
                    try? ChainDirectory.keyFile(ChainDirectory.votingKeyPath($0, manifest.organisation)).publicKey
                }
                let listed = genesis.validators.first { $0.id == manifest.organisation }?.key
                guard let signer = own ?? listed else {
                    throw BackupError.refused(
                        "the genesis lists no voting key of \(manifest.organisation), who made the backup; name the "
                            + "key by --signer")
                }
                guard signer == manifest.signer else {
                    throw BackupError.signer(manifest.height, found: manifest.signer, wanted: signer)
                }
                return reader
            }
        }
    }

    /// Where the backups lie, as the options say, or as the directory's node.json has it.
    private static func place(_ parsed: Parsed, genesis: String? = nil) throws -> any BackupPlace {
        let place = try namedPlace(parsed, genesis)
        if let directory = place as? DirectoryPlace, !Files.isDirectory(directory.path) {
            throw CommandError(
                code: "store-missing", field: "--store",
                reason: "there is no directory \(CommandError.quoted(directory.path)); is its disk mounted?",
                exit: .environment)
        }
        return place
    }

    private static func namedPlace(_ parsed: Parsed, _ genesis: String?) throws -> any BackupPlace {
        if let place = try BackupSetup.place(parsed) { return place }
        guard let path = parsed.text("dir"), NodeSetup.exists(in: path) else { throw storeMissing }
        let chain = try ChainDirectory(path, passphrase: .none, genesis: genesis)
        guard let setup = try NodeSetup(chain).backup else { throw storeMissing }
        return setup.place
    }

    private static var storeMissing: CommandError {
        CommandError(
            code: "store-missing", field: "--store",
            reason: "say where the backups lie, or `backup` in node.json", exit: .usage)
    }

    private static func keyInvalid(_ field: String) -> CommandError {
        CommandError(
            code: "key-invalid", field: field, reason: "a public key is 66 hexadecimal digits and begins with 01",
            exit: .usage)
    }

    private static func text(_ manifest: BackupManifest) -> String {
        let runs = manifest.archived.map { "\($0.lowerBound) to \($0.upperBound)" }.joined(separator: ", ")
        return "height \(manifest.height), \(UTC.text(manifest.blockTime)), \(manifest.byteCount) bytes in "
            + Counted.text(manifest.parts.count + manifest.archive.count, "object")
            + ", blocks \(runs.isEmpty ? "none" : runs)"
    }

    private static func members(_ manifest: BackupManifest) -> [JSONValue.Member] {
        [
            .init("height", JSONValue(manifest.height)), .init("header", .string(manifest.header.description)),
            .init("stateRoot", .string(manifest.stateRoot.description)),
            .init("time", JSONValue(manifest.blockTime)), .init("madeAt", JSONValue(manifest.madeAt)),
            .init("organisation", JSONValue(manifest.organisation.number)),
            .init("bytes", JSONValue(manifest.byteCount)),
            .init("objects", JSONValue(manifest.parts.count + manifest.archive.count)),
            .init(
                "blocks",
                .array(
                    manifest.archived.map { ["first": JSONValue($0.lowerBound), "last": JSONValue($0.upperBound)] })),
            .init("recipients", .array(manifest.recipients.map { .string($0.description) })),
            .init("signer", .string(manifest.signer.description)), .init("program", .string(manifest.program)),
        ]
    }

    // MARK: Errors

    static func explaining<R>(_ body: () throws -> R) throws -> R {
        do { return try body() } catch { throw explain(error) }
    }

    /// What went wrong, for a person.
    static func explain(_ error: any Error) -> CommandError {
        switch error {
        case let error as BackupError:
            if case .storage(let error) = error { return explain(error) }
            let exit: ExitCode = if case .place = error { .environment } else { .refused }
            var reason = error.description
            if case .signer = error {
                reason += "; where that is the node's voting key from before an exchange, name it by --signer"
            }
            return CommandError(code: error.code, reason: reason, exit: exit)
        case let error as CommandError: return error
        default:
            return LianfenTool.explain(error) ?? CommandError(code: "failed", reason: "\(error)", exit: .environment)
        }
    }
}
