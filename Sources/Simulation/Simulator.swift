import Chain
public import Crypto
import Ledger
import Node
import Ordering
import Storage

/// Nodes, their order, disks, clocks and network, and a bank's clients, in one thread from one seed: the same scenario
/// gives the same run to the last byte. It throws the first ``Violation`` that its ``Checker`` finds.
public final class Simulator {
    public let scenario: Scenario
    public let cast: Cast
    var random: SeededRandom
    var queue = EventQueue<Action>()
    /// Milliseconds since the start, true time.
    var now: UInt64 = 0
    var isStormy = true
    var catchUps = 0
    var log: SimulatedLog
    var epoch: OrderingEpoch
    /// By which it began; none in the first one.
    var epochChange: EpochChange?
    var losses = 0
    /// Votes that were put up.
    var board: [OrganisationID: [UInt64: Vote]] = [:]
    var nodes: [SimulatedNode] = []
    var checker: Checker
    var bank: Bank
    public internal(set) var trace = Trace()

    enum Action {
        /// Something reaches a node; `life` is that of the process it is meant for, nil for whichever runs then.
        case event(node: Int, life: Int?, Event)
        case tick(node: Int, life: Int, order: Int)
        case disk(node: Int, life: Int)
        /// An append reaches the order. Its answer may be lost before or after.
        case append(node: Int, life: Int, [UInt8], position: UInt64, epoch: UInt32)
        case read(node: Int, life: Int, from: UInt64, max: Int)
        case restart(node: Int)
        case jump(node: Int)
        case garbage
        /// The order lets go of old entries.
        case trim
        /// The order is lost.
        case loss
        /// The bank has something new to do.
        case client
        /// A client looks whether its transaction was answered.
        case patience(transaction: Int)
        case calm
    }

    public init(_ scenario: Scenario) {
        self.scenario = scenario
        cast = Cast(validators: scenario.validators, applicants: scenario.changesMembers ? 1 : 0)
        random = SeededRandom(seed: scenario.seed)
        log = SimulatedLog(skips: scenario.planted == .rangeSkipped)
        epoch = OrderingEpoch(genesis: cast.genesis)
        bank = Bank(
            cast: cast, transactions: scenario.transactions, seed: scenario.seed,
            agenda: scenario.changesMembers || scenario.changesKeys
                ? Agenda(
                    cast,
                    .init(
                        members: scenario.changesMembers, suspends: !scenario.hasByzantine, keys: scenario.changesKeys))
                : nil)
        let honest = (0..<scenario.validators - (scenario.hasByzantine ? 1 : 0)).map { [cast] in cast.organisation($0) }
        checker = Checker(
            cast: cast, staying: Set(honest).subtracting(bank.suspended), without: scenario.without)
        for index in 0..<cast.organisations.count {
            nodes.append(
                SimulatedNode(
                    index: index, disk: SimulatedDisk(ignoresSync: scenario.planted == .syncIgnored),
                    driftPerMillion: Int64(random.below(2000)) - 1000, offset: Int64(random.below(400)) - 200))
        }
        if scenario.hasByzantine { nodes[scenario.validators - 1].isByzantine = true }
    }

    /// What a run came to.
    public struct Outcome: Sendable {
        /// Over all that happened, in order.
        public let digest: Digest
        public let height: UInt64
        public let events: Int
        public let crashes: Int
        /// Times that a node was given final blocks by a peer.
        public let catchUps: Int
        public let answered: Int
        /// Times that the order was lost and begun anew.
        public let losses: Int
        /// Sets of validators that there were.
        public let sets: Int
    }

    public func run() throws(Violation) -> Outcome {
        do throws(Failure) {
            try play()
        } catch {
            throw Violation(
                check: error.check, seed: scenario.seed, detail: "at \(now) ms: " + error.detail, trace: trace.last)
        }
        return Outcome(
            digest: trace.digest, height: checker.certifiedMax, events: trace.count,
            crashes: nodes.reduce(0) { $0 + $1.crashes }, catchUps: catchUps, answered: bank.answeredCount,
            losses: losses, sets: checker.setCount)
    }

    private func play() throws(Failure) {
        for node in honest { try open(node) }
        schedule(.client, in: 1)
        schedule(.calm, in: scenario.stormMilliseconds)
        if scenario.faults.clockJumps { scheduleJump() }
        if scenario.faults.garbage { schedule(.garbage, in: random.between(100, 10_000)) }
        if scenario.faults.trims { schedule(.trim, in: random.between(1000, 10_000)) }
        if scenario.faults.losesOrder { scheduleLoss() }
        while let (time, action) = queue.pop() {
            now = max(now, time)
            try perform(action)
            if !isStormy {
                if isSettled { break }
                guard now <= scenario.stormMilliseconds + scenario.calmMillisecondsMax else {
                    throw Failure(.progress, standing)
                }
            }
        }
        try finish()
    }

