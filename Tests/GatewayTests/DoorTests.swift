import Chain
import Concurrency
import Crypto
import HTTPClient
import JSON
import Ledger
import Node
import Testing
import Wire

import struct Foundation.Date
import class Foundation.Thread
import func Foundation.usleep

@testable import Gateway

/// Streams, limits, pages of other origins.
@Suite struct DoorTests {
    @Test func streamsGoOnWhereTheyWereLeft() async throws {
        try await Mall.with { mall in
            try mall.publish()
            let alice = try mall.open()
            try mall.accrue(alice, 1, order: "1")
            let head = mall.consortium.first.status.committed
            let all = try mall.events("/v1/events", headers: [("Last-Event-ID", "0")]) { $0.contains("id: \(head)\n") }
            for height in 1...head { #expect(all.text.contains("id: \(height)\nevent: block\n")) }
            let rest = try mall.events("/v1/events", headers: [("Last-Event-ID", "\(head - 1)")]) {
                $0.contains("id: \(head)\n")
            }
            #expect(!rest.text.contains("id: \(head - 1)\n"))
            let own = try mall.events(
                "/v1/accounts/\(alice.account)/events", token: mall.token(alice), headers: [("Last-Event-ID", "0")]
            ) { $0.contains("\"accrue\"") }
            #expect(own.text.contains("event: transaction"))
            #expect(try mall.get("/v1/events", headers: [("Last-Event-ID", "x")]).code == "header-invalid")
        }
    }

    @Test func aLiveStreamSeesWhatComes() async throws {
        try await Mall.with { mall in
            try mall.publish()
            let alice = try mall.open()
            let token = try mall.token(alice)
            Thread.detachNewThread {
                usleep(300_000)
                try? mall.accrue(alice, 77, order: "live")
            }
            let events = try mall.events("/v1/accounts/\(alice.account)/events", token: token) {
                $0.contains("\"77\"")
            }
            #expect(events.text.contains("\"77\""))
        }
    }

    @Test func tooManyRequestsAreToldToWait() async throws {
        try await Mall.with(configure: {
            $0.requestsPerSecond = 5
            $0.isBehindProxy = true
        }) { mall in
            func ask(_ address: String) throws -> Reply {
                try mall.get("/v1/chain", headers: [("X-Forwarded-For", "10.9.9.9, \(address)")])
            }
            // What the client itself writes stands before what the proxy has seen, in a field of its own, too.
            let forged = try (0..<20).map { index in
                try mall.get(
                    "/v1/chain",
                    headers: [("X-Forwarded-For", "127.0.0.\(index)"), ("X-Forwarded-For", "203.0.113.9")])
            }
            #expect(forged.contains { $0.status == 429 })
            let replies = try (0..<20).map { _ in try ask("203.0.113.5") }
            #expect(replies.contains { $0.status == 429 && $0.response.header("Retry-After") == "1" })
            #expect(replies.prefix(5).allSatisfy { $0.status == 200 })
            #expect(try ask("203.0.113.6").status == 200)
        }
    }

    @Test func otherOriginsByConfigurationAlone() async throws {
        try await Mall.with(configure: { $0.corsOrigins = ["https://mall.example"] }) { mall in
            let friend = try mall.get("/v1/chain", headers: [("Origin", "https://mall.example")])
            #expect(friend.response.header("Access-Control-Allow-Origin") == "https://mall.example")
            #expect(friend.response.header("Vary") == "Origin")
            let foe = try mall.get("/v1/chain", headers: [("Origin", "https://evil.example")])
            #expect(foe.response.header("Access-Control-Allow-Origin") == nil)
            let preflight = try mall.send(
                "OPTIONS", "/v1/transactions",
                headers: [("Origin", "https://mall.example"), ("Access-Control-Request-Method", "POST")])
            #expect(preflight.status == 204)
            #expect(preflight.response.header("Access-Control-Allow-Headers")?.contains("Idempotency-Key") == true)
        }
        try await Mall.with { mall in
            let reply = try mall.get("/v1/chain", headers: [("Origin", "https://mall.example")])
            #expect(reply.response.header("Access-Control-Allow-Origin") == nil)
        }
    }

    @Test func pagesOfBlocksGoBackToTheGenesis() async throws {
        try await Mall.with { mall in
            try mall.publish()
            for _ in 0..<5 { _ = try mall.open() }
            var heights: [UInt64] = []
            var cursor: String?
            repeat {
                let reply = try mall.get("/v1/blocks?limit=2" + (cursor.map { "&cursor=\($0)" } ?? ""))
                let page = try Form<BlockSummary>.blockSummary.page().parse(reply.json)
                heights += page.items.map(\.header.height)
                cursor = page.next
            } while cursor != nil
            #expect(heights == heights.sorted(by: >))
            #expect(heights.last == 0)
            #expect(Set(heights).count == heights.count)
        }
    }

    @Test func historyComesPageByPageWithoutAGapOrARepeat() async throws {
        try await Mall.with { mall in
            try mall.publish()
            let alice = try mall.open()
            for index in 0..<11 { try mall.accrue(alice, 1, order: "\(index)") }
            let token = try mall.token(alice)
            var ids: [TransactionID] = []
            var cursor: String?
            repeat {
                let reply = try mall.get(
                    "/v1/accounts/\(alice.account)/transactions?limit=3" + (cursor.map { "&cursor=\($0)" } ?? ""),
                    token: token)
                let page = try Form<TransactionView>.transactionView.page().parse(reply.json)
                ids += page.items.map(\.id)
                cursor = page.next
            } while cursor != nil
            #expect(ids.count == 12)
            #expect(Set(ids).count == 12)
        }
    }

    @Test func everyAnswerSaysAtWhichHeightItStands() async throws {
        try await Mall.with { mall in
            try mall.publish()
            for path in ["/v1/chain", "/v1/blocks/1", "/v1/nothing", "/healthz", "/v1/accounts/x"] {
                let reply = try mall.get(path)
                #expect(reply.response.header("Lianfen-Height") != nil, "\(path)")
                #expect(reply.response.header("Lianfen-State-Root")?.count == 64)
                #expect(reply.response.header("X-Request-Id") != nil)
            }
        }
    }

    @Test func figuresAreThereForPrometheus() async throws {
        try await Mall.with { mall in
            try mall.publish()
            _ = try mall.get("/v1/chain")
            // A request counts when its answer has gone, of which the client may know first.
            let counted = "lianfen_http_requests_total{route=\"GET /v1/chain\",status=\"200\"} 1"
            let patience = ContinuousClock.now + .seconds(30)
            while !mall.gateway.metricsText.contains(counted), ContinuousClock.now < patience {
                Thread.sleep(forTimeInterval: 0.01)
            }
            let text = mall.gateway.metricsText
            for name in [
                "lianfen_height_certified ", "lianfen_transactions_total{result=\"done\"} 1", counted,
                "lianfen_http_request_seconds_bucket{le=\"+Inf\"}", "lianfen_http_connections ",
            ] {
                #expect(text.contains(name), "\(name)")
            }
        }
    }
}
