import Canonical
import Chain
import Crypto
import Ledger

// The fields of values as the golden vectors show them: bytes in hex, 64-bit integers as text, what is not there null.

extension VectorValue {
    static func hex(_ bytes: [UInt8]) -> VectorValue { .text(Crypto.hex(bytes)) }
    static func bytes(of value: some Canonical) -> VectorValue { .hex(value.canonicalBytes) }
    static func number(_ value: some BinaryInteger) -> VectorValue { .integer(Int(value)) }
    static func optional<V>(_ value: V?, _ vector: (V) -> VectorValue) -> VectorValue { value.map(vector) ?? .null }
    static func list<V>(_ values: [V], _ vector: (V) -> VectorValue) -> VectorValue { .list(values.map(vector)) }
}

extension Party {
    var vector: VectorValue {
        switch self {
        case .organisation(let id): ["organisation": .number(id.number)]
        case .account(let id): ["account": .bytes(of: id)]
        case .guardian(let id): ["guardian": .bytes(of: id)]
        case .governor(let id): ["governor": .number(id.number)]
        case .validator(let id): ["validator": .number(id.number)]
        }
    }
}

extension Program {
    var vector: VectorValue {
        [
            "unit": .text(unit.description), "decimals": .number(decimals), "currency": .text(currency),
            "faceMinor": .u64(faceMinor), "facePoints": .u64(facePoints),
            "expiry": .optional(expiry) {
                switch $0 {
                case .days(let count): ["days": .number(count)]
                case .months(let count): ["months": .number(count)]
                case .yearEnds(let count): ["yearEnds": .number(count)]
                }
            },
            "zone": .list(zone) { ["from": .u64($0.from), "minutes": .number($0.minutes)] },
        ]
    }
}

extension OpenLine {
    var vector: VectorValue {
        [
            "account": .bytes(of: account), "role": .number(role.rawValue),
            "credential": .optional(credential) { .bytes(of: $0) },
            "guardian": .optional(guardian) { .bytes(of: $0) },
        ]
    }
}

extension NaturalKey {
    var fields: [(String, VectorValue)] {
        [
            ("source", .bytes(of: source)), ("order", .hex(order)), ("line", .number(line)), ("kind", .number(kind)),
        ]
    }
}

extension TotalList {
    var fields: [(String, VectorValue)] {
        [
            ("unit", .text(unit.description)),
            ("lines", .list(lines) { .object($0.key.fields + [("total", .u64($0.total))]) }), ("all", .bool(all)),
        ]
    }
}

extension Operation {
    var vector: VectorValue { .object([("operation", .text(kind))] + fields) }

