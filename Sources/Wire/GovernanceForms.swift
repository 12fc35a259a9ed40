import Canonical
public import Crypto
import JSON
public import Ledger

/// What the members decide together, as JSON.
extension Form where Value == Decision {
    public static let decision = choice(
        "What is decided: who is admitted, suspended, released or leaves; what an organisation may have outstanding of "
            + "each of its units; the version of the rules; which keys an organisation has from now on.",
        [
            Choice("admit", .application, { .admit($0) }) { if case .admit(let it) = $0 { it } else { nil } },
            Choice("suspend", .organisation, { .suspend($0) }) { if case .suspend(let id) = $0 { id } else { nil } },
            Choice("release", .organisation, { .release($0) }) { if case .release(let id) = $0 { id } else { nil } },
            Choice("exit", .organisation, { .exit($0) }) { if case .exit(let id) = $0 { id } else { nil } },
            Choice("quota", quota, { .quota($0.organisation, $0.quota) }) {
                if case .quota(let id, let quota) = $0 { Quota(organisation: id, quota: quota) } else { nil }
            },
            Choice("rules", Form<UInt32>.integer, { .rules(version: $0) }) {
                if case .rules(let version) = $0 { version } else { nil }
            },
            Choice("keys", .application, { .keys($0) }) { if case .keys(let it) = $0 { it } else { nil } },
        ]
    ).named("Decision")

    private struct Quota: Sendable {
        let organisation: OrganisationID
        let quota: UInt64
    }

    private static let quota = Form<Quota>.object(
        "", Field("organisation", .organisation), Field("quota", .number64, "In smallest parts."),
        make: { (organisation: OrganisationID, quota: UInt64) throws(JSONError) in
            Quota(organisation: organisation, quota: quota)
        }, parts: { ($0.organisation, $0.quota) })
}

extension Form where Value == Application {
    public static let application = object(
        "Who would become a member, or which keys a member would have from now on, signed by each of these keys.",
        Field("organisation", Form<GenesisOrganisation>.organisation),
        Field(
            "signatures", Form<Signature>.signature.list(2...3),
            "By the voting key where there is one, the issuing key, the governing key."),
        make: { (terms: GenesisOrganisation, signatures: [Signature]) throws(JSONError) in
            Application(terms: terms, signatures: signatures)
        }, parts: { ($0.terms, $0.signatures) }
    ).named("Application")
}

extension Form where Value == Evidence {
    /// What differs between the two votes.
    private struct Half: Sendable {
        let header: Digest
        let time: UInt64
        let signature: Signature

        init(header: Digest, time: UInt64, signature: Signature) {
            self.header = header
            self.time = time
            self.signature = signature
        }

        init(_ vote: Vote) { self.init(header: vote.header, time: vote.time, signature: vote.signature) }
    }

    private static let half = Form<Half>.object(
        "", Field("header", .digest), Field("time", .time), Field("signature", .signature),
        make: { (header: Digest, time: UInt64, signature: Signature) throws(JSONError) in
            Half(header: header, time: time, signature: signature)
        }, parts: { ($0.header, $0.time, $0.signature) })

    public static let evidence = object(
        "Two votes of one validator for different headers of the same height, round and phase of one epoch.",
        Field("validator", .organisation), Field("key", .publicKey, "Its voting key."), Field("epoch", .integer),
        Field("height", .number64), Field("round", .integer),
        Field("first", half, "Of the header whose digest is the lesser."), Field("second", half),
        make: {
            (
                validator: OrganisationID, key: PublicKey, epoch: UInt32, height: UInt64, round: UInt32, first: Half,
                second: Half
            ) throws(JSONError) -> Evidence in
            func vote(_ half: Half) -> Vote {
                Vote(
                    epoch: epoch, height: height, round: round, header: half.header, time: half.time,
                    validator: validator, signature: half.signature)
            }
            // Votes that do not contradict each other are left to the canonical form, which refuses them.
            return Evidence(vote(first), vote(second), key: key)
                ?? Evidence(unchecked: vote(first), vote(second), key: key)
        },
        parts: {
            (
                $0.validator, $0.key, $0.first.epoch, $0.first.height, $0.first.round, Half($0.first), Half($0.second)
            )
        }
    ).named("Evidence")
}

/// A member organisation as everybody may see it.
public struct OrganisationView: Sendable, Equatable {
    public let terms: GenesisOrganisation
    public let standing: Organisation.Standing

    public init(terms: GenesisOrganisation, standing: Organisation.Standing) {
        self.terms = terms
        self.standing = standing
    }

    public init(_ row: Organisation) {
        self.init(
            terms: GenesisOrganisation(
                id: row.id, name: row.name, votingKey: row.votingKey, issuingKey: row.issuingKey,
                governingKey: row.governingKey, quota: row.quota), standing: row.standing)
    }
}

extension Form where Value == OrganisationView {
    public static let organisationView = object(
        "A member organisation.", Field("organisation", Form<GenesisOrganisation>.organisation),
        Field(
            "standing", Form<Organisation.Standing>.words { "\($0)" },
            "An active one governs, and votes where it has a voting key; one that has left issues nothing more."),
        make: { (terms: GenesisOrganisation, standing: Organisation.Standing) throws(JSONError) in
            OrganisationView(terms: terms, standing: standing)
        }, parts: { ($0.terms, $0.standing) }
    ).named("MemberOrganisation")
}

/// A proposal that waits for approvals.
public struct ProposalView: Sendable, Equatable {
    public let id: ProposalID
    public let decision: Decision
    public let proposer: OrganisationID
    public let lapsesAt: UInt64
    public let approvals: [OrganisationID]

    public init(
        id: ProposalID, decision: Decision, proposer: OrganisationID, lapsesAt: UInt64, approvals: [OrganisationID]
    ) {
        self.id = id
        self.decision = decision
        self.proposer = proposer
        self.lapsesAt = lapsesAt
        self.approvals = approvals
    }

    public init(id: ProposalID, _ row: Proposal) {
        self.init(
            id: id, decision: row.decision, proposer: row.proposer, lapsesAt: row.lapsesAt, approvals: row.approvals)
    }
}

extension Form where Value == ProposalView {
    public static let proposalView = object(
        "A proposal that waits for approvals: admission takes all active organisations, all else a quorum of them; an "
            + "organisation exchanges its own keys alone.",
        Field("id", .digest), Field("decision", .decision), Field("proposer", .organisation),
        Field("lapsesAt", .time, "The last block time at which it can be carried."),
        Field("approvals", Form<OrganisationID>.organisation.list(1...Genesis.organisationsMax), "Who has approved."),
        make: {
            (
                id: ProposalID, decision: Decision, proposer: OrganisationID, lapsesAt: UInt64,
                approvals: [OrganisationID]
            ) throws(JSONError) in
            ProposalView(id: id, decision: decision, proposer: proposer, lapsesAt: lapsesAt, approvals: approvals)
        }, parts: { ($0.id, $0.decision, $0.proposer, $0.lapsesAt, $0.approvals) }
    ).named("Proposal")
}
