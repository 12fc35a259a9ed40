import Crypto
import Ledger

/// The members' decisions a second time: by counting heads.
extension Model {
    struct Member {
        var terms: GenesisOrganisation
        /// Voting keys that were replaced, oldest first: up to which height and until when they answer.
        var worn: [(key: PublicKey, last: UInt64, until: UInt64)] = []
        var quota: UInt64
        var isSuspended = false
        var hasLeft = false

        var counts: Bool { !isSuspended && !hasLeft }
        var votes: Bool { counts && terms.votingKey != nil }
    }

    struct Motion {
        let decision: Decision
        let by: OrganisationID
        let lapsesAt: UInt64
        var inFavour: Set<OrganisationID>
    }

    func speaks(
        for id: OrganisationID, _ key: PublicKey, _ which: (GenesisOrganisation) -> PublicKey?
    ) throws(Refusal) {
        guard let member = world.members[id] else { throw Refusal(.signerUnknown) }
        if which(member.terms) != key { throw Refusal(.keyNotValid) }
    }

    func judgeIssuer(_ id: OrganisationID) throws(Refusal) {
        if world.members[id]!.hasLeft { throw Refusal(.organisationInactive) }
    }

    var voters: [OrganisationID] { world.members.filter { $0.value.votes }.map(\.key).sorted() }

    mutating func propose(_ decision: Decision, _ by: OrganisationID, _ id: ProposalID) throws(Refusal) -> Said {
        if !world.members[by]!.counts { throw Refusal(.organisationInactive) }
        try judge(decision)
        if world.motions.values.filter({ $0.by == by }).count >= 16 { throw Refusal(.proposalsTooMany) }
        let motion = Motion(decision: decision, by: by, lapsesAt: time + 7 * 24 * 3_600_000, inFavour: [by])
        if has(motion) {
            enact(decision)
            return .proposal(id, carried: true)
        }
        world.motions[id] = motion
        return .proposal(id, carried: false)
    }

    mutating func approve(_ id: ProposalID, _ there: Motion, _ by: OrganisationID) throws(Refusal) -> Said {
        if !world.members[by]!.counts { throw Refusal(.organisationInactive) }
        var motion = there
        motion.inFavour.insert(by)
        if has(motion) {
            try judge(motion.decision)
            world.motions[id] = nil
            enact(motion.decision)
            return .proposal(id, carried: true)
        }
        if there.inFavour.contains(by) { return .exists }
        world.motions[id] = motion
        return .proposal(id, carried: false)
    }

    /// Enough heads: all of them to let somebody in; else so many that any two majorities share an honest one.
    private func has(_ motion: Motion) -> Bool {
        let heads = world.members.filter { $0.value.counts }.map(\.key)
        let count = heads.filter { motion.inFavour.contains($0) }.count
        if case .admit = motion.decision { return count == heads.count }
        if case .keys(let application) = motion.decision, application.terms.id == motion.by { return true }
        let liars = (heads.count - 1) / 3
        return 2 * count >= heads.count + liars + 1
    }

    private func judge(_ decision: Decision) throws(Refusal) {
        switch decision {
        case .admit(let application):
            let terms = application.terms
            if world.members[terms.id] != nil { throw Refusal(.organisationTaken) }
            if world.members.count >= 1000 { throw Refusal(.organisationsTooMany) }
            guard let key = terms.votingKey else { return }
            if isKnown(key) { throw Refusal(.keyTaken) }
            if voters.count >= 100 { throw Refusal(.validatorsTooMany) }
        case .suspend(let id):
            guard let member = world.members[id] else { throw Refusal(.organisationUnknown) }
            if !member.counts { throw Refusal(.organisationInactive) }
            if voters == [id] { throw Refusal(.voterLast) }
        case .exit(let id):
            guard let member = world.members[id] else { throw Refusal(.organisationUnknown) }
            if member.hasLeft { throw Refusal(.organisationInactive) }
            if voters == [id] { throw Refusal(.voterLast) }
        case .release(let id):
            guard let member = world.members[id] else { throw Refusal(.organisationUnknown) }
            if !member.isSuspended || member.hasLeft { throw Refusal(.organisationNotSuspended) }
            if member.terms.votingKey != nil, voters.count >= 100 { throw Refusal(.validatorsTooMany) }
        case .quota(let id, _):
            if world.members[id] == nil { throw Refusal(.organisationUnknown) }
        case .rules(let version):
            if version <= world.versions.last! { throw Refusal(.rulesVersionOld) }
        case .keys(let application):
            let (new, member) = (application.terms, world.members[application.terms.id])
            guard let member else { throw Refusal(.organisationUnknown) }
            if member.hasLeft { throw Refusal(.organisationInactive) }
            let old = member.terms
            let isSame = old.name == new.name && member.quota == new.quota
            if !isSame || old.votingKey.map({ _ in 0 }) != new.votingKey.map({ _ in 0 }) {
                throw Refusal(.organisationFieldFixed)
            }
            if old.votingKey != new.votingKey {
                if isKnown(new.votingKey!) { throw Refusal(.keyTaken) }
                if member.worn.count >= 519 { throw Refusal(.keysTooMany) }
            } else if old.issuingKey == new.issuingKey, old.governingKey == new.governingKey {
                throw Refusal(.keysUnchanged)
            }
        }
    }

    private func isKnown(_ key: PublicKey) -> Bool {
        world.members.values.contains { $0.terms.votingKey == key || $0.worn.contains { $0.key == key } }
    }

    private mutating func enact(_ decision: Decision) {
        switch decision {
        case .admit(let application):
            world.members[application.terms.id] = Member(terms: application.terms, quota: application.terms.quota)
        case .suspend(let id): world.members[id]!.isSuspended = true
        case .release(let id): world.members[id]!.isSuspended = false
        case .exit(let id): world.members[id]!.hasLeft = true
        case .quota(let id, let quota): world.members[id]!.quota = quota
        case .rules(let version): world.versions.append(version)
        case .keys(let application):
            let (id, new) = (application.terms.id, application.terms)
            let old = world.members[id]!.terms.votingKey
            if let old, old != new.votingKey {
                world.members[id]!.worn.append((old, height + 1, time + 7 * 24 * 3_600_000))
            }
            world.members[id]!.terms = new
        }
    }

    mutating func accuse(_ evidence: Evidence) throws(Refusal) -> Said {
        let vote = evidence.first
        guard let member = world.members[vote.validator] else { throw Refusal(.organisationUnknown) }
        let worn = member.worn.first { $0.key == evidence.key }
        if member.terms.votingKey != evidence.key {
            guard let worn, vote.height <= worn.last, time <= worn.until else { throw Refusal(.evidenceForeign) }
        }
        let offence = [UInt64(vote.validator.number), UInt64(vote.epoch), vote.height, UInt64(vote.round)]
        if !world.offences.insert(offence).inserted { return .exists }
        if voters.contains(vote.validator), voters.count > 1 { world.members[vote.validator]!.isSuspended = true }
        return .done
    }
}
