import Chain
import Concurrency
import Crypto
import Ledger
import ServerKit
import Testing
import Wire

@testable import Wallet

/// A client of several nodes of one chain.
@Suite(.ownThread) struct FailoverTests {
    private func failure(_ body: () throws -> Void) -> NodeClientError? {
        do {
            try body()
            return nil
        } catch { return error as? NodeClientError }
    }

    /// Two nodes of a town, of which the first may be made to fail.
    private func withNodes(
        before: @escaping @Sendable (ServedRequest) -> Reply? = { _ in nil },
        after: @escaping @Sendable (ServedRequest, Reply) -> Reply = { $1 },
        beforeSecond: @escaping @Sendable (ServedRequest) -> Reply? = { _ in nil },
        body: (Town, _ first: LedgerServer, _ second: LedgerServer) throws -> Void
    ) throws {
        try withTown(before: before, after: after) { town, first in
            let second = try LedgerServer(town.consortium, town.relay, before: beforeSecond)
            defer { second.stop() }
            try body(town, first, second)
        }
    }

    private func client(
        _ town: Town, _ urls: [String], as author: Author? = nil, pauses: Locked<[Int]> = Locked([])
    ) throws -> NodeClient {
        var surroundings = NodeClient.Surroundings()
        surroundings.sleep = { milliseconds, _ in pauses.withLock { $0.append(milliseconds) } }
        return try NodeClient(
            urls, pin: .genesis(town.genesis), identity: author.flatMap { Identity($0) }, limits: .quick,
            surroundings: surroundings)
    }

    private static let nobody = "http://127.0.0.1:\(ScriptedServer.closedPort())"

    /// What the first node took up and did not answer, the second one answers: once.
    @Test(arguments: ["hang up", "half an answer", "503", "500"])
    func theSameBytesGoToTheNextNode(_ way: String) throws {
        let bodies = Locked<[[UInt8]]>([])
        try withNodes(after: { request, reply in
            guard request.target == "/v1/transactions" else { return reply }
            bodies.withLock { $0.append(request.body) }
            switch way {
            case "hang up": return .hangUp
            case "half an answer":
                return .script { $0.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"tr") }
            case "503": return .text(#"{"code":"not-ready","retryable":true}"#, status: 503, ["Retry-After": "30"])
            default: return .text("<html>", status: 500)
            }
        }) { town, first, second in
            let pauses = Locked<[Int]>([])
            let client = try client(town, [first.url, second.url], as: town.anna, pauses: pauses)
            let transaction = town.transfer(10)
            let done = try client.submit(transaction)
            #expect(done.receipt.result == .done && client.url == second.url)
            // Over a kept connection a request goes once more by itself.
            #expect(Set(bodies.withLock { $0 }) == [transaction.bytes])
            #expect(try town.available(town.anna) == 90 && town.available(town.ben) == 10)
            #expect(try client.provenReceipt(of: transaction.id).receipt == done.receipt)
            // It stays there, and nobody waited.
            let asked = first.requests.count
            _ = try client.submit(town.transfer(1))
            #expect(first.requests.count == asked && pauses.withLock { $0 } == [])
        }
    }

