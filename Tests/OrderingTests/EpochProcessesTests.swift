import Concurrency
import EtcdKit
import FleetKit
import Foundation
import HTTPClient
import JSON
import Ledger
import ServerKit
import TestSupport
import Testing
import Wallet
import Wire

extension EtcdTests {
    /// Check 8, with processes of the tool over a real cluster: an order that was restored or lost is refused, and
    /// another one is begun by the operators' own commands.
    @Suite struct EpochProcessesTests {
        @Test func check8ALostOrderIsBegunAnewAndNothingIsLost() throws {
            try withTemporaryDirectory { root in
                let fleet = try Fleet(in: root)
                defer { fleet.end() }
                let all = [0, 1, 2, 3]
                try fleet.start(all)
                try fleet.found()
                try fleet.transfer(12, through: all)
                let yesterday = try fleet.cluster.copy()
                try fleet.transfer(24, through: all)
                let height = try fleet.height(0)
                try fleet.agree(all, at: height)

                // The cluster is as it was yesterday: whoever runs says so and goes on answering; so does who starts.
                try fleet.cluster.restore(yesterday)
                for index in all { try #require(fleet.machines[index].process).waitFor("restored from an old copy") }
                #expect(try #require(fleet.machines[0].process).errors.contains("`lianfen epoch`"))
                #expect(try fleet.height(0) >= height)
                fleet.kill(0)
                try fleet.launch(0)
                try #require(fleet.machines[0].process).waitFor("`lianfen epoch`")
                fleet.end()

                let drawn = try fleet.sign(0, number: 1, "--new")
                let bytes = try #require(drawn.bytes)
                let again = try fleet.sign(0, number: 1, "--new")
                #expect(try Fleet.bytes(again.file) == Fleet.bytes(drawn.file))
                #expect(try fleet.refusal(["epoch", "sign", "--number", "2", "--new"], at: 0) == "epoch-stated")
                #expect(
                    try fleet.refusal(["epoch", "sign", "--number", "1", "--bytes", Self.zeros], at: 0)
                        == "epoch-stated")
                #expect(try fleet.refusal(["epoch", "sign", "--number", "2", "--new"], at: 1) == "epoch-number")
                let files = [drawn.file] + (try [1, 2].map { try fleet.sign($0, number: 1, "--bytes", bytes).file })

                // Whoever has given its word votes no more, until the new ring begins.
                try fleet.launch(0)
                try #require(fleet.machines[0].process).waitFor("has given its word for epoch 1")
                fleet.end()

                #expect(try fleet.refusal(["epoch", "start"] + files.prefix(2), at: 0) == "epoch-refused")
                #expect(try fleet.refusal(["epoch", "start"] + files, at: 0) == "ordering")
                for _ in 0..<2 { try fleet.epoch(["start", "--replace"] + files, at: 0) }
                for index in 1..<4 { try fleet.epoch(["join"] + files, at: index) }
                try fleet.start(all)
                try fleet.agree(all, at: height)
                #expect(try fleet.total(at: 3) == 8_000)
                try fleet.transfer(12, through: all)

                try beginAgain(fleet)
            }
        }

        private static let zeros = String(repeating: "0", count: 32)

        /// The cluster is wiped while too few voted, so that an entry was ordered and is not certified; one of those
        /// who state holds it. It is the first of the new ring, and takes effect once.
        private func beginAgain(_ fleet: Fleet) throws {
            let all = [0, 1, 2, 3]
            fleet.kill(2)
            fleet.kill(3)
            let people = (0..<2).map { fleet.people[$0].account }
            let before = try fleet.balance(people[1], at: 0)
            let transfer = fleet.transfer()
            let waiting = try fleet.submit(transfer, at: 0)
            try #require(fleet.machines[0].process).waitFor("Alarm: the order has come to height")
            fleet.end()
            waiting.join()
            try fleet.cluster.wipe(secured: true)
            try fleet.launch(1)
            try #require(fleet.machines[1].process).waitFor("`lianfen epoch`")
            fleet.end()

            let drawn = try fleet.sign(0, number: 2, "--new")
            #expect(drawn.last > drawn.certified)
            let bytes = try #require(drawn.bytes)
            let files = [drawn.file] + (try [1, 3].map { try fleet.sign($0, number: 2, "--bytes", bytes).file })
            // Other statements than those with which the ring was started name another ring.
            let more = try fleet.sign(2, number: 2, "--bytes", bytes).file
            try fleet.epoch(["start"] + files, at: 3)
            for index in 0..<2 { try fleet.epoch(["join"] + files, at: index) }
            try fleet.epoch(["join"] + files + [more], at: 2)
            try fleet.launch(2)
            try #require(fleet.machines[2].process).waitFor("another epoch")
            fleet.end()
            try fleet.epoch(["join"] + files, at: 2)

            try fleet.start(all)
            try fleet.transfer(12, through: all)
            try fleet.agree(all, at: fleet.height(0))
            #expect(try fleet.total(at: 1) == 8_000)
            let (answer, moved) = (try fleet.answer(to: transfer, at: 2), try fleet.balance(people[1], at: 2))
            #expect(answer["receipt"]?["result"] == "done" || answer["result"] == "done", "\(answer.text)")
            // Its own point and those of the twelve transfers, of which each person gives and gets as many.
            #expect(abs(Int(moved) - Int(before) - 1) <= 2, "\(before), then \(moved)")
            for index in all { _ = try fleet.stop(index) }
            for index in all { try Fleet.run(["audit", fleet.machines[index].directory]) }
        }
    }
}

extension Fleet {
    /// The code with which the tool refuses.
    fileprivate func refusal(_ words: [String], at index: Int) throws -> String? {
        var words = words + ["--dir", machines[index].directory, "--json"]
        if words.contains("sign") { words += ["--out", machines[index].directory + "/refused"] }
        let child = try Child(words)
        guard child.wait() != 0 else { return nil }
        let error = try JSONValue(parsing: Array((child.errors.split(separator: "\n").last ?? "").utf8))["error"]
        guard case .string(let code)? = error?["code"] else { return nil }
        return code
    }

    fileprivate func balance(_ account: AccountID, at index: Int) throws -> UInt64 {
        let client = try client(index, as: people.first { $0.account == account })
        defer { client.stop() }
        return try client.balance(of: account, unit: unit).value.available
    }

    /// Sends a transaction once, of whose answer nobody hears; the thread ends with that answer or with the node.
    fileprivate func submit(_ transaction: Transaction, at index: Int) throws -> WorkerThread {
        let (http, request) = (try HTTPClient(configuration), submission(of: transaction, at: index))
        return WorkerThread("submission") { _ = try? http.perform(request) }
    }
}
