import Chain
import Crypto
import JSON
import Ledger
import Node
import Peers
import StorageRocksDB
import Terminal
import Wallet
import Wire

/// `lianfen snapshot`: a node's tables at a certified height, for nodes that join.
enum SnapshotCommands {
    static let command = Command(
        "snapshot", "write a node's tables down, check them, begin a node with them",
        subcommands: [write, verify, restore])

    private static let checkpoint = Option.string(
        "checkpoint", placeholder: "HEIGHT:HASH",
        help: "the snapshot's header, as somebody you trust names it; default: what the validators signed")

    // MARK: Writing

    private static let write = Command(
        "write", "write a snapshot of the newest certified height",
        details: """
            Only reads the directory, and may run beside a running node. Everything is checked against the state root \
            while it is written. A node that runs with --snapshots OUT hands it out.
            """,
        options: [
            .path("dir", placeholder: "DIR", .required, help: "the chain's directory"),
            .integer("validator", in: 1...1_000_000, help: "whose tables, where several live here; default: the first"),
            .path(
                "out", placeholder: "OUT", .required, help: "the directory of snapshots; this one goes to OUT/HEIGHT"),
        ]
    ) { parsed, console in
        let directory = try ChainDirectory(parsed.requiredText("dir"), passphrase: .none)
        let wanted = parsed.number("validator").map { OrganisationID(UInt32($0)) }
        guard let id = directory.members.first(where: { wanted == nil || wanted == $0 }) else {
            throw CommandError(
                code: "validator-unknown", field: "--validator", reason: "no such validator lives in \(directory.path)")
        }
        let store = try RocksDBStore(directory: ChainDirectory.storePath(directory.path, id), mode: .readOnly)
        defer { store.close() }
        let files = SnapshotFiles(path: parsed.requiredText("out"))
        let blocks = BlockStore(store)
        let height = try blocks.height()
        try files.begin(height)
        var isWhole = false
        defer { if !isWhole { files.abandon(height) } }
        let bar = ProgressBar(console, "snapshot of height \(height):", unit: "tables", total: nil)
        let manifest: SnapshotManifest
        do {
            manifest = try Snapshot.write(
                blocks, genesis: directory.genesis, progress: { done, _ in bar.set(done) }
            ) { (index, bytes) throws(SnapshotError) in
                do { try files.write(bytes, height, chunk: index) } catch { throw .unavailable(index, "\(error)") }
            }
        } catch let error as SnapshotError { throw Joining.explain(error) }
        try files.write(manifest)
        isWhole = true
        bar.finish()
        console.answer(json(manifest), text: "Wrote \(files.path)/\(height): \(text(manifest)).")
        return .ok
    }

    // MARK: Checking

    private static let verify = Command(
        "verify", "check a snapshot against a genesis, with nothing else at hand",
        details: """
            Checks the certificate from the genesis on, every chunk's digest, and that the rows give the state root \
            that a quorum signed.
            """,
        arguments: [Argument("DIR", .path, help: "the directory of snapshots")],
        options: [
            .path("genesis", placeholder: "FILE", .required, help: "the genesis you trust"), height, checkpoint,
        ]
    ) { parsed, console in
        let joining = try Joining(
            .files(SnapshotFiles(path: parsed.requiredText("DIR"))),
            genesis: try ChainDirectory.readGenesis(parsed.requiredText("genesis")), height: wantedHeight(parsed),
            checkpoint: try trusted(parsed))
        let bar = ProgressBar(console, "check:", unit: "chunks", total: joining.manifest.chunks.count)
        try joining.verify { done, _ in bar.set(done) }
        bar.finish()
        console.answer(json(joining.manifest), text: "Valid: \(text(joining.manifest)).")
        return .ok
    }

    // MARK: Joining

