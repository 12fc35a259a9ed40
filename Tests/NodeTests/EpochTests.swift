import Canonical
import Chain
import Concurrency
import Crypto
import Ledger
import Node
import Ordering
import Simulation
import Storage
import Testing

/// A lost order, and the one that the members begin instead of it.
@Suite("epochs") struct EpochTests {
    private static let bytes = [UInt8](repeating: 4, count: 16)

    /// What a member states whose process does not run.
    private func statement(_ stage: Stage, _ index: Int) throws -> EpochStatement {
        let blocks = BlockStore(stage.members[index].disk)
        let configuration = NodeCore.Configuration(
            validator: stage.cast.organisation(index), votingKey: stage.cast.votingKeys[index])
        let (core, _) = try NodeCore.open(
            store: stage.members[index].disk, genesis: stage.cast.genesis, configuration: configuration,
            epoch: stage.epoch, begunBy: stage.epochChange, logHead: .max, now: stage.now)
        let statement = try #require(core.statement(bytes: Self.bytes))
        try blocks.seal(statement)
        return statement
    }

    /// Everybody's process ends and the order is lost; these state, and everybody begins in the epoch that follows.
    /// - Parameter gone: who signs it and never comes back.
    /// - Parameter planted: what somebody orders before all others.
    private func beginAnew(
        _ stage: Stage, by signers: [Int], gone: Int? = nil,
        planted: (EpochChange.Start) throws -> [UInt8]? = { _ in nil }
    ) throws -> EpochChange.Start {
        for index in stage.members.indices { stage.kill(index) }
        let statements = try signers.map { try statement(stage, $0) }
        let change = EpochChange(statements)
        let start = try change.verify(
            after: stage.epoch.number, genesis: stage.cast.genesisHash, sets: { _ in stage.cast.set })
        let old = stage.log.entries
        let kept = old.prefix(Int(start.firstHeight) - 1 + start.entries.count)
        #expect(kept.suffix(start.entries.count).map { Entry.hash(raw: $0) } == start.entries)
        stage.log = SimulatedLog(Array(kept))
        stage.log.trim(below: start.firstHeight)
        if let raw = try planted(start) { _ = stage.log.append(raw, at: stage.log.head + 1) }
        stage.epoch = OrderingEpoch(start)
        stage.epochChange = change
        for index in stage.members.indices where index != gone {
            try BlockStore(stage.members[index].disk).adopt(start)
            try stage.open(index)
        }
        stage.run()
        stage.pass(3_000)
        return start
    }

    /// Only the last member learns that the next height is final, and nothing is ordered above it.
    @discardableResult private func orderForOneAlone(_ stage: Stage) -> UInt64 {
        stage.carries = { _, to in to == 3 }
        stage.submit(stage.earning(1), to: 3)
        stage.carries = { _, _ in true }
        return stage.log.head
    }

    @Test func whatOneNodeAloneKnowsToBeFinalIsKept() throws {
        let stage = try Stage()
        stage.found()
        let height = orderForOneAlone(stage)
        #expect(stage.status(3).certified == height)
        #expect((0..<3).allSatisfy { stage.status($0).certified == height - 1 })
        let header = try stage.header(height, at: 3)

        let start = try beginAnew(stage, by: [0, 1, 2])
        #expect(start.firstHeight == height)
        #expect(start.entries.count == 1)
        for index in 0..<4 {
            #expect(try stage.header(height, at: index) == header)
            #expect(stage.status(index).certified >= height)
            #expect(try stage.balance(0, at: index) == 10)
            #expect(stage.members[index].halted == nil)
            #expect(stage.status(index).signingStopped == nil)
        }
        // The order goes on, with votes that name the new epoch.
        let request = stage.submit(stage.earning(2), to: 1)
        #expect(stage.receipt(request, at: 1)?.receipt.result == .done)
        #expect(stage.members[0].sent.last?.epoch == 1)
        #expect((0..<4).allSatisfy { stage.members[$0].certified.last?.certificate.epoch == 1 })
        // And may be lost once more.
        _ = try beginAnew(stage, by: [1, 2, 3])
        #expect(stage.receipt(stage.submit(stage.earning(3), to: 0), at: 0)?.receipt.result == .done)
        #expect(try (0..<4).map { try stage.balance(0, at: $0) } == [30, 30, 30, 30])
    }

