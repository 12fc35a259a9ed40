import Ledger
import Node
import StorageRocksDB
import Testing

/// The units as the first validator's tables have them.
func units(in chain: String) throws -> [Unit] {
    let store = try RocksDBStore(directory: chain + "/nodes/1/db", mode: .readOnly)
    defer { store.close() }
    return try BlockStore(store).units()
}

func unit(_ code: String, in chain: String) throws -> Unit {
    try #require(try units(in: chain).first { $0.code.description == code })
}