    private static let restore = Command(
        "restore", "begin a validator's directory with a snapshot",
        details: """
            Makes DIR/nodes/N/db from a snapshot in files or from a node that hands one out; where DIR has a \
            node.json, its peers are asked in turn. What is there already must know nothing but the genesis. The \
            directory becomes a node's once everything is checked; one that is left by a failure says so, and is to \
            be deleted. Nodes are asked with the voting key in DIR/nodes/N/voting.key, as that validator or, where \
            the genesis does not list it, as an observer.
            """,
        options: [
            .path("dir", placeholder: "DIR", .required, help: "the chain's directory, with its genesis"),
            .integer("validator", in: 1...1_000_000, help: "whose directory is made; default: as node.json has it"),
            .path("snapshot", placeholder: "DIR", help: "the directory of snapshots"),
            .string(
                "node", placeholder: "URL", .repeated,
                help: "the node that hands out a snapshot; default: node.json's peers. Repeated: the next one where "
                    + "one fails"),
            .path("ca", placeholder: "FILE", help: "PEM file of the authorities that vouch for the node"), height,
            checkpoint, Passphrase.option,
        ]
    ) { parsed, console in
        let directory = try ChainDirectory(parsed.requiredText("dir"), passphrase: Passphrase(parsed))
        let setup = NodeSetup.exists(in: directory.path) ? try NodeSetup(directory) : nil
        guard let id = parsed.number("validator").map({ OrganisationID(UInt32($0)) }) ?? setup?.file.organisation else {
            throw CommandError(
                code: "missing", field: "--validator", reason: "say whose directory is made", exit: .usage)
        }
        let sources = try sources(parsed, directory, id, setup?.peers ?? [])
        defer { for case .node(let client) in sources { client.stop() } }
        let joining = try Joining(
            first: sources, genesis: directory.genesis, height: wantedHeight(parsed), checkpoint: try trusted(parsed))
        let path = ChainDirectory.storePath(directory.path, id)
        for parent in [directory.path + "/nodes", directory.path + "/nodes/\(id.number)"] {
            try Files.makeDirectory(parent)
        }
        try Joining.makeRoom(at: path, directory.genesis)
        let bar = ProgressBar(console, "restore:", unit: "chunks", total: joining.manifest.chunks.count)
        try joining.restore(to: path) { done, _ in bar.set(done) }
        bar.finish()
        console.answer(json(joining.manifest), text: "Made \(path): \(text(joining.manifest)).")
        return .ok
    }

    /// Where a snapshot may be had, in the order in which to ask.
    private static func sources(
        _ parsed: Parsed, _ directory: ChainDirectory, _ id: OrganisationID, _ peers: [PeerConfiguration]
    ) throws -> [Joining.Source] {
        let urls = try NodeOption.urls(parsed)
        switch (parsed.text("snapshot"), urls.isEmpty) {
        case (let path?, true): return [.files(SnapshotFiles(path: path))]
        case (nil, false):
            return try urls.map { .node(try directory.client(of: id, at: $0, authorities: parsed.text("ca"))) }
        case (nil, true) where !peers.isEmpty:
            return try peers.map { .node(try directory.client(of: id, at: $0.url, authorities: $0.authorities)) }
        default:
            throw CommandError(
                code: "either", field: "--snapshot", reason: "give a directory of snapshots, or a node", exit: .usage)
        }
    }

    // MARK: Parts

    private static let height = Option.integer(
        "height", in: 1...Int.max, placeholder: "HEIGHT", help: "which snapshot; default: the newest there")

    private static func wantedHeight(_ parsed: Parsed) -> UInt64? { parsed.number("height").map { UInt64($0) } }

    private static func trusted(_ parsed: Parsed) throws -> Checkpoint? {
        try parsed.text("checkpoint").map { text in
            guard let checkpoint = Checkpoint(text) else {
                throw CommandError(
                    code: "checkpoint-invalid", field: "--checkpoint",
                    reason: "a checkpoint is a height, a colon and the 64 hexadecimal digits of its header's hash",
                    exit: .usage)
            }
            return checkpoint
        }
    }

    private static func text(_ manifest: SnapshotManifest) -> String {
        "height \(manifest.height), \(UTC.text(manifest.header.time)), header \(manifest.header.hash), "
            + "\(manifest.byteCount) bytes in \(Counted.text(manifest.chunks.count, "chunk"))"
    }

    private static func json(_ manifest: SnapshotManifest) -> JSONValue {
        [
            "height": JSONValue(manifest.height), "header": .string(manifest.header.hash.description),
            "stateRoot": .string(manifest.header.state.description), "time": JSONValue(manifest.header.time),
            "chunks": JSONValue(manifest.chunks.count), "bytes": JSONValue(manifest.byteCount),
        ]
    }
}
