import Concurrency
import Crypto
import HTTPClient
import HTTPServer
import JSON
import Ledger
import Node
import Testing
import Wallet
import Wire

import struct Foundation.Date
import class Foundation.FileManager
import class Foundation.Thread
import struct Foundation.UUID
import func Foundation.usleep

@testable import Gateway

@Suite struct AnsweringTests {
    @Test func aHundredAtOnceUnderOneKeyHaveOneEffectAndOneAnswer() async throws {
        try await Mall.with(validators: 4) { mall in
            try mall.publish()
            let alice = try mall.open()
            let bob = try mall.open()
            try mall.accrue(alice, 1000, order: "1")
            let gift = mall.signed(
                [.transfer(from: alice.account, to: bob.account, unit: mall.unit, amount: 7)], alice.author)
            let replies = Locked<[Reply]>([])
            let threads = (0..<100).map { _ in
                WorkerThread {
                    while let reply = try? mall.submit(gift, headers: [("Idempotency-Key", "gift-1")]) {
                        replies.withLock { $0.append(reply) }
                        // Told that the first is still being answered, one asks again.
                        if reply.status != 409 { return }
                        usleep(20_000)
                    }
                }
            }
            threads.forEach { $0.join() }
            let all = replies.withLock { $0 }
            let done = all.filter { $0.status == 200 }
            #expect(done.count == 100)
            #expect(Set(done.map(\.text)).count == 1)
            #expect(all.allSatisfy { $0.status == 200 || $0.code == "idempotency-in-flight" })
            #expect(try mall.balance(bob) == 7)
            #expect(try mall.submit(gift, headers: [("Idempotency-Key", "gift-1")]).text == done[0].text)
        }
    }

    @Test func anotherBodyUnderTheSameKeyIsRefusedAndDoesNothing() async throws {
        try await Mall.with { mall in
            try mall.publish()
            let alice = try mall.open()
            let bob = try mall.open()
            try mall.accrue(alice, 1000, order: "1")
            func gift(_ amount: UInt64) -> Transaction {
                mall.signed(
                    [.transfer(from: alice.account, to: bob.account, unit: mall.unit, amount: amount)], alice.author)
            }
            let key = [("Idempotency-Key", "k")]
            let first = gift(7)
            #expect(try mall.submit(first, headers: key).status == 200)
            // Built anew with another nonce: only the key knows that it is meant to be the same.
            #expect(try mall.submit(gift(7), headers: key).code == "idempotency-key-reused")
            #expect(try mall.submit(gift(8), headers: key).status == 422)
            #expect(try mall.balance(bob) == 7)
            // Others' keys of the same text are other keys.
            let back = mall.signed(
                [.transfer(from: bob.account, to: alice.account, unit: mall.unit, amount: 2)], bob.author)
            #expect(try mall.submit(back, headers: key).status == 200)
            // A stranger who cannot sign for alice does not use up her key.
            let forged = Transaction(body: gift(9).body, signatures: [bob.key.sign([1])])
            #expect(try mall.submit(forged, headers: [("Idempotency-Key", "k2")]).status == 401)
            #expect(try mall.submit(gift(1), headers: [("Idempotency-Key", "k2")]).status == 200)
            // A refusal by the ledger is an answer, too.
            let tooMuch = gift(1_000_000)
            let refusal = try mall.submit(tooMuch, headers: [("Idempotency-Key", "k3")])
            #expect(refusal.status == 409 && refusal.code == "balance-insufficient")
            #expect(try mall.submit(tooMuch, headers: [("Idempotency-Key", "k3")]).text == refusal.text)
        }
    }