    private var fields: [(String, VectorValue)] {
        switch self {
        case .publish(let program, let issuer): [("program", program.vector), ("issuer", .number(issuer.number))]
        case .open(let list):
            [
                ("organisation", .number(list.organisation.number)), ("lines", .list(list.lines, \.vector)),
                ("all", .bool(list.all)),
            ]
        case .openByTicket(let line, let ticket):
            [
                ("line", line.vector),
                (
                    "ticket",
                    [
                        "organisation": .number(ticket.organisation.number), "validUntil": .u64(ticket.validUntil),
                        "key": .bytes(of: ticket.key), "signature": .bytes(of: ticket.signature),
                    ]
                ),
            ]
        case .claim(let account, let credential):
            [("account", .bytes(of: account)), ("credential", .bytes(of: credential))]
        case .addCredential(let account, let credential):
            [
                ("account", .bytes(of: account)), ("key", .bytes(of: credential.key)),
                ("from", .u64(credential.from)), ("to", .u64(credential.to)),
            ]
        case .rotateCredential(let account, let old, let new):
            [("account", .bytes(of: account)), ("old", .bytes(of: old)), ("new", .bytes(of: new))]
        case .revokeCredential(let account, let key): [("account", .bytes(of: account)), ("key", .bytes(of: key))]
        case .accrue(let list):
            [
                ("unit", .text(list.unit.description)),
                (
                    "lines",
                    .list(list.lines) {
                        .object(
                            [("account", .bytes(of: $0.account))] + $0.key.fields
                                + [("amount", .u64($0.amount)), ("pending", .bool($0.pending))])
                    }
                ), ("all", .bool(list.all)),
            ]
        case .vest(let list), .void(let list), .clawBack(let list): list.fields
        case .transfer(let from, let to, let unit, let amount):
            [
                ("from", .bytes(of: from)), ("to", .bytes(of: to)), ("unit", .text(unit.description)),
                ("amount", .u64(amount)),
            ]
        case .redeem(let account, let unit, let amount, let reference):
            [
                ("account", .bytes(of: account)), ("unit", .text(unit.description)), ("amount", .u64(amount)),
                ("reference", .hex(reference.bytes)),
            ]
        case .reserve(let reservation):
            [
                ("account", .bytes(of: reservation.account)), ("unit", .text(reservation.unit.description)),
                ("amount", .u64(reservation.amount)), ("organisation", .number(reservation.organisation.number)),
                ("use", reservation.use.vector), ("deadline", .u64(reservation.deadline)),
            ]
        case .commit(let hold, let amount): [("hold", .bytes(of: hold)), ("amount", .u64(amount))]
        case .release(let hold): [("hold", .bytes(of: hold))]
        case .freeze(let account), .unfreeze(let account): [("account", .bytes(of: account))]
        case .propose(let decision, let by): [("decision", decision.vector), ("by", .number(by.number))]
        case .approve(let proposal, let by): [("proposal", .bytes(of: proposal)), ("by", .number(by.number))]
        case .accuse(let evidence):
            [("key", .bytes(of: evidence.key)), ("first", evidence.first.vector), ("second", evidence.second.vector)]
        }
    }
}

extension Decision {
    var vector: VectorValue {
        switch self {
        case .admit(let application): ["admit": application.vector]
        case .keys(let application): ["keys": application.vector]
        case .suspend(let id): ["suspend": .number(id.number)]
        case .release(let id): ["release": .number(id.number)]
        case .exit(let id): ["exit": .number(id.number)]
        case .quota(let id, let quota): ["quota": ["organisation": .number(id.number), "quota": .u64(quota)]]
        case .rules(let version): ["rules": .number(version)]
        }
    }
}

extension Application {
    var vector: VectorValue {
        ["organisation": terms.vector, "signatures": .list(signatures) { .bytes(of: $0) }]
    }
}

extension Vote {
    var vector: VectorValue {
        [
            "epoch": .number(epoch), "height": .u64(height), "round": .number(round), "phase": .number(phase.rawValue),
            "header": .bytes(of: header), "time": .u64(time), "validator": .number(validator.number),
            "signature": .bytes(of: signature),
        ]
    }
}

extension Reservation.Use {
    var vector: VectorValue {
        switch self {
        case .redeem(let reference): ["redeem": .hex(reference.bytes)]
        case .transfer(let to): ["transfer": .bytes(of: to)]
        }
    }
}

extension TransactionBody {
    var vector: VectorValue {
        [
            "sender": sender.vector, "nonce": .u64(nonce), "validUntil": .u64(validUntil),
            "signers": .list(signers) { ["party": $0.party.vector, "key": .bytes(of: $0.key)] },
            "operations": .list(operations, \.vector),
        ]
    }
}

extension Genesis {
    var vector: VectorValue {
        [
            "chain": .text(chain), "time": .u64(time), "rulesVersion": .number(rulesVersion),
            "orderingEpoch": .hex(orderingEpoch),
            "parameters": [
                "replayWindowMilliseconds": .u64(parameters.replayWindowMilliseconds),
                "openingsPerMinuteMax": .number(parameters.openingsPerMinuteMax),
                "unitsPerOrganisationMax": .number(parameters.unitsPerOrganisationMax),
                "reservationMillisecondsMax": .u64(parameters.reservationMillisecondsMax),
            ],
            "organisations": .list(organisations, \.vector),
        ]
    }
}