    /// That one goes on with the certificate that it alone had, which names the epoch before, and others take it from
    /// there as well as any.
    @Test func whatOneAloneKnewToBeFinalOthersTakeFromIt() throws {
        let stage = try Stage()
        stage.found()
        let height = orderForOneAlone(stage)
        _ = try beginAnew(stage, by: [0, 1, 2])
        for number: UInt8 in 2..<5 { stage.submit(stage.earning(number), to: 3) }
        #expect(try BlockStore(stage.members[3].disk).certificate(above: height - 1)?.epoch == 0)
        stage.kill(0)
        stage.members[0].disk = SimulatedDisk()
        stage.log.trim(below: stage.log.head + 1)
        stage.finals = { [unowned stage] _, above in
            (try? BlockStore(stage.members[3].disk).finals(above: above)) ?? []
        }
        try stage.open(0)
        stage.run()
        stage.pass(10_000)
        #expect(try stage.balance(0, at: 0) == 40)
        #expect(stage.members[0].halted == nil)
    }

    /// Whoever holds back the newest certificate, and shows it on an entry that is kept before anybody has carried the
    /// statements, keeps nobody from carrying them.
    @Test func aCertificateThatWasHeldBackStopsNothing() throws {
        let stage = try Stage()
        stage.found()
        orderForOneAlone(stage)
        let held = try #require(try BlockStore(stage.members[3].disk).certificate(stage.log.head))
        let start = try beginAnew(stage, by: [0, 1, 2]) { start in
            #expect(held.height == start.firstHeight && start.entries.count == 1)
            return Entry(
                position: held.height + 1, previous: start.entries[0], proposer: stage.cast.organisation(3),
                certificate: held, transactions: []
            ).signed(genesis: stage.cast.genesisHash, key: stage.cast.votingKeys[3])
        }
        let shown = start.firstHeight + 1
        #expect(try carried(stage, at: shown) == nil)
        #expect(try stage.header(shown, at: 1)?.certificate == held.hash)
        try #require(stage.log.head > shown)
        #expect(try carried(stage, at: shown + 1) == stage.epochChange)
        for number: UInt8 in 2..<6 { stage.submit(stage.earning(number), to: Int(number) % 4) }
        stage.pass(30_000)
        let row = EpochRow(number: 1, firstHeight: start.firstHeight, kept: 1)
        for index in 0..<4 {
            #expect(try BlockStore(stage.members[index].disk).newestEpoch() == row)
            #expect(try stage.balance(0, at: index) == 50)
            // Time goes on by certificates of the new epoch.
            let first = try #require(try stage.header(shown + 1, at: index))
            let last = try #require(try stage.header(stage.log.head - 1, at: index))
            #expect(last.time > first.time + 5_000)
        }
        #expect(try Audit.run(stage.members[0].disk).ok)
    }

    /// What an entry of the order carries for an epoch.
    private func carried(_ stage: Stage, at position: UInt64) throws -> EpochChange? {
        try Entry(
            raw: stage.log.entries[Int(position) - 1], position: position,
            previous: Entry.hash(raw: stage.log.entries[Int(position) - 2]), genesis: stage.cast.genesisHash,
            set: stage.cast.set, rules: stage.cast.genesis.rulesVersion
        ).epoch
    }

