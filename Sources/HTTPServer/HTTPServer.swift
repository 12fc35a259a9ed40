import Concurrency
import Glibc
import Synchronization

/// An HTTP/1.1 server over libmicrohttpd that bounds everything a client can make it hold: connections, streams,
/// bodies, heads, answers, and the time for each of them.
///
/// Requests are handled on the daemon's threads, one a core. What the application answers at once goes out without
/// another thread; what it answers later costs no thread while it waits.
public final class HTTPServer: Sendable {
    /// Descriptors that are left to the rest of the process: files of the store, outgoing connections.
    public static let descriptorsReserve = 2048

    public struct Statistics: Sendable {
        /// Now.
        public let connections: Int
        /// Requests whose head was read and whose answer has not gone, streams among them.
        public let exchanges: Int
        public let streams: Int
        public let bodiesBytes: Int
        public let answersBytes: Int
        /// Since the start.
        public let requests: UInt64
        /// Requests that the server refused by itself.
        public let refused: UInt64
        /// Connections turned away at the door.
        public let shed: UInt64
        /// Connections ended because a client was too slow.
        public let timeouts: UInt64
    }

    private struct Threads {
        var door: WorkerThread?
        var deadlines: WorkerThread?
        var parking: WorkerThread?
        /// Those who take new connections, and those who were replaced and have connections left.
        var daemons: [(daemon: Daemon, thread: WorkerThread)] = []
    }

    /// So many exchanges of the certificate may have connections left of the time before them.
    public static let exchangesMax = 4

    /// What it listens at.
    public let port: Int
    /// The bound of connections that the limit of descriptors allows.
    public let connectionsMax: Int
    private let core: ServerCore
    private let crewCount: Int
    private let door: Door
    private let deadlines: Deadlines
    private let threads: Locked<Threads>

    /// Listens, and serves from now on.
    ///
    /// Raises the process's soft limit of file descriptors to the hard one, and ignores SIGPIPE from now on.
    public init(configuration: HTTPServerConfiguration, application: any HTTPApplication) throws(HTTPServerError) {
        signal(SIGPIPE, SIG_IGN)
        let descriptors = Self.raiseDescriptorLimit()
        let room = descriptors - min(Self.descriptorsReserve, descriptors / 2) - Lingering.countMax
        guard room > 0 else { throw HTTPServerError(.system, "\(descriptors) file descriptors are too few") }
        connectionsMax = min(configuration.connectionsMax, room)
        core = ServerCore(configuration, application, lingering: Lingering())
        let (listening, port) = try Door.listen(host: configuration.host, port: configuration.port)
        self.port = port
        crewCount = max(1, configuration.threads ?? max(2, processorCount()))
        let daemons: [Daemon]
        do throws(HTTPServerError) {
            daemons = try Self.crew(of: crewCount, core, tls: configuration.tls, connectionsMax: connectionsMax)
        } catch {
            Glibc.close(listening)
            throw error
        }
        door = Door(
            core: core, daemons: daemons, listening: listening, port: port, connectionsMax: connectionsMax)
        deadlines = Deadlines(core: core)
        threads = Locked(
            Threads(
                door: WorkerThread("http-door") { [door] in door.run() },
                deadlines: WorkerThread("http-deadlines") { [deadlines] in deadlines.run() },
                parking: WorkerThread("http-parking") { [core] in core.parking.run() },
                daemons: daemons.map(Self.started)))
    }

    private static func crew(
        of count: Int, _ core: ServerCore, tls: HTTPServerConfiguration.TLS?, connectionsMax: Int
    ) throws(HTTPServerError) -> [Daemon] {
        var daemons: [Daemon] = []
        do throws(HTTPServerError) {
            // Each could take all, since the door's bound has to be reached first.
            for _ in 0..<count {
                daemons.append(try Daemon(core: core, tls: tls, connectionsMax: connectionsMax + 1))
            }
        } catch {
            for daemon in daemons { daemon.stop() }
            throw error
        }
        return daemons
    }

    private static func started(_ daemon: Daemon) -> (daemon: Daemon, thread: WorkerThread) {
        (daemon, WorkerThread("http") { daemon.run() })
    }

    deinit { stop(graceMilliseconds: 0) }

    /// Asks all streams that wait again; returns at once. Wakes that come fast after one another are made one.
    public func wakeStreams() { core.parking.wakeAll() }

