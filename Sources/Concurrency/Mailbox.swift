import Glibc

/// A bounded queue that one thread empties: items in the order in which they came.
///
/// `@unchecked Sendable` is true because `items`, `ahead` and `isClosed` are touched only under the mutex.
public final class Mailbox<Item: Sendable>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let arrived: UnsafeMutablePointer<pthread_cond_t>
    private var items: [Item] = []
    /// Items that came before `items`, the first one last: taking one by one moves each item once.
    private var ahead: [Item] = []
    private var isClosed = false
    private let countMax: Int

    /// - Parameter countMax: items that `post` lets wait.
    public init(countMax: Int) {
        self.countMax = countMax
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
        arrived = .allocate(capacity: 1)
        arrived.initialize(to: pthread_cond_t())
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        // A wall clock that jumps must not stretch a wait.
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(arrived, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(arrived)
        arrived.deallocate()
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Adds an item; false where the queue is full or closed.
    @discardableResult
    public func post(_ item: Item) -> Bool {
        add(item, max: countMax)
    }

    /// Adds an item however many wait: for those whose number is bounded elsewhere and that must not be lost.
    public func insist(_ item: Item) {
        _ = add(item, max: .max)
    }

    private func add(_ item: Item, max: Int) -> Bool {
        pthread_mutex_lock(mutex)
        let isTaken = !isClosed && items.count + ahead.count < max
        if isTaken { items.append(item) }
        pthread_mutex_unlock(mutex)
        // Who is woken finds the mutex free.
        if isTaken { pthread_cond_signal(arrived) }
        return isTaken
    }

    /// All items that wait, after at most `milliseconds` of waiting for a first one; nil once the queue is closed and
    /// empty.
    public func take(within milliseconds: UInt64?) -> [Item]? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        var deadline = timespec()
        if let milliseconds {
            clock_gettime(CLOCK_MONOTONIC, &deadline)
            let nanoseconds = deadline.tv_nsec + Int(milliseconds % 1000) * 1_000_000
            deadline.tv_sec += Int(milliseconds / 1000) + nanoseconds / 1_000_000_000
            deadline.tv_nsec = nanoseconds % 1_000_000_000
        }
        while isEmpty, !isClosed {
            if milliseconds == nil {
                pthread_cond_wait(arrived, mutex)
            } else if pthread_cond_timedwait(arrived, mutex, &deadline) != 0 {
                break
            }
        }
        if isEmpty, isClosed { return nil }
        var taken: [Item] = ahead.reversed()
        ahead = []
        if taken.isEmpty { swap(&taken, &items) } else { taken += items }
        items = []
        return taken
    }

    /// The first item that waits, for queues that several threads empty; nil once the queue is closed and empty.
    public func takeOne() -> Item? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while isEmpty, !isClosed { pthread_cond_wait(arrived, mutex) }
        if ahead.isEmpty {
            ahead = items.reversed()
            items.removeAll(keepingCapacity: true)
        }
        return ahead.popLast()
    }

    private var isEmpty: Bool { items.isEmpty && ahead.isEmpty }

    /// Lets nothing more in; what waits can still be taken.
    public func close() {
        pthread_mutex_lock(mutex)
        isClosed = true
        pthread_cond_broadcast(arrived)
        pthread_mutex_unlock(mutex)
    }
}