    /// The chain itself says how its epoch began: in the first new entry and in no other, whoever replays it.
    @Test func theFirstNewEntryCarriesTheStatements() throws {
        let stage = try Stage()
        stage.found()
        orderForOneAlone(stage)
        let start = try beginAnew(stage, by: [0, 1, 2])
        let first = start.firstHeight + UInt64(start.entries.count)
        #expect(try carried(stage, at: first) == stage.epochChange)
        for number: UInt8 in 2..<8 { stage.submit(stage.earning(number), to: Int(number) % 4) }
        stage.pass(10_000)
        for position in first + 1...stage.log.head { #expect(try carried(stage, at: position) == nil) }
        let row = EpochRow(number: 1, firstHeight: start.firstHeight, kept: 1)
        for index in 0..<4 {
            let blocks = BlockStore(stage.members[index].disk)
            #expect(try blocks.newestEpoch() == row)
            #expect(try blocks.roots(first)?.roots.contains { $0.name == "epochs" } == true)
            #expect(try blocks.roots(first - 1)?.roots.contains { $0.name == "epochs" } == false)
            #expect(try Audit.run(stage.members[index].disk).ok)
        }
        // A snapshot has it, under the certified state root.
        let written = Locked<[[UInt8]]>([])
        let manifest = try Snapshot.write(
            BlockStore(stage.members[0].disk), genesis: stage.cast.genesis
        ) { (_, bytes) throws(SnapshotError) in written.withLock { $0.append(bytes) } }
        let chunks = written.withLock { $0 }
        let joined = MemoryStore()
        try Snapshot.restore(
            manifest, into: joined, genesis: stage.cast.genesis, trusting: LightClient(stage.cast.genesis)
        ) { (index) throws(SnapshotError) in chunks[index] }
        #expect(try BlockStore(joined).newestEpoch() == row)
        // Whoever comes with nothing, and was told of no statements, comes to the same by peers and votes no more.
        stage.kill(3)
        stage.members[3].disk = SimulatedDisk()
        stage.epochChange = nil
        stage.epoch = OrderingEpoch(genesis: stage.cast.genesis)
        stage.log.trim(below: stage.log.head + 1)
        let sent = stage.members[3].sent.count
        try stage.open(3)
        stage.run()
        stage.pass(10_000)
        #expect(try BlockStore(stage.members[3].disk).newestEpoch() == row)
        #expect(try stage.header(first, at: 3) == stage.header(first, at: 0))
        #expect(stage.members[3].sent.count == sent)
    }

    /// Whoever goes on in an epoch that is over, with as many keys as a quorum has, makes certificates that count for
    /// nothing.
    @Test func aCertificateOfAnEpochThatIsOverIsFound() throws {
        let stage = try Stage()
        stage.found()
        _ = try beginAnew(stage, by: [0, 1, 2])
        stage.submit(stage.earning(1), to: 0)
        stage.submit(stage.earning(2), to: 0)
        let disk = stage.members[0].disk
        let blocks = BlockStore(disk)
        let height = try blocks.height()
        let good = try #require(try blocks.certificate(height))
        #expect(try Audit.run(disk).ok)
        func rewrite(epoch: UInt32) throws {
            let votes = (0..<3).map { index in
                Vote(
                    signing: good.header, height: height, epoch: epoch, time: good.signatures[0].time,
                    genesis: stage.cast.genesisHash, validator: stage.cast.organisation(index),
                    key: stage.cast.votingKeys[index])
            }
            var batch = WriteBatch()
            batch.put(.certificates, bigEndianBytes(height), Certificate(joining: votes).canonicalBytes)
            try disk.write(batch, synced: true)
        }
        try rewrite(epoch: 1)
        #expect(try Audit.run(disk).ok)
        try rewrite(epoch: 0)
        let fault = try #require(try Audit.run(disk).firstWrong)
        #expect(fault.height == height && fault.part == "certificate" && fault.reason.contains("epoch 0"), "\(fault)")
    }

    /// Statements that are not what a quorum signed, or not of this chain at this place, make an empty block, and the
    /// true ones come after it.
    @Test func falseStatementsMakeAnEmptyBlock() throws {
        let stage = try Stage()
        stage.found()
        let cast = stage.cast
        for index in 0..<4 { stage.kill(index) }
        let statements = try (0..<3).map { try statement(stage, $0) }
        for index in 0..<3 { try stage.open(index) }
        let good = EpochChange(statements)
        let head = stage.log.head
        let genesis = cast.genesisHash
        func executor() throws -> Executor {
            try BlockStore(stage.members[0].disk).executor(genesis: cast.genesis) { _ in }
        }
        let header: (UInt64) -> Digest? = { try? stage.header($0, at: 0)?.hash }
        let entry: (UInt64) -> Digest? = { try? stage.header($0, at: 0)?.entry }
        let base = try executor()
        let certified = base.head.height
        #expect(certified == head)
        #expect(
            base.begins(by: good, at: head + 1, header: header, entry: entry)
                == EpochRow(number: 1, firstHeight: head + 1, kept: 0))
        func restated(
            _ index: Int, number: UInt32 = 1, certificate: Certificate?, entries: [EpochStatement.Ordered] = [],
            key: SecretKey? = nil
        ) -> EpochStatement {
            EpochStatement(
                signing: number, bytes: Self.bytes, certificate: certificate, entries: entries, genesis: genesis,
                validator: cast.organisation(index), key: key ?? cast.votingKeys[index])
        }
        let newest = statements[0].certificate
        let cases: [(String, [EpochStatement])] = [
            ("too few", Array(statements.prefix(2))),
            (
                "a stranger's signature",
                [statements[0], statements[1], restated(2, certificate: newest, key: SecretKey())]
            ),
            ("the epoch after the next", (0..<3).map { restated($0, number: 2, certificate: newest) }),
            (
                "entries that the chain does not have",
                (0..<3).map { restated($0, certificate: newest, entries: [.init(hash: .zero, vote: nil)]) }
            ),
            ("no certificate, though one was carried", (0..<3).map { restated($0, certificate: nil) }),
        ]
        for (what, statements) in cases {
            let change = EpochChange(statements)
            let raw = Entry(
                position: head + 1, previous: base.head.entry, proposer: cast.organisation(3), certificate: nil,
                epoch: change, transactions: []
            ).signed(genesis: genesis, key: cast.votingKeys[3])
            var executor = try executor()
            let decoded = executor.decode(raw)
            #expect(decoded.fault == nil, "\(what)")
            let block = executor.execute(
                decoded, signaturesVerify: { _ in true }, header: header, entry: entry,
                certificateVerifies: { (try? $0.verify(genesis: genesis, set: $1)) != nil })
            #expect(block.decoded.fault == .epoch, "\(what)")
            #expect(block.roots[.epochs] == .zero && executor.epoch == .first, "\(what)")
        }
    }

