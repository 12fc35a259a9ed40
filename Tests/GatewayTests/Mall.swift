import Canonical
import Chain
import Concurrency
import Crypto
import HTTPClient
import HTTPServer
import JSON
import Ledger
import Node
import Storage
import Testing
import Wallet
import Wire

import class Foundation.FileManager
import class Foundation.Thread
import struct Foundation.URL
import struct Foundation.UUID

@testable import Gateway

/// A consortium in memory behind a real gateway on a free port of loopback: unit MALL of organisation 1, and what
/// tests do with it over HTTP.
final class Mall: Sendable {
    struct Holder: Sendable {
        let account: AccountID
        let key: SecretKey
        var author: Author { Author(.account(account), key) }
    }

    let genesis: Genesis
    let consortium: Consortium
    let gateway: Gateway
    let server: HTTPServer
    let voting: [SecretKey]
    let issuing: [SecretKey]
    let governing: [SecretKey]
    let observer = SecretKey()
    let unit = UnitCode("MALL")!
    let http: HTTPClient
    /// Added to the gateway's clock, in milliseconds.
    let clockAhead: Locked<UInt64>
    private let directory: URL
    private let log: EventLog
    let logged: Locked<[UInt8]>

    static let staleMilliseconds: UInt64 = 600_000

    var issuer: Author { Author(.organisation(OrganisationID(1)), issuing[0]) }
    var url: String { "http://127.0.0.1:\(server.port)" }

