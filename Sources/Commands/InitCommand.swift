import Canonical
import Concurrency
import Crypto
import Glibc
import JSON
import Ledger
import Node
import Storage
import StorageRocksDB
import Terminal

/// `lianfen init`: a genesis, the keys of its organisations and an empty directory for each validator.
enum InitCommand {
    static let command = Command(
        "init", "make a chain: its genesis, keys and directories",
        details: """
            With --dev the chain is ready to use at once, and its keys are stored without a passphrase: for trying and \
            for tests only. Without --dev all keys are sealed under the passphrase given.

            --validators N makes N organisations that all vote and live in this one directory. With --apart each gets \
            a directory of its own, DIR/1 to DIR/N, with its keys alone and a file node.json that says where the etcd \
            cluster and the other nodes are: carry them to their machines, and run `lianfen node` there \
            (docs/machines.md).

            --join GENESIS makes the directory of an organisation that follows a chain that there is.

            All of these make every key here. Organisations that are rivals draw their own, each on its machine, and \
            found the chain together: `lianfen help init consortium`.
            """,
        options: [
            .path("dir", placeholder: "DIR", .required, help: "where; must not exist, or be empty"),
            .flag("dev", help: "a chain for trying: keys without a passphrase"),
            .integer("validators", in: 1...16, .fallback("1"), help: "organisations, each a validator"),
            .string("chain", placeholder: "NAME", .fallback("lianfen"), help: "name of the chain, 1 to 32 letters"),
            .integer(
                "quota", in: 1...Int.max, placeholder: "POINTS", .fallback("1000000000000"),
                help: "the most that may be outstanding of each unit"),
            Passphrase.option,
            .flag("apart", help: "a directory for each organisation, DIR/1 to DIR/N, for machines of their own"),
        ] + Machines.options + [
            .path("join", placeholder: "GENESIS", help: "follow the chain of this genesis; with --organisation"),
            .integer("organisation", in: 1...Int(UInt32.max), help: "the number of the organisation that follows"),
        ], subcommands: [FoundingCommands.command]
    ) { parsed, console in
        let path = parsed.requiredText("dir")
        let isDevelopment = parsed.flag("dev")
        let passphrase = try passphrase(parsed)
        if let file = parsed.text("join") { return try join(parsed, console, file, passphrase) }
        guard !parsed.has("organisation") else {
            throw CommandError(
                code: "organisation-option", field: "--organisation",
                reason: "it names who follows a chain that there is: give --join too", exit: .usage)
        }
        let validators = parsed.requiredNumber("validators")
        let machines = try Machines(parsed, validators: validators, isNeeded: parsed.flag("apart"))
        let genesis = try create(
            at: path, chain: parsed.requiredText("chain"), validators: validators,
            quota: UInt64(parsed.requiredNumber("quota")), passphrase: passphrase, machines: machines)
        if isDevelopment {
            console.note("This is a development chain: its keys are stored without a passphrase.")
        }
        let place = machines == nil ? path : validators == 1 ? "\(path)/1" : "\(path)/1 to \(path)/\(validators)"
        console.answer(
            [
                "dir": .string(path), "chain": .string(genesis.chain), "genesis": .string(genesis.hash.description),
                "validators": JSONValue(genesis.validators.count), "development": .bool(isDevelopment),
            ],
            text: """
                Made the chain \(genesis.chain) in \(place), with \
                \(Counted.text(genesis.validators.count, "validator")).
                Genesis \(genesis.hash)
                """)
        return .ok
    }

    /// What seals the keys that are made; none under --dev.
    static func passphrase(_ parsed: Parsed) throws -> [UInt8]? {
        if parsed.flag("dev") { return nil }
        guard let passphrase = try Passphrase(parsed).bytes() else {
            throw CommandError(
                code: "passphrase-missing", field: "--passphrase-file",
                reason: "keys are sealed under a passphrase" + Passphrase.hint + "; --dev makes them without")
        }
        return passphrase
    }

    private static func join(
        _ parsed: Parsed, _ console: Console, _ file: String, _ passphrase: [UInt8]?
    ) throws -> ExitCode {
        let genesis = try ChainDirectory.readGenesis(file)
        guard let number = parsed.number("organisation").flatMap({ UInt32(exactly: $0) }) else {
            throw CommandError(
                code: "organisation-missing", field: "--organisation",
                reason: "say as which organisation the node follows; an applicant takes a number that is free",
                exit: .usage)
        }
        guard
            let machines = try Machines(parsed, validators: genesis.validators.count, isNeeded: true, follows: true)
        else { preconditionFailure("who joins has a machine") }
        let path = parsed.requiredText("dir")
        let key = try join(genesis, as: OrganisationID(number), at: path, machines, passphrase: passphrase)
        console.answer(
            [
                "dir": .string(path), "chain": .string(genesis.chain), "genesis": .string(genesis.hash.description),
                "organisation": JSONValue(number), "votingKey": .string(key.description),
            ],
            text: """
                Made \(path), which follows the chain \(genesis.chain) as organisation \(number).
                Genesis \(genesis.hash)
                The other nodes let it read once they have its key among `observers` in their node.json:
                \(key)
                """)
        return .ok
    }

    /// Names of the organisations of a chain that is made here.
    static let names = [
        "星河广场 Galaxy Plaza", "江畔天地 Riverside", "云杉百货 Spruce", "东门市集 East Gate",
    ]

    static func create(
        at path: String, chain: String, validators: Int, quota: UInt64, passphrase: [UInt8]?,
        parameters: Parameters = Parameters(), machines: Machines? = nil
    ) throws -> Genesis {
        guard (1...Genesis.chainBytesMax).contains(chain.utf8.count),
            chain.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else {
            throw CommandError(
                code: "chain-name", field: "--chain", reason: "a chain's name is 1 to 32 printable ASCII characters",
                exit: .usage)
        }
        return try NewDirectory(path).fill { making in
            func home(_ id: OrganisationID) -> String { machines == nil ? making : "\(making)/\(id.number)" }
            try Files.makeDirectory(making)
            let organisations = try (1...UInt32(validators)).map { number in
                let id = OrganisationID(number)
                return try OrganisationKeys(id, in: home(id), passphrase).terms(
                    id, name: Int(number) <= names.count ? names[Int(number) - 1] : "商城 Mall \(number)", quota: quota)
            }
            let genesis = Genesis(
                chain: chain, time: wallClockMilliseconds(), rulesVersion: try RulesKnown.fromEnvironment().upperBound,
                orderingEpoch: randomBytes(16), parameters: parameters, organisations: organisations)
            for organisation in organisations {
                try finish(home(organisation.id), organisation.id, genesis)
                try machines?.write(organisation.id, in: genesis, to: home(organisation.id))
            }
            return genesis
        }
    }

    /// Writes the genesis into a directory, and an organisation's empty tables.
    static func finish(_ path: String, _ id: OrganisationID, _ genesis: Genesis) throws {
        try Files.write(genesis.canonicalBytes, to: ChainDirectory.genesisPath(path), mode: 0o644)
        try ChainDirectory.makeStore(path, id, genesis)
    }
}
