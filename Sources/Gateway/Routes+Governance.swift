import Crypto
import Ledger
import Node
import Storage
import Wire

/// Who belongs to the consortium, and what waits to be decided: for everybody to see.
extension Gateway {
    static let governanceRoutes: [Route] = [
        Route(
            .get, "/v1/organisations", "listOrganisations", "organisations",
            "The member organisations, those that are suspended or have left too.",
            parameters: [.query("cursor", Form<UInt32>.organisationNumber, "As an earlier page gave it."), .limit],
            answers: [.ok(Form<OrganisationView>.organisationView.page())]
        ) { call in
            let after = OrganisationID(try call.number("cursor", in: 0...UInt32.max, else: 0))
            let limit = try call.limit()
            let found = try call.chain.read { (tables) throws(StorageError) in
                try tables.organisations(after: after, max: limit + 1).map { OrganisationView($0) }
            }
            call.answer(
                Form.organisationView.page(),
                Page(found.value, limit: limit, cursor: { String($0.terms.id.number) }, found.stamp))
        },
        Route(
            .get, "/v1/organisations/{organisation}", "getOrganisation", "organisations", "A member organisation.",
            parameters: [.path("organisation", Form<UInt32>.organisationNumber, "An organisation's number.")],
            answers: [.ok(Form<OrganisationView>.organisationView.stamped("organisation"))], problems: [404]
        ) { call in
            let id = OrganisationID(try call.number("organisation", in: 0...UInt32.max, else: 0))
            let found = try call.chain.read { (tables) throws(StorageError) in try tables.organisation(id) }
            guard let row = found.value else { throw Problem(.organisationNotFound, field: "organisation") }
            call.answer(
                Form.organisationView.stamped("organisation"), Stamped(OrganisationView(row), found.stamp))
        },
        Route(
            .get, "/v1/proposals", "listProposals", "organisations",
            "Proposals that are neither carried nor lapsed.",
            parameters: [.query("cursor", .digest, "As an earlier page gave it."), .limit],
            answers: [.ok(Form<ProposalView>.proposalView.page())]
        ) { call in
            let after: ProposalID? = try call.query("cursor", .digest)
            let limit = try call.limit()
            let found = try call.chain.read { (tables) throws(StorageError) in
                try tables.proposals(after: after, max: limit + 1).map { ProposalView(id: $0.id, $0.proposal) }
            }
            call.answer(
                Form.proposalView.page(), Page(found.value, limit: limit, cursor: { $0.id.description }, found.stamp))
        },
        Route(
            .get, "/v1/proposals/{proposal}", "getProposal", "organisations",
            "A proposal that is neither carried nor lapsed.",
            parameters: [.path("proposal", .digest, "A proposal's id.")],
            answers: [.ok(Form<ProposalView>.proposalView.stamped("proposal"))], problems: [404]
        ) { call in
            let id = try call.path("proposal", .digest)
            let found = try call.chain.read { (tables) throws(StorageError) in try tables.proposal(id) }
            guard let row = found.value else { throw Problem(.proposalNotFound, field: "proposal") }
            call.answer(Form.proposalView.stamped("proposal"), Stamped(ProposalView(id: id, row), found.stamp))
        },
    ]
}
