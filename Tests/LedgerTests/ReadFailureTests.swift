import Canonical
import Crypto
import Testing

@testable import Ledger

/// What is not there, and what cannot be read: neither may trap, nor fill memory.
struct ReadFailureTests {
    /// A failed read looks like an absent row. The node drops the block then, but the ledger has to come to its end.
    @Test(arguments: Table.allCases)
    func aTableThatCannotBeReadTrapsNothing(_ table: Table) throws {
        var book = Book.standard()
        book.run([Book.mallIssuer], Book.accrual(Book.one, order(2), 100, pending: true))
        book.run([Book.mallIssuer], Book.accrual(Book.one, order(3), 100, pending: true))
        book.run([Book.mallIssuer], .vest(Book.total(order(3), 100)))
        let transfer = book.hold(10, use: .transfer(to: Book.two))
        let redemption = book.hold(10)
        _ = book.hold(10, in: 5000)
        let released = book.hold(10)
        let operations: [([Signer], Operation)] = [
            ([Book.mallIssuer], .publish(Book.program(face: 2), issuer: OrganisationID(1))),
            ([Book.mallIssuer], Book.accrual(Book.one, order(4), 5)),
            ([Book.mallIssuer], .vest(Book.total(order(2), 50))),
            ([Book.mallIssuer], .vest(Book.total(order(3), 100))),
            ([Book.mallIssuer], .void(Book.total(order(2), 20))),
            ([Book.mallIssuer], .clawBack(Book.total(order(1), 20))),
            ([Book.mallIssuer], .clawBack(Book.total(order(3), 20))),
            ([issuer(2)], .commit(hold: transfer, amount: 5)),
            ([issuer(2)], .commit(hold: redemption, amount: 5)),
            ([issuer(2)], .release(hold: released)),
            ([Book.first], Book.pay(1)),
            ([Book.first], Book.buy(1)),
            ([Book.first], book.reservation(1)),
            ([Book.guardian], .freeze(account: Book.one)),
        ]
        // Each over a ledger that has nothing in memory, and a last time past the deadline of one hold.
        for (signers, operation) in operations + [([Book.guardian], .freeze(account: Book.one))] {
            try book.reopen()
            book.store.unreadable = [table]
            let transaction = book.transaction(signers, [operation])
            let time = book.time + 10_000
            _ = book.ledger.execute(
                height: book.ledger.height + 1, time: time, [Ledger.Input(transaction, signaturesVerify: true)])
            book.store.unreadable = []
        }
    }

    @Test func namesThatNobodyHasDoNotStayInMemory() throws {
        var book = Book.standard()
        for number: UInt32 in 100..<200 {
            book.run([Signer(.organisation(OrganisationID(number)), key(9))], Book.buy(1))
            book.run(
                [Book.first], .redeem(account: Book.one, unit: unit("U\(number)"), amount: 1, reference: Reference([1]))
            )
        }
        book.ledger.state.trim(stored: book.ledger.height, max: 10)
        #expect(book.ledger.state.organisations.count <= 10)
        #expect(book.ledger.state.units.count <= 10)
        #expect(book.run([Book.first], Book.buy(1)).code == .done)
    }

    @Test func lotsThatAddUpToTooMuchAreNoHolding() throws {
        var encoder = Encoder()
        encoder.u64(0)
        encoder.u64(0)
        encoder.sequence([
            Lot(terms: LotTerms(expiry: 1, version: 1), remaining: .max),
            Lot(terms: LotTerms(expiry: 2, version: 1), remaining: 1),
        ])
        #expect(throws: DecodingError.self) { try Holding(canonicalBytes: encoder.bytes) }
    }
}
