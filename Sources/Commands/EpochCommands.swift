import Canonical
import Chain
import Concurrency
import Crypto
import JSON
import Ledger
import Node
import Ordering
import OrderingEtcd
import Storage
import StorageRocksDB
import Terminal
import Wire

/// `lianfen epoch`: a new ring of entries where the old one is lost, agreed on by a quorum's signed files.
enum EpochCommands {
    static let command = Command(
        "epoch", "begin the order anew after its cluster was lost or restored",
        details: """
            Each validator stops its node and signs how far it has come (`sign`); from then on it votes no more in the \
            old epoch. With the files of a quorum, one operator starts the new ring (`start`), and all others take \
            their directories there (`join`), with the same files. No certified transaction is lost. Everybody runs \
            on their own machine, with the node stopped (docs/machines.md).
            """, subcommands: [sign, start, join])

    private static let directory: [Option] = [
        .path("dir", placeholder: "DIR", .required, help: "the directory of the organisation's node"),
        Passphrase.option,
    ]
    private static let files = Argument("FILE", .path, .repeatedRequired, help: "statements of a quorum of validators")

    // MARK: Signing

    private static let sign = Command(
        "sign", "give this validator's word for a new epoch, and vote no more in the old one",
        details: """
            The first to sign draws the epoch's bytes with --new and tells all others the number and the bytes; they \
            sign the same ones. Signing again writes the same file again.
            """,
        options: directory + [
            .integer(
                "number", in: 1...Int(UInt32.max), .required, help: "of the new epoch: one more than the last one"),
            .string("bytes", placeholder: "HEX", help: "the 16 bytes that all sign, in 32 digits"),
            .flag("new", help: "draw the bytes"),
            .path("out", placeholder: "FILE", .required, help: "where the statement goes"),
        ]
    ) { parsed, console in
        let place = try EpochPlace(parsed)
        let number = UInt32(parsed.requiredNumber("number"))
        let stated = try place.withNode(adopting: true) { core, blocks in
            let statement = try make(number, try bytes(parsed), place, core, blocks)
            return try blocks.stated(statement)
        }
        let out = parsed.requiredText("out")
        try Files.write(stated.canonicalBytes, to: out, mode: 0o644)
        let statement = stated.statement
        console.answer(
            [
                "number": JSONValue(statement.number), "bytes": .string(hex(statement.bytes)),
                "certified": JSONValue(statement.certified), "last": JSONValue(statement.last), "file": .string(out),
            ],
            text: "\(statement.validator) has given its word for epoch \(number) and votes no more before it begins. "
                + "It knows a certificate of height \(statement.certified), and entries up to \(statement.last).\n"
                + "All others sign with: --number \(number) --bytes \(hex(statement.bytes))")
        return .ok
    }

    /// The statement that stands in the directory, or a new one, which is sealed there before it is answered.
    /// - Parameter bytes: none where they are to be drawn.
    private static func make(
        _ number: UInt32, _ bytes: [UInt8]?, _ place: EpochPlace, _ core: NodeCore, _ blocks: BlockStore
    ) throws -> EpochStatement {
        if let there = try blocks.statement(), there.number > place.epoch.number {
            guard there.number == number, bytes == nil || there.bytes == bytes else {
                throw CommandError(
                    code: "epoch-stated", field: there.number == number ? "--bytes" : "--number",
                    reason: "this validator has given its word for epoch \(there.number) with the bytes "
                        + "\(hex(there.bytes)), and gives no other one for what follows epoch \(place.epoch.number)")
            }
            return there
        }
        guard number == place.epoch.number + 1 else {
            throw CommandError(
                code: "epoch-number", field: "--number",
                reason: "this directory stands in epoch \(place.epoch.number), so the next one is "
                    + "\(place.epoch.number + 1)")
        }
        guard let statement = core.statement(bytes: bytes ?? randomBytes(EpochStatement.bytesCount)) else {
            throw CommandError(
                code: "epoch-silent", field: "--dir",
                reason: core.halted.map { "\($0)" }
                    ?? "no vote stands in this directory, and this validator may have voted from another one: only "
                    + "one that has voted can say how far it came; the others' statements have to do",
                exit: .environment)
        }
        try blocks.seal(statement)
        return statement
    }

