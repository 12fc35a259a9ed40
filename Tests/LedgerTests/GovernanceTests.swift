import Crypto
import Testing

@testable import Ledger

/// What the members decide together, and what a validator's contradiction leads to.
struct GovernanceTests {
    private static let three = OrganisationID(3)

    private func voters(_ output: Ledger.Output) -> [UInt32]? { output.voters?.map(\.id.number) }

    private func output(_ book: inout Book, _ signer: Signer, _ operation: Operation) -> Ledger.Output {
        book.block(inputs: [Ledger.Input(book.transaction([signer], [operation]), signaturesVerify: true)])
    }

    /// 1-06: an applicant joins after all members' approval, and not before.
    @Test func admissionTakesEveryActiveOrganisation() throws {
        var book = Book(organisations: 4)
        guard case .proposal(let id, carried: false)? = book.propose(Book.admission(9), by: 1).outcomes.first else {
            Issue.record("no proposal")
            return
        }
        for number in [2, 3] as [UInt32] {
            #expect(book.approve(id, by: number).outcomes == [.proposal(id, carried: false)])
            #expect(try book.organisationRow(9) == nil)
        }
        // The same again changes nothing.
        #expect(book.approve(id, by: 3).outcomes == [.exists])
        let last = output(&book, Book.governor(4), .approve(id, by: OrganisationID(4)))
        #expect(last.receipts[0].outcomes == [.proposal(id, carried: true)])
        #expect(voters(last) == [1, 2, 3, 4, 9])
        #expect(try book.organisationRow(9)?.standing == .active)
        #expect(book.approve(id, by: 4).result == .proposalUnknown)
        // From now on it counts.
        book.decide(Book.admission(10), by: [1, 2, 3, 4])
        #expect(try book.organisationRow(10) == nil)
        book.decide(Book.admission(11), by: [1, 2, 3, 4, 9])
        #expect(try book.organisationRow(11)?.quota == organisation(11).quota)
    }

    @Test(arguments: [(1, 1), (2, 2), (3, 2), (4, 3), (5, 4), (7, 5), (10, 7)] as [(UInt32, Int)])
    func suspensionTakesAQuorum(_ members: UInt32, _ quorum: Int) throws {
        #expect(Quorum.size(of: Int(members)) == quorum)
        guard members > 1 else { return }
        var book = Book(organisations: members)
        let subject = OrganisationID(members)
        book.decide(.suspend(subject), by: Array(1..<UInt32(quorum)))
        #expect(try book.organisationRow(members)?.standing == .active)
        book.decide(.suspend(subject), by: Array(1...UInt32(quorum)))
        #expect(try book.organisationRow(members)?.standing == .suspended)
    }

    @Test func aSuspendedMemberNeitherDecidesNorCountsAndIsReleased() throws {
        var book = Book(organisations: 4)
        book.decide(.suspend(Self.three), by: [1, 2, 4])
        #expect(book.propose(.rules(version: 2), by: 3).result == .organisationInactive)
        guard case .proposal(let id, _)? = book.propose(.release(Self.three), by: 1).outcomes.first else {
            Issue.record("no proposal")
            return
        }
        #expect(book.approve(id, by: 3).result == .organisationInactive)
        // Of three that count, two decide.
        let output = output(&book, Book.governor(2), .approve(id, by: OrganisationID(2)))
        #expect(voters(output) == [1, 2, 3, 4])
        #expect(try book.organisationRow(3)?.standing == .active)
    }

    @Test func whoHasLeftIssuesNothingAndHonoursWhatItIssued() throws {
        var book = Book.standard()
        book.run([Book.mallIssuer], Book.accrual(Book.one, order(2), 100, pending: true))
        book.decide(.exit(OrganisationID(1)), by: [1, 2])
        #expect(try book.organisationRow(1)?.standing == .exited)
        #expect(book.run([Book.mallIssuer], Book.accrual(Book.one, order(3), 1)).result == .organisationInactive)
        #expect(book.run([Book.mallIssuer], .vest(Book.total(order(2), 100))).result == .done)
        #expect(book.run([Book.first], Book.pay(1_100)).result == .done)
        #expect(book.propose(.release(OrganisationID(1)), by: 2).result == .organisationNotSuspended)
    }

