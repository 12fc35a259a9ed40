import Canonical
import Chain
import Crypto
import Ledger
import Node
import Ordering
import Simulation
import Storage

/// Nodes over one order, without faults but those that a test makes: everything happens at once and in order, time
/// passes when told.
final class Stage {
    let cast: Cast
    var log = SimulatedLog()
    var members: [Member] = []
    /// The epoch in which members open, and how that began where it is not the first.
    lazy var epoch = OrderingEpoch(genesis: cast.genesis)
    var epochChange: EpochChange?
    /// The clock of all of them.
    var now = Cast.genesisTime + 1000
    /// Whether a vote reaches a member.
    var carries: (Vote, _ to: Int) -> Bool = { _, _ in true }
    /// Whether votes can be put up beside the order, and what stands there.
    var hasBoard = false
    var board: [OrganisationID: [UInt64: Vote]] = [:]
    /// Members without a key, that only follow.
    var followers: Set<Int> = []
    /// Whether a member hears that something was ordered.
    var wakes: (Int) -> Bool = { _ in true }
    /// Whether a member's tables are written now, or later by ``writeTables(of:)``.
    var commits: (Int) -> Bool = { _ in true }
    private var unwritten: [(member: Int, batch: WriteBatch, height: UInt64)] = []
    /// The voting keys in a member's directory; the one with which it begins where nothing is said.
    var keyFiles: [Int: [SecretKey]] = [:]
    /// Whether a member finds the keys that it asks for.
    var findsKeys: (Int) -> Bool = { _ in true }
    /// What is unusual about how the nodes run.
    var configure: (inout NodeCore.Configuration) -> Void = { _ in }
    /// What a peer answers to a member that is behind; what the first one that runs has, unless a test says otherwise.
    lazy var finals: (_ member: Int, _ above: UInt64) -> [FinalBlocks] = { [unowned self] member, height in
        guard let peer = members.indices.first(where: { $0 != member && members[$0].core != nil }) else { return [] }
        return (try? BlockStore(members[peer].disk).finals(above: height)) ?? []
    }
    /// What becomes of a member's write of block and lock.
    var lockFate: (_ member: Int, _ height: UInt64) -> LockFate = { _, _ in .done }
    /// Appends that found their position taken.
    private(set) var appendsInVain = 0
    private var inbox: [(member: Int, life: Int, event: Event)] = []
    private var requests: UInt64 = 0
    private var nonces: UInt64 = 500_000

    enum LockFate {
        case done
        /// The power goes before anything is written.
        case lost
        /// The power goes when it is durable, before anybody is told.
        case unsaid
    }

    final class Member {
        var disk = SimulatedDisk()
        var core: NodeCore?
        var life = 0
        var wakeAt: UInt64?
        /// All that ever left it, under any process.
        var sent: [Vote] = []
        var answers: [UInt64: Answer] = [:]
        var certified: [CertifiedBlock] = []
        var halted: Halt?
        /// Keys of which it said that they hold from there on.
        var held: [PublicKey] = []
        var steps = 0
    }

    init(
        validators: Int = 4, applicants: Int = 0, opening: Bool = true,
        rules: UInt32 = Genesis.rulesVersionsKnown.upperBound
    ) throws {
        cast = Cast(validators: validators, applicants: applicants, rules: rules)
        members = (0..<validators + applicants).map { _ in Member() }
        if opening {
            for index in members.indices { try open(index) }
            run()
        }
    }

    func open(_ index: Int) throws {
        let member = members[index]
        var configuration = NodeCore.Configuration(
            validator: cast.organisation(index),
            votingKeys: followers.contains(index) ? [] : keyFiles[index] ?? [cast.votingKeys[index]])
        configure(&configuration)
        let (core, effects) = try NodeCore.open(
            store: member.disk, genesis: cast.genesis, configuration: configuration,
            epoch: epoch, begunBy: epochChange, logHead: log.head, now: now)
        member.core = core
        member.life += 1
        carryOut(effects, index)
    }

    func kill(_ index: Int) {
        var random = SeededRandom(seed: 1)
        _ = members[index].disk.crash(&random)
        members[index].core = nil
        members[index].wakeAt = nil
    }

    func post(_ event: Event, to index: Int) { inbox.append((index, members[index].life, event)) }

