import Chain
import Concurrency
import EtcdKit
import Foundation
import Ledger
import Node
import Ordering
import OrderingEtcd
import Simulation
import Storage
import TestSupport
import Testing

/// Four validators, each with a directory, an order's client and a key of its own, over a real etcd cluster. What they
/// say to each other goes by hand instead of over HTTP.
final class Machines {
    let cast = Cast(validators: 4)
    let cluster: EtcdCluster
    private(set) var runners: [NodeRunner] = []
    private(set) var logs: [EtcdLog] = []
    private let signatures: SignaturePool
    private let peers = Locked<[NodeRunner]>([])
    /// Those that nobody reaches, and who reach nobody.
    private let isolated = Locked<Set<Int>>([])
    private let halts = Locked<[Halt]>([])
    private let clock: @Sendable () -> UInt64
    private let nonces = Locked<UInt64>(10_000)

    init(in directory: URL) throws {
        cluster = try EtcdCluster(in: directory)
        // The cast's chain begins at a time of its own.
        let start = wallClockMilliseconds()
        clock = { Cast.genesisTime + 1_000 + wallClockMilliseconds() - start }
        signatures = SignaturePool(genesis: cast.genesisHash)
        let epoch = OrderingEpoch(genesis: cast.genesis)
        let head = try cluster.begin(chain: cast.genesis.chain, epoch: epoch)
        let configuration = cluster.configuration(chain: cast.genesis.chain, hurried: true)
        for index in 0..<4 {
            let log = try EtcdLog(configuration, epoch: epoch)
            logs.append(log)
            var node = NodeCore.Configuration(
                validator: cast.organisation(index), votingKey: cast.votingKeys[index])
            node.stepMilliseconds = 20
            let store = MemoryStore()
            let (core, effects) = try NodeCore.open(
                store: store, genesis: cast.genesis, configuration: node, epoch: log.epoch, logHead: head,
                now: clock())
            var surroundings = NodeRunner.Surroundings()
            surroundings.clock = clock
            // Those whom this one reaches now.
            let others: @Sendable () -> [NodeRunner] = { [peers, isolated] in
                let cut = isolated.withLock { $0 }
                guard !cut.contains(index) else { return [] }
                return peers.withLock { $0 }.enumerated().filter { $0.offset != index && !cut.contains($0.offset) }
                    .map(\.element)
            }
            surroundings.send = { vote in for runner in others() { runner.take(vote) } }
            surroundings.fetch = { height in
                others().lazy.compactMap { try? $0.blocks.certificate(above: height) }.first
            }
            surroundings.finals = { height in
                others().randomElement().flatMap { try? $0.blocks.finals(above: height) } ?? []
            }
            surroundings.halted = { [halts] halt in halts.withLock { $0.append(halt) } }
            runners.append(
                NodeRunner(
                    core, effects, blocks: BlockStore(store),
                    ordering: GatedLog(log) { [isolated] in !isolated.withLock { $0.contains(index) } },
                    signatures: signatures, surroundings: surroundings))
        }
        peers.withLock { $0 = runners }
    }

    func stop() {
        for runner in runners { runner.stop() }
        for log in logs { log.stop() }
        signatures.stop()
    }

    var halted: [Halt] { halts.withLock { $0 } }

    var validUntil: UInt64 { clock() + 250_000 }

    /// Programs and accounts, and points for everybody.
    func found() throws {
        for transaction in cast.foundation(validUntil: validUntil) { try done(transaction, at: 0) }
        for (index, person) in cast.people.enumerated() {
            let line = AccrualLine(
                account: person.id, key: NaturalKey(source: SourceID("till")!, order: [UInt8(index)]), amount: 1_000,
                pending: false)
            let list = AccrueList(unit: cast.units[0], lines: [line])
            try done(cast.issue(0, nonce: nonce(), validUntil: validUntil, [.accrue(list)]), at: index % 4)
        }
    }

    /// Somebody sends a point to the next one.
    func transfer(_ number: Int) -> Transaction {
        let (from, to) = (number % cast.people.count, (number + 1) % cast.people.count)
        return cast.spend(
            from, nonce: nonce(), validUntil: validUntil,
            [.transfer(from: cast.people[from].id, to: cast.people[to].id, unit: cast.units[0], amount: 1)])
    }

