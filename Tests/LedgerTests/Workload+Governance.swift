import Crypto
import Ledger

/// Drawing what members decide. The founders are seldom sent away, since they issue all points.
extension Workload {
    mutating func governance(_ model: Model) -> (Operation, [Signer]) {
        let motions = model.world.motions.keys.sorted()
        switch number(0...9) {
        case 0..<5 where !motions.isEmpty || chance(10): return approve(model, motions)
        case 0..<9: return propose(model)
        default: return accuse(model)
        }
    }

    private func governor(_ id: OrganisationID, _ model: Model) -> Signer {
        Signer(.governor(id), (model.world.members[id]?.terms ?? organisation(id.number)).governingKey)
    }

    /// A member, most times one that decides.
    private mutating func decider(_ model: Model, not: Set<OrganisationID> = []) -> OrganisationID {
        let deciding = model.world.members.filter { $0.value.counts && !not.contains($0.key) }.map(\.key).sorted()
        return deciding.isEmpty || chance(6) ? pick(model.world.members.keys.sorted()) : pick(deciding)
    }

    private mutating func approve(_ model: Model, _ motions: [ProposalID]) -> (Operation, [Signer]) {
        let id = motions.isEmpty || chance(3) ? Digest.zero : pick(motions)
        let by = decider(model, not: chance(90) ? model.world.motions[id]?.inFavour ?? [] : [])
        return (.approve(id, by: by), [governor(by, model)])
    }

    private mutating func propose(_ model: Model) -> (Operation, [Signer]) {
        if genesis.rulesVersion >= 2, chance(15) { return exchange(model) }
        let by = decider(model)
        let members = model.world.members
        let suspended = members.filter { $0.value.isSuspended && !$0.value.hasLeft }.map(\.key).sorted()
        func anybody(_ workload: inout Workload) -> OrganisationID {
            // Where few vote, most times one of them: the last has to stay.
            if workload.genesis.rulesVersion >= 2, model.voters.count <= 2, workload.chance(80) {
                return workload.pick(model.voters)
            }
            return workload.chance(4) ? OrganisationID(77) : workload.pick(members.keys.sorted())
        }
        var decision: Decision
        switch number(0...9) {
        case 0..<3:
            let next = UInt32(chance(10) ? number(1...4) : UInt64(members.count + 1))
            let own = organisation(next, quota: 1000)
            let terms = GenesisOrganisation(
                id: own.id, name: own.name,
                votingKey: chance(10) ? organisation(1).votingKey : chance(20) ? nil : own.votingKey,
                issuingKey: own.issuingKey, governingKey: own.governingKey, quota: own.quota)
            let blank = Signature(bytes: [UInt8](repeating: 0, count: 64))
            decision = .admit(
                Application(terms: terms, signatures: Application.keys(of: terms).map { _ in blank }))
            if members.count > 12 { decision = .exit(anybody(&self)) }
        case 3: decision = .suspend(anybody(&self))
        case 4..<7: decision = .release(suspended.isEmpty || chance(10) ? anybody(&self) : pick(suspended))
        case 7:
            let id = anybody(&self)
            decision = id.number <= 3 && chance(95) ? .release(id) : .exit(id)
        case 8:
            let id = anybody(&self)
            decision = .quota(id, members[id]?.terms.quota ?? 1)
        default: decision = .rules(version: model.world.versions.last! + UInt32(number(0...1)))
        }
        return (.propose(decision, by: by), [governor(by, model)])
    }

    /// New keys, mostly of the proposer itself; now and then with a fault. The founders keep all but their voting key,
    /// since what they issue is signed by a key that follows from their number.
    private mutating func exchange(_ model: Model) -> (Operation, [Signer]) {
        let members = model.world.members
        let by = decider(model)
        let id = chance(70) ? by : chance(5) ? OrganisationID(77) : pick(members.keys.sorted())
        let old = members[id]?.terms ?? organisation(77)
        let isFounder = id.number <= 3
        // Often one that somebody has, or had before.
        let known = members.values.flatMap { [$0.terms.votingKey].compactMap(\.self) + $0.worn.map(\.key) }.sorted()
        let voting = chance(15) ? old.votingKey : chance(15) ? pick(known) : freshKey()
        let isSilent = (old.votingKey == nil) != chance(4)
        let issuing = isFounder || chance(40) ? old.issuingKey : freshKey()
        let governing = isFounder || chance(40) ? old.governingKey : freshKey()
        let terms = GenesisOrganisation(
            id: id, name: chance(4) ? "Another" : old.name, votingKey: isSilent ? nil : voting ?? freshKey(),
            issuingKey: issuing, governingKey: governing,
            quota: chance(4) ? 7 : members[id]?.quota ?? old.quota)
        let blank = Signature(bytes: [UInt8](repeating: 0, count: 64))
        let application = Application(terms: terms, signatures: Application.keys(of: terms).map { _ in blank })
        return (.propose(.keys(application), by: by), [governor(by, model)])
    }

    private mutating func accuse(_ model: Model) -> (Operation, [Signer]) {
        let id = chance(5) ? OrganisationID(77) : pick(model.world.members.keys.sorted())
        let member = model.world.members[id]
        let voting =
            member?.worn.isEmpty == false && chance(50) ? pick(member!.worn).key : member?.terms.votingKey
        let height = number(1...4)
        let blank = Signature(bytes: [UInt8](repeating: 0, count: 64))
        func vote(_ header: UInt8) -> Vote {
            Vote(
                epoch: 0, height: height, header: SHA256.hash([header]), time: 1, validator: id, signature: blank)
        }
        let evidence = Evidence(
            vote(0), vote(UInt8(number(1...3))), key: chance(90) ? voting ?? freshKey() : freshKey())!
        let second = OrganisationID(2)
        let validator = Signer(.validator(second), model.world.members[second]!.terms.votingKey!)
        return (.accuse(evidence), [chance(50) ? issuer(1) : validator])
    }
}
