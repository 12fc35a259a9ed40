import Canonical
import Chain
import Concurrency
import Crypto
import Ledger
import Node
import Ordering
import Storage
import TestSupport
import Testing
import Wallet

/// Several validators with real threads in one process.
@Suite struct ConsortiumTests {
    @Test func fourValidatorsCertifyTheSameRoots() async throws {
        let world = try World(validators: 4)
        defer { world.stop() }
        let alice = try await world.open()
        let bob = try await world.open()
        try await world.accrue(alice, 100, order: "1")
        let receipt = try await world.done(
            [.transfer(from: alice.account, to: bob.account, unit: world.unit, amount: 30)], alice.author)
        guard case .spent(let portions) = try #require(receipt.outcomes.first) else {
            Issue.record("a transfer says what it took")
            return
        }
        #expect(portions.map(\.amount) == [30])
        let height = try await world.settled()
        for runner in world.consortium.runners {
            #expect(try runner.blocks.header(height) == world.consortium.first.blocks.header(height))
            #expect(try runner.blocks.holding(bob.account, world.unit)?.available == 30)
        }
        let certificate = try #require(try world.consortium.first.blocks.certificate(height))
        #expect(certificate.signatures.count == 3)
        #expect(throws: Never.self) {
            try certificate.verify(genesis: world.genesis.hash, set: ValidatorSet(world.genesis))
        }
    }

    @Test func ofAHundredSpendsOfOneLotExactlyOneCommits() async throws {
        let world = try World(validators: 4)
        defer { world.stop() }
        let alice = try await world.open()
        let bob = try await world.open()
        try await world.accrue(alice, 100, order: "1")
        let spends = (0..<100).map { _ in
            world.signed([.transfer(from: alice.account, to: bob.account, unit: world.unit, amount: 100)], alice.author)
        }
        var results: [ResultCode: Int] = [:]
        await withTaskGroup(of: ResultCode?.self) { group in
            for (index, spend) in spends.enumerated() {
                group.addTask {
                    guard case .receipt(let receipt, _) = await world.answer(spend, at: index % 4) else { return nil }
                    return receipt.result
                }
            }
            for await result in group { if let result { results[result, default: 0] += 1 } }
        }
        #expect(results == [.done: 1, .balanceInsufficient: 99])
    }

    @Test func theSameTransactionSentToAllTakesEffectOnceAndAnswersTheSame() async throws {
        let world = try World(validators: 4)
        defer { world.stop() }
        let alice = try await world.open()
        let bob = try await world.open()
        try await world.accrue(alice, 100, order: "1")
        let spend = world.signed(
            [.transfer(from: alice.account, to: bob.account, unit: world.unit, amount: 40)], alice.author)
        for index in 0..<4 {
            guard case .receipt(let receipt, let place) = await world.answer(spend, at: index) else {
                Issue.record("the transaction gets a receipt")
                return
            }
            // The first receipt, or one that names its place.
            #expect(receipt.result == .done || (receipt.result == .duplicate && receipt.first!.height <= place.height))
        }
        _ = try await world.settled()
        #expect(try world.consortium.first.blocks.holding(bob.account, world.unit)?.available == 40)
    }

    @Test func balanceAndReceiptAreProvedOffline() async throws {
        let world = try World(validators: 4)
        defer { world.stop() }
        let alice = try await world.open()
        let stranger = AccountID.random()
        let accrual = try await world.accrue(alice, 77, order: "1")
        _ = try await world.settled()
        for (account, expected) in [(alice.account, UInt64(77)), (stranger, 0)] {
            guard case .proof(let proof) = await world.proof(account) else {
                Issue.record("a balance is proved")
                return
            }
            let read = try Proof(canonicalBytes: proof.canonicalBytes)
            let verified = try read.verify(genesis: world.genesis)
            #expect(verified.signers.count >= verified.quorum && verified.validators == 4)
            guard case .balance(_, _, let summary, _, _) = verified.subject else { continue }
            #expect(summary?.available ?? 0 == expected)
        }
        let receipt = try #require(
            try world.consortium.first.blocks.receiptProof(accrual.transaction, genesis: world.genesis.hash))
        let verified = try receipt.verify(genesis: world.genesis)
        guard case .receipt(let proved, _) = verified.subject else {
            Issue.record("a receipt is proved")
            return
        }
        #expect(proved == accrual)
    }

    @Test func aFailedWriteStopsTheNodeAndAnswersEverybody() async throws {
        let store = FailingStore()
        let world = try World(validators: 1, stores: [store])
        defer { world.stop() }
        let alice = try await world.open()
        store.failing.withLock { $0 = StorageError(.diskFull, "no space is left", place: "memory") }
        let spend = world.signed([.freeze(account: alice.account)], alice.author)
        #expect(await world.answer(spend) == .refused(.halted))
        #expect(world.consortium.halted == [.storage(StorageError(.diskFull, "", place: ""))])
        #expect(await world.answer(spend) == .refused(.halted))
    }

    /// The others go on without it, and do not keep for it what stands in their directories.
    @Test func aMemberThatStoppedDoesNotFillTheOthersMemory() async throws {
        let store = FailingStore()
        let world = try World(validators: 4, stores: [MemoryStore(), MemoryStore(), MemoryStore(), store])
        defer { world.stop() }
        store.failing.withLock { $0 = StorageError(.diskFull, "no space is left", place: "memory") }
        for _ in 0..<50 { _ = try await world.open() }
        #expect(world.consortium.first.status.committed >= 50)
        #expect(world.consortium.entriesInMemory <= 32)
    }
}