    private static func bytes(_ parsed: Parsed) throws -> [UInt8]? {
        guard parsed.flag("new") != parsed.has("bytes") else {
            throw CommandError(
                code: "either", field: "--bytes", reason: "give --bytes as the first to sign was told them, or --new",
                exit: .usage)
        }
        guard parsed.has("bytes") else { return nil }
        guard let bytes = unhex(parsed.requiredText("bytes")), bytes.count == EpochStatement.bytesCount else {
            throw CommandError(
                code: "epoch-bytes", field: "--bytes",
                reason: "an epoch has \(EpochStatement.bytesCount) bytes, in \(2 * EpochStatement.bytesCount) digits",
                exit: .usage)
        }
        return bytes
    }

    // MARK: Beginning

    private static let start = Command(
        "start", "start the new ring by the statements of a quorum, and take this directory there",
        details: """
            One operator does so, in an empty cluster; or, with --replace, in one that holds the lost ring or an old \
            copy of it, which goes. After a failure the same command goes on where it ended.
            """, arguments: [files],
        options: directory + [.flag("replace", help: "delete the ring of the epoch before, where it stands there")]
    ) { parsed, console in
        let place = try EpochPlace(parsed)
        let setup = try NodeSetup(place.directory)
        guard let configuration = setup.etcd else {
            throw CommandError(
                code: "ordering", field: "\(NodeFile.name): $.ordering",
                reason: "this node has no access to the ordering cluster: another organisation starts the ring")
        }
        let stated = try read(parsed)
        let change = try EpochChange(stated)
        let start = try place.verified(change)
        let log: EtcdLog
        do throws(OrderingError) {
            log = try EtcdLog(configuration, epoch: OrderingEpoch(start))
        } catch { throw OrganisationNode.explain(error) }
        defer { log.stop() }
        do throws(OrderingError) {
            try log.begin(with: start.raw(stated), replacing: parsed.flag("replace") ? place.epoch.bytes : nil)
        } catch { throw OrganisationNode.explain(error) }
        // Last: until it stands here, the lost ring is still the one that may be replaced.
        try place.write(change)
        return answer(start, "Started the ring of", console)
    }

    private static let join = Command(
        "join", "take this directory into the new epoch, by the statements with which its ring was started",
        arguments: [files], options: directory
    ) { parsed, console in
        let place = try EpochPlace(parsed)
        let change = try EpochChange(try read(parsed))
        let start = try place.verified(change)
        try place.write(change)
        return answer(start, "Joined", console)
    }

    private static func answer(_ start: EpochChange.Start, _ what: String, _ console: Console) -> ExitCode {
        console.answer(
            [
                "number": JSONValue(start.number), "ring": .string(hex(start.bytes)),
                "firstHeight": JSONValue(start.firstHeight), "entries": JSONValue(UInt64(start.entries.count)),
            ],
            text: "\(what) epoch \(start.number): it begins at position \(start.firstHeight) with "
                + "\(start.entries.count) entries of the one before. The ring is \(hex(start.bytes)).")
        return .ok
    }

    private static func read(_ parsed: Parsed) throws -> [StatedEntries] {
        try parsed.texts("FILE").map { file in
            let bytes = try Files.read(file, max: StatedEntries.bytesMax)
            do throws(DecodingError) { return try StatedEntries(canonicalBytes: bytes) } catch {
                throw CommandError(
                    code: "epoch-file", field: file, reason: "the file is no statement of a validator: \(error)")
            }
        }
    }
}

