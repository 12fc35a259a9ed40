import Canonical
import Concurrency
package import Crypto
import Glibc
package import Ledger
package import Node
package import Storage
package import StorageRocksDB
package import Wallet

/// A chain that crash tests load: one unit, a dozen accounts, and keys that follow from numbers, so that the process
/// that carries the load and the test that judges its directory agree without talking.
package struct Bank: Sendable {
    package let path: String
    package let genesis: Genesis
    package let genesisHash: Digest

    package static let unit = UnitCode("CRASH")!
    package static let accountCount = 12
    /// What each account begins with.
    package static let opening: UInt64 = 10_000

    private static func key(_ name: String) -> SecretKey { SecretKey(seed: SHA256.hash(Array(name.utf8)).bytes) }

    package static func votingKey(_ id: OrganisationID) -> SecretKey { key("voting \(id.number)") }
    package static let issuer = Author(.organisation(OrganisationID(1)), key("issuing 1"))
    package static let accounts: [AccountID] = (0..<accountCount).map {
        AccountID(bytes: SHA256.hash(Array("account \($0)".utf8)).bytes.prefix(AccountID.byteCount))
    }
    private static let holders: [Author] = accounts.enumerated().map { Author(.account($1), key("holder \($0)")) }

    package static func holder(_ index: Int) -> Author { holders[index] }

    /// A genesis of `validators` organisations.
    package static func genesis(validators: Int) -> Genesis {
        Genesis(
            chain: "crash", time: wallClockMilliseconds(), orderingEpoch: randomBytes(16),
            organisations: (1...UInt32(validators)).map { number in
                GenesisOrganisation(
                    id: OrganisationID(number), name: "Bank \(number)",
                    votingKey: votingKey(OrganisationID(number)).publicKey,
                    issuingKey: key("issuing \(number)").publicKey,
                    governingKey: key("governing \(number)").publicKey, quota: 1 << 40)
            })
    }

    package func storePath(_ id: OrganisationID) -> String { "\(path)/\(id.number)" }

    package var members: [OrganisationID] { genesis.validators.map(\.id) }

    /// Makes the directories of a new chain.
    package static func create(_ path: String, validators: Int) throws {
        let genesis = genesis(validators: validators)
        guard mkdir(path, 0o750) == 0 || errno == EEXIST else { throw Failure("cannot make \(path)") }
        guard let file = fopen("\(path)/genesis", "w") else { throw Failure("cannot write the genesis") }
        let bytes = genesis.canonicalBytes
        guard fwrite(bytes, 1, bytes.count, file) == bytes.count, fflush(file) == 0, fsync(fileno(file)) == 0,
            fclose(file) == 0
        else { throw Failure("cannot write the genesis") }
        let bank = try Bank(path)
        for id in bank.members {
            let store = try RocksDBStore(directory: bank.storePath(id), mode: .create)
            defer { store.close() }
            try store.write(BlockStore.genesisBatch(genesis), synced: true)
        }
    }

    /// Finds a chain that was made.
    package init(_ path: String) throws {
        guard let file = fopen("\(path)/genesis", "r") else { throw Failure("there is no chain in \(path)") }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        bytes.removeLast(bytes.count - fread(&bytes, 1, bytes.count, file))
        self.init(path, try Genesis(canonicalBytes: bytes))
    }

    /// A chain whose members' stores are the caller's, where `path` means nothing.
    package init(_ path: String, _ genesis: Genesis) {
        self.path = path
        self.genesis = genesis
        genesisHash = genesis.hash
    }

    package struct Failure: Error, CustomStringConvertible {
        package let description: String

        package init(_ description: String) { self.description = description }
    }

    /// Opens all members' directories and starts them.
    /// - Parameter wrap: what stands between a member and its directory.
    package func start(
        _ wrap: (RocksDBStore, OrganisationID) -> any Store, tables: WriteBehindStore.Limits = .init(),
        crashPoint: @escaping @Sendable (CrashPoint) -> Void = { _ in }
    ) throws -> Consortium {
        let opened = try members.map { id in
            Consortium.Member(
                organisation: id, votingKey: Self.votingKey(id),
                store: wrap(try RocksDBStore(directory: storePath(id), mode: .readWrite), id))
        }
        return try Consortium(genesis: genesis, members: opened, tables: tables, crashPoint: crashPoint)
    }

    /// Reads one member's directory as it stands, without changing it.
    package func read<R>(_ id: OrganisationID, _ body: (BlockStore) throws -> R) throws -> R {
        let store = try RocksDBStore(directory: storePath(id), mode: .readOnly)
        defer { store.close() }
        return try body(BlockStore(store))
    }
}
