import Canonical
public import Chain
import Concurrency
public import Crypto
public import Ledger
public import Ordering
import Storage

/// Where a node's voting keys are kept, which are exchanged while it runs.
public protocol VotingKeys: Sendable {
    /// The secret key of this public one, which the chain lists for the node's organisation; nil where it is not there.
    /// May take as long as opening a sealed key does.
    func find(_ key: PublicKey) -> SecretKey?
    /// Everything below the first height on which this key votes is final: it takes the place of the one before it,
    /// which is of no more use. Said at every start at which there are several, too.
    func holds(_ key: PublicKey)
}

/// Runs a node: owns its threads, its directory and its clock, and carries out what the core decides.
///
/// Four threads: one takes events and steps the core; one writes, so that a sync never holds up execution; one talks to
/// the order and one asks peers, whose calls may block. Where there is a board for votes, a fifth talks to it, so that
/// it waits for neither of them. Signatures are checked on the process's ``SignaturePool``.
public final class NodeRunner: Sendable {
    /// What a runner is connected to.
    public struct Surroundings: Sendable {
        public var clock: @Sendable () -> UInt64 = { wallClockMilliseconds() }
        /// Sends a vote to the peers.
        public var send: @Sendable (Vote) -> Void = { _ in }
        /// A peer's first certificate above a height.
        public var fetch: @Sendable (_ above: UInt64) -> Certificate? = { _ in nil }
        /// A peer's final blocks above a height; none where no peer answers.
        public var finals: @Sendable (_ above: UInt64) -> [FinalBlocks] = { _ in [] }
        /// Where votes are put up beside being sent; none: nowhere.
        public var board: (any VoteBoard)?
        /// Where this node and the others came apart, as a peer shows it; nil where none can yet.
        public var difference: @Sendable (Divergence) -> Divergence.Difference? = { _ in nil }
        /// Where the node's voting keys are kept, beside those with which it began; none: there are no others.
        public var keys: (any VotingKeys)?
        /// Told of every block that is final and stands in the tables, in order.
        public var certified: @Sendable (CertifiedBlock) -> Void = { _ in }
        public var halted: @Sendable (Halt) -> Void = { _ in }
        public var crashPoint: @Sendable (CrashPoint) -> Void = { _ in }

        public init() {}
    }

    private enum Write: Sendable {
        case lock(WriteBatch, height: UInt64)
        case commit(WriteBatch, height: UInt64)
    }

    private enum Order: Sendable {
        case append([UInt8], position: UInt64)
        case read(from: UInt64, max: Int)
        case trim(below: UInt64)
    }

    private enum Ask: Sendable {
        case certificate(above: UInt64)
        case finals(above: UInt64)
        case compare(Divergence)
    }

    private enum KeyErrand: Sendable {
        case find(PublicKey)
        case holds(PublicKey)
    }

    private enum Posting: Sendable {
        case post([Vote])
        case look(for: [OrganisationID], heights: ClosedRange<UInt64>)
    }

    public let blocks: BlockStore
    private let ordering: any Ordering
    private let signatures: SignaturePool
    private let surroundings: Surroundings

    /// Events that may wait. Clients and votes are refused beyond it; what the node itself has under way is few, and
    /// never refused.
    private static let eventsMax = 131_072
    private static let submissionsWaitingMax = 65_536
    private static let readBytesMax = 8 << 20
    /// Beyond it no certificate is asked for: the core wants it again after a while. It wants blocks once at a time.
    private static let asksMax = 4

    private let events = Mailbox<Event>(countMax: eventsMax)
    /// Bounded by what the core lets be under way (``NodeCore/uncommittedMax``; one append, one read, one trim), and so
    /// never refused: a write that was dropped would leave a hole in the directory.
    private let writes = Mailbox<Write>(countMax: 0)
    private let orders = Mailbox<Order>(countMax: 0)
    private let asks = Mailbox<Ask>(countMax: asksMax)
    /// Beyond it nothing is put up or looked for: the core wants both again after a while.
    private static let postingsMax = 4
    private let postings = Mailbox<Posting>(countMax: postingsMax)
    /// Beyond it a key is asked for again after a while; that one holds is said once.
    private static let errandsMax = 4
    private let errands = Mailbox<KeyErrand>(countMax: errandsMax)
    private let requests: Locked<Requests>
    private let shared: Locked<NodeCore.Status>
    private let threads = Locked<[WorkerThread]>([])

