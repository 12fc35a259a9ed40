import Concurrency
import Crypto
import Glibc
import Ledger
import Node
import Storage

/// The process that is killed, stopped and started again.
package enum CrashProcess {
    /// Names a ``WitnessStore/Plant`` for every directory of the process.
    package static let plantVariable = "LIANFEN_PLANT"

    package static func run(_ arguments: [String]) throws {
        guard arguments.count >= 3, let number = UInt64(arguments[2]) else {
            throw Bank.Failure("wants create DIR VALIDATORS, load DIR SEED [AGAIN] or settle DIR SEED")
        }
        if arguments[0] == "create" { return try Bank.create(arguments[1], validators: Int(number)) }
        let bank = try Bank(arguments[1])
        let plant = getenv(plantVariable).flatMap { WitnessStore.Plant(rawValue: String(cString: $0)) }
        // Every other time no row waits, so that a death finds tables that were just written and such that lie behind.
        var tables = WriteBehindStore.Limits()
        if number % 2 == 0 { tables.rowsMax = 1 }
        let consortium = try bank.start(
            { WitnessStore($0, member: $1, plant: plant) }, tables: tables, crashPoint: try deathAtPoint())
        Word.ready.say()
        var load = Load(bank, consortium, seed: number)
        if arguments[0] == "settle" {
            load.settle()
            consortium.stop()
        } else {
            load.run(again: try arguments.count > 3 ? transactions(arguments[3]) : [])
        }
    }

    private static func deathAtPoint() throws -> @Sendable (CrashPoint) -> Void {
        guard let text = getenv("LIANFEN_CRASH_POINT") else { return { _ in } }
        let parts = String(cString: text).split(separator: ":")
        guard parts.count == 2, let point = CrashPoint(rawValue: String(parts[0])), let count = Int(parts[1]) else {
            throw Bank.Failure("LIANFEN_CRASH_POINT wants POINT:COUNT")
        }
        let left = Locked(count)
        return { passed in
            guard passed == point else { return }
            let isLast = left.withLock { left in
                left -= 1
                return left == 0
            }
            if isLast { kill(getpid(), SIGKILL) }
        }
    }

    private static func transactions(_ path: String) throws -> [Transaction] {
        guard let file = fopen(path, "r") else { throw Bank.Failure("cannot read \(path)") }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        bytes.removeLast(bytes.count - fread(&bytes, 1, bytes.count, file))
        return try String(decoding: bytes, as: UTF8.self).split(separator: "\n").map { line in
            guard let envelope = unhex(String(line)) else { throw Bank.Failure("\(path): not hexadecimal") }
            return try Transaction(envelope: envelope)
        }
    }
}
