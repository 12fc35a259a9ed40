public import Chain
public import Crypto
public import Ledger
public import Ordering
public import Storage

/// A node's decisions as one value: events go in, effects come out. Threads, clock, files and the order lie outside, so
/// that many nodes can run in one thread from a seed.
///
/// The way of a transaction: admit (signatures checked once) → order → execute → lock (synced) → vote → certify →
/// commit → answer.
public struct NodeCore: Sendable {
    /// How a node runs. Limits bound every queue.
    public struct Configuration: Sendable {
        public var validator: OrganisationID
        /// Those that are there: the present one, and one that is to take its place or has just done so. None: it
        /// follows and does not vote or propose.
        public var votingKeys: [SecretKey]
        /// The versions of the rules by which it executes: those of the program, or fewer.
        public var rulesKnown = Genesis.rulesVersionsKnown
        /// Distance from one's turn is worth this much waiting after a lost append.
        public var stepMilliseconds: UInt64 = 1
        public var poolTransactionsMax = 65_536
        public var poolBytesMax = 128 << 20
        public var inFlightPerSenderMax = 8192
        /// Signature results that are kept.
        public var signaturesKeptMax = 262_144
        public var readEntriesMax = 16
        /// Whose turn it is to let the order forget: the proposer of a position divisible by this.
        public var trimEvery: UInt64 = 256
        /// Bytes of entries that the order keeps for a validator that does not vote.
        public var ringBytesMax = 512 << 20
        /// How votes are counted.
        public var votes: any VoteCounting = Votes()

        public init(validator: OrganisationID, votingKey: SecretKey?) {
            self.init(validator: validator, votingKeys: votingKey.map { [$0] } ?? [])
        }

        public init(validator: OrganisationID, votingKeys: [SecretKey]) {
            self.validator = validator
            self.votingKeys = votingKeys
        }
    }

    /// Heights beyond the newest certified one that are executed and voted on: as many as one certificate makes final.
    public static let uncertifiedMax = UInt64(FinalBlocks.countMax)
    /// Heights beyond the one at which the tables stand that are executed, so that a disk that falls behind holds this
    /// node back rather than fill its memory. Far below ``StateTree/versionsMax``: the tables' height stays provable.
    public static let uncommittedMax: UInt64 = 32
    /// Heights beyond the newest executed one of which votes are kept.
    static let votesAheadMax: UInt64 = 16
    /// Without a certificate for this long, an empty entry goes first, so that block time is fresh.
    static let clockStaleMilliseconds: UInt64 = 5000
    /// When nothing was ordered for this long, the validator whose turn it is orders an empty entry, the next after
    /// another second.
    static let idleMilliseconds: UInt64 = 5000
    static let idleStepMilliseconds: UInt64 = 1000
    static let resendMilliseconds: UInt64 = 1000
    /// Without a certificate for this long, votes are put on the ``VoteBoard`` too, and looked for there.
    static let boardMilliseconds: UInt64 = 1000
    static let logRetryMilliseconds: UInt64 = 200
    /// Wake-ups may be lost, so the order is read this long after the last time in any case.
    static let pollMilliseconds: UInt64 = 1000
    /// A clock this far behind the newest certified time does not vote.
    public static let clockBehindMaxMilliseconds: UInt64 = 60_000

    let configuration: Configuration
    let epoch: OrderingEpoch
    /// By which its epoch began, and how; none in the first one.
    let begun: (change: EpochChange, start: EpochChange.Start)?
    /// Whether the entry at a position may carry it.
    var begunAt: (position: UInt64, mayCarry: Bool)?
    var executor: Executor
    /// Reads a certified row, and the hash of a stored header.
    let tables: BlockStore
    /// Set by a read that failed during execution.
    let readFailure: @Sendable () -> StorageError?

