import CMicroHTTPD
import Concurrency
import Glibc
import Synchronization

/// What the daemon's threads, the door and the deadlines share.
final class ServerCore: Sendable {
    let configuration: HTTPServerConfiguration
    let application: any HTTPApplication
    let registry = Registry()
    let parking = ParkingPlace()
    let names = RequestNames()
    let bodies: Budget
    let answers: Budget
    let lingering: Lingering
    let counters = Counters()
    let peers: Locked<[String: Int]>?
    /// Answers say from now on that the connection ends.
    let isLeaving = Atomic(false)
    /// Whatever is not answered now is answered by the server.
    let isStopping = Atomic(false)

    init(_ configuration: HTTPServerConfiguration, _ application: any HTTPApplication, lingering: Lingering) {
        self.configuration = configuration
        self.application = application
        self.lingering = lingering
        bodies = Budget(bytesMax: configuration.bodiesBytesMax)
        answers = Budget(bytesMax: configuration.answersBytesMax)
        peers = configuration.connectionsPerPeerMax == nil ? nil : Locked([:])
    }

    /// Nil where clients expect TLS, so that nothing can be written past the daemon.
    func rawAnswer(_ problem: HTTPServerProblem) -> [UInt8]? {
        configuration.tls == nil ? RawAnswer.bytes(of: application.problem(problem)) : nil
    }

    // MARK: A connection's life

    func opened(by daemon: Daemon, descriptor: Int32, address: UnsafePointer<sockaddr>?) -> Connection {
        let peer = unsafe numericAddress(address)
        return registry.add { Connection(of: daemon, descriptor: descriptor, peer: peer, slot: $0) }
    }

    func closed(_ connection: Connection) {
        // The daemon closes the descriptor right after this: from here on nobody else may use its number.
        let lingering = connection.shared.withLock { shared in
            defer { shared.descriptor = -1 }
            shared.phase = .over
            return shared.lingers ? fcntl(shared.descriptor, F_DUPFD_CLOEXEC, 0) : -1
        }
        if lingering >= 0 { self.lingering.add(lingering) }
        registry.remove(connection)
        left(connection.peer)
    }

    /// One connection fewer.
    func left(_ peer: String) {
        counters.connections.wrappingSubtract(1, ordering: .relaxed)
        peers?.withLock { peers in
            let count = peers[peer, default: 1] - 1
            peers[peer] = count > 0 ? count : nil
        }
    }

    // MARK: A request's life

    /// The request line is there.
    func began(_ connection: Connection, target: UnsafeBufferPointer<UInt8>) {
        connection.incoming = Connection.Incoming()
        unsafe connection.incoming.head.setTarget(target)
        _ = connection.enter(.head)
    }

    /// The daemon's call for a request: once with its head, then with its body, once more at the end, and again when it
    /// is resumed.
    func handle(
        _ connection: Connection, _ daemon: OpaquePointer, method: UnsafePointer<CChar>,
        version: UnsafePointer<CChar>, data: UnsafeRawBufferPointer, taken: UnsafeMutablePointer<Int>
    ) -> Bool {
        switch connection.incoming.stage {
        case .head:
            unsafe connection.incoming.method = String(cString: method)
            // "HTTP/1.1"; the daemon has refused what is not of version 1.
            let isVersion11 = unsafe strcmp(version, "HTTP/1.0") != 0
            return unsafe handleHead(connection, daemon, isVersion11: isVersion11)
        case .body, .discarding:
            if unsafe data.isEmpty { return unsafe handleEnd(connection, daemon) }
            unsafe taken.pointee = 0
            return unsafe handleBody(connection, data)
        case .handling: return unsafe answerOrWait(connection, daemon)
        case .answered: return true
        }
    }