extension GenesisOrganisation {
    var vector: VectorValue {
        [
            "id": .number(id.number), "name": .text(name), "votingKey": .optional(votingKey) { .bytes(of: $0) },
            "issuingKey": .bytes(of: issuingKey), "governingKey": .bytes(of: governingKey), "quota": .u64(quota),
        ]
    }
}

extension Portion {
    var vector: VectorValue {
        [
            "expiry": .u64(terms.expiry), "restriction": .number(terms.restriction), "version": .number(terms.version),
            "class": .number(terms.class.rawValue), "amount": .u64(amount),
        ]
    }
}

extension Outcome {
    var vector: VectorValue {
        switch self {
        case .done: ["outcome": "done"]
        case .exists: ["outcome": "exists"]
        case .lines(let done, let exceptions):
            [
                "outcome": "lines", "done": .number(done),
                "exceptions": .list(exceptions) {
                    [
                        "index": .number($0.index), "result": .number($0.result.rawValue),
                        "first": .optional($0.first) { .bytes(of: $0) },
                    ]
                },
            ]
        case .spent(let portions): ["outcome": "spent", "portions": .list(portions, \.vector)]
        case .held(let hold, let portions):
            ["outcome": "held", "hold": .bytes(of: hold), "portions": .list(portions, \.vector)]
        case .proposal(let id, let carried):
            ["outcome": "proposal", "proposal": .bytes(of: id), "carried": .bool(carried)]
        }
    }
}

extension Receipt {
    var vector: VectorValue {
        [
            "transaction": .bytes(of: transaction), "result": .number(result.rawValue),
            "operation": .optional(operation) { .number($0) }, "line": .optional(line) { .number($0) },
            "first": .optional(first) { ["height": .u64($0.height), "index": .number($0.index)] },
            "outcomes": .list(outcomes, \.vector),
        ]
    }
}

extension HoldingSummary {
    var vector: VectorValue {
        [
            "available": .u64(available), "held": .u64(held), "pending": .u64(pending), "debt": .u64(debt),
            "lots": .bytes(of: lots),
        ]
    }
}

extension Header {
    var vector: VectorValue {
        [
            "height": .u64(height), "parent": .bytes(of: parent), "entry": .bytes(of: entry),
            "transactions": .bytes(of: transactions), "receipts": .bytes(of: receipts), "state": .bytes(of: state),
            "validators": .bytes(of: validators), "nextValidators": .bytes(of: nextValidators),
            "rulesVersion": .number(rulesVersion), "time": .u64(time), "certificate": .bytes(of: certificate),
        ]
    }
}

extension EpochStatement {
    var vector: VectorValue {
        [
            "number": .number(number), "bytes": .hex(bytes), "certificate": .optional(certificate, \.vector),
            "entries": .list(entries) { ["hash": .bytes(of: $0.hash), "vote": .optional($0.vote, \.vector)] },
            "validator": .number(validator.number), "signature": .bytes(of: signature),
        ]
    }
}

extension Certificate {
    var vector: VectorValue {
        [
            "epoch": .number(epoch), "height": .u64(height), "round": .number(round), "phase": .number(phase.rawValue),
            "header": .bytes(of: header),
            "signatures": .list(signatures) {
                [
                    "validator": .number($0.validator.number), "time": .u64($0.time),
                    "signature": .bytes(of: $0.signature),
                ]
            },
        ]
    }
}

extension SubRoots {
    var vector: VectorValue { .list(roots) { ["name": .text($0.name), "root": .bytes(of: $0.root)] } }
}

extension Proof.Subject {
    /// What is said, without what shows it.
    var vector: VectorValue {
        switch self {
        case .balance(let account, let unit, let summary, _, _):
            [
                "account": .bytes(of: account), "unit": .text(unit.description),
                "summary": .optional(summary, \.vector),
            ]
        case .receipt(let receipt, let path):
            ["receipt": receipt.vector, "index": .number(path.index), "count": .number(path.count)]
        }
    }
}
