import Foundation
import Ledger
import Node
import Storage
import StorageRocksDB
import TestSupport
import Testing

/// The tool itself, killed in the middle of its longest work by its own switch for that.
@Suite struct ImportKillTests {
    private static let orders = 240
    private static let malls = ["Kanyon": "KANYON", "Zorlu Center": "ZORLU", "Metrocity": "METROCITY"]

    @Test(arguments: CrashPoint.allCases)
    func importKilledAtEveryCrashPointAddsEachOrderOnce(_ point: CrashPoint) throws {
        let validators = CrashPoint.allCases.firstIndex(of: point)! % 2 == 0 ? 1 : 4
        try withTemporaryDirectory { root in
            let (file, expected) = try writeOrders(root)
            let directory = root.path + "/chain"
            let made = try tool(["init", "--dev", "--dir", directory, "--validators", "\(validators)"])
            #expect(made.killed == false)

            let work = ["import", file, "--mapping", Self.mapping, "--dir", directory, "--json"]
            var kills = 0
            // The programs, the accounts and the orders are few transactions; each run gets a little further.
            for count in [1, 2, 4, 7, 11] {
                if try tool(work, ["LIANFEN_CRASH_POINT": "\(point.rawValue):\(count)"]).killed { kills += 1 }
            }
            #expect(kills >= 3)

            let whole = try tool(work)
            #expect(whole.killed == false)
            let again = try tool(work)
            #expect(again.answer["already"] as? Int == Self.orders)
            #expect((again.answer["vested"] as? [String: Any])?["count"] as? Int == 0)
            let audit = try tool(["audit", directory, "--json"])
            #expect(audit.answer["ok"] as? Bool == true)

            let store = try RocksDBStore(directory: directory + "/nodes/1/db", mode: .readOnly)
            defer { store.close() }
            let blocks = BlockStore(store)
            for (unit, points) in expected { #expect(try blocks.unit(UnitCode(unit)!)?.minted == points) }
            var accounts = 0
            try store.scan(.accounts) { _, _ in
                accounts += 1
                return true
            }
            #expect(accounts == Self.orders / 2, "everybody is opened once")
        }
    }

    private static let mapping = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("examples/mappings/istanbul-malls.json").path

    /// Two orders a person; answers the file and what each unit comes to.
    private func writeOrders(_ root: URL) throws -> (file: String, expected: [String: UInt64]) {
        var text =
            "invoice_no,customer_id,gender,age,category,quantity,price,payment_method,invoice_date,shopping_mall\n"
        var expected: [String: UInt64] = [:]
        let malls = Self.malls.sorted { $0.key < $1.key }
        for number in 0..<Self.orders {
            let person = number / 2
            let mall = malls[person % malls.count]
            text += "I\(number),C\(person),Female,28,Books,1,\(number + 10).50,Cash,5/8/2022,\(mall.key)\n"
            expected[mall.value, default: 0] += UInt64(number + 10)
        }
        let file = root.appendingPathComponent("orders.csv")
        try text.write(to: file, atomically: true, encoding: .utf8)
        return (file.path, expected)
    }

    /// Runs the tool to its end; answers its JSON, or that it was killed.
    private func tool(
        _ arguments: [String], _ environment: [String: String] = [:]
    ) throws -> (killed: Bool, answer: [String: Any]) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Built.path("lianfen"))
        process.arguments = arguments
        process.environment = ["SWIFT_BACKTRACE": "enable=no"].merging(environment) { $1 }
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        if process.terminationReason == .uncaughtSignal {
            #expect(process.terminationStatus == 9)
            return (true, [:])
        }
        #expect(process.terminationStatus == 0, "\(arguments[0]): \(String(decoding: bytes, as: UTF8.self))")
        return (false, (try? JSONSerialization.jsonObject(with: bytes)) as? [String: Any] ?? [:])
    }
}
