import Canonical
import Chain
import Concurrency
import Crypto
import Glibc
import Ledger
import Node
import Storage
import StorageRocksDB
import Terminal
import Wallet

/// Where everything of a chain lies that runs from one directory:
/// `genesis`, `nodes/N/db` and `nodes/N/voting.key` for each validator, `keys/N-issuing.key` and `keys/N-governing.key`
/// for each organisation (and beside each key what ``KeyPlace`` says), `wallets/NAME.wallet`, `people.sqlite`.
struct ChainDirectory {
    let path: String
    let genesis: Genesis
    let passphrase: Passphrase

    var genesisHash: Digest { genesis.hash }
    var peoplePath: String { path + "/people.sqlite" }
    var walletsPath: String { Self.walletsPath(path) }

    static func walletsPath(_ path: String) -> String { path + "/wallets" }
    static func genesisPath(_ path: String) -> String { path + "/genesis" }
    static func storePath(_ path: String, _ id: OrganisationID) -> String { path + "/nodes/\(id.number)/db" }
    static func votingKeyPath(_ path: String, _ id: OrganisationID) -> String {
        path + "/nodes/\(id.number)/voting.key"
    }
    static func keyPath(_ path: String, _ id: OrganisationID, _ kind: String) -> String {
        path + "/keys/\(id.number)-\(kind).key"
    }

    /// Finds the chain in a directory, which the command line names by `field`.
    /// - Parameter genesis: the file that pins the chain, where the directory's own is not meant.
    init(_ path: String, passphrase: Passphrase, field: String = "--dir", genesis genesisFile: String? = nil) throws {
        self.path = path
        self.passphrase = passphrase
        guard Files.exists(path) else {
            throw CommandError(
                code: "directory-missing", field: field,
                reason: "there is no directory \(CommandError.quoted(path)); `lianfen init` makes one with a chain",
                exit: .environment)
        }
        guard Files.isDirectory(path) || errno == EACCES else {
            throw CommandError(
                code: "directory-missing", field: field, reason: "\(CommandError.quoted(path)) is no directory",
                exit: .environment)
        }
        let file = genesisFile ?? Self.genesisPath(path)
        guard access(path, X_OK) == 0, access(file, R_OK) == 0 || errno == ENOENT else {
            throw Files.failure("read the chain's directory", path)
        }
        guard genesisFile != nil || Files.exists(file) else {
            throw CommandError(
                code: "chain-missing", field: field,
                reason: "\(CommandError.quoted(path)) holds no chain (no file `genesis` in it)", exit: .environment)
        }
        genesis = try Self.readGenesis(file)
    }

    static func readGenesis(_ file: String) throws -> Genesis {
        do { return try Genesis(canonicalBytes: try Files.read(file)) } catch let error as DecodingError {
            throw CommandError(
                code: "genesis-invalid", field: file, reason: "the file is not a genesis: \(error)")
        }
    }

    /// Organisations whose node's directory is here: validators, and one that only follows.
    var members: [OrganisationID] {
        let numbers = ((try? Files.names(in: path + "/nodes")) ?? []).compactMap { UInt32($0) }.sorted()
        return numbers.map { OrganisationID($0) }.filter { Files.exists(Self.storePath(path, $0)) }
    }

    /// Starts all validators that live here.
    func start(
        certified: @escaping @Sendable (CertifiedBlock) -> Void = { _ in }
    ) throws -> Consortium {
        var opened: [Consortium.Member] = []
        do {
            for id in members {
                let keys = VotingKeyFiles(path, id, passphrase)
                let secrets = try keys.place.keys(passphrase)
                let store = try RocksDBStore(directory: Self.storePath(path, id), mode: .readWrite)
                opened.append(Consortium.Member(organisation: id, votingKeys: secrets, store: store, keys: keys))
                try checkKeys(secrets.map(\.publicKey), of: id, BlockStore(store), file: keys.place.file)
            }
            guard !opened.isEmpty else {
                throw CommandError(
                    code: "node-missing", field: "--dir", reason: "no validator of this chain lives in \(path)/nodes",
                    exit: .environment)
            }
            try checkQuorum(opened.count)
            for member in opened { try checkClock(BlockStore(member.store)) }
            return try Consortium(
                genesis: genesis, members: opened, certified: certified, rulesKnown: RulesKnown.fromEnvironment(),
                crashPoint: CrashHook.fromEnvironment())
        } catch {
            for member in opened { member.store.close() }
            throw error
        }
    }

