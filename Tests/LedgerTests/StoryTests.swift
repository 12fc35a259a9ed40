import Canonical
import Crypto
import Testing

@testable import Ledger

/// What happens to points in the life of an order, told block by block.
struct StoryTests {
    // MARK: Returns and debts (P04, P07)

    @Test func buyEarnRefundLeavesNothing() throws {
        var book = Book.standard()
        book.run([Book.mallIssuer], Book.accrual(Book.two, order(2), 300, pending: true))
        // Before it vests it cannot move at all.
        #expect(book.run([Book.second], Book.pay(1, from: Book.two, to: Book.one)).code == .balanceInsufficient)
        #expect(book.run([Book.second], Book.buy(1, by: Book.two)).code == .balanceInsufficient)
        #expect(book.run([Book.mallIssuer], .void(Book.total(order(2), 300))).code == .done)
        #expect(try book.holding(Book.two, Book.mall) == nil, "a holding of nothing has no row")

        // A return after it vested takes it back too.
        book.run([Book.mallIssuer], Book.accrual(Book.two, order(3), 300, pending: true))
        book.run([Book.mallIssuer], .vest(Book.total(order(3), 300)))
        #expect(book.run([Book.mallIssuer], .clawBack(Book.total(order(3), 300))).code == .done)
        #expect(try book.holding(Book.two, Book.mall) == nil, "a holding of nothing has no row")
        let row = try #require(try book.unitRow(Book.mall))
        #expect(row.cancelled == 300 && row.clawed == 300 && row.outstanding == 1000 && row.minted == 1600)
    }

    @Test func pointsSpentBeforeTheReturnBecomeTheEarnersDebt() throws {
        var book = Book.standard()
        book.run([Book.first], Book.pay(1000))
        #expect(try book.holding(Book.one, Book.mall) == nil)
        // Nothing is there any more, not even a row: all of it is debt, and the receiver keeps what it received.
        #expect(book.run([Book.mallIssuer], .clawBack(Book.total(order(1), 600))).code == .done)
        #expect(try book.debt(Book.one) == 600)
        #expect(try book.available(Book.two) == 1000)

        // Later accruals repay first, pending ones when they vest.
        book.run([Book.mallIssuer], Book.accrual(Book.one, order(2), 100))
        #expect(try book.debt(Book.one) == 500)
        #expect(try book.available(Book.one) == 0)
        book.run([Book.mallIssuer], Book.accrual(Book.one, order(3), 450, pending: true))
        #expect(try book.debt(Book.one) == 500)
        book.run([Book.mallIssuer], .vest(Book.total(order(3), 450)))
        #expect(try book.debt(Book.one) == 50)

        // While anything is owed nothing is redeemed, by reservation neither; what was given may be given on.
        book.run([Book.second], Book.pay(80, from: Book.two, to: Book.one))
        #expect(book.run([Book.first], Book.buy(1)).code == .debtOutstanding)
        #expect(book.run([Book.first], book.reservation(1)).code == .debtOutstanding)
        #expect(book.run([Book.first], Book.pay(1)).code == .done)
        book.run([Book.mallIssuer], Book.accrual(Book.one, order(4), 70))
        #expect(try book.debt(Book.one) == 0)
        #expect(try book.available(Book.one) == 79 + 20)
        #expect(book.run([Book.first], Book.buy(99)).code == .done)
        #expect(try book.holding(Book.one, Book.mall) == nil)
        let row = try #require(try book.unitRow(Book.mall))
        #expect(row.clawed == 600 && row.debt == 0 && row.redeemed == 99)
    }

    @Test func aDebtRepaidToTheLastPointLeavesNoRow() throws {
        var book = Book.standard()
        book.run([Book.first], Book.pay(1000))
        book.run([Book.mallIssuer], .clawBack(Book.total(order(1), 1000)))
        book.run([Book.mallIssuer], Book.accrual(Book.one, order(2), 1000))
        #expect(try book.holding(Book.one, Book.mall) == nil)
        #expect(try book.unitRow(Book.mall)?.debt == 0)
    }

    @Test func whatIsHeldIsNotClawedBack() throws {
        var book = Book.standard()
        let hold = book.hold(700)
        book.run([Book.mallIssuer], .clawBack(Book.total(order(1), 1000)))
        let holding = try #require(try book.holding(Book.one, Book.mall))
        #expect(holding.held == 700 && holding.available == 0 && holding.debt == 700)
        // A redemption of that unit waits for the debt, reserved or not.
        #expect(book.run([issuer(2)], .commit(hold: hold, amount: 700)).code == .debtOutstanding)
        #expect(book.run([issuer(2)], .release(hold: hold)).code == .done)
        #expect(try book.available(Book.one) == 700)
    }

