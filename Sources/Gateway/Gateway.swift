import Concurrency
public import Crypto
public import HTTPServer
import JSON
public import Ledger
public import Node
import SQLite
import Storage
public import Wire

/// The trading centre: what a node says to the world over HTTP. Routes translate and decide nothing; the ledger does.
public final class Gateway: Sendable {
    public struct Configuration: Sendable {
        /// The organisation whose node this is.
        public var validator: OrganisationID
        /// Where answers under an `Idempotency-Key` are kept.
        public var answersPath: String
        /// Pages of these origins may read answers; `*`: all of them.
        public var corsOrigins: [String] = []
        /// Whether the last address of `X-Forwarded-For` is the client's.
        public var isBehindProxy = false
        /// Requests that one address may make a second; none: as many as it can. Loopback is never limited, unless the
        /// node stands behind a proxy.
        public var requestsPerSecond: UInt64? = 200
        public var tokenMilliseconds: UInt64 = 3_600_000
        /// From which age on the newest certified block is too old to tell a value by.
        public var staleMilliseconds: UInt64 = 30_000
        /// Keys that may read whole blocks beside the validators'.
        public var observers: Set<PublicKey> = []
        /// The snapshots that are handed out; none: no snapshot is.
        public var snapshots: SnapshotShelf?
        public var clock: @Sendable () -> UInt64 = { wallClockMilliseconds() }
        /// The versions of the rules that the node executes.
        public var rulesKnown = Genesis.rulesVersionsKnown
        /// What the node knows of the others, where it has others.
        public var network: @Sendable () -> NetworkStanding? = { nil }
        /// How the machine under the node is. Called for each transaction that comes: it must not block.
        public var host: @Sendable () -> HostReport = { HostReport() }
        /// The program's version.
        public var program = ""

        public init(validator: OrganisationID, answersPath: String) {
            self.validator = validator
            self.answersPath = answersPath
        }
    }

    let configuration: Configuration
    let chain: ChainReader
    let sessions: Sessions
    let submissions: Submissions
    let idempotency: Idempotency
    let frames = BlockFrames()
    let metrics = Metrics()
    /// By the node's clock.
    let startedAt: UInt64
    let log: EventLog
    private let site: StaticFiles?
    private let limit: RateLimit?
    /// Votes, by who brings them.
    let voteLimit = RateLimit(perSecond: votesPerSecond)
    private let routes: RouteTree
    private let document: [UInt8]
    private let server = Locked<HTTPServer?>(nil)
    private let isLeaving = Locked(false)
    private let wakes = Mailbox<Void>(countMax: 1)
    private let streamsByAddress = Locked<[String: Int]>([:])
    /// Streams without a token that one address may have open, so that nobody takes all of them.
    private static let streamsPerAddressMax = 1000
    /// Bytes of events that streams hold together because their clients do not take them.
    let streamBytes = StreamBudget(bytesMax: 64 << 20)
    private let waker = Locked<WorkerThread?>(nil)

    /// Streams are woken at most this often, all together.
    private static let wakeMilliseconds: UInt64 = 250

    /// - Throws: where the file of answers cannot be used.
    public init(
        genesis: Genesis, node: NodeRunner, configuration: Configuration, log: EventLog, site: StaticFiles? = nil
    ) throws {
        self.configuration = configuration
        self.log = log
        startedAt = configuration.clock()
        self.site = site
        chain = ChainReader(
            genesis: genesis, node: node, staleMilliseconds: configuration.staleMilliseconds,
            clock: configuration.clock,
            report: { error in
                log.note(.error, "storage", [.init("code", .string("\(error.code)"))])
            })
        sessions = Sessions(
            chain: chain, validator: configuration.validator, observers: configuration.observers,
            tokenMilliseconds: configuration.tokenMilliseconds)
        let host = configuration.host
        submissions = Submissions(chain: chain) {
            guard let disk = host().disk, disk.isNearlyFull else { return nil }
            return Problem(
                .diskNearlyFull,
                "\(disk.free) bytes are free, and \(disk.reserve) are kept for what the others order.")
        }
        idempotency = try Idempotency(path: configuration.answersPath, clock: configuration.clock)
        limit = configuration.requestsPerSecond.map { RateLimit(perSecond: $0) }
        routes = RouteTree(Self.routes)
        document = OpenAPI.document(Self.routes).bytes
        waker.withLock { waker in
            waker = WorkerThread("stream-waker") { [self] in
                let pause = Mailbox<Void>(countMax: 1)
                while wakes.take(within: EventStream.quietMilliseconds) != nil {
                    server.withLock { $0 }?.wakeStreams()
                    // One wake a moment, however many blocks come.
                    _ = pause.take(within: Self.wakeMilliseconds)
                }
            }
        }
    }

