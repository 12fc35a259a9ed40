import Concurrency
import Crypto
import Glibc
import Ledger
import Terminal
import Wallet

/// Generated shopping: baskets of realistic size in the rhythm of a day that passes quickly, deliveries some time
/// later, a few returns and cancellations, gifts between friends, redemptions at the till.
struct DemoTraffic {
    private struct Member {
        let account: AccountID
        let key: SecretKey
        /// Favourite organisation, where most is bought.
        let home: Int
    }

    private struct Purchase {
        let key: NaturalKey
        let shop: Int
        let member: Int
        let amount: UInt64
        /// Step at which it is delivered, cancelled or returned.
        let due: Int
        var stage: Stage

        enum Stage { case shipped, cancelled, delivered }
    }

    private let directory: ChainDirectory
    private let chain: any DemoChain
    private let shops: [DemoShop]
    private var members: [Member] = []
    private var open: [Purchase] = []
    private var random = SystemRandomNumberGenerator()
    private var sequence = 0
    private var step = 0
    private let session: UInt64
    private let perSecond: Int
    private let source = SourceID("demo-tills")!
    private let underWay = Counter()

    private static let memberCount = 320
    /// The first members: their keys are wallets in the directory, and only whoever holds those spends for them.
    static let walletNames = ["alice", "bob"]
    private static let welcomePoints: UInt64 = 500
    private static let stepMilliseconds: Int32 = 250
    private static let stepsPerSecond = 4
    /// Transactions that are sent and not answered.
    static let underWayMax = 2000
    private static let openMax = 20_000
    /// Share of a day's purchases by hour, of 100: quiet mornings, busy evenings. An hour passes in two seconds.
    private static let hours = [1, 1, 0, 0, 0, 0, 1, 1, 2, 4, 6, 7, 8, 6, 5, 5, 6, 7, 9, 11, 10, 7, 3, 0]
    private static let openingHour = 9
    private static let stepsPerHour = 8
    /// Baskets in yuan: many small ones, few large ones.
    private static let baskets: [ClosedRange<UInt64>] = [8...40, 20...90, 30...160, 60...320, 150...900, 500...4800]

    static let rateOption = Option.integer(
        "rate", in: 1...2000, .fallback("40"), help: "purchases a second, on average")

    /// Publishes the shops' units, opens the members' accounts and hands out the wallets, as far as that is not done.
    init(_ directory: ChainDirectory, _ shops: [DemoShop], _ chain: any DemoChain, perSecond: Int) throws {
        self.directory = directory
        self.shops = shops
        self.chain = chain
        self.perSecond = perSecond
        session = wallClockMilliseconds()
        for shop in shops where try !chain.isPublished(shop.unit, by: shop.issuer) {
            try chain.submit(signed([.publish(shop.program, issuer: shop.organisation)], shop.issuer))
        }
        try openMembers()
        try hand()
    }

    /// Runs `body` until the signals or the time ask for its end.
    static func untilStopped<R>(seconds: Int?, _ body: (StopRequest) throws -> R) throws -> R {
        // Its own, since the end of the time asks for a stop too, and the signals' request is the process's.
        let stop = StopRequest()
        Signals.install().onRequest { stop.request() }
        let timer = seconds.map { seconds in
            let end = ProgressBar.monotonic() + UInt64(seconds) * 1_000_000_000
            return WorkerThread("demo-timer") {
                while !stop.isRequested {
                    let now = ProgressBar.monotonic()
                    if now >= end { return stop.request() }
                    _ = stop.wait(milliseconds: Int32(min((end - now) / 1_000_000 + 1, 1000)))
                }
            }
        }
        defer {
            stop.request()
            timer?.join()
        }
        return try body(stop)
    }

    /// Members come from a seed in the directory, so that a second start finds the same ones.
    private mutating func openMembers() throws {
        let file = directory.path + "/demo.seed"
        if !Files.exists(file) { try Files.write(randomBytes(32), to: file) }
        let seed = try Files.read(file)
        for number in 0..<Self.memberCount {
            let secret = SHA256.hash(seed, Array("key \(number)".utf8)).bytes
            let account = SHA256.hash(seed, Array("account \(number)".utf8)).bytes.prefix(AccountID.byteCount)
            members.append(
                Member(
                    account: AccountID(bytes: account), key: SecretKey(seed: secret), home: number % shops.count))
        }
        for (index, shop) in shops.enumerated() {
            let lines = members.filter { $0.home == index }.map {
                OpenLine(account: $0.account, credential: $0.key.publicKey)
            }
            try chain.submit(signed([.open(OpenList(organisation: shop.organisation, lines: lines))], shop.issuer))
        }
    }

    /// Gives the first members away as wallets, and the first of them something to begin with.
    private func hand() throws {
        let wallets = Wallets(directory)
        for (name, member) in zip(Self.walletNames, members) where try !wallets.has(name) {
            try wallets.store(name, member.account, member.key)
        }
        let key = NaturalKey(source: source, order: Array("welcome".utf8))
        let shop = shops[0]
        guard try !chain.isAccrued(key, shop.unit, by: shop.issuer) else { return }
        let line = AccrualLine(account: members[0].account, key: key, amount: Self.welcomePoints, pending: false)
        try chain.submit(signed([.accrue(AccrueList(unit: shop.unit, lines: [line]))], shop.issuer))
    }

