import Concurrency
import Glibc

/// What the process does with signals from outside.
///
/// The first SIGINT or SIGTERM asks for a clean end, the second ends the process at once with
/// ``ExitCode/interrupted``. SIGPIPE is ignored: a reader that went away shows as a failed write.
public enum Signals {
    private static let installed = Locked<StopRequest?>(nil)

    /// Takes the signals over; further calls return the same request.
    public static func install() -> StopRequest {
        installed.withLock { installed in
            if let installed { return installed }
            let stop = StopRequest()
            installed = stop
            start(stop)
            return stop
        }
    }

    private static let hangUp = Locked<HangUps?>(nil)

    /// Takes SIGHUP over, which then asks for setup to be read again rather than ending the process; further calls
    /// return the same.
    public static func hangUps() -> HangUps {
        hangUp.withLock { installed in
            if let installed { return installed }
            let (reading, writing) = StopRequest.openPipe()
            for end in [reading, writing] { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
            hangUpPipe = writing
            let fresh = HangUps(reading: reading)
            installed = fresh
            signal(SIGHUP, forwardHangUp)
            unblock(SIGHUP)
            return fresh
        }
    }

    /// Lets a write to a closed pipe or socket fail instead of killing the process.
    public static func ignoreBrokenPipes() { signal(SIGPIPE, SIG_IGN) }

    private static func start(_ stop: StopRequest) {
        let (reading, writing) = StopRequest.openPipe()
        // Set before a signal can arrive: inside a handler only plain memory and `write` are allowed.
        signalPipe = writing
        startThread {
            unblock(SIGINT, SIGTERM)
            var byte: UInt8 = 0
            while read(reading, &byte, 1) != 1 {}
            stop.request()
            while read(reading, &byte, 1) != 1 {}
            _exit(ExitCode.interrupted.rawValue)
        }
        ignoreBrokenPipes()
        signal(SIGINT, forwardSignal)
        signal(SIGTERM, forwardSignal)
    }

    /// Lets signals through to the calling thread: whoever started the process may have had them blocked, and a child
    /// inherits that.
    private static func unblock(_ signals: Int32...) {
        var wanted = sigset_t()
        sigemptyset(&wanted)
        for signal in signals { sigaddset(&wanted, signal) }
        pthread_sigmask(SIG_UNBLOCK, &wanted, nil)
    }

    private static func startThread(_ body: @escaping @Sendable () -> Void) {
        let box = Unmanaged.passRetained(ThreadBody(run: body))
        var thread = pthread_t()
        let result = pthread_create(
            &thread, nil,
            { raw in
                guard let raw else { return nil }
                Unmanaged<ThreadBody>.fromOpaque(raw).takeRetainedValue().run()
                return nil
            }, box.toOpaque())
        precondition(result == 0, "no thread could be started")
        pthread_detach(thread)
    }
}

/// Signals that ask for setup to be read again.
public final class HangUps: Sendable {
    private let reading: Int32

    fileprivate init(reading: Int32) { self.reading = reading }

    /// Whether there was one since the last call; several count as one.
    public func take() -> Bool {
        var bytes = [UInt8](repeating: 0, count: 64)
        var hasCome = false
        while read(reading, &bytes, bytes.count) > 0 { hasCome = true }
        return hasCome
    }
}

private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void
    init(run: @escaping @Sendable () -> Void) { self.run = run }
}

/// Written once, before the handlers are in place, and only read afterwards; a handler could take no lock.
private nonisolated(unsafe) var signalPipe: Int32 = -1

/// The same for SIGHUP.
private nonisolated(unsafe) var hangUpPipe: Int32 = -1

/// Runs on whatever thread the signal meets, between any two of its instructions.
private func forwardSignal(_ number: Int32) { forward(to: signalPipe) }
private func forwardHangUp(_ number: Int32) { forward(to: hangUpPipe) }

private func forward(to pipe: Int32) {
    let saved = errno
    var byte: UInt8 = 1
    _ = write(pipe, &byte, 1)
    errno = saved
}