    private func handleHead(_ connection: Connection, _ daemon: OpaquePointer, isVersion11: Bool) -> Bool {
        let context = unsafe Unmanaged.passUnretained(connection).toOpaque()
        unsafe lf_http_fields(daemon, noteField, context)
        let exchange = unsafe HTTPExchange(
            connection: daemon, of: connection.daemon, names: names,
            handleMilliseconds: configuration.handleMilliseconds)
        connection.incoming.exchange = exchange
        connection.incoming.stage = .body
        counters.exchanges.wrappingAdd(1, ordering: .relaxed)
        counters.requests.wrappingAdd(1, ordering: .relaxed)
        // A false means that a deadline was faster and has answered already.
        guard connection.enter(.body, { $0.exchange = exchange }) else { return false }
        let head = connection.incoming.head
        var problem = connection.incoming.framing.problem(
            isVersion11: isVersion11, bodyBytesMax: configuration.bodyBytesMax)
        if head.bytes.count > configuration.headBytesMax || head.fields.count > configuration.headFieldsMax {
            problem = .headTooLarge
        }
        guard let problem else { return true }
        return unsafe refuse(connection, daemon, problem)
    }

    private func handleBody(_ connection: Connection, _ data: UnsafeRawBufferPointer) -> Bool {
        if connection.incoming.stage == .discarding { return true }
        let total = connection.incoming.body.count + data.count
        var problem: HTTPServerProblem?
        if total > configuration.bodyBytesMax {
            problem = .bodyTooLarge
        } else if total > connection.incoming.bytesCharged {
            // In doubling steps, up to what the head announces, so that what is charged is what is reserved.
            let announced = connection.incoming.framing.declared.map(Int.init) ?? configuration.bodyBytesMax
            let wanted = max(total, min(announced, max(4096, connection.incoming.bytesCharged * 2)))
            if bodies.take(wanted - connection.incoming.bytesCharged, total: wanted) {
                connection.incoming.bytesCharged = wanted
                connection.incoming.body.reserveCapacity(wanted)
            } else {
                problem = .bodiesFull
            }
        }
        guard let problem else {
            unsafe connection.incoming.body.append(contentsOf: data)
            return true
        }
        // In the middle of a body the daemon takes no answer.
        giveBack(connection)
        guard let raw = rawAnswer(problem) else {
            connection.incoming.stage = .discarding
            connection.incoming.refusal = problem
            return true
        }
        connection.incoming.exchange?.refuse()
        connection.incoming.status = problem.status
        connection.shared.withLock { if $0.phase != .over { Connection.dismiss(&$0, with: raw) } }
        return false
    }

    func giveBack(_ connection: Connection) {
        connection.incoming.body = []
        bodies.give(connection.incoming.bytesCharged)
        connection.incoming.bytesCharged = 0
    }

    private func handleEnd(_ connection: Connection, _ daemon: OpaquePointer) -> Bool {
        if let refusal = connection.incoming.refusal { return unsafe refuse(connection, daemon, refusal) }
        guard connection.enter(.handling), let exchange = connection.incoming.exchange else { return false }
        connection.incoming.stage = .handling
        let request = HTTPRequest(
            head: connection.incoming.head, method: connection.incoming.method, body: connection.incoming.body,
            peer: connection.peer)
        connection.incoming.head = RequestHead()
        connection.incoming.body = []
        if isStopping.load(ordering: .acquiring) {
            exchange.send(application.problem(.stopping))
        } else {
            application.handle(request, exchange)
        }
        return unsafe answerOrWait(connection, daemon)
    }

    private func answerOrWait(_ connection: Connection, _ daemon: OpaquePointer) -> Bool {
        guard let exchange = connection.incoming.exchange else { return false }
        guard let response = exchange.takeOrSuspend() else {
            // Between the look above and the suspension, the server may have begun to stop and gone past this one.
            if isStopping.load(ordering: .acquiring) { exchange.send(application.problem(.stopping)) }
            return true
        }
        let closing = isLeaving.load(ordering: .relaxed) || connection.daemon.isRetired
        return unsafe queue(response, connection, daemon, closing: closing)
    }

    private func refuse(_ connection: Connection, _ daemon: OpaquePointer, _ problem: HTTPServerProblem) -> Bool {
        connection.incoming.exchange?.refuse()
        counters.refused.wrappingAdd(1, ordering: .relaxed)
        connection.shared.withLock { $0.lingers = true }
        return unsafe queue(application.problem(problem), connection, daemon, closing: true)
    }
}
