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

    @Test func requestsMayComeAtOnce() async throws {
        try await serving { server, _ in
            let client = try Client(port: server.port)
            let post = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
            let get = "GET /later HTTP/1.1\r\nHost: a\r\n\r\n"
            client.send(String(repeating: post + get, count: 50))
            for _ in 0..<50 {
                #expect(try client.answer().text == "abc")
                #expect(try client.answer().text == "later")
            }
        }
    }

    @Test func aRequestMayComeByteByByte() async throws {
        try await serving { server, _ in
            let client = try Client(port: server.port)
            for byte in "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc".utf8 {
                client.send([byte])
                usleep(500)
            }
            #expect(try client.answer().text == "abc")
        }
    }

    @Test func headHasNoBody() async throws {
        try await serving { server, echo in
            let client = try Client(port: server.port)
            let answer = try client.get("/large", method: "HEAD")
            #expect(answer.header("Content-Length") == "2000000")
            #expect(try client.get("/hello").text == "hello")
            #expect(try client.get("/events", method: "HEAD").status == 200)
            #expect(eventually { echo.streams.withLock { $0.first?.closings } == 1 })
            #expect(eventually { server.statistics.streams == 0 })
        }
    }

    @Test func largeAnswersComeWhole() async throws {
        try await serving { server, _ in
            let client = try Client(port: server.port)
            #expect(try client.get("/shared").body == Echo.shared)
            #expect(try client.get("/large").body.count == 2_000_000)
            let body = (0..<4_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            #expect(try client.post("/echo", body).body == body)
            #expect(eventually { server.statistics.bodiesBytes == 0 && server.statistics.answersBytes == 0 })
        }
    }

    @Test func closesWhereAsked() async throws {
        try await serving { server, _ in
            let client = try Client(port: server.port)
            #expect(try client.get("/hello", headers: "Connection: close\r\n").text == "hello")
            #expect(client.ends())
        }
    }

    @Test func bodiesAreAnnouncedAndAwaited() async throws {
        try await serving { server, _ in
            let client = try Client(port: server.port)
            client.send("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
            #expect(try client.head().contains("100 Continue"))
            client.send("abc")
            #expect(try client.answer().text == "abc")
        }
    }

    /// A stream whose client does not read holds nobody up, and is asked for nothing that it cannot take.
    @Test func aMuteStreamHoldsNobodyUp() async throws {
        try await serving { server, echo in
            let mute = try Client(port: server.port, receiveBytes: 4096)
            let reader = try Client(port: server.port)
            for client in [mute, reader] {
                client.send("GET /events HTTP/1.1\r\nHost: here\r\n\r\n")
                #expect(eventually { server.statistics.streams == (client === mute ? 1 : 2) })
            }
            _ = try reader.head()
            let piece = String(repeating: "x", count: 1000)
            for _ in 0..<1000 {
                for ticker in echo.streams.withLock({ $0 }) { ticker.push(piece) }
                server.wakeStreams()
            }
            var count = 0
            while count < 1_000_000 { count += try #require(try reader.chunk()).count }
            #expect(count == 1_000_000)
            let asked = echo.streams.withLock { $0[0].asked }
            #expect(asked < 900, "\(asked) pieces were taken for a client that reads nothing")
            #expect(server.statistics.streams == 2)
        }
    }
}
