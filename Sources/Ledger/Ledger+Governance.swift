public import Crypto

/// What the members decide together, and what a validator's contradiction leads to.
extension Ledger {
    /// Who would vote at a height of which nothing is known yet: active organisations with a voting key, ascending.
    public var voters: [(id: OrganisationID, key: PublicKey)] {
        mutating get {
            var voters: [(id: OrganisationID, key: PublicKey)] = []
            for id in roster.sorted() {
                guard let row = state.organisations.get(id, loading), row.votes, let key = row.votingKey else {
                    continue
                }
                voters.append((id, key))
            }
            return voters
        }
    }

    /// The version of the rules that holds at the next height or the one after it.
    public mutating func rulesVersion(at height: UInt64) -> UInt32 {
        state.rules.get(OnlyKey(), loading)?.version(at: height) ?? genesis.rulesVersion
    }

    /// Whether an organisation may still issue: one that has left may not.
    mutating func mayIssue(_ id: OrganisationID) -> Bool {
        state.organisations.look(id, loading) { $0.map { $0.standing != .exited } ?? false }
    }

    private mutating func isActive(_ id: OrganisationID) -> Bool {
        state.organisations.look(id, loading) { $0?.standing == .active }
    }

    /// Checks: signer, standing; what the decision itself needs (see ``judge(_:)``); open proposals.
    mutating func propose(_ decision: Decision, _ by: OrganisationID, _ context: Context) -> Applied {
        guard context.signed(by: .governor(by)) else { return .refused(.signerMissing) }
        guard isActive(by) else { return .refused(.organisationInactive) }
        let judged = judge(decision)
        guard judged == .done else { return .refused(judged) }
        guard state.organisations.get(by, loading)!.proposalsOpen < Proposal.openMax else {
            return .refused(.proposalsTooMany)
        }
        let id = SHA256.hash(.proposal, context.transaction.bytes + [context.operation])
        let proposal = Proposal(decision, by: by, lapsesAt: time + Proposal.lifeMilliseconds)
        if isCarried(proposal) {
            carryOut(decision)
            return .outcome(.proposal(id, carried: true))
        }
        state.proposals.put(id, proposal, loading)
        state.organisations.modify(by, loading) { $0!.proposalsOpen += 1 }
        return .outcome(.proposal(id, carried: false))
    }

    /// Checks: proposal, signer, standing, exists; and where that carries it, what the decision itself needs.
    mutating func approve(_ id: ProposalID, _ by: OrganisationID, _ context: Context) -> Applied {
        guard var proposal = state.proposals.get(id, loading) else { return .refused(.proposalUnknown) }
        guard context.signed(by: .governor(by)) else { return .refused(.signerMissing) }
        guard isActive(by) else { return .refused(.organisationInactive) }
        let isNew = !proposal.approvals.contains(by)
        if isNew { proposal.approvals = (proposal.approvals + [by]).sorted() }
        guard isCarried(proposal) else {
            guard isNew else { return .outcome(.exists) }
            state.proposals.put(id, proposal, loading)
            return .outcome(.proposal(id, carried: false))
        }
        // Since it was proposed, the state may have come to stand in its way.
        let judged = judge(proposal.decision)
        guard judged == .done else { return .refused(judged) }
        close(id, proposal)
        carryOut(proposal.decision)
        return .outcome(.proposal(id, carried: true))
    }

    /// Whether those approve whom a decision takes, of the organisations that are active now.
    private mutating func isCarried(_ proposal: Proposal) -> Bool {
        let active = roster.filter { isActive($0) }
        let approving = active.filter { proposal.approvals.contains($0) }.count
        switch proposal.decision {
        case .admit: return approving == active.count
        // Its own affair: it has proposed it with its present governing key.
        case .keys(let application) where application.terms.id == proposal.proposer: return true
        default: return approving >= Quorum.size(of: active.count)
        }
    }

    private mutating func close(_ id: ProposalID, _ proposal: Proposal) {
        state.proposals.put(id, nil, loading)
        state.organisations.modify(proposal.proposer, loading) { $0?.proposalsOpen -= 1 }
    }

    /// Proposals whose time has passed are gone; of what an organisation may have open there are few.
    mutating func lapseOverdue() {
        while let id = proposalsDue.pop(before: time) {
            guard let proposal = state.proposals.get(id, loading),
                state.organisations.get(proposal.proposer, loading) != nil
            else { continue }
            close(id, proposal)
        }
    }

