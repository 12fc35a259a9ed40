import Chain
import Crypto
import Ledger

/// What members decide while a simulation runs: the applicant is admitted, one member suspended and released, and keys
/// are exchanged, by whom they belong to and by the others.
struct Agenda {
    private struct Motion {
        let decision: Decision
        /// The proposer first.
        let by: [Int]
    }

    /// What changes.
    struct Changes {
        var members = false
        /// Not where somebody lies: fewer than four voters tolerate no liar.
        var suspends = false
        var keys = false
    }

    private var motions: [Motion] = []
    private var proposal: ProposalID?
    private var signed = 0
    /// Number of the transaction that has to be answered before the next.
    var order: Int?
    let suspended: Set<OrganisationID>
    /// Which generation of its keys each organisation has that has exchanged them.
    private(set) var generations: [Int: Int] = [:]
    /// Whose keys the transaction exchanges that waits for its answer.
    private var exchanging: Int?

    init(_ cast: Cast, _ changes: Changes) {
        let members = Array(0..<cast.set.count)
        let subject = 1
        suspended = changes.members && changes.suspends ? [cast.organisation(subject)] : []
        func exchange(_ index: Int, _ generation: Int, by: [Int]) {
            guard changes.keys else { return }
            motions.append(Motion(decision: .keys(cast.exchange(index, generation: generation)), by: by))
        }
        exchange(0, 1, by: [0])
        if changes.members {
            motions.append(Motion(decision: .admit(cast.application(cast.set.count)), by: members))
        }
        if let last = members.last, last > 0 { exchange(last, 1, by: [last]) }
        if changes.members, changes.suspends {
            // The new member decides too, where it was admitted.
            let others = members.filter { $0 != subject } + [cast.set.count]
            motions.append(Motion(decision: .suspend(cast.organisation(subject)), by: others))
            exchange(subject, 1, by: others)
            motions.append(Motion(decision: .release(cast.organisation(subject)), by: others))
        } else if members.count > 1 {
            exchange(subject, 1, by: members.filter { $0 != subject })
        }
        exchange(0, 2, by: [0])
        if changes.members { exchange(cast.set.count, 1, by: [cast.set.count]) }
    }

    /// The next transaction; nil where everything is decided.
    mutating func next(_ cast: Cast, nonce: UInt64, _ validUntil: UInt64) -> Transaction? {
        guard let motion = motions.first else { return nil }
        let by = motion.by[signed]
        let operation =
            proposal.map { Operation.approve($0, by: cast.organisation(by)) }
            ?? .propose(motion.decision, by: cast.organisation(by))
        let transaction = cast.govern(
            by, generation: generations[by] ?? 0, nonce: nonce, validUntil: validUntil, operation)
        proposal = proposal ?? SHA256.hash(.proposal, transaction.id.bytes + [0])
        signed += 1
        exchanging = nil
        if case .keys(let application) = motion.decision { exchanging = Int(application.terms.id.number) - 1 }
        if signed == motion.by.count {
            motions.removeFirst()
            (proposal, signed) = (nil, 0)
        }
        return transaction
    }

    /// The transaction that was waited for is answered.
    mutating func take(_ receipt: Receipt) {
        // Of a repeat only the first receipt says whether it was carried; nearly always it was.
        let isCarried = receipt.outcomes.contains { if case .proposal(_, carried: true) = $0 { true } else { false } }
        guard let index = exchanging, isCarried || receipt.result == .duplicate else { return }
        exchanging = nil
        generations[index, default: 0] += 1
    }
}
