import Concurrency
import Foundation
import HTTPServer
import Testing

/// Clients that are too slow.
@Suite struct DeadlineTests {
    private static func isTimeout(_ client: Client) throws -> Bool {
        let answer = try client.answer()
        return answer.status == 408 && answer.text == "{\"code\":\"request-timeout\"}" && client.ends()
    }

    /// Sends one byte every 50 ms until the server has had enough; the milliseconds that took.
    private static func drip(_ client: Client, _ byte: String = "a") -> Int {
        let begin = Date()
        while client.send(byte), Date().timeIntervalSince(begin) < 8 {
            if client.ends(milliseconds: 50) { break }
            if client.hasBytes { break }
        }
        return Int(Date().timeIntervalSince(begin) * 1000)
    }

    @Test func endsAHeadThatDrips() async throws {
        try await serving({ $0.headMilliseconds = 300 }) { server, _ in
            let client = try Client(port: server.port)
            client.send("GET /hello HTTP/1.1\r\nHost: a\r\nX: ")
            #expect((250..<3000).contains(Self.drip(client)))
            #expect(try Self.isTimeout(client))
            #expect(server.statistics.timeouts == 1)
            #expect(eventually { server.statistics.connections == 0 })
        }
    }

    @Test func endsASilentConnection() async throws {
        try await serving({ $0.headMilliseconds = 200 }) { server, _ in
            let client = try Client(port: server.port)
            #expect(try Self.isTimeout(client))
        }
    }

    @Test func endsABodyThatDrips() async throws {
        try await serving({ $0.requestMilliseconds = 400 }) { server, echo in
            let client = try Client(port: server.port)
            client.send("POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
            #expect((350..<3000).contains(Self.drip(client)))
            #expect(try Self.isTimeout(client))
            #expect(eventually { echo.records.withLock { $0.count } == 1 })
            #expect(echo.records.withLock { $0[0].isComplete } == false)
            #expect(server.statistics.bodiesBytes == 0)
        }
    }

    /// A kept connection may be idle for longer than a head may take, but not once a head has begun.
    @Test func endsALaterHeadThatDrips() async throws {
        try await serving({
            $0.headMilliseconds = 300
            $0.idleMilliseconds = 1500
        }) { server, _ in
            let client = try Client(port: server.port)
            #expect(try client.get("/hello").status == 200)
            usleep(700_000)
            #expect(try client.get("/hello").status == 200)
            usleep(300_000)
            client.send("GET /hel")
            let passed = Self.drip(client)
            #expect((250..<1400).contains(passed), "after \(passed) ms")
            #expect(try Self.isTimeout(client))
            let idle = try Client(port: server.port)
            #expect(try idle.get("/hello").status == 200)
            #expect(idle.ends(milliseconds: 4000))
        }
    }

    @Test func endsAnAnswerThatIsNotRead() async throws {
        try await serving({ $0.answerMilliseconds = 300 }) { server, echo in
            let client = try Client(port: server.port, receiveBytes: 4096)
            for _ in 0..<8 { client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n") }
            #expect(eventually { server.statistics.timeouts == 1 })
            #expect(eventually { server.statistics.connections == 0 })
            #expect(eventually { server.statistics.answersBytes == 0 })
            #expect(echo.records.withLock { $0.last?.isComplete } == false)
        }
    }

    @Test func answersWhatTheApplicationForgets() async throws {
        try await serving({ $0.handleMilliseconds = 200 }) { server, echo in
            let client = try Client(port: server.port)
            let answer = try client.get("/held")
            #expect(answer.status == 503)
            #expect(answer.text == "{\"code\":\"answer-timeout\"}")
            let exchange = try #require(echo.held.withLock { $0.first })
            #expect(exchange.isAnswered)
            #expect(!exchange.send(Echo.text("too late")))
            #expect(try client.get("/hello").text == "hello")
        }
    }

    @Test func answersWhenTheAlarmRings() async throws {
        try await serving { server, _ in
            let client = try Client(port: server.port)
            let begin = Date()
            #expect(try client.get("/alarm").status == 202)
            #expect((0.14..<2).contains(Date().timeIntervalSince(begin)))
        }
    }

    @Test func endsAStreamThatStalls() async throws {
        try await serving({ $0.streamStallMilliseconds = 300 }) { server, echo in
            let client = try Client(port: server.port, receiveBytes: 4096)
            client.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(eventually { echo.streams.withLock { $0.count } == 1 })
            let ticker = echo.streams.withLock { $0[0] }
            for _ in 0..<400 { ticker.push(String(repeating: "x", count: 10_000)) }
            server.wakeStreams()
            #expect(eventually { ticker.closings == 1 })
            #expect(eventually { server.statistics.connections == 0 })
        }
    }

    @Test func noticesAStreamWhoseClientHasGone() async throws {
        try await serving { server, echo in
            do {
                let client = try Client(port: server.port)
                client.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
                _ = try client.head()
                #expect(eventually { server.statistics.streams == 1 })
            }
            // Nothing is sent: only a look at the socket tells.
            #expect(eventually { server.statistics.streams == 0 })
            #expect(echo.streams.withLock { $0[0].closings } == 1)
        }
    }

    /// Neither does a client that has been there for longer, and stays, keep the descriptors of those that leave.
    @Test(arguments: ["1.1", "1.0"], [true, false])
    func aStreamWhoseClientHasGoneLeavesNothingBehind(version: String, resets: Bool) async throws {
        try await serving { server, echo in
            // More than the server has threads: each of them has one.
            let older = try (0..<8).map { _ in try Client(port: server.port) }
            for client in older { #expect(try client.get("/hello").status == 200) }
            var leaving: [Client] = []
            for _ in 0..<24 {
                let client = try Client(port: server.port)
                client.send("GET /events HTTP/\(version)\r\nHost: a\r\n\r\n")
                _ = try client.head()
                leaving.append(client)
            }
            #expect(eventually { server.statistics.streams == leaving.count })
            #expect(server.statistics.connections == older.count + leaving.count)
            if resets { for client in leaving { client.abort() } }
            leaving = []
            #expect(eventually { server.statistics.streams == 0 })
            #expect(eventually { server.statistics.connections == older.count })
            for client in older { #expect(try client.get("/hello").status == 200) }
        }
    }
}
