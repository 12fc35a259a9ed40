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

    /// Lets a write to a closed pipe or socket fail instead of killing the process.
    public static func ignoreBrokenPipes() { signal(SIGPIPE, SIG_IGN) }

    private static func start(_ stop: StopRequest) {
        let (reading, writing) = StopRequest.openPipe()
        // Set before a signal can arrive: inside a handler only plain memory and `write` are allowed.
        signalPipe = writing
        startThread {
            // Whoever started the process may have had them blocked, and a child inherits that.
            var wanted = sigset_t()
            sigemptyset(&wanted)
            sigaddset(&wanted, SIGINT)
            sigaddset(&wanted, SIGTERM)
            pthread_sigmask(SIG_UNBLOCK, &wanted, nil)
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

private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void
    init(run: @escaping @Sendable () -> Void) { self.run = run }
}

/// Written once, before the handlers are in place, and only read afterwards; a handler could take no lock.
private nonisolated(unsafe) var signalPipe: Int32 = -1

/// Runs on whatever thread the signal meets, between any two of its instructions.
private func forwardSignal(_ number: Int32) {
    let saved = errno
    var byte: UInt8 = 1
    _ = write(signalPipe, &byte, 1)
    errno = saved
}
