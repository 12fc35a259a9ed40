import Concurrency
import HTTPClient
import Ordering

/// Looks now and then at each member of a cluster by itself. Orders go through as long as a quorum answers, so nobody
/// else would notice that the next loss is one too many.
final class EtcdMembers: Sendable {
    private let client: EtcdClient
    private let found = Locked<[OrderingMember]>([])
    private let end = Waiter<Void>()
    private let thread = Locked<WorkerThread?>(nil)

    /// So soon a member that has failed once is asked again before it counts as silent: while the others choose a new
    /// leader, for about two seconds, all of them fail.
    private static let againMilliseconds: UInt64 = 3_000

    /// Begins to look, on a thread of its own.
    init(_ client: EtcdClient) {
        self.client = client
        thread.withLock { $0 = WorkerThread("order-members") { [self] in look() } }
    }

    /// Waits for its thread; to be called once the client's calls are cancelled.
    func stop() {
        end.fulfil(())
        let running = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        running?.join()
    }

    /// As the last look found them, in the order of the configuration; none before the first.
    var standing: [OrderingMember] { found.withLock { $0 } }

    private func look() {
        let every = client.configuration.membersEveryMilliseconds
        var members = client.configuration.endpoints.map { OrderingMember(url: $0) }
        var failedAt = [UInt64?](repeating: nil, count: members.count)
        var isFirst = true
        var isDoubtful: Bool
        repeat {
            isDoubtful = false
            for index in members.indices {
                do throws(EtcdError) {
                    try client.checkHealth(of: members[index].url)
                    failedAt[index] = nil
                    (members[index].silentSince, members[index].failure) = (nil, nil)
                } catch {
                    let since = failedAt[index] ?? wallClockMilliseconds()
                    if isFirst || failedAt[index] != nil {
                        (members[index].silentSince, members[index].failure) = (since, error.reason)
                    } else {
                        isDoubtful = true
                    }
                    failedAt[index] = since
                }
                // What fails from here on is this node's own end.
                if client.cancellation.isCancelled { return }
            }
            found.withLock { $0 = members }
            isFirst = false
        } while end.wait(within: isDoubtful ? min(every, Self.againMilliseconds) : every) == nil
    }
}