    /// Invariant 9: any split of refunds comes to the same state as one of their sum.
    @Test func anySplitOfARefundEndsTheSame() throws {
        var ends: [Holding?] = []
        for steps in [[900], [1, 900], [300, 600, 900], [100, 899, 900, 900]] as [[UInt64]] {
            var book = Book.standard()
            book.run([Book.mallIssuer], .publish(Book.program(face: 2), issuer: OrganisationID(1)))
            book.run([Book.mallIssuer], Book.accrual(Book.one, order(2), 50))
            book.run([Book.first], Book.pay(300))
            for step in steps { book.run([Book.mallIssuer], .clawBack(Book.total(order(1), step))) }
            ends.append(try book.holding(Book.one, Book.mall))
        }
        #expect(Set(ends.map { $0?.canonicalBytes }).count == 1)
        #expect(ends[0]?.debt == 150)
    }

    @Test func aClawbackTakesTheAccrualsOwnLotFirst() throws {
        var book = Book.standard(program: Book.program(expiry: .days(10)))
        book.run([Book.mallIssuer], .publish(Book.program(expiry: .days(90)), issuer: OrganisationID(1)))
        book.run([Book.mallIssuer], Book.accrual(Book.one, order(2), 500))
        // 1,000 that end in 10 days, 500 that end in 90.
        book.run([Book.mallIssuer], .clawBack(Book.total(order(2), 400)))
        #expect(try book.holding(Book.one, Book.mall)?.lots.map(\.remaining) == [1000, 100])
        book.run([Book.first], Book.pay(1050))
        // 50 of the later lot are left; a clawback of 30 of the first order finds only those.
        book.run([Book.mallIssuer], .clawBack(Book.total(order(1), 30)))
        #expect(try book.holding(Book.one, Book.mall)?.lots.map(\.remaining) == [20])
    }

    // MARK: Spending order

    @Test func soonestExpiryIsSpentFirstThenTheOlderTerms() throws {
        var book = Book(quota: 10_000)
        book.run(
            [Book.mallIssuer],
            .open(
                OpenList(
                    organisation: OrganisationID(1),
                    lines: [
                        OpenLine(account: Book.one, credential: key(101)),
                        OpenLine(account: Book.two, credential: key(102)),
                    ])))
        // Versions 1 to 5: never, 90 days, 10 days, 10 days again under other terms, never again.
        let policies: [ExpiryPolicy?] = [nil, .days(90), .days(10), .days(10), nil]
        for (index, expiry) in policies.enumerated() {
            let program = Book.program(expiry: expiry, face: UInt64(index + 1))
            book.run(
                [Book.mallIssuer], .publish(program, issuer: OrganisationID(1)),
                Book.accrual(Book.one, order(UInt64(index)), 10))
        }
        let receipt = book.run([Book.first], Book.pay(45))
        guard case .spent(let portions)? = receipt.outcomes.first else { throw Wrong(receipt) }
        #expect(portions.map(\.terms.version) == [3, 4, 2, 1, 5])
        #expect(portions.map(\.amount) == [10, 10, 10, 10, 5])
        // The terms go along.
        #expect(try book.holding(Book.two, Book.mall)?.lots.map(\.terms) == portions.map(\.terms))
    }

    @Test func restrictedLotsAreSpentBeforeFreeOnesOfTheSameDay() {
        let free = LotTerms(expiry: 5, version: 1)
        let restricted = LotTerms(expiry: 5, restriction: 3, version: 2)
        let later = LotTerms(expiry: 6, restriction: 1, version: 1)
        let bought = LotTerms(expiry: 5, version: 1, class: .purchased)
        let never = LotTerms(expiry: LotTerms.noExpiry, restriction: 1, version: 1)
        #expect([never, free, later, bought, restricted].sorted() == [restricted, free, bought, later, never])
        for a in [never, free, later, bought, restricted] { #expect(!(a < a)) }
    }

    struct Wrong: Error, CustomStringConvertible {
        let description: String
        init(_ receipt: Receipt) { description = "\(receipt)" }
    }

    // MARK: Replay (checks 10, 11, 12, 21)

    @Test func check11TheSameOrderUnderAnotherNonceExists() throws {
        var book = Book.standard()
        let first = book.transaction([Book.mallIssuer], [Book.accrual(Book.two, order(2), 50)])
        book.block([first])
        let again = book.transaction([Book.mallIssuer], [Book.accrual(Book.two, order(2), 50)])
        let receipt = book.block([again])[0]
        #expect(receipt.result == .done)
        #expect(
            receipt.outcomes == [.lines(done: 0, exceptions: [LineResult(index: 0, result: .exists, first: first.id)])])
        #expect(try book.available(Book.two) == 50)
        // The key belongs to the issuer: another organisation's order of the same number is another order.
        let other = unit("OTHER")
        book.run([issuer(2)], .publish(Book.program(other), issuer: OrganisationID(2)))
        #expect(book.run([issuer(2)], Book.accrual(Book.two, order(2), 50, unit: other)).code == .done)
    }

