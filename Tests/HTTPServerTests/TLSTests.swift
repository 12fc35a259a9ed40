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

    private static func code(_ configuration: HTTPServerConfiguration) -> HTTPServerError.Code? {
        do throws(HTTPServerError) {
            _ = try HTTPServer(configuration: configuration, application: Echo())
            return nil
        } catch {
            return error.code
        }
    }
}