    // Heights: committed ≤ certified ≤ locked ≤ executed.
    public internal(set) var certified: UInt64
    public internal(set) var committed: UInt64
    public var executed: UInt64 { executor.head.height }
    /// Executed blocks from `committed + 1` on.
    var blocks: [UInt64: Executed] = [:]
    /// Hashes of own headers that certificates to come may name.
    var headerHashes: [UInt64: Digest] = [:]
    var newestCertificate: Certificate?
    var committedCertificate: Certificate?
    /// Certificates of heights that are being committed.
    var certificates: [UInt64: Certificate] = [:]
    var committedHeader: Header
    /// Own clock when the newest certificate came.
    var certifiedAt: UInt64
    /// Heights up to this one are not voted on: a validator without its own locks may have voted there before.
    var voteFloor: UInt64

    struct Executed: Sendable {
        let block: Executor.Block
        /// Of its transactions.
        let tickets: [Pool.Ticket]
        /// None: this node did not vote on it, yet.
        var lock: Vote?
        var isLocked: Bool
    }

    /// An entry with what is known of its signatures. Kept apart from ``SignatureMemory``, which forgets: an entry may
    /// have to wait for long.
    struct Awaiting: Sendable {
        let decoded: Executor.Decoded
        /// Of each transaction: whether its signatures match, as far as that is known.
        var verify: [Bool]
        /// Of each transaction that was here when the entry was read.
        var tickets: [Pool.Ticket?]
        /// Being checked: where in the entry they stand.
        var unknown: [Digest: [Int]]

        mutating func note(_ envelope: Digest, _ verify: Bool) {
            for index in unknown.removeValue(forKey: envelope) ?? [] { self.verify[index] = verify }
        }
    }

    struct Appending: Sendable {
        let position: UInt64
        let bytes: [UInt8]
        let entry: Entry
        /// Of its transactions.
        let tickets: [Pool.Ticket]
        /// When it was handed to the order.
        let since: UInt64
        /// No answer came: reading the position tells what happened.
        var isUnknown = false
    }

    /// The clock as the last event brought it.
    var clock: UInt64

    // Reading the order.
    var incoming: [(position: UInt64, bytes: [UInt8])] = []
    /// The next entry, until it may be executed.
    var awaiting: Awaiting?
    var isReading = false
    var readAgain = false
    var logRetryAt: UInt64?
    /// Since when transactions that were taken up here have waited without any of them being ordered.
    var waitingSince: UInt64?
    var isFirstRead = true
    /// The order has let go of the newest executed position, so that it cannot be looked at there.
    var isHeadGone = false
    /// Final blocks that a peer sent, because the order does not have them any more.
    var finals: [FinalBlocks] = []
    var isFetchingFinals = false
    /// Of the blocks in hand that a peer sent.
    var finalCertificate: Certificate?
    /// When the order was last read, and what was executed then.
    var readAt: UInt64 = 0
    var executedAtRead: UInt64 = 0

    // Standing.
    /// The highest position that was seen in the order.
    var logHead: UInt64 = 0
    /// Since when something stands above the newest certified height, and which height that was.
    var uncertified: (since: UInt64, above: UInt64)?

    // Letting the order forget.
    /// The highest height that each validator is known to have voted on: its vote says that it has stored it.
    var votedTo: [OrganisationID: UInt64] = [:]
    var ring = RingSize()

    // Proposing.
    var appending: Appending?
    var retryAt: UInt64 = 0
    /// An append found this position taken: until it is read and executed there is nothing to append to.
    var takenAt: UInt64 = 0
    /// Up to this position each is left to whose turn it is, for a while.
    var takesTurnsTo: UInt64 = 0
    /// How long the last append took until it was known what came of it.
    var appendMilliseconds: UInt64 = 0
    var lastEntryAt: UInt64