    /// Statements that a directory cannot be held against for want of reading it are not false: the node halts, rather
    /// than make another block of them than all others do.
    @Test func whatCannotBeReadIsNotTakenForFalse() throws {
        let stage = try Stage()
        stage.found()
        let head = stage.log.head
        for index in 0..<4 { stage.kill(index) }
        let blocks = BlockStore(stage.members[0].disk)
        let change = EpochChange(
            try (0..<3).map { index in
                EpochStatement(
                    signing: 1, bytes: Self.bytes, certificate: try blocks.certificate(head - 1),
                    entries: [.init(hash: Entry.hash(raw: stage.log.entries[Int(head) - 1]), vote: nil)],
                    genesis: stage.cast.genesisHash, validator: stage.cast.organisation(index),
                    key: stage.cast.votingKeys[index])
            })
        let raw = Entry(
            position: head + 1, previous: Entry.hash(raw: stage.log.entries[Int(head) - 1]),
            proposer: stage.cast.organisation(3), certificate: nil, epoch: change, transactions: []
        ).signed(genesis: stage.cast.genesisHash, key: stage.cast.votingKeys[3])
        _ = stage.log.append(raw, at: head + 1)
        for isReadable in [true, false] {
            let store = UnreadableStore(stage.members[0].disk)
            var (core, _) = try NodeCore.open(
                store: store, genesis: stage.cast.genesis,
                configuration: .init(validator: stage.cast.organisation(0), votingKey: stage.cast.votingKeys[0]),
                epoch: stage.epoch, logHead: head + 1, now: stage.now)
            if !isReadable { store.unreadable.withLock { $0 = bigEndianBytes(head) } }
            _ = core.step(.log(stage.log.read(from: head, max: 2)), now: stage.now)
            #expect(!isReadable || core.executed == head + 1)
            #expect(core.halted == (isReadable ? nil : .storage(UnreadableStore.failure)))
        }
    }

