import Concurrency
import Foundation
import HTTPServer
import Testing

/// Clients that go, answers that race, and the end.
@Suite struct StopTests {
    @Test func exactlyOneAnswerWins() async throws {
        try await serving { server, _ in
            // Four clients at once, 2,500 times each.
            let failures = Locked(0)
            let threads = (0..<4).map { _ in
                WorkerThread {
                    do {
                        let client = try Client(port: server.port)
                        for _ in 0..<2500 where !["worker", "caller"].contains(try client.get("/race").text) {
                            failures.withLock { $0 += 1 }
                        }
                    } catch {
                        failures.withLock { $0 += 1 }
                    }
                }
            }
            for thread in threads { thread.join() }
            #expect(failures.withLock { $0 } == 0)
            #expect(server.statistics.requests == 10_000)
            #expect(eventually { server.statistics.exchanges == 0 })
        }
    }

    @Test func aClientThatGoesWhileItsAnswerIsMade() async throws {
        try await serving { server, echo in
            for _ in 0..<20 {
                let client = try Client(port: server.port)
                client.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(eventually { echo.held.withLock { $0.count } == 1 })
                client.abort()
                let exchange = echo.held.withLock { $0.removeFirst() }
                #expect(exchange.send(Echo.text("for nobody")))
                #expect(!exchange.send(Echo.text("again")))
            }
            #expect(eventually { server.statistics.connections == 0 && server.statistics.exchanges == 0 })
            #expect(echo.records.withLock { $0.count } == 20)
        }
    }

    @Test func aClientThatGoesInTheMiddle() async throws {
        try await serving { server, _ in
            for part in [
                "G", "GET /hello HTTP/1.1\r\nHo", "POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",
            ] {
                try Client(port: server.port).send(part)
            }
            #expect(eventually { server.statistics.connections == 0 && server.statistics.bodiesBytes == 0 })
            #expect(try Client(port: server.port).get("/hello").status == 200)
        }
    }

    @Test func stopAnswersWhatIsPutAside() async throws {
        try await serving { server, echo in
            let clients = try (0..<20).map { _ in try Client(port: server.port) }
            for client in clients { client.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n") }
            let streams = try (0..<20).map { _ in try Client(port: server.port) }
            for stream in streams {
                stream.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
                _ = try stream.head()
            }
            #expect(eventually { echo.held.withLock { $0.count } == 20 && server.statistics.exchanges == 40 })
            server.stop(graceMilliseconds: 50)
            for client in clients {
                let answer = try client.answer()
                #expect(answer.status == 503)
                #expect(answer.text == "{\"code\":\"stopping\"}")
                #expect(answer.header("Connection")?.lowercased() == "close")
                #expect(client.ends())
            }
            for stream in streams { #expect(try stream.chunk() == nil) }
            #expect(echo.streams.withLock { $0.allSatisfy { $0.closings == 1 } })
            #expect(echo.records.withLock { $0.count } == 40)
            #expect(echo.held.withLock { $0.allSatisfy { !$0.send(Echo.text("late")) } })
            #expect(throws: Client.Failure.self) { _ = try Client(port: server.port) }
            server.stop(graceMilliseconds: 1000)
        }
    }

    @Test func stopWaitsForWhatIsInHand() async throws {
        try await serving { server, echo in
            let client = try Client(port: server.port)
            client.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(eventually { echo.held.withLock { $0.count } == 1 })
            let thread = WorkerThread { server.stop(graceMilliseconds: 5000) }
            usleep(150_000)
            #expect(echo.held.withLock { $0[0].send(Echo.text("in time")) })
            #expect(try client.answer().text == "in time")
            thread.join()
        }
    }

    /// Stopping at any moment of a busy time neither hangs nor aborts.
    @Test func stopsInTheMiddleOfWork() async throws {
        for round in 0..<15 {
            try await serving { server, echo in
                let clients = try (0..<30).map { _ in try Client(port: server.port) }
                for (number, client) in clients.enumerated() {
                    let path = ["/later", "/events", "/held", "/hello", "/race"][number % 5]
                    client.send("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
                }
                usleep(UInt32(round) * 300)
                server.wakeStreams()
                server.stop(graceMilliseconds: 0)
                #expect(server.statistics.streams == 0)
                #expect(server.statistics.exchanges == 0)
                #expect(server.statistics.connections == 0)
            }
        }
    }

    @Test func aPortIsTakenOnce() async throws {
        try await serving { server, _ in
            var configuration = HTTPServerConfiguration()
            configuration.port = server.port
            #expect(Self.code(configuration) == .port)
            configuration.host = "no.such.host"
            #expect(Self.code(configuration) == .address)
        }
    }

    private static func code(_ configuration: HTTPServerConfiguration) -> HTTPServerError.Code? {
        do throws(HTTPServerError) {
            _ = try HTTPServer(configuration: configuration, application: Echo())
            return nil
        } catch {
            return error.code
        }
    }
}
