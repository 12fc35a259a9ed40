import Concurrency
import HTTPClient
import JSON
public import Ordering

/// The order of a consortium, kept by an etcd cluster: a ring of recent entries, each at a key of its own that is
/// created only where it is absent.
///
/// etcd gives one total order and is trusted for nothing else: whoever may write there can hold entries back or put
/// garbage, and cannot forge, fork or rewrite what the members execute.
public final class EtcdLog: Ordering {
    public let epoch: OrderingEpoch
    let client: EtcdClient
    let keys: EtcdKeys
    private let members: EtcdMembers
    private let state: Locked<State>
    // One for each thread: what a waiter brings, it brings once.
    private let watchEnd = Waiter<Void>()
    private let sizeEnd = Waiter<Void>()
    private let threads: Locked<[WorkerThread]>

    private struct State: Sendable {
        var wakes: [@Sendable () -> Void] = []
        /// As the last read found it.
        var floor: UInt64
        /// The highest that the cluster's counter of changes was seen at.
        var revision: UInt64
        var condition = OrderingCondition()
        /// Why votes could not be put up; nil where they could.
        var votesComplaint: String?
    }

    /// The largest value that etcd takes, about: one entry never has more, whatever somebody put there.
    private static let valueBytesMax = 1_572_864
    /// Keys of positions behind those that were asked for, to learn whether there is more.
    private static let lookAhead: UInt64 = 64
    /// Keys of one page when the head is looked for.
    private static let headPage = 1_000
    /// Of the quota: above it an alarm is given, and nothing is ordered.
    private static let alarmPercent: UInt64 = 60
    private static let closedPercent: UInt64 = 80

    /// Connects to a cluster. Nothing is asked of it yet.
    /// - Parameter revision: where ``revision`` stood in an earlier life, in the same epoch: a cluster that lies below
    ///   it is refused, since it was restored from an old copy or is another one.
    /// - Throws: ``OrderingError`` where the configuration's files of certificates cannot be read.
    public init(
        _ configuration: EtcdConfiguration, epoch: OrderingEpoch, revision: UInt64 = 0
    ) throws(OrderingError) {
        self.epoch = epoch
        do throws(EtcdError) { client = try EtcdClient(configuration) } catch { throw .unreachable("\(error)") }
        keys = EtcdKeys(chain: configuration.chain)
        members = EtcdMembers(client)
        state = Locked(State(floor: epoch.firstHeight, revision: revision))
        threads = Locked([])
        let started = [
            WorkerThread("order-watch") { [self] in watch() }, WorkerThread("order-size") { [self] in lookAtSize() },
        ]
        threads.withLock { $0 = started }
    }

    /// Ends its threads and the calls in hand, of which each may have happened; calls after it fail.
    public func stop() {
        client.cancellation.cancel()
        watchEnd.fulfil(())
        sizeEnd.fulfil(())
        members.stop()
        let running = threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        for thread in running { thread.join() }
    }

    /// Who this node is to the cluster from now on; asked for where its token is none any more, so that a password may
    /// be told here before the cluster is told.
    public func set(_ login: EtcdConfiguration.Login?) { client.set(login) }

    /// The highest that the cluster's counter of changes was seen at.
    public var revision: UInt64 { state.withLock { $0.revision } }

    // MARK: Ordering

    public func append(_ bytes: [UInt8], at position: UInt64) -> AppendResult {
        let (floor, isClosed) = state.withLock { ($0.floor, $0.condition.isClosed) }
        guard !isClosed else { return .closed }
        guard position >= floor else { return .taken }
        var compares: [EtcdCompare] = [.isAbsent(keys.entry(position)), .holds(keys.epoch, epoch.bytes)]
        // No entry stands beyond a gap, unless somebody planted it.
        if position > floor { compares.append(.isPresent(keys.entry(position - 1))) }
        do throws(EtcdError) {
            let outcome = try client.transact(
                compares,
                then: [.put(keys.entry(position), bytes), .put(keys.tip, Array(String(position).utf8))],
                repeats: false)
            note(complaint: nil)
            return outcome.succeeded ? .appended : .taken
        } catch {
            note(complaint: "\(error)")
            return error.kind == .unknown ? .unknown : .closed
        }
    }

    public func read(from position: UInt64, max: Int, bytesMax: Int) throws(OrderingError) -> LogRange {
        precondition(position > 0, "the genesis block is no entry")
        let limit = Swift.max(1, Swift.min(max, bytesMax / Self.valueBytesMax))
        let (first, last) = (position, position + UInt64(limit))
        let (floor, found) = try look([
            .range(
                from: keys.entry(first - 1), to: keys.entry(last + Self.lookAhead),
                limit: limit + 1 + Int(Self.lookAhead), keysOnly: true),
            .range(from: keys.entry(first), to: keys.entry(last), limit: limit),
        ])
        state.withLock { $0.floor = floor }
        guard position >= floor else { throw .belowFloor(floor) }
        var standing = Set(found[0].compactMap { keys.position($0.key) })
        if position == floor { standing.insert(position - 1) }
        guard standing.contains(position - 1) else { return LogRange(entries: [], head: try readHead()) }
        var head = position - 1
        while standing.contains(head + 1) { head += 1 }
        var entries: [(position: UInt64, bytes: [UInt8])] = []
        for pair in found[1] {
            guard keys.position(pair.key) == position + UInt64(entries.count) else { break }
            entries.append((position + UInt64(entries.count), pair.value))
        }
        return LogRange(entries: entries, head: head)
    }

