import Foundation
import Registrar
import SQLite
import TestSupport
import Testing

@Suite struct PeopleTests {
    private func inDirectory<R>(_ body: (_ path: String) throws -> R) throws -> R {
        try withTemporaryDirectory { try body($0.appendingPathComponent("people.sqlite").path) }
    }

    @Test func sameAccountAgain() throws {
        try inDirectory { path in
            let persons = (0..<5000).map { "person \($0)" }
            let first: [People.Assignment]
            do {
                let people = try People(path: path)
                first = try people.accounts(for: persons, source: "shop")
                people.close()
            }
            #expect(first.allSatisfy { $0.isNew && !$0.isOpened && $0.account.count == People.accountBytes })
            #expect(Set(first.map(\.account)).count == persons.count)
            #expect(first.map(\.person) == persons)

            let people = try People(path: path)
            let second = try people.accounts(for: persons.reversed(), source: "shop")
            #expect(second.map(\.account) == first.reversed().map(\.account))
            #expect(second.allSatisfy { !$0.isNew })
            #expect(try people.count() == persons.count)
            try people.verify()
        }
    }

    @Test func sourcesAreApart() throws {
        try inDirectory { path in
            let people = try People(path: path)
            let a = try people.accounts(for: ["7"], source: "a")
            let b = try people.accounts(for: ["7"], source: "b")
            #expect(a[0].account != b[0].account)
            #expect(b[0].isNew)
        }
    }

    /// One letter in two spellings is two keys, and so are keys that differ after a zero byte.
    @Test func keysAreBytes() throws {
        try inDirectory { path in
            let people = try People(path: path)
            let keys = ["\u{E9}", "e\u{301}", "a\u{0}b", "a\u{0}c", "a", "A"]
            let made = try people.accounts(for: keys, source: "s")
            #expect(Set(made.map(\.account)).count == keys.count)
            #expect(try people.accounts(for: keys, source: "s").map(\.account) == made.map(\.account))
        }
    }

    @Test func twiceInOneCall() throws {
        try inDirectory { path in
            let made = try People(path: path).accounts(for: ["x", "y", "x"], source: "s")
            #expect(made[0].account == made[2].account)
            #expect(made.map(\.isNew) == [true, true, false])
        }
    }

    @Test func openedIsRemembered() throws {
        try inDirectory { path in
            let people = try People(path: path)
            let made = try people.accounts(for: ["x", "y"], source: "s")
            try people.markOpened([made[1].account, [UInt8](repeating: 0, count: 16)])
            #expect(try people.accounts(for: ["x", "y"], source: "s").map(\.isOpened) == [false, true])
        }
    }

    @Test func readingChangesNothing() throws {
        try inDirectory { path in
            #expect(try People.reading(path: path) == nil)
            #expect(!FileManager.default.fileExists(atPath: path))
            let account: [UInt8]
            do {
                let people = try People(path: path)
                account = try people.accounts(for: ["x"], source: "s")[0].account
                // A reader works beside a writer that is still open.
                let reader = try #require(try People.reading(path: path))
                #expect(try reader.existing(for: ["x", "y"], source: "s").map { $0?.account } == [account, nil])
                reader.close()
                people.close()
            }
            let before = try Data(contentsOf: URL(fileURLWithPath: path))
            let reader = try #require(try People.reading(path: path))
            #expect(try reader.existing(for: ["x"], source: "s").map { $0?.account } == [account])
            #expect(throws: SQLiteError.self) { try reader.accounts(for: ["z"], source: "s") }
            reader.close()
            #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
        }
    }

    @Test func anotherConnectionSeesTheRows() throws {
        try inDirectory { path in
            let one = try People(path: path)
            let two = try People(path: path)
            let account = try one.accounts(for: ["x"], source: "s")[0].account
            #expect(try two.accounts(for: ["x"], source: "s")[0].account == account)
        }
    }