    @Test func afterAnAnswerThatDecidedNothingOnlyTheSameBodyIsTaken() async throws {
        try await Mall.with { mall in
            try mall.publish()
            let alice = try mall.open()
            let bob = try mall.open()
            try mall.accrue(alice, 1000, order: "1")
            func gift() -> Transaction {
                mall.signed(
                    [.transfer(from: alice.account, to: bob.account, unit: mall.unit, amount: 7)], alice.author)
            }
            let (first, second) = (gift(), gift())
            let key = [("Idempotency-Key", "k")]
            let hurried = try mall.submit(first, headers: key + [("Prefer", "wait=0")])
            #expect([200, 202].contains(hurried.status))
            // Built anew because no answer came: the same gift, and it must not be given twice.
            #expect(try mall.submit(second, headers: key).code == "idempotency-key-reused")
            var again = try mall.submit(first, headers: key)
            while again.code == "idempotency-in-flight" { again = try mall.submit(first, headers: key) }
            #expect(again.status == 200)
            #expect(try mall.submit(first, headers: key).text == again.text)
            #expect(try mall.submit(second, headers: key).status == 422)
            #expect(try mall.balance(bob) == 7)
        }
    }

    @Test func aLateAnswerNeverStandsUnderAnothersClaim() async throws {
        try await onThread {
            let directory = FileManager.default.temporaryDirectory.appendingPathComponent("once-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: directory) }
            let store = try Idempotency(
                path: directory.appendingPathComponent("answers").path, clock: { wallClockMilliseconds() })
            defer { store.stop() }
            let key = Idempotency.Key(scope: .zero, text: "k")
            func claim(_ fingerprint: Digest) throws -> Idempotency.Verdict {
                let waiter = Waiter<Idempotency.Verdict>()
                store.claim(key, fingerprint: fingerprint) { waiter.fulfil($0) }
                return try #require(waiter.wait(within: 10_000))
            }
            func answer(_ text: String) -> Idempotency.StoredAnswer {
                .init(status: 200, type: "t", body: Array(text.utf8), height: 1, stateRoot: Digest.zero.bytes)
            }
            let (body, other) = (SHA256.hash([1]), SHA256.hash([2]))
            guard case .fresh(let first) = try claim(body) else { throw Unexpected("not fresh") }
            guard case .inFlight = try claim(body) else { throw Unexpected("not in flight") }
            store.release(first)
            guard case .reused = try claim(other) else { throw Unexpected("another body was let in") }
            guard case .fresh(let second) = try claim(body) else { throw Unexpected("not free again") }
            // The first one's answer comes after all.
            store.finish(first, answer("late"))
            store.abandon(first)
            guard case .inFlight = try claim(body) else { throw Unexpected("the second claim was ended by the first") }
            store.finish(second, answer("right"))
            guard case .stored(let kept) = try claim(body) else { throw Unexpected("nothing was kept") }
            #expect(kept.body == Array("right".utf8))
        }
    }

    @Test(arguments: ["", " ", String(repeating: "x", count: 256)]) func badKeysAreRefused(key: String)
        async throws
    {
        try await Mall.with { mall in
            let claimant = Claimant(.organisation(OrganisationID(1)), mall.issuing[0].publicKey)
            let reply = try mall.post(
                "/v1/challenges", Form<Claimant>.claimant.write(claimant), headers: [("Idempotency-Key", key)])
            // An empty or blank field value is the same as none to HTTP.
            #expect(
                reply.code == "header-invalid" || (key.allSatisfy { $0 == " " } && [201, 400].contains(reply.status)))
        }
    }

    @Test func theSameTransactionAgainAnswersTheSame() async throws {
        try await Mall.with { mall in
            try mall.publish()
            let alice = try mall.open()
            let bob = try mall.open()
            try mall.accrue(alice, 10, order: "1")
            let gift = mall.signed(
                [.transfer(from: alice.account, to: bob.account, unit: mall.unit, amount: 7)], alice.author)
            let first = try mall.submit(gift)
            let height = mall.consortium.first.status.committed
            #expect(try mall.submit(gift).text == first.text)
            // It took no place in another block.
            #expect(mall.consortium.first.status.committed == height)
            // With another signature it is not told to whoever sends it.
            let forged = Transaction(body: gift.body, signatures: [bob.key.sign([1])])
            #expect(try mall.submit(forged).code == "signature-invalid")
            #expect(try mall.balance(bob) == 7)
        }
    }