    mutating func run(_ screen: DemoScreen, _ stop: StopRequest) throws {
        while !stop.wait(milliseconds: Self.stepMilliseconds) {
            try chain.check()
            step += 1
            screen.refresh()
            guard underWay.value < Self.underWayMax else { continue }
            buy()
            settle()
            try spend()
        }
        // What is under way is certified before the node stops.
        for _ in 0..<100 where underWay.value > 0 { usleep(50_000) }
    }

    // MARK: Shopping

    private mutating func buy() {
        let hour = Self.hours[(Self.openingHour + step / Self.stepsPerHour) % 24]
        // The hours' shares add up to 100 a day: at 100 / 24 the pace is the average.
        let wanted = Double(perSecond) / Double(Self.stepsPerSecond) * Double(hour) * 24 / 100
        let count = Int(wanted) + (Double.random(in: 0..<1, using: &random) < wanted - wanted.rounded(.down) ? 1 : 0)
        var baskets: [Int: [AccrualLine]] = [:]
        for _ in 0..<count where open.count < Self.openMax {
            let member = Int.random(in: 0..<members.count, using: &random)
            let isHome = Int.random(in: 0..<10, using: &random) < 6
            let shop = isHome ? members[member].home : Int.random(in: 0..<shops.count, using: &random)
            let amount = UInt64.random(in: Self.baskets.randomElement(using: &random)!, using: &random)
            sequence += 1
            let key = NaturalKey(source: source, order: Array("D\(session)-\(sequence)".utf8))
            // Bought at the till: there at once. Ordered: pending until it is delivered.
            let isOrdered = Int.random(in: 0..<10, using: &random) < 4
            baskets[shop, default: []].append(
                AccrualLine(account: members[member].account, key: key, amount: amount, pending: isOrdered))
            let delay = Int.random(in: 8...80, using: &random)
            let isCancelled = isOrdered && Int.random(in: 0..<20, using: &random) == 0
            open.append(
                Purchase(
                    key: key, shop: shop, member: member, amount: amount, due: step + delay,
                    stage: isOrdered ? (isCancelled ? .cancelled : .shipped) : .delivered))
        }
        for (shop, lines) in baskets.sorted(by: { $0.key < $1.key }) {
            send([.accrue(AccrueList(unit: shops[shop].unit, lines: lines))], shops[shop].issuer)
        }
    }

    /// Deliveries vest, cancellations void, one in fifteen is brought back.
    private mutating func settle() {
        var vest: [Int: [TotalLine]] = [:]
        var void: [Int: [TotalLine]] = [:]
        var claw: [Int: [TotalLine]] = [:]
        var left: [Purchase] = []
        for purchase in open {
            guard purchase.due <= step else {
                left.append(purchase)
                continue
            }
            let total = TotalLine(key: purchase.key, total: purchase.amount)
            switch purchase.stage {
            case .cancelled: void[purchase.shop, default: []].append(total)
            case .shipped:
                vest[purchase.shop, default: []].append(total)
                var delivered = purchase
                delivered.stage = .delivered
                left.append(delivered)
            case .delivered:
                if Int.random(in: 0..<15, using: &random) == 0 { claw[purchase.shop, default: []].append(total) }
            }
        }
        open = left
        for (index, shop) in shops.enumerated() {
            if let lines = vest[index] { send([.vest(TotalList(unit: shop.unit, lines: lines))], shop.issuer) }
            if let lines = void[index] { send([.void(TotalList(unit: shop.unit, lines: lines))], shop.issuer) }
            if let lines = claw[index] { send([.clawBack(TotalList(unit: shop.unit, lines: lines))], shop.issuer) }
        }
    }

    /// Some members give points to a friend, redeem a part, or set some aside for a shop that takes them.
    private mutating func spend() throws {
        for _ in 0..<max(1, perSecond / 10) {
            let index = Int.random(in: Self.walletNames.count..<members.count, using: &random)
            let member = members[index]
            guard let (unit, available) = try chain.spendable(member.account, of: shops) else { continue }
            let amount = UInt64.random(in: 1...available, using: &random) / 3 + 1
            let author = Author(.account(member.account), member.key)
            if Bool.random(using: &random) {
                let friend = members[(index + Int.random(in: 1..<members.count, using: &random)) % members.count]
                send([.transfer(from: member.account, to: friend.account, unit: unit, amount: amount)], author)
            } else {
                sequence += 1
                let reference = Reference(Array("R\(session)-\(sequence)".utf8))
                send(
                    [.redeem(account: member.account, unit: unit, amount: amount, reference: reference)], author)
            }
        }
    }

    private func signed(_ operations: [Operation], _ author: Author) -> Transaction {
        Transaction.signed(operations, by: [author], genesis: directory.genesisHash, now: wallClockMilliseconds())
    }

    private func send(_ operations: [Operation], _ author: Author) {
        underWay.add()
        chain.send(signed(operations, author)) { [underWay] in underWay.add(-1) }
    }
}
