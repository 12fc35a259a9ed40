import Crypto

/// Programs, accruals, and what an issuer may do with what it issued.
extension Ledger {
    /// Checks: signer, standing, unit taken, fixed fields, number of units.
    mutating func publish(_ program: Program, _ issuer: OrganisationID, _ context: Context) -> Applied {
        guard context.signed(by: .organisation(issuer)) else { return .refused(.signerMissing) }
        guard mayIssue(issuer) else { return .refused(.organisationInactive) }
        var unit: Unit
        if let there = state.units.get(program.unit, loading) {
            guard there.issuer == issuer else { return .refused(.unitTaken) }
            guard there.decimals == program.decimals, there.currency == program.currency else {
                return .refused(.programFieldFixed)
            }
            let newest = ProgramKey(unit: program.unit, version: there.version)
            if state.programs.get(newest, loading) == program { return .outcome(.exists) }
            guard there.version < UInt32.max else { return .refused(.amountTooLarge) }
            unit = there
            unit.version += 1
        } else {
            let published = state.organisations.get(issuer, loading)!.unitsPublished
            guard published < genesis.parameters.unitsPerOrganisationMax else { return .refused(.unitsTooMany) }
            state.organisations.modify(issuer, loading) { $0!.unitsPublished += 1 }
            unit = Unit(code: program.unit, issuer: issuer, decimals: program.decimals, currency: program.currency)
        }
        state.units.put(program.unit, unit, loading)
        state.programs.put(ProgramKey(unit: program.unit, version: unit.version), program, loading)
        return .outcome(.done)
    }

    /// Checks: unit, signer, standing; then line by line: amount, the natural key, overflow, account, unclaimed
    /// and foreign, quota, number of lots. (The whole of a batch shares one unit row, one program and one expiry.)
    mutating func accrue(_ list: AccrueList, _ context: Context) -> Applied {
        guard let before = state.units.get(list.unit, loading) else { return .refused(.unitUnknown) }
        guard context.signed(by: .organisation(before.issuer)) else { return .refused(.signerMissing) }
        guard mayIssue(before.issuer) else { return .refused(.organisationInactive) }
        guard let program = state.programs.get(ProgramKey(unit: list.unit, version: before.version), loading) else {
            return .refused(.unitUnknown)
        }
        let terms = LotTerms(expiry: program.expiry(earnedAt: time), version: before.version)
        let quota = state.organisations.get(before.issuer, loading)!.quota
        var unit = before
        let applied = lines(list.lines, context) { ledger, line in
            ledger.accrue(line, &unit, terms, quota, context.transaction)
        }
        if case .outcome = applied { state.units.put(list.unit, unit, loading) }
        return applied
    }

    private mutating func accrue(
        _ line: AccrualLine, _ unit: inout Unit, _ terms: LotTerms, _ quota: UInt64, _ transaction: TransactionID
    ) -> (ResultCode, TransactionID?) {
        if line.amount == 0 { return (.amountZero, nil) }
        let key = line.key.digest(issuer: unit.issuer)
        if let there = state.keys.get(key, loading) {
            if there.account != line.account { return (.existsWithDifferentAccount, there.transaction) }
            if there.unit != unit.code { return (.existsWithDifferentUnit, there.transaction) }
            if there.amount != line.amount { return (.existsWithDifferentAmount, there.transaction) }
            return (.exists, there.transaction)
        }
        guard !unit.minted.addingReportingOverflow(line.amount).overflow else { return (.amountTooLarge, nil) }
        guard let account = state.accounts.get(line.account, loading) else { return (.accountUnknown, nil) }
        guard account.claimed || account.opener == unit.issuer else { return (.unitForeign, nil) }
        guard line.amount <= quota, unit.outstanding <= quota - line.amount else { return (.quotaExceeded, nil) }
        let holdingKey = HoldingKey(account: line.account, unit: unit.code)
        guard state.holdings.get(holdingKey, loading)?.canAdd(terms) ?? true else { return (.lotsTooMany, nil) }

        unit.minted += line.amount
        if line.pending {
            unit.pending += line.amount
            state.holdings.modify(holdingKey, loading) { $0.change { $0.pending += line.amount } }
            state.accruals.put(key, AccrualTotals(), loading)
        } else {
            credit(line.amount, terms, holdingKey, &unit)
        }
        state.keys.add(
            key,
            AcceptedLine(
                account: line.account, unit: unit.code, amount: line.amount, pending: line.pending, terms: terms,
                transaction: transaction),
            loading)
        return (.done, nil)
    }

    /// New points first repay what the earner owes the issuer; the rest becomes available.
    private mutating func credit(_ amount: UInt64, _ terms: LotTerms, _ key: HoldingKey, _ unit: inout Unit) {
        let repaid = state.holdings.modify(key, loading) { row in
            row.change { holding in
                let repaid = min(amount, holding.debt)
                holding.debt -= repaid
                if amount > repaid { holding.add(amount - repaid, terms: terms) }
                return repaid
            }
        }
        unit.debt -= repaid
        unit.clawed += repaid
        unit.available += amount - repaid
    }