    private struct Requests: Sendable {
        var next: UInt64 = 1
        var waiting: [UInt64: @Sendable (Answer) -> Void] = [:]
        var halted = false
    }

    /// Starts a node on its directory.
    /// - Parameters:
    ///   - core: as ``NodeCore/open(store:genesis:configuration:epoch:logHead:now:)`` gives it.
    ///   - effects: the first things that it wants done.
    public init(
        _ core: consuming NodeCore, _ effects: [Effect], blocks: BlockStore, ordering: any Ordering,
        signatures: SignaturePool,
        surroundings: Surroundings = Surroundings()
    ) {
        self.blocks = blocks
        self.ordering = ordering
        self.signatures = signatures
        self.surroundings = surroundings
        requests = Locked(Requests())
        shared = Locked(core.status)
        // Handed over and not kept: a second reference would have the thread copy every table before its first change.
        let handedOver = Locked<NodeCore?>(core)
        ordering.onWake { [events] in events.insist(.wake) }
        let board = surroundings.board.map { board in
            WorkerThread("node-board") { [self] in useBoard(board) }
        }
        let keys = surroundings.keys.map { keys in
            WorkerThread("node-keys") { [self] in tend(keys) }
        }
        let started = [
            WorkerThread("node-writer") { [self] in writeAll() },
            WorkerThread("node-order") { [self] in orderAll() },
            WorkerThread("node-peers") { [self] in askAll() },
            WorkerThread("node-core") { [self] in
                if let core = handedOver.withLock({ $0.take() }) { run(core, effects) }
            },
        ]
        threads.withLock { $0 = [board, keys].compactMap(\.self) + started }
    }

    public var status: NodeCore.Status { shared.withLock { $0 } }

    /// Takes a transaction up; `done` is called once, from a thread of the node.
    public func submit(_ transaction: Transaction, done: @escaping @Sendable (Answer) -> Void) {
        ask(done) { .submit(transaction, request: $0) }
    }

    /// Takes a transaction up and waits for its certified receipt, or a refusal. Blocks the calling thread.
    public func submit(_ transaction: Transaction) -> Answer {
        let waiter = Waiter<Answer>()
        submit(transaction) { waiter.fulfil($0) }
        return waiter.wait() ?? .refused(.halted)
    }

    /// Asks for the signed word that a transaction, submitted before, was taken up; `done` is called once, from a
    /// thread of the node.
    public func promise(_ envelope: Digest, done: @escaping @Sendable (Answer) -> Void) {
        ask(done) { .promise(envelope, request: $0) }
    }

    /// Proves a holding at the newest committed height; `done` is called once, from a thread of the node.
    public func prove(_ account: AccountID, _ unit: UnitCode, done: @escaping @Sendable (Answer) -> Void) {
        ask(done) { .prove(account: account, unit: unit, request: $0) }
    }

    /// A proof of a holding at the newest committed height. Blocks until there is one.
    public func prove(_ account: AccountID, _ unit: UnitCode) -> Answer {
        let waiter = Waiter<Answer>()
        prove(account, unit) { waiter.fulfil($0) }
        return waiter.wait() ?? .refused(.halted)
    }

    private func ask(_ done: @escaping @Sendable (Answer) -> Void, _ event: (UInt64) -> Event) {
        let request = requests.withLock { requests -> UInt64? in
            guard !requests.halted, requests.waiting.count < Self.submissionsWaitingMax else { return nil }
            defer { requests.next += 1 }
            requests.waiting[requests.next] = done
            return requests.next
        }
        guard let request else { return done(.refused(status.halted == nil ? .poolFull : .halted)) }
        if !events.post(event(request)) { answer(request, .refused(.poolFull)) }
    }