    private func nonce() -> UInt64 {
        nonces.withLock { nonce in
            nonce += 1
            return nonce
        }
    }

    private func done(_ transaction: Transaction, at index: Int) throws {
        guard case .receipt(let receipt, _) = runners[index].submit(transaction) else {
            Issue.record("the transaction gets no receipt")
            return
        }
        try #require(receipt.result == .done)
    }

    /// Lets the ring go of old entries, as often as it takes on a busy machine.
    func trim(below position: UInt64) throws {
        for attempt in 1...20 {
            do { return try logs[0].trim(below: position) } catch { if attempt == 20 { throw error } }
        }
    }

    func isolate(_ index: Int) { _ = isolated.withLock { $0.insert(index) } }
    func reconnect(_ index: Int) { _ = isolated.withLock { $0.remove(index) } }

    /// Sends so many transfers to nodes in turn, without waiting.
    func load(_ count: Int, at indices: [Int] = [0, 1, 2, 3]) -> Tally {
        let tally = Tally()
        for number in 0..<count {
            let transaction = transfer(number)
            runners[indices[number % indices.count]].submit(transaction) { tally.note(transaction, $0) }
        }
        return tally
    }

    /// Waits until nothing is under way any more, and everybody has the same.
    func settled(within seconds: Double = 60) throws {
        let deadline = Date(timeIntervalSinceNow: seconds)
        while Date() < deadline {
            let stands = runners.map(\.status)
            if stands.allSatisfy({
                $0.pooled == 0 && $0.committed == $0.executed && $0.committed == stands[0].committed
            }) {
                break
            }
            usleep(50_000)
        }
        let height = runners.map(\.status.committed).min()!
        let headers = try runners.map { try $0.blocks.header(height) }
        #expect(headers.allSatisfy { $0 == headers[0] })
        #expect(halted == [])
        #expect(runners.map(\.status.signingStopped) == [nil, nil, nil, nil])
    }

    /// All points of the first unit, as a node's tables have them.
    func total(at index: Int) throws -> UInt64 {
        try cast.people.reduce(0) { total, person in
            total + (try runners[index].blocks.holding(person.id, cast.units[0])?.available ?? 0)
        }
    }
}

/// An order that cannot be reached while a gate is shut.
private final class GatedLog: Ordering {
    private let log: EtcdLog
    private let isOpen: @Sendable () -> Bool

    init(_ log: EtcdLog, isOpen: @escaping @Sendable () -> Bool) {
        self.log = log
        self.isOpen = isOpen
    }

    var epoch: OrderingEpoch { log.epoch }
    var condition: OrderingCondition { log.condition }

    func append(_ bytes: [UInt8], at position: UInt64) -> AppendResult {
        isOpen() ? log.append(bytes, at: position) : .closed
    }

    func read(from position: UInt64, max: Int, bytesMax: Int) throws(OrderingError) -> LogRange {
        guard isOpen() else { throw .unreachable("the gate is shut") }
        return try log.read(from: position, max: max, bytesMax: bytesMax)
    }

    func readHead() throws(OrderingError) -> UInt64 { try log.readHead() }
    func trim(below position: UInt64) throws(OrderingError) { try log.trim(below: position) }
    func onWake(_ wake: @escaping @Sendable () -> Void) { log.onWake(wake) }
}

/// What became of transactions.
final class Tally: Sendable {
    private struct Counts: Sendable {
        var done: [(id: TransactionID, place: Place)] = []
        var other: [String] = []
    }

    private let counts = Locked(Counts())

    func note(_ transaction: Transaction, _ answer: Answer) {
        counts.withLock { counts in
            if case .receipt(let receipt, let place) = answer, receipt.result == .done {
                counts.done.append((transaction.id, place))
            } else {
                counts.other.append("\(answer)")
            }
        }
    }

    var done: [(id: TransactionID, place: Place)] { counts.withLock { $0.done } }
    var other: [String] { counts.withLock { $0.other } }

    func wait(for count: Int, within seconds: Double = 60) {
        let deadline = Date(timeIntervalSinceNow: seconds)
        while done.count + other.count < count, Date() < deadline { usleep(20_000) }
    }
}