    /// Whoever holds the newest certificate states it and is never seen again. What it makes final the others have
    /// executed, and keep.
    @Test func whatIsFinalByTheWordOfOneIsKeptByTheOthers() throws {
        let stage = try Stage()
        stage.found()
        let height = orderForOneAlone(stage)
        let start = try beginAnew(stage, by: [1, 2, 3], gone: 3)
        #expect(start.firstHeight == height + 1)
        #expect(start.entries.isEmpty)
        for index in 0..<3 {
            #expect(stage.status(index).certified >= height)
            #expect(try stage.balance(0, at: index) == 10)
        }
        #expect(stage.receipt(stage.submit(stage.earning(2), to: 0), at: 0)?.receipt.result == .done)
    }

    /// Eight heights without a certificate are all that there can be, and all are in the new ring.
    @Test func whatIsNotFinalIsOrderedAgain() throws {
        let stage = try Stage()
        stage.found()
        let certified = stage.status(0).certified
        stage.carries = { _, _ in false }
        for number in 1...12 {
            stage.submit(stage.earning(UInt8(number)), to: 0)
            stage.pass(200)
        }
        #expect(stage.status(0).executed == certified + NodeCore.uncertifiedMax)
        stage.carries = { _, _ in true }
        let start = try beginAnew(stage, by: [0, 2, 3])
        #expect(start.firstHeight == certified + 1)
        #expect(start.entries.count == FinalBlocks.countMax)
        for index in 0..<4 {
            #expect(stage.status(index).certified >= certified + 8)
            #expect(try stage.balance(0, at: index) == stage.balance(0, at: 0))
        }
        #expect(try stage.balance(0, at: 0) >= 80)
    }

    /// One reads a ring that others never saw, and comes back to theirs.
    @Test func whoExecutedAnotherRingsEntryLetsGoOfIt() throws {
        let stage = try Stage()
        stage.found()
        let height = stage.log.head
        stage.kill(3)
        stage.submit(stage.earning(1), to: 0)
        stage.submit(stage.earning(2), to: 0)
        let whole = stage.log
        // An old copy of the ring, which goes on otherwise.
        for index in 0..<3 { stage.kill(index) }
        stage.log = SimulatedLog(Array(whole.entries.prefix(Int(height))))
        try stage.open(3)
        stage.run()
        stage.submit(stage.earning(3), to: 3)
        #expect(stage.status(3).executed == height + 1)
        let foreign = try stage.header(height + 1, at: 3)

        stage.log = whole
        let start = try beginAnew(stage, by: [0, 1, 2])
        #expect(start.firstHeight > height + 1)
        #expect(try stage.header(height + 1, at: 3) == stage.header(height + 1, at: 0))
        #expect(try stage.header(height + 1, at: 3) != foreign)
        #expect(try (0..<4).map { try stage.balance(0, at: $0) } == [20, 20, 20, 20])
        #expect(stage.members[3].halted == nil)
    }

    /// Once a validator has given its word it signs nothing in the old epoch, whatever becomes of the new one.
    @Test func whoHasStatedVotesNoMoreInTheOldEpoch() throws {
        let stage = try Stage()
        stage.found()
        stage.kill(1)
        let statement = try self.statement(stage, 1)
        #expect(try BlockStore(stage.members[1].disk).statement() == statement)
        #expect(try BlockStore(stage.members[1].disk).sealedEpoch() == 1)
        let sent = stage.members[1].sent.count
        try stage.open(1)
        stage.run()
        let reason = try #require(stage.status(1).signingStopped)
        #expect(reason.contains("epoch 1") && reason.contains("lianfen epoch join"))
        // The other three are a quorum; it follows them.
        let request = stage.submit(stage.earning(1), to: 0)
        #expect(stage.receipt(request, at: 0)?.receipt.result == .done)
        stage.pass(20_000)
        #expect(stage.members[1].sent.count == sent)
        #expect(try stage.balance(0, at: 1) == 10)
        #expect(stage.members[1].answers[stage.submit(stage.earning(2), to: 1)] == .refused(.halted))
        // What it has since executed does not change what it said.
        stage.kill(1)
        let stated = try BlockStore(stage.members[1].disk).stated(statement)
        #expect(stated.statement == statement)
    }

