import Concurrency
import Crypto
import Gateway
import Glibc
import HTTPServer
import JSON
import Ledger
import Node
import Terminal
import WebFiles

/// A node's doors to the world: the gateway behind its server, and the figures at a door of their own.
final class Service {
    /// Where a door is.
    struct Address {
        let host: String
        let port: Int

        var isLoopback: Bool { host.hasPrefix("127.") || host == "::1" }
        var text: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

        /// `HOST:PORT` with a numeric host, `localhost` or none, which is all addresses.
        init(_ text: String, option: String) throws {
            guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
                (0...65_535).contains(port), !text[text.index(after: colon)...].hasPrefix("+")
            else {
                throw CommandError(
                    code: "address-invalid", field: option,
                    reason: "\(CommandError.quoted(text)) is no address; write HOST:PORT, such as 127.0.0.1:7878",
                    exit: .usage)
            }
            var host = String(text[..<colon])
            if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
            self.host = host == "localhost" ? "127.0.0.1" : host.isEmpty || host == "*" ? "::" : host
            self.port = port
        }
    }

    /// Why a door did not open, and what to do where its port is at fault.
    private static func refused(_ option: String, _ error: HTTPServerError, _ tls: TLSFiles?) -> CommandError {
        if error.code == .tls, let tls { return unusable(tls, error) }
        return CommandError(
            code: "listen", field: option,
            reason: error.reason + (error.code == .port ? "; name another port, or 0 for a free one" : ""),
            exit: .environment)
    }

    private static func unusable(_ tls: TLSFiles, _ error: HTTPServerError) -> CommandError {
        CommandError(
            code: "tls", field: "--tls-certificate", reason: "\(tls.certificate), \(tls.key): \(error.reason)",
            exit: .environment)
    }

    /// What the command line says of the doors.
    static func options(listen: Presence, logLevel: String = "info") -> [Option] {
        [
            .string(
                "listen", placeholder: "HOST:PORT", listen,
                help: "serve the HTTP interface and the pages there; port 0 takes a free one"),
            .string(
                "metrics", placeholder: "HOST:PORT",
                help: "serve figures for Prometheus there, under /metrics; beyond loopback by the same TLS"),
            .path(
                "tls-certificate", placeholder: "FILE", help: "PEM chain of the server's certificate; with --tls-key"),
            .path("tls-key", placeholder: "FILE", help: "PEM key of that certificate"),
            .flag(
                "behind-proxy",
                help: "a proxy in front ends TLS and names clients by X-Forwarded-For: plain HTTP may leave loopback"),
            .string(
                "cors-origin", placeholder: "ORIGIN", .repeated, help: "pages of this origin may read answers; * is all"
            ),
            .string(
                "observer", placeholder: "KEY", .repeated,
                help: "this public key may read whole blocks, as validators may"),
            .path(
                "snapshots", placeholder: "DIR",
                help: "hand out the snapshots in this directory to validators and observers"),
            .integer(
                "requests-per-second", in: 0...1_000_000, .fallback("200"),
                help: "requests one address may make a second, loopback excepted; 0: no limit"),
            .path("log", placeholder: "FILE", help: "append log lines to this file rather than to the error stream"),
            .choice(
                "log-level", of: EventLog.Level.allCases.map { "\($0)" }, .fallback("\(logLevel)"),
                help: "the least to log"),
            .integer(
                "disk-reserve", in: 0...1_000_000_000, placeholder: "MEBIBYTES",
                help: "take nothing new up while less is free on the disk; default: a twentieth of it, 64 to 2048"),
            .seconds(
                "drain", in: 0...600, .fallback("1"),
                help: "at the end, say so on /readyz for this long before the door closes"),
        ]
    }

    /// Passes blocks on to a gateway that is made later than the node it listens to.
    final class Relay: Sendable {
        private let gateway = Locked<Gateway?>(nil)

        func connect(_ gateway: Gateway) { self.gateway.withLock { $0 = gateway } }
        func note(_ block: CertifiedBlock) { gateway.withLock { $0 }?.note(block) }
    }

    let gateway: Gateway
    private let server: HTTPServer
    private let figures: HTTPServer?
    private let watch: HostWatch
    private let tlsFiles: TLSFiles?
    /// What the doors show, but for a door of figures on loopback, which has no TLS.
    private var tls: HTTPServerConfiguration.TLS?
    private let figuresHaveTLS: Bool
    private let log: EventLog
    private let drainSeconds: Int
    /// Where pages and interface are.
    let url: String

