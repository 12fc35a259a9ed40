import Canonical
import Crypto
import Glibc
import Ledger
import Node
import Storage
import StorageRocksDB
import Terminal

/// A directory that is to be made: beside its place, and given its name at the end, so that it is there whole or not at
/// all.
struct NewDirectory {
    let path: String

    /// - Throws: where something is there already.
    init(_ path: String) throws {
        let trimmed = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        guard try Files.names(in: trimmed).isEmpty, !Files.exists(trimmed) || Files.isDirectory(trimmed) else {
            throw CommandError(
                code: "directory-taken", field: "--dir",
                reason: "\(CommandError.quoted(path)) exists and is not empty; nothing was changed", exit: .environment)
        }
        self.path = trimmed
    }

    /// Fills it; what `body` makes lies under the path that it is given.
    func fill<R>(_ body: (String) throws -> R) throws -> R {
        let making = "\(path).making-\(getpid())"
        do {
            let result = try body(making)
            guard rename(making, path) == 0 else { throw Files.failure("make the directory", path) }
            return result
        } catch {
            Files.removeTree(making)
            throw error
        }
    }
}

extension KeyFile {
    /// Draws a key and stores it, sealed where there is a passphrase.
    static func make(at file: String, passphrase: [UInt8]?) throws -> SecretKey {
        let key = SecretKey()
        let keyFile = passphrase.map { KeyFile(sealing: key, passphrase: $0) } ?? KeyFile(clear: key)
        try Files.write(keyFile.canonicalBytes, to: file)
        return key
    }
}

extension ChainDirectory {
    /// Makes the directory of a validator that knows nothing but the genesis.
    static func makeStore(_ path: String, _ id: OrganisationID, _ genesis: Genesis) throws {
        let store = try RocksDBStore(directory: storePath(path, id), mode: .create)
        defer { store.close() }
        try store.write(BlockStore.genesisBatch(genesis), synced: true)
    }
}
