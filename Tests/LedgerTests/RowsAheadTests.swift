import Crypto
import TestSupport
import Testing

@testable import Ledger

/// Rows that are read before their turn are a hint: with them or without, and however old, a block is the same.
@Suite struct RowsAheadTests {
    /// Batches over few accounts and few orders, so that rows change all the time and most lines meet earlier ones.
    private static func batch(_ random: inout SeededGenerator) -> Operation {
        let lines = (0..<100).map { _ in
            (account: account(.random(in: 1...60, using: &random)), key: order(.random(in: 1...400, using: &random)))
        }
        switch Int.random(in: 0..<6, using: &random) {
        case 0:
            return .open(
                OpenList(
                    organisation: OrganisationID(1),
                    lines: lines.map { OpenLine(account: $0.account, credential: nil) }))
        case 1: return .vest(totals(lines.map(\.key), &random))
        case 2: return .void(totals(lines.map(\.key), &random))
        case 3: return .clawBack(totals(lines.map(\.key), &random))
        default:
            return .accrue(
                AccrueList(
                    unit: Book.mall,
                    lines: lines.map {
                        AccrualLine(
                            account: $0.account, key: $0.key, amount: .random(in: 1...9, using: &random),
                            pending: .random(using: &random))
                    }))
        }
    }

    private static func totals(_ keys: [NaturalKey], _ random: inout SeededGenerator) -> TotalList {
        TotalList(unit: Book.mall, lines: keys.map { TotalLine(key: $0, total: .random(in: 1...9, using: &random)) })
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func blocksAreTheSameWithRowsThatWereReadBefore(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var book = Book.standard()
        let store = TestStore()
        store.apply(Ledger.genesisChanges(book.genesis))
        var hinted = Ledger(genesis: book.genesis, loader: { store.row($0, $1) })
        // The blocks that the standard book has executed, again.
        var replay = Book(quota: 1_000_000)
        #expect(replay.genesis.hash == book.genesis.hash)
        for operations in Self.standardBlocks {
            let inputs = [Ledger.Input(replay.transaction([Book.mallIssuer], [operations]), signaturesVerify: true)]
            replay.time += 1000
            let output = hinted.execute(height: hinted.height + 1, time: replay.time, inputs)
            store.apply(output.changes, replaysLeft: output.replaysLeft)
            hinted.stored(upTo: hinted.height)
        }
        #expect(hinted.height == book.ledger.height)

        // Read up to 20 heights before their turn: the last few are too old, and are not used.
        var waiting: [(transaction: Transaction, rows: RowsAhead?)] = []
        var used = 0
        for step in 0..<120 {
            let transaction = book.transaction([Book.mallIssuer], [Self.batch(&random)])
            let missing = try #require(hinted.missing(of: transaction))
            let rows = RowsAhead(of: transaction, missing: missing, at: { hinted.height }) { table, keys in
                keys.map { store.row(table, $0) }
            }
            #expect(rows != nil)
            waiting.append((transaction, rows))
            guard step % 20 == 19 || Int.random(in: 0..<4, using: &random) == 0 else { continue }
            waiting.shuffle(using: &random)
            for (transaction, rows) in waiting {
                let expected = book.block(inputs: [Ledger.Input(transaction, signaturesVerify: true)])
                let input = Ledger.Input(transaction, signaturesVerify: true, ahead: rows)
                let output = hinted.execute(height: hinted.height + 1, time: book.time, [input])
                try #require(output.bytes == expected.bytes, "seed \(seed), step \(step)")
                store.apply(output.changes, replaysLeft: output.replaysLeft)
                hinted.stored(upTo: hinted.height)
                used += 1
            }
            waiting = []
        }
        #expect(used == 120)
    }

    /// What ``Book/standard(quota:program:_:)`` executes, one block each.
    private static let standardBlocks: [Operation] = [
        .publish(Book.program(), issuer: OrganisationID(1)),
        .open(
            OpenList(
                organisation: OrganisationID(1),
                lines: [
                    OpenLine(account: Book.one, credential: key(101), guardian: key(201)),
                    OpenLine(account: Book.two, credential: key(102), guardian: key(202)),
                    OpenLine(account: Book.three, credential: nil),
                ])),
        Book.accrual(Book.one, order(1), 1000),
    ]

    /// Rows that changed since they were read, and were stored and forgotten since, must not be believed.
    @Test func rowsThatAreTooOldAreNotUsed() throws {
        var book = Book.standard()
        let lines = (0..<64).map {
            AccrualLine(account: Book.one, key: order(1000 + UInt64($0)), amount: 1, pending: false)
        }
        let transaction = book.transaction([Book.mallIssuer], [.accrue(AccrueList(unit: Book.mall, lines: lines))])
        let height = book.ledger.height
        let missing = try #require(book.ledger.missing(of: transaction))
        let old = try #require(
            RowsAhead(of: transaction, missing: missing, at: { height }) { table, keys in
                keys.map { book.store.row(table, $0) }
            })
        // The same orders by another batch, and many blocks after it.
        book.run([Book.mallIssuer], .accrue(AccrueList(unit: Book.mall, lines: lines)))
        for number in 0..<Ledger.heightsAhead + 2 {
            book.run([Book.mallIssuer], Book.accrual(Book.two, order(5000 + number), 1))
        }
        let output = book.block(inputs: [Ledger.Input(transaction, signaturesVerify: true, ahead: old)])
        guard case .lines(let done, let exceptions)? = output.receipts[0].outcomes.first else {
            Issue.record("\(output.receipts)")
            return
        }
        #expect(done == 0)
        #expect(exceptions.count == 64)
    }

    @Test func fewLinesAreNotWorthIt() throws {
        var book = Book.standard()
        let transaction = book.transaction([Book.mallIssuer], [Book.accrual(Book.one, order(2), 1)])
        #expect(book.ledger.missing(of: transaction) == nil)
    }

    /// What is in memory is not read again, and neither is what is known to be absent.
    @Test func onlyWhatIsMissingIsReadAhead() throws {
        var book = Book.standard()
        let known = [Book.one, Book.two].flatMap { Array(repeating: $0, count: 40) }
        func batch(_ accounts: [AccountID], first: UInt64) -> Transaction {
            let lines = accounts.enumerated().map {
                AccrualLine(account: $0.element, key: order(first + UInt64($0.offset)), amount: 1, pending: false)
            }
            return book.transaction([Book.mallIssuer], [.accrue(AccrueList(unit: Book.mall, lines: lines))])
        }
        let stranger = account(999)
        let before = try #require(book.ledger.missing(of: batch(known + [stranger], first: 1000)))
        #expect(before.accounts == [stranger], "the two were opened a moment ago")
        _ = book.block(inputs: [Ledger.Input(batch(known + [stranger], first: 2000), signaturesVerify: true)])
        let after = try #require(book.ledger.missing(of: batch(known + [stranger], first: 3000)))
        #expect(after.accounts.isEmpty)
        #expect(after.holdings == [HoldingKey(account: stranger, unit: Book.mall)], "nobody asks for it")
    }
}