    @discardableResult
    func submit(_ transaction: Transaction, to index: Int) -> UInt64 {
        requests += 1
        post(.submit(transaction, request: requests), to: index)
        run()
        return requests
    }

    /// Puts bytes in the order as somebody outside would.
    func order(_ bytes: [UInt8]) {
        precondition(log.append(bytes, at: log.head + 1) == .appended, "the next position is free")
        for index in members.indices where wakes(index) { post(.wake, to: index) }
        run()
    }

    /// An entry at the next position, signed by a validator's key.
    func entry(_ transactions: [Transaction], certificate: Certificate? = nil, by index: Int = 0) -> [UInt8] {
        Entry(
            position: log.head + 1, previous: log.entries.last.map { Entry.hash(raw: $0) } ?? cast.genesisHash,
            proposer: cast.organisation(index), certificate: certificate, transactions: transactions
        ).signed(genesis: cast.genesisHash, key: cast.votingKeys[index])
    }

    /// Whether events that wait one behind the other for one member are taken in one step, as a busy node takes them.
    var together = false

    /// All that follows at this moment.
    func run() {
        while let next = inbox.first {
            let count = together ? inbox.prefix { $0.member == next.member && $0.life == next.life }.count : 1
            let events = inbox.prefix(count).map(\.event)
            inbox.removeFirst(count)
            let member = members[next.member]
            guard member.core != nil, member.life == next.life else { continue }
            member.steps += 1
            carryOut(member.core!.step(events, now: now), next.member)
        }
    }

    /// Time passes, and nodes are woken as they wished.
    func pass(_ milliseconds: UInt64) {
        let end = now + milliseconds
        while let at = members.compactMap(\.wakeAt).min(), at <= end {
            now = max(now, at)
            for (index, member) in members.enumerated() where member.wakeAt.map({ $0 <= now }) ?? false {
                member.wakeAt = nil
                post(.tick, to: index)
            }
            run()
        }
        now = max(now, end)
    }

    private func carryOut(_ effects: [Effect], _ index: Int) {
        let member = members[index]
        for effect in effects where member.core != nil {
            switch effect {
            case .verify(let unchecked):
                let results = unchecked.map {
                    SignaturePool.Checked($0, verify: $0.transaction.signaturesVerify(genesis: cast.genesisHash))
                }
                post(.signatures(results), to: index)
            case .append(let bytes, let position):
                let result = log.append(bytes, at: position)
                if result == .taken { appendsInVain += 1 }
                post(.appended(position: position, result), to: index)
                if result == .appended {
                    for other in members.indices where wakes(other) { post(.wake, to: other) }
                }
            case .read(let from, let max):
                let isThere = from >= log.floor
                post(isThere ? .log(log.read(from: from, max: max)) : .logFailed(.belowFloor(log.floor)), to: index)
            case .trim(let position): log.trim(below: position)
            case .lock(let batch, let height):
                switch lockFate(index, height) {
                case .lost: kill(index)
                case .unsaid:
                    try? member.disk.write(batch, synced: true)
                    kill(index)
                case .done:
                    try? member.disk.write(batch, synced: true)
                    post(.locked(height: height), to: index)
                }
            case .commit(let batch, let height):
                guard commits(index) else {
                    unwritten.append((index, batch, height))
                    continue
                }
                try? member.disk.write(batch, synced: false)
                post(.committed(height: height), to: index)
            case .send(let vote):
                member.sent.append(vote)
                for other in members.indices where other != index && carries(vote, other) {
                    post(.vote(vote), to: other)
                }
            case .post(let votes):
                if hasBoard { for vote in votes { board[vote.validator, default: [:]][vote.height] = vote } }
            case .look(let validators, let heights):
                for vote in validators.flatMap({ id in heights.compactMap { board[id]?[$0] } }) {
                    post(.vote(vote), to: index)
                }
            case .fetch(let height):
                for (other, peer) in members.enumerated() where other != index && peer.core != nil {
                    if let found = try? BlockStore(peer.disk).certificate(above: height) {
                        post(.certificate(found), to: index)
                        break
                    }
                }
            case .fetchFinals(let height): post(.finals(finals(index, height)), to: index)
            case .findKey(let key):
                if findsKeys(index), let found = keyFiles[index]?.first(where: { $0.publicKey == key }) {
                    post(.votingKey(found), to: index)
                }
            case .keyHolds(let key): member.held.append(key)
            case .compare(let divergence):
                for other in members.indices where other != index {
                    guard
                        let there = try? BlockStore(members[other].disk).block(certifiedAt: divergence.header.height),
                        let difference = divergence.difference(
                            from: there.header, roots: there.roots, shownBy: cast.organisation(other))
                    else { continue }
                    post(.differs(difference), to: index)
                    break
                }
            case .answer(let request, let answer): member.answers[request] = answer
            case .certified(let block): member.certified.append(block)
            case .wakeAt(let time): member.wakeAt = time
            case .halt(let reason): member.halted = reason
            }
        }
    }

