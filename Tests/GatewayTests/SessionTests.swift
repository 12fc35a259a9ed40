import Concurrency
import Crypto
import HTTPServer
import JSON
import Ledger
import Testing
import Wallet
import Wire

import struct Foundation.Date
import class Foundation.Thread
import func Foundation.usleep

@testable import Gateway

@Suite struct SessionTests {
    @Test func tokensExpire() async throws {
        try await Mall.with { mall in
            try mall.publish()
            let alice = try mall.open()
            let token = try mall.token(alice)
            let path = "/v1/accounts/\(alice.account)"
            #expect(try mall.get(path, token: token).status == 200)
            mall.clockAhead.withLock { $0 = 3_600_001 }
            #expect(try mall.get(path, token: token).code == "token-expired")
        }
    }

    @Test func tokensDieWithTheirKey() async throws {
        try await Mall.with { mall in
            try mall.publish()
            let alice = try mall.open()
            let second = SecretKey()
            let token = try mall.token(alice)
            let path = "/v1/accounts/\(alice.account)"
            #expect(try mall.get(path, token: token).status == 200)
            try mall.done(
                [.rotateCredential(account: alice.account, old: alice.key.publicKey, new: second.publicKey)],
                alice.author)
            let other = try mall.token(.account(alice.account), second)
            #expect(try mall.get(path, token: token).code == "key-not-valid")
            #expect(try mall.get(path, token: other).status == 200)
            #expect(try mall.tokenReply(.account(alice.account), alice.key).code == "key-not-valid")
        }
    }

    @Test func aStreamEndsWithItsKey() async throws {
        try await Mall.with { mall in
            try mall.publish()
            let alice = try mall.open()
            let token = try mall.token(alice)
            let rotate = mall.signed(
                [.rotateCredential(account: alice.account, old: alice.key.publicKey, new: SecretKey().publicKey)],
                alice.author)
            Thread.detachNewThread {
                usleep(300_000)
                _ = try? mall.submit(rotate)
            }
            let began = Date()
            let events = try mall.events(
                "/v1/accounts/\(alice.account)/events", token: token, milliseconds: 20_000
            ) { _ in false }
            #expect(events.status == 200)
            // Ended by the server, long before the client's own patience.
            #expect(Date().timeIntervalSince(began) < 15)
        }
    }

    @Test func challengesAreGoodOnceForOneKeyAndNode() async throws {
        try await Mall.with { mall in
            try mall.publish()
            let alice = try mall.open()
            let bob = try mall.open()
            let claimant = Claimant(.account(alice.account), alice.key.publicKey)
            let challenge = try Form<WithBytes<Challenge>>.challenge.parse(
                mall.post("/v1/challenges", Form<Claimant>.claimant.write(claimant)).json)
            func ask(_ claimant: Claimant, _ bytes: [UInt8], _ signature: Signature) throws -> Reply {
                try mall.post(
                    "/v1/tokens",
                    Form<TokenRequest>.tokenRequest.write(
                        TokenRequest(claimant: claimant, challenge: bytes, signature: signature)))
            }
            let good = alice.key.sign(challenge.bytes)
            #expect(try ask(claimant, challenge.value.bytes, bob.key.sign(challenge.bytes)).code == "signature-invalid")
            // Signed without the tag, it is no signature of a challenge.
            #expect(
                try ask(claimant, challenge.value.bytes, alice.key.sign(challenge.value.bytes)).code
                    == "signature-invalid")
            let foreign = Claimant(.account(bob.account), alice.key.publicKey)
            #expect(try ask(foreign, challenge.value.bytes, good).code == "challenge-invalid")
            var changed = challenge.value.bytes
            changed[3] ^= 1
            #expect(
                try ask(
                    claimant, changed,
                    alice.key.sign(Challenge.signedBytes(genesis: mall.genesis.hash, challenge: changed))
                ).code == "challenge-invalid")
            #expect(try ask(claimant, challenge.value.bytes, good).status == 201)
            #expect(try ask(claimant, challenge.value.bytes, good).code == "challenge-invalid")
            // Whose key it is not, gets none, however well he signs.
            #expect(try mall.tokenReply(.account(bob.account), alice.key).code == "key-not-valid")
            #expect(try mall.tokenReply(.organisation(OrganisationID(1)), alice.key).code == "key-not-valid")
            #expect(try mall.tokenReply(.validator(OrganisationID(1)), mall.issuing[0]).code == "key-not-valid")
        }
    }

    @Test func tokensOfAnotherChainOrNodeAreNone() async throws {
        try await Mall.with { mall in
            try mall.publish()
            let alice = try mall.open()
            let token = try mall.token(alice)
            let path = "/v1/accounts/\(alice.account)"
            let other = try Mall()
            defer { other.stop() }
            #expect(try other.get(path, token: token).code == "token-invalid")
            for broken in ["", "x", "AAAA", String(token.dropLast()), token + "A", String(token.reversed())] {
                #expect(["token-invalid"].contains(try mall.get(path, token: broken).code), "\(broken)")
            }
            #expect(
                try mall.get(path, headers: [("Authorization", "Basic YTpi")]).code == "token-invalid")
            #expect(try mall.get(path).code == "token-missing")
            // A challenge is not a token, though both carry the node's own tag.
            let challenge = try Form<WithBytes<Challenge>>.challenge.parse(
                mall.post(
                    "/v1/challenges",
                    Form<Claimant>.claimant.write(Claimant(.account(alice.account), alice.key.publicKey))
                ).json)
            #expect(try mall.get(path, token: base64URL(challenge.value.bytes)).code == "token-invalid")
        }
    }

    @Test func oneKeyCannotUseUpTheTokensOfAll() async throws {
        try await Mall.with { mall in
            try mall.publish()
            let alice = try mall.open()
            let bob = try mall.open()
            let replies = try (0..<70).map { _ in try mall.tokenReply(.account(alice.account), alice.key).status }
            #expect(replies.count { $0 == 201 } == 64)
            #expect(replies.last == 429)
            #expect(try mall.tokenReply(.account(bob.account), bob.key).status == 201)
            mall.clockAhead.withLock { $0 = Sessions.challengeMilliseconds + 1000 }
            #expect(try mall.tokenReply(.account(alice.account), alice.key).status == 201)
        }
    }

    @Test func noLogLineTellsASecret() async throws {
        try await Mall.with { mall in
            try mall.publish()
            let alice = try mall.open()
            let token = try mall.token(alice)
            try mall.accrue(alice, 5_551_234, order: "quiet")
            _ = try mall.get("/v1/accounts/\(alice.account)?x=\(alice.account)", token: token)
            _ = try mall.get("/v1/accounts/\(alice.account)/balances/MALL", token: token)
            _ = try mall.get("/\(alice.account)", token: token)
            mall.server.stop(graceMilliseconds: 1000)
            let text = String(decoding: mall.logged.withLock { $0 }, as: UTF8.self)
            #expect(text.contains("GET /v1/accounts/{account}/balances/{unit}"))
            for secret in [token, "\(alice.account)", "5551234", "quiet"] { #expect(!text.contains(secret)) }
        }
    }
}