    /// Shows another certificate to whoever connects from now on, and nobody is turned away meanwhile.
    ///
    /// What is being answered is answered; connections that were made before end with their next answer, and streams at
    /// once, so that clients come back and see the new certificate.
    /// - Throws: ``HTTPServerError`` where the two cannot be used together, where the server speaks plain HTTP or has
    ///   ended, and where ``exchangesMax`` exchanges have not come to their end; nothing is changed then.
    public func exchange(_ tls: HTTPServerConfiguration.TLS) throws(HTTPServerError) {
        guard core.configuration.tls != nil else { throw HTTPServerError(.tls, "the server speaks plain HTTP") }
        try threads.withLock { threads throws(HTTPServerError) in
            guard threads.deadlines != nil else { throw HTTPServerError(.system, "the server has ended") }
            threads.daemons.removeAll { daemon, thread in
                guard daemon.hasEnded else { return false }
                thread.join()
                return true
            }
            guard threads.daemons.count <= crewCount * Self.exchangesMax else {
                throw HTTPServerError(
                    .tls,
                    "connections of \(Self.exchangesMax) certificates before this one are still in use; "
                        + "try again in some minutes")
            }
            let daemons = try Self.crew(of: crewCount, core, tls: tls, connectionsMax: connectionsMax)
            threads.daemons += daemons.map(Self.started)
            for daemon in door.replace(by: daemons) { daemon.retire() }
        }
        wakeStreams()
    }

    /// Takes no new connections in; those that are there go on, and end with their next answer.
    public func stopAccepting() {
        core.isLeaving.store(true, ordering: .releasing)
        door.close()
        threads.withLock { threads in
            defer { threads.door = nil }
            return threads.door
        }?.join()
    }

    /// Ends the server: waits for the requests in hand up to the grace, ends the streams, answers the rest with
    /// ``HTTPServerProblem/stopping``, and returns when all threads have ended. A second call does nothing.
    ///
    /// Must not be called on a thread of the server.
    public func stop(graceMilliseconds: Int) {
        stopAccepting()
        let (deadlineThread, parkingThread) = threads.withLock { threads in
            defer { (threads.deadlines, threads.parking) = (nil, nil) }
            return (threads.deadlines, threads.parking)
        }
        guard let deadlineThread, let parkingThread else { return }
        wait(milliseconds: graceMilliseconds) {
            core.counters.exchanges.load(ordering: .relaxed) <= core.counters.streams.load(ordering: .relaxed)
        }
        core.parking.close()
        core.isStopping.store(true, ordering: .releasing)
        for connection in core.registry.all() {
            // The daemon aborts the process if it is stopped while a connection is put aside.
            let exchange = connection.shared.withLock { $0.phase == .handling ? $0.exchange : nil }
            exchange?.send(core.application.problem(.stopping))
        }
        // Time for last answers to go out.
        wait(milliseconds: min(1000, max(100, graceMilliseconds))) {
            core.counters.exchanges.load(ordering: .relaxed) == 0
        }
        deadlines.close()
        deadlineThread.join()
        parkingThread.join()
        let daemons = threads.withLock(\.daemons)
        for (daemon, _) in daemons { daemon.end() }
        for (daemon, thread) in daemons {
            thread.join()
            daemon.stop()
        }
        core.lingering.close()
    }

    private func wait(milliseconds: Int, until isDone: () -> Bool) {
        let end = monotonicMicroseconds() + UInt64(max(0, milliseconds)) * 1000
        while !isDone(), monotonicMicroseconds() < end { usleep(2000) }
    }

    public var statistics: Statistics {
        let counters = core.counters
        return Statistics(
            connections: counters.connections.load(ordering: .relaxed),
            exchanges: counters.exchanges.load(ordering: .relaxed),
            streams: counters.streams.load(ordering: .relaxed), bodiesBytes: core.bodies.bytesTaken,
            answersBytes: core.answers.bytesTaken, requests: counters.requests.load(ordering: .relaxed),
            refused: counters.refused.load(ordering: .relaxed), shed: counters.shed.load(ordering: .relaxed),
            timeouts: counters.timeouts.load(ordering: .relaxed))
    }

    private static func raiseDescriptorLimit() -> Int {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
        if limit.rlim_cur < limit.rlim_max {
            var raised = rlimit(rlim_cur: limit.rlim_max, rlim_max: limit.rlim_max)
            if unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &raised) == 0 { limit = raised }
        }
        return Int(clamping: limit.rlim_cur)
    }
}