    /// Its votes of an earlier life are not known there, so its word would be worth nothing.
    @Test func aRestoredDirectorySaysNothingBeforeItHasVoted() throws {
        let stage = try Stage()
        stage.found()
        stage.kill(2)
        let configuration = NodeCore.Configuration(
            validator: stage.cast.organisation(2), votingKey: stage.cast.votingKeys[2])
        func state(_ disk: SimulatedDisk) throws -> EpochStatement? {
            try NodeCore.open(
                store: disk, genesis: stage.cast.genesis, configuration: configuration, epoch: stage.epoch,
                logHead: .max, now: stage.now
            ).core.statement(bytes: Self.bytes)
        }
        #expect(try state(stage.members[2].disk) != nil)
        stage.members[2].disk = SimulatedDisk()
        #expect(try state(stage.members[2].disk) == nil)
        try stage.open(2)
        stage.run()
        #expect(stage.status(2).executed == stage.log.head)
        stage.kill(2)
        #expect(try state(stage.members[2].disk) == nil)
        try stage.open(2)
        stage.run()
        stage.submit(stage.earning(1), to: 0)
        stage.kill(2)
        #expect(try state(stage.members[2].disk)?.last == stage.log.head)
    }

    /// It stands there until another one takes its place, and is neither sent nor counted nor stated.
    @Test func aLockOfAnEpochThatIsOverIsNoVote() throws {
        let stage = try Stage()
        stage.found()
        stage.carries = { _, _ in false }
        stage.submit(stage.earning(1), to: 2)
        let height = stage.log.head
        stage.kill(2)
        for number: UInt32 in 0...1 {
            let (core, effects) = try NodeCore.open(
                store: stage.members[2].disk, genesis: stage.cast.genesis,
                configuration: .init(validator: stage.cast.organisation(2), votingKey: stage.cast.votingKeys[2]),
                epoch: OrderingEpoch(number: number, bytes: Self.bytes, firstHeight: 1), logHead: .max, now: stage.now)
            let stated = try #require(core.statement(bytes: Self.bytes)?.entry(at: height))
            #expect((stated.vote != nil) == (number == 0))
            let isSent = effects.contains { if case .send(let vote) = $0 { vote.height == height } else { false } }
            #expect(isSent == (number == 0))
        }
    }

    @Test func anotherRingIsRefusedByName() throws {
        for (reason, text) in [
            (Halt.logBehind(head: 3, executed: 5), "ends at position 3, below 5"),
            (Halt.logDiffers(position: 5), "other bytes at position 5"),
        ] {
            #expect(reason.description.contains(text))
            #expect(reason.description.contains("`lianfen epoch`"))
        }
    }
}

/// A directory of which one header cannot be read from some moment on.
private final class UnreadableStore: Store {
    static let failure = StorageError(.corrupt, "a bad sector", place: "headers")

    let unreadable = Locked<[UInt8]?>(nil)
    private let disk: SimulatedDisk

    init(_ disk: SimulatedDisk) { self.disk = disk }

    func get(_ column: Column, _ key: [UInt8]) throws(StorageError) -> [UInt8]? {
        if column == .headers, unreadable.withLock({ $0 }) == key { throw Self.failure }
        return try disk.get(column, key)
    }

    func scan(
        _ column: Column, from start: [UInt8]?, descending: Bool, _ body: ([UInt8], [UInt8]) -> Bool
    ) throws(StorageError) {
        try disk.scan(column, from: start, descending: descending, body)
    }

    func write(_ batch: WriteBatch, synced: Bool) throws(StorageError) { try disk.write(batch, synced: synced) }

    func close() {}
}
