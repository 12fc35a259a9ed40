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

    private func governor(_ number: UInt32) -> Signer {
        Signer(.governor(OrganisationID(number)), organisation(number).governingKey)
    }

    /// A member, most times one that decides.
    private mutating func decider(_ model: Model, not: Set<OrganisationID> = []) -> OrganisationID {
        let deciding = model.world.members.filter { $0.value.counts && !not.contains($0.key) }.map(\.key).sorted()
        return deciding.isEmpty || chance(6) ? pick(model.world.members.keys.sorted()) : pick(deciding)
    }

    private mutating func approve(_ model: Model, _ motions: [ProposalID]) -> (Operation, [Signer]) {
        let id = motions.isEmpty || chance(3) ? Digest.zero : pick(motions)
        let by = decider(model, not: chance(90) ? model.world.motions[id]?.inFavour ?? [] : [])
        return (.approve(id, by: by), [governor(by.number)])
    }

    private mutating func propose(_ model: Model) -> (Operation, [Signer]) {
        let by = decider(model)
        let members = model.world.members
        let suspended = members.filter { $0.value.isSuspended && !$0.value.hasLeft }.map(\.key).sorted()
        func anybody(_ workload: inout Workload) -> OrganisationID {
            workload.chance(4) ? OrganisationID(77) : workload.pick(members.keys.sorted())
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
        return (.propose(decision, by: by), [governor(by.number)])
    }

    private mutating func accuse(_ model: Model) -> (Operation, [Signer]) {
        let id = chance(5) ? OrganisationID(77) : pick(model.world.members.keys.sorted())
        let voting = model.world.members[id]?.terms.votingKey
        let height = number(1...4)
        let blank = Signature(bytes: [UInt8](repeating: 0, count: 64))
        func vote(_ header: UInt8) -> Vote {
            Vote(
                epoch: 0, height: height, header: SHA256.hash([header]), time: 1, validator: id, signature: blank)
        }
        let evidence = Evidence(
            vote(0), vote(UInt8(number(1...3))), key: chance(90) ? voting ?? freshKey() : freshKey())!
        let validator = Signer(.validator(OrganisationID(2)), organisation(2).votingKey!)
        return (.accuse(evidence), [chance(50) ? issuer(1) : validator])
    }
}