extension EpochChange {
    /// - Throws: where there are too many.
    fileprivate init(_ stated: [StatedEntries]) throws {
        guard stated.count <= Genesis.validatorsMax else {
            throw CommandError(
                code: "epoch-refused", field: "FILE",
                reason: "there are never more than \(Genesis.validatorsMax) validators")
        }
        self.init(stated.map(\.statement).sorted { $0.validator < $1.validator })
    }
}

extension EpochChange.Start {
    /// The raw entries with which the ring begins.
    fileprivate func raw(_ stated: [StatedEntries]) -> [[UInt8]] {
        zip(firstHeight..., entries).map { position, hash in
            let holder = stated.first { $0.statement.entry(at: position)?.hash == hash }!
            return holder.entries[Int(position - holder.statement.certified) - 1]
        }
    }
}

/// A node's directory as far as epochs go. The node must not run.
struct EpochPlace {
    let directory: ChainDirectory
    /// The change by which its present epoch began; none in the first one.
    let change: EpochChange?
    /// Its present epoch.
    let epoch: OrderingEpoch
    /// What the present epoch began after.
    let start: EpochChange.Start?

    /// The file of the change in a directory.
    private static func file(_ directory: String) -> String { directory + "/epoch" }

    fileprivate init(_ parsed: Parsed) throws {
        try self.init(ChainDirectory(parsed.requiredText("dir"), passphrase: Passphrase(parsed)))
    }

    /// Reads in which epoch a directory stands.
    init(_ directory: ChainDirectory) throws {
        self.directory = directory
        let file = Self.file(directory.path)
        guard Files.exists(file) else {
            (change, start, epoch) = (nil, nil, OrderingEpoch(genesis: directory.genesis))
            return
        }
        // It was verified before it was written.
        do {
            let there = try EpochChange(canonicalBytes: try Files.read(file))
            let began = try there.start()
            (change, start, epoch) = (there, began, OrderingEpoch(began))
        } catch let error where !(error is CommandError) {
            throw CommandError(
                code: "epoch-file", field: file,
                reason: "the file does not say how an epoch began: \(error); `lianfen epoch join` writes it anew")
        }
    }

    /// Checks a change against what is known here.
    /// - Throws: where it is refused, or another one stands here already.
    fileprivate func verified(_ change: EpochChange) throws -> EpochChange.Start {
        if change == self.change, let start { return start }
        return try withNode { core, blocks in
            // Until the node has begun in an epoch, it may still be taken there by other statements.
            let isBegun = try epoch.number == 0 || blocks.adoptedEpoch() == UInt64(epoch.number)
            do throws(EpochChange.Refusal) {
                return try change.verify(
                    after: epoch.number - (isBegun ? 0 : 1), genesis: directory.genesisHash, sets: { core.sets[$0] })
            } catch { throw CommandError(code: "epoch-refused", field: "FILE", reason: "\(error)") }
        }
    }

    fileprivate func write(_ change: EpochChange) throws {
        try Files.write(change.canonicalBytes, to: Self.file(directory.path), mode: 0o644)
    }

    /// Opens the node without letting it run: nothing is ordered, sent or written by it.
    /// - Parameter adopting: whether what it executed has to be of its present epoch, though it may never have begun
    ///   there.
    fileprivate func withNode<R>(adopting: Bool = false, _ body: (NodeCore, BlockStore) throws -> R) throws -> R {
        let id = try NodeSetup(directory).file.organisation
        let keys = try KeyPlace(ChainDirectory.votingKeyPath(directory.path, id)).keys(directory.passphrase)
        let store = try RocksDBStore(directory: ChainDirectory.storePath(directory.path, id), mode: .readWrite)
        defer { store.close() }
        if adopting, let start { try BlockStore(store).adopt(start) }
        var configuration = NodeCore.Configuration(validator: id, votingKeys: keys)
        configuration.rulesKnown = try RulesKnown.fromEnvironment()
        let (core, _) = try NodeCore.open(
            store: store, genesis: directory.genesis,
            configuration: configuration, epoch: epoch,
            begunBy: change, logHead: .max, now: wallClockMilliseconds())
        return try body(core, BlockStore(store))
    }
}