    private func answer(_ request: UInt64, _ answer: Answer) {
        requests.withLock { $0.waiting.removeValue(forKey: request) }?(answer)
    }

    /// Takes a peer's vote. A vote that finds no room is sent again by its maker.
    public func take(_ vote: Vote) { events.post(.vote(vote)) }

    /// Stops after the step in hand and closes the directory. What was not answered gets `halted`.
    public func stop() {
        events.close()
        let running = threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        guard !running.isEmpty else { return }
        running[running.count - 1].join()
        writes.close()
        orders.close()
        asks.close()
        postings.close()
        errands.close()
        for thread in running.dropLast() { thread.join() }
        let waiting = requests.withLock { requests in
            requests.halted = true
            defer { requests.waiting = [:] }
            return requests.waiting.values
        }
        for done in waiting { done(.refused(.halted)) }
        blocks.store.close()
    }

    // MARK: The core's thread

    private func run(_ core: consuming NodeCore, _ first: [Effect]) {
        var wakeAt = carryOut(first)
        while true {
            let now = surroundings.clock()
            let wait = wakeAt.map { $0 > now ? $0 - now : 0 }
            guard let events = events.take(within: wait) else { return }
            let effects = core.step(events.isEmpty ? [.tick] : events, now: surroundings.clock())
            // Whoever gets an answer finds the status at its height.
            let status = core.status
            shared.withLock { $0 = status }
            wakeAt = carryOut(effects)
        }
    }

    /// Carries out effects in order; answers when to step again.
    private func carryOut(_ effects: [Effect]) -> UInt64? {
        var wakeAt: UInt64?
        // Handed over together: waking the pool for each would cost as much as the check.
        var unchecked: [SignaturePool.Unchecked] = []
        for case .verify(let transactions) in effects { unchecked += transactions }
        signatures.verify(unchecked, reader: { [blocks] in blocks.rowsAhead(of: $0) }) { [events] in
            events.insist(.signatures($0))
        }
        for effect in effects {
            switch effect {
            case .verify: break
            case .append(let bytes, let position): orders.insist(.append(bytes, position: position))
            case .read(let from, let max): orders.insist(.read(from: from, max: max))
            case .trim(let position): orders.insist(.trim(below: position))
            case .lock(let batch, let height): writes.insist(.lock(batch, height: height))
            case .commit(let batch, let height): writes.insist(.commit(batch, height: height))
            case .send(let vote):
                surroundings.send(vote)
                surroundings.crashPoint(.afterSend)
            case .post(let votes): if surroundings.board != nil { postings.post(.post(votes)) }
            case .look(let validators, let heights):
                if surroundings.board != nil { postings.post(.look(for: validators, heights: heights)) }
            case .fetch(let height): asks.post(.certificate(above: height))
            case .fetchFinals(let height): asks.insist(.finals(above: height))
            case .findKey(let key): if surroundings.keys != nil { errands.post(.find(key)) }
            case .keyHolds(let key): if surroundings.keys != nil { errands.insist(.holds(key)) }
            case .compare(let divergence): asks.insist(.compare(divergence))
            case .answer(let request, let answer):
                surroundings.crashPoint(.beforeAnswer)
                self.answer(request, answer)
            case .certified(let block): surroundings.certified(block)
            case .wakeAt(let time): wakeAt = time
            case .halt(let reason): surroundings.halted(reason)
            }
        }
        return wakeAt
    }

    // MARK: The writer's thread