    @Test func onlyTheOwnerReadsIt() throws {
        try inDirectory { path in
            let people = try People(path: path)
            _ = try people.accounts(for: ["x"], source: "s")
            for suffix in ["", "-wal", "-shm"] {
                let attributes = try FileManager.default.attributesOfItem(atPath: path + suffix)
                #expect(attributes[.posixPermissions] as? Int == 0o600, "\(suffix)")
            }
            // Nothing of its making is left beside it.
            let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
            let names = try FileManager.default.contentsOfDirectory(atPath: directory)
            #expect(names.sorted() == ["people.sqlite", "people.sqlite-shm", "people.sqlite-wal"])
        }
    }

    @Test(arguments: [
        ("", SQLiteError.Code.corrupt, "is empty; restore it from a backup"),
        ("name,value\n1,2\n", .notADatabase, "is not a SQLite database"),
        (String(repeating: "SQLite format 3 ", count: 100), .notADatabase, "is not a SQLite database"),
    ])
    func otherFilesAreRefused(content: String, code: SQLiteError.Code, reason: String) throws {
        try inDirectory { path in
            try content.write(toFile: path, atomically: false, encoding: .utf8)
            let error = #expect(throws: SQLiteError.self) { try People(path: path) }
            #expect(error?.code == code)
            #expect(error?.reason == reason)
            #expect(error?.place == path)
            #expect(try String(contentsOfFile: path, encoding: .utf8) == content)
        }
    }

    @Test func otherDatabasesAreRefused() throws {
        try inDirectory { path in
            let foreign = Database.Identity(application: 1, version: 1)
            try Database.create(path: path, identity: foreign, schema: "CREATE TABLE t(a)")
            let error = #expect(throws: SQLiteError.self) { try People(path: path) }
            #expect(error?.code == .foreign)
            #expect(error?.reason == "is the database of another program")
        }
        try inDirectory { path in
            let later = Database.Identity(application: People.identity.application, version: 2)
            try Database.create(path: path, identity: later, schema: "CREATE TABLE t(a)")
            let error = #expect(throws: SQLiteError.self) { try People(path: path) }
            #expect(error?.code == .format)
            #expect(error?.reason == "has format 2; this program reads format 1")
        }
    }

    @Test func damageIsFound() throws {
        try inDirectory { path in
            let people = try People(path: path)
            _ = try people.accounts(for: (0..<2000).map { "person \($0)" }, source: "s")
            people.close()
            var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
            for i in (bytes.count / 2)..<(bytes.count / 2 + 4096) { bytes[i] = 0xA5 }
            try bytes.write(to: URL(fileURLWithPath: path))
            let error = #expect(throws: SQLiteError.self) { try People(path: path).verify() }
            #expect(error?.code == .corrupt)
        }
    }

    @Test func boundsAreKept() throws {
        try inDirectory { path in
            let people = try People(path: path)
            let long = String(repeating: "x", count: People.personBytesMax + 1)
            for (persons, source) in [
                (["a", long], "s"), (["a", ""], "s"), (["a"], ""), (["a"], "seventeen letters"), (["a"], "é"),
                ([String](repeating: "a", count: People.personsMax + 1), "s"),
            ] {
                #expect(throws: SQLiteError.self) { try people.accounts(for: persons, source: source) }
            }
            #expect(try people.count() == 0)
        }
    }

    /// The same seed twice gives one account id twice: the second person gets none, and neither does anyone with it.
    @Test func nothingOfAFailedCallStays() throws {
        try inDirectory { path in
            let people = try People(path: path)
            var random = SeededGenerator(seed: 1)
            _ = try people.accounts(for: ["a"], source: "s", using: &random)
            random = SeededGenerator(seed: 7)
            _ = try people.accounts(for: ["b", "c"], source: "s", using: &random)
            random = SeededGenerator(seed: 1)
            let error = #expect(throws: SQLiteError.self) {
                try people.accounts(for: ["d", "e"], source: "s", using: &random)
            }
            #expect(error?.code == .constraint)
            #expect(try people.count() == 3)
            people.close()
            #expect(throws: SQLiteError.self) { try people.count() }
        }
    }
}
