import Concurrency
import Crypto
import Glibc
import Ledger
import Node
import Storage
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
    private let consortium: Consortium
    private let issuers: [Author]
    private let units: [UnitCode]
    private var members: [Member] = []
    private var open: [Purchase] = []
    private var random = SystemRandomNumberGenerator()
    private var sequence = 0
    private var step = 0
    private let session: UInt64
    private let perSecond: Int
    private let source = SourceID("demo-tills")!
    private let underWay = Counter()

    private static let codes = ["GALAXY", "RIVER", "SPRUCE", "EASTGATE"]
    private static let memberCount = 320
    /// The first members: their keys are wallets in the directory, and only whoever holds those spends for them.
    static let walletNames = ["alice", "bob"]
    private static let welcomePoints: UInt64 = 500
    private static let stepMilliseconds: Int32 = 250
    private static let stepsPerSecond = 4
    private static let underWayMax = 2000
    private static let openMax = 20_000
    /// Share of a day's purchases by hour, of 100: quiet mornings, busy evenings. An hour passes in two seconds.
    private static let hours = [1, 1, 0, 0, 0, 0, 1, 1, 2, 4, 6, 7, 8, 6, 5, 5, 6, 7, 9, 11, 10, 7, 3, 0]
    private static let openingHour = 9
    private static let stepsPerHour = 8
    /// Baskets in yuan: many small ones, few large ones.
    private static let baskets: [ClosedRange<UInt64>] = [8...40, 20...90, 30...160, 60...320, 150...900, 500...4800]

    init(_ directory: ChainDirectory, _ consortium: Consortium, perSecond: Int) throws {
        self.directory = directory
        self.consortium = consortium
        self.perSecond = perSecond
        session = wallClockMilliseconds()
        issuers = try directory.genesis.organisations.map { try directory.issuer($0.id) }
        units = Self.codes.prefix(issuers.count).map { UnitCode($0)! }
        try publish()
        try openMembers()
        try hand()
    }

    private func publish() throws {
        for (index, unit) in units.enumerated() where try consortium.first.blocks.unit(unit) == nil {
            let program = Program(
                unit: unit, currency: "CNY", faceMinor: 1, facePoints: 1,
                expiry: index == 3 ? .months(24) : nil,
                zone: index == 3 ? [ZoneOffset(from: 0, minutes: 480)] : [])
            _ = try Submission.receipt(
                consortium.first.submit(
                    signed([.publish(program, issuer: directory.genesis.organisations[index].id)], issuers[index])))
        }
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
                    account: AccountID(bytes: account), key: SecretKey(seed: secret), home: number % issuers.count))
        }
        for (index, organisation) in directory.genesis.organisations.enumerated() {
            let lines = members.filter { $0.home == index }.map {
                OpenLine(account: $0.account, credential: $0.key.publicKey)
            }
            _ = try Submission.receipt(
                consortium.first.submit(
                    signed([.open(OpenList(organisation: organisation.id, lines: lines))], issuers[index])))
        }
    }

    /// Gives the first members away as wallets, and the first of them something to begin with.
    private func hand() throws {
        let wallets = Wallets(directory)
        for (name, member) in zip(Self.walletNames, members) where try !wallets.has(name) {
            try wallets.store(name, member.account, member.key)
        }
        let key = NaturalKey(source: source, order: Array("welcome".utf8))
        let issuer = directory.genesis.organisations[0].id
        guard try consortium.first.blocks.accepted(key, issuer: issuer) == nil else { return }
        let line = AccrualLine(account: members[0].account, key: key, amount: Self.welcomePoints, pending: false)
        _ = try Submission.receipt(
            consortium.first.submit(signed([.accrue(AccrueList(unit: units[0], lines: [line]))], issuers[0])))
    }

    mutating func run(_ screen: DemoScreen, _ stop: StopRequest) throws {
        while !stop.wait(milliseconds: Self.stepMilliseconds) {
            if let halt = consortium.halted.first {
                throw ChainDirectory.explain(halt)
            }
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
            let shop = isHome ? members[member].home : Int.random(in: 0..<issuers.count, using: &random)
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
            send([.accrue(AccrueList(unit: units[shop], lines: lines))], issuers[shop])
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
        for shop in units.indices {
            if let lines = vest[shop] { send([.vest(TotalList(unit: units[shop], lines: lines))], issuers[shop]) }
            if let lines = void[shop] { send([.void(TotalList(unit: units[shop], lines: lines))], issuers[shop]) }
            if let lines = claw[shop] { send([.clawBack(TotalList(unit: units[shop], lines: lines))], issuers[shop]) }
        }
    }

    /// Some members give points to a friend, redeem a part, or set some aside for a shop that takes them.
    private mutating func spend() throws {
        for _ in 0..<max(1, perSecond / 10) {
            let index = Int.random(in: Self.walletNames.count..<members.count, using: &random)
            let member = members[index]
            guard
                let (unit, holding) = try consortium.first.blocks.holdings(member.account)
                    .randomElement(using: &random), holding.available > 0
            else { continue }
            let amount = UInt64.random(in: 1...holding.available, using: &random) / 3 + 1
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
        Transaction.signed(operations, by: [author], genesis: consortium.genesisHash, now: wallClockMilliseconds())
    }

    private func send(_ operations: [Operation], _ author: Author) {
        underWay.add()
        consortium.first.submit(signed(operations, author)) { [underWay] _ in underWay.add(-1) }
    }
}