    /// Checks: unit, signer; then line by line: amount, accrual, its unit, total, number of lots.
    mutating func vest(_ list: TotalList, _ context: Context) -> Applied {
        totals(list, context) { ledger, key, line, accepted, unit in
            guard let (totals, open) = ledger.totals(key, accepted) else { return .accrualUnknown }
            if line.total < totals.vested { return .totalBelowRecorded }
            if line.total == totals.vested { return .exists }
            guard line.total <= accepted.amount - totals.voided else { return .totalAboveAmount }
            precondition(open, "an accrual with room to vest is open")
            let holdingKey = HoldingKey(account: accepted.account, unit: unit.code)
            guard let holding = ledger.state.holdings.get(holdingKey, ledger.loading) else { return .accountUnknown }
            guard holding.canAdd(accepted.terms) else { return .lotsTooMany }
            let step = line.total - totals.vested
            unit.pending -= step
            ledger.state.holdings.modify(holdingKey, ledger.loading) { $0.change { $0.pending -= step } }
            ledger.credit(step, accepted.terms, holdingKey, &unit)
            ledger.record(AccrualTotals(vested: line.total, voided: totals.voided), key, accepted)
            return .done
        }
    }

    /// Checks: unit, signer; then line by line: amount, accrual, its unit, total.
    mutating func void(_ list: TotalList, _ context: Context) -> Applied {
        totals(list, context) { ledger, key, line, accepted, unit in
            guard let (totals, open) = ledger.totals(key, accepted) else { return .accrualUnknown }
            if line.total < totals.voided { return .totalBelowRecorded }
            if line.total == totals.voided { return .exists }
            guard line.total <= accepted.amount - totals.vested else { return .totalAboveAmount }
            precondition(open, "an accrual with room to void is open")
            let step = line.total - totals.voided
            let holdingKey = HoldingKey(account: accepted.account, unit: unit.code)
            guard ledger.state.holdings.get(holdingKey, ledger.loading) != nil else { return .accountUnknown }
            unit.pending -= step
            unit.cancelled += step
            ledger.state.holdings.modify(holdingKey, ledger.loading) { $0.change { $0.pending -= step } }
            ledger.record(AccrualTotals(vested: totals.vested, voided: line.total), key, accepted)
            return .done
        }
    }

    /// Checks: unit, signer; then line by line: amount, accrual, its unit, total. Takes what is available, the lot of
    /// the accrual first; the rest becomes the earner's debt. What is held for others stays held.
    mutating func clawBack(_ list: TotalList, _ context: Context) -> Applied {
        totals(list, context) { ledger, key, line, accepted, unit in
            guard let vested = ledger.totals(key, accepted)?.totals.vested else { return .accrualUnknown }
            let before = ledger.state.clawbacks.get(key, ledger.loading) ?? Clawback()
            if line.total < before.total { return .totalBelowRecorded }
            if line.total == before.total { return .exists }
            guard line.total <= vested else { return .totalAboveAmount }
            let step = line.total - before.total
            let holdingKey = HoldingKey(account: accepted.account, unit: unit.code)
            // An earner who has moved everything on has no holding any more, and yet owes.
            let taken = ledger.state.holdings.modify(holdingKey, ledger.loading) { row in
                row.change { holding in
                    let taken = min(step, holding.available)
                    _ = holding.take(taken, first: accepted.terms)
                    holding.debt += step - taken
                    return taken
                }
            }
            unit.available -= taken
            unit.clawed += taken
            unit.debt += step - taken
            ledger.state.clawbacks.put(
                key, Clawback(total: line.total, becameDebt: before.becameDebt + (step - taken)), ledger.loading)
            return .done
        }
    }

    /// What the three lists of totals share.
    private mutating func totals(
        _ list: TotalList, _ context: Context,
        _ apply: (inout Ledger, Digest, TotalLine, AcceptedLine, inout Unit) -> ResultCode
    ) -> Applied {
        guard let before = state.units.get(list.unit, loading) else { return .refused(.unitUnknown) }
        guard context.signed(by: .organisation(before.issuer)) else { return .refused(.signerMissing) }
        var unit = before
        let applied = lines(list.lines, context) { ledger, line in
            if line.total == 0 { return (.amountZero, nil) }
            let key = line.key.digest(issuer: before.issuer)
            guard let accepted = ledger.state.keys.get(key, ledger.loading) else { return (.accrualUnknown, nil) }
            if accepted.unit != list.unit { return (.existsWithDifferentUnit, accepted.transaction) }
            return (apply(&ledger, key, line, accepted, &unit), nil)
        }
        if case .outcome = applied { state.units.put(list.unit, unit, loading) }
        return applied
    }

    /// How far an accrual has come, and whether points of it are pending; nil where its row cannot be read.
    private mutating func totals(_ key: Digest, _ accepted: AcceptedLine) -> (totals: AccrualTotals, open: Bool)? {
        if !accepted.pending { return (AccrualTotals(vested: accepted.amount), false) }
        if let open = state.accruals.get(key, loading) { return (open, true) }
        return state.settled.get(key, loading).map { ($0, false) }
    }

    /// An accrual with nothing pending any more moves to the settled ones.
    private mutating func record(_ totals: AccrualTotals, _ key: Digest, _ accepted: AcceptedLine) {
        if totals.vested + totals.voided == accepted.amount {
            state.accruals.put(key, nil, loading)
            state.settled.add(key, totals, loading)
        } else {
            state.accruals.put(key, totals, loading)
        }
    }
}

extension Optional where Wrapped == Holding {
    /// Changes the holding, a new one where there is none. One in which nothing is left has no row: its absence proves
    /// zero.
    mutating func change<R>(_ body: (inout Holding) -> R) -> R {
        if self == nil { self = Holding() }
        defer { if self!.isEmpty { self = nil } }
        return body(&self!)
    }
}
