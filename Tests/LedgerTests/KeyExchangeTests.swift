import Crypto
import Testing

@testable import Ledger

/// An organisation's keys are exchanged: by itself, by the others, and what the old ones are still good for.
struct KeyExchangeTests {
    private static func signed(_ book: inout Book, _ key: PublicKey, _ operation: Operation) -> Receipt {
        book.run([Signer(.governor(OrganisationID(1)), key)], operation)
    }

    @Test func anOrganisationExchangesItsOwnKeysAlone() throws {
        var book = Book(organisations: 4)
        let new = organisation(50)
        let output = book.block(inputs: [
            Ledger.Input(
                book.transaction([Book.governor(1)], [.propose(Book.exchange(1, keysOf: 50), by: OrganisationID(1))]),
                signaturesVerify: true)
        ])
        guard case .proposal(_, carried: true)? = output.receipts[0].outcomes.first else {
            Issue.record("\(output.receipts)")
            return
        }
        // Whoever votes two heights later votes by the new key.
        #expect(output.voters?.first { $0.id.number == 1 }?.key == new.votingKey)
        #expect(output.voters?.map(\.id.number) == [1, 2, 3, 4])
        let row = try #require(try book.organisationRow(1))
        #expect(row.votingKey == new.votingKey && row.issuingKey == new.issuingKey)
        #expect(row.governingKey == new.governingKey && row.name == organisation(1).name)
        // Issuing and governing keys hold at once; the old ones speak for nobody any more.
        #expect(book.propose(.quota(OrganisationID(1), 5), by: 1).result == .keyNotValid)
        let quota = Operation.propose(.quota(OrganisationID(1), 5), by: OrganisationID(1))
        #expect(Self.signed(&book, new.governingKey, quota).result == .done)
        let open = Operation.open(OpenList(organisation: OrganisationID(1), lines: []))
        #expect(book.run([issuer(1)], open).result == .keyNotValid)
        let issuing = Signer(.organisation(OrganisationID(1)), new.issuingKey)
        #expect(book.run([issuing], open).result == .done)
    }

    /// The way back for one that has lost its governing key; also while it is suspended.
    @Test(arguments: [false, true]) func theOthersExchangeKeysByAQuorum(_ isSuspended: Bool) throws {
        var book = Book(organisations: 4)
        if isSuspended { book.decide(.suspend(OrganisationID(1)), by: [2, 3, 4]) }
        let decision = Book.exchange(1, keysOf: 50)
        guard case .proposal(let id, carried: false)? = book.propose(decision, by: 2).outcomes.first else {
            Issue.record("one alone has carried it")
            return
        }
        #expect(try book.organisationRow(1)?.governingKey == organisation(1).governingKey)
        if !isSuspended { #expect(book.approve(id, by: 3).outcomes == [.proposal(id, carried: false)]) }
        #expect(book.approve(id, by: 4).outcomes == [.proposal(id, carried: true)])
        #expect(try book.organisationRow(1)?.governingKey == organisation(50).governingKey)
        #expect(try book.organisationRow(1)?.standing == (isSuspended ? .suspended : .active))
    }

    @Test func whatIsRefusedChangesNothing() throws {
        var book = Book(organisations: 4)
        book.decide(.exit(OrganisationID(4)), by: [1, 2, 3])
        let kept = organisation(1).votingKey
        for (decision, code) in [
            (Book.exchange(9, keysOf: 50), ResultCode.organisationUnknown),
            (Book.exchange(4, keysOf: 50), .organisationInactive),
            (Book.exchange(1, keysOf: 50, name: "Another"), .organisationFieldFixed),
            (Book.exchange(1, keysOf: 50, quota: 1), .organisationFieldFixed),
            (Book.exchange(1, keysOf: 50, votes: false), .organisationFieldFixed),
            (Book.exchange(1, keysOf: 2, issuing: false, governing: false), .keyTaken),
            // Also one that voted and has left.
            (Book.exchange(1, keysOf: 4, issuing: false, governing: false), .keyTaken),
            (Book.exchange(1, keysOf: 50, voting: false, issuing: false, governing: false), .keysUnchanged),
        ] {
            #expect(book.propose(decision, by: 1).result == code)
            #expect(try book.organisationRow(1)?.votingKey == kept)
        }
        // A silent one does not begin to vote by it.
        var other = Book(organisations: 2)
        other.decide(Book.admission(3, votes: false), by: [1, 2])
        #expect(other.propose(Book.exchange(3, keysOf: 50), by: 3).result == .organisationFieldFixed)
        #expect(other.propose(Book.exchange(3, keysOf: 50, votes: false), by: 3).result == .done)
    }

    @Test func aKeyThatWasReplacedIsNobodysAgain() throws {
        var book = Book(organisations: 3)
        book.propose(Book.exchange(1, keysOf: 50, issuing: false, governing: false), by: 1)
        try book.reopen()
        let old = organisation(1).votingKey
        #expect(book.propose(Book.exchange(1, keysOf: 1, issuing: false, governing: false), by: 1).result == .keyTaken)
        #expect(book.propose(Book.exchange(2, keysOf: 1, issuing: false, governing: false), by: 2).result == .keyTaken)
        #expect(book.propose(Book.admission(9, votingKey: old), by: 2).result == .keyTaken)
    }

    /// Whoever has voted twice does not escape by exchanging its key, and whoever finds the old key later can do
    /// nothing with it.
    @Test func anOldKeyAnswersForWhatItVotedForSevenDays() throws {
        func accused(height: UInt64, after milliseconds: UInt64, key: PublicKey? = nil) throws -> ResultCode {
            var book = Book(organisations: 4)
            while book.ledger.height < 10 { book.block([]) }
            book.propose(Book.exchange(1, keysOf: 50, issuing: false, governing: false), by: 1)
            #expect(book.ledger.height == 11)
            try book.reopen()
            book.block([], after: milliseconds)
            let evidence = Book.evidence(against: 1, height: height, key: key)
            let code = book.run([Book.governor(2)], .accuse(evidence)).result
            #expect(try book.organisationRow(1)?.standing == (code == .done ? .suspended : .active))
            return code
        }
        let week: UInt64 = 7 * 86_400_000
        #expect(try accused(height: 3, after: 1000) == .done)
        // It votes on the height after the exchange still, and not on the next.
        #expect(try accused(height: 12, after: 1000) == .done)
        #expect(try accused(height: 13, after: 1000) == .evidenceForeign)
        // The accusation itself stands a second later.
        #expect(try accused(height: 3, after: week - 1000) == .done)
        #expect(try accused(height: 3, after: week - 999) == .evidenceForeign)
        #expect(try accused(height: 13, after: 1000, key: organisation(50).votingKey) == .done)
        #expect(try accused(height: 3, after: 1000, key: organisation(2).votingKey) == .evidenceForeign)
    }

    @Test func whatLaterRulesBroughtIsNamed() {
        let keys = Operation.propose(Book.exchange(1, keysOf: 50), by: OrganisationID(1))
        #expect(keys.rulesNeeded == 2)
        #expect(Operation.propose(.rules(version: 9), by: OrganisationID(1)).rulesNeeded == 1)
        var book = Book(organisations: 2)
        #expect(book.transaction([Book.governor(1)], [keys]).rulesNeeded == 2)
        #expect(book.transaction([Book.governor(1)], [.approve(.zero, by: OrganisationID(1))]).rulesNeeded == 1)
    }
}
