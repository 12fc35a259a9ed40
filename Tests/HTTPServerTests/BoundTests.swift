import Foundation
import HTTPServer
import Testing

/// More of something than there may be.
@Suite struct BoundTests {
    @Test func connectionsBeyondTheBoundAreAnswered() async throws {
        try await serving({ $0.connectionsMax = 10 }) { server, _ in
            let clients = try (0..<10).map { _ in try Client(port: server.port) }
            for client in clients { #expect(try client.get("/hello").status == 200) }
            var seconds: [Double] = []
            for _ in 0..<50 {
                let begin = Date()
                let late = try Client(port: server.port)
                let answer = try late.get("/hello")
                #expect(answer.status == 503)
                #expect(answer.text == "{\"code\":\"connections-full\"}")
                #expect(answer.header("Retry-After") == "1")
                seconds.append(Date().timeIntervalSince(begin))
                #expect(late.ends())
            }
            // Other tests run beside this one and keep the processor.
            #expect(seconds.sorted()[40] < 0.1)
            #expect(server.statistics.shed == 50)
            #expect(try clients[3].get("/hello").status == 200)
            #expect(server.statistics.connections == 10)
        }
    }

    @Test func aPlaceIsFreeAgain() async throws {
        try await serving({ $0.connectionsMax = 1 }) { server, _ in
            for _ in 0..<20 {
                #expect(eventually { server.statistics.connections == 0 })
                let client = try Client(port: server.port)
                #expect(try client.get("/hello").status == 200)
            }
        }
    }

    @Test func oneAddressHasItsBound() async throws {
        try await serving({ $0.connectionsPerPeerMax = 2 }) { server, _ in
            do {
                let clients = try (0..<2).map { _ in try Client(port: server.port) }
                for client in clients { #expect(try client.get("/hello").status == 200) }
                #expect(try Client(port: server.port).get("/hello").status == 503)
            }
            #expect(eventually { server.statistics.connections == 0 })
            #expect(try Client(port: server.port).get("/hello").status == 200)
        }
    }

    /// Large bodies that stay unfinished leave room for small ones, and give it back when they go.
    @Test func bodiesHaveABoundTogether() async throws {
        try await serving({ $0.bodiesBytesMax = 4 << 20 }) { server, _ in
            let half = [UInt8](repeating: 7, count: 1 << 20)
            do {
                // Each half takes one to two mebibytes, and the large ones have three together.
                let holders = try (0..<5).map { _ in try Client(port: server.port) }
                for holder in holders {
                    holder.send("POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: 2097152\r\n\r\n")
                    holder.send(half)
                }
                let refused = holders.compactMap { try? $0.answer(milliseconds: 500) }
                #expect((2...4).contains(refused.count))
                #expect(refused.allSatisfy { $0.status == 503 && $0.text == "{\"code\":\"bodies-full\"}" })
                #expect(server.statistics.bodiesBytes <= 3 << 20)
                #expect(server.statistics.bodiesBytes >= 1 << 20)
                #expect(try Client(port: server.port).post("/size", [1, 2, 3]).text == "3")
            }
            #expect(eventually { server.statistics.bodiesBytes == 0 })
            #expect(try Client(port: server.port).post("/size", half).text == "1048576")
            #expect(eventually { server.statistics.bodiesBytes == 0 })
        }
    }

    @Test func answersHaveABoundTogether() async throws {
        try await serving({ $0.answersBytesMax = 4_000_000 }) { server, _ in
            let mute = try Client(port: server.port, receiveBytes: 4096)
            mute.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(eventually { server.statistics.answersBytes == 2_000_000 })
            let late = try Client(port: server.port)
            let answer = try late.get("/large")
            #expect(answer.status == 503)
            #expect(answer.text == "{\"code\":\"answers-full\"}")
            #expect(try late.get("/hello").status == 200)
            #expect(try late.get("/shared").body == Echo.shared)
        }
    }

    @Test func aThousandAtOnce() async throws {
        try await serving { server, _ in
            let clients = try (0..<1000).map { _ in try Client(port: server.port) }
            for round in 0..<3 {
                let path = round == 1 ? "/later" : "/hello"
                for client in clients { client.send("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n") }
                for client in clients { #expect(try client.answer().status == 200) }
            }
            #expect(server.statistics.requests == 3000)
        }
    }

    /// The library's own threads fall asleep where exactly as many sockets are ready as it looks at in one go.
    @Test(arguments: [1, 2]) func noNumberOfConnectionsStalls(threads: Int) async throws {
        try await serving({ $0.threads = threads }) { server, _ in
            let clients = try (0..<(128 * threads)).map { _ in try Client(port: server.port) }
            for _ in 0..<30 {
                for client in clients { client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n") }
                for client in clients { #expect(try client.answer(milliseconds: 3000).status == 200) }
            }
        }
    }
}
