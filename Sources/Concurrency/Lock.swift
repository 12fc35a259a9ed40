import Glibc

/// A value that is only reached while its lock is held, so the lock cannot be forgotten.
///
/// Over a pthread mutex: on this toolchain it is faster than `Synchronization.Mutex` and clean under the thread
/// sanitizer. Hold it briefly, and never across a callback.
///
/// `@unchecked Sendable` is true because `value` is touched only between lock and unlock of the one mutex.
public final class Locked<Value>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private var value: Value

    public init(_ value: sending Value) {
        self.value = value
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Runs `body` with the value while the lock is held.
    @discardableResult
    public func withLock<R, E: Error>(_ body: (inout Value) throws(E) -> R) throws(E) -> R {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&value)
    }
}
