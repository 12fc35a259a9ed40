import Concurrency
import Crypto
import Dispatch
import Ledger
import Node
import Simulation
import Storage

@testable import Backup

/// A chain of four validators on memory, whose first one makes backups.
final class Chain {
    let cast = Cast(validators: 4)
    private let stores = (0..<4).map { _ in KeptStore() }
    private var orders: UInt8 = 0
    private let offset = Cast.genesisTime - monotonic()

    private static func monotonic() -> UInt64 { DispatchTime.now().uptimeNanoseconds / 1_000_000 }

    init() throws {
        try run { runner in
            for transaction in cast.foundation(validUntil: now + 60_000) { try submit(transaction, runner) }
        }
        try moveOn()
    }

    var now: UInt64 { offset + Self.monotonic() + 1000 }
    var tables: BlockStore { BlockStore(stores[0]) }

    /// Somebody earns, so that a block or two come.
    func moveOn() throws {
        orders += 1
        let line = AccrualLine(
            account: cast.people[0].id, key: NaturalKey(source: SourceID("till")!, order: [orders]), amount: 10,
            pending: false)
        try run { runner in
            try submit(
                cast.issue(
                    0, nonce: 1000 + UInt64(orders), validUntil: now + 60_000,
                    [.accrue(AccrueList(unit: cast.units[0], lines: [line]))]), runner)
        }
    }

    private struct Unanswered: Error {}

    private func submit(_ transaction: Transaction, _ runner: NodeRunner) throws {
        let answer = Waiter<Answer>()
        runner.submit(transaction) { answer.fulfil($0) }
        guard case .receipt? = answer.wait(within: 60_000) else { throw Unanswered() }
    }

    private func run(_ body: (NodeRunner) throws -> Void) throws {
        let offset = offset
        let consortium = try Consortium(
            genesis: cast.genesis,
            members: stores.enumerated().map { index, store in
                .init(organisation: cast.organisation(index), votingKey: cast.votingKeys[index], store: store)
            }, clock: { offset + Self.monotonic() + 1000 })
        defer { consortium.stop() }
        try body(consortium.first)
    }

    func writer(_ place: any BackupPlace, to recipients: [SecretKey], by key: SecretKey? = nil) -> BackupWriter {
        BackupWriter(
            place, genesis: cast.genesis, organisation: cast.organisation(0), signer: key ?? cast.votingKeys[0],
            recipients: recipients.map(\.publicKey), program: "test")
    }

    /// A backup with a file beside the tables.
    func back(
        _ place: any BackupPlace, to recipients: [SecretKey], file bytes: [UInt8] = [1, 2, 3]
    ) throws(BackupError) -> BackupManifest {
        var left = bytes[...]
        let file = BackupWriter.File("people.sqlite") { (max) throws(BackupError) in
            defer { left = left.dropFirst(max) }
            return Array(left.prefix(max))
        }
        return try writer(place, to: recipients).create(tables, files: [file], now: now)
    }

    /// A file of two pieces.
    static let fileBytes = (0..<(BackupWriter.pieceBytes + 1000)).map { UInt8(truncatingIfNeeded: $0 / 999) }
}

/// A directory in memory that a node's threads share, and that is there for the next node when one has closed it.
private final class KeptStore: Store {
    private let rows = MemoryStore()

    func get(_ column: Column, _ key: [UInt8]) throws(StorageError) -> [UInt8]? { try rows.get(column, key) }

    func scan(
        _ column: Column, from start: [UInt8]?, descending: Bool, _ body: ([UInt8], [UInt8]) -> Bool
    ) throws(StorageError) {
        try rows.scan(column, from: start, descending: descending, body)
    }

    func write(_ batch: WriteBatch, synced: Bool) throws(StorageError) { try rows.write(batch, synced: synced) }

    func close() {}
}
