import Chain
import Crypto
import JSON
import Ledger
import Node
import Testing
import Wallet
import Wire

@testable import Gateway

/// What the members decide, over HTTP; and a node's word for what it took up.
struct GovernanceRoutesTests {
    private func governor(_ mall: Mall, _ index: Int) -> Author {
        Author(.governor(OrganisationID(UInt32(index + 1))), mall.governing[index])
    }

    @Test func aProposalIsMadeShownApprovedAndGone() async throws {
        try await Mall.with { mall in
            let members = try mall.get("/v1/organisations")
            #expect(members.status == 200)
            let views = try Form<OrganisationView>.organisationView.page().parse(members.json).items
            #expect(views.map(\.terms.id.number) == [1, 2] && views.allSatisfy { $0.standing == .active })
            let first = try mall.get("/v1/organisations?limit=1")
            let page = try Form<OrganisationView>.organisationView.page().parse(first.json)
            #expect(page.items.count == 1)
            let rest = try mall.get("/v1/organisations?cursor=\(try #require(page.next))")
            #expect(try Form<OrganisationView>.organisationView.page().parse(rest.json).items == [views[1]])
            #expect(try mall.get("/v1/organisations/2").status == 200)
            #expect(try mall.get("/v1/organisations/3").code == "organisation-not-found")
            #expect(try mall.get("/v1/proposals/\(Digest.zero)").code == "proposal-not-found")

            let decision = Decision.quota(OrganisationID(2), 77)
            let proposed = try mall.submit(
                mall.signed([.propose(decision, by: OrganisationID(1))], governor(mall, 0)))
            #expect(proposed.status == 200)
            let open = try Form<ProposalView>.proposalView.page().parse(try mall.get("/v1/proposals").json).items
            #expect(open.map(\.decision) == [decision] && open[0].approvals == [OrganisationID(1)])
            let id = open[0].id
            let one = try mall.get("/v1/proposals/\(id)")
            #expect(try Form<ProposalView>.proposalView.stamped("proposal").parse(one.json).value == open[0])

            // Over JSON too, as a console would.
            let approval = mall.signed([.approve(id, by: OrganisationID(2))], governor(mall, 1))
            let kind = try #require(OperationForm.all.first { $0.kind == "approve" })
            let approved = try mall.post(
                kind.path, Form<TransactionText>.signed(kind).write(TransactionText(approval)))
            #expect(approved.status == 200, "\(approved.text)")
            let answer = try Form<SubmissionAnswer>.submission.parse(approved.json)
            #expect(answer.receipt?.outcomes == [.proposal(id, carried: true)])
            #expect(try mall.get("/v1/proposals/\(id)").status == 404)
            let changed = try mall.get("/v1/organisations/2")
            let view = try Form<OrganisationView>.organisationView.stamped("organisation").parse(changed.json)
            #expect(view.value.terms.quota == 77)
        }
    }

    @Test func whoAsksForItHasTheNodesWord() async throws {
        // Two validators, of which one has stopped: nothing is certified.
        try await Mall.with(validators: 2) { mall in
            try mall.publish()
            let alice = try mall.open()
            mall.consortium.runners[1].stop()
            let line = AccrualLine(account: alice.account, key: mall.key("late"), amount: 5, pending: false)
            let gift = mall.signed([.accrue(AccrueList(unit: mall.unit, lines: [line]))], mall.issuer)
            let reply = try mall.submit(gift, headers: [("Prefer", "respond-async")])
            #expect(reply.status == 202)
            let answer = try Form<SubmissionAnswer>.submission.parse(reply.json)
            let promise = try #require(answer.promise)
            #expect(promise.transaction == gift.id && promise.envelope == gift.envelopeDigest)
            #expect(promise.verifies(genesis: mall.genesis.hash, key: mall.voting[0].publicKey))
            #expect(answer.receipt == nil && answer.transaction.state == .accepted)
            // Without asking, none.
            let plain = try mall.submit(gift, headers: [("Prefer", "wait=0")])
            #expect(plain.status == 202)
            #expect(try Form<SubmissionAnswer>.submission.parse(plain.json).promise == nil)
        }
    }
}