    /// The server that this is the application of, for its streams and its figures.
    public func attach(_ server: HTTPServer) { self.server.withLock { $0 = server } }

    /// A block stands in the tables.
    public func note(_ block: CertifiedBlock) {
        chain.note(block)
        log.note(block)
        wakes.post(())
    }

    /// Other observers than until now; who is none any more reads nothing from the next request on.
    public func setObservers(_ observers: Set<PublicKey>) { sessions.observers.withLock { $0 = observers } }

    /// From now on `/readyz` says that the node is leaving, so that whoever sends it work stops before it does.
    public func leave() { isLeaving.withLock { $0 = true } }

    /// Ends what runs for the gateway. To be called when its server has stopped.
    public func stop() {
        wakes.close()
        waker.withLock { $0 }?.join()
        idempotency.stop()
    }

    /// Whether work may be sent here, and if not, why.
    var readiness: (isReady: Bool, reason: String) {
        let status = chain.node.status
        if isLeaving.withLock({ $0 }) { return (false, "leaving") }
        if status.halted != nil { return (false, "halted") }
        if status.committed == 0 { return (false, "starting") }
        if chain.ageMilliseconds > chain.staleMilliseconds { return (false, "stale") }
        return (true, "ready")
    }

    var openAPI: [UInt8] { document }

    /// Figures as Prometheus reads them.
    public var metricsText: String {
        metrics.text(
            chain.node.status, isOverdue: chain.node.status.isOverdue(now: configuration.clock()),
            age: chain.ageMilliseconds, underWay: submissions.underWayCount,
            rulesKnown: configuration.rulesKnown.upperBound, configuration.network(),
            server.withLock { $0 }?.statistics) + Metrics.text(configuration.host())
    }
}

extension Gateway: HTTPApplication {
    public func handle(_ request: HTTPRequest, _ exchange: HTTPExchange) {
        do throws(Problem) { try dispatch(request, exchange) } catch {
            send(error.response, chain.stamp, request, exchange)
        }
    }

    /// The request may not be there to be named; the height always is.
    public func problem(_ problem: HTTPServerProblem) -> HTTPResponse {
        var response = Problem(.server(problem)).response
        stamp(&response, chain.stamp)
        return response
    }

    public func finished(_ record: HTTPRecord) {
        metrics.note(record)
        let level: EventLog.Level =
            record.status >= 500 ? .warning : Self.routine.contains(record.route) ? .debug : .info
        guard log.isOn(level) else { return }
        var members: [JSONValue.Member] = [
            .init("id", .string(record.requestID)), .init("method", .string(record.method)),
            .init("route", .string(record.route)), .init("status", JSONValue(record.status)),
            .init("microseconds", JSONValue(record.durationMicroseconds)),
            .init("bytes", JSONValue(record.bytesOut)), .init("complete", .bool(record.isComplete)),
        ]
        if !record.subject.isEmpty { members.append(.init("transaction", .string(record.subject))) }
        log.note(level, "request", members)
    }

    /// What comes again and again, whoever uses the node.
    private static let routine: Set<String> = ["GET /healthz", "POST /v1/votes", "GET /v1/finals"]

    private func dispatch(_ request: HTTPRequest, _ exchange: HTTPExchange) throws(Problem) {
        guard let segments = request.segments else {
            throw Problem(.pathUnknown, "An escape in the path is broken, or it is not UTF-8.")
        }
        if request.method == "OPTIONS", request.header("Access-Control-Request-Method") != nil {
            return preflight(request, exchange)
        }
        try checkRate(request)
        switch routes.find(request.method, segments) {
        case .route(let route, let values): try call(route, values, request, exchange)
        case .otherMethods(let methods):
            exchange.setRoute("none")
            var problem = Problem(.methodNotAllowed)
            let all = methods.contains("GET") ? methods + ["HEAD"] : methods
            problem.headers = [("Allow", all.joined(separator: ", "))]
            throw problem
        case .nothing:
            exchange.setRoute("page")
            if let site, site.contains(path: request.path), request.method != "GET", request.method != "HEAD" {
                var problem = Problem(.methodNotAllowed)
                problem.headers = [("Allow", "GET, HEAD")]
                throw problem
            }
            guard let response = site?.response(to: request) else { throw Problem(.pathUnknown) }
            send(response, nil, request, exchange)
        }
    }

    private func checkRate(_ request: HTTPRequest) throws(Problem) {
        guard let limit else { return }
        let address = clientAddress(request)
        guard !isExempt(address), !limit.allows(address, now: configuration.clock()) else { return }
        throw Problem(.tooManyRequests)
    }

    /// Loopback is nobody from outside; behind a proxy everybody comes from there.
    private func isExempt(_ address: String) -> Bool {
        !configuration.isBehindProxy
            && (address.hasPrefix("127.") || address == "::1" || address.hasPrefix("::ffff:127."))
    }