    /// Who may read whole blocks, as the command line says.
    private let observers: Set<PublicKey>

    /// Opens the doors of a running node; nil where the command line names none.
    /// - Parameters:
    ///   - organisation: whose node it is.
    ///   - observers: beside those of the command line.
    ///   - certificates: files of TLS certificates that it uses beside those of the command line.
    ///   - backs: whether it makes backups.
    ///   - network: what the node knows of the others, where it has others.
    init?(
        _ parsed: Parsed, _ directory: ChainDirectory, _ node: NodeRunner, of organisation: OrganisationID,
        _ relay: Relay, observers more: [PublicKey] = [], certificates: [String] = [], backs: Bool = false,
        network: @escaping @Sendable () -> NetworkStanding? = { nil }
    ) throws {
        guard let listen = parsed.text("listen") else { return nil }
        let address = try Address(listen, option: "--listen")
        let figuresAddress = try parsed.text("metrics").map { try Address($0, option: "--metrics") }
        tlsFiles = try TLSFiles(parsed)
        let tls = try tlsFiles?.read()
        self.tls = tls
        let doors = [("--listen", address)] + [figuresAddress].compactMap { $0.map { ("--metrics", $0) } }
        for (option, door) in doors where tls == nil && !door.isLoopback && !parsed.flag("behind-proxy") {
            throw CommandError(
                code: "plain-http", field: option,
                reason: "\(door.text) can be reached from other machines, and without TLS anybody in between reads "
                    + "along; give --tls-certificate and --tls-key, or --behind-proxy where a proxy ends TLS",
                exit: .usage)
        }
        drainSeconds = parsed.requiredNumber("drain")
        log = EventLog(
            level: EventLog.Level.allCases.first { "\($0)" == parsed.requiredText("log-level") } ?? .info,
            clock: { wallClockMilliseconds() }, write: try Self.sink(parsed.text("log")))
        var configuration = Gateway.Configuration(
            validator: organisation, answersPath: directory.path + "/answers.sqlite")
        configuration.corsOrigins = parsed.texts("cors-origin")
        configuration.isBehindProxy = parsed.flag("behind-proxy")
        let rate = parsed.requiredNumber("requests-per-second")
        configuration.requestsPerSecond = rate == 0 ? nil : UInt64(rate)
        configuration.snapshots = parsed.text("snapshots").map { SnapshotFiles(path: $0).shelf }
        observers = Set(try parsed.texts("observer").map(Self.observer))
        configuration.observers = observers.union(more)
        configuration.network = network
        watch = HostWatch(
            directory.path, reserve: parsed.number("disk-reserve").map { UInt64($0) << 20 },
            certificates: [tlsFiles?.certificate].compactMap(\.self) + certificates, backs: backs)
        if let tls, let tlsFiles { watch.show(tls.certificate, of: tlsFiles.certificate) }
        configuration.host = { [watch] in watch.report }
        configuration.program = LianfenTool.version
        configuration.rulesKnown = try RulesKnown.fromEnvironment()
        gateway = try Gateway(
            genesis: directory.genesis, node: node, configuration: configuration, log: log,
            site: Site.files)
        var door = HTTPServerConfiguration()
        (door.host, door.port, door.tls) = (address.host, address.port, tls)
        do throws(HTTPServerError) {
            server = try HTTPServer(configuration: door, application: gateway)
        } catch {
            gateway.stop()
            throw Self.refused("--listen", error, tlsFiles)
        }
        gateway.attach(server)
        let figuresHaveTLS = tls != nil && figuresAddress?.isLoopback == false
        self.figuresHaveTLS = figuresHaveTLS
        do {
            figures = try figuresAddress.map { [gateway] address in
                var door = HTTPServerConfiguration()
                (door.host, door.port, door.threads, door.connectionsMax) = (address.host, address.port, 1, 64)
                if figuresHaveTLS { door.tls = tls }
                return try HTTPServer(configuration: door, application: FiguresPage(gateway: gateway))
            }
        } catch let error as HTTPServerError {
            server.stop(graceMilliseconds: 0)
            gateway.stop()
            throw Self.refused("--metrics", error, tlsFiles)
        }
        relay.connect(gateway)
        let host = address.host == "::" || address.host == "0.0.0.0" ? "localhost" : address.host
        let shown = host.contains(":") ? "[\(host)]" : host
        url = "\(tls == nil ? "http" : "https")://\(shown):\(server.port)/"
        log.note(
            .info, "listening",
            [
                .init("address", .string(address.host)), .init("port", JSONValue(server.port)),
                .init("tls", .bool(tls != nil)),
            ])
    }