    // Admission.
    var pool = Pool()
    var signatures = SignatureMemory()
    /// Rows read ahead, by envelope, and the order in which they came; those that were used are no longer there.
    var ahead: [Digest: RowsAhead] = [:]
    var aheadOrder: [Digest] = []
    /// Transactions of which rows are kept: twice as many as wait in a busy pool for their entry.
    static let aheadMax = 16
    /// Who wants a promise of what is not known to be signed well yet, by envelope.
    var promiseRequests: [Digest: [UInt64]] = [:]
    var proofRequests: [(account: AccountID, unit: UnitCode, request: UInt64)] = []

    // Voting.
    /// Verified votes on heights that are not certified.
    var votes: any VoteCounting
    var sentAt: UInt64 = 0
    /// Why this node does not sign any more.
    public internal(set) var signingStopped: String?
    /// The newest votes that were made here, by height: a certificate that has another one shows a twin.
    var ownVotes: [UInt64: Vote] = [:]
    static let ownVotesMax: UInt64 = 64
    /// This node's voting keys, oldest first.
    var keys: [KeyPair]
    /// The one that the chain lists, where it is not among them.
    var missing: MissingKey?
    /// The one that was last said to hold.
    var keyHeld: PublicKey?
    /// The order's head when this node began: up to there its votes may be those of a former life, of which a directory
    /// that came from a copy does not know.
    var headAtStart: UInt64 = 0
    /// Whether it voted on the newest height.
    var wasVoter = false
    /// Contradictions that the chain does not know of yet.
    var accusations: [Accusation] = []
    static let accusationsMax = 64

    public internal(set) var halted: Halt?
    var effects: [Effect] = []

    /// A block that was stored and not yet committed, to be executed again.
    public struct Stored: Sendable {
        public let raw: [UInt8]
        public let header: Header
        public let lock: Vote?

        public init(raw: [UInt8], header: Header, lock: Vote?) {
            self.raw = raw
            self.header = header
            self.lock = lock
        }
    }

    /// A node as its directory leaves it.
    /// - Parameters:
    ///   - executor: at the tables' height.
    ///   - certificate: of that height.
    ///   - voteFloor: the height up to which this validator may have voted without its directory knowing.
    public init(
        configuration: Configuration, epoch: OrderingEpoch, executor: Executor, certificate: Certificate?,
        begunBy change: EpochChange? = nil, tables: BlockStore, voteFloor: UInt64, now: UInt64,
        readFailure: @escaping @Sendable () -> StorageError?
    ) {
        self.configuration = configuration
        self.epoch = epoch
        begun = change.flatMap { change in (try? change.start()).map { (change, $0) } }
        self.executor = executor
        self.tables = tables
        self.readFailure = readFailure
        certified = executor.head.height
        committed = executor.head.height
        committedHeader = executor.head
        newestCertificate = certificate
        committedCertificate = certificate
        certifiedAt = min(now, certificate?.medianTime ?? executor.head.time)
        self.voteFloor = voteFloor
        headerHashes[executor.head.height] = executor.head.hash
        lastEntryAt = now
        clock = now
        votes = configuration.votes
        keys = configuration.votingKeys.map { KeyPair($0) }
        lookForKey(now)
    }

    /// Takes one event and says what is to be done.
    public mutating func step(_ event: Event, now: UInt64) -> [Effect] { step([event], now: now) }

    /// Takes events that came together, in order, and says what is to be done. What follows from the state alone is
    /// looked for once, after all of them: a thousand transactions that wait become one entry, not many.
    public mutating func step(_ events: [Event], now: UInt64) -> [Effect] {
        effects = []
        note(clock: now)
        for event in events { take(event, now) }
        advance(now)
        return effects
    }

