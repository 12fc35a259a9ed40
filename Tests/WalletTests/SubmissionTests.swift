import Chain
import Concurrency
import Crypto
import Ledger
import Node
import ServerKit
import Testing
import Wire

@testable import Wallet

/// A transaction takes effect once, whatever happens on the way, and its sender learns what became of it.
@Suite(.ownThread) struct SubmissionTests {
    private func failure(_ body: () throws -> Void) -> NodeClientError? {
        do {
            try body()
            return nil
        } catch { return error as? NodeClientError }
    }

    private static func isSubmission(_ request: ServedRequest) -> Bool { request.target == "/v1/transactions" }

    private static func problem(_ status: Int, _ code: String, _ headers: [String: String] = [:]) -> Reply {
        .text(
            #"{"code":"\#(code)","detail":"Said so.","field":"$.x","retryable":\#(status == 503)}"#, status: status,
            headers)
    }

    /// Answers that are lost after the ledger has taken the transaction up.
    @Test(arguments: ["hang up", "half an answer", "502"])
    func lostAnswersAreFetchedAgain(_ way: String) throws {
        let lost = Times(3)
        try withTown(after: { request, reply in
            guard Self.isSubmission(request), lost.take() else { return reply }
            switch way {
            case "hang up": return .hangUp
            case "502": return .text("<html>", status: 502)
            default: return .script { $0.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"tr") }
            }
        }) { town, server in
            let receipt = try town.client(server).submit(town.transfer(10))
            #expect(receipt.receipt.result == .done)
            #expect(try town.available(town.anna) == 90 && town.available(town.ben) == 10)
            #expect(server.requests.count { $0 == "POST /v1/transactions" } == 4)
        }
    }

    @Test func aBusyNodeIsLeftAloneForAsLongAsItAsks() throws {
        let busy = Times(2)
        let waits = Locked<[Int]>([])
        try withTown { request in
            Self.isSubmission(request) && busy.take() ? Self.problem(503, "pool-full", ["Retry-After": "3"]) : nil
        } body: { town, server in
            var surroundings = NodeClient.Surroundings()
            surroundings.sleep = { milliseconds, _ in waits.withLock { $0.append(milliseconds) } }
            let client = try NodeClient(
                [server.url], pin: .genesis(town.genesis), limits: .quick, surroundings: surroundings)
            _ = try client.submit(town.transfer(10))
            let slept = waits.withLock { $0 }
            #expect(slept.count == 2 && slept.allSatisfy { (3050...3200).contains($0) }, "\(slept)")
        }
    }

    /// Longer each time, never together, never beyond a bound.
    @Test func waitsGrowAndDiffer() {
        var random = SystemRandomNumberGenerator()
        var firsts: Set<Int> = []
        for _ in 0..<50 {
            var backoff = Backoff()
            var waits: [Int] = []
            for _ in 0..<10 { waits.append(backoff.next(asked: nil, using: &random)) }
            firsts.insert(waits[0])
            for (index, wait) in waits.enumerated() {
                let ceiling = min(Backoff.firstMilliseconds << index, Backoff.longestMilliseconds)
                #expect((ceiling / 2...ceiling).contains(wait))
            }
            #expect(backoff.next(asked: 10_000_000, using: &random) <= 65_000)
        }
        #expect(firsts.count > 10)
    }

    @Test func refusalsOfTheLedgerAreFinal() throws {
        try withTown { town, server in
            let error = try #require(failure { _ = try town.client(server).submit(town.transfer(101)) })
            #expect(error.code.rawValue == "balance-insufficient" && error.refusal == .balanceInsufficient)
            #expect(error.status == 409 && error.operation == 0 && !error.isRetryable)
            #expect(error.sentence.contains("Fewer points") && error.chinese == "可用积分不足。")
            #expect(server.requests.count { $0 == "POST /v1/transactions" } == 1)
            let unsigned = Transaction(signing: town.transfer(1).body, genesis: .zero, keys: [town.anna.key])
            #expect(failure { _ = try town.client(server).submit(unsigned) }?.status == 401)
        }
    }

    @Test func anAcceptedTransactionIsAskedForAgain() throws {
        let early = Times(2)
        try withTown(after: { request, reply in
            Self.isSubmission(request) && early.take() ? .text("{}", status: 202) : reply
        }) { (town, server) throws in
            #expect(try town.client(server).submit(town.transfer(1)).receipt.result == .done)
            #expect(try town.available(town.ben) == 1)
        }
    }

    /// A node that never answers again, and one that comes back too late to execute it.
    @Test func theFateIsLearntOrSaidToBeUnknown() throws {
        let isDown = Locked(true)
        try withTown(after: { request, reply in
            isDown.withLock { $0 } && request.target != "/v1/chain" ? .hangUp : reply
        }) { town, server in
            let executed = town.transfer(10, lifetime: 6000)
            let unknown = failure { _ = try town.client(server, as: town.anna).submit(executed) }
            #expect(unknown?.code == .outcomeUnknown && unknown?.refusal == nil)
            #expect(unknown?.sentence.contains(executed.id.description) == true)
            #expect(try town.available(town.ben) == 10)
            // The same again, past its time: the node is there now.
            isDown.withLock { $0 = false }
            let client = try town.client(server, as: town.anna)
            #expect(try client.submit(executed).receipt.result == .done)
            #expect(try town.available(town.ben) == 10)
            #expect(try client.transaction(executed.id)?.result == .done)
        }
        // It comes back after the transaction's time: what was executed is found, what was not is said so.
        for arrives in [true, false] {
            let until = Locked<UInt64>(0)
            try withTown { request in
                guard Self.isSubmission(request), !arrives else { return nil }
                return .hangUp
            } after: { request, reply in
                wallClockMilliseconds() < until.withLock { $0 } && Self.isSubmission(request) ? .hangUp : reply
            } body: { town, server in
                let transaction = town.transfer(10, lifetime: 5000)
                until.withLock { $0 = wallClockMilliseconds() + 9400 }
                // Blocks go on, so that the chain's time passes that of the transaction.
                let traffic = WorkerThread {
                    for _ in 0..<64 {
                        _ = town.consortium.first.submit(town.transfer(1))
                        _ = Waiter<Int>().wait(within: 100)
                    }
                }
                let client = try town.client(server, as: town.anna)
                if arrives {
                    #expect(try client.submit(transaction).receipt.transaction == transaction.id)
                } else {
                    let error = failure { _ = try client.submit(transaction) }
                    #expect(error?.code == .expired && error?.refusal == .expired, "\(String(describing: error))")
                }
                traffic.join()
            }
        }
    }

    /// A receipt of something else, or none at all, is not taken for an answer.
    @Test func answersOfAnotherTransactionAreRefused() throws {
        let first = Locked<Reply?>(nil)
        try withTown(after: { request, reply in
            guard Self.isSubmission(request) else { return reply }
            return first.withLock { first in
                if first == nil { first = reply }
                return first!
            }
        }) { town, server in
            let client = try town.client(server)
            _ = try client.submit(town.transfer(1))
            let error = try #require(failure { _ = try client.submit(town.transfer(2)) })
            #expect(error.code == .outcomeUnknown)
        }
        try withTown {
            Self.isSubmission($0) ? .text("no JSON") : nil
        } body: { town, server in
            let error = try #require(failure { _ = try town.client(server).submit(town.transfer(2)) })
            #expect(error.code == .outcomeUnknown && error.sentence.contains("not what its interface describes"))
        }
    }

    @Test func manyThreadsUseOneClient() throws {
        let hiccups = Times(20)
        try withTown(after: { request, reply in
            Self.isSubmission(request) && hiccups.take() ? .hangUp : reply
        }) { town, server in
            let client = try town.client(server)
            let done = Locked(0)
            let threads = (0..<16).map { _ in
                WorkerThread {
                    for _ in 0..<3 where (try? client.submit(town.transfer(1))) != nil { done.withLock { $0 += 1 } }
                }
            }
            for thread in threads { thread.join() }
            #expect(done.withLock { $0 } == 48)
            #expect(try town.available(town.ben) == 48)
        }
    }
}
