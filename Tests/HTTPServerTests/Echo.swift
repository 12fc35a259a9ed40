import Concurrency
import Foundation
import HTTPServer

/// The application of the tests: each path is one behaviour.
final class Echo: HTTPApplication {
    let records = Locked<[HTTPRecord]>([])
    let streams = Locked<[Ticker]>([])
    /// Exchanges that nobody has answered, by the path `/held`.
    let held = Locked<[HTTPExchange]>([])
    private let workers = DispatchQueue(label: "echo", attributes: .concurrent)

    func handle(_ request: HTTPRequest, _ exchange: HTTPExchange) {
        exchange.setRoute(request.path)
        switch request.path {
        case "/hello": exchange.send(Self.text("hello"))
        case "/echo": exchange.send(HTTPResponse(status: 200, body: .bytes(request.body)))
        case "/size": exchange.send(Self.text("\(request.body.count)"))
        case "/large":
            exchange.send(HTTPResponse(status: 200, body: .bytes([UInt8](repeating: 120, count: 2_000_000))))
        case "/shared":
            exchange.send(HTTPResponse(status: 200, body: .shared(Self.shared)))
        case "/later":
            workers.async { exchange.send(Self.text("later")) }
        case "/race":
            // Two threads and the caller at once: exactly one of them may win.
            let wins = Locked(0)
            workers.async { if exchange.send(Self.text("worker")) { wins.withLock { $0 += 1 } } }
            if exchange.requestID.utf8.last! & 1 == 0, exchange.send(Self.text("caller")) { wins.withLock { $0 += 1 } }
        case "/held": held.withLock { $0.append(exchange) }
        case "/alarm": exchange.answer(after: 150) { HTTPResponse(status: 202) }
        case "/segments":
            exchange.send(Self.text("\(request.segments ?? ["nil"]) \(request.query.map { "\($0)" } ?? "nil")"))
        case "/headers":
            exchange.send(Self.text(request.headers.map { "\($0.name)=\($0.value)" }.joined(separator: "\n")))
        case "/peer": exchange.send(Self.text(request.peer))
        case "/events":
            let ticker = Ticker()
            streams.withLock { $0.append(ticker) }
            exchange.send(
                HTTPResponse(
                    status: 200, headers: [("Content-Type", "text/event-stream")], body: .stream(ticker)))
        default: exchange.send(HTTPResponse(status: 404))
        }
    }

    static let shared = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 / 7) }

    static func text(_ text: String) -> HTTPResponse {
        HTTPResponse(status: 200, headers: [("Content-Type", "text/plain")], body: .bytes(Array(text.utf8)))
    }

    func problem(_ problem: HTTPServerProblem) -> HTTPResponse {
        HTTPResponse(
            status: problem.status,
            headers: [("Content-Type", "application/problem+json")]
                + (problem.retryAfterSeconds.map { [("Retry-After", "\($0)")] } ?? []),
            body: .bytes(Array("{\"code\":\"\(problem.rawValue)\"}".utf8)))
    }

    func finished(_ record: HTTPRecord) { records.withLock { $0.append(record) } }
}

/// A stream of pieces that a test hands in.
final class Ticker: HTTPStream {
    private struct State {
        var pieces: [[UInt8]] = []
        var isEnding = false
        var asked = 0
        var closings = 0
    }
    private let state = Locked(State())

    func push(_ text: String) { state.withLock { $0.pieces.append(Array(text.utf8)) } }
    func end() { state.withLock { $0.isEnding = true } }
    var closings: Int { state.withLock { $0.closings } }
    var asked: Int { state.withLock { $0.asked } }

    func next(max: Int) -> HTTPStreamStep {
        state.withLock { state in
            state.asked += 1
            if !state.pieces.isEmpty { return .bytes(state.pieces.removeFirst()) }
            return state.isEnding ? .end : .wait
        }
    }

    func closed() { state.withLock { $0.closings += 1 } }
}

/// A server with its application, stopped when `body` ends.
func serving<R: Sendable>(
    _ change: (inout HTTPServerConfiguration) -> Void = { _ in },
    _ body: @escaping @Sendable (HTTPServer, Echo) throws -> R
) async throws -> R {
    var configuration = HTTPServerConfiguration()
    configuration.tickMilliseconds = 20
    change(&configuration)
    let echo = Echo()
    let server = try HTTPServer(configuration: configuration, application: echo)
    return try await onThread {
        defer { server.stop(graceMilliseconds: 0) }
        return try body(server, echo)
    }
}

/// Waits until something is true, for at most that long.
func eventually(milliseconds: Int = 5000, _ isTrue: () -> Bool) -> Bool {
    for _ in 0..<(milliseconds / 5) {
        if isTrue() { return true }
        usleep(5000)
    }
    return isTrue()
}