    @Test func waitingCanBeShort() async throws {
        try await Mall.with { mall in
            let publish = mall.signed(
                [
                    .publish(
                        Program(unit: mall.unit, currency: "CNY", faceMinor: 1, facePoints: 1),
                        issuer: OrganisationID(1))
                ],
                mall.issuer)
            let reply = try mall.submit(publish, headers: [("Prefer", "wait=0")])
            #expect([200, 202].contains(reply.status))
            let id = publish.id
            for _ in 0..<100 {
                let look = try mall.get("/v1/transactions/\(id)")
                #expect(look.status == 200)
                if look.json["transaction"]?["state"] == "certified" { return }
                usleep(50_000)
            }
            Issue.record("the transaction was never certified")
        }
    }

    @Test func refusalsAreConflictsAndSayWhy() async throws {
        try await Mall.with { mall in
            try mall.publish()
            let alice = try mall.open()
            let reply = try mall.submit(
                mall.signed(
                    [.redeem(account: alice.account, unit: mall.unit, amount: 5, reference: Reference([]))],
                    alice.author))
            #expect(reply.status == 409)
            #expect(reply.code == "balance-insufficient")
            #expect(reply.json["number"] == 38)
            #expect(reply.json["operation"] == 0)
            #expect(reply.json["field"] == "$.operations[0]")
            #expect(reply.json["message"]?["zh"] == "可用积分不足。")
            // Refused before any operation: final, told, and no index has it.
            let nobody = Mall.Holder(account: AccountID.random(), key: SecretKey())
            let unknown = mall.signed([.freeze(account: nobody.account)], nobody.author)
            #expect(try mall.submit(unknown).code == "signer-unknown")
            let look = try mall.get("/v1/transactions/\(unknown.id)")
            #expect(look.json["transaction"]?["state"] == "refused")
        }
    }

    @Test func aStoppingNodeAnswersWhatItTookUp() async throws {
        try await onThread {
            let mall = try Mall()
            defer { mall.stop() }
            try mall.publish()
            let holders = try (0..<8).map { _ in try mall.open() }
            for (index, holder) in holders.enumerated() { try mall.accrue(holder, 100, order: "\(index)") }
            let replies = Locked<[Int]>([])
            let began = Waiter<Void>()
            let threads = holders.map { holder in
                WorkerThread {
                    for _ in 0..<50 {
                        let gift = mall.signed(
                            [
                                .transfer(
                                    from: holder.account,
                                    to: holders[0].account == holder.account ? holders[1].account : holders[0].account,
                                    unit: mall.unit, amount: 1)
                            ],
                            holder.author)
                        guard let reply = try? mall.submit(gift) else { return }
                        replies.withLock { $0.append(reply.status) }
                        began.fulfil(())
                        if reply.status != 200 { return }
                    }
                }
            }
            _ = began.wait(within: 10_000)
            mall.gateway.leave()
            #expect(try mall.get("/readyz").status == 503)
            #expect(try mall.get("/healthz").status == 200)
            mall.server.stop(graceMilliseconds: 5000)
            threads.forEach { $0.join() }
            // Done, or refused in so many words; nobody was cut off in the middle of an answer.
            #expect(replies.withLock { $0 }.allSatisfy { $0 == 200 || $0 == 503 })
        }
    }

    @Test func check16AStaleNodeSaysHowOldItIsAndTellsNoValues() async throws {
        try await Mall.with { mall in
            try mall.publish()
            let alice = try mall.open()
            mall.clockAhead.withLock { $0 = Mall.staleMilliseconds + 10_000 }
            let token = try mall.token(alice)
            let reply = try mall.get("/v1/accounts/\(alice.account)/balances/MALL", token: token)
            #expect(reply.code == "node-stale")
            let said = reply.text.firstMatch(of: /It is (\d+) s old/)
            let age = try #require(said.flatMap { UInt64($0.1) }, "\(reply.text)")
            // What the clock was put ahead, and what the test took.
            #expect((Mall.staleMilliseconds / 1000...Mall.staleMilliseconds / 1000 + 600).contains(age))
            #expect(reply.response.header("Retry-After") != nil)
            #expect(try mall.get("/readyz").status == 503)
            #expect(try mall.get("/v1/blocks/1").status == 200)
        }
    }
}
