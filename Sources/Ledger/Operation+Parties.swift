/// Whom an operation names.
extension Operation {
    /// Whether an account stands in it. Of operations that name accruals or reservations by their keys, only the state
    /// tells whose they are.
    public func names(_ id: AccountID) -> Bool {
        switch self {
        case .publish, .commit, .release, .vest, .void, .clawBack, .propose, .approve, .accuse: false
        case .open(let list): list.lines.contains { $0.account == id }
        case .openByTicket(let line, _): line.account == id
        case .accrue(let list): list.lines.contains { $0.account == id }
        case .transfer(let from, let to, _, _): from == id || to == id
        case .reserve(let reservation):
            if case .transfer(let to) = reservation.use {
                reservation.account == id || to == id
            } else {
                reservation.account == id
            }
        case .claim(let account, _), .addCredential(let account, _), .rotateCredential(let account, _, _),
            .revokeCredential(let account, _), .redeem(let account, _, _, _), .freeze(let account),
            .unfreeze(let account):
            account == id
        }
    }

    /// Whether an organisation stands in it.
    public func names(_ id: OrganisationID) -> Bool {
        switch self {
        case .publish(_, let issuer): issuer == id
        case .open(let list): list.organisation == id
        case .openByTicket(_, let ticket): ticket.organisation == id
        case .reserve(let reservation): reservation.organisation == id
        case .propose(let decision, let by): by == id || decision.subject == id
        case .approve(_, let by): by == id
        case .accuse(let evidence): evidence.validator == id
        default: false
        }
    }
}

extension TransactionBody {
    /// Whether an account signed it, or stands in it.
    public func concerns(_ account: AccountID) -> Bool {
        signers.contains { $0.party == .account(account) || $0.party == .guardian(account) }
            || operations.contains { $0.names(account) }
    }
}
