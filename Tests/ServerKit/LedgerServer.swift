import Concurrency
import Foundation
import Gateway
import HTTPClient
import HTTPServer
import JSON
import Ledger
public import Node

/// Brings certified blocks to gateways that are made after the chain has been started.
public final class BlockRelay: Sendable {
    private let gateways = Locked<[Gateway]>([])

    public init() {}

    public func take(_ block: CertifiedBlock) { for gateway in gateways.withLock({ $0 }) { gateway.note(block) } }

    fileprivate func connect(_ gateway: Gateway) { gateways.withLock { $0.append(gateway) } }
}

/// The real gateway of a running chain, behind a server that passes everything on and that a test can make fail.
public final class LedgerServer: Sendable {
    private let front: ScriptedServer
    private let gateway: Gateway
    private let server: HTTPServer
    private let log: EventLog
    private let answersPath: String
    private let seen = Locked<[String]>([])

    public var url: String { front.url }
    /// Requests that have come, as `GET /v1/chain`.
    public var requests: [String] { seen.withLock { $0 } }

    /// - Parameters:
    ///   - relay: gets the blocks of the consortium.
    ///   - before: answers in the node's place, or nil.
    ///   - after: changes what the node answers; not asked about streams.
    public init(
        _ consortium: Consortium, _ relay: BlockRelay,
        before: @escaping @Sendable (ServedRequest) -> Reply? = { _ in nil },
        after: @escaping @Sendable (ServedRequest, Reply) -> Reply = { $1 }
    ) throws {
        answersPath = FileManager.default.temporaryDirectory.appendingPathComponent("lianfen-\(UUID().uuidString)").path
        log = EventLog(level: .error, clock: { wallClockMilliseconds() }, write: { _ in })
        var configuration = Gateway.Configuration(
            validator: consortium.genesis.validators[0].id, answersPath: answersPath)
        // Beside hundreds of other tests a block may be long in coming.
        configuration.staleMilliseconds = 600_000
        gateway = try Gateway(
            genesis: consortium.genesis, node: consortium.first, configuration: configuration, log: log)
        relay.connect(gateway)
        server = try HTTPServer(configuration: HTTPServerConfiguration(), application: gateway)
        gateway.attach(server)
        let behind = "http://127.0.0.1:\(server.port)"
        let client = try HTTPClient()
        front = ScriptedServer { [seen] request in
            seen.withLock { $0.append("\(request.method) \(request.target)") }
            if let reply = before(request) { return reply }
            let passed = Self.passed(request, to: behind)
            guard request.headers["accept"] != "text/event-stream" else {
                return .script { Self.pass(passed, through: client, to: $0) }
            }
            guard let answer = try? client.perform(passed) else { return .hangUp }
            return after(request, .bytes(answer.status, headers: Self.fields(answer), answer.body))
        }
    }

    public func stop() {
        front.stop()
        gateway.leave()
        server.stop(graceMilliseconds: 0)
        gateway.stop()
        log.stop()
        for end in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: answersPath + end) }
    }

    private static func passed(_ request: ServedRequest, to behind: String) -> HTTPClientRequest {
        var passed = HTTPClientRequest(request.method, behind + request.target)
        for (name, value) in request.headers where !["host", "content-length", "user-agent"].contains(name) {
            passed.headers.append(HTTPField(name, value))
        }
        if request.method == "POST" { passed.body = request.body }
        return passed
    }

    /// What the front server does not set itself.
    private static func fields(_ answer: HTTPClientResponse) -> [String: String] {
        var fields: [String: String] = [:]
        for field in answer.headers
        where !["content-length", "transfer-encoding", "connection", "date"].contains(field.name.lowercased()) {
            fields[field.name] = field.value
        }
        return fields
    }

    private static func pass(
        _ request: HTTPClientRequest, through client: HTTPClient, to peer: ScriptedServer.Peer
    ) {
        var request = request
        request.totalMilliseconds = nil
        _ = try? client.stream(request) { head in
            peer.send("HTTP/1.1 \(head.status) X\r\nContent-Type: \(head.header("content-type") ?? "")\r\n\r\n")
        } onBytes: {
            peer.send($0)
        }
    }
}