/// Bounds of admission, where nothing is certified in between.
@Suite struct AdmissionTests {
    @Test func aSenderBeyondItsBoundIsRefusedByName() throws {
        var node = try OpenNode { $0.inFlightPerSenderMax = 3 }
        let sender = Party.account(AccountID.random())
        let other = Party.account(AccountID.random())
        let answers = (0..<4).map { node.submit(sender, nonce: $0) }
        #expect(answers == [nil, nil, nil, .refused(.senderBusy(sender))])
        #expect(node.submit(other, nonce: 0) == nil)
    }

    @Test func aFullPoolRefuses() throws {
        var node = try OpenNode { $0.poolTransactionsMax = 2 }
        let answers = (0..<3).map { node.submit(.account(AccountID.random()), nonce: $0) }
        #expect(answers == [nil, nil, .refused(.poolFull)])
        var small = try OpenNode { $0.poolBytesMax = 10 }
        #expect(small.submit(.account(AccountID.random()), nonce: 0) == .refused(.poolFull))
    }

    @Test func whatHasExpiredIsNotTakenUp() throws {
        var node = try OpenNode { _ in }
        #expect(node.submit(.account(AccountID.random()), nonce: 0, validUntil: 1) == .refused(.expired))
    }

    private struct OpenNode {
        var core: NodeCore
        let key = SecretKey()
        let genesis: Genesis

        init(_ configure: (inout NodeCore.Configuration) -> Void) throws {
            let voting = SecretKey()
            genesis = World.genesis(votingKeys: [voting], issuingKeys: [SecretKey()])
            var configuration = NodeCore.Configuration(validator: OrganisationID(1), votingKey: voting)
            configure(&configuration)
            core = try NodeCore.open(
                store: MemoryStore(), genesis: genesis, configuration: configuration,
                epoch: OrderingEpoch(genesis: genesis), logHead: 0, now: genesis.time
            ).core
        }

        /// The answer at once, or nil where the transaction was taken up.
        mutating func submit(_ sender: Party, nonce: UInt64, validUntil: UInt64? = nil) -> Answer? {
            let body = TransactionBody(
                nonce: nonce, validUntil: validUntil ?? genesis.time + 60_000,
                signers: [Signer(sender, key.publicKey)], operations: [.freeze(account: AccountID.random())])
            let transaction = Transaction(signing: body, genesis: genesis.hash, keys: [key])
            for case .answer(1, let answer) in core.step(.submit(transaction, request: 1), now: genesis.time) {
                return answer
            }
            return nil
        }
    }
}

/// A store in memory whose writes can be made to fail.
private final class FailingStore: Store {
    let failing = Locked<StorageError?>(nil)
    private let rows = MemoryStore()

    func get(_ column: Column, _ key: [UInt8]) throws(StorageError) -> [UInt8]? { try rows.get(column, key) }

