import Crypto

/// What a holder does with points: transfer, redeem, reserve; and what the organisation does with a reservation.
extension Ledger {
    /// Checks: signer, amount, unit, self-addressed, sender (there, claimed, frozen), receiver (there, claimed),
    /// balance, number of lots.
    mutating func transfer(
        _ from: AccountID, _ to: AccountID, _ code: UnitCode, _ amount: UInt64, _ context: Context
    ) -> Applied {
        guard context.signed(by: .account(from)) else { return .refused(.signerMissing) }
        if amount == 0 { return .refused(.amountZero) }
        guard state.units.look(code, loading, { $0 != nil }) else { return .refused(.unitUnknown) }
        if from == to { return .refused(.selfAddressed) }
        if let refusal = sending(from) ?? receiving(to) { return .refused(refusal) }
        let key = HoldingKey(account: from, unit: code)
        guard state.holdings.look(key, loading, { $0.map { $0.available >= amount } ?? false }) else {
            return .refused(.balanceInsufficient)
        }
        // Which lots move is known only by taking them.
        let portions = state.holdings.modify(key, loading) { $0!.take(amount) }
        guard receive(portions, HoldingKey(account: to, unit: code)) else {
            state.holdings.modify(key, loading) { $0!.giveBack(portions) }
            return .refused(.lotsTooMany)
        }
        if state.holdings.look(key, loading, { $0!.isEmpty }) { state.holdings.put(key, nil, loading) }
        return .outcome(.spent(portions))
    }

    /// Checks: signer, amount, unit, account (there, claimed, frozen), debt, balance.
    mutating func redeem(_ id: AccountID, _ code: UnitCode, _ amount: UInt64, _ context: Context) -> Applied {
        guard context.signed(by: .account(id)) else { return .refused(.signerMissing) }
        if amount == 0 { return .refused(.amountZero) }
        guard state.units.get(code, loading) != nil else { return .refused(.unitUnknown) }
        if let refusal = sending(id) ?? spending(id, code, amount, redeeming: true) { return .refused(refusal) }
        let key = HoldingKey(account: id, unit: code)
        var holding = state.holdings.get(key, loading)!
        let portions = holding.take(amount)
        put(holding, key)
        state.units.modify(code, loading) {
            $0!.available -= amount
            $0!.redeemed += amount
        }
        return .outcome(.spent(portions))
    }

    /// Checks: signer, amount, unit, self-addressed, account (there, claimed, frozen), receiver (there, claimed), debt,
    /// balance, organisation, deadline.
    mutating func reserve(_ reservation: Reservation, _ context: Context) -> Applied {
        let amount = reservation.amount
        guard context.signed(by: .account(reservation.account)) else { return .refused(.signerMissing) }
        if amount == 0 { return .refused(.amountZero) }
        guard state.units.get(reservation.unit, loading) != nil else { return .refused(.unitUnknown) }
        var receiver: AccountID?
        if case .transfer(let to) = reservation.use { receiver = to }
        if receiver == reservation.account { return .refused(.selfAddressed) }
        let refusal =
            sending(reservation.account) ?? receiver.flatMap { receiving($0) }
            ?? spending(reservation.account, reservation.unit, amount, redeeming: receiver == nil)
        if let refusal { return .refused(refusal) }
        guard state.organisations.get(reservation.organisation, loading) != nil else {
            return .refused(.organisationUnknown)
        }
        guard reservation.deadline > time else { return .refused(.deadlinePast) }
        guard reservation.deadline - time <= genesis.parameters.reservationMillisecondsMax else {
            return .refused(.deadlineTooFar)
        }
        let key = HoldingKey(account: reservation.account, unit: reservation.unit)
        let portions = state.holdings.modify(key, loading) { $0!.hold(amount) }
        state.units.modify(reservation.unit, loading) {
            $0!.available -= amount
            $0!.held += amount
        }
        let id = SHA256.hash(.hold, context.transaction.bytes + [context.operation])
        state.holds.put(id, Hold(reservation, portions: portions), loading)
        return .outcome(.held(id, portions))
    }

