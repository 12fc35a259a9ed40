import Concurrency
import Crypto
import Foundation
import HTTPClient
import JSON
import Ledger
import Node
import Testing
import Wallet
import Wire

@testable import Gateway

/// Who sees what: every route and stream is taken by strangers, and the bytes are searched for what is not theirs.
@Suite struct PrivacyTests {
    /// Amounts that stand in no other number here. Short ones would be found in identifiers, which are random.
    private static let earned: UInt64 = 771_123_457
    private static let given: UInt64 = 40_404_043
    private static let pending: UInt64 = 8_765_439

    /// What must not be found: the accounts in every form in which they are written, and their amounts.
    private static func secrets(_ holders: [Mall.Holder]) -> [String] {
        holders.flatMap {
            ["\($0.account)", "\($0.account)".uppercased(), hex($0.account.bytes), $0.key.publicKey.description]
        } + [earned, given, pending, earned - given].map(String.init)
    }

    @Test func noRouteAndNoStreamTellsAStrangerAnything() async throws {
        try await Mall.with { mall in
            try mall.publish()
            let alice = try mall.open()
            let bob = try mall.open()
            let stranger = try mall.open()
            try mall.accrue(alice, Self.earned, order: "secret-1")
            try mall.accrue(alice, Self.pending, order: "secret-2", pending: true)
            // One batch for all three, so that the stranger is named in what others may not read of him, nor he of
            // them.
            try mall.done(
                [
                    .accrue(
                        AccrueList(
                            unit: mall.unit,
                            lines: [
                                AccrualLine(account: alice.account, key: mall.key("b-1"), amount: 5, pending: false),
                                AccrualLine(account: stranger.account, key: mall.key("b-2"), amount: 6, pending: false),
                                AccrualLine(account: bob.account, key: mall.key("b-3"), amount: 7, pending: false),
                            ]))
                ], mall.issuer)
            let gift = try mall.done(
                [.transfer(from: alice.account, to: bob.account, unit: mall.unit, amount: Self.given)], alice.author)
            let hold = try mall.done(
                [
                    .reserve(
                        Reservation(
                            account: alice.account, unit: mall.unit, amount: Self.given / 2,
                            organisation: OrganisationID(1), use: .redeem(Reference([])),
                            deadline: wallClockMilliseconds() + 60_000))
                ], alice.author)
            guard case .string(let giftID)? = gift.json["transaction"]?["id"],
                case .array(let outcomes)? = hold.json["receipt"]?["outcomes"],
                case .string(let holdID)? = outcomes.first?["hold"], case .string(let height)? = gift.json["height"]
            else { throw Unexpected("no ids in \(gift.text) \(hold.text)") }

            let secrets = Self.secrets([alice, bob])
            let tokens: [(String, String?)] = [
                ("nobody", nil), ("a stranger's account", try mall.token(stranger)),
                ("another organisation", try mall.token(.organisation(OrganisationID(2)), mall.issuing[1])),
            ]
            func filled(_ path: String, _ account: AccountID) -> String {
                path.replacingOccurrences(of: "{account}", with: "\(account)")
                    .replacingOccurrences(of: "{unit}", with: "\(mall.unit)")
                    .replacingOccurrences(of: "{height}", with: height)
                    .replacingOccurrences(of: "{id}", with: giftID).replacingOccurrences(of: "{index}", with: "0")
                    .replacingOccurrences(of: "{hold}", with: holdID)
                    .replacingOccurrences(of: "{organisation}", with: "1")
                    .replacingOccurrences(of: "{proposal}", with: Digest.zero.description)
                    .replacingOccurrences(of: "{source}", with: "till")
                    .replacingOccurrences(of: "{order}", with: "secret-1")
                    .replacingOccurrences(of: "{line}", with: "0").replacingOccurrences(of: "{kind}", with: "0")
            }
            var taken = 0
            for route in Gateway.routes where route.method == .get {
                for account in [alice.account, bob.account, stranger.account] {
                    let path = filled(route.path, account)
                    #expect(!path.contains("{"), "\(path) is filled in")
                    for (who, token) in tokens {
                        var bytes: String
                        if case .events? = route.answers.first?.content {
                            let events = try mall.events(
                                path, token: token, headers: [("Last-Event-ID", "0")], milliseconds: 700
                            ) { _ in false }
                            bytes = events.text
                        } else {
                            let reply = try mall.get(path, token: token)
                            bytes = reply.text + reply.response.headers.map { "\($0.name): \($0.value)" }.joined()
                        }
                        taken += 1
                        // What he asked for himself may come back to him in a refusal; answers quote nothing of it.
                        for secret in secrets where bytes.contains(secret) {
                            Issue.record("\(who) found \(secret) under \(route.path): \(bytes.prefix(600))")
                        }
                    }
                }
            }
            #expect(taken == Gateway.routes.count { $0.method == .get } * 9)
            // The same bytes are there for whom they concern, or the search above would prove nothing.
            let own = try mall.get("/v1/accounts/\(alice.account)/transactions", token: mall.token(alice)).text
            #expect(own.contains("\(Self.earned)") && own.contains("\(Self.given)") && own.contains("\(bob.account)"))
            let whole = try mall.get("/v1/transactions/\(giftID)", token: mall.token(bob)).text
            #expect(whole.contains("\(Self.given)"))
        }
    }