    /// From now on these may read whole blocks, beside those of the command line.
    func setObservers(_ more: [PublicKey]) { gateway.setObservers(observers.union(more)) }

    /// Reads the certificate and key of the doors again, and shows them from now on.
    /// - Returns: whether they were others than before.
    /// - Throws: where they cannot be used; the doors go on with what they have.
    func rereadTLS() throws -> Bool {
        guard let tlsFiles else { return false }
        let new = try tlsFiles.read()
        guard new != tls else { return false }
        let end = Certificates.end(pem: new.certificate) ?? .max
        guard end > wallClockMilliseconds() else {
            throw CommandError(
                code: "tls", field: "--tls-certificate", reason: "\(tlsFiles.certificate) ended at \(UTC.text(end))",
                exit: .environment)
        }
        do throws(HTTPServerError) {
            try server.exchange(new)
            if figuresHaveTLS { try figures?.exchange(new) }
        } catch {
            throw Self.unusable(tlsFiles, error)
        }
        tls = new
        watch.show(new.certificate, of: tlsFiles.certificate)
        log.note(.info, "certificate", [.init("endsAt", .string(UTC.text(end)))])
        return true
    }

    /// Closes the doors in order: says that it leaves, takes nothing new, answers what is under way, ends.
    func stop() {
        gateway.leave()
        log.note(.info, "leaving")
        if drainSeconds > 0 { sleep(UInt32(drainSeconds)) }
        server.stop(graceMilliseconds: Self.graceMilliseconds)
        figures?.stop(graceMilliseconds: 0)
        gateway.stop()
        log.note(.info, "stopped")
        log.stop()
    }

    /// How long requests under way may take to be answered at the end.
    private static let graceMilliseconds = 10_000

    /// Where the certificate of the doors and its key lie.
    private struct TLSFiles {
        let certificate: String
        let key: String

        init?(_ parsed: Parsed) throws {
            switch (parsed.text("tls-certificate"), parsed.text("tls-key")) {
            case (nil, nil): return nil
            case (let certificate?, let key?): (self.certificate, self.key) = (certificate, key)
            default:
                throw CommandError(
                    code: "tls-half", field: "--tls-certificate", reason: "certificate and key are given together",
                    exit: .usage)
            }
        }

        func read() throws -> HTTPServerConfiguration.TLS {
            HTTPServerConfiguration.TLS(certificate: try Files.read(certificate), key: try Files.read(key))
        }
    }

    private static func observer(_ text: String) throws -> PublicKey {
        guard let key = PublicKey(hex: text) else {
            throw CommandError(
                code: "key-invalid", field: "--observer",
                reason: "a public key is 66 hexadecimal digits and begins with 01", exit: .usage)
        }
        return key
    }

    /// Where log lines go.
    private static func sink(_ path: String?) throws -> @Sendable ([UInt8]) -> Void {
        var descriptor = STDERR_FILENO
        if let path {
            descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
            guard descriptor >= 0 else { throw Files.failure("write", path) }
        }
        let file = descriptor
        return { bytes in
            var written = 0
            while written < bytes.count {
                let count = bytes[written...].withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
                if count < 0, errno != EINTR { return }
                written += max(0, count)
            }
        }
    }
}

/// The figures' door: one page, no state.
private struct FiguresPage: HTTPApplication {
    let gateway: Gateway

    func handle(_ request: HTTPRequest, _ exchange: HTTPExchange) {
        guard request.path == "/metrics", request.method == "GET" || request.method == "HEAD" else {
            exchange.send(HTTPResponse(status: 404))
            return
        }
        exchange.send(
            HTTPResponse(
                status: 200, headers: [("Content-Type", "text/plain; version=0.0.4; charset=utf-8")],
                body: .bytes(Array(gateway.metricsText.utf8))))
    }

    func problem(_ problem: HTTPServerProblem) -> HTTPResponse { problem.plainResponse }
    func finished(_ record: HTTPRecord) {}
}

/// The pages.
enum Site {
    static let files = StaticFiles(
        WebFiles.all.map { StaticFiles.File(path: "/" + $0.path, type: $0.type, bytes: $0.bytes) })
}
