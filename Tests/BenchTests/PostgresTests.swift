import Foundation
import TestSupport
import Testing

@testable import Bench

/// What PostgreSQL is given must be the same work, done as safely, or the comparison says nothing.
@Suite struct PostgresTests {
    private func onAServer(_ body: (PostgresServer) throws -> Void) throws {
        try withTemporaryDirectory { root in
            let directory = try BenchDirectory(root.appendingPathComponent("bench").path)
            try PostgresServer.running(in: directory, body)
            #expect(!FileManager.default.fileExists(atPath: directory.ledger("postgresql")))
        }
    }

    private func throwsPostgres(_ body: () throws -> Void) -> Bool {
        do { try body() } catch let error as BenchError { return error.code == "postgresql" } catch {}
        return false
    }

    @Test func aLedgerTakesItsLoadAndNothingTwice() throws {
        try onAServer { server in
            let ledger = try PostgresLedger(server, accounts: 100)
            let transfers = try ledger.transfers()
            let report = try ledger.run(transfers, clients: 4, ["-t", "25", "--log", "--log-prefix=\(server.path)/t"])
            #expect(report.transactions == 100)
            #expect(report.rate > 0)
            let times = try PgbenchReport.nanoseconds(log: server.lines(ofFilesNamed: "t."))
            #expect(times.count == 100)
            try ledger.check(transfers, transactions: 100)

            // An idempotency key has its effect once.
            #expect(try server.query("SELECT transfer('a', 1, 2, 5), transfer('b', 2, 1, 5)") == ["t|t"])
            #expect(try server.query("SELECT transfer('a', 1, 2, 5)") == ["f"])
            try ledger.check(transfers, transactions: 102)
            // No balance falls below zero, and what is refused leaves nothing behind.
            #expect(throwsPostgres { try server.query("SELECT transfer('c', 1, 2, 5000000000)") })
            try ledger.check(transfers, transactions: 102)

            // What has less effect than its load is noticed.
            try server.query("UPDATE account SET balance = balance + 1 WHERE id = 7")
            #expect(throws: BenchError.self) { try ledger.check(transfers, transactions: 102) }
        }
    }

    @Test func aLineOfAnOrderCountsOnce() throws {
        try onAServer { server in
            let ledger = try PostgresLedger(server, accounts: 50)
            let accruals = try ledger.accruals(lines: 90, sets: 2)
            let report = try ledger.run(accruals, clients: 2, ["-t", "3"])
            #expect(report.transactions == 6)
            try ledger.check(accruals, transactions: 6)

            let sum = "SELECT sum(balance), (SELECT count(*) FROM posting) FROM account WHERE id > 0"
            let before = try server.query(sum)
            // An order that is there already, as a whole.
            #expect(try server.query("SELECT accrue(order_number, '{1}', '{1}') FROM posting LIMIT 1") == ["0"])
            #expect(try server.query(sum) == before)
            let third = "SELECT balance FROM account WHERE id = 3"
            let balance = try #require(try server.query(third).first.flatMap { Int($0) })
            // A line that is there already, in a batch that is not.
            try server.query("INSERT INTO posting SELECT 1, 1, 0, 'order', 2")
            #expect(try server.query("SELECT accrue('order', '{1,2,3,3}', '{10,20,30,40}')") == ["3"])
            let posted = try server.query(
                "SELECT sum(amount) FROM posting WHERE order_number = 'order' GROUP BY account ORDER BY account")
            #expect(posted == ["10", "70"])
            #expect(try server.query(third) == ["\(balance + 70)"])
            #expect(try server.query("SELECT sum(amount) FROM posting") == ["0"])
        }
    }

    /// A commit is worth what ours is: on the disk before anybody hears of it.
    @Test func commitsAreSyncedAndTheServerOfAKilledRunIsNoTrouble() throws {
        try withTemporaryDirectory { root in
            let directory = try BenchDirectory(root.appendingPathComponent("bench").path)
            try PostgresServer.running(in: directory) { first in
                let safe = try ["fsync", "synchronous_commit", "full_page_writes"].map { try first.query("SHOW \($0)") }
                #expect(safe == [["on"], ["on"], ["on"]])
                #expect(try first.query("SHOW listen_addresses") == [])
                #expect(Machine.processorSeconds(ofFamily: first.process) > 0)
                // The first one is still there, and nobody looks after it. The second one ends with a failure.
                struct Failure: Error {}
                var process: pid_t = 0
                #expect(throws: Failure.self) {
                    try PostgresServer.running(in: directory) { second in
                        process = second.process
                        let answer = try second.query("SELECT 1")
                        #expect(answer == ["1"])
                        #expect(throwsPostgres { try first.query("SELECT 1") })
                        throw Failure()
                    }
                }
                // Waited for, so not even a zombie is left.
                #expect(process > 0 && kill(process, 0) != 0)
            }
        }
    }

    @Test func whereItIsNotInstalledThePackageIsNamed() throws {
        try withTemporaryDirectory { root in
            let error = #expect(throws: BenchError.self) {
                try PostgresPrograms(for: root.path, installed: "/nowhere")
            }
            #expect(error?.description.contains("/nowhere/initdb is missing") == true)
            #expect(error?.description.contains("Debian's package postgresql-15") == true)
        }
    }

    private static let report = [
        "pgbench (15.18 (Debian 15.18-0+deb12u1))", "transaction type: transfer.sql", "number of clients: 64",
        "number of transactions actually processed: 20602", "number of failed transactions: 0 (0.000%)",
        "latency average = 7.496 ms", "initial connection time = 106.532 ms",
        "tps = 4268.736900 (without initial connection time)",
    ]

    @Test func whatPgbenchReportsIsRead() throws {
        let report = try PgbenchReport(Self.report)
        #expect(report.transactions == 20602)
        #expect(report.rate == 4268.7369)
        // With a number of transactions to do, it says both.
        let counted = Self.report.map { $0.replacingOccurrences(of: "20602", with: "1000/1000") }
        #expect(try PgbenchReport(counted).transactions == 1000)
    }

    @Test(arguments: [("20602", "0"), ("failed transactions: 0", "failed transactions: 3"), ("tps = ", "rate = ")])
    func aReportOfLessThanTheWorkIsNoFigure(text: String, instead: String) {
        let lines = Self.report.map { $0.replacingOccurrences(of: text, with: instead) }
        #expect(throws: BenchError.self) { try PgbenchReport(lines) }
    }

    @Test func timesAreReadFromTheLog() throws {
        let log = ["0 1 1423 0 1763748843 123456", "0 2 987 0 1763748843 124456"]
        #expect(try PgbenchReport.nanoseconds(log: log) == [1_423_000, 987_000])
        #expect(throws: BenchError.self) { try PgbenchReport.nanoseconds(log: ["0 3 failed 0 1763748843 125456"]) }
    }
}