    /// Checks: hold, signer, amount, frozen, debt, overdue, balance, number of lots.
    mutating func commit(_ id: HoldID, _ amount: UInt64, _ context: Context) -> Applied {
        guard let hold = state.holds.get(id, loading) else { return .refused(.holdUnknown) }
        guard context.signed(by: .organisation(hold.organisation)) else { return .refused(.signerMissing) }
        if amount == 0 { return .refused(.amountZero) }
        let key = HoldingKey(account: hold.account, unit: hold.unit)
        guard var holding = state.holdings.get(key, loading), let account = state.accounts.get(hold.account, loading),
            state.units.get(hold.unit, loading) != nil
        else { return .refused(.holdUnknown) }
        if account.frozen != .no { return .refused(.accountFrozen) }
        if case .redeem = hold.use, holding.debt > 0 { return .refused(.debtOutstanding) }
        if hold.deadline < time { return .refused(.holdOverdue) }
        if amount > hold.amount { return .refused(.balanceInsufficient) }
        let taken = holding.settle(hold.portions, taking: amount)
        if case .transfer(let to) = hold.use {
            guard receive(taken, HoldingKey(account: to, unit: hold.unit)) else { return .refused(.lotsTooMany) }
        }
        put(holding, key)
        state.units.modify(hold.unit, loading) {
            $0!.held -= hold.amount
            $0!.available += hold.amount - amount
            if case .redeem = hold.use { $0!.redeemed += amount } else { $0!.available += amount }
        }
        state.holds.put(id, nil, loading)
        return .outcome(.spent(taken))
    }

    /// Checks: hold, signer.
    mutating func release(_ id: HoldID, _ context: Context) -> Applied {
        guard let hold = state.holds.get(id, loading) else { return .refused(.holdUnknown) }
        guard context.signed(by: .organisation(hold.organisation)) else { return .refused(.signerMissing) }
        giveBack(id, hold)
        return .outcome(.done)
    }

    /// Before a block's transactions: what is overdue returns, by deadline then id, a bounded number a block.
    mutating func releaseOverdue() {
        var added = false
        while let id = holdsDue.pop(before: time) {
            guard let hold = state.holds.get(id, loading) else { continue }
            holdsWaiting.append((hold.deadline, id))
            added = true
        }
        if added { holdsWaiting.sort { $0.deadline == $1.deadline ? $0.id < $1.id : $0.deadline < $1.deadline } }
        var released = 0
        var looked = 0
        while released < releasesMax, looked < holdsWaiting.count {
            let id = holdsWaiting[looked].id
            looked += 1
            // Its organisation may have released it while it waited.
            guard let hold = state.holds.get(id, loading) else { continue }
            giveBack(id, hold)
            released += 1
        }
        holdsWaiting.removeFirst(looked)
    }

    private mutating func giveBack(_ id: HoldID, _ hold: Hold) {
        let key = HoldingKey(account: hold.account, unit: hold.unit)
        guard state.holdings.get(key, loading) != nil, state.units.get(hold.unit, loading) != nil else { return }
        state.holdings.modify(key, loading) { _ = $0!.settle(hold.portions, taking: 0) }
        let amount = hold.amount
        state.units.modify(hold.unit, loading) {
            $0!.held -= amount
            $0!.available += amount
        }
        state.holds.put(id, nil, loading)
    }

    /// Why nothing may leave an account, if so.
    private mutating func sending(_ id: AccountID) -> ResultCode? {
        state.accounts.look(id, loading) { account in
            guard let account else { return .accountUnknown }
            if !account.claimed { return .accountUnclaimed }
            return account.frozen == .no ? nil : .accountFrozen
        }
    }

    /// Why an amount of a unit may not leave an account, if so.
    private mutating func spending(
        _ id: AccountID, _ unit: UnitCode, _ amount: UInt64, redeeming: Bool = false
    ) -> ResultCode? {
        guard let holding = state.holdings.get(HoldingKey(account: id, unit: unit), loading) else {
            return .balanceInsufficient
        }
        if redeeming, holding.debt > 0 { return .debtOutstanding }
        return holding.available < amount ? .balanceInsufficient : nil
    }

    /// Why an account may not receive a transfer, if so. A frozen one may.
    private mutating func receiving(_ id: AccountID) -> ResultCode? {
        state.accounts.look(id, loading) { account in
            guard let account else { return .accountUnknown }
            return account.claimed ? nil : .accountUnclaimed
        }
    }

    /// Adds lots under the terms that they have; answers false, with nothing changed, where there is no room for them.
    private mutating func receive(_ portions: [Portion], _ key: HoldingKey) -> Bool {
        let hasRoom = state.holdings.look(key, loading) { holding in
            holding.map { $0.canAdd(portions) } ?? (portions.count <= Holding.lotsMax)
        }
        guard hasRoom else { return false }
        state.holdings.modify(key, loading) { holding in
            var received = holding.take() ?? Holding()
            for portion in portions { received.add(portion.amount, terms: portion.terms) }
            holding = received
        }
        return true
    }

    /// A holding in which nothing is left has no row: its absence proves zero.
    private mutating func put(_ holding: Holding, _ key: HoldingKey) {
        state.holdings.put(key, holding.isEmpty ? nil : holding, loading)
    }
}
