import Concurrency
import Foundation
import HTTPServer
import Testing

/// What the server refuses by itself.
@Suite struct RefusalTests {
    private static let host = "Host: here\r\n"

    /// Heads that two readers could understand differently, and what they get.
    @Test(arguments: [
        ("POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400, "malformed"),
        ("POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400, "malformed"),
        (
            "POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
            "malformed"
        ),
        ("POST /size HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\nabc", 400, "malformed"),
        ("POST /size HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400, "malformed"),
        (
            "POST /a HTTP/1.1\r\nHost:a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400, "malformed"
        ),
        ("POST /size HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "malformed"),
        ("POST /size HTTP/1.1\r\nHost: a\r\nContent-Length : 3\r\n\r\nabc", 400, "malformed"),
        ("GET /hello HTTP/1.1\r\nHost: a\r\nX(y): 3\r\n\r\n", 400, "malformed"),
        ("GET /hello HTTP/1.1\r\nHost: a\r\nX-Y: a\u{1}b\r\n\r\n", 400, "malformed"),
        ("GET /hello HTTP/1.1\r\n\r\n", 400, "host"),
        ("GET /hello HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, "host"),
        (
            "POST /size HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", 415,
            "encoding-unsupported"
        ),
        ("POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: 4194305\r\n\r\n", 413, "body-too-large"),
        (
            "POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999999999999\r\n\r\n", 413, "body-too-large"
        ),
    ])
    func refusesAHead(_ head: String, _ status: Int, _ code: String) async throws {
        try await serving { server, echo in
            let client = try Client(port: server.port)
            // What follows must not be taken for a request: the connection ends.
            client.send(head + "GET /hello HTTP/1.1\r\nHost: here\r\n\r\n")
            let answer = try client.answer()
            #expect(answer.status == status)
            #expect(answer.text == "{\"code\":\"\(code)\"}")
            #expect(answer.header("Connection")?.lowercased() == "close")
            #expect(client.ends())
            #expect(eventually { echo.records.withLock { $0.count } == 1 })
            #expect(server.statistics.refused == 1)
        }
    }

    /// The library refuses these itself, in its own words, before it asks us; version 0.9.75 says the head twice.
    @Test(arguments: ["abc", "-1", "3,3", "0x10", "", "99999999999999999999999"])
    func refusesABrokenLength(_ length: String) async throws {
        try await serving { server, echo in
            let client = try Client(port: server.port)
            client.send("POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: \(length)\r\n\r\nabc")
            #expect([400, 413].contains(try client.answer().status))
            #expect(client.endsAfterMore())
        }
    }

    @Test func takesHeadsThatAreFine() async throws {
        try await serving { server, _ in
            let client = try Client(port: server.port)
            client.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            #expect(try client.answer().text == "hello")
            let chunked = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
            let other = try Client(port: server.port)
            other.send(chunked + "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
            #expect(try other.answer().text == "abcde")
            // A body that nobody asked for is read, so that what follows it is a request.
            other.send("GET /size HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nGET ")
            #expect(try other.answer().text == "4")
            #expect(
                try other.get("/headers", headers: "X-One: 1\r\nx-two:  2 \r\n").text.hasPrefix(
                    "Host=here\nX-One=1\nx-two=2"))
            #expect(try other.get("/segments/").status == 404)
            #expect(try other.get("/segments?a=b%20c&d=%C3%A9+f&g").text.contains("(name: \"g\", value: nil)"))
            #expect(try other.get("/segments?a=%zz").text == "[\"segments\"] nil")
            #expect(try other.get("http://elsewhere/hello?x").text == "hello")
        }
    }

    @Test func refusesLargeHeads() async throws {
        try await serving { server, _ in
            for headers in [
                "X: \(String(repeating: "a", count: 16 << 10))\r\n",
                (0..<101).map { "X-\($0): 1\r\n" }.joined(),
            ] {
                let client = try Client(port: server.port)
                let answer = try client.get("/hello", headers: headers)
                #expect(answer.status == 431)
                #expect(answer.text == "{\"code\":\"head-too-large\"}")
                #expect(client.ends())
            }
            // Far beyond, the library's own words will do.
            let client = try Client(port: server.port)
            #expect(
                try client.get("/hello", headers: "X: \(String(repeating: "a", count: 100 << 10))\r\n").status == 431)
            let fine = try Client(port: server.port)
            #expect(try fine.get("/hello", headers: "X: \(String(repeating: "a", count: 15 << 10))\r\n").status == 200)
            let long = try Client(port: server.port)
            #expect(try long.get("/" + String(repeating: "a", count: 12 << 10)).status == 404)
        }
    }

    @Test func refusesChunksThatGrow() async throws {
        try await serving({ $0.bodyBytesMax = 100_000 }) { server, echo in
            let client = try Client(port: server.port)
            client.send("POST /size HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            let chunk = "2710\r\n" + String(repeating: "x", count: 10_000) + "\r\n"
            for _ in 0..<40 where !client.send(chunk) { break }
            let answer = try client.answer()
            #expect(answer.status == 413)
            #expect(answer.text == "{\"code\":\"body-too-large\"}")
            #expect(client.ends())
            #expect(eventually { echo.records.withLock { $0.first?.status } == 413 })
            #expect(server.statistics.bodiesBytes == 0)
            #expect(try Client(port: server.port).post("/size", [UInt8](repeating: 0, count: 100_000)).text == "100000")
        }
    }

    @Test func refusesTooManyStreams() async throws {
        try await serving({ $0.streamsMax = 2 }) { server, echo in
            let clients = try (0..<2).map { _ in try Client(port: server.port) }
            for client in clients {
                client.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(try client.head().contains("200"))
            }
            let late = try Client(port: server.port)
            let answer = try late.get("/events")
            #expect(answer.status == 503)
            #expect(answer.text == "{\"code\":\"streams-full\"}")
            #expect(answer.header("Retry-After") == "1")
            #expect(try late.get("/hello").status == 200)
            #expect(echo.streams.withLock { $0.map(\.closings) }.sorted() == [0, 0, 1])
        }
    }
}
