import Canonical
import Crypto
import Testing

@testable import Ledger

/// For each number there is a smallest scenario that answers it.
struct RefusalTests {
    typealias Scenario = @Sendable (inout Book) throws -> Receipt

    /// Two organisations; one program MALL of the first with accounts 1, 2 and the unclaimed 3: see `Book.standard`.
    static let scenarios: [(code: ResultCode, scenario: Scenario)] = [
        (.done, { $0.run([Book.first], Book.pay(10)) }),
        (.exists, { $0.run([Book.mallIssuer], Book.accrual(Book.one, order(1), 1000)) }),
        (
            .signatureInvalid,
            {
                let transaction = $0.transaction([Book.first], [Book.pay(10)])
                return $0.block(inputs: [Ledger.Input(transaction, signaturesVerify: false)]).receipts[0]
            }
        ),
        (
            .expired,
            {
                let transaction = $0.transaction([Book.first], [Book.pay(10)])
                return $0.block([transaction], after: 60_001)[0]
            }
        ),
        (.validUntilTooFar, { $0.block([$0.valid(until: $0.time + 1000 + 300_001)])[0] }),
        (
            .duplicate,
            {
                let transaction = $0.transaction([Book.first], [Book.pay(10)])
                $0.block([transaction])
                return $0.block([transaction])[0]
            }
        ),
        (
            .nonceUsed,
            {
                $0.block([$0.valid(until: $0.time + 5000, nonce: 7)])
                return $0.block([$0.valid(until: $0.time + 5000, nonce: 7)])[0]
            }
        ),
        (.signerUnknown, { $0.run([Signer(.account(account(9)), key(109))], Book.pay(1, from: account(9))) }),
        (.keyNotValid, { $0.run([Signer(.account(Book.one), key(102))], Book.pay(10)) }),
        (.signerMissing, { $0.run([Book.second], Book.pay(10)) }),
        (.amountZero, { $0.run([Book.first], Book.pay(0)) }),
        (
            .amountTooLarge,
            {
                $0 = .standard(quota: .max)
                $0.run([Book.mallIssuer], Book.accrual(Book.one, order(2), .max - 1000))
                return $0.run([Book.mallIssuer], Book.accrual(Book.one, order(3), 1))
            }
        ),
        (
            .unitUnknown,
            { $0.run([Book.first], .transfer(from: Book.one, to: Book.two, unit: unit("NONE"), amount: 1)) }
        ),
        (.selfAddressed, { $0.run([Book.first], Book.pay(10, to: Book.one)) }),
        (.accountUnknown, { $0.run([Book.first], Book.pay(10, to: account(9))) }),
        (.accountUnclaimed, { $0.run([Book.first], Book.pay(10, to: Book.three)) }),
        (
            .accountFrozen,
            {
                $0.run([Book.first], .freeze(account: Book.one))
                return $0.run([Book.first], Book.pay(10))
            }
        ),
        (
            .debtOutstanding,
            {
                $0.run([Book.first], Book.pay(1))
                $0.run([Book.mallIssuer], .clawBack(Book.total(order(1), 1000)))
                return $0.run([Book.first], Book.buy(1))
            }
        ),
        (.balanceInsufficient, { $0.run([Book.first], Book.pay(1001)) }),
        (.quotaExceeded, { $0.run([Book.mallIssuer], Book.accrual(Book.one, order(2), 999_001)) }),
        (
            .lotsTooMany,
            {
                try $0.crowd(Book.two, lots: Holding.lotsMax)
                return $0.run([Book.first], Book.pay(10))
            }
        ),
        (.existsWithDifferentAccount, { $0.run([Book.mallIssuer], Book.accrual(Book.two, order(1), 1000)) }),
        (
            .existsWithDifferentUnit,
            {
                let other = unit("OTHER")
                $0.run([Book.mallIssuer], .publish(Book.program(other), issuer: OrganisationID(1)))
                return $0.run([Book.mallIssuer], Book.accrual(Book.one, order(1), 1000, unit: other))
            }
        ),
        (.existsWithDifferentAmount, { $0.run([Book.mallIssuer], Book.accrual(Book.one, order(1), 999)) }),
        (.accrualUnknown, { $0.run([Book.mallIssuer], .vest(Book.total(order(2), 1))) }),
        (.totalBelowRecorded, { $0.run([Book.mallIssuer], .vest(Book.total(order(1), 999))) }),
        (.totalAboveAmount, { $0.run([Book.mallIssuer], .clawBack(Book.total(order(1), 1001))) }),
        (
            .unitForeign,
            {
                let other = unit("OTHER")
                $0.run([issuer(2)], .publish(Book.program(other), issuer: OrganisationID(2)))
                return $0.run([issuer(2)], Book.accrual(Book.three, order(1), 5, unit: other))
            }
        ),
        (
            .accountTaken,
            {
                $0.run(
                    [issuer(2)],
                    .open(
                        OpenList(
                            organisation: OrganisationID(2), lines: [OpenLine(account: Book.one, credential: key(5))])))
            }
        ),
        (
            .openingsTooMany,
            {
                $0 = .standard { $0.openingsPerMinuteMax = 3 }
                let line = OpenLine(account: account(9), credential: key(5))
                return $0.run([Book.mallIssuer], .open(OpenList(organisation: OrganisationID(1), lines: [line])))
            }
        ),
        (.ticketInvalid, { $0.open(account(9), $0.ticket(key: issuer(2).key)) }),
        (.ticketExpired, { $0.open(account(9), $0.ticket(until: $0.time)) }),
        (
            .accountClaimed,
            { $0.run([Book.first, Book.mallIssuer], .claim(account: Book.one, credential: Book.first.key)) }
        ),
        (
            .credentialExists,
            {
                let again = Credential(key: key(101), from: 100)
                return $0.run([Book.first], .addCredential(account: Book.one, credential: again))
            }
        ),
        (.credentialUnknown, { $0.run([Book.first], .revokeCredential(account: Book.one, key: key(5))) }),
        (.credentialLast, { $0.run([Book.first], .revokeCredential(account: Book.one, key: key(101))) }),
        (
            .credentialsTooMany,
            {
                for number in 0..<UInt64(Account.credentialsMax - 1) { $0.add(key(500 + number)) }
                return $0.add(key(600))
            }
        ),
        (.heightsInvalid, { $0.add(key(5), from: 1) }),
        (
            .guardianRequired,
            {
                $0.run([Book.guardian], .freeze(account: Book.one))
                return $0.run([Book.first], .unfreeze(account: Book.one))
            }
        ),
        (.unitTaken, { $0.run([issuer(2)], .publish(Book.program(face: 2), issuer: OrganisationID(2))) }),
        (
            .programFieldFixed,
            {
                let program = Program(unit: Book.mall, decimals: 2, currency: "CNY", faceMinor: 1, facePoints: 100)
                return $0.run([Book.mallIssuer], .publish(program, issuer: OrganisationID(1)))
            }
        ),
        (
            .unitsTooMany,
            {
                $0 = .standard { $0.unitsPerOrganisationMax = 1 }
                return $0.run(
                    [Book.mallIssuer], .publish(Book.program(unit("OTHER")), issuer: OrganisationID(1)))
            }
        ),
        (.organisationUnknown, { $0.run([Book.first], $0.reservation(10, for: 3)) }),
        (.deadlinePast, { $0.run([Book.first], $0.reservation(10, in: 1000)) }),
        (.deadlineTooFar, { $0.run([Book.first], $0.reservation(10, in: 1001 + 7 * 86_400_000)) }),
        (.holdUnknown, { $0.run([issuer(2)], .commit(hold: .zero, amount: 1)) }),
        (
            .holdOverdue,
            {
                $0.ledger.releasesMax = 0
                let hold = $0.hold(10, in: 1500)
                return $0.run([issuer(2)], .commit(hold: hold, amount: 10))
            }
        ),
        (
            .organisationInactive,
            {
                $0.decide(.suspend(OrganisationID(2)), by: [1, 2])
                return $0.propose(.rules(version: 2), by: 2)
            }
        ),
        (.organisationNotSuspended, { $0.propose(.release(OrganisationID(2)), by: 1) }),
        (.organisationTaken, { $0.propose(Book.admission(2), by: 1) }),
        (.keyTaken, { $0.propose(Book.admission(3, votingKey: organisation(2).votingKey), by: 1) }),
        (
            .organisationsTooMany,
            { book in
                // Who has left keeps its number.
                for number in 3...UInt32(Genesis.organisationsMax) {
                    book.decide(Book.admission(number, votes: false), by: [1, 2])
                    book.decide(.exit(OrganisationID(number)), by: [1, 2])
                }
                return book.propose(Book.admission(1001), by: 1)
            }
        ),
        (
            .validatorsTooMany,
            { book in
                for number in 3...UInt32(Genesis.validatorsMax) {
                    book.decide(Book.admission(number), by: Array(1..<number))
                }
                return book.propose(Book.admission(101), by: 1)
            }
        ),
        (
            .voterLast,
            {
                $0.decide(.suspend(OrganisationID(2)), by: [1, 2])
                return $0.propose(.exit(OrganisationID(1)), by: 1)
            }
        ),
        (.rulesVersionOld, { $0.propose(.rules(version: 1), by: 1) }),
        (.proposalUnknown, { $0.approve(.zero, by: 1) }),
        (
            .proposalsTooMany,
            { book in
                for quota in 1...UInt64(16) { book.propose(.quota(OrganisationID(1), quota), by: 1) }
                return book.propose(.quota(OrganisationID(1), 17), by: 1)
            }
        ),
        (.evidenceForeign, { $0.run([Book.first], .accuse(Book.evidence(against: 2, key: key(5)))) }),
        (.organisationFieldFixed, { $0.propose(Book.exchange(1, keysOf: 50, name: "Another"), by: 1) }),
        (
            .keysUnchanged,
            { $0.propose(Book.exchange(1, keysOf: 50, voting: false, issuing: false, governing: false), by: 1) }
        ),
        (
            .keysTooMany,
            { book in
                for number in 1..<VotingKey.countMax {
                    book.propose(Book.exchange(1, keysOf: 1000 + number, issuing: false, governing: false), by: 1)
                }
                return book.propose(Book.exchange(1, keysOf: 5000, issuing: false, governing: false), by: 1)
            }
        ),
    ]