    /// Each node gives tokens of its own, and whoever comes back is not asked for another.
    @Test func tokensAreThoseOfTheNode() throws {
        let down = Locked(0)
        @Sendable func isDown(_ number: Int) -> Reply? { down.withLock { $0 } == number ? .hangUp : nil }
        try withNodes(before: { _ in isDown(1) }, beforeSecond: { _ in isDown(2) }) { town, first, second in
            let client = try client(town, [first.url, second.url], as: town.anna)
            func balance() throws -> UInt64 {
                try client.balance(of: town.anna.account, unit: town.unit).value.available
            }
            func challenges(_ server: LedgerServer) -> Int { server.requests.count { $0 == "POST /v1/challenges" } }
            #expect(try balance() == 100 && challenges(first) == 1 && challenges(second) == 0)
            down.withLock { $0 = 1 }
            for _ in 0..<3 { #expect(try balance() == 100) }
            #expect(client.url == second.url && challenges(second) == 1)
            down.withLock { $0 = 2 }
            #expect(try balance() == 100 && client.url == first.url && challenges(first) == 1)
            // Another reader of the same nodes begins where this one has come to.
            #expect(client.speaking(for: Identity(town.issuer)!).url == first.url)
        }
    }

    /// Rounds end with a pause, as long as the one that may be asked first says; then it is given up, by all names.
    @Test func whereNoneAnswersAllAreNamed() throws {
        let busy = Reply.text(
            #"{"code":"pool-full","detail":"Full.","retryable":true}"#, status: 503, ["Retry-After": "2"])
        try withNodes(before: { _ in busy }) { town, first, second in
            let pauses = Locked<[Int]>([])
            let alone = try client(town, [first.url, first.url], pauses: pauses)
            let error = try #require(failure { _ = try alone.chain() })
            #expect(error.code.rawValue == "pool-full" && error.isRetryable && error.status == 503)
            #expect(error.sentence == "None of 2 nodes can answer. \(first.url): Full. \(first.url): Full.")
            #expect(pauses.withLock { $0.count == 2 && $0.allSatisfy { (2050...2200).contains($0) } })
            #expect(first.requests.count == 6)
            let dead = try client(town, [Self.nobody, first.url], pauses: pauses)
            #expect(failure { _ = try dead.chain() }?.code == .unreachable)
            // One that nobody reaches may be back at once.
            #expect(pauses.withLock { $0.count == 4 && $0[2...].allSatisfy { $0 < 1000 } })
        }
    }

    /// Who is told to send less does not go elsewhere with it.
    @Test func tooManyRequestsStayTooMany() throws {
        let once = Times(1)
        try withNodes(before: { _ in
            once.take()
                ? .text(#"{"code":"too-many-requests","retryable":true}"#, status: 429, ["Retry-After": "1"]) : nil
        }) { town, first, second in
            let pauses = Locked<[Int]>([])
            let client = try client(town, [first.url, second.url], pauses: pauses)
            _ = try client.chain()
            #expect(client.url == first.url && second.requests == [] && pauses.withLock { $0.count } == 1)
        }
    }

    /// A node of another chain is passed over, and said where there is no other.
    @Test func anotherChainsNodeIsPassedOver() throws {
        try withTown { town, server in
            try withTown { _, stranger in
                let mixed = try client(town, [stranger.url, server.url])
                #expect(try mixed.submit(town.transfer(1)).receipt.result == .done)
                #expect(!stranger.requests.contains("POST /v1/transactions"))
                let strange = try client(town, [stranger.url, stranger.url])
                #expect(failure { _ = try strange.submit(town.transfer(1)) }?.code == .genesisDiffers)
            }
        }
    }

    /// What the ledger or the request's own mistake refuses, no other node is asked about.
    @Test func refusalsAreFinal() throws {
        try withNodes { town, first, second in
            let client = try client(town, [first.url, second.url], as: town.anna)
            #expect(failure { _ = try client.submit(town.transfer(101)) }?.refusal == .balanceInsufficient)
            #expect(failure { _ = try client.account(town.ben.account) }?.status == 403)
            #expect(second.requests == [])
        }
    }

    /// A node that has not brought it into a block by the end of its wait may be cut off from the others.
    @Test func whatIsUnderWayIsAskedForElsewhere() throws {
        try withNodes(before: { $0.target == "/v1/transactions" ? .text("{}", status: 202) : nil }) {
            town, first, second in
            let client = try client(town, [first.url, second.url])
            #expect(try client.submit(town.transfer(1)).receipt.result == .done)
            #expect(first.requests.count { $0 == "POST /v1/transactions" } == 1)
        }
    }

    /// A receipt that the one node has certified comes to the other a moment later.
    @Test func aReceiptMayComeLater() throws {
        let unknown = Times(2)
        try withNodes(before: { request in
            request.target.hasSuffix("/proof") && unknown.take()
                ? .text(#"{"code":"transaction-not-found","retryable":false}"#, status: 404) : nil
        }) { town, first, _ in
            let client = try client(town, [first.url, first.url], as: town.anna)
            let sent = try client.submit(town.transfer(1))
            #expect(try client.provenReceipt(of: sent.receipt.transaction).receipt == sent.receipt)
        }
    }

    /// The stream of one node goes on at the other: no height twice, none left out.
    @Test(arguments: ["Transfer-Encoding: chunked\r\n\r\n6\r\n: cut\n", "\r\n: cut\n\n"])
    func eventsGoOnAtTheNextNode(_ cut: String) throws {
        try withNodes(before: { request in
            guard request.target == "/v1/events" else { return nil }
            return .script { $0.send("HTTP/1.1 200 OK\r\n\(cut)") }
        }) { town, first, second in
            for number in 1...3 { _ = try client(town, [second.url]).submit(town.transfer(UInt64(number))) }
            let head = try client(town, [second.url]).chain().stamp.height
            var heights: [UInt64] = []
            try client(town, [Self.nobody, first.url, second.url]).followBlocks(after: 0) { block in
                heights.append(block.header.height)
                return heights.count < Int(head)
            }
            #expect(heights == Array(1...head))
            #expect(first.requests.count { $0 == "GET /v1/events" } == 1)
        }
    }

    @Test func aClientHasAFewNodes() {
        for urls in [[], Array(repeating: "http://a", count: NodeClient.nodesMax + 1), ["http://a", "b"]] {
            #expect(failure { _ = try NodeClient(urls, pin: .hash(.zero)) }?.code == .urlInvalid)
        }
    }
}
