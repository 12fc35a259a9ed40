import CMicroHTTPD
import Synchronization

/// A stream on its way to a client.
///
/// `@unchecked Sendable` is true because `left` is touched only by the daemon's thread of the connection, `isParked`
/// only under the parking place's lock, and `connection` is resumed only while it is parked; the rest is constant or
/// atomic.
@safe final class StreamFeed: @unchecked Sendable {
    private let stream: any HTTPStream
    private let place: ParkingPlace
    private let daemon: Daemon
    private let connection: OpaquePointer
    private var left: ArraySlice<UInt8> = []
    private let broken = Atomic(false)
    private let bytes = Atomic<UInt64>(0)
    private let asked = Atomic<UInt64>(0)
    var isParked = false

    init(_ stream: any HTTPStream, over connection: OpaquePointer, of daemon: Daemon, in place: ParkingPlace) {
        self.daemon = daemon
        self.stream = stream
        self.place = place
        unsafe self.connection = unsafe connection
        asked.store(monotonicMicroseconds(), ordering: .relaxed)
    }

    var isBroken: Bool { broken.load(ordering: .acquiring) }

    var bytesOut: UInt64 { bytes.load(ordering: .relaxed) }

    /// When the client could last take something, in microseconds; nil while there is nothing for it.
    var stalledSince: UInt64? { place.isParked(self) ? nil : asked.load(ordering: .relaxed) }

    /// The client has gone: the next piece is an error. Safe at any time.
    func breakOff() {
        broken.store(true, ordering: .releasing)
        place.wake(self)
    }

    /// The daemon asks for bytes: how many were written, 0 where the connection was put aside, or one of the two ends.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        asked.store(monotonicMicroseconds(), ordering: .relaxed)
        while true {
            if isBroken { return lf_http_stream_broken() }
            if !left.isEmpty { return unsafe take(into: buffer) }
            // In this order: whoever retires the daemon wakes all streams after that.
            guard let round = place.round, !daemon.isRetired else { return lf_http_stream_end() }
            switch stream.next(max: buffer.count) {
            case .bytes(let piece) where !piece.isEmpty: left = piece[...]
            case .end: return lf_http_stream_end()
            case .bytes, .wait: if place.park(self, since: round) { return 0 }
            }
        }
    }

    /// Puts the connection aside, on its own thread; and back.
    func suspend() { unsafe daemon.suspend(connection) }
    func resume() { unsafe daemon.resume(connection) }

    private func take(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(buffer.count, left.count)
        unsafe left.withUnsafeBytes { piece in
            unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: piece.prefix(count)))
        }
        left = left.count == count ? [] : left.dropFirst(count)
        bytes.wrappingAdd(UInt64(count), ordering: .relaxed)
        return count
    }

    func closed() {
        daemon.core.counters.streams.wrappingSubtract(1, ordering: .relaxed)
        stream.closed()
    }
}