    /// A governing key decides and issues nothing; an issuing key issues and decides nothing.
    @Test func noKeyDoesWhatAnotherIsFor() {
        var book = Book.standard()
        let governor = Book.governor(1)
        let accrual = Book.accrual(Book.one, order(9), 1)
        #expect(book.run([governor], accrual).result == .signerMissing)
        #expect(book.run([Signer(.organisation(OrganisationID(1)), governor.key)], accrual).result == .keyNotValid)
        let decision = Operation.propose(.rules(version: 2), by: OrganisationID(1))
        #expect(book.run([Book.mallIssuer], decision).result == .signerMissing)
        #expect(
            book.run([Signer(.governor(OrganisationID(1)), Book.mallIssuer.key)], decision).result == .keyNotValid)
        #expect(book.run([Book.governor(2)], decision).result == .signerMissing)
    }

    @Test func aProposalLapsesAfterSevenDaysOfBlockTime() throws {
        for (late, result) in [(UInt64(0), ResultCode.done), (1, .proposalUnknown)] {
            var book = Book(organisations: 2)
            guard case .proposal(let id, _)? = book.propose(.rules(version: 2), by: 1).outcomes.first else {
                Issue.record("no proposal")
                return
            }
            try book.reopen()
            book.block([], after: 7 * 86_400_000 + late)
            #expect(book.ledger.time == Book.start + 1_000 + 7 * 86_400_000 + late)
            #expect(try book.organisationRow(1)?.proposalsOpen == (late == 0 ? 1 : 0))
            let transaction = book.transaction([Book.governor(2)], [.approve(id, by: OrganisationID(2))])
            if late == 0 {
                // In the next block it would be too late.
                #expect(book.store.row(.proposals, id.keyBytes) != nil)
            } else {
                #expect(book.block([transaction])[0].result == result)
            }
        }
    }

    @Test func rulesHoldFromTwoHeightsLaterOn() throws {
        var book = Book(organisations: 2)
        book.decide(.rules(version: 2), by: [1, 2])
        let height = book.ledger.height
        #expect(book.ledger.rulesVersion(at: height + 1) == 1)
        #expect(book.ledger.rulesVersion(at: height + 2) == 2)
        try book.reopen()
        #expect(book.ledger.rulesVersion(at: height + 1) == 1)
        book.block([])
        #expect(book.ledger.rulesVersion(at: height + 2) == 2)
        #expect(book.propose(.rules(version: 2), by: 1).result == .rulesVersionOld)
    }

    @Test func aQuotaIsDecidedTogether() throws {
        var book = Book.standard(quota: 1_000)
        #expect(book.run([Book.mallIssuer], Book.accrual(Book.one, order(5), 1)).code == .quotaExceeded)
        book.decide(.quota(OrganisationID(1), 1_500), by: [1, 2])
        #expect(book.run([Book.mallIssuer], Book.accrual(Book.one, order(6), 500)).code == .done)
        // One below what is outstanding takes nothing away, and lets nothing more be issued.
        book.decide(.quota(OrganisationID(1), 10), by: [1, 2])
        #expect(book.run([Book.mallIssuer], Book.accrual(Book.one, order(7), 1)).code == .quotaExceeded)
    }

    /// Check 4, as far as the ledger goes.
    @Test func twoVotesSuspendOnceAndAReleaseHolds() throws {
        var book = Book(organisations: 4)
        let evidence = Book.evidence(against: 2)
        let output = output(&book, Book.governor(3), .accuse(evidence))
        #expect(voters(output) == [1, 3, 4])
        #expect(try book.organisationRow(2)?.standing == .suspended)
        book.decide(.release(OrganisationID(2)), by: [1, 3, 4])
        // The same offence again, by other votes too, is known.
        #expect(book.run([Book.governor(4)], .accuse(evidence)).outcomes == [.exists])
        #expect(try book.organisationRow(2)?.standing == .active)
        book.run([Book.governor(4)], .accuse(Book.evidence(against: 2, height: 4)))
        #expect(try book.organisationRow(2)?.standing == .suspended)
    }

    @Test func evidenceThatWouldLeaveNoVoterIsRecordedAndSuspendsNobody() throws {
        var book = Book(organisations: 1)
        let output = output(&book, Book.governor(1), .accuse(Book.evidence(against: 1)))
        #expect(output.receipts[0].result == .done && output.voters == nil)
        #expect(try book.organisationRow(1)?.standing == .active)
        #expect(book.run([Book.governor(1)], .accuse(Book.evidence(against: 1))).outcomes == [.exists])
    }

    @Test func votesThatDoNotContradictAreNoEvidence() {
        func vote(
            _ header: UInt8, height: UInt64 = 1, epoch: UInt32 = 0, round: UInt32 = 0, validator: UInt32 = 1
        ) -> Vote {
            Vote(
                epoch: epoch, height: height, round: round, header: SHA256.hash([header]), time: UInt64(header),
                validator: OrganisationID(validator), signature: Signature(bytes: [UInt8](repeating: 0, count: 64)))
        }
        #expect(Evidence(vote(1), vote(2), key: key(1)) != nil)
        for other in [vote(1), vote(2, height: 2), vote(2, epoch: 1), vote(2, round: 1), vote(2, validator: 2)] {
            #expect(Evidence(vote(1), other, key: key(1)) == nil)
        }
    }

    /// A refused transaction takes back an admission with everything else in it.
    @Test func whatIsRefusedAdmitsNobody() throws {
        var book = Book(organisations: 1)
        let receipt = book.run(
            [Book.governor(1)], .propose(Book.admission(2), by: OrganisationID(1)),
            .approve(.zero, by: OrganisationID(1)))
        #expect(receipt.result == .proposalUnknown)
        #expect(try book.organisationRow(2) == nil)
        #expect(book.ledger.voters.map(\.id.number) == [1])
        book.decide(Book.admission(2), by: [1])
        #expect(book.ledger.voters.map(\.id.number) == [1, 2])
        try book.reopen()
        #expect(book.ledger.voters.map(\.id.number) == [1, 2])
    }
}
