import Canonical
import Concurrency
package import Crypto
import Glibc
package import Ledger
import Node
import Storage
import StorageRocksDB
import Wallet

/// A ledger that is measured: one unit, and accounts and keys that follow from numbers.
package struct BenchChain: Sendable {
    let path: String
    let genesis: Genesis
    let genesisHash: Digest
    /// Who gives the points of the unit.
    let issuer: Author

    static let unit = UnitCode("BENCH")!
    static let source = SourceID("bench")!
    /// What each holder begins with.
    static let opening: UInt64 = 1_000_000_000

    /// The accounts that people sign for; all others are opened without a key, as an import does.
    static let holders = 10_000

    private static func key(_ name: String) -> SecretKey { SecretKey(seed: SHA256.hash(Array(name.utf8)).bytes) }

    static func votingKey(_ id: OrganisationID) -> SecretKey { key("bench voting \(id.number)") }
    package static func holderKey(_ index: Int) -> SecretKey { key("bench holder \(index)") }

    /// The account with a number. Ids are spread evenly, as drawn ones are.
    package static func account(_ index: Int) -> AccountID {
        var numbers = Numbers(seed: UInt64(index))
        let words = (numbers.next(), numbers.next())
        return AccountID(
            bytes: (0..<16).map { UInt8(truncatingIfNeeded: ($0 < 8 ? words.0 : words.1) >> UInt64($0 % 8 * 8)) })
    }

    /// Finds a ledger, or makes one. Small ones are made anew each time, since a ledger with more history is another
    /// ledger; large ones take long to make, and are used again.
    /// - Parameters:
    ///   - accounts: opened without a key, beside the ``holders`` where those are wanted.
    ///   - kept: whether it is used again, where that does not follow from its size.
    static func prepared(
        _ name: String, in directory: BenchDirectory, validators: Int = 1, holders: Int = 0, accounts: Int = 0,
        kept: Bool? = nil
    ) throws -> BenchChain {
        let path = directory.ledger(name)
        if !(kept ?? (accounts >= keptFrom)) || access("\(path)/ready", R_OK) != 0 {
            try directory.remake(name)
            try make(path, validators: validators, holders: holders, accounts: accounts)
            // Written last: a ledger whose making was cut short is made anew.
            try write([], to: "\(path)/ready")
        }
        return try BenchChain(path)
    }

    private static let keptFrom = 1_000_000

    /// The chain whose genesis lies in a directory.
    /// - Parameter issuingKey: of its first organisation, where the chain was not made here.
    init(_ path: String, issuingKey: SecretKey = key("bench issuing 1")) throws {
        self.path = path
        genesis = try Genesis(canonicalBytes: try Self.read("\(path)/genesis"))
        genesisHash = genesis.hash
        issuer = Author(.organisation(OrganisationID(1)), issuingKey)
    }

    private static func make(_ path: String, validators: Int, holders: Int, accounts: Int) throws {
        var parameters = Parameters()
        parameters.openingsPerMinuteMax = .max
        let genesis = Genesis(
            chain: "bench", time: wallClockMilliseconds(), orderingEpoch: randomBytes(16), parameters: parameters,
            organisations: (1...UInt32(validators)).map { number in
                GenesisOrganisation(
                    id: OrganisationID(number), name: "Mall \(number)",
                    votingKey: votingKey(OrganisationID(number)).publicKey,
                    issuingKey: key("bench issuing \(number)").publicKey,
                    governingKey: key("bench governing \(number)").publicKey, quota: 1 << 62)
            })
        try write(genesis.canonicalBytes, to: "\(path)/genesis")
        let chain = try BenchChain(path)
        for validator in genesis.validators {
            let store = try RocksDBStore(directory: chain.storePath(validator.id), mode: .create)
            defer { store.close() }
            try store.write(BlockStore.genesisBatch(genesis), synced: true)
        }
        try chain.running { running in
            for envelope in chain.founding(holders: holders) { try running.submit([envelope]) }
            try running.open(accounts: accounts, after: holders)
        }
    }

    private static let program = Program(unit: unit, currency: "CNY", faceMinor: 1, facePoints: 100)

    /// What a ledger begins with, one after the other: the unit, then the holders' accounts with what they spend.
    func founding(holders: Int) -> [[UInt8]] {
        let publication = encoded([.publish(Self.program, issuer: OrganisationID(1))], by: issuer)
        return stride(from: 0, to: holders, by: Self.openedTogether).reduce(into: [publication]) { envelopes, start in
            let range = start..<min(start + Self.openedTogether, holders)
            let lines = range.map {
                OpenLine(account: Self.account($0), credential: Self.holderKey($0).publicKey)
            }
            let gifts = range.map { AccrualLine(account: Self.account($0), key: .opening($0), amount: Self.opening) }
            envelopes += [
                encoded([.open(OpenList(organisation: OrganisationID(1), lines: lines))], by: issuer),
                encoded([.accrue(AccrueList(unit: Self.unit, lines: gifts))], by: issuer),
            ]
        }
    }

    private static let openedTogether = 4000

    func storePath(_ id: OrganisationID) -> String { "\(path)/\(id.number)" }

    /// Signed and encoded, as a client sends it.
    func encoded(_ operations: [Operation], by author: Author) -> [UInt8] {
        Transaction.signed(
            operations, by: [author], genesis: genesisHash, now: wallClockMilliseconds(),
            lifetime: Self.lifetimeMilliseconds
        ).bytes
    }

    /// Nearly the whole replay window, since load is signed well before it is sent.
    private static let lifetimeMilliseconds: UInt64 = 280_000

    /// Starts the chain for as long as `body` runs.
    func running<R>(_ body: (Running) throws -> R) throws -> R {
        let running = try Running(self)
        defer { running.consortium.stop() }
        return try body(running)
    }

    /// A chain with its validators at work, all in this process, each with a directory of its own.
    struct Running: Sendable {
        let chain: BenchChain
        let consortium: Consortium

        init(
            _ chain: BenchChain, certified: @escaping @Sendable (CertifiedBlock) -> Void = { _ in }
        ) throws {
            self.chain = chain
            let members = try chain.genesis.validators.map { validator in
                Consortium.Member(
                    organisation: validator.id, votingKey: BenchChain.votingKey(validator.id),
                    store: try RocksDBStore(directory: chain.storePath(validator.id), mode: .readWrite))
            }
            consortium = try Consortium(genesis: chain.genesis, members: members, certified: certified)
        }

        var node: NodeRunner { consortium.first }

        /// Opens accounts without a key.
        fileprivate func open(accounts: Int, after holders: Int) throws {
            // A few batches at a time, so that as little of the load is in memory as keeps the node busy.
            let batches = (accounts + ListBounds.linesMax - 1) / ListBounds.linesMax
            try submit(count: batches, window: 8) { batch in
                let start = holders + batch * ListBounds.linesMax
                let lines = (start..<min(start + ListBounds.linesMax, holders + accounts)).map {
                    OpenLine(account: account($0), credential: nil)
                }
                return chain.encoded([.open(OpenList(organisation: OrganisationID(1), lines: lines))], by: chain.issuer)
            }
        }

        /// Hands encoded transactions to the node as its gateway does, and waits until all of them are certified.
        /// - Parameters:
        ///   - window: how many are under way at once.
        ///   - threads: how many decode.
        /// - Returns: seconds from the first to the last.
        /// - Throws: where one is refused, or does not do what it says.
        @discardableResult
        func submit(_ envelopes: [[UInt8]], window: Int = 64, threads: Int = 1) throws -> Double {
            try submit(count: envelopes.count, window: window, threads: threads) { envelopes[$0] }
        }

        /// The same with transactions that are made when their turn comes, each once: where there are very many, they
        /// would fill memory, and their time would pass while they wait.
        @discardableResult
        func submit(
            count: Int, window: Int, threads: Int = 1, envelope: @escaping @Sendable (Int) -> [UInt8]
        ) throws -> Double {
            let window = Window(window)
            let next = Locked(0)
            let failure = Locked<BenchError?>(nil)
            let start = Machine.now()
            let node = node
            let feeders = (0..<threads).map { _ in
                WorkerThread("feeder") {
                    var room = window.room()
                    while failure.withLock({ $0 }) == nil {
                        let index = next.withLock { next in
                            next += 1
                            return next - 1
                        }
                        guard index < count else { return }
                        guard let transaction = try? Transaction(envelope: envelope(index)) else {
                            failure.withLock { $0 = BenchError("load", "the load does not decode") }
                            return
                        }
                        let share = room.enter()
                        node.submit(transaction) { answer in
                            if let wrong = Self.fault(answer) { failure.withLock { $0 = $0 ?? wrong } }
                            share.leave()
                        }
                    }
                }
            }
            for feeder in feeders { feeder.join() }
            window.waitUntilEmpty()
            if let failure = failure.withLock({ $0 }) { throw failure }
            return Machine.seconds(since: start)
        }

        /// Hands over one transaction after the other, as a client who waits for each.
        /// - Returns: the nanoseconds that each took to be certified.
        func timesOfEach(_ envelopes: [[UInt8]]) throws -> [UInt64] {
            try envelopes.map { envelope in
                let start = Machine.now()
                let answer = node.submit(try Transaction(envelope: envelope))
                if let fault = Self.fault(answer) { throw fault }
                return Machine.now() - start
            }
        }

        /// Why an answer is not what the load expects: everything in it can be done.
        static func fault(_ answer: Answer) -> BenchError? {
            guard case .receipt(let receipt, _) = answer else {
                return BenchError("load", "a transaction of the load was not taken: \(answer)")
            }
            guard receipt.result == .done, receipt.outcomes.allSatisfy(\.isWholly) else {
                return BenchError("load", "a transaction of the load had no effect: \(receipt.result.name)")
            }
            return nil
        }
    }

    static func write(_ bytes: [UInt8], to path: String) throws(BenchError) {
        guard Machine.write(bytes, to: path) else {
            throw BenchError("directory", "cannot write \(path): \(String(cString: strerror(errno)))")
        }
    }

    /// All of a file.
    package static func read(_ path: String) throws(BenchError) -> [UInt8] {
        guard let bytes = Machine.bytes(of: path) else {
            throw BenchError("directory", "cannot read \(path): \(String(cString: strerror(errno)))")
        }
        return bytes
    }
}

