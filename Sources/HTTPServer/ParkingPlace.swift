import Concurrency
import Glibc

/// Where streams wait that have nothing to send, until all of them are woken.
final class ParkingPlace: Sendable {
    /// Streams woken at a time, and the pause to the next ones: in between, the threads serve others.
    private static let sliceCount = 256
    private static let pauseMicroseconds: UInt32 = 2000
    /// Wakes that come faster than this are made one.
    private static let spacingMicroseconds: UInt32 = 10_000

    private struct State {
        /// Counts the wakes, so that one which comes while a stream says that it has nothing is not missed.
        var round: UInt64 = 0
        var isClosed = false
        /// One that was woken alone may still stand here.
        var parked: [StreamFeed] = []
    }

    private let state = Locked(State())
    private let calls = Mailbox<Void>(countMax: 1)

    /// The number of the last wake; nil once all streams are to end.
    var round: UInt64? { state.withLock { $0.isClosed ? nil : $0.round } }

    /// Puts the stream's connection aside, unless all were woken since. On the connection's thread.
    func park(_ feed: StreamFeed, since round: UInt64) -> Bool {
        state.withLock { state in
            guard !state.isClosed, state.round == round, !feed.isBroken else { return false }
            feed.suspend()
            feed.isParked = true
            state.parked.append(feed)
            return true
        }
    }

    func isParked(_ feed: StreamFeed) -> Bool { state.withLock { _ in feed.isParked } }

    func wake(_ feed: StreamFeed) {
        let wasParked = state.withLock { _ in
            defer { feed.isParked = false }
            return feed.isParked
        }
        if wasParked { feed.resume() }
    }

    /// Asks for a wake of all; returns at once.
    func wakeAll() {
        state.withLock { $0.round += 1 }
        calls.post(())
    }

    /// Lets every stream end, at once.
    func close() {
        state.withLock { $0.isClosed = true }
        calls.close()
        sweep(pausing: false)
    }

    /// The body of the thread that wakes; ends with `close`.
    func run() {
        while calls.take(within: nil) != nil {
            sweep(pausing: true)
            usleep(Self.spacingMicroseconds)
        }
    }

    private func sweep(pausing: Bool) {
        var left = state.withLock { state in
            var taken: [StreamFeed] = []
            swap(&taken, &state.parked)
            return taken
        }[...]
        while !left.isEmpty {
            let slice = left.prefix(Self.sliceCount)
            left = left.dropFirst(slice.count)
            let woken = state.withLock { _ in
                slice.filter { feed in
                    defer { feed.isParked = false }
                    return feed.isParked
                }
            }
            for feed in woken { feed.resume() }
            if pausing, !left.isEmpty { usleep(Self.pauseMicroseconds) }
        }
    }
}