    @Test func ofABatchEachSeesHisOwnLine() async throws {
        try await Mall.with { mall in
            try mall.publish()
            let alice = try mall.open()
            let bob = try mall.open()
            let reply = try mall.done(
                [
                    .accrue(
                        AccrueList(
                            unit: mall.unit,
                            lines: [
                                AccrualLine(
                                    account: alice.account, key: mall.key("1"), amount: Self.earned, pending: true),
                                AccrualLine(
                                    account: bob.account, key: mall.key("2"), amount: Self.given, pending: true),
                            ]))
                ], mall.issuer)
            try mall.done(
                [
                    .vest(
                        TotalList(
                            unit: mall.unit,
                            lines: [
                                TotalLine(key: mall.key("1"), total: Self.earned),
                                TotalLine(key: mall.key("2"), total: Self.given),
                            ]))
                ], mall.issuer)
            guard case .string(let id)? = reply.json["transaction"]?["id"] else { throw Unexpected(reply.text) }
            let view = try Form<TransactionView>.transactionView.stamped("transaction").parse(
                mall.get("/v1/transactions/\(id)", token: mall.token(bob)).json
            ).value
            #expect(view.whole == nil)
            let excerpt = try #require(view.excerpts?.first)
            #expect(excerpt.lines == [1])
            guard case .accrue(let list) = excerpt.operation else { throw Unexpected("no accrual") }
            #expect(list.lines.map(\.amount) == [Self.given])
            // What vested is told to whose it is, though the operation names only a key.
            let history = try mall.get("/v1/accounts/\(bob.account)/transactions", token: mall.token(bob))
            #expect(history.text.contains("\"vest\"") && !history.text.contains("\(Self.earned)"))
            // The signer sees all of it.
            let issuers = try mall.get(
                "/v1/transactions/\(id)", token: mall.token(.organisation(OrganisationID(1)), mall.issuing[0]))
            #expect(issuers.text.contains("\(Self.earned)") && issuers.text.contains("\(Self.given)"))
        }
    }

    @Test func anIssuerSeesBalancesOfItsOwnUnitAlone() async throws {
        try await Mall.with { mall in
            try mall.publish()
            let other = UnitCode("OTHER")!
            let second = OrganisationID(2)
            try mall.done(
                [.publish(Program(unit: other, currency: "CNY", faceMinor: 1, facePoints: 1), issuer: second)],
                .init(.organisation(second), mall.issuing[1]))
            let alice = try mall.open()
            try mall.accrue(alice, 17, order: "1")
            try mall.done(
                [
                    .accrue(
                        AccrueList(
                            unit: other,
                            lines: [AccrualLine(account: alice.account, key: mall.key("1"), amount: 19, pending: false)]
                        ))
                ], .init(.organisation(second), mall.issuing[1]))
            let first = try mall.token(.organisation(OrganisationID(1)), mall.issuing[0])
            let reply = try mall.get("/v1/accounts/\(alice.account)/balances", token: first)
            #expect(reply.text.contains("\"17\"") && !reply.text.contains("\"19\""))
            #expect(try mall.get("/v1/accounts/\(alice.account)/balances/OTHER", token: first).status == 403)
            #expect(try mall.get("/v1/accounts/\(alice.account)/balances/MALL", token: first).status == 200)
            #expect(try mall.get("/v1/units/OTHER", token: first).text.contains("minted") == false)
            #expect(try mall.get("/v1/units/MALL", token: first).text.contains("minted"))
            // An account that another organisation opened is not its to look at, whether it exists or not.
            let foreign = try mall.token(.organisation(second), mall.issuing[1])
            #expect(try mall.get("/v1/accounts/\(alice.account)", token: foreign).code == "not-yours")
            #expect(try mall.get("/v1/accounts/\(AccountID.random())", token: foreign).code == "not-yours")
        }
    }

    @Test func wholeBlocksGoToValidatorsAndObservers() async throws {
        try await Mall.with { mall in
            try mall.publish()
            let alice = try mall.open()
            #expect(try mall.get("/v1/blocks/1/entry").code == "token-missing")
            #expect(try mall.get("/v1/blocks/1/entry", token: mall.token(alice)).code == "not-yours")
            #expect(
                try mall.get(
                    "/v1/blocks/1/entry", token: mall.token(.organisation(OrganisationID(1)), mall.issuing[0])
                ).code == "not-yours")
            for token in [
                try mall.token(.validator(OrganisationID(1)), mall.voting[0]),
                try mall.token(.observer(mall.observer.publicKey), mall.observer),
            ] {
                let reply = try mall.get("/v1/blocks/1/entry", token: token)
                #expect(reply.status == 200)
                #expect(try mall.consortium.first.blocks.block(1) == reply.response.body)
            }
            let nobody = SecretKey()
            #expect(try mall.tokenReply(.observer(nobody.publicKey), nobody).code == "key-not-valid")
        }
    }
}