    @Test func aRefusedLineLeavesItsKeyFree() throws {
        var book = Book.standard()
        #expect(book.run([Book.mallIssuer], Book.accrual(account(9), order(2), 50)).code == .accountUnknown)
        #expect(book.run([Book.mallIssuer], Book.accrual(Book.two, order(2), 60)).code == .done)
    }

    @Test func check12SomebodyElsesNonceIsHarmless() throws {
        var book = Book.standard()
        func pay(_ signer: Signer, _ from: AccountID, _ to: AccountID) -> Transaction {
            Transaction(
                body: TransactionBody(
                    nonce: 5, validUntil: book.time + 60_000, signers: [signer],
                    operations: [Book.pay(1, from: from, to: to)]),
                signatures: [])
        }
        // Account 2 uses the number that account 1 is about to use; a key that does not speak for account 1 tries to.
        let theirs = pay(Book.second, Book.two, Book.one)
        let forged = pay(Signer(.account(Book.one), key(102)), Book.one, Book.two)
        let ours = pay(Book.first, Book.one, Book.two)
        #expect(book.block([theirs, forged]).map(\.code) == [.balanceInsufficient, .keyNotValid])
        #expect(book.block([ours]).map(\.code) == [.done])
        #expect(book.block([ours, forged]).map(\.code) == [.duplicate, .nonceUsed])
    }

    @Test func aStrangerCannotBurnTheNonceOfAnUnclaimedAccount() throws {
        var book = Book.standard()
        func claim(_ signers: [Signer]) -> Transaction {
            Transaction(
                body: TransactionBody(
                    nonce: 5, validUntil: book.time + 60_000, signers: signers,
                    operations: [.claim(account: Book.three, credential: signers[0].key)]),
                signatures: [])
        }
        let stranger = claim([Signer(.account(Book.three), key(666))])
        let holder = claim([Signer(.account(Book.three), key(103)), Book.mallIssuer])
        #expect(book.block([stranger, holder]).map(\.code) == [.keyNotValid, .done])
    }

