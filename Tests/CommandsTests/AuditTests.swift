import Foundation
import Node
import ServerKit
import Storage
import StorageRocksDB
import Testing

/// `lianfen audit` names the first wrong height and what is wrong there.
@Suite(.ownThread) struct AuditTests {
    private static let heightBytes = 8

    private struct Change {
        let column: Column
        let part: String
        /// Of a row that has a height as its key.
        var height: UInt64?
        var how = How.flipped

        enum How { case flipped, cut, gone, added }
    }

    @Test func everyChangedRowIsFound() throws {
        try withChain { root, chain in
            try Members.make(in: chain)
            let pay = ["wallet", "redeem", "--from", "anna", "--unit", "TENTH", "--amount", "1", "--dir", chain]
            #expect(Call(pay).code == 0)
            let clean = try #require(Call("audit", chain, "--json").json["height"].int)
            #expect(clean >= 4)
            let changes = [
                Change(column: .blocks, part: "genesis", height: 0),
                Change(column: .headers, part: "header", height: 0),
                Change(column: .blocks, part: "", height: 2),
                Change(column: .blocks, part: "block", height: 3, how: .gone),
                Change(column: .headers, part: "header", height: 2),
                Change(column: .headers, part: "header", height: 2, how: .cut),
                Change(column: .headers, part: "header", height: 3, how: .gone),
                Change(column: .certificates, part: "certificate", height: 2),
                Change(column: .certificates, part: "certificate", height: 2, how: .cut),
                Change(column: .certificates, part: "certificate", height: UInt64(clean), how: .gone),
                Change(column: .receipts, part: "receipts", height: 2),
                Change(column: .roots, part: "roots", height: 2),
                Change(column: .holdings, part: "holdings"), Change(column: .holdings, part: "holdings", how: .gone),
                Change(column: .holdings, part: "holdings", how: .added),
                Change(column: .holdings, part: "holdings", how: .cut), Change(column: .accounts, part: "accounts"),
                Change(column: .units, part: "units"), Change(column: .programs, part: "programs"),
                Change(column: .organisations, part: "organisations"), Change(column: .parameters, part: "parameters"),
                Change(column: .keys, part: "keys"), Change(column: .replays, part: "replays"),
                Change(column: .transactions, part: "transactions"),
            ]
            let store = { try RocksDBStore(directory: chain + "/nodes/1/db", mode: .readWrite) }
            for change in changes {
                let undo = try Self.apply(change, store())
                let call = Call("audit", chain, "--json")
                let what = "\(change): \(call.output)\(call.errors)"
                #expect(call.code == 1, "\(what)")
                #expect(call.json["ok"].flag == false, "\(what)")
                let wrong = call.json["firstWrong"]
                #expect(wrong["height"].int == Int(change.height ?? UInt64(clean)), "\(what)")
                if !change.part.isEmpty { #expect(wrong["part"].text == change.part, "\(what)") }
                let text = Call("audit", chain)
                #expect(text.output.contains("WRONG at height \(wrong["height"].int ?? -1), "), "\(text.output)")
                let restored = try store()
                try restored.write(undo, synced: true)
                restored.close()
            }
            #expect(Call("audit", chain, "--json").json["ok"].flag == true)
        }
    }

    /// Changes one row; answers what puts it back.
    private static func apply(_ change: Change, _ store: RocksDBStore) throws -> WriteBatch {
        defer { store.close() }
        var found: (key: [UInt8], value: [UInt8])?
        let wanted = change.height.map { height in
            (0..<heightBytes).map { UInt8(truncatingIfNeeded: height >> UInt64(8 * (heightBytes - 1 - $0))) }
        }
        try store.scan(change.column, from: wanted, descending: false) { key, value in
            found = (key, value)
            return false
        }
        let row = try #require(found, "\(change.column) is empty")
        if let wanted { try #require(row.key == wanted, "\(change.column) has no row \(wanted)") }
        var batch = WriteBatch()
        var undo = WriteBatch()
        undo.put(change.column, row.key, row.value)
        switch change.how {
        case .flipped:
            var value = row.value
            value[value.count / 2] ^= 1
            batch.put(change.column, row.key, value)
        case .cut: batch.put(change.column, row.key, Array(row.value.dropLast()))
        case .gone: batch.delete(change.column, row.key)
        case .added:
            var key = row.key
            key[0] ^= 0x80
            batch.put(change.column, key, row.value)
            undo = WriteBatch()
            undo.delete(change.column, key)
        }
        try store.write(batch, synced: true)
        return undo
    }

    @Test func aFreshChainIsClean() throws {
        try withChain("--validators", "4") { root, chain in
            let call = Call("audit", chain, "--json")
            #expect(call.code == 0)
            #expect(call.json["height"].int == 0 && call.json["firstWrong"].isNull)
            #expect(call.json["validators"].count == 4)
            #expect(Call("audit", chain, "--validator", "3", "--json").json["validators"].count == 1)
            let unknown = Call("audit", chain, "--validator", "5", "--json")
            #expect(unknown.code == 1)
            #expect(unknown.error["field"].text == "--validator")
            // Against the genesis that somebody else gave you.
            #expect(Call("init", "--dev", "--dir", root.file("other")).code == 0)
            let other = Call("audit", chain, "--genesis", root.file("other/genesis"), "--json")
            #expect(other.code == 1)
            #expect(other.json["firstWrong"]["height"].int == 0 && other.json["firstWrong"]["part"].text == "genesis")
        }
    }

    @Test func theValidatorAtFaultIsNamed() throws {
        try withChain("--validators", "4") { _, chain in
            try Members.make(in: chain)
            let change = Change(column: .holdings, part: "holdings")
            _ = try Self.apply(change, RocksDBStore(directory: chain + "/nodes/3/db", mode: .readWrite))
            let call = Call("audit", chain)
            #expect(call.code == 1)
            let lines = call.output.split(separator: "\n")
            #expect(lines.count == 4)
            #expect(lines.filter { $0.contains("WRONG") }.map { $0.prefix(12) } == ["Validator 3:"])
        }
    }
}