    /// Writes what ``commits`` held back of a member.
    func writeTables(of index: Int) {
        for write in unwritten where write.member == index {
            try? members[index].disk.write(write.batch, synced: false)
            post(.committed(height: write.height), to: index)
        }
        unwritten.removeAll { $0.member == index }
        run()
    }

    // MARK: Looking

    func status(_ index: Int) -> NodeCore.Status { members[index].core!.status }

    func receipt(_ request: UInt64, at index: Int) -> (receipt: Receipt, place: Place)? {
        guard case .receipt(let receipt, let place)? = members[index].answers[request] else { return nil }
        return (receipt, place)
    }

    func header(_ height: UInt64, at index: Int) throws -> Header? {
        try BlockStore(members[index].disk).header(height)
    }

    /// Heights of which a member said two things.
    func saidTwice(_ index: Int) -> [UInt64] {
        var said: [UInt64: Vote] = [:]
        var twice: [UInt64] = []
        for vote in members[index].sent {
            if let before = said[vote.height], before != vote { twice.append(vote.height) }
            said[vote.height] = vote
        }
        return twice
    }

    func vote(_ header: Digest, height: UInt64, by index: Int, later: UInt64 = 0) -> Vote {
        Vote(
            signing: header, height: height, epoch: 0, time: now + later, genesis: cast.genesisHash,
            validator: cast.organisation(index), key: cast.votingKeys[index])
    }

    /// Programs and accounts, so that people can earn.
    func found() {
        for transaction in cast.foundation(validUntil: now + 60_000) { submit(transaction, to: 0) }
    }

    /// One person earns; a new order each time.
    func earning(_ order: UInt8, amount: UInt64 = 10, validFor: UInt64 = 60_000) -> Transaction {
        let line = AccrualLine(
            account: cast.people[0].id, key: NaturalKey(source: SourceID("till")!, order: [order]), amount: amount,
            pending: false)
        return cast.issue(
            0, nonce: 10_000 + UInt64(order), validUntil: now + validFor,
            [.accrue(AccrueList(unit: cast.units[0], lines: [line]))])
    }

    func balance(_ person: Int, at index: Int) throws -> UInt64 {
        try BlockStore(members[index].disk).holding(cast.people[person].id, cast.units[0])?.summary.available ?? 0
    }
}

/// What the members decide.
extension Stage {
    private func govern(_ organisation: Int, _ operation: Operation) throws -> (receipt: Receipt, place: Place) {
        nonces += 1
        let transaction = cast.govern(organisation, nonce: nonces, validUntil: now + 60_000, operation)
        let at = members.indices.first { members[$0].core != nil && status($0).isVoter(cast.organisation($0)) }!
        let request = submit(transaction, to: at)
        // Where other validators take over, the next entry waits for a certificate.
        if members[at].answers[request] == nil { pass(2_000) }
        guard let found = receipt(request, at: at) else { throw Undecided() }
        return found
    }

    struct Undecided: Error {}

    /// Proposes by the first of these and approves by the others; answers where it was carried.
    @discardableResult
    func decide(_ decision: Decision, by organisations: [Int]) throws -> Place {
        var (receipt, place) = try govern(
            organisations[0], .propose(decision, by: cast.organisation(organisations[0])))
        guard case .proposal(let id, var carried)? = receipt.outcomes.first else { throw Undecided() }
        for organisation in organisations.dropFirst() where !carried {
            (receipt, place) = try govern(organisation, .approve(id, by: cast.organisation(organisation)))
            guard case .proposal(_, let now)? = receipt.outcomes.first else { throw Undecided() }
            carried = now
        }
        guard carried else { throw Undecided() }
        return place
    }
}

extension NodeCore.Status {
    func isVoter(_ id: OrganisationID) -> Bool { validators[id] != nil }
}