    @Test func theSameBodyUnderAGoodAndABadSignatureTakesEffectOnce() throws {
        for goodFirst in [true, false] {
            var book = Book.standard()
            let transaction = book.transaction([Book.first], [Book.pay(10)])
            let good = Ledger.Input(transaction, signaturesVerify: true)
            let bad = Ledger.Input(transaction, signaturesVerify: false)
            let output = book.block(inputs: goodFirst ? [good, bad] : [bad, good])
            #expect(
                output.receipts.map(\.code) == (goodFirst ? [.done, .signatureInvalid] : [.signatureInvalid, .done]))
            // A look-up by id answers the good one.
            #expect(output.burnt.map(\.index) == [goodFirst ? 0 : 1])
            #expect(try book.available(Book.two) == 10)
            #expect(book.block(inputs: [bad, good]).receipts.map(\.code) == [.signatureInvalid, .duplicate])
        }
    }

    @Test func aDuplicateNamesTheFirstPlace() throws {
        var book = Book.standard()
        let transaction = book.transaction([Book.first], [Book.pay(5000)])
        let receipts = book.block([
            book.transaction([Book.second], [Book.buy(1, by: Book.two)]), transaction, transaction,
        ])
        #expect(receipts.map(\.code) == [.balanceInsufficient, .balanceInsufficient, .duplicate])
        #expect(receipts[2].first == Place(height: book.ledger.height, index: 1))
        // A refusal is final within the window, also where it would succeed by now.
        book.run([Book.mallIssuer], Book.accrual(Book.one, order(2), 5000))
        try book.reopen()
        #expect(book.block([transaction]).map(\.code) == [.duplicate])
        #expect(book.block([transaction], after: 60_000).map(\.code) == [.expired])
    }

    @Test func aSignatureIsGoodForOneChainAndOneKind() throws {
        let secret = SecretKey(seed: [UInt8](repeating: 3, count: 32))
        let here = Book.standard().genesis
        let sibling = Book.standard { $0.openingsPerMinuteMax += 1 }.genesis
        #expect(here.hash != sibling.hash)
        let body = TransactionBody(
            nonce: 1, validUntil: Book.start, signers: [Signer(.account(Book.one), secret.publicKey)],
            operations: [Book.pay(1)])
        let transaction = Transaction(signing: body, genesis: here.hash, keys: [secret])
        #expect(transaction.signaturesVerify(genesis: here.hash))
        #expect(!transaction.signaturesVerify(genesis: sibling.hash))

        // The bytes of a ticket are no transaction's, and the other way round: the tags differ.
        let line = OpenLine(account: Book.one, credential: secret.publicKey)
        let ticketBytes = Ticket.signedBytes(
            genesis: here.hash, organisation: OrganisationID(1), line: line, validUntil: 9)
        let crossed = Transaction(body: body, signatures: [secret.sign(ticketBytes)])
        #expect(!crossed.signaturesVerify(genesis: here.hash))
        let ticket = Ticket(
            organisation: OrganisationID(1), validUntil: 9, key: secret.publicKey,
            signature: transaction.signatures[0])
        #expect(!ticket.verifies(line, genesis: here.hash))
        let good = Ticket(
            organisation: OrganisationID(1), validUntil: 9, key: secret.publicKey, signature: secret.sign(ticketBytes))
        #expect(good.verifies(line, genesis: here.hash))
        #expect(!good.verifies(line, genesis: sibling.hash))
        // It is good for this account, this role and this key alone.
        let thief = SecretKey(seed: [UInt8](repeating: 4, count: 32)).publicKey
        let others = [
            OpenLine(account: Book.two, credential: secret.publicKey),
            OpenLine(account: Book.one, role: .treasury, credential: secret.publicKey),
            OpenLine(account: Book.one, credential: thief),
            OpenLine(account: Book.one, credential: secret.publicKey, guardian: thief),
        ]
        for other in others { #expect(!good.verifies(other, genesis: here.hash)) }

        // One signature a signer, no more and no fewer; and a ticket inside is checked with the envelope.
        #expect(!Transaction(body: body, signatures: []).signaturesVerify(genesis: here.hash))
        for (inside, verifies) in [(good, true), (ticket, false)] {
            let body = TransactionBody(
                nonce: 1, validUntil: 1, signers: body.signers, operations: [.openByTicket(line, inside)])
            let opening = Transaction(signing: body, genesis: here.hash, keys: [secret])
            #expect(opening.signaturesVerify(genesis: here.hash) == verifies)
        }
    }

    // MARK: Freeze and revocation (check 14)

    @Test func check14AFreezeInTheSameBlockWinsInBothOrders() throws {
        for signer in [Book.first, Book.guardian] {
            for freezeFirst in [true, false] {
                var book = Book.standard()
                let freeze = book.transaction([signer], [.freeze(account: Book.one)])
                let spend = book.transaction([Book.first], [Book.pay(10)])
                let codes = book.block(freezeFirst ? [freeze, spend] : [spend, freeze]).map(\.code)
                #expect(codes == (freezeFirst ? [.done, .accountFrozen] : [.accountFrozen, .done]))
                #expect(try book.available(Book.two) == 0)
            }
        }
    }

    @Test func check14ARevocationInTheSameBlockWinsInBothOrders() throws {
        for revokeFirst in [true, false] {
            var book = Book.standard()
            book.add(key(110), from: book.ledger.height + 1)
            let spare = Signer(.account(Book.one), key(110))
            let revoke = book.transaction([spare], [.revokeCredential(account: Book.one, key: key(101))])
            let spend = book.transaction([Book.first], [Book.pay(10)])
            let codes = book.block(revokeFirst ? [revoke, spend] : [spend, revoke]).map(\.code)
            #expect(codes == (revokeFirst ? [.done, .keyNotValid] : [.keyNotValid, .done]))
            // After that, never again (invariant 20).
            #expect(book.run([Book.first], Book.pay(10)).code == .keyNotValid)
        }
    }

    @Test func nothingLeavesAFrozenAccountAndItStillReceives() throws {
        var book = Book.standard()
        let hold = book.hold(100)
        book.run([Book.guardian], .freeze(account: Book.one))
        #expect(book.run([Book.first], Book.pay(1)).code == .accountFrozen)
        #expect(book.run([Book.first], Book.buy(1)).code == .accountFrozen)
        #expect(book.run([Book.first], book.reservation(1)).code == .accountFrozen)
        #expect(book.run([issuer(2)], .commit(hold: hold, amount: 1)).code == .accountFrozen)
        book.run([Book.mallIssuer], Book.accrual(Book.two, order(2), 30), Book.accrual(Book.one, order(3), 7))
        #expect(book.run([Book.second], Book.pay(30, from: Book.two, to: Book.one)).code == .done)
        #expect(try book.available(Book.one) == 937)
        // The holder cannot lift what the guardian set, nor take it over by freezing too.
        #expect(book.run([Book.first], .freeze(account: Book.one)).code == .exists)
        #expect(book.run([Book.first], .unfreeze(account: Book.one)).code == .guardianRequired)
        #expect(book.run([Book.guardian], .unfreeze(account: Book.one)).code == .done)
        #expect(book.run([issuer(2)], .commit(hold: hold, amount: 100)).code == .done)
        // The guardian's word stands above the holder's own freeze.
        book.run([Book.first], .freeze(account: Book.one))
        #expect(book.run([Book.guardian], .freeze(account: Book.one)).code == .done)
        #expect(book.run([Book.first], .unfreeze(account: Book.one)).code == .guardianRequired)
    }

    // MARK: Reservations

    @Test func aReservationIsCommittedOnceInPartAndTheRestReturns() throws {
        var book = Book.standard()
        let hold = book.hold(400, use: .transfer(to: Book.two))
        #expect(try book.available(Book.one) == 600)
        #expect(book.run([issuer(1)], .commit(hold: hold, amount: 150)).code == .signerMissing)
        #expect(book.run([issuer(2)], .commit(hold: hold, amount: 401)).code == .balanceInsufficient)
        #expect(book.run([issuer(2)], .commit(hold: hold, amount: 150)).code == .done)
        #expect(try book.available(Book.one) == 850)
        #expect(try book.available(Book.two) == 150)
        #expect(book.run([issuer(2)], .commit(hold: hold, amount: 1)).code == .holdUnknown)
        #expect(book.run([issuer(2)], .release(hold: hold)).code == .holdUnknown)
    }

    @Test func aReservationLivesUpToItsDeadlineAndNoLonger() throws {
        var book = Book.standard()
        let hold = book.hold(400, in: 5000)
        let deadline = book.time - 1000 + 5000
        #expect(
            book.block([book.transaction([issuer(2)], [.commit(hold: hold, amount: 1)])], after: deadline - book.time)
                .map(\.code) == [.done])
        let other = book.hold(400, in: 5000)
        book.block([], after: 4000)
        #expect(try book.available(Book.one) == 599, "at the deadline it is still held")
        book.block([], after: 1)
        #expect(try book.available(Book.one) == 999)
        #expect(book.run([issuer(2)], .commit(hold: other, amount: 1)).code == .holdUnknown)
    }

    @Test func overdueReservationsReturnByDeadlineABoundedNumberABlock() throws {
        var book = Book.standard()
        book.ledger.releasesMax = 2
        let late = book.hold(1, in: 9000)
        let soon = book.hold(2, in: 7000)
        let sooner = book.hold(4, in: 5500)
        let released = book.hold(8, in: 3000)
        book.block([], after: 20_000)
        // The two that fell due first; both others are still held, whatever else happens.
        #expect(try book.available(Book.one) == 1000 - 1 - 2)
        try book.reopen()
        #expect(book.run([issuer(2)], .commit(hold: sooner, amount: 1)).code == .holdUnknown)
        #expect(try book.available(Book.one) == 1000)
        for hold in [late, soon, sooner, released] {
            #expect(book.run([issuer(2)], .release(hold: hold)).code == .holdUnknown)
        }
    }

    @Test func ofOneDeadlineTheLowestIdReturnsFirstAndOneThatWaitsMayBeReleased() throws {
        var book = Book.standard()
        book.ledger.releasesMax = 1
        let receipt = book.run([Book.first], book.reservation(1), book.reservation(2), book.reservation(4))
        let holds = receipt.outcomes.compactMap { if case .held(let id, _) = $0 { id } else { nil } }
        #expect(holds.count == 3)
        func waiting() -> [HoldID] { holds.filter { book.store.row(.holds, $0.bytes) != nil }.sorted() }
        book.block([], after: 90_000)
        #expect(waiting() == Array(holds.sorted()[1...]))
        // The next block releases one by itself, its organisation the other one.
        #expect(book.run([issuer(2)], .release(hold: holds.max()!)).code == .done)
        #expect(waiting().isEmpty)
        book.block([])
        #expect(try book.available(Book.one) == 1000)
    }

    @Test func oneBlockReleasesTenThousand() throws {
        #expect(Ledger.releasesPerBlockMax == 10_000)
        var book = Book.standard(quota: 1_000_000)
        book.run([Book.mallIssuer], Book.accrual(Book.one, order(2), 20_000))
        let count = Ledger.releasesPerBlockMax + 1
        var transactions: [Transaction] = []
        for start in stride(from: 0, to: count, by: 16) {
            let operations = (start..<min(start + 16, count)).map { _ in book.reservation(1, in: 5000) }
            transactions.append(book.transaction([Book.first], operations))
        }
        #expect(book.block(transactions).allSatisfy { $0.result == .done })
        #expect(try book.holding(Book.one, Book.mall)?.held == UInt64(count))
        book.block([], after: 10_000)
        #expect(try book.holding(Book.one, Book.mall)?.held == 1)
        book.block([])
        #expect(try book.holding(Book.one, Book.mall)?.held == 0)
    }

    // MARK: Opening and claiming

    @Test func anUnclaimedAccountReceivesItsOpenersUnitsAndIsClaimedOnce() throws {
        var book = Book.standard()
        let other = unit("OTHER")
        book.run([issuer(2)], .publish(Book.program(other), issuer: OrganisationID(2)))
        #expect(book.run([Book.mallIssuer], Book.accrual(Book.three, order(2), 40)).code == .done)
        #expect(book.run([Book.mallIssuer], Book.accrual(Book.three, order(3), 40, pending: true)).code == .done)
        #expect(book.run([issuer(2)], Book.accrual(Book.three, order(2), 40, unit: other)).code == .unitForeign)
        #expect(book.run([Book.first], Book.pay(1, to: Book.three)).code == .accountUnclaimed)
        #expect(
            book.run([Book.first], book.reservation(1, use: .transfer(to: Book.three))).code == .accountUnclaimed)
        // Nobody moves anything out, its opener neither.
        let thief = Signer(.account(Book.three), key(103))
        #expect(book.run([thief], Book.pay(1, from: Book.three)).code == .keyNotValid)
        #expect(book.run([Book.mallIssuer], Book.pay(1, from: Book.three)).code == .signerMissing)
        #expect(
            book.run(
                [thief, Book.mallIssuer], Book.pay(1, from: Book.three),
                .claim(account: Book.three, credential: key(103))
            ).code == .accountUnclaimed)
        #expect(book.run([Book.mallIssuer], .void(Book.total(order(3), 40))).code == .done)

        // The new credential and the opener together, and only once.
        let claim = Operation.claim(account: Book.three, credential: key(103))
        #expect(book.run([thief], claim).code == .keyNotValid)
        #expect(book.run([Book.mallIssuer], claim).code == .signerMissing)
        #expect(book.run([thief, issuer(2)], claim).code == .keyNotValid)
        #expect(book.run([thief, Book.mallIssuer], claim).code == .done)
        #expect(book.run([thief, Book.mallIssuer], claim).code == .accountClaimed)
        let later = Signer(.account(Book.three), key(104))
        #expect(
            book.run([later, Book.mallIssuer], .claim(account: Book.three, credential: key(104))).code == .keyNotValid)
        #expect(book.run([thief], Book.pay(40, from: Book.three)).code == .done)
        #expect(book.run([issuer(2)], Book.accrual(Book.three, order(2), 40, unit: other)).code == .done)
    }

    @Test func aGuardiansKeyNeverBecomesACredential() throws {
        var book = Book.standard()
        let line = OpenLine(account: account(4), credential: nil, guardian: key(204))
        book.run([Book.mallIssuer], .open(OpenList(organisation: OrganisationID(1), lines: [line])))
        let claim = Operation.claim(account: account(4), credential: key(204))
        #expect(book.run([Signer(.account(account(4)), key(204)), Book.mallIssuer], claim).code == .credentialExists)
        #expect(book.add(key(201)).code == .credentialExists)
        #expect(
            book.run([Book.first], .rotateCredential(account: Book.one, old: key(101), new: key(201))).code
                == .credentialExists)
        #expect(book.run([Book.guardian], Book.pay(1)).code == .signerMissing)
    }

    @Test func openingsAMinuteAreCountedByTheBlocksClock() throws {
        var book = Book.standard { $0.openingsPerMinuteMax = 3 }
        func open(_ numbers: ClosedRange<UInt64>) -> Operation {
            .open(
                OpenList(
                    organisation: OrganisationID(1),
                    lines: numbers.map { OpenLine(account: account($0), credential: key($0)) }))
        }
        // The standard three were this minute's.
        #expect(book.run([Book.mallIssuer], open(10...10)).code == .openingsTooMany)
        // What is there already costs nothing.
        #expect(
            book.run([Book.mallIssuer], open(1...3)).outcomes == [
                .lines(done: 0, exceptions: (0..<3).map { LineResult(index: $0, result: .exists) })
            ])
        book.block([], after: 60_000)
        let receipt = book.run([Book.mallIssuer], open(10...14))
        #expect(
            receipt.outcomes == [
                .lines(
                    done: 3,
                    exceptions: [3, 4].map { LineResult(index: $0, result: .openingsTooMany) })
            ])
        // Another organisation has its own count, and what is rolled back was not opened.
        #expect(book.run([Book.mallIssuer], open(20...20)).code == .openingsTooMany)
        book.block([], after: 60_000)
        #expect(book.run([Book.mallIssuer], open(20...22), Book.pay(1)).code == .signerMissing)
        #expect(book.run([Book.mallIssuer], open(30...32)).code == .done)
    }

    @Test func aTicketOpensOneAccountForWhoeverHoldsTheKey() throws {
        var book = Book.standard()
        let id = account(9)
        let ticket = book.ticket()
        let line = OpenLine(account: id, credential: key(109))
        // Only by the credential that it opens with.
        #expect(book.run([Book.first], .openByTicket(line, ticket)).code == .signerMissing)
        #expect(book.run([Signer(.account(id), key(5))], .openByTicket(line, ticket)).code == .signerUnknown)
        #expect(book.open(id, ticket).code == .done)
        #expect(book.open(id, ticket).code == .exists)
        // A ticket that is no good for an account that is there is judged with the operation.
        let bad = book.run(
            [Signer(.account(id), key(109))], .openByTicket(line, book.ticket(until: book.time)))
        #expect(bad.code == .ticketExpired && bad.operation == 0)
        #expect(book.open(id, book.ticket(2)).code == .accountTaken)
        #expect(book.open(account(10), book.ticket(7)).code == .ticketInvalid)
        // A stranger's ticket burns nothing and opens nothing.
        #expect(try book.accountRow(account(10)) == nil)
    }

    // MARK: Credentials

    @Test func aKeySpeaksFromItsFirstHeightToItsLast() throws {
        var book = Book.standard()
        let height = book.ledger.height
        let brief = Credential(key: key(110), from: height + 2, to: height + 4)
        #expect(book.run([Book.first], .addCredential(account: Book.one, credential: brief)).code == .done)
        let signer = Signer(.account(Book.one), key(110))
        #expect(book.run([signer], Book.pay(1)).code == .done)
        #expect(book.run([signer], Book.pay(1)).code == .done)
        #expect(book.run([signer], Book.pay(1)).code == .keyNotValid)
        // The same again is a range in the past, whether or not somebody has tidied the ended one away.
        #expect(book.run([Book.first], .addCredential(account: Book.one, credential: brief)).code == .heightsInvalid)
        book.add(key(111))
        #expect(book.run([Book.first], .addCredential(account: Book.one, credential: brief)).code == .heightsInvalid)
    }

    @Test func aKeyThatIsNotValidYetIsNotTheOneThatIsLeft() throws {
        var book = Book.standard()
        book.add(key(110), from: 1000)
        #expect(
            book.run([Book.first], .revokeCredential(account: Book.one, key: key(101))).code == .credentialLast)
        #expect(
            book.run([Book.guardian], .revokeCredential(account: Book.one, key: key(101))).code == .credentialLast)
        #expect(book.run([Book.guardian], .revokeCredential(account: Book.one, key: key(110))).code == .done)
        #expect(
            book.run([Book.guardian], .rotateCredential(account: Book.one, old: key(101), new: key(9))).code
                == .signerMissing)
    }

    @Test func aRotatedKeyStopsAtOnceAndTheNewOneInheritsItsEnd() throws {
        var book = Book.standard()
        let height = book.ledger.height
        book.run(
            [Book.first],
            .addCredential(
                account: Book.one, credential: Credential(key: key(110), from: height + 1, to: height + 4)))
        let signer = Signer(.account(Book.one), key(110))
        #expect(
            book.run([signer], .rotateCredential(account: Book.one, old: key(110), new: key(111))).code == .done)
        #expect(book.run([signer], Book.pay(1)).code == .keyNotValid)
        #expect(book.run([Signer(.account(Book.one), key(111))], Book.pay(1)).code == .keyNotValid, "ended at +4")
    }

    // MARK: Quota

    @Test func pendingPointsCountAgainstTheQuotaAndWhatIsGoneDoesNot() throws {
        var book = Book.standard(quota: 1500)
        #expect(book.run([Book.mallIssuer], Book.accrual(Book.two, order(2), 500, pending: true)).code == .done)
        #expect(book.run([Book.mallIssuer], Book.accrual(Book.two, order(3), 1)).code == .quotaExceeded)
        book.run([Book.mallIssuer], .void(Book.total(order(2), 200)))
        #expect(book.run([Book.mallIssuer], Book.accrual(Book.two, order(3), 200)).code == .done)
        // Vesting and holding change nothing about it, redemption and clawback do.
        book.run([Book.mallIssuer], .vest(Book.total(order(2), 300)))
        _ = book.hold(10)
        #expect(book.run([Book.mallIssuer], Book.accrual(Book.two, order(4), 1)).code == .quotaExceeded)
        book.run([Book.first], Book.buy(7))
        book.run([Book.mallIssuer], .clawBack(Book.total(order(3), 5)))
        #expect(book.run([Book.mallIssuer], Book.accrual(Book.two, order(4), 13)).code == .quotaExceeded)
        #expect(book.run([Book.mallIssuer], Book.accrual(Book.two, order(4), 12)).code == .done)
        // It is each unit's own.
        let other = unit("OTHER")
        book.run([Book.mallIssuer], .publish(Book.program(other), issuer: OrganisationID(1)))
        #expect(book.run([Book.mallIssuer], Book.accrual(Book.two, order(5), 1500, unit: other)).code == .done)
    }

    // MARK: All or none

    @Test func aRefusedOperationTakesAllOthersBack() throws {
        var book = Book.standard()
        let before = try #require(try book.unitRow(Book.mall))
        let receipt = book.run(
            [Book.mallIssuer, Book.first],
            Book.accrual(Book.two, order(2), 50, pending: true), .vest(Book.total(order(2), 50)),
            Book.pay(10), book.reservation(5), .clawBack(Book.total(order(2), 1)),
            .open(
                OpenList(organisation: OrganisationID(1), lines: [OpenLine(account: account(9), credential: nil)])),
            .freeze(account: Book.one), Book.pay(1))
        #expect(receipt.code == .accountFrozen && receipt.operation == 7 && receipt.outcomes.isEmpty)
        #expect(try book.unitRow(Book.mall) == before)
        #expect(try book.holding(Book.two, Book.mall) == nil)
        #expect(try book.accountRow(account(9)) == nil)
        #expect(try book.accountRow(Book.one)?.frozen == .no)
        #expect(
            book.store.all(.holds).isEmpty && book.store.all(.clawbacks).isEmpty && book.store.all(.settled).isEmpty)
        // The key is free for the next try, which is another transaction.
        #expect(book.run([Book.mallIssuer], Book.accrual(Book.one, order(2), 51)).code == .done)
        book.block([], after: 120_000)
        #expect(try book.available(Book.one) == 1051)
    }

    @Test func aListStandsLineByLineUnlessAllIsAsked() throws {
        var book = Book.standard()
        func list(_ base: UInt64, all: Bool) -> Operation {
            .accrue(
                AccrueList(
                    unit: Book.mall,
                    lines: [
                        AccrualLine(account: Book.two, key: order(base), amount: 10, pending: false),
                        AccrualLine(account: Book.one, key: order(1), amount: 1000, pending: false),
                        AccrualLine(account: account(9), key: order(base + 1), amount: 10, pending: false),
                        AccrualLine(account: Book.two, key: order(base + 2), amount: 10, pending: false),
                    ], all: all))
        }
        let whole = book.run([Book.mallIssuer], list(10, all: true))
        #expect(whole.result == .accountUnknown && whole.line == 2 && whole.operation == 0)
        #expect(try book.available(Book.two) == 0)
        let parts = book.run([Book.mallIssuer], list(10, all: false))
        guard case .lines(2, let exceptions)? = parts.outcomes.first else { throw Wrong(parts) }
        #expect(exceptions.map(\.index) == [1, 2])
        #expect(exceptions.map(\.result) == [.exists, .accountUnknown])
        #expect(try book.available(Book.two) == 20)
        // Beside another operation it is all or none without being asked.
        #expect(book.run([Book.mallIssuer], list(20, all: false), .vest(Book.total(order(1), 1000))).line == 2)
    }
}