    /// The client as far as it is known: behind a proxy, whom the proxy itself has seen, which stands last in the last
    /// field of the name; what clients wrote stands before it.
    func clientAddress(_ request: HTTPRequest) -> String {
        guard configuration.isBehindProxy,
            let field = request.headers.last(where: { $0.name.lowercased() == "x-forwarded-for" }),
            let last = field.value.split(separator: ",").last
        else { return request.peer }
        return String(last.filter { $0 != " " }.prefix(64))
    }

    /// Whether a stream without a token may be opened from there; one that is has to be given back.
    func takeStream(_ address: String) -> Bool {
        if isExempt(address) { return true }
        return streamsByAddress.withLock { counts in
            guard counts[address, default: 0] < Self.streamsPerAddressMax else { return false }
            counts[address, default: 0] += 1
            return true
        }
    }

    func giveStreamBack(_ address: String) {
        if isExempt(address) { return }
        streamsByAddress.withLock { counts in
            counts[address, default: 1] -= 1
            if counts[address] == 0 { counts[address] = nil }
        }
    }

    private func call(
        _ route: Route, _ values: [String], _ request: HTTPRequest, _ exchange: HTTPExchange
    ) throws(Problem) {
        exchange.setRoute("\(route.method.rawValue) \(route.path)")
        let names = route.parameters.filter(\.isInPath).map(\.name)
        var query: [(name: String, text: String)] = []
        guard let sent = request.query else {
            throw Problem(.parameterInvalid, "An escape in the query is broken, or it is not UTF-8.")
        }
        for (name, value) in sent {
            guard route.parameters.contains(where: { !$0.isInPath && $0.name == name }) else {
                let known = route.parameters.filter { !$0.isInPath }.map(\.name)
                throw Problem(
                    .parameterInvalid,
                    known.isEmpty
                        ? "this path takes no parameters"
                        : "it is not known; here can stand \(known.joined(separator: ", "))",
                    field: JSONShort.text(name))
            }
            guard !query.contains(where: { $0.name == name }) else {
                throw Problem(.parameterInvalid, "it is given twice", field: name)
            }
            query.append((name, value ?? ""))
        }
        let wantsBytes = try negotiate(route, request)
        let principal = try holder(route, request)
        if route.body != nil { try checkBody(route, request) }
        let call = Call(
            gateway: self, route: route, request: request, exchange: exchange,
            pathValues: zip(names, values).map { ($0, $1) }, queryValues: query,
            principal: principal?.claimant.principal,
            wantsBytes: wantsBytes, holder: principal)
        if route.method == .post, let key = try call.idempotencyKey() {
            try call.answerOnce(under: key)
        } else {
            call.run()
        }
    }

    /// Whether canonical bytes are wanted rather than JSON.
    private func negotiate(_ route: Route, _ request: HTTPRequest) throws(Problem) -> Bool {
        guard let accept = request.header("Accept"), !accept.isEmpty else { return false }
        let offered: [String] =
            switch route.answers.first?.content {
            case .events: ["text/event-stream"]
            case .bytes: ["application/octet-stream"]
            case .jsonOrBytes: ["application/json", "application/octet-stream"]
            default: ["application/json"]
            }
        guard let chosen = MediaTypes.choose(accept, from: offered) else {
            throw Problem(.notAcceptable, "It can be given as \(offered.joined(separator: " or ")).", field: "Accept")
        }
        return chosen == "application/octet-stream"
    }

    private func checkBody(_ route: Route, _ request: HTTPRequest) throws(Problem) {
        guard let type = request.header("Content-Type") else {
            throw Problem(.mediaTypeUnsupported, "Say what the body is.", field: "Content-Type")
        }
        let (name, charset) = MediaTypes.parse(type)
        switch name {
        case "application/json" where route.body?.takesJSON == true:
            guard charset == nil || charset == "utf-8" else {
                throw Problem(.charsetUnsupported, field: "Content-Type")
            }
        case "application/octet-stream" where route.body?.takesBytes == true: break
        default:
            let taken =
                (route.body?.takesJSON == true ? ["application/json"] : [])
                + (route.body?.takesBytes == true ? ["application/octet-stream"] : [])
            throw Problem(
                .mediaTypeUnsupported, "It takes \(taken.joined(separator: " or ")).", field: "Content-Type")
        }
    }

    private func holder(_ route: Route, _ request: HTTPRequest) throws(Problem) -> Sessions.Holder? {
        guard route.access != .everybody else { return nil }
        guard let header = request.header("Authorization") else {
            if route.access == .token { throw Problem(.tokenMissing, field: "Authorization") }
            return nil
        }
        guard header.lowercased().hasPrefix("bearer ") else { throw Problem(.tokenInvalid, field: "Authorization") }
        return try sessions.holder(String(header.dropFirst(7)))
    }

