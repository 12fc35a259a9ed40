import Concurrency
import Foundation
import HTTPServer
import TestSupport
import Testing

/// What well-behaved clients get.
@Suite struct ServingTests {
    @Test func answersOnAKeptConnection() async throws {
        try await serving { server, echo in
            let client = try Client(port: server.port)
            for _ in 0..<3 {
                let answer = try client.get("/hello")
                #expect(answer.status == 200)
                #expect(answer.text == "hello")
                #expect(answer.header("Content-Type") == "text/plain")
                #expect(answer.header("Date") != nil)
            }
            #expect(try client.post("/echo", [1, 2, 0, 255]).body == [1, 2, 0, 255])
            #expect(try client.get("/peer").text == "127.0.0.1")
            #expect(try client.get("/none").status == 404)
            #expect(eventually { echo.records.withLock { $0.count } == 6 })
            let record = try #require(echo.records.withLock { $0.first { $0.route == "/echo" } })
            #expect(record.method == "POST" && record.status == 200 && record.bytesOut == 4 && record.isComplete)
            #expect(record.peer == "127.0.0.1" && record.requestID.utf8.count <= 15)
            #expect(Set(echo.records.withLock { $0.map(\.requestID) }).count == 6)
        }
    }

    @Test func answersFromAnotherThread() async throws {
        try await serving { server, _ in
            let client = try Client(port: server.port)
            for _ in 0..<100 { #expect(try client.get("/later").text == "later") }
        }
    }

    @Test func streamsWaitAndWake() async throws {
        try await serving { server, echo in
            let client = try Client(port: server.port)
            client.send("GET /events HTTP/1.1\r\nHost: here\r\n\r\n")
            #expect(try client.head().contains("text/event-stream"))
            #expect(eventually { echo.streams.withLock { $0.count } == 1 })
            let ticker = echo.streams.withLock { $0[0] }
            for number in 0..<20 {
                ticker.push("data: \(number)\n\n")
                server.wakeStreams()
                #expect(try client.chunk() == Array("data: \(number)\n\n".utf8))
            }
            ticker.end()
            server.wakeStreams()
            #expect(try client.chunk() == nil)
            #expect(eventually { ticker.closings == 1 })
            #expect(try client.get("/hello").text == "hello")
        }
    }
}