    var honest: [SimulatedNode] { nodes.filter { !$0.isByzantine } }

    func schedule(_ action: Action, in milliseconds: UInt64) { queue.push(action, at: now + milliseconds) }

    /// How long a message takes now.
    func delay() -> UInt64 {
        guard isStormy else { return random.between(1, 2) }
        if random.chance(perMille: 10) { return random.between(1, scenario.faults.longDelayMilliseconds) }
        return random.between(1, scenario.faults.delayMilliseconds)
    }

    func happens(_ perMille: Int) -> Bool { isStormy && random.chance(perMille: perMille) }

    func note(_ text: @autoclosure () -> String) { trace.note("\(now) \(text())") }

    private func perform(_ action: Action) throws(Failure) {
        switch action {
        case .event(let index, let life, let event):
            let node = nodes[index]
            guard node.core != nil, life == nil || life == node.life else { return }
            try deliver(event, to: node)
        case .tick(let index, let life, let order):
            let node = nodes[index]
            guard node.core != nil, life == node.life, order == node.wakes else { return }
            try deliver(.tick, to: node)
        case .disk(let index, let life):
            let node = nodes[index]
            guard node.core != nil, life == node.life else { return }
            try writeNext(node)
        case .append(let index, let life, let bytes, let position, let epoch):
            // An append names its ring, so one that comes late finds another and changes nothing.
            if epoch == self.epoch.number { reachOrder(index, life, bytes, position) }
        case .read(let index, let life, let from, let max):
            let node = nodes[index]
            guard node.core != nil, life == node.life else { return }
            let event: Event
            if happens(scenario.faults.failedReads) {
                event = .logFailed(.unreachable("simulated"))
            } else if from < log.floor {
                event = .logFailed(.belowFloor(log.floor))
            } else {
                event = .log(log.read(from: from, max: max))
            }
            schedule(.event(node: index, life: life, event), in: delay())
        case .restart(let index):
            if nodes[index].core == nil { try open(nodes[index]) }
        case .jump(let index): jump(nodes[index])
        case .garbage: plantGarbage()
        case .trim: trim()
        case .loss: try loseOrder()
        case .client: try clientActs()
        case .patience(let transaction): losePatience(transaction)
        case .calm: try calm()
        }
    }

    /// One step of a node, its effects carried out, and everything that must hold afterwards.
    func deliver(_ event: Event, to node: SimulatedNode) throws(Failure) {
        note("n\(node.index) \(event.brief)")
        let effects = node.core!.step(event, now: node.clock(now))
        if case .tick = event {
            // The clock of a node and true time are some thousandths apart, so it may be woken a little early.
            node.idleTicks = effects.allSatisfy { $0.brief == nil } ? node.idleTicks + 1 : 0
            if node.idleTicks > 50, !scenario.without.contains(.rests) {
                throw Failure(.rests, "node \(node.index) was woken \(node.idleTicks) times for nothing")
            }
        }
        try carryOut(effects, of: node)
        guard let status = node.core?.status else { return }
        try checker.note(status, of: node.index)
    }
}

/// A check that failed, before it is told where.
struct Failure: Error {
    let check: Check
    let detail: String

    init(_ check: Check, _ detail: String) {
        self.check = check
        self.detail = detail
    }
}

/// One validator: what outlives its processes, and the process that runs now.
final class SimulatedNode {
    let index: Int
    let disk: SimulatedDisk
    var isByzantine = false
    /// None while it is down.
    var core: NodeCore?
    /// Number of the process.
    var life = 0
    var crashes = 0
    /// Only the newest wish to be woken counts.
    var wakes = 0
    var writes: [Write] = []
    /// Generations of its voting key of which its directory has the file.
    var keyFiles = [0]
    /// Times that it was woken and had nothing to do, since it last had.
    var idleTicks = 0
    var offset: Int64
    var driftPerMillion: Int64

    struct Write {
        let batch: WriteBatch
        let synced: Bool
        let done: Event
    }

    init(index: Int, disk: SimulatedDisk, driftPerMillion: Int64, offset: Int64) {
        self.index = index
        self.disk = disk
        self.driftPerMillion = driftPerMillion
        self.offset = offset
    }

    /// Its clock at a true time.
    func clock(_ time: UInt64) -> UInt64 {
        UInt64(Int64(Cast.genesisTime + 1000 + time) + offset + Int64(time) * driftPerMillion / 1_000_000)
    }
}

/// What happened: a digest over all of it, and its end in words.
public struct Trace: Sendable {
    public private(set) var digest = Digest.zero
    public private(set) var last: [String] = []
    public private(set) var count = 0

    public static let linesMax = 120

    mutating func note(_ line: String) {
        digest = SHA256.hash(digest.bytes, Array(line.utf8))
        count += 1
        if last.count == 2 * Self.linesMax { last.removeFirst(Self.linesMax) }
        last.append(line)
    }
}
