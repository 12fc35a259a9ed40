import Foundation
import ServerKit
import TestSupport
import Testing

@testable import HTTPClient

/// Whom the client trusts, and how it shows who it is.
@Suite(.ownThread) struct TLSTests {
    @Test func certificatesDecide() throws {
        try withTemporaryDirectory { directory in
            try makeCertificates(in: directory)
            func file(_ name: String) -> String { directory.appendingPathComponent(name).path }
            func outcome(_ server: TLSServer, _ change: (inout HTTPClientConfiguration) -> Void) -> String {
                var configuration = HTTPClientConfiguration()
                configuration.authorities = .file(file("authority.pem"))
                change(&configuration)
                do throws(HTTPClientError) {
                    let client = try HTTPClient(configuration)
                    var answer = try client.perform(HTTPClientRequest("GET", server.url))
                    answer = try client.perform(HTTPClientRequest("GET", server.url))
                    return "\(answer.status) \(String(decoding: answer.body, as: UTF8.self))"
                } catch { return error.code.rawValue }
            }
            let server = try TLSServer(in: directory)
            defer { server.stop() }
            #expect(outcome(server) { _ in } == "200 hello")
            #expect(outcome(server) { $0.authorities = .system } == "tls")
            #expect(outcome(server) { $0.authorities = .file(file("stranger.pem")) } == "tls")
            #expect(outcome(server) { $0.authorities = .file(file("authority.key")) } == "tls")
            #expect(outcome(server) { $0.authorities = .file(file("absent.pem")) } == "tls")
            #expect(
                outcome(server) {
                    $0.authorities = .system; $0.verifiesServer = false
                } == "200 hello")

            let elsewhere = try TLSServer(in: directory, certificate: "elsewhere")
            defer { elsewhere.stop() }
            #expect(outcome(elsewhere) { _ in } == "tls")

            let choosy = try TLSServer(in: directory, wantsClient: true)
            defer { choosy.stop() }
            let own = HTTPClientConfiguration.Identity(
                certificateFile: file("client.pem"), keyFile: file("client.key"))
            #expect(outcome(choosy) { $0.identity = own } == "200 hello")
            #expect(["tls", "interrupted"].contains(outcome(choosy) { _ in }))
            let mixed = HTTPClientConfiguration.Identity(
                certificateFile: file("client.pem"), keyFile: file("server.key"))
            #expect(outcome(choosy) { $0.identity = mixed } == "tls")
        }
    }

    /// So an authority is exchanged under a process that runs for years.
    @Test func theFileOfAuthoritiesIsReadForEachNewConnection() throws {
        try withTemporaryDirectory { directory in
            try makeCertificates(in: directory)
            let trusted = directory.appendingPathComponent("trusted.pem")
            func trust(_ names: String...) throws {
                let files = try names.map { try Data(contentsOf: directory.appendingPathComponent($0 + ".pem")) }
                try Data(files.joined()).write(to: trusted)
            }
            let server = try TLSServer(in: directory)
            defer { server.stop() }
            var configuration = HTTPClientConfiguration()
            configuration.authorities = .file(trusted.path)
            try trust("authority")
            let client = try HTTPClient(configuration)
            var request = HTTPClientRequest("GET", server.url)
            request.isAlone = true
            #expect(try client.perform(request).status == 200)
            try trust("stranger")
            #expect(throws: HTTPClientError(.tls, "", place: "")) { _ = try client.perform(request) }
            try trust("stranger", "authority")
            #expect(try client.perform(request).status == 200)
        }
    }

    @Test func plainHTTPAtATLSPort() {
        withServer { peer in
            peer.answer("plain")
            _ = peer.waitForEnd()
        } body: { server in
            let url = server.url.replacingOccurrences(of: "http:", with: "https:")
            var request = HTTPClientRequest("GET", url)
            request.totalMilliseconds = 2000
            #expect(throws: HTTPClientError(.tls, "", place: "")) { _ = try HTTPClient().perform(request) }
        }
    }

    /// A server that dies while a connection is made is not there; its certificate has nothing to do with it.
    @Test(arguments: [false, true]) func whoEndsInTheMiddleIsNotThere(reads: Bool) {
        withServer { peer in
            // What is closed with bytes unread is reset, and otherwise ended.
            if reads { peer.readSome() } else { peer.waitForSome() }
        } body: { server in
            let url = server.url.replacingOccurrences(of: "http:", with: "https:")
            #expect(throws: HTTPClientError(.connect, "", place: "")) {
                _ = try HTTPClient().perform(HTTPClientRequest("GET", url))
            }
        }
    }
}
