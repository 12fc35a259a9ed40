public import Canonical

extension Operation: Canonical {
    var variant: Int {
        switch self {
        case .publish: 0
        case .open: 1
        case .openByTicket: 2
        case .claim: 3
        case .addCredential: 4
        case .rotateCredential: 5
        case .revokeCredential: 6
        case .accrue: 7
        case .vest: 8
        case .void: 9
        case .clawBack: 10
        case .transfer: 11
        case .redeem: 12
        case .reserve: 13
        case .commit: 14
        case .release: 15
        case .freeze: 16
        case .unfreeze: 17
        case .propose: 18
        case .approve: 19
        case .accuse: 20
        }
    }

    public func encode(to encoder: inout Encoder) {
        encoder.variant(variant)
        switch self {
        case .publish(let program, let issuer):
            encoder.value(program)
            encoder.value(issuer)
        case .open(let list): encoder.value(list)
        case .openByTicket(let line, let ticket):
            encoder.value(line)
            encoder.value(ticket)
        case .claim(let account, let credential):
            encoder.value(account)
            encoder.value(credential)
        case .addCredential(let account, let credential):
            encoder.value(account)
            encoder.value(credential)
        case .rotateCredential(let account, let old, let new):
            encoder.value(account)
            encoder.value(old)
            encoder.value(new)
        case .revokeCredential(let account, let key):
            encoder.value(account)
            encoder.value(key)
        case .accrue(let list): encoder.value(list)
        case .vest(let list), .void(let list), .clawBack(let list): encoder.value(list)
        case .transfer(let from, let to, let unit, let amount):
            encoder.value(from)
            encoder.value(to)
            encoder.value(unit)
            encoder.u64(amount)
        case .redeem(let account, let unit, let amount, let reference):
            encoder.value(account)
            encoder.value(unit)
            encoder.u64(amount)
            encoder.value(reference)
        case .reserve(let reservation): encoder.value(reservation)
        case .commit(let hold, let amount):
            encoder.value(hold)
            encoder.u64(amount)
        case .release(let hold): encoder.value(hold)
        case .freeze(let account), .unfreeze(let account): encoder.value(account)
        case .propose(let decision, let by):
            encoder.value(decision)
            encoder.value(by)
        case .approve(let proposal, let by):
            encoder.value(proposal)
            encoder.value(by)
        case .accuse(let evidence): encoder.value(evidence)
        }
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        switch try decoder.variant(below: Self.kinds.count) {
        case 0: self = .publish(try decoder.value(), issuer: try decoder.value())
        case 1: self = .open(try decoder.value())
        case 2: self = .openByTicket(try decoder.value(), try decoder.value())
        case 3: self = .claim(account: try decoder.value(), credential: try decoder.value())
        case 4: self = .addCredential(account: try decoder.value(), credential: try decoder.value())
        case 5:
            self = .rotateCredential(
                account: try decoder.value(), old: try decoder.value(), new: try decoder.value())
        case 6: self = .revokeCredential(account: try decoder.value(), key: try decoder.value())
        case 7: self = .accrue(try decoder.value())
        case 8: self = .vest(try decoder.value())
        case 9: self = .void(try decoder.value())
        case 10: self = .clawBack(try decoder.value())
        case 11:
            self = .transfer(
                from: try decoder.value(), to: try decoder.value(), unit: try decoder.value(),
                amount: try decoder.u64())
        case 12:
            self = .redeem(
                account: try decoder.value(), unit: try decoder.value(), amount: try decoder.u64(),
                reference: try decoder.value())
        case 13: self = .reserve(try decoder.value())
        case 14: self = .commit(hold: try decoder.value(), amount: try decoder.u64())
        case 15: self = .release(hold: try decoder.value())
        case 16: self = .freeze(account: try decoder.value())
        case 17: self = .unfreeze(account: try decoder.value())
        case 18: self = .propose(try decoder.value(), by: try decoder.value())
        case 19: self = .approve(try decoder.value(), by: try decoder.value())
        default: self = .accuse(try decoder.value())
        }
    }
}
