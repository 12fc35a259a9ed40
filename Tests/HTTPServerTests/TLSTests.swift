import Concurrency
import Foundation
import HTTPServer
import TestSupport
import Testing

/// The same server over TLS; the client is curl.
@Suite struct TLSTests {
    private static func run(_ program: String, _ arguments: [String]) throws -> String {
        String(decoding: try tool(program, arguments), as: UTF8.self)
    }

    private static func tls() throws -> HTTPServerConfiguration.TLS {
        try withTemporaryDirectory { directory in
            let key = directory.appendingPathComponent("key.pem")
            let certificate = directory.appendingPathComponent("certificate.pem")
            _ = try run(
                "openssl",
                [
                    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-keyout", key.path, "-out", certificate.path,
                ])
            return HTTPServerConfiguration.TLS(
                certificate: [UInt8](try Data(contentsOf: certificate)), key: [UInt8](try Data(contentsOf: key)))
        }
    }

    @Test func servesOverTLS() async throws {
        let tls = try await onThread { try Self.tls() }
        try await serving({
            $0.tls = tls
            $0.headMilliseconds = 3000
            $0.bodyBytesMax = 100_000
        }) { server, _ in
            let base = "https://127.0.0.1:\(server.port)"
            let curl = ["-ks", "--max-time", "30"]
            #expect(
                try Self.run("curl", curl + ["\(base)/hello", "\(base)/later", "\(base)/hello"]) == "hellolaterhello")
            #expect(try Self.run("curl", curl + ["--tls-max", "1.2", "\(base)/hello"]) == "hello")
            #expect(try Self.run("curl", curl + ["--tls-max", "1.1", "\(base)/hello"]) == "")
            let large = try Self.run("curl", curl + ["-o", "/dev/null", "-w", "%{size_download}", "\(base)/large"])
            #expect(large == "2000000")
            // A body that grows past its bound cannot be answered in the middle: it is read to its end for that.
            try withTemporaryDirectory { directory in
                let file = directory.appendingPathComponent("body")
                try Data(count: 200_000).write(to: file)
                let answer = try Self.run(
                    "curl",
                    curl + [
                        "-H", "Transfer-Encoding: chunked", "--data-binary", "@\(file.path)", "-w", " %{http_code}",
                        "\(base)/size",
                    ])
                #expect(answer == "{\"code\":\"body-too-large\"} 413")
            }
            // No handshake within the time of a head.
            let mute = try Client(port: server.port)
            #expect(mute.ends(milliseconds: 20_000))
            #expect(server.statistics.timeouts >= 1)
        }
    }

    @Test func refusesAKeyThatDoesNotFit() async throws {
        let (one, other) = try await onThread { (try Self.tls(), try Self.tls()) }
        var configuration = HTTPServerConfiguration()
        configuration.tls = HTTPServerConfiguration.TLS(certificate: one.certificate, key: other.key)
        #expect(Self.code(configuration) == .tls)
        configuration.tls = HTTPServerConfiguration.TLS(certificate: [1, 2], key: [])
        #expect(Self.code(configuration) == .tls)
    }

    /// Whoever was there before is answered and let go, and whoever comes sees the new certificate.
    @Test func showsAnotherCertificateFromNowOn() async throws {
        let (one, other) = try await onThread { (try Self.tls(), try Self.tls()) }
        try await serving({ $0.tls = one }) { server, echo in
            func shows(_ tls: HTTPServerConfiguration.TLS) throws -> Bool {
                try withTemporaryDirectory { directory in
                    let file = directory.appendingPathComponent("authority.pem")
                    try Data(tls.certificate).write(to: file)
                    let url = "https://localhost:\(server.port)/hello"
                    return try Self.run("curl", ["-s", "--max-time", "30", "--cacert", file.path, url]) == "hello"
                }
            }
            #expect(try shows(one))
            #expect(try !shows(other))
            let held = Background("https://127.0.0.1:\(server.port)/held")
            let stream = Background("https://127.0.0.1:\(server.port)/events")
            #expect(eventually { echo.held.withLock { $0.count } == 1 && server.statistics.streams == 1 })

            try server.exchange(other)
            #expect(try shows(other))
            #expect(try !shows(one))
            #expect(stream.answer.hasSuffix(" 0"), "the stream comes to an end that its client takes for one")
            #expect(echo.held.withLock { $0[0].send(Echo.text("in time")) })
            let answer = held.answer
            #expect(answer.contains("Connection: close") && answer.hasSuffix("in time 0"))
            #expect(eventually { server.statistics.connections == 0 })

            let wrong = HTTPServerConfiguration.TLS(certificate: one.certificate, key: other.key)
            #expect(throws: HTTPServerError.self) { try server.exchange(wrong) }
            #expect(try shows(other))
        }
        try await serving { server, _ in
            #expect(throws: HTTPServerError.self) { try server.exchange(one) }
            let answer = try Client(port: server.port).get("/hello")
            #expect(answer.text == "hello")
        }
    }

    @Test func noRequestIsLostWhileCertificatesAreExchanged() async throws {
        let certificates = try await onThread { try (0..<4).map { _ in try Self.tls() } }
        try await serving({ $0.tls = certificates[0] }) { server, _ in
            let clients = (0..<3).map { _ in
                Background("https://127.0.0.1:\(server.port)/later?[1-300]", options: ["--no-progress-meter"])
            }
            for certificate in certificates.dropFirst() {
                let before = server.statistics.requests
                #expect(eventually { server.statistics.requests > before + 30 })
                try server.exchange(certificate)
            }
            for client in clients {
                let answers = client.answer.components(separatedBy: "later 0").count - 1
                #expect(answers == 300)
            }
        }
    }

    /// What clients of old certificates hold is bounded, and is free again when they have gone.
    @Test func exchangesAreBounded() async throws {
        let tls = try await onThread { try Self.tls() }
        try await serving({
            $0.tls = tls
            $0.threads = 1
        }) { server, echo in
            var clients: [Background] = []
            for number in 1...HTTPServer.exchangesMax {
                clients.append(Background("https://127.0.0.1:\(server.port)/held"))
                #expect(eventually { echo.held.withLock { $0.count } == number })
                try server.exchange(tls)
            }
            #expect(throws: HTTPServerError.self) { try server.exchange(tls) }
            for exchange in echo.held.withLock({ $0 }) { exchange.send(Echo.text("at last")) }
            for client in clients { #expect(client.answer.hasSuffix("at last 0")) }
            #expect(eventually { (try? server.exchange(tls)) != nil })
        }
    }

    /// curl on a thread of its own: what it says, and after each answer its exit code.
    private final class Background: Sendable {
        private let said = Waiter<String>()
        private let thread: WorkerThread

        init(_ url: String, options: [String] = ["-i"]) {
            let arguments = ["-ks", "--max-time", "60", "-w", " %{exitcode}"] + options + [url]
            thread = WorkerThread { [said] in said.fulfil((try? TLSTests.run("curl", arguments)) ?? "") }
        }

        /// Waits for all of it; to be asked once.
        var answer: String {
            thread.join()
            return said.wait() ?? ""
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
