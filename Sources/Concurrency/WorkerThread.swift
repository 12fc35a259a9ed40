import Glibc

/// A thread of our own for work that blocks, which must never sit in Swift's cooperative pool.
///
/// `@unchecked Sendable` is true because `handle` is written once, before the value is shared.
public final class WorkerThread: @unchecked Sendable {
    private var handle = pthread_t()

    private static let nameBytesMax = 15

    private final class Body: Sendable {
        let name: String
        let run: @Sendable () -> Void

        init(_ name: String, _ run: @escaping @Sendable () -> Void) {
            self.name = name
            self.run = run
        }

        /// Gives the running thread its name, for which the C library's own call cannot be reached from here.
        func showName() {
            let file = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
            guard file >= 0 else { return }
            _ = name.utf8.prefix(nameBytesMax).withContiguousStorageIfAvailable {
                write(file, $0.baseAddress, $0.count)
            }
            close(file)
        }
    }

    /// Starts `run` at once.
    /// - Parameter name: what `top -H` and `perf` show, of which the system keeps 15 bytes.
    public init(_ name: String = "worker", _ run: @escaping @Sendable () -> Void) {
        let body = Unmanaged.passRetained(Body(name, run))
        let code = pthread_create(
            &handle, nil,
            { context in
                // Taken exactly once, by the thread that it was made for.
                let body = Unmanaged<Body>.fromOpaque(context!).takeRetainedValue()
                body.showName()
                body.run()
                return nil
            }, body.toOpaque())
        precondition(code == 0, "the system starts a thread")
    }

    /// Waits until `run` has returned. To be called once, from another thread.
    public func join() { pthread_join(handle, nil) }
}

/// Waits for one thing that another thread brings.
///
/// Over a mailbox of one, which carries its own lock.
public final class Waiter<Value: Sendable>: Sendable {
    private let box = Mailbox<Value>(countMax: 1)

    public init() {}

    /// Brings the value; only the first one counts.
    public func fulfil(_ value: Value) { box.post(value) }

    /// The value, or nil after that many milliseconds.
    public func wait(within milliseconds: UInt64? = nil) -> Value? { box.take(within: milliseconds)?.first }
}

/// The system's clock in milliseconds since 1970 UTC.
public func wallClockMilliseconds() -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return UInt64(max(0, now.tv_sec)) * 1000 + UInt64(now.tv_nsec / 1_000_000)
}

/// Cores that this process may use.
public func processorCount() -> Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }
