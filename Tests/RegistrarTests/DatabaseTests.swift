import Foundation
import SQLite
import TestSupport
import Testing

@Suite struct DatabaseTests {
    private static let identity = Database.Identity(application: 77, version: 3)

    @Test func valuesComeBack() throws {
        try withTemporaryDirectory { directory in
            let path = directory.appendingPathComponent("a.sqlite").path
            try Database.create(path: path, identity: Self.identity, schema: "CREATE TABLE t(i, s, b, n)")
            let database = try Database(path: path, identity: Self.identity)
            let insert = try database.prepare("INSERT INTO t VALUES(?1, ?2, ?3, ?4)")
            let select = try database.prepare("SELECT i, s, b, n, typeof(s), typeof(b) FROM t ORDER BY rowid")
            let rows: [(Int64, String, [UInt8])] = [
                (.min, "", []), (.max, "'; DROP TABLE t; --", [0, 1, 255]),
                (0, "积分\u{0}x", [UInt8](repeating: 7, count: 100_000)),
            ]
            for row in rows {
                try insert.bind(1, row.0)
                try insert.bind(2, row.1)
                try insert.bind(3, row.2)
                try insert.bindNull(4)
                try insert.run()
            }
            for row in rows {
                #expect(try select.step())
                #expect(select.integer(0) == row.0)
                #expect(select.text(1) == row.1)
                #expect(select.bytes(2) == row.2)
                #expect(select.isNull(3))
                #expect(select.text(4) == "text")
                #expect(select.text(5) == "blob")
            }
            #expect(try !select.step())
            #expect(throws: SQLiteError.self) { try insert.bind(9, 1) }
        }
    }

    @Test func aThrowingTransactionLeavesNothing() throws {
        try withTemporaryDirectory { directory in
            let path = directory.appendingPathComponent("a.sqlite").path
            try Database.create(path: path, identity: Self.identity, schema: "CREATE TABLE t(i UNIQUE)")
            let database = try Database(path: path, identity: Self.identity)
            let error = #expect(throws: SQLiteError.self) {
                try database.transaction { () throws(SQLiteError) in
                    try database.execute("INSERT INTO t VALUES(1)")
                    try database.execute("INSERT INTO t VALUES(1)")
                }
            }
            #expect(error?.code == .constraint)
            #expect(try database.integer("SELECT count(*) FROM t") == 0)
        }
    }

    @Test func creatingAgainLeavesWhatIsThere() throws {
        try withTemporaryDirectory { directory in
            let path = directory.appendingPathComponent("a.sqlite").path
            for _ in 0..<2 {
                try Database.create(path: path, identity: Self.identity, schema: "CREATE TABLE t(i)")
                try Database(path: path, identity: Self.identity).execute("INSERT INTO t VALUES(1)")
            }
            #expect(try Database(path: path, identity: Self.identity).integer("SELECT count(*) FROM t") == 2)
        }
    }

    @Test func missingFilesAndDirectories() throws {
        try withTemporaryDirectory { directory in
            let path = directory.appendingPathComponent("none/a.sqlite").path
            var error = #expect(throws: SQLiteError.self) { try Database(path: path, identity: Self.identity) }
            #expect(error?.code == .notFound)
            error = #expect(throws: SQLiteError.self) {
                try Database.create(path: path, identity: Self.identity, schema: "CREATE TABLE t(i)")
            }
            #expect(error?.reason == "cannot be created: No such file or directory")
        }
    }
}