    func scan(
        _ column: Column, from start: [UInt8]?, descending: Bool, _ body: ([UInt8], [UInt8]) -> Bool
    ) throws(StorageError) {
        try rows.scan(column, from: start, descending: descending, body)
    }

    func write(_ batch: WriteBatch, synced: Bool) throws(StorageError) {
        if let error = failing.withLock({ $0 }) { throw error }
        try rows.write(batch, synced: synced)
    }

    func close() { rows.close() }
}

/// A consortium in memory with one unit, and what tests do with it.
private final class World: Sendable {
    struct Holder: Sendable {
        let account: AccountID
        let author: Author
    }

    let genesis: Genesis
    let consortium: Consortium
    let issuer: Author
    let unit = UnitCode("MALL")!

    static func genesis(votingKeys: [SecretKey], issuingKeys: [SecretKey]) -> Genesis {
        let organisations = zip(votingKeys, issuingKeys).enumerated().map { index, keys in
            GenesisOrganisation(
                id: OrganisationID(UInt32(index + 1)), name: "Mall \(index + 1)", votingKey: keys.0.publicKey,
                issuingKey: keys.1.publicKey, governingKey: SecretKey().publicKey, quota: 1_000_000)
        }
        return Genesis(
            chain: "test", time: wallClockMilliseconds(), orderingEpoch: [UInt8](repeating: 7, count: 16),
            organisations: organisations)
    }

    init(validators: Int, stores: [any Store]? = nil) throws {
        let voting = (0..<validators).map { _ in SecretKey() }
        let issuing = (0..<validators).map { _ in SecretKey() }
        genesis = Self.genesis(votingKeys: voting, issuingKeys: issuing)
        issuer = Author(.organisation(OrganisationID(1)), issuing[0])
        consortium = try Consortium(
            genesis: genesis,
            members: voting.enumerated().map { index, key in
                .init(
                    organisation: OrganisationID(UInt32(index + 1)), votingKey: key,
                    store: stores?[index] ?? MemoryStore())
            })
    }

    func stop() { consortium.stop() }

    func signed(_ operations: [Operation], _ author: Author) -> Transaction {
        .signed(operations, by: [author], genesis: genesis.hash, now: wallClockMilliseconds())
    }

    func answer(_ transaction: Transaction, at index: Int = 0) async -> Answer {
        await withCheckedContinuation { continuation in
            consortium.runners[index].submit(transaction) { continuation.resume(returning: $0) }
        }
    }

    func proof(_ account: AccountID) async -> Answer {
        await withCheckedContinuation { continuation in
            consortium.first.prove(account, unit) { continuation.resume(returning: $0) }
        }
    }

    @discardableResult
    func done(_ operations: [Operation], _ author: Author) async throws -> Receipt {
        guard case .receipt(let receipt, _) = await answer(signed(operations, author)) else {
            throw StorageError(.closed, "the transaction was not taken up", place: "test")
        }
        #expect(receipt.result == .done)
        return receipt
    }

    func open() async throws -> Holder {
        let key = SecretKey()
        let account = AccountID.random()
        let list = OpenList(
            organisation: OrganisationID(1), lines: [OpenLine(account: account, credential: key.publicKey)])
        try await done([.open(list)], issuer)
        return Holder(account: account, author: Author(.account(account), key))
    }

    @discardableResult
    func accrue(_ holder: Holder, _ amount: UInt64, order: String) async throws -> Receipt {
        if try consortium.first.blocks.unit(unit) == nil {
            let program = Program(unit: unit, currency: "CNY", faceMinor: 1, facePoints: 1)
            try await done([.publish(program, issuer: OrganisationID(1))], issuer)
        }
        let key = NaturalKey(source: SourceID("test")!, order: Array(order.utf8))
        let line = AccrualLine(account: holder.account, key: key, amount: amount, pending: false)
        return try await done([.accrue(AccrueList(unit: unit, lines: [line]))], issuer)
    }

    /// Waits until all members have in their tables what the first one has now.
    func settled() async throws -> UInt64 {
        let height = consortium.first.status.committed
        for _ in 0..<500 {
            if try consortium.runners.allSatisfy({ try $0.blocks.height() >= height }) { return height }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw StorageError(.closed, "the members did not come to height \(height)", place: "test")
    }
}
