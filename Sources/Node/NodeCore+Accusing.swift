import Chain
import Crypto
public import Ledger

/// A contradiction that this node has seen, on its way into the chain.
struct Accusation: Sendable {
    let evidence: Evidence
    /// Of the transaction that carries it, once there is one, and until when that can be executed.
    var ticket: Pool.Ticket?
    var validUntil: UInt64 = 0
}

/// Bringing two votes that contradict each other before all: every validator that sees them does, since each may be the
/// only one, and the chain takes them once.
extension NodeCore {
    /// Whose contradictions the chain does not know of yet.
    public var accused: [OrganisationID] { accusations.map(\.evidence.validator) }

    mutating func note(contradiction one: Vote, _ other: Vote, _ set: ValidatorSet) {
        guard accusations.count < Self.accusationsMax, let offender = set[one.validator],
            !accusations.contains(where: { $0.evidence.validator == one.validator }),
            let evidence = Evidence(one, other, key: offender.key)
        else { return }
        accusations.append(Accusation(evidence: evidence))
    }

    /// Takes accusations up as transactions of this node's own, until a block has them.
    mutating func accuse(_ now: UInt64) {
        // By the key that speaks for it from the newest executed block on, whichever votes on the next height.
        guard !accusations.isEmpty, let key = key(at: .max), signingStopped == nil, isVoter(at: executed + 1) else {
            return
        }
        accusations.removeAll { accusation in
            // It left the pool in time: it stands in a block.
            guard let ticket = accusation.ticket, !pool.isReady(ticket) else { return false }
            return executor.head.time <= accusation.validUntil
        }
        for index in accusations.indices where accusations[index].ticket.map({ !pool.isReady($0) }) ?? true {
            let validUntil = executor.head.time + executor.genesis.parameters.replayWindowMilliseconds
            let evidence = accusations[index].evidence
            let body = TransactionBody(
                nonce: validUntil ^ UInt64(evidence.validator.number) << 44, validUntil: validUntil,
                signers: [Signer(.validator(configuration.validator), key.publicKey)], operations: [.accuse(evidence)])
            let transaction = Transaction(signing: body, genesis: executor.genesisHash, keys: [key])
            accusations[index].validUntil = validUntil
            accusations[index].ticket = pool.add(
                transaction, nil, isReady: true, perSenderMax: configuration.inFlightPerSenderMax)
        }
    }
}
