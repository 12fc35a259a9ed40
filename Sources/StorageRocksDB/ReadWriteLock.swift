import Glibc

/// Many holders at once, or one alone. Shared holds nest, since glibc lets readers in before a waiting writer.
///
/// `@unchecked Sendable` is true because the only state is the pthread lock, which is made for many threads.
@safe
final class ReadWriteLock: @unchecked Sendable {
    private let lock: UnsafeMutablePointer<pthread_rwlock_t>

    init() {
        unsafe lock = .allocate(capacity: 1)
        unsafe lock.initialize(to: pthread_rwlock_t())
        let result = unsafe pthread_rwlock_init(lock, nil)
        precondition(result == 0, "pthread_rwlock_init")
    }

    deinit {
        unsafe pthread_rwlock_destroy(lock)
        unsafe lock.deallocate()
    }

    func withShared<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
        let result = unsafe pthread_rwlock_rdlock(lock)
        precondition(result == 0, "pthread_rwlock_rdlock")
        defer { unsafe pthread_rwlock_unlock(lock) }
        return try body()
    }

    func withExclusive<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
        let result = unsafe pthread_rwlock_wrlock(lock)
        precondition(result == 0, "pthread_rwlock_wrlock")
        defer { unsafe pthread_rwlock_unlock(lock) }
        return try body()
    }
}
