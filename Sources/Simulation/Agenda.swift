import Chain
import Crypto
import Ledger

/// What members decide while a simulation runs: the applicant is admitted, one member suspended and released.
struct Agenda {
    private struct Motion {
        let decision: Decision
        /// The proposer first.
        let by: [Int]
    }

    private var motions: [Motion]
    private var proposal: ProposalID?
    private var signed = 0
    /// Number of the transaction that has to be answered before the next.
    var order: Int?
    let suspended: Set<OrganisationID>

    /// - Parameter suspends: not where somebody lies: fewer than four voters tolerate no liar.
    init(_ cast: Cast, suspends: Bool) {
        let members = Array(0..<cast.set.count)
        motions = [Motion(decision: .admit(cast.application(cast.set.count)), by: members)]
        let subject = cast.organisation(1)
        suspended = suspends ? [subject] : []
        guard suspends else { return }
        // The new member decides too, where it was admitted.
        let others = members.filter { $0 != 1 } + [cast.set.count]
        motions += [Motion(decision: .suspend(subject), by: others), Motion(decision: .release(subject), by: others)]
    }

    /// The next transaction; nil where everything is decided.
    mutating func next(_ cast: Cast, nonce: UInt64, _ validUntil: UInt64) -> Transaction? {
        guard let motion = motions.first else { return nil }
        let by = motion.by[signed]
        let operation =
            proposal.map { Operation.approve($0, by: cast.organisation(by)) }
            ?? .propose(motion.decision, by: cast.organisation(by))
        let transaction = cast.govern(by, nonce: nonce, validUntil: validUntil, operation)
        proposal = proposal ?? SHA256.hash(.proposal, transaction.id.bytes + [0])
        signed += 1
        if signed == motion.by.count {
            motions.removeFirst()
            (proposal, signed) = (nil, 0)
        }
        return transaction
    }
}