    init(
        validators: Int = 1, configure: (inout Gateway.Configuration) -> Void = { _ in },
        door configureDoor: (inout HTTPServerConfiguration) -> Void = { _ in }
    ) throws {
        let voting = (0..<validators).map { _ in SecretKey() }
        let issuing = (0..<max(2, validators)).map { _ in SecretKey() }
        self.voting = voting
        self.issuing = issuing
        let governing = issuing.map { _ in SecretKey() }
        self.governing = governing
        genesis = Genesis(
            chain: "test", time: wallClockMilliseconds(), orderingEpoch: [UInt8](repeating: 7, count: 16),
            organisations: issuing.enumerated().map { index, key in
                GenesisOrganisation(
                    id: OrganisationID(UInt32(index + 1)), name: "Mall \(index + 1)",
                    votingKey: index < validators ? voting[index].publicKey : nil, issuingKey: key.publicKey,
                    governingKey: governing[index].publicKey, quota: 1_000_000_000_000)
            })
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("mall-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let relay = Locked<Gateway?>(nil)
        consortium = try Consortium(
            genesis: genesis,
            members: voting.enumerated().map { index, key in
                .init(organisation: OrganisationID(UInt32(index + 1)), votingKey: key, store: MemoryStore())
            }, certified: { block in relay.withLock { $0 }?.note(block) })
        let ahead = Locked<UInt64>(0)
        clockAhead = ahead
        var configuration = Gateway.Configuration(
            validator: OrganisationID(1), answersPath: directory.appendingPathComponent("answers.sqlite").path)
        configuration.clock = { wallClockMilliseconds() + ahead.withLock { $0 } }
        configuration.observers = [observer.publicKey]
        // Beside hundreds of other tests a block may be long in coming.
        configuration.staleMilliseconds = Mall.staleMilliseconds
        configure(&configuration)
        let logged = Locked<[UInt8]>([])
        self.logged = logged
        log = EventLog(level: .debug, clock: { wallClockMilliseconds() }) { bytes in
            logged.withLock { $0 += bytes }
        }
        let gateway = try Gateway(
            genesis: genesis, node: consortium.first, configuration: configuration, log: log)
        self.gateway = gateway
        relay.withLock { $0 = gateway }
        var door = HTTPServerConfiguration()
        configureDoor(&door)
        server = try HTTPServer(configuration: door, application: gateway)
        gateway.attach(server)
        var clientConfiguration = HTTPClientConfiguration()
        clientConfiguration.connectionsMax = 128
        http = try HTTPClient(clientConfiguration)
    }

    func stop() {
        server.stop(graceMilliseconds: 2000)
        gateway.stop()
        consortium.stop()
        log.stop()
        try? FileManager.default.removeItem(at: directory)
    }

    /// Runs `body` on a thread of its own with a mall, and stops that afterwards.
    static func with<R: Sendable>(
        validators: Int = 1, configure: @escaping @Sendable (inout Gateway.Configuration) -> Void = { _ in },
        door: @escaping @Sendable (inout HTTPServerConfiguration) -> Void = { _ in },
        _ body: @escaping @Sendable (Mall) throws -> R
    ) async throws -> R {
        try await onThread {
            let mall = try Mall(validators: validators, configure: configure, door: door)
            defer { mall.stop() }
            return try body(mall)
        }
    }

    // MARK: HTTP

    func send(
        _ method: String, _ path: String, token: String? = nil, headers: [(String, String)] = [],
        body: [UInt8]? = nil
    ) throws -> Reply {
        var fields = headers.map { HTTPField($0.0, $0.1) }
        if let token { fields.append(HTTPField("Authorization", "Bearer \(token)")) }
        let response = try http.perform(HTTPClientRequest(method, url + path, headers: fields, body: body))
        return Reply(response)
    }

    func get(_ path: String, token: String? = nil, headers: [(String, String)] = []) throws -> Reply {
        try send("GET", path, token: token, headers: headers)
    }

    func post(
        _ path: String, _ json: JSONValue, token: String? = nil, headers: [(String, String)] = []
    ) throws -> Reply {
        try send(
            "POST", path, token: token, headers: [("Content-Type", "application/json")] + headers, body: json.bytes)
    }

    func submit(_ transaction: Transaction, headers: [(String, String)] = [], token: String? = nil) throws -> Reply {
        try send(
            "POST", "/v1/transactions", token: token,
            headers: [("Content-Type", "application/octet-stream")] + headers, body: transaction.bytes)
    }

    func token(_ principal: Principal, _ key: SecretKey) throws -> String {
        let reply = try tokenReply(principal, key)
        guard case .string(let text)? = reply.json["token"] else {
            throw Unexpected("no token: \(reply.status) \(reply.text)")
        }
        return text
    }

    func tokenReply(_ principal: Principal, _ key: SecretKey) throws -> Reply {
        let claimant = Claimant(principal, key.publicKey)
        let challenge = try Form<WithBytes<Challenge>>.challenge.parse(
            post("/v1/challenges", Form<Claimant>.claimant.write(claimant)).json)
        return try post(
            "/v1/tokens",
            Form<TokenRequest>.tokenRequest.write(
                TokenRequest(
                    claimant: claimant, challenge: challenge.value.bytes, signature: key.sign(challenge.bytes))))
    }

    func token(_ holder: Holder) throws -> String { try token(.account(holder.account), holder.key) }

    /// What a stream brings until `isEnough`, or for so long.
    func events(
        _ path: String, token: String? = nil, headers: [(String, String)] = [], milliseconds: Int = 10_000,
        until isEnough: @escaping @Sendable (String) -> Bool
    ) throws -> (status: Int, text: String) {
        var request = HTTPClientRequest("GET", url + path, headers: headers.map { HTTPField($0.0, $0.1) })
        if let token { request.headers.append(HTTPField("Authorization", "Bearer \(token)")) }
        request.totalMilliseconds = milliseconds
        let taken = Taken(isEnough)
        let result = Result { try http.stream(request, onHead: taken.head, onBytes: taken.bytes) }
        // When the client's patience is over, what came until then counts.
        if case .failure(let error as HTTPClientError) = result, error.code != .timeout { throw error }
        return (taken.status.withLock { $0 }, taken.text)
    }

    /// What came of a stream.
    private final class Taken: Sendable {
        let status = Locked(0)
        private let got = Locked<[UInt8]>([])
        private let isEnough: @Sendable (String) -> Bool

        init(_ isEnough: @escaping @Sendable (String) -> Bool) { self.isEnough = isEnough }

        var text: String { String(decoding: got.withLock { $0 }, as: UTF8.self) }

        func head(_ response: HTTPClientResponse) -> Bool {
            status.withLock { $0 = response.status }
            return true
        }

        func bytes(_ bytes: [UInt8]) -> Bool {
            got.withLock { $0 += bytes }
            return !isEnough(text)
        }
    }

    // MARK: Doings

    func signed(_ operations: [Operation], _ authors: Author..., nonce: UInt64? = nil) -> Transaction {
        .signed(operations, by: authors, genesis: genesis.hash, now: wallClockMilliseconds(), nonce: nonce)
    }

    @discardableResult
    func done(_ operations: [Operation], _ authors: Author...) throws -> Reply {
        let reply = try submit(
            .signed(operations, by: authors, genesis: genesis.hash, now: wallClockMilliseconds()))
        guard reply.status == 200 else { throw Unexpected("\(reply.status) \(reply.text)") }
        return reply
    }

    func publish() throws {
        try done(
            [
                .publish(
                    Program(unit: unit, currency: "CNY", faceMinor: 1, facePoints: 100), issuer: OrganisationID(1))
            ], issuer)
    }

    func open(guardian: PublicKey? = nil) throws -> Holder {
        let holder = Holder(account: AccountID.random(), key: SecretKey())
        try done(
            [
                .open(
                    OpenList(
                        organisation: OrganisationID(1),
                        lines: [
                            OpenLine(account: holder.account, credential: holder.key.publicKey, guardian: guardian)
                        ]))
            ], issuer)
        return holder
    }

    func accrue(_ holder: Holder, _ amount: UInt64, order: String, pending: Bool = false) throws {
        try done(
            [
                .accrue(
                    AccrueList(
                        unit: unit,
                        lines: [
                            AccrualLine(
                                account: holder.account, key: key(order), amount: amount, pending: pending)
                        ]))
            ], issuer)
    }

    func key(_ order: String) -> NaturalKey { NaturalKey(source: SourceID("till")!, order: Array(order.utf8)) }

    func balance(_ holder: Holder) throws -> UInt64 {
        let reply = try get("/v1/accounts/\(holder.account)/balances/\(unit)", token: token(holder))
        return try Form<BalanceView>.balance.stamped("balance").parse(reply.json).value.available
    }
}

struct Unexpected: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// An answer as a test looks at it.
struct Reply: Sendable {
    let response: HTTPClientResponse
    var status: Int { response.status }
    var text: String { String(decoding: response.body, as: UTF8.self) }
    var json: JSONValue { (try? JSONValue(parsing: response.body, bytesMax: 16 << 20)) ?? .null }
    var code: String? { if case .string(let text)? = json["code"] { text } else { nil } }

    init(_ response: HTTPClientResponse) { self.response = response }
}

extension JSONValue {
    subscript(_ name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }
}

/// Runs blocking work on a thread of its own: the cooperative pool has few.
func onThread<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
    }
}
