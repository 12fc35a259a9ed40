import Crypto

/// Who speaks for whom; opening, claiming, credentials, freezing.
extension Ledger {
    /// Whether a signer's key speaks for its party at this height.
    mutating func speaks(_ signer: Signer, in body: TransactionBody) -> ResultCode {
        switch signer.party {
        case .organisation(let id):
            guard let organisation = state.organisations.get(id, loading) else { return .signerUnknown }
            return organisation.issuingKey == signer.key ? .done : .keyNotValid
        case .governor(let id):
            guard let organisation = state.organisations.get(id, loading) else { return .signerUnknown }
            return organisation.governingKey == signer.key ? .done : .keyNotValid
        case .validator(let id):
            guard let organisation = state.organisations.get(id, loading) else { return .signerUnknown }
            return organisation.votingKey == signer.key ? .done : .keyNotValid
        case .guardian(let id):
            guard let account = state.accounts.get(id, loading) else { return .signerUnknown }
            return account.guardian == signer.key ? .done : .keyNotValid
        case .account(let id):
            let isValid = state.accounts.look(id, loading) { $0?.isValid(signer.key, at: height) }
            if isValid == true { return .done }
            guard let account = state.accounts.get(id, loading) else {
                return speaksByTicket(id, signer.key, body)
            }
            // Who claims an account speaks for it only beside its opener, or a stranger could burn its nonces.
            let claims =
                !account.claimed && body.operations.contains(.claim(account: id, credential: signer.key))
                && body.signers.contains { $0.party == .organisation(account.opener) }
            return claims ? .done : .keyNotValid
        }
    }

    /// An account that does not exist yet is spoken for by the key that a valid ticket lets it open with. Where its
    /// ticket is not valid, the first one's fault is the answer.
    private mutating func speaksByTicket(_ id: AccountID, _ key: PublicKey, _ body: TransactionBody) -> ResultCode {
        var fault: ResultCode?
        for case .openByTicket(let line, let ticket) in body.operations
        where line.account == id && line.credential == key {
            let code = judge(ticket)
            if code == .done { return .done }
            fault = fault ?? code
        }
        return fault ?? .signerUnknown
    }

    /// The ticket's signature was checked with the envelope; here, whether its key may give tickets now.
    private mutating func judge(_ ticket: Ticket) -> ResultCode {
        guard let organisation = state.organisations.get(ticket.organisation, loading),
            organisation.issuingKey == ticket.key
        else { return .ticketInvalid }
        return ticket.validUntil < time ? .ticketExpired : .done
    }

    /// Checks: signer, standing, then line by line: account taken or there, openings this minute.
    mutating func open(_ list: OpenList, _ context: Context) -> Applied {
        guard context.signed(by: .organisation(list.organisation)) else { return .refused(.signerMissing) }
        guard mayIssue(list.organisation) else { return .refused(.organisationInactive) }
        return lines(list.lines, context) { ledger, line in (ledger.open(line, by: list.organisation), nil) }
    }

    /// Checks: signer, ticket, standing, account taken or there, openings this minute.
    mutating func open(_ line: OpenLine, _ ticket: Ticket, _ context: Context) -> Applied {
        guard let credential = line.credential,
            context.signers.contains(Signer(.account(line.account), credential))
        else { return .refused(.signerMissing) }
        let judged = judge(ticket)
        if judged.isRefusal { return .refused(judged) }
        guard mayIssue(ticket.organisation) else { return .refused(.organisationInactive) }
        let result = open(line, by: ticket.organisation)
        return result.isRefusal ? .refused(result) : .outcome(result == .exists ? .exists : .done)
    }

    private mutating func open(_ line: OpenLine, by organisation: OrganisationID) -> ResultCode {
        if let there = state.accounts.get(line.account, loading) {
            return there.opener == organisation && there.role == line.role ? .exists : .accountTaken
        }
        let minute = time / 60_000
        let max = genesis.parameters.openingsPerMinuteMax
        let counted = state.organisations.modify(organisation, loading) { row in
            if row!.openingsMinute != minute {
                row!.openingsMinute = minute
                row!.openings = 0
            }
            guard row!.openings < max else { return false }
            row!.openings += 1
            return true
        }
        guard counted else { return .openingsTooMany }
        state.accounts.put(
            line.account,
            Account(
                role: line.role, opener: organisation, claimed: line.credential != nil, guardian: line.guardian,
                credentials: line.credential.map { [Credential(key: $0, from: height)] } ?? []),
            loading)
        return .done
    }

    /// Checks: account, signers, claimed, guardian's key.
    mutating func claim(_ id: AccountID, _ credential: PublicKey, _ context: Context) -> Applied {
        guard let account = state.accounts.get(id, loading) else { return .refused(.accountUnknown) }
        guard context.signers.contains(Signer(.account(id), credential)),
            context.signed(by: .organisation(account.opener))
        else { return .refused(.signerMissing) }
        guard !account.claimed else { return .refused(.accountClaimed) }
        guard account.guardian != credential else { return .refused(.credentialExists) }
        state.accounts.modify(id, loading) {
            $0!.claimed = true
            $0!.credentials = [Credential(key: credential, from: height)]
        }
        return .outcome(.done)
    }

