import CMicroHTTPD
import Concurrency
import Glibc
import Synchronization

/// The listening socket and the thread that takes clients in, or turns them away.
///
/// Our own, since the daemon's lets clients hang once it has as many as it may have.
final class Door: Sendable {
    /// Clients taken in before the sockets that linger are looked at again.
    private static let acceptsMax = 64
    private static let backlog: Int32 = 4096
    /// What the system keeps of a connection in each direction, which it doubles: at a round trip of 50 ms still over
    /// two megabytes a second.
    private static let bufferBytes: Int32 = 64 << 10
    /// How often the door looks up when nobody knocks, for what lingers and for the end.
    private static let lookMilliseconds: Int32 = 50

    /// The daemons that take new connections, and which of them is next.
    private struct Crew {
        var daemons: [Daemon]
        var turn = 0
    }

    let port: Int
    private let listening: Int32
    private let core: ServerCore
    private let connectionsMax: Int
    private let crew: Locked<Crew>
    private let isClosed = Atomic(false)

    init(core: ServerCore, daemons: [Daemon], listening: Int32, port: Int, connectionsMax: Int) {
        self.core = core
        crew = Locked(Crew(daemons: daemons))
        self.listening = listening
        self.port = port
        self.connectionsMax = connectionsMax
    }

    /// A socket that listens, and its port.
    static func listen(host: String, port: Int) throws(HTTPServerError) -> (descriptor: Int32, port: Int) {
        guard (0...65535).contains(port) else { throw HTTPServerError(.port, "\(port) is no port") }
        var hints = unsafe addrinfo()
        unsafe hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(host, "\(port)", &hints, &found) == 0, let address = unsafe found else {
            throw HTTPServerError(.address, "\(host) is no numeric address")
        }
        defer { unsafe freeaddrinfo(found) }
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = unsafe socket(address.pointee.ai_family, type, 0)
        guard descriptor >= 0 else { throw HTTPServerError(.system, "no socket: \(reason())") }
        set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
        // Inherited by the connections. Left to itself, the system gives each of them megabytes in either direction.
        set(descriptor, SOL_SOCKET, SO_SNDBUF, bufferBytes)
        set(descriptor, SOL_SOCKET, SO_RCVBUF, bufferBytes)
        if unsafe address.pointee.ai_family == AF_INET6 { set(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 0) }
        guard unsafe bind(descriptor, address.pointee.ai_addr, address.pointee.ai_addrlen) == 0,
            Glibc.listen(descriptor, backlog) == 0
        else {
            let code = errno
            let error = HTTPServerError(
                code == EADDRNOTAVAIL ? .address : .port, "cannot listen at \(host) port \(port): \(reason(code))")
            Glibc.close(descriptor)
            throw error
        }
        var bound = sockaddr_storage()
        var count = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let number = unsafe withUnsafeMutablePointer(to: &bound) { bound in
            unsafe bound.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe _ = getsockname(descriptor, $0, &count)
            }
            // The port stands at the same place in addresses of both versions.
            return unsafe bound.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                unsafe UInt16(bigEndian: $0.pointee.sin_port)
            }
        }
        return (descriptor, Int(number))
    }

    private static func set(_ descriptor: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        unsafe setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    private static func reason(_ code: Int32 = errno) -> String { unsafe String(cString: strerror(code)) }

    /// New connections go to others from now on.
    /// - Returns: those who had them until now, who get none any more.
    func replace(by daemons: [Daemon]) -> [Daemon] {
        crew.withLock { crew in
            defer { crew = Crew(daemons: daemons) }
            return crew.daemons
        }
    }

    /// Nobody is taken in any more; the thread ends soon.
    func close() { isClosed.store(true, ordering: .releasing) }

    /// The body of the door's thread.
    func run() {
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while !isClosed.load(ordering: .acquiring) {
            var descriptors = pollfd(fd: listening, events: Int16(POLLIN), revents: 0)
            if unsafe poll(&descriptors, 1, Self.lookMilliseconds) > 0 { takeIn() }
            core.lingering.drain(into: &buffer)
        }
        Glibc.close(listening)
    }

    private func takeIn() {
        for _ in 0..<Self.acceptsMax {
            var address = sockaddr_storage()
            var count = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let flags = Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
            let descriptor = unsafe withUnsafeMutablePointer(to: &address) { address in
                unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                    unsafe accept4(listening, address, &count, flags)
                }
            }
            if descriptor >= 0 {
                decide(descriptor, address, count)
            } else if !Self.mayGoOn(after: errno) {
                return
            }
        }
    }

    /// Whether to try the next client at once.
    private static func mayGoOn(after code: Int32) -> Bool {
        switch code {
        case EINTR, ECONNABORTED, EPROTO: return true
        case EMFILE, ENFILE, ENOBUFS, ENOMEM:
            // The client stays in the queue, so asking again at once would only burn the processor.
            usleep(20_000)
            return false
        default: return false
        }
    }

    private func decide(_ descriptor: Int32, _ address: sockaddr_storage, _ count: socklen_t) {
        let peer = core.peers == nil ? "" : unsafe withAddress(address, numericAddress)
        guard core.counters.connections.load(ordering: .relaxed) < connectionsMax, admits(peer) else {
            core.counters.shed.wrappingAdd(1, ordering: .relaxed)
            turnAway(descriptor)
            return
        }
        core.counters.connections.wrappingAdd(1, ordering: .relaxed)
        crew.withLock { crew in
            // In turn, so that no thread has many more than another.
            crew.turn = (crew.turn + 1) % crew.daemons.count
            crew.daemons[crew.turn].add(descriptor, address, count)
        }
    }

    /// Counts one more of an address, unless it has as many as it may have.
    private func admits(_ peer: String) -> Bool {
        guard let peers = core.peers, let max = core.configuration.connectionsPerPeerMax else { return true }
        return peers.withLock { peers in
            let count = peers[peer, default: 0]
            guard count < max else { return false }
            peers[peer] = count + 1
            return true
        }
    }

    /// Over TLS there is nothing to be said without a handshake, which is what we have no room for: it is just closed.
    private func turnAway(_ descriptor: Int32) {
        guard let answer = core.rawAnswer(.connectionsFull) else {
            Glibc.close(descriptor)
            return
        }
        _ = unsafe answer.withUnsafeBytes {
            unsafe send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        core.lingering.add(descriptor)
    }
}