    @Test func everyNumberHasAScenario() {
        #expect(Self.scenarios.map(\.code) == ResultCode.texts.map(\.code))
    }

    @Test(arguments: scenarios.indices) func scenarioAnswersItsNumber(_ index: Int) throws {
        var book = Book.standard()
        let (code, scenario) = Self.scenarios[index]
        let receipt = try scenario(&book)
        #expect(receipt.code == code)
        // What is refused before its operations are looked at burns no nonce, and names no operation.
        if code.isRefusal, receipt.result == code {
            #expect(ResultCode.burnsNoNonce.contains(code) == (receipt.operation == nil))
        }
    }

    // MARK: Precedence

    /// Each row: what is asked, where the first of the two numbers and the second would both be right.
    static let precedence: [(first: ResultCode, second: ResultCode, scenario: Scenario)] = [
        (
            .signatureInvalid, .expired,
            {
                let transaction = $0.valid(until: $0.time)
                return $0.block(inputs: [Ledger.Input(transaction, signaturesVerify: false)]).receipts[0]
            }
        ),
        (
            .expired, .duplicate,
            {
                let transaction = $0.valid(until: $0.time + 1000)
                $0.block([transaction])
                return $0.block([transaction])[0]
            }
        ),
        (.validUntilTooFar, .keyNotValid, { $0.block([$0.valid(until: .max, key: key(5))])[0] }),
        (
            .nonceUsed, .keyNotValid,
            {
                $0.block([$0.valid(until: $0.time + 5000, nonce: 7)])
                return $0.block([$0.valid(until: $0.time + 5000, nonce: 7, key: key(5))])[0]
            }
        ),
        (
            .keyNotValid, .signerUnknown,
            { $0.run([Signer(.account(Book.one), key(5)), Signer(.account(account(9)), key(5))], Book.pay(10)) }
        ),
        (.keyNotValid, .amountZero, { $0.run([Signer(.account(Book.one), key(5))], Book.pay(0)) }),
        (.signerMissing, .amountZero, { $0.run([Book.second], Book.pay(0)) }),
        (
            .amountZero, .unitUnknown,
            { $0.run([Book.first], .transfer(from: Book.one, to: Book.two, unit: unit("NONE"), amount: 0)) }
        ),
        (
            .unitUnknown, .selfAddressed,
            { $0.run([Book.first], .transfer(from: Book.one, to: Book.one, unit: unit("NONE"), amount: 1)) }
        ),
        (.selfAddressed, .balanceInsufficient, { $0.run([Book.first], Book.pay(5000, to: Book.one)) }),
        (
            .accountFrozen, .accountUnknown,
            {
                $0.run([Book.first], .freeze(account: Book.one))
                return $0.run([Book.first], Book.pay(10, to: account(9)))
            }
        ),
        (.accountUnknown, .balanceInsufficient, { $0.run([Book.first], Book.pay(5000, to: account(9))) }),
        (.accountUnclaimed, .balanceInsufficient, { $0.run([Book.first], Book.pay(5000, to: Book.three)) }),
        (
            .accountFrozen, .debtOutstanding,
            {
                $0.run([Book.first], Book.pay(1))
                $0.run([Book.mallIssuer], .clawBack(Book.total(order(1), 1000)))
                $0.run([Book.first], .freeze(account: Book.one))
                return $0.run([Book.first], Book.buy(1))
            }
        ),
        (
            .debtOutstanding, .balanceInsufficient,
            {
                $0.run([Book.first], Book.pay(1))
                $0.run([Book.mallIssuer], .clawBack(Book.total(order(1), 1000)))
                return $0.run([Book.first], Book.buy(5000))
            }
        ),
        (
            .accountFrozen, .accountUnknown,
            {
                $0.run([Book.first], .freeze(account: Book.one))
                return $0.run([Book.first], $0.reservation(10, use: .transfer(to: account(9))))
            }
        ),
        (
            .accountUnknown, .balanceInsufficient,
            { $0.run([Book.first], $0.reservation(5000, use: .transfer(to: account(9)))) }
        ),
        (.balanceInsufficient, .organisationUnknown, { $0.run([Book.first], $0.reservation(5000, for: 3)) }),
        (.organisationUnknown, .deadlinePast, { $0.run([Book.first], $0.reservation(10, for: 3, in: 0)) }),
        (
            .existsWithDifferentAccount, .accountUnknown,
            {
                $0.run([Book.mallIssuer], Book.accrual(account(9), order(1), 1000))
            }
        ),
        (
            .existsWithDifferentAccount, .existsWithDifferentAmount,
            {
                $0.run([Book.mallIssuer], Book.accrual(Book.two, order(1), 1))
            }
        ),
        (.amountZero, .existsWithDifferentAmount, { $0.run([Book.mallIssuer], Book.accrual(Book.one, order(1), 0)) }),
        (.amountTooLarge, .quotaExceeded, { $0.run([Book.mallIssuer], Book.accrual(Book.one, order(2), .max)) }),
        (
            .accountUnknown, .quotaExceeded,
            {
                $0.run([Book.mallIssuer], Book.accrual(account(9), order(2), 2_000_000))
            }
        ),
        (
            .unitForeign, .quotaExceeded,
            {
                let other = unit("OTHER")
                $0.run([issuer(2)], .publish(Book.program(other), issuer: OrganisationID(2)))
                return $0.run([issuer(2)], Book.accrual(Book.three, order(1), 2_000_000, unit: other))
            }
        ),
        (.amountZero, .accrualUnknown, { $0.run([Book.mallIssuer], .void(Book.total(order(2), 0))) }),
        (.signerMissing, .accrualUnknown, { $0.run([issuer(2)], .vest(Book.total(order(2), 1))) }),
        (
            .signerMissing, .holdOverdue,
            {
                $0.ledger.releasesMax = 0
                let hold = $0.hold(10, in: 1500)
                return $0.run([issuer(1)], .commit(hold: hold, amount: 10))
            }
        ),
        (
            .accountFrozen, .holdOverdue,
            {
                $0.ledger.releasesMax = 0
                let hold = $0.hold(10, in: 1500)
                $0.run([Book.first], .freeze(account: Book.one))
                return $0.run([issuer(2)], .commit(hold: hold, amount: 10))
            }
        ),
        (
            .holdOverdue, .balanceInsufficient,
            {
                $0.ledger.releasesMax = 0
                let hold = $0.hold(10, in: 1500)
                return $0.run([issuer(2)], .commit(hold: hold, amount: 11))
            }
        ),
        (.ticketInvalid, .ticketExpired, { $0.open(account(9), $0.ticket(key: key(5), until: 0)) }),
        (.credentialExists, .heightsInvalid, { $0.add(key(101), from: 1) }),
        (
            .credentialExists, .credentialUnknown,
            {
                $0.run([Book.first], .rotateCredential(account: Book.one, old: key(5), new: key(101)))
            }
        ),
        (
            .unitTaken, .programFieldFixed,
            {
                let program = Program(unit: Book.mall, decimals: 2, currency: "EUR", faceMinor: 1, facePoints: 100)
                return $0.run([issuer(2)], .publish(program, issuer: OrganisationID(2)))
            }
        ),
    ]