    /// Checks: account, signer, key there, heights, number of keys.
    mutating func add(_ credential: Credential, to id: AccountID, _ context: Context) -> Applied {
        guard var account = state.accounts.get(id, loading) else { return .refused(.accountUnknown) }
        guard context.signed(by: .account(id)) else { return .refused(.signerMissing) }
        // Ended keys go first: whether another operation has dropped them already must not show in the answer.
        account.forgetEnded(at: height)
        if account.credentials.contains(credential) { return .outcome(.exists) }
        if account.credentials.contains(where: { $0.key == credential.key }) || account.guardian == credential.key {
            return .refused(.credentialExists)
        }
        guard account.credentials.count < Account.credentialsMax else { return .refused(.credentialsTooMany) }
        guard credential.from >= height, credential.to > credential.from else { return .refused(.heightsInvalid) }
        account.credentials.append(credential)
        state.accounts.put(id, account, loading)
        return .outcome(.done)
    }

    /// Checks: account, signer, new key there, old key valid.
    mutating func rotate(_ id: AccountID, _ old: PublicKey, _ new: PublicKey, _ context: Context) -> Applied {
        guard var account = state.accounts.get(id, loading) else { return .refused(.accountUnknown) }
        guard context.signed(by: .account(id)) else { return .refused(.signerMissing) }
        account.forgetEnded(at: height)
        if account.credentials.contains(where: { $0.key == new }) || account.guardian == new {
            return .refused(.credentialExists)
        }
        guard let index = account.credentials.firstIndex(where: { $0.key == old && $0.isValid(at: height) }) else {
            return .refused(.credentialUnknown)
        }
        // The new key inherits the old one's end.
        account.credentials[index] = Credential(key: new, from: height, to: account.credentials[index].to)
        state.accounts.put(id, account, loading)
        return .outcome(.done)
    }

    /// Checks: account, signer, key valid, not the last.
    mutating func revoke(_ id: AccountID, _ key: PublicKey, _ context: Context) -> Applied {
        guard var account = state.accounts.get(id, loading) else { return .refused(.accountUnknown) }
        guard context.signed(by: .account(id)) || context.signed(by: .guardian(id)) else {
            return .refused(.signerMissing)
        }
        account.forgetEnded(at: height)
        guard let index = account.credentials.firstIndex(where: { $0.key == key }) else {
            return .refused(.credentialUnknown)
        }
        account.credentials.remove(at: index)
        guard account.credentials.contains(where: { $0.isValid(at: height) }) else { return .refused(.credentialLast) }
        state.accounts.put(id, account, loading)
        return .outcome(.done)
    }

    /// Checks: account, signer. The guardian's freeze replaces the holder's own.
    mutating func freeze(_ id: AccountID, _ context: Context) -> Applied {
        guard let account = state.accounts.get(id, loading) else { return .refused(.accountUnknown) }
        let frozen: Account.Frozen
        if context.signed(by: .guardian(id)) {
            frozen = .byGuardian
        } else if context.signed(by: .account(id)) {
            frozen = account.frozen == .byGuardian ? .byGuardian : .byHolder
        } else {
            return .refused(.signerMissing)
        }
        if account.frozen == frozen { return .outcome(.exists) }
        state.accounts.modify(id, loading) { $0!.frozen = frozen }
        return .outcome(.done)
    }

    /// Checks: account, signer, guardian. What the guardian froze only the guardian lifts, or whoever holds a leaked
    /// key could lift it.
    mutating func unfreeze(_ id: AccountID, _ context: Context) -> Applied {
        guard let account = state.accounts.get(id, loading) else { return .refused(.accountUnknown) }
        let guardian = context.signed(by: .guardian(id))
        guard guardian || context.signed(by: .account(id)) else { return .refused(.signerMissing) }
        if account.frozen == .no { return .outcome(.exists) }
        if account.frozen == .byGuardian, !guardian { return .refused(.guardianRequired) }
        state.accounts.modify(id, loading) { $0!.frozen = .no }
        return .outcome(.done)
    }

    /// Runs a list line by line. Alone, a refused line is named and the others stand; where the transaction is all or
    /// nothing, the first one refuses it. `exists` is no refusal.
    mutating func lines<Line>(
        _ lines: [Line], _ context: Context,
        _ apply: (inout Ledger, Line) -> (result: ResultCode, first: TransactionID?)
    ) -> Applied {
        var exceptions: [LineResult] = []
        for (index, line) in lines.enumerated() {
            let (result, first) = apply(&self, line)
            if result == .done { continue }
            if result.isRefusal, context.whole { return .refused(result, line: UInt16(index)) }
            exceptions.append(LineResult(index: UInt16(index), result: result, first: first))
        }
        return .outcome(.lines(done: UInt16(lines.count - exceptions.count), exceptions: exceptions))
    }
}

extension Account {
    /// Drops keys that will never be valid again, so that they do not use up room.
    mutating func forgetEnded(at height: UInt64) { credentials.removeAll { $0.to <= height } }
}