    public func readHead() throws(OrderingError) -> UInt64 {
        var next: UInt64 = 0
        while true {
            let (floor, found) = try look([
                .range(from: keys.entry(next), to: keys.entry(.max), limit: Self.headPage, keysOnly: true)
            ])
            next = Swift.max(next, floor)
            let standing = found[0].compactMap { keys.position($0.key) }
            for position in standing where position >= next {
                guard position == next else { return next - 1 }
                next += 1
            }
            if standing.count < Self.headPage { return next - 1 }
        }
    }

    public func trim(below position: UInt64) throws(OrderingError) {
        // Nodes know different things of how far the others have come, and a call that got no answer may take effect
        // late. A floor that sinks below what was deleted would look like the end of a ring that lost its entries.
        let (floor, _) = try look([])
        guard floor < position else { return }
        let outcome = try transact(
            [.holds(keys.epoch, epoch.bytes), .holds(keys.floor, Self.bytes(floor: floor))],
            then: [
                .put(keys.floor, Self.bytes(floor: position)),
                .delete(from: keys.entry(0), to: keys.entry(position)),
            ], else: [.get(keys.epoch), .get(keys.floor)])
        if !outcome.succeeded {
            try check(epoch: outcome.ranges[0])
            // Somebody else trims now, and this node again at its next turn; or it was this very call, asked twice.
            guard Self.floor(outcome.ranges[1]) == position else { return }
        }
        trimVotes(below: position)
        // Deleting alone frees nothing.
        try asking { () throws(EtcdError) in
            do throws(EtcdError) {
                _ = try client.ask("/v3/kv/compaction", ["revision": .string(String(outcome.revision))])
            } catch {
                // Another node compacted further meanwhile.
                guard error.reason.contains("has been compacted") else { throw error }
            }
        }
    }

    public func onWake(_ wake: @escaping @Sendable () -> Void) { state.withLock { $0.wakes.append(wake) } }

    public var condition: OrderingCondition {
        state.withLock { state in
            var condition = state.condition
            condition.complaint = condition.complaint ?? state.votesComplaint
            condition.members = members.standing
            return condition
        }
    }

    // MARK: Answers

    private func asking<R>(_ body: () throws(EtcdError) -> R) throws(OrderingError) -> R {
        do throws(EtcdError) {
            let result = try body()
            note(complaint: nil)
            return result
        } catch {
            note(complaint: "\(error)")
            throw .unreachable("\(error)")
        }
    }

    func transact(
        _ compares: [EtcdCompare] = [], then operations: [EtcdOperation], else otherwise: [EtcdOperation] = []
    ) throws(OrderingError) -> EtcdOutcome {
        try asking { () throws(EtcdError) in
            try client.transact(compares, then: operations, else: otherwise, repeats: true)
        }
    }

    /// What ranges hold, all at one moment, in the ring of this epoch and no other; and where that begins.
    private func look(
        _ ranges: [EtcdOperation]
    ) throws(OrderingError) -> (floor: UInt64, found: [[(key: String, value: [UInt8])]]) {
        let seen = revision
        let outcome = try transact(then: [.get(keys.epoch), .get(keys.floor)] + ranges)
        guard outcome.ranges.count == 2 + ranges.count else { throw .unreachable("etcd's answer lacks a part") }
        try check(epoch: outcome.ranges[0])
        // Only what was seen before this was asked: answers to others may overtake it.
        guard outcome.revision >= seen else {
            throw foreign(
                "the cluster has come to revision \(outcome.revision) and had been at \(seen): it was restored from an "
                    + "old copy, or is another one")
        }
        state.withLock { $0.revision = max($0.revision, outcome.revision) }
        return (Self.floor(outcome.ranges[1]), Array(outcome.ranges[2...]))
    }

    private func note(complaint: String?) { state.withLock { $0.condition.complaint = complaint } }

    func note(votesComplaint: String?) { state.withLock { $0.votesComplaint = votesComplaint } }

    func check(epoch found: [(key: String, value: [UInt8])]) throws(OrderingError) {
        guard found.first?.value != epoch.bytes else { return }
        throw foreign(
            found.isEmpty
                ? "the cluster holds no order of this chain: it is new, or was wiped"
                : "the cluster holds the order of another epoch or chain")
    }

    private func foreign(_ complaint: String) -> OrderingError {
        note(complaint: "\(complaint); `lianfen epoch` begins a lost order anew")
        return .foreign(complaint)
    }

    static func bytes(floor: UInt64) -> [UInt8] { Array(String(floor).utf8) }

    private static func floor(_ found: [(key: String, value: [UInt8])]) -> UInt64 {
        found.first.flatMap { UInt64(String(decoding: $0.value, as: UTF8.self)) } ?? 1
    }

    // MARK: Threads

    /// Wakes the node when the tip moves. What it misses the node finds by itself, a little later.
    private func watch() {
        var backoff = Backoff()
        var random = SystemRandomNumberGenerator()
        while !client.cancellation.isCancelled {
            var hasCome = false
            try? client.follow(
                "/v3/watch", ["create_request": ["key": encoded(keys.tip)]]
            ) { [state] in
                hasCome = true
                for wake in state.withLock({ $0.wakes }) { wake() }
            }
            if hasCome { backoff = Backoff() }
            if watchEnd.wait(within: UInt64(backoff.next(using: &random))) != nil { return }
        }
    }

    /// Learns now and then how full the cluster is.
    private func lookAtSize() {
        repeat {
            guard let answer = try? client.ask("/v3/maintenance/status", [:]), let bytes = answer["dbSize"]?.number64
            else { continue }
            let quota = client.configuration.quotaBytes
            state.withLock { state in
                state.condition.bytes = bytes
                state.condition.bytesMax = quota
                state.condition.isFilling = bytes >= quota / 100 * Self.alarmPercent
                state.condition.isClosed = bytes >= quota / 100 * Self.closedPercent
            }
        } while sizeEnd.wait(within: client.configuration.sizeEveryMilliseconds) == nil
    }
}
