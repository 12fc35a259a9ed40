import Chain
import Crypto
import Ledger

extension Sample {
    private static let ends = [UInt64.min, .max]
    private static let longUnit = UnitCode("A23456789-_ABCDE")!
    private static let longKey = NaturalKey(
        source: SourceID("0123456789abcdef")!, order: [UInt8](repeating: 255, count: NaturalKey.orderBytesMax),
        line: .max, kind: .max)

    static func ticket(_ line: OpenLine, validUntil: UInt64 = genesis.time + 60_000) -> Ticket {
        let key = key(issuingSeed(2))
        return Ticket(
            organisation: OrganisationID(2), validUntil: validUntil, key: key.publicKey,
            signature: key.sign(
                Ticket.signedBytes(
                    genesis: genesis.hash, organisation: OrganisationID(2), line: line, validUntil: validUntil)))
    }

    /// What the ticket of these samples lets somebody open.
    static var ticketLine: OpenLine { OpenLine(account: account(9), credential: key(49).publicKey) }

    /// An applicant with a voting key, or without one.
    static func application(votes: Bool) -> Application {
        let keys = (votes ? [key(71)] : []) + [key(72), key(73)]
        let terms = GenesisOrganisation(
            id: OrganisationID(9), name: "南山 South Hill", votingKey: votes ? key(71).publicKey : nil,
            issuingKey: key(72).publicKey, governingKey: key(73).publicKey, quota: votes ? .max : 0)
        return Application(signing: terms, genesis: genesis.hash, keys: keys)
    }

    /// A validator's two votes for one height.
    static var evidence: Evidence {
        func vote(_ number: UInt8) -> Vote {
            Vote(
                signing: SHA256.hash([number]), height: 17, epoch: 0, time: genesis.time + UInt64(number),
                genesis: genesis.hash, validator: OrganisationID(2), key: key(votingSeed(2)))
        }
        return Evidence(vote(1), vote(2), key: key(votingSeed(2)).publicKey)!
    }

