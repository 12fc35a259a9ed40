import Chain
import Crypto
import Ledger
import Node

/// The clients of a small bank: accounts are opened, earn, send, redeem, reserve; what is not answered is sent again.
struct Bank {
    private struct Order {
        let transaction: Transaction
        var isAnswered = false
    }

    private let cast: Cast
    private let count_max: Int
    private var random: SeededRandom
    private var orders: [Order] = []
    /// Foundations that were not sent yet, last first.
    private var foundation: [Transaction]
    private var holds: [HoldID] = []
    /// Which transaction a request was about, and whether under its good signature.
    private var requests: [UInt64: (order: Int, isGood: Bool)] = [:]
    private(set) var receipts: [(id: TransactionID, receipt: Receipt, place: Place)] = []
    private(set) var answeredCount = 0
    private(set) var highestPlace: UInt64 = 0

    /// All that is sent here stays valid through a whole run: how expiry is judged is for other tests.
    private static let validMilliseconds: UInt64 = 250_000

    private var agenda: Agenda?

    init(cast: Cast, transactions: Int, seed: UInt64, agenda: Agenda? = nil) {
        self.agenda = agenda
        self.cast = cast
        count_max = transactions
        random = SeededRandom(seed: seed ^ 0xBA9)
        foundation = cast.foundation(validUntil: Cast.genesisTime + Self.validMilliseconds).reversed()
    }

    var count: Int { orders.count }
    var isDone: Bool { orders.count == count_max && answeredCount == orders.count }

    func isAnswered(_ order: Int) -> Bool { orders[order].isAnswered }

    /// Something new to do, or nil when that was all.
    mutating func next(now: UInt64) -> Int? {
        guard orders.count < count_max else { return nil }
        let validUntil = Cast.genesisTime + now + Self.validMilliseconds
        orders.append(Order(transaction: foundation.popLast() ?? decide(validUntil) ?? make(validUntil)))
        return orders.count - 1
    }

    private func issue(
        _ organisation: Int, _ nonce: UInt64, _ validUntil: UInt64, _ operation: Operation
    ) -> Transaction {
        cast.issue(
            organisation, generation: agenda?.generations[organisation] ?? 0, nonce: nonce, validUntil: validUntil,
            [operation])
    }

    /// Whom the members mean to suspend.
    var suspended: Set<OrganisationID> { agenda?.suspended ?? [] }

    /// The next thing that a member has to sign, where the one before was answered.
    private mutating func decide(_ validUntil: UInt64) -> Transaction? {
        guard agenda != nil, random.chance(perMille: 500), agenda!.order.map({ orders[$0].isAnswered }) ?? true else {
            return nil
        }
        guard let transaction = agenda!.next(cast, nonce: UInt64(1000 + orders.count), validUntil) else { return nil }
        agenda!.order = orders.count
        return transaction
    }

    mutating func request(_ order: Int) -> (Transaction, UInt64) {
        let request = UInt64(requests.count)
        requests[request] = (order, true)
        return (orders[order].transaction, request)
    }

    mutating func garbledRequest(_ order: Int) -> (Transaction, UInt64) {
        let request = UInt64(requests.count)
        requests[request] = (order, false)
        return (Cast.garbled(orders[order].transaction), request)
    }

    /// Some transaction that is known to the world.
    func submitted(_ random: inout SeededRandom) -> Transaction? {
        orders.isEmpty ? nil : orders[random.below(orders.count)].transaction
    }

    mutating func take(_ answer: Answer, to request: UInt64) throws(Failure) {
        guard let (order, isGood) = requests[request] else { throw Failure(.nothingLost, "nobody asked \(request)") }
        let id = orders[order].transaction.id
        switch answer {
        case .receipt(let receipt, let place):
            guard receipt.transaction == id else {
                throw Failure(.nothingLost, "request \(request) is answered with another's receipt")
            }
            receipts.append((id, receipt, place))
            highestPlace = max(highestPlace, place.height)
            if agenda?.order == order, isGood, receipt.result != .signatureInvalid { agenda!.take(receipt) }
            // Of a bad signature nothing follows for the good one.
            if isGood, receipt.result != .signatureInvalid { settle(order) }
        case .refused(.signatureInvalid):
            if isGood { throw Failure(.nothingLost, "the good signature of request \(request) is refused") }
        case .refused(.expired): settle(order)
        // It is sent again later.
        case .refused, .promise, .proof: break
        }
    }