    /// Refuses keys of which none is, or was when the tables were written, the voting key of the organisation.
    private func checkKeys(
        _ keys: [PublicKey], of id: OrganisationID, _ blocks: BlockStore, file: String
    ) throws {
        let listed =
            try blocks.genesis() == nil
            ? genesis.validators.first { $0.id == id }?.key : try blocks.organisation(id)?.votingKey
        guard let listed, keys.contains(listed) else {
            throw CommandError(
                code: "key-foreign", field: file,
                reason: "this is not the voting key that the chain has for \(id); nothing it signs would count")
        }
    }

    /// All validators that certify live in this process, so where they are too few nothing would ever be answered.
    private func checkQuorum(_ count: Int) throws {
        let set = ValidatorSet(genesis)
        guard count < set.quorum else { return }
        throw CommandError(
            code: "quorum-missed", field: "--dir",
            reason: "\(count) of \(set.count) validators live in \(path)/nodes, and it takes \(set.quorum) to certify",
            exit: .environment)
    }

    /// A validator whose clock lies far behind the chain's time does not vote, and whoever waits would wait as long.
    func checkClock(_ tables: BlockStore) throws {
        let newest = try tables.newestCertificate()?.medianTime ?? 0
        let now = wallClockMilliseconds()
        guard now + NodeCore.clockBehindMaxMilliseconds < newest else { return }
        throw CommandError(
            code: "clock-behind",
            reason: "this machine's clock is \((newest - now) / 1000) seconds behind the time that the validators have "
                + "certified, and a validator so far behind does not vote; set the clock", exit: .environment)
    }

    /// Runs `body` with the chain running, and stops it afterwards.
    /// - Throws: what `body` throws; but where a validator stopped meanwhile, why it did.
    func withConsortium<R>(
        certified: @escaping @Sendable (CertifiedBlock) -> Void = { _ in }, _ body: (Consortium) throws -> R
    ) throws -> R {
        let consortium = try start(certified: certified)
        let result = Result { try body(consortium) }
        // Another validator may stop for the same reason a moment later; after the stop all have said theirs.
        consortium.stop()
        if case .failure = result, let halt = consortium.halted.first { throw Self.explain(halt) }
        return try result.get()
    }

    /// Why a validator stopped, for a person.
    static func explain(_ halt: Halt) -> CommandError {
        if case .storage(let error) = halt {
            return CommandError(
                code: "storage-\(error.code.rawValue)", field: error.place, reason: error.reason, exit: .environment)
        }
        let reason = halt.chinese.map { "\(halt). \($0)" } ?? "\(halt)"
        return CommandError(code: "halted", reason: reason, exit: .environment)
    }

    /// The tables of the first validator here, only to read, also beside a running node.
    func withTables<R>(_ body: (BlockStore) throws -> R) throws -> R {
        guard let first = members.first else {
            throw CommandError(
                code: "node-missing", field: "--dir", reason: "no validator of this chain lives in \(path)/nodes",
                exit: .environment)
        }
        let store = try RocksDBStore(directory: Self.storePath(path, first), mode: .readOnly)
        defer { store.close() }
        return try body(BlockStore(store))
    }

    /// An organisation with its issuing key.
    func issuer(_ id: OrganisationID) throws -> Author {
        try checkIssuer(id)
        return Author(.organisation(id), try Self.readKey(Self.keyPath(path, id, "issuing"), passphrase))
    }