    private mutating func take(_ event: Event, _ now: UInt64) {
        if halted != nil {
            switch event {
            case .submit(_, let request), .promise(_, let request), .prove(_, _, let request):
                effects.append(.answer(request: request, .refused(.halted)))
            case .differs(let difference): explain(difference)
            default: break
            }
            return
        }
        switch event {
        case .submit(let transaction, let request): admit(transaction, request, now)
        case .promise(let envelope, let request): promise(envelope, request, now)
        case .signatures(let results): take(results, now)
        case .wake: read()
        case .log(let range): take(range, now)
        case .logFailed(.belowFloor):
            isReading = false
            if isFirstRead, !isHeadGone {
                // What comes next may still be there, and nowhere else: nobody need have certified it.
                isHeadGone = true
                read()
            } else {
                catchUp()
            }
        case .logFailed: logRetryAt = now + Self.logRetryMilliseconds
        case .finals(let finals): take(finals, now)
        case .appended(let position, let result): appended(position, result, now)
        case .locked(let height): locked(height, now)
        case .committed(let height): committed(height)
        case .vote(let vote): take(vote, now)
        case .certificate(let certificate): take(certificate, now)
        case .votingKey(let key): take(key, now)
        case .prove(let account, let unit, let request):
            proofRequests.append((account, unit, request))
            answerProofs()
        case .failed(let error): halt(.storage(error))
        case .differs, .tick: break
        }
    }

    /// Begins: executes stored blocks again, sends their locks again, reads the order.
    public mutating func start(_ stored: [Stored], now: UInt64) -> [Effect] {
        effects = []
        checkRules()
        if let missing { effects.append(.findKey(missing.key)) }
        noteKeyHolds()
        for block in stored where halted == nil { executeAgain(block, now) }
        if halted == nil {
            read()
            advance(now)
        }
        return effects
    }

    /// What follows from the state alone, after every event.
    private mutating func advance(_ now: UInt64) {
        guard halted == nil else { return }
        if let at = logRetryAt, now >= at {
            logRetryAt = nil
            isReading = false
            read()
        }
        executeIncoming(now)
        guard halted == nil else { return }
        if now >= readAt + Self.pollMilliseconds, !isReading { read() }
        lookForKey(now)
        voteLate(now)
        accuse(now)
        propose(now)
        resend(now)
        noteStanding(now)
        noteWaiting(now)
        scheduleWake(now)
    }

    mutating func halt(_ reason: Halt) {
        halted = reason
        // First: whoever is answered because of it finds the reason.
        effects.append(.halt(reason))
        for request in pool.drain() + proofRequests.map(\.request) + drainPromises() {
            effects.append(.answer(request: request, .refused(.halted)))
        }
        proofRequests = []
    }

    /// A clock that was set back must not leave this node waiting for the time from which it came.
    private mutating func note(clock now: UInt64) {
        if now < clock {
            let back = clock - now
            certifiedAt -= min(back, certifiedAt)
            readAt -= min(back, readAt)
            retryAt -= min(back, retryAt)
            lastEntryAt -= min(back, lastEntryAt)
            sentAt -= min(back, sentAt)
            missing = missing.map {
                MissingKey(
                    key: $0.key, since: $0.since - min(back, $0.since), askedAt: $0.askedAt - min(back, $0.askedAt))
            }
            uncertified = uncertified.map { ($0.since - min(back, $0.since), $0.above) }
            logRetryAt = logRetryAt.map { $0 - min(back, $0) }
            waitingSince = waitingSince.map { $0 - min(back, $0) }
        }
        clock = now
    }

    /// What is due already waits for an event, not for time: it must not wake the node again and again.
    private mutating func scheduleWake(_ now: UInt64) {
        let times: [UInt64] = [
            readAt + Self.pollMilliseconds, sentAt + Self.resendMilliseconds, logRetryAt ?? 0, retryAt, turnAt,
            lastEntryAt + Self.idleMilliseconds + idleTurnMilliseconds,
            pool.hasReady ? lastEntryAt + Self.sharingMilliseconds : 0,
            missing.map { $0.askedAt + Self.keyAskMilliseconds } ?? 0,
        ]
        effects.append(.wakeAt(times.filter { $0 > now }.min() ?? now + Self.pollMilliseconds))
    }
}