    private mutating func settle(_ order: Int) {
        guard !orders[order].isAnswered else { return }
        orders[order].isAnswered = true
        answeredCount += 1
    }

    // MARK: What clients do

    private mutating func make(_ validUntil: UInt64) -> Transaction {
        let nonce = UInt64(1000 + orders.count)
        let issuer = random.below(cast.units.count)
        let unit = cast.units[issuer]
        let person = random.below(cast.people.count)
        let amount = random.between(1, 60)
        let to = cast.people[random.below(cast.people.count)].id
        switch random.below(10) {
        case 0...3:
            let lines = (0...random.below(4)).map { _ in
                // Few orders, so that some come twice.
                AccrualLine(
                    account: cast.people[random.below(cast.people.count)].id,
                    key: NaturalKey(source: SourceID("till")!, order: [UInt8(random.below(40))]),
                    amount: random.between(1, 100), pending: random.chance(perMille: 200))
            }
            return issue(issuer, nonce, validUntil, .accrue(AccrueList(unit: unit, lines: lines)))
        case 4, 5:
            let operation = Operation.transfer(from: cast.people[person].id, to: to, unit: unit, amount: amount)
            return cast.spend(person, nonce: nonce, validUntil: validUntil, [operation])
        case 6:
            let operation = Operation.redeem(
                account: cast.people[person].id, unit: unit, amount: amount, reference: Reference([1]))
            return cast.spend(person, nonce: nonce, validUntil: validUntil, [operation])
        case 7:
            let reservation = Reservation(
                account: cast.people[person].id, unit: unit, amount: amount, organisation: cast.organisation(0),
                use: random.chance(perMille: 500) ? .redeem(Reference([2])) : .transfer(to: to),
                deadline: validUntil + 3_600_000)
            let transaction = cast.spend(person, nonce: nonce, validUntil: validUntil, [.reserve(reservation)])
            holds.append(SHA256.hash(.hold, transaction.id.bytes + [0]))
            return transaction
        default:
            guard !holds.isEmpty else {
                return cast.spend(
                    person, nonce: nonce, validUntil: validUntil, [.freeze(account: cast.people[person].id)])
            }
            let hold = holds[random.below(holds.count)]
            let operation =
                random.chance(perMille: 700) ? Operation.commit(hold: hold, amount: 1) : .release(hold: hold)
            return issue(0, nonce, validUntil, operation)
        }
    }
}

extension Cast {
    /// Entries of a bank's ordinary days, one after another and without certificates: the same bytes for a seed on
    /// every machine.
    public func corpus(seed: UInt64, entries: Int, transactionsEach: Int = 10) -> [[UInt8]] {
        var bank = Bank(cast: self, transactions: entries * transactionsEach, seed: seed)
        var raws: [[UInt8]] = []
        var previous = genesisHash
        for position in 0..<entries {
            var transactions: [Transaction] = []
            for _ in 0..<transactionsEach {
                guard let order = bank.next(now: UInt64(position)) else { break }
                transactions.append(bank.request(order).0)
            }
            // Some of every kind that changes nothing.
            if position % 5 == 4 { transactions += [Cast.garbled(transactions[0]), transactions[1]] }
            let proposer = position % set.count
            let raw = Entry(
                position: UInt64(position + 1), previous: previous, proposer: organisation(proposer),
                certificate: nil, transactions: transactions
            ).signed(genesis: genesisHash, key: votingKeys[proposer])
            raws.append(raw)
            previous = Entry.hash(raw: raw)
        }
        return raws
    }
}
