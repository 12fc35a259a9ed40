import Backup
import Concurrency
import Crypto
import Glibc
import Ledger
import Node
import Registrar
import StorageRocksDB
import Terminal
import Wire

/// Makes a backup of one node's directory, also while that node runs, and remembers in the directory how it went.
struct BackupMaker: Sendable {
    let path: String
    let genesis: Genesis
    let organisation: OrganisationID
    let place: any BackupPlace
    let recipients: [PublicKey]
    let retention: Retention?
    /// Whether the directory remembers how it went.
    let isRecorded: Bool
    /// The voting key, which may be another one the next time.
    let signer: @Sendable () throws -> SecretKey

    init(
        _ directory: ChainDirectory, _ organisation: OrganisationID, _ place: any BackupPlace,
        recipients: [PublicKey], retention: Retention?, isRecorded: Bool = true,
        signer: @escaping @Sendable () throws -> SecretKey
    ) {
        path = directory.path
        genesis = directory.genesis
        self.organisation = organisation
        self.place = place
        self.recipients = recipients
        self.retention = retention
        self.isRecorded = isRecorded
        self.signer = signer
    }

    struct Made {
        let manifest: BackupManifest
        let milliseconds: UInt64
        /// Heights of older ones that were taken away.
        let removed: [UInt64]
        /// Why older ones were not taken away, where that failed: the new one is as good.
        let untidied: String?
    }

    /// - Throws: ``BackupError``, ``CommandError``; the backups that were there are as they were.
    func make(progress: @escaping (BackupWriter.Phase, Int) -> Void = { _, _ in }) throws -> Made {
        let lock = try OnlyOne(path)
        defer { lock.release() }
        let begun = ProgressBar.monotonic()
        do {
            let writer = BackupWriter(
                place, genesis: genesis, organisation: organisation, signer: try signer(), recipients: recipients,
                program: LianfenTool.version)
            let store = try RocksDBStore(directory: ChainDirectory.storePath(path, organisation), mode: .readOnly)
            defer { store.close() }
            let files = try BesideTables(path)
            defer { files.remove() }
            let blocks = BlockStore(store)
            let manifest = try writer.create(
                blocks, files: files.files, now: wallClockMilliseconds(), progress: progress)
            var (removed, untidied): ([UInt64], String?) = ([], nil)
            if let retention {
                do throws(BackupError) { removed = try writer.tidy(retention, keeping: manifest.height) } catch {
                    untidied = "\(error)"
                }
            }
            let milliseconds = (ProgressBar.monotonic() - begun) / 1_000_000
            if isRecorded {
                try BackupRecord.note(
                    BackupStanding.Verified(
                        height: manifest.height, stateRoot: manifest.stateRoot, madeAt: manifest.madeAt,
                        byteCount: UInt64(manifest.byteCount), milliseconds: milliseconds, store: place.title),
                    in: path)
            }
            return Made(manifest: manifest, milliseconds: milliseconds, removed: removed, untidied: untidied)
        } catch BackupError.ended {
            throw BackupError.ended
        } catch BackupError.exists(let height) {
            // Nothing failed: there is nothing new to keep.
            throw BackupError.exists(height)
        } catch {
            if isRecorded { try? BackupRecord.note(failure: BackupCommands.explain(error).reason, in: path) }
            throw error
        }
    }
}

/// Of the processes that would make a backup of a directory, the one that may.
private final class OnlyOne {
    private let descriptor: Int32

    init(_ path: String) throws {
        let file = path + "/backup.lock"
        let made = open(file, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        if made >= 0 { Files.giveToOwner(of: path, made) }
        descriptor = made >= 0 ? made : open(file, O_RDWR | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { throw Files.failure("write", file) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw CommandError(
                code: "backup-running", field: file,
                reason: "another backup of this directory is being made; wait for it",
                exit: .environment)
        }
    }

    func release() {
        flock(descriptor, LOCK_UN)
        close(descriptor)
    }
}

/// What lies beside the tables and goes with them: how the node is set up, and who is which account. Keys do not.
final class BesideTables {
    private(set) var files: [BackupWriter.File] = []
    private var descriptors: [Int32] = []

    static let names = ["node.json", "people.sqlite"]

    init(_ path: String) throws {
        for name in Self.names where Files.exists(path + "/" + name) {
            if name == "people.sqlite" {
                let copy = "\(path)/people.copy-\(getpid())"
                defer { unlink(copy) }
                guard let people = try People.reading(path: path + "/" + name) else { continue }
                defer { people.close() }
                try people.copy(to: copy)
                try add(name, copy)
            } else {
                try add(name, path + "/" + name)
            }
        }
    }

    private func add(_ name: String, _ file: String) throws {
        let descriptor = open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Files.failure("read", file) }
        descriptors.append(descriptor)
        files.append(
            BackupWriter.File(name) { (max) throws(BackupError) in
                var bytes = [UInt8](repeating: 0, count: max)
                var count = 0
                while count < max {
                    let more = bytes[count...].withUnsafeMutableBytes {
                        Glibc.read(descriptor, $0.baseAddress, $0.count)
                    }
                    if more < 0, errno == EINTR { continue }
                    guard more >= 0 else { throw .place("read \(name)", reason: String(cString: strerror(errno))) }
                    if more == 0 { break }
                    count += more
                }
                bytes.removeLast(max - count)
                return bytes
            })
    }

    func remove() { for descriptor in descriptors { close(descriptor) } }
}