    private func writeAll() {
        /// When the oldest rows came that wait in memory.
        var waitingSince: ContinuousClock.Instant?
        while let batch = writes.take(within: waitingSince == nil ? nil : Self.tablesBehindMaxMilliseconds) {
            do throws(StorageError) {
                for write in batch {
                    switch write {
                    case .lock(let batch, let height):
                        surroundings.crashPoint(.beforeLock)
                        try blocks.store.write(batch, synced: true)
                        surroundings.crashPoint(.afterLock)
                        events.insist(.locked(height: height))
                    case .commit(let batch, let height):
                        surroundings.crashPoint(.beforeCommit)
                        try blocks.store.write(batch, synced: false)
                        surroundings.crashPoint(.afterCommit)
                        waitingSince = waitingSince ?? .now
                        events.insist(.committed(height: height))
                    }
                }
                if let since = waitingSince, since.duration(to: .now) >= Self.tablesBehindMax {
                    try blocks.store.writeDown()
                    waitingSince = nil
                }
            } catch {
                // Nothing after a failed write may be written: the order of writes is what a start relies on.
                events.insist(.failed(error))
                return
            }
        }
    }

    /// How long the tables' rows may wait in memory. Who reads the directory beside this node sees them that late, and
    /// what waited is executed again after a crash.
    private static let tablesBehindMaxMilliseconds: UInt64 = 1000
    private static let tablesBehindMax = Duration.milliseconds(tablesBehindMaxMilliseconds)

    // MARK: The order's thread

    private func orderAll() {
        while let batch = orders.take(within: nil) {
            for order in batch {
                switch order {
                case .append(let bytes, let position):
                    surroundings.crashPoint(.beforeAppend)
                    let result = ordering.append(bytes, at: position)
                    surroundings.crashPoint(.afterAppend)
                    events.insist(.appended(position: position, result))
                case .trim(let position): try? ordering.trim(below: position)
                case .read(let from, let max):
                    do throws(OrderingError) {
                        events.insist(.log(try ordering.read(from: from, max: max, bytesMax: Self.readBytesMax)))
                    } catch {
                        events.insist(.logFailed(error))
                    }
                }
            }
        }
    }

    // MARK: The keys' thread

    /// Opening a sealed key takes long, so it holds up nobody here.
    private func tend(_ keys: any VotingKeys) {
        while let batch = errands.take(within: nil) {
            for errand in batch {
                switch errand {
                case .find(let key): if let found = keys.find(key) { events.insist(.votingKey(found)) }
                case .holds(let key): keys.holds(key)
                }
            }
        }
    }

    // MARK: The board's thread

    private func useBoard(_ board: any VoteBoard) {
        while let batch = postings.take(within: nil) {
            for posting in batch {
                switch posting {
                case .post(let votes):
                    // What keeps it from being put up, the board's own condition says.
                    try? board.put(votes.map { PostedVote(height: $0.height, bytes: $0.canonicalBytes) })
                case .look(let validators, let heights):
                    for validator in validators {
                        // Where one cannot be asked for, nobody can.
                        guard let found = try? board.votes(of: validator.number, heights: heights) else { break }
                        for posted in found.prefix(heights.count) {
                            if let vote = Vote(posted, by: validator) { events.post(.vote(vote)) }
                        }
                    }
                }
            }
        }
    }

    // MARK: The peers' thread

    private func askAll() {
        var open: Divergence?
        while let batch = asks.take(within: open == nil ? nil : Self.compareEveryMilliseconds) {
            for ask in batch {
                switch ask {
                case .certificate(let height):
                    if let certificate = surroundings.fetch(height) { events.insist(.certificate(certificate)) }
                case .finals(let height): events.insist(.finals(surroundings.finals(height)))
                case .compare(let divergence): open = divergence
                }
            }
            if let divergence = open, let difference = surroundings.difference(divergence) {
                events.insist(.differs(difference))
                open = nil
            }
        }
    }

    /// Peers may need a moment to have in their tables what they certified.
    private static let compareEveryMilliseconds: UInt64 = 500
}

extension Vote {
    /// What stands on a board, where it can be what its place says that it is. Whether it holds is still to be seen.
    fileprivate init?(_ posted: PostedVote, by validator: OrganisationID) {
        guard let vote = try? Vote(canonicalBytes: posted.bytes), vote.validator == validator,
            vote.height == posted.height
        else { return nil }
        self = vote
    }
}