    // MARK: Sending

    /// Sends an answer with what every answer carries.
    func send(_ response: HTTPResponse, _ stamp: Stamp?, _ request: HTTPRequest, _ exchange: HTTPExchange) {
        exchange.send(dressed(response, stamp, request, exchange))
    }

    /// An answer with what every answer carries.
    func dressed(
        _ response: HTTPResponse, _ stamp: Stamp?, _ request: HTTPRequest, _ exchange: HTTPExchange
    ) -> HTTPResponse {
        var response = response
        if let stamp { self.stamp(&response, stamp) }
        response.headers.append(("X-Request-Id", exchange.requestID))
        addCORS(to: &response, request)
        return response
    }

    private func stamp(_ response: inout HTTPResponse, _ stamp: Stamp) {
        response.headers.append(("Lianfen-Height", "\(stamp.height)"))
        response.headers.append(("Lianfen-State-Root", stamp.stateRoot.description))
        response.headers.append(("Cache-Control", "no-store"))
        response.headers.append(("X-Content-Type-Options", "nosniff"))
    }

    private func addCORS(to response: inout HTTPResponse, _ request: HTTPRequest) {
        guard !configuration.corsOrigins.isEmpty else { return }
        if configuration.corsOrigins.contains("*") {
            response.headers.append(("Access-Control-Allow-Origin", "*"))
        } else {
            response.headers.append(("Vary", "Origin"))
            guard let origin = request.header("Origin"), configuration.corsOrigins.contains(origin) else { return }
            response.headers.append(("Access-Control-Allow-Origin", origin))
        }
        response.headers.append(
            (
                "Access-Control-Expose-Headers",
                "Lianfen-Height, Lianfen-State-Root, X-Request-Id, Retry-After, Location, "
                    + "Idempotent-Replayed"
            ))
    }

    private func preflight(_ request: HTTPRequest, _ exchange: HTTPExchange) {
        exchange.setRoute("preflight")
        send(
            HTTPResponse(
                status: 204,
                headers: [
                    ("Access-Control-Allow-Methods", "GET, HEAD, POST"),
                    (
                        "Access-Control-Allow-Headers",
                        "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, Prefer"
                    ),
                    ("Access-Control-Max-Age", "600"),
                ]), nil, request, exchange)
    }
}

/// Texts of strangers are quoted short.
enum JSONShort {
    static func text(_ text: String) -> String { String(String.UnicodeScalarView(text.unicodeScalars.prefix(48))) }
}

/// Media types as two headers name them.
enum MediaTypes {
    /// The type in lower case without its parameters, and the charset among them.
    static func parse(_ header: String) -> (type: String, charset: String?) {
        let parts = header.split(separator: ";", omittingEmptySubsequences: false).map(trimmed)
        let charset = parts.dropFirst().first { $0.hasPrefix("charset=") }.map {
            $0.dropFirst(8).filter { $0 != "\"" }
        }
        return (parts.first ?? "", charset.map { String($0) })
    }

    /// The first of `offered` that the header allows with the highest quality; nil where it allows none.
    static func choose(_ accept: String, from offered: [String]) -> String? {
        var best: (type: String, quality: Int)?
        for type in offered {
            // The most special range that fits decides.
            var found: (speciality: Int, quality: Int)?
            for range in accept.split(separator: ",") {
                let parts = range.split(separator: ";").map(trimmed)
                guard let name = parts.first else { continue }
                let speciality =
                    name == type
                    ? 2 : name == "*/*" ? 0 : name.hasSuffix("/*") && type.hasPrefix(name.dropLast()) ? 1 : -1
                guard speciality >= 0, speciality >= (found?.speciality ?? 0) else { continue }
                found = (speciality, quality(parts.dropFirst().first { $0.hasPrefix("q=") }.map { $0.dropFirst(2) }))
            }
            if let found, found.quality > (best?.quality ?? 0) { best = (type, found.quality) }
        }
        return best?.type
    }

    /// `0.5` in thousandths.
    private static func quality(_ text: Substring?) -> Int {
        guard let text else { return 1000 }
        let parts = text.split(separator: ".", maxSplits: 1)
        guard let whole = parts.first.flatMap({ Int($0) }), whole <= 1 else { return 1000 }
        let digits = parts.count == 2 ? String(parts[1].prefix(3)) : ""
        return whole * 1000 + (Int(digits + String(repeating: "0", count: 3 - digits.count)) ?? 0)
    }

    /// By bytes: this runs several times a request, and by characters it took a quarter of one.
    private static func trimmed(_ text: Substring) -> String {
        var bytes = text.utf8.drop { $0 == 0x20 || $0 == 0x09 }
        while let last = bytes.last, last == 0x20 || last == 0x09 { bytes.removeLast() }
        return String(decoding: bytes.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    }
}
