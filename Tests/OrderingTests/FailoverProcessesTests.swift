import Chain
import Concurrency
import FleetKit
import Foundation
import Ledger
import Node
import OrderingEtcd
import ServerKit
import TestSupport
import Testing
import Wallet
import Wire

extension RunningTests {
    /// Clients of several real nodes, some of which are not there.
    @Suite struct FailoverProcessesTests {
        private static let all = [0, 1, 2, 3]

        /// The node is killed after it has ordered the transaction and before it could answer.
        @Test func aNodeThatDiesInTheMiddleOfARequestLeavesTheAnswerToAnother() throws {
            try withTemporaryDirectory { root in
                let fleet = try Fleet(in: root)
                defer { fleet.end() }
                try fleet.start(Self.all)
                try fleet.found()
                let sender = fleet.people[0]
                // Two of four are no quorum: nothing is certified until they go on.
                for index in [2, 3] { fleet.machines[index].process?.signal(SIGSTOP) }
                let client = try fleet.client(of: Self.all, as: sender)
                defer { client.stop() }
                let transaction = fleet.transfer()
                let head = try fleet.withOrder { try $0.readHead() }
                let answer = Locked<Result<CertifiedReceipt, any Error>?>(nil)
                let asking = WorkerThread("asking") {
                    let result = Result { try client.submit(transaction) }
                    answer.withLock { $0 = result }
                }
                let first = try fleet.client(0)
                defer { first.stop() }
                let patience = Date(timeIntervalSinceNow: 30)
                while try first.transaction(transaction.id)?.state != .accepted, Date() < patience { usleep(20_000) }
                while try fleet.withOrder({ try $0.readHead() }) == head, Date() < patience { usleep(20_000) }
                #expect(Date() < patience && answer.withLock { $0 } == nil)

                fleet.kill(0)
                for index in [2, 3] { fleet.machines[index].process?.signal(SIGCONT) }
                asking.join()
                let said = try #require(try answer.withLock { $0 }?.get())
                #expect(said.receipt.result == .done && said.receipt.transaction == transaction.id)
                #expect(client.url != fleet.machines[0].url)

                // Whoever is asked, the killed one too, has the same receipt at the same place, and proves it.
                try fleet.start([0])
                try fleet.agree([0], at: said.place.height)
                for index in Self.all {
                    let one = try fleet.client(index, as: sender)
                    defer { one.stop() }
                    let again = try one.submit(transaction)
                    #expect(again.receipt == said.receipt && again.place == said.place)
                    let proven = try one.provenReceipt(of: transaction.id)
                    #expect(proven.receipt == said.receipt && proven.verified.height == said.place.height)
                    #expect(try one.balance(of: sender.account, unit: fleet.unit).value.available == 999)
                    #expect(try fleet.total(at: index) == 8_000)
                }
            }
        }

        /// Each node is ended and started again, one after the other, while members pay.
        @Test func aRollingRestartFailsNoTransaction() throws {
            try withTemporaryDirectory { root in
                let fleet = try Fleet(in: root)
                defer { fleet.end() }
                try fleet.start(Self.all)
                try fleet.found()
                let clients = try Self.all.map { first in
                    try fleet.client(of: Array(Self.all[first...] + Self.all[..<first]), as: fleet.people[first])
                }
                let (people, unit) = (fleet.people, fleet.unit)
                let load = Payers(clients) { client, number in
                    client.signed(
                        .transfer(from: people[number].account, to: people[number + 4].account, unit: unit, amount: 1),
                        by: people[number])
                }
                defer { load.stop() }
                for index in Self.all {
                    let before = load.certified
                    _ = try fleet.stop(index)
                    // Those who are left go on.
                    let patience = Date(timeIntervalSinceNow: 30)
                    while load.certified < before + 8, Date() < patience { usleep(20_000) }
                    #expect(load.certified >= before + 8)
                    try fleet.start([index])
                    try fleet.agree([index], at: fleet.height((index + 1) % 4))
                }
                let (certified, failures) = load.stop()
                #expect(failures == [] && certified >= 32)
                let height = try Self.all.map { try fleet.height($0) }.max()!
                try fleet.agree(Self.all, at: height)
                for index in Self.all { #expect(try fleet.total(at: index) == 8_000) }
                for index in Self.all { _ = try fleet.stop(index) }
                for machine in fleet.machines { try Fleet.run(["audit", machine.directory]) }
            }
        }
    }
}

/// Clients that each pay one transaction after the other, and prove each receipt.
private final class Payers: Sendable {
    private struct State: Sendable {
        var isOver = false
        var certified = 0
        var failures: [String] = []
    }

    private let state = Locked(State())
    private let threads = Locked<[WorkerThread]>([])

    init(_ clients: [NodeClient], _ make: @escaping @Sendable (NodeClient, Int) -> Transaction) {
        let started = clients.enumerated().map { number, client in
            WorkerThread("payer") { [state] in
                defer { client.stop() }
                while !state.withLock({ $0.isOver }) {
                    let transaction = make(client, number)
                    do {
                        let done = try client.submit(transaction)
                        let proven = try client.provenReceipt(of: transaction.id)
                        let isSame = proven.receipt == done.receipt && proven.verified.height == done.place.height
                        state.withLock { state in
                            state.certified += 1
                            if !isSame { state.failures.append("another receipt is proved for \(transaction.id)") }
                        }
                    } catch { state.withLock { $0.failures.append("\(number): \(error)") } }
                }
            }
        }
        threads.withLock { $0 = started }
    }

    var certified: Int { state.withLock { $0.certified } }

    /// Ends all, once each has its last answer.
    @discardableResult
    func stop() -> (certified: Int, failures: [String]) {
        state.withLock { $0.isOver = true }
        for thread in threads.withLock({ threads in
            defer { threads = [] }
            return threads
        }) { thread.join() }
        return state.withLock { ($0.certified, $0.failures) }
    }
}
