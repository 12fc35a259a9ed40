import Canonical
import Crypto
import EtcdKit
import HTTPClient
import Ledger
import ServerKit
import TestSupport
import Testing
import Wallet
import Wire

import struct Foundation.Date
import class Foundation.FileHandle
import class Foundation.Process
import struct Foundation.URL
import func Foundation.usleep

@testable import Commands

/// `lianfen node --listen` as a process of its own.
@Suite(.ownThread) struct ServiceTests {
    /// A node's process and a way to talk to it.
    private struct Served {
        let child: Child
        let url: String
        let http: HTTPClient

        init(_ directory: String, environment: [String: String] = [:], _ words: String...) throws {
            child = try Child(
                ["node", "--dir", directory, "--listen", "127.0.0.1:0"] + words, environment: environment)
            try child.waitFor("Serving http")
            let text = child.errors
            let from = try #require(text.range(of: "Serving "))
            url = String(text[from.upperBound...].prefix { $0 != " " }.dropLast())
            var configuration = HTTPClientConfiguration()
            configuration.verifiesServer = false
            http = try HTTPClient(configuration)
        }

        func get(_ path: String) throws -> HTTPClientResponse {
            try http.perform(HTTPClientRequest("GET", url + path))
        }

        /// Sends once: over a connection of its own, since a client repeats over one that has died.
        func send(_ transaction: Transaction, key: String? = nil) throws -> HTTPClientResponse {
            var request = HTTPClientRequest(
                "POST", url + "/v1/transactions",
                headers: [HTTPField("Content-Type", "application/octet-stream")]
                    + (key.map { [HTTPField("Idempotency-Key", $0)] } ?? []), body: transaction.bytes)
            request.isAlone = true
            return try http.perform(request)
        }

        func stop() -> Int32 {
            child.interrupt()
            return child.wait()
        }
    }

    private static func issuer(_ directory: String) throws -> (Genesis, Author) {
        let genesis = try ChainDirectory.readGenesis(ChainDirectory.genesisPath(directory))
        let id = genesis.organisations[0].id
        return (
            genesis,
            Author(
                .organisation(id), try ChainDirectory.readKey(ChainDirectory.keyPath(directory, id, "issuing"), .none))
        )
    }