extension NaturalKey {
    static func opening(_ holder: Int) -> NaturalKey {
        NaturalKey(source: BenchChain.source, order: Array("opening-\(holder)".utf8))
    }
}

extension AccrualLine {
    init(account: AccountID, key: NaturalKey, amount: UInt64) {
        self.init(account: account, key: key, amount: amount, pending: false)
    }
}

extension Outcome {
    /// Whether every line was done.
    var isWholly: Bool {
        if case .lines(_, let exceptions) = self { exceptions.isEmpty } else { true }
    }
}

/// How many are under way, with a bound. Whoever waited for room gets a share of it at once: to be woken for each
/// single place would cost more than what is measured.
final class Window: Sendable {
    /// Places that one feeder has, until all that took one have left.
    final class Share: Sendable {
        private let window: Window
        private let taken = Locked(0)

        fileprivate init(_ window: Window) { self.window = window }

        fileprivate func leave(_ count: Int) {
            let isOver = taken.withLock { taken in
                taken += count
                return taken == window.each
            }
            if isOver { window.free.post(()) }
        }

        /// A transaction is done.
        func leave() { leave(1) }
    }

    /// What a feeder holds of its share.
    struct Room: ~Copyable {
        private let window: Window
        private var share: Share?
        private var left = 0

        fileprivate init(_ window: Window) { self.window = window }

        /// Waits for a place; the transaction that takes it has to leave.
        mutating func enter() -> Share {
            if left == 0 {
                _ = window.free.takeOne()
                share = Share(window)
                left = window.each
            }
            left -= 1
            return share!
        }

        deinit { if left > 0 { share?.leave(left) } }
    }

    private let free: Mailbox<Void>
    private let shares: Int
    private let each: Int

    init(_ size: Int) {
        each = max(1, size / 16)
        shares = size / each
        free = Mailbox(countMax: shares)
        for _ in 0..<shares { free.post(()) }
    }

    func room() -> Room { Room(self) }

    /// Waits until nothing is under way. Nothing may enter meanwhile.
    func waitUntilEmpty() { for _ in 0..<shares { _ = free.takeOne() } }
}

/// A small reproducible generator (SplitMix64): the same load in every run.
package struct Numbers: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
