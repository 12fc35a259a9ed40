import Chain
import Foundation
import Ledger
import Node
import Storage
import StorageRocksDB
import Terminal
import Wallet
import Wire

/// A snapshot from wherever it is to be had, and the directory that comes of it.
struct Joining {
    enum Source {
        case files(SnapshotFiles)
        /// A client that speaks for a validator or an observer.
        case node(NodeClient)
    }

    let source: Source
    let genesis: Genesis
    let manifest: SnapshotManifest

    /// Finds the snapshot of a height, else the newest.
    /// - Parameters:
    ///   - checkpoint: the snapshot's own header, or one of the few before it that it holds, as somebody who is trusted
    ///     names it. Without one, what a quorum of the validators signed counts, followed from the genesis.
    init(_ source: Source, genesis: Genesis, height: UInt64? = nil, checkpoint: Checkpoint? = nil) throws {
        self.source = source
        self.genesis = genesis
        let found: SnapshotManifest?
        switch source {
        case .files(let files):
            found = try (height ?? files.heights().last).flatMap { try files.manifest($0) }
        case .node(let client):
            found = try (height ?? client.snapshots().first?.height).map { try client.snapshotManifest($0) }
        }
        guard let found else {
            throw CommandError(
                code: "snapshot-missing",
                reason: height.map { "there is no snapshot of height \($0)" }
                    ?? "there is no snapshot")
        }
        manifest = found
        if let checkpoint {
            guard let header = manifest.headers.first(where: { $0.height == checkpoint.height }) else {
                throw CommandError(
                    code: "checkpoint-elsewhere", field: "--checkpoint",
                    reason: "the snapshot has the headers \(manifest.headers[0].height) to \(manifest.height), and not "
                        + "that of height \(checkpoint.height)")
            }
            guard header.hash == checkpoint.header else {
                throw CommandError(
                    code: "checkpoint-differs", field: "--checkpoint",
                    reason: "the snapshot is of another chain of blocks: its header \(checkpoint.height) is "
                        + "\(header.hash)")
            }
        }
    }

    /// Finds it at the first of several places that has it.
    init(first sources: [Source], genesis: Genesis, height: UInt64?, checkpoint: Checkpoint?) throws {
        var failures: [any Error] = []
        for source in sources {
            do {
                self = try Joining(source, genesis: genesis, height: height, checkpoint: checkpoint)
                return
            } catch { failures.append(error) }
        }
        guard failures.count > 1 else { throw failures[0] }
        let reasons = zip(sources, failures).map { source, failure in
            if case .node(let client) = source { "\(client.url): \(failure)" } else { "\(failure)" }
        }
        throw CommandError(code: "snapshot-missing", reason: reasons.joined(separator: "; "))
    }

    /// Takes a directory away that knows nothing but this genesis, as `init` makes one. Any other stays.
    static func makeRoom(at path: String, _ genesis: Genesis) throws {
        guard Files.exists(path) else { return }
        // As its only writer: nobody runs a node there.
        let store = try RocksDBStore(directory: path, mode: .readWrite)
        defer { store.close() }
        let blocks = BlockStore(store)
        guard try blocks.genesis() == genesis, try blocks.newestBlock() == 0, try blocks.height() == 0 else { return }
        try FileManager.default.removeItem(atPath: path)
    }

    /// Checks everything and makes nothing of it.
    func verify(progress: Snapshot.Progress = { _, _ in }) throws {
        try Self.explaining {
            try Snapshot.verify(
                manifest, genesis: genesis, trusting: LightClient(genesis), progress: progress, chunk: chunk)
        }
    }

    /// Makes a node's directory of it, which must not exist yet. One that is left by a failure says that it is not
    /// whole, and is to be deleted.
    func restore(to directory: String, progress: Snapshot.Progress = { _, _ in }) throws {
        try Files.requireRoom(toRestore: manifest.byteCount, at: directory)
        let store = try RocksDBStore(directory: directory, mode: .create)
        defer { store.close() }
        try Self.explaining {
            try Snapshot.restore(
                manifest, into: store, genesis: genesis, trusting: LightClient(genesis), progress: progress,
                chunk: chunk)
        }
    }

    private func chunk(_ index: Int) throws(SnapshotError) -> [UInt8] {
        do {
            switch source {
            case .files(let files):
                guard let bytes = try files.chunk(manifest.height, index) else {
                    throw SnapshotError.unavailable(index, "its file is missing")
                }
                return bytes
            case .node(let client): return try client.snapshotChunk(manifest.height, index)
            }
        } catch let error as SnapshotError { throw error } catch { throw .unavailable(index, "\(error)") }
    }

    private static func explaining(_ body: () throws -> Void) throws {
        do { try body() } catch let error as SnapshotError { throw explain(error) }
    }

    static func explain(_ error: SnapshotError) -> CommandError {
        switch error {
        case .storage(let error):
            CommandError(
                code: "storage-\(error.code.rawValue)", field: error.place, reason: error.reason, exit: .environment)
        case .unavailable: CommandError(code: "snapshot-incomplete", reason: "\(error)", exit: .environment)
        default: CommandError(code: "snapshot-refused", reason: "\(error)")
        }
    }
}