    /// Whether a decision could be carried out now.
    private mutating func judge(_ decision: Decision) -> ResultCode {
        switch decision {
        case .admit(let application): return judge(application.terms)
        case .suspend(let id), .exit(let id):
            guard let row = state.organisations.get(id, loading) else { return .organisationUnknown }
            if case .suspend = decision, row.standing == .suspended { return .organisationInactive }
            guard row.standing != .exited else { return .organisationInactive }
            return row.votes && voters.count == 1 ? .voterLast : .done
        case .release(let id):
            guard let row = state.organisations.get(id, loading) else { return .organisationUnknown }
            guard row.standing == .suspended else { return .organisationNotSuspended }
            return row.votingKey == nil || voters.count < Genesis.validatorsMax ? .done : .validatorsTooMany
        case .quota(let id, _):
            return state.organisations.get(id, loading) == nil ? .organisationUnknown : .done
        case .rules(let version):
            return version > rulesVersion(at: height + 2) ? .done : .rulesVersionOld
        case .keys(let application): return judge(keys: application.terms)
        }
    }

    /// Whether an organisation may have these keys from now on. One that is suspended may: what it is suspended for may
    /// have been done with a key that it has lost.
    private mutating func judge(keys terms: GenesisOrganisation) -> ResultCode {
        guard let row = state.organisations.get(terms.id, loading) else { return .organisationUnknown }
        guard row.standing != .exited else { return .organisationInactive }
        guard terms.name == row.name, terms.quota == row.quota, (terms.votingKey == nil) == (row.votingKey == nil)
        else {
            return .organisationFieldFixed
        }
        if let key = terms.votingKey, let old = row.votingKey, key != old {
            guard !isTaken(key) else { return .keyTaken }
            let number = state.votingKeys.get(old, loading)?.number ?? 0
            return number + 1 < VotingKey.countMax ? .done : .keysTooMany
        }
        return terms.issuingKey == row.issuingKey && terms.governingKey == row.governingKey ? .keysUnchanged : .done
    }

    /// Whether some organisation votes by a key, or ever did.
    private mutating func isTaken(_ key: PublicKey) -> Bool {
        for id in roster where state.organisations.get(id, loading)?.votingKey == key { return true }
        return state.votingKeys.get(key, loading) != nil
    }

    private mutating func judge(_ terms: GenesisOrganisation) -> ResultCode {
        guard state.organisations.get(terms.id, loading) == nil else { return .organisationTaken }
        guard roster.count < Genesis.organisationsMax else { return .organisationsTooMany }
        guard let key = terms.votingKey else { return .done }
        guard !isTaken(key) else { return .keyTaken }
        return voters.count < Genesis.validatorsMax ? .done : .validatorsTooMany
    }

    private mutating func carryOut(_ decision: Decision) {
        switch decision {
        case .admit(let application):
            state.organisations.put(application.terms.id, Organisation(application.terms), loading)
            roster.append(application.terms.id)
        case .suspend(let id): state.organisations.modify(id, loading) { $0!.standing = .suspended }
        case .release(let id): state.organisations.modify(id, loading) { $0!.standing = .active }
        case .exit(let id): state.organisations.modify(id, loading) { $0!.standing = .exited }
        case .quota(let id, let quota): state.organisations.modify(id, loading) { $0!.quota = quota }
        case .rules(let version):
            let rules = Rules(version: version, from: height + 2, before: rulesVersion(at: height + 1))
            state.rules.put(OnlyKey(), rules, loading)
        case .keys(let application): exchange(application.terms)
        }
        votersMayChange = true
    }

    private mutating func exchange(_ terms: GenesisOrganisation) {
        let old = state.organisations.get(terms.id, loading)!.votingKey
        if let old, let new = terms.votingKey, new != old {
            let number = state.votingKeys.get(old, loading)?.number ?? 0
            let end = VotingKey.End(height: height + 2, time: time)
            state.votingKeys.put(old, VotingKey(terms.id, number: number, end: end), loading)
            state.votingKeys.put(new, VotingKey(terms.id, number: number + 1), loading)
        }
        state.organisations.modify(terms.id, loading) { row in
            row!.votingKey = terms.votingKey
            row!.issuingKey = terms.issuingKey
            row!.governingKey = terms.governingKey
        }
    }

    /// Checks: organisation, its key, exists. Where nobody would be left to vote, the offence is remembered and nobody
    /// suspended.
    mutating func accuse(_ evidence: Evidence, _ context: Context) -> Applied {
        guard let row = state.organisations.get(evidence.validator, loading) else {
            return .refused(.organisationUnknown)
        }
        guard row.votingKey == evidence.key || wasVotedBy(evidence) else { return .refused(.evidenceForeign) }
        let offence = evidence.offence
        guard state.offences.get(offence, loading) == nil else { return .outcome(.exists) }
        state.offences.put(offence, Offence(evidence, in: context.transaction), loading)
        if row.votes, voters.count > 1 {
            state.organisations.modify(evidence.validator, loading) { $0!.standing = .suspended }
            votersMayChange = true
        }
        return .outcome(.done)
    }

    /// Whether both votes are of a key that the validator had then, and that still answers for them.
    private mutating func wasVotedBy(_ evidence: Evidence) -> Bool {
        guard let key = state.votingKeys.get(evidence.key, loading), key.organisation == evidence.validator else {
            return false
        }
        return key.answers(forHeight: evidence.first.height, at: time)
    }
}