    /// An organisation with its governing key.
    func governor(_ id: OrganisationID) throws -> Author {
        let file = Self.keyPath(path, id, "governing")
        guard Files.exists(file) else {
            throw CommandError(
                code: "key-missing", field: file,
                reason: "the governing key of \(id) is not here, so nothing can be decided in its name")
        }
        return Author(.governor(id), try Self.readKey(file, passphrase))
    }

    func checkIssuer(_ id: OrganisationID) throws {
        guard genesis.organisations.contains(where: { $0.id == id }) else {
            throw CommandError(
                code: "organisation-unknown",
                reason: "this chain has no \(id); it has 1 to \(genesis.organisations.count)"
            )
        }
        let file = Self.keyPath(path, id, "issuing")
        guard Files.exists(file) else {
            throw CommandError(
                code: "key-missing", field: file,
                reason: "the issuing key of \(id) is not here, so nothing can be issued in its name")
        }
    }

    static func keyFile(_ file: String) throws -> KeyFile {
        do { return try KeyFile(canonicalBytes: try Files.read(file)) } catch let error as DecodingError {
            throw CommandError(code: "key-invalid", field: file, reason: "the file is not a key: \(error)")
        }
    }

    static func readKey(_ file: String, _ passphrase: Passphrase) throws -> SecretKey {
        let keyFile = try keyFile(file)
        do {
            return try keyFile.open(passphrase: keyFile.isSealed ? try passphrase.bytes() : nil)
        } catch let error as KeyFileError {
            throw CommandError(code: "key-sealed", field: file, reason: error.rawValue + Passphrase.hint)
        }
    }
}

/// Where a passphrase comes from: a file or an environment variable, never a prompt that would wait in a script.
struct Passphrase {
    let file: String?

    static let option = Option.path(
        "passphrase-file", help: "the first line of this file opens sealed keys (or LIANFEN_PASSPHRASE)")
    static let hint = "; give it by --passphrase-file or LIANFEN_PASSPHRASE"

    /// Nothing but the environment.
    static let none = Passphrase(file: nil)

    private init(file: String?) { self.file = file }

    init(_ parsed: Parsed) { file = parsed.text("passphrase-file") }

    func bytes() throws -> [UInt8]? {
        if let file { return try Self.line(file, "--passphrase-file") }
        guard let text = getenv("LIANFEN_PASSPHRASE") else { return nil }
        let bytes = Array(String(cString: text).utf8)
        return bytes.isEmpty ? nil : bytes
    }

    /// The one that is to take the place of another.
    static let newOption = Option.path(
        "new-passphrase-file", .required, help: "the first line of this file is the new passphrase")

    static func new(_ parsed: Parsed) throws -> [UInt8] {
        try line(parsed.requiredText("new-passphrase-file"), "--new-passphrase-file")
    }

    private static func line(_ file: String, _ option: String) throws -> [UInt8] {
        let line = try Files.firstLine(file)
        guard !line.isEmpty else {
            throw CommandError(code: "passphrase-empty", field: option, reason: "the file's first line is empty")
        }
        return line
    }
}

/// Ends the process at a named point, for tests: `LIANFEN_CRASH_POINT=after-lock:17` kills it the 17th time that any
/// validator passes `after-lock`.
enum CrashHook {
    static func fromEnvironment() throws -> @Sendable (CrashPoint) -> Void {
        guard let text = getenv("LIANFEN_CRASH_POINT") else { return { _ in } }
        let parts = String(cString: text).split(separator: ":", maxSplits: 1)
        guard let point = parts.first.flatMap({ CrashPoint(rawValue: String($0)) }),
            let count = parts.count == 2 ? Int(parts[1]) : 1, count > 0
        else {
            throw CommandError(
                code: "crash-point", field: "LIANFEN_CRASH_POINT",
                reason: "it wants POINT:COUNT, with a point of "
                    + CrashPoint.allCases.map(\.rawValue).joined(separator: ", "))
        }
        let left = Counter(count)
        return { passed in
            if passed == point, left.countDown() == 0 { kill(getpid(), SIGKILL) }
        }
    }
}