    @Test(arguments: precedence.indices) func theFirstOfTwoRefusalsIsGiven(_ index: Int) throws {
        var book = Book.standard()
        let (first, second, scenario) = Self.precedence[index]
        let code = try scenario(&book).code
        #expect(code == first, "row \(index): not \(second)")
    }

    // MARK: Amounts (check 18)

    /// Every amount that a body can state, in every place where it can state one: a number comes back, never a trap.
    @Test(arguments: [0, 1, 999, 1000, 1001, UInt64(Int64.max), UInt64(Int64.max) + 1, UInt64.max - 1, UInt64.max])
    func check18AnyAmountAnywhereIsAnswered(_ amount: UInt64) throws {
        for quota in [1_000_000, UInt64.max] {
            var book = Book.standard(quota: quota)
            book.run([Book.mallIssuer], Book.accrual(Book.one, order(5), 7, pending: true))
            let hold = book.hold(100)
            let known = ResultCode.texts.map(\.code)
            let issued: [Operation] = [
                Book.accrual(Book.two, order(amount, line: 1), amount),
                Book.accrual(Book.two, order(amount, line: 2), amount, pending: true),
                .vest(Book.total(order(5), amount)), .void(Book.total(order(5), amount)),
                .clawBack(Book.total(order(1), amount)), .clawBack(Book.total(order(5), amount)),
            ]
            let spent: [Operation] = [
                Book.pay(amount), Book.pay(amount, to: Book.one), Book.buy(amount), book.reservation(amount),
                book.reservation(amount, use: .transfer(to: Book.two)),
                .reserve(
                    Reservation(
                        account: Book.one, unit: Book.mall, amount: 1, organisation: OrganisationID(2),
                        use: .redeem(Reference([])), deadline: amount)),
                .addCredential(
                    account: Book.one, credential: Credential(key: key(700), from: amount, to: amount &+ 1)),
            ]
            for operation in issued { #expect(known.contains(book.run([Book.mallIssuer], operation).code)) }
            for operation in spent { #expect(known.contains(book.run([Book.first], operation).code)) }
            #expect(known.contains(book.run([issuer(2)], .commit(hold: hold, amount: amount)).code))
            #expect(known.contains(book.block([book.valid(until: amount)])[0].code))
            #expect(try #require(try book.unitRow(Book.mall)).isConserved)
        }
    }
}

extension Book {
    /// A payment of 1 by account 1, with this time and nonce.
    func valid(until: UInt64, nonce: UInt64 = 1 << 40, key: PublicKey = Book.first.key) -> Transaction {
        // Two that differ in their time have different bodies, as have those of two blocks.
        Transaction(
            body: TransactionBody(
                nonce: nonce, validUntil: until, signers: [Signer(.account(Book.one), key)],
                operations: [Book.pay(1)]),
            signatures: [])
    }

    /// Opens an account with this ticket, by key 109.
    mutating func open(_ id: AccountID, _ ticket: Ticket) -> Receipt {
        run([Signer(.account(id), key(109))], .openByTicket(OpenLine(account: id, credential: key(109)), ticket))
    }

    /// Adds a credential to account 1; it is valid from the next block but 99 on.
    @discardableResult
    mutating func add(_ key: PublicKey, from: UInt64 = 100) -> Receipt {
        run([Book.first], .addCredential(account: Book.one, credential: Credential(key: key, from: from)))
    }

    /// Gives an account this many lots of MALL, each under a version of the program of its own.
    mutating func crowd(_ id: AccountID, lots: Int) throws {
        var operations: [Operation] = []
        for number in 0..<UInt64(lots) {
            operations.append(.publish(Book.program(face: 2 + number % 2), issuer: OrganisationID(1)))
            operations.append(Book.accrual(id, order(1_000_000 + number), 5))
        }
        block(
            stride(from: 0, to: operations.count, by: 16).map { start in
                transaction([Book.mallIssuer], Array(operations[start..<min(start + 16, operations.count)]))
            })
        let count = try holding(id, Book.mall)!.lots.count
        precondition(count == lots, "a lot a version")
    }
}
