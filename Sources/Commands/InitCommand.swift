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

            --validators N makes N organisations that all vote and live in this one directory.
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
        ]
    ) { parsed, console in
        let path = parsed.requiredText("dir")
        let isDevelopment = parsed.flag("dev")
        let passphrase = try passphrase(parsed)
        let genesis = try create(
            at: path, chain: parsed.requiredText("chain"), validators: parsed.requiredNumber("validators"),
            quota: UInt64(parsed.requiredNumber("quota")), passphrase: passphrase)
        if isDevelopment {
            console.note("This is a development chain: its keys are stored without a passphrase.")
        }
        console.answer(
            [
                "dir": .string(path), "chain": .string(genesis.chain), "genesis": .string(genesis.hash.description),
                "validators": JSONValue(genesis.validators.count), "development": .bool(isDevelopment),
            ],
            text: """
                Made the chain \(genesis.chain) in \(path), with \(Counted.text(genesis.validators.count, "validator")).
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

    /// Names of the organisations of a chain that is made here.
    static let names = [
        "星河广场 Galaxy Plaza", "江畔天地 Riverside", "云杉百货 Spruce", "东门市集 East Gate",
    ]

    /// Makes everything beside the directory and gives it its name at the end, so that it is there whole or not at all.
    static func create(
        at path: String, chain: String, validators: Int, quota: UInt64, passphrase: [UInt8]?,
        parameters: Parameters = Parameters()
    ) throws -> Genesis {
        guard (1...Genesis.chainBytesMax).contains(chain.utf8.count),
            chain.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else {
            throw CommandError(
                code: "chain-name", field: "--chain", reason: "a chain's name is 1 to 32 printable ASCII characters",
                exit: .usage)
        }
        return try NewDirectory(path).fill { try fill($0, chain, validators, quota, passphrase, parameters) }
    }

    private static func fill(
        _ path: String, _ chain: String, _ validators: Int, _ quota: UInt64, _ passphrase: [UInt8]?,
        _ parameters: Parameters
    ) throws -> Genesis {
        for directory in ["", "/nodes", "/keys", "/wallets"] { try Files.makeDirectory(path + directory) }
        func store(_ file: String) throws -> PublicKey { try KeyFile.make(at: file, passphrase: passphrase).publicKey }
        var organisations: [GenesisOrganisation] = []
        for number in 1...UInt32(validators) {
            let id = OrganisationID(number)
            try Files.makeDirectory(path + "/nodes/\(number)")
            organisations.append(
                GenesisOrganisation(
                    id: id, name: Int(number) <= names.count ? names[Int(number) - 1] : "商城 Mall \(number)",
                    votingKey: try store(ChainDirectory.votingKeyPath(path, id)),
                    issuingKey: try store(ChainDirectory.keyPath(path, id, "issuing")),
                    governingKey: try store(ChainDirectory.keyPath(path, id, "governing")), quota: quota))
        }
        let genesis = Genesis(
            chain: chain, time: wallClockMilliseconds(), orderingEpoch: randomBytes(16), parameters: parameters,
            organisations: organisations)
        try Files.write(genesis.canonicalBytes, to: ChainDirectory.genesisPath(path), mode: 0o644)
        for organisation in organisations {
            try ChainDirectory.makeStore(path, organisation.id, genesis)
        }
        return genesis
    }
}