    /// Operations of every kind, with what is there and what is not, the smallest and the largest.
    static var operations: [Operation] {
        let (a, b) = (account(0), account(255))
        let (one, two) = (key(41).publicKey, key(42).publicKey)
        let zone = [
            ZoneOffset(from: 0, minutes: -900), ZoneOffset(from: 1, minutes: 0), ZoneOffset(from: .max, minutes: 900),
        ]
        let none: [OpenLine] = (0..<128).map { OpenLine(account: account($0), credential: nil) }
        let accruals = [
            AccrualLine(account: a, key: order("1"), amount: 0, pending: false),
            AccrualLine(account: b, key: longKey, amount: .max, pending: true),
        ]
        let totals = [TotalLine(key: order("1", line: 1, kind: 2), total: 0), TotalLine(key: longKey, total: .max)]
        let uses: [Reservation.Use] = [.redeem(Reference([])), .redeem(Reference([1])), .transfer(to: b)]
        var list: [Operation] = [
            .publish(program, issuer: OrganisationID(1)),
            .publish(
                Program(unit: longUnit, decimals: 4, currency: "TRY", faceMinor: .max, facePoints: .max),
                issuer: OrganisationID(.max)),
        ]
        for expiry in [.days(1), .days(3650), .months(120), .yearEnds(0), .yearEnds(10)] as [ExpiryPolicy] {
            list.append(
                .publish(
                    Program(
                        unit: UnitCode("A")!, currency: "EUR", faceMinor: 1, facePoints: 1, expiry: expiry, zone: zone),
                    issuer: OrganisationID(2)))
        }
        for role in Role.allCases {
            list.append(
                .open(
                    OpenList(
                        organisation: OrganisationID(1), lines: [OpenLine(account: a, role: role, credential: one)])))
        }
        list += [
            .open(
                OpenList(
                    organisation: OrganisationID(0),
                    lines: [OpenLine(account: b, credential: one, guardian: two)], all: true)),
            .open(
                OpenList(
                    organisation: OrganisationID(.max), lines: [OpenLine(account: b, credential: nil, guardian: two)])),
            .open(OpenList(organisation: OrganisationID(3), lines: Array(none.dropLast()))),
            .open(OpenList(organisation: OrganisationID(3), lines: none)),
            .openByTicket(ticketLine, ticket(ticketLine)),
            .claim(account: a, credential: one),
        ]
        for end in ends { list.append(.addCredential(account: a, credential: Credential(key: one, from: 1, to: end))) }
        list += [
            .addCredential(account: b, credential: Credential(key: two, from: .max, to: 0)),
            .rotateCredential(account: a, old: one, new: two), .revokeCredential(account: b, key: two),
        ]
        for all in [false, true] {
            let bothTotals = TotalList(unit: unit, lines: totals, all: all)
            list += [
                .accrue(AccrueList(unit: all ? longUnit : unit, lines: accruals, all: all)), .vest(bothTotals),
                .void(bothTotals), .clawBack(bothTotals),
            ]
        }
        for amount in ends {
            list += [
                .transfer(from: a, to: b, unit: unit, amount: amount),
                .redeem(account: a, unit: longUnit, amount: amount, reference: Reference([])),
                .redeem(
                    account: b, unit: unit, amount: 1,
                    reference: Reference([UInt8](repeating: 128, count: Reference.byteCountMax))),
                .commit(hold: SHA256.hash([]), amount: amount),
            ]
            for use in uses {
                list.append(
                    .reserve(
                        Reservation(
                            account: a, unit: unit, amount: amount, organisation: OrganisationID(2), use: use,
                            deadline: amount)))
            }
        }
        let decisions: [Decision] = [
            .admit(application(votes: true)), .admit(application(votes: false)), .suspend(OrganisationID(1)),
            .release(OrganisationID(.max)), .exit(OrganisationID(0)), .quota(OrganisationID(2), 0),
            .quota(OrganisationID(2), .max), .rules(version: 2), .rules(version: .max),
        ]
        for decision in decisions { list.append(.propose(decision, by: OrganisationID(3))) }
        return list + [
            .release(hold: .zero), .freeze(account: a), .unfreeze(account: b),
            .approve(SHA256.hash([]), by: OrganisationID(.max)), .accuse(evidence),
            .propose(.keys(application(votes: true)), by: OrganisationID(3)),
            .propose(.keys(application(votes: false)), by: OrganisationID(3)),
        ]
    }

    /// Bodies with one signer and with eight, with one operation and with sixteen, and the seeds of their keys.
    static var transactions: [(body: TransactionBody, seeds: [UInt8])] {
        func body(_ nonce: UInt64, _ validUntil: UInt64, _ signers: [(Party, UInt8)], _ operations: [Operation])
            -> (TransactionBody, [UInt8])
        {
            (
                TransactionBody(
                    nonce: nonce, validUntil: validUntil, signers: signers.map { Signer($0, key($1).publicKey) },
                    operations: operations), signers.map(\.1)
            )
        }
        let transfer = Operation.transfer(from: account(1), to: account(2), unit: unit, amount: 1)
        let organisations = (1...4).map { (Party.organisation(OrganisationID(UInt32($0))), issuingSeed(UInt8($0))) }
        let holders = (1...4).map { (Party.account(account($0)), 40 + $0) }
        return [
            body(0, 0, [holders[0]], [transfer]),
            body(.max, .max, [(.guardian(account(2)), 90)], [.freeze(account: account(2))]),
            body(7, genesis.time + 1, holders + organisations, (0..<16).map { _ in transfer }),
            body(
                8, genesis.time + 2, [(.account(account(9)), 49)],
                [.openByTicket(ticketLine, ticket(ticketLine))]),
            body(
                10, genesis.time + 4,
                [
                    (.governor(OrganisationID(1)), governingSeed(1)), (.validator(OrganisationID(1)), votingSeed(1)),
                ],
                [
                    .propose(.admit(application(votes: true)), by: OrganisationID(1)), .accuse(evidence),
                    .approve(SHA256.hash([1]), by: OrganisationID(1)),
                ]),
            body(
                9, genesis.time + 3, [holders[0], organisations[0]],
                [.claim(account: account(1), credential: key(41).publicKey)]),
        ]
    }
}