    @Test func killedBetweenCertificateAndAnswer() throws {
        try withTemporaryDirectory { root in
            let directory = root.appendingPathComponent("mall").path
            try Call.ok("init", "--dev", "--validators", "4", "--dir", directory)
            let (genesis, issuer) = try Self.issuer(directory)
            let now = UInt64(Date().timeIntervalSince1970 * 1000)
            let unit = UnitCode("MALL")!
            let alice = Author(.account(AccountID.random()), SecretKey())
            guard case .account(let account) = alice.party else { return }
            func signed(_ operations: [Operation], _ author: Author) -> Transaction {
                .signed(operations, by: [author], genesis: genesis.hash, now: now)
            }
            let setUp = [
                signed(
                    [
                        .publish(
                            Program(unit: unit, currency: "CNY", faceMinor: 1, facePoints: 1),
                            issuer: genesis.organisations[0].id)
                    ], issuer),
                signed(
                    [
                        .open(
                            OpenList(
                                organisation: genesis.organisations[0].id,
                                lines: [OpenLine(account: account, credential: alice.key.publicKey)]))
                    ], issuer),
                signed(
                    [
                        .accrue(
                            AccrueList(
                                unit: unit,
                                lines: [
                                    AccrualLine(
                                        account: account,
                                        key: NaturalKey(source: SourceID("till")!, order: Array("1".utf8)),
                                        amount: 100, pending: false)
                                ]))
                    ], issuer),
            ]
            func spend(_ amount: UInt64) -> Transaction {
                signed([.redeem(account: account, unit: unit, amount: amount, reference: Reference([]))], alice)
            }
            let coffee = spend(30)
            // Dies once it has the answer to the fourth, and before that has left.
            let first = try Served(directory, environment: ["LIANFEN_CRASH_POINT": "before-answer:4"])
            for transaction in setUp { #expect(try first.send(transaction).status == 200) }
            #expect(throws: HTTPClientError.self) { try first.send(coffee, key: "coffee") }
            #expect(first.child.wait() == -9)

            let second = try Served(directory)
            let answer = try second.send(coffee, key: "coffee")
            #expect(answer.status == 200, "\(String(decoding: answer.body, as: UTF8.self))")
            #expect(try second.send(coffee, key: "coffee").body == answer.body)
            #expect(try second.send(coffee).body == answer.body)
            // What the key was used for is known to the process that never saw its answer.
            #expect(try second.send(spend(30), key: "coffee").status == 422)
            let client = try NodeClient(
                second.url, pin: .genesis(genesis), identity: Identity(.account(account), alice.key))
            #expect(try client.balance(of: account, unit: unit).value.available == 70)
            #expect(second.stop() == 0)

            let third = try Served(directory)
            #expect(try third.send(coffee, key: "coffee").body == answer.body)
            #expect(third.stop() == 0)
            #expect(!third.child.errors.contains(directory), "no path of the host in a log line")
        }
    }

    @Test func leavesInOrder() throws {
        try withTemporaryDirectory { root in
            let directory = root.appendingPathComponent("mall").path
            try Call.ok("init", "--dev", "--validators", "4", "--dir", directory)
            let served = try Served(directory, "--drain", "2", "--metrics", "127.0.0.1:0")
            var isReady = false
            for _ in 0..<200 where !isReady {
                isReady = try served.get("/readyz").status == 200
                usleep(50_000)
            }
            #expect(isReady)
            served.child.interrupt()
            try served.child.waitFor("\"leaving\"")
            // The door is still open, and says that it will close.
            #expect(try served.get("/readyz").status == 503)
            #expect(try served.get("/v1/chain").status == 200)
            #expect(served.child.wait() == 0)
            #expect(throws: HTTPClientError.self) { try served.get("/readyz") }
        }
    }

    @Test func servesTLS() throws {
        try withTemporaryDirectory { root in
            let directory = root.appendingPathComponent("mall").path
            try Call.ok("init", "--dev", "--validators", "4", "--dir", directory)
            let (key, certificate) = (
                root.appendingPathComponent("k.pem").path, root.appendingPathComponent("c.pem").path
            )
            let openssl = Process()
            openssl.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            openssl.arguments = [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-days",
                "2", "-subj", "/CN=localhost", "-keyout", key, "-out", certificate,
            ]
            openssl.standardError = FileHandle.nullDevice
            try openssl.run()
            openssl.waitUntilExit()
            // Figures as well, where others than this machine can reach them.
            let figures = "0.0.0.0:\(try EtcdCluster.freePorts(1)[0])"
            let served = try Served(
                directory, "--tls-certificate", certificate, "--tls-key", key, "--metrics", figures)
            #expect(served.url.hasPrefix("https://"))
            #expect(try served.get("/v1/chain").status == 200)
            let page = try served.http.perform(HTTPClientRequest("GET", "https://\(figures)/metrics"))
            #expect(page.status == 200)
            #expect(throws: HTTPClientError.self) {
                try served.http.perform(HTTPClientRequest("GET", "http://\(figures)/metrics"))
            }
            #expect(served.stop() == 0)
        }
    }

    @Test(arguments: [
        (["--listen", "0.0.0.0:0"], "plain-http"), (["--listen", "nonsense"], "address-invalid"),
        (["--listen", "127.0.0.1:0", "--metrics", "0.0.0.0:0"], "plain-http"),
        (["--listen", "127.0.0.1:99999"], "address-invalid"),
        (["--listen", "127.0.0.1:0", "--tls-key", "x"], "tls-half"),
        (["--listen", "127.0.0.1:0", "--observer", "x"], "key-invalid"),
        (["--listen", "192.0.2.1:0", "--behind-proxy"], "listen"),
    ]) func doorsThatCannotBeOpened(words: [String], code: String) throws {
        try withTemporaryDirectory { root in
            let directory = root.appendingPathComponent("mall").path
            try Call.ok("init", "--dev", "--validators", "1", "--dir", directory)
            let child = try Child(["node", "--dir", directory, "--json"] + words)
            #expect(child.wait() != 0)
            #expect(child.error["code"].text == code, "\(child.errors)")
        }
    }
}
