import Canonical
import Chain
import Concurrency
import Crypto
import JSON
import Ledger
import Node
import ServerKit
import Testing
import Wire

@testable import Wallet

/// The client against a real ledger behind a server that answers as the interface is described.
@Suite(.ownThread) struct NodeClientTests {
    private func failure(_ body: () throws -> Void) -> NodeClientError? {
        do {
            try body()
            return nil
        } catch { return error as? NodeClientError }
    }

    @Test func everythingIsLookedUp() throws {
        try withTown { town, server in
            let client = try town.client(server, as: town.anna)
            let head = try client.chain()
            #expect(head.value.genesis == town.genesis.hash && head.value.quorum == 3)
            #expect(try client.genesis() == town.genesis)
            #expect(try client.unit(town.unit)?.program.decimals == 1)
            #expect(try client.unit(UnitCode("NONE")!) == nil)
            #expect(try client.account(town.anna.account)?.value.account.claimed == true)
            #expect(failure { _ = try client.account(.random()) }?.status == 403)
            #expect(try client.balances(of: town.anna.account).map(\.available) == [100])
            #expect(try client.balance(of: town.anna.account, unit: town.unit).value.available == 100)
            #expect(try client.lots(of: town.anna.account, unit: town.unit).map(\.remaining) == [100])
            let sent = try client.submit(town.transfer(5))
            #expect(sent.receipt.result == .done)
            let records = try client.transactions(of: town.anna.account, max: 10)
            #expect(records.map { $0.kinds[0] } == ["transfer", "accrue", "open"])
            #expect(try client.transactions(of: town.anna.account, max: 1).map(\.id) == [sent.receipt.transaction])
            let record = try #require(try client.transaction(sent.receipt.transaction))
            #expect(record.state == .certified && record.place == sent.place)
            #expect(record.whole?.receipt == sent.receipt)
            #expect(try client.transaction(SHA256.hash([1])) == nil)
            // Somebody else sees that there is one.
            let stranger = try #require(try town.client(server).transaction(sent.receipt.transaction))
            #expect(stranger.whole == nil && stranger.result == .done)
            let issuer = client.speaking(for: try #require(Identity(town.issuer)))
            let key = NaturalKey(source: SourceID("till")!, order: Array("1 / a".utf8))
            #expect(try issuer.isAccrued(key, unit: town.unit))
            let odd = NaturalKey(source: SourceID("till")!, order: [0xFF, 0x2F, 0x25])
            #expect(try !issuer.isAccrued(odd, unit: town.unit))
            let ben = try town.client(server, as: town.ben)
            #expect(failure { _ = try ben.isAccrued(key, unit: town.unit) }?.status == 403)
            #expect(failure { _ = try town.client(server).unit(town.unit) }?.code == .identityMissing)
        }
    }

    @Test func anotherChainIsRefused() throws {
        try withTown { town, server in
            let other = SHA256.hash([7])
            let client = try NodeClient(server.url, pin: .hash(other), limits: .quick)
            for attempt in [
                { _ = try client.chain() }, { _ = try client.genesis() }, { _ = try client.submit(town.transfer(1)) },
                { _ = try client.header(1) }, { _ = try client.transaction(other) },
            ] as [() throws -> Void] { #expect(failure(attempt)?.code == .genesisDiffers) }
            #expect(!server.requests.contains("POST /v1/transactions"))
            let right = try NodeClient(server.url, pin: .hash(town.genesis.hash), limits: .quick)
            #expect(try right.genesis() == town.genesis)
        }
    }

    @Test func urlsThatAreNone() {
        for url in ["", "node.example", "ftp://x", "http://", "https://a?b", "http://a#b"] {
            #expect(
                failure { _ = try NodeClient(url, pin: .hash(.zero)) }?.code == .urlInvalid, "\(url)")
        }
        #expect(
            failure { _ = try NodeClient("https://a", pin: .hash(.zero), authorities: "/no/such.pem") }?.code == .tls)
    }

    @Test func nobodyThere() throws {
        let client = try NodeClient(
            "http://127.0.0.1:\(ScriptedServer.closedPort())", pin: .hash(.zero), limits: .quick)
        let error = try #require(failure { _ = try client.chain() })
        #expect(error.code == .unreachable && error.isRetryable)
    }

    // MARK: Proofs

    @Test func headersAndProofsAreChecked() throws {
        try withTown { town, server in
            let client = try town.client(server, as: town.anna)
            // That somebody has nothing is proved too.
            let none = try town.client(server, as: town.ben).provenHolding(of: town.ben.account, unit: town.unit)
            #expect(none.balance.available == 0 && none.lots?.isEmpty == true)
            let sent = try client.submit(town.transfer(30))
            let header = try client.header(sent.place.height)
            #expect(header.header.height == sent.place.height && header.signers.count >= 3)
            let proven = try client.provenHolding(of: town.anna.account, unit: town.unit)
            #expect(proven.balance.available == 70 && proven.lots?.map(\.remaining) == [70])
            #expect(proven.verified.height >= sent.place.height)
            #expect(try client.provenReceipt(of: sent.receipt.transaction).receipt == sent.receipt)
        }
    }

    /// What a node is made to say instead.
    private final class Change: Sendable {
        typealias Alter = @Sendable ([UInt8]) -> [UInt8]
        private let state = Locked<(path: String, alter: Alter)?>(nil)

        func set(_ path: String, _ alter: @escaping Alter) { state.withLock { $0 = (path, alter) } }
        func clear() { state.withLock { $0 = nil } }

        func apply(_ request: ServedRequest, _ reply: Reply) -> Reply {
            guard case .bytes(200, let headers, let body) = reply, let (path, alter) = state.withLock({ $0 }),
                request.target.contains(path)
            else { return reply }
            return .bytes(200, headers: headers, alter(body))
        }

        static func flip(_ index: Int) -> Alter {
            { bytes in
                var bytes = bytes
                bytes[index % bytes.count] ^= 4
                return bytes
            }
        }
    }

    /// Whatever a node changes of what it proves, it is not believed.
    @Test func changedProofsAreRefused() throws {
        let change = Change()
        try withTown(after: { change.apply($0, $1) }) { town, server in
            let client = try town.client(server, as: town.anna)
            let id = try client.submit(town.transfer(30)).receipt.transaction
            let height = try client.chain().stamp.height
            let (account, unit) = (town.anna.account, town.unit)
            // A good proof of something else, and a good header of another height.
            let bens = try town.client(server, as: town.ben).provenBalance(of: town.ben.account, unit: unit)
            let other = bens.proof.canonicalBytes
            let first = try town.consortium.first.blocks.header(1)!.canonicalBytes
            var cases: [(path: String, alter: Change.Alter, call: () throws -> Void)] = [
                ("/proof", { _ in other }, { _ = try client.provenBalance(of: account, unit: unit) }),
                ("/proof", { _ in other }, { _ = try client.provenReceipt(of: id) }),
                ("/header", { _ in first }, { _ = try client.header(height) }),
                (
                    "/lots", { Array(String(decoding: $0, as: UTF8.self).replacing("\"70\"", with: "\"71\"").utf8) },
                    { _ = try client.provenHolding(of: account, unit: unit) }
                ),
            ]
            for index in [0, 40, 200, 333] {
                cases += [
                    ("/header", Change.flip(index), { _ = try client.header(height) }),
                    ("/certificate", Change.flip(index), { _ = try client.header(height) }),
                    ("/proof", Change.flip(index), { _ = try client.provenBalance(of: account, unit: unit) }),
                    ("/proof", Change.flip(index), { _ = try client.provenReceipt(of: id) }),
                ]
            }
            for (index, wrong) in cases.enumerated() {
                change.set(wrong.path, wrong.alter)
                #expect(failure(wrong.call)?.code == .proofInvalid, "\(index): \(wrong.path)")
                change.clear()
                #expect(failure(wrong.call) == nil)
            }
        }
    }

    // MARK: Tokens

    @Test func tokensAreKeptAndRenewed() throws {
        let refused = Times(0)
        try withTown { request in
            request.target.hasPrefix("/v1/units") && refused.take()
                ? .text(#"{"code":"token-expired","retryable":false}"#, status: 401) : nil
        } body: { (town, server) throws in
            let client = try town.client(server, as: town.anna)
            for _ in 0..<3 { _ = try client.unit(town.unit) }
            func challenges() -> Int { server.requests.count { $0 == "POST /v1/challenges" } }
            #expect(challenges() == 1)
            refused.allow(1)
            _ = try client.unit(town.unit)
            #expect(challenges() == 2)
            // Refused with a new one too: that is the answer.
            refused.allow(2)
            #expect(failure { _ = try client.unit(town.unit) }?.code.rawValue == "token-expired")
            #expect(challenges() == 3)
            // Shortly before its end it is renewed without being refused first.
            let now = Locked(wallClockMilliseconds())
            var surroundings = NodeClient.Surroundings()
            surroundings.now = { now.withLock { $0 } }
            let timed = try NodeClient(
                [server.url], pin: .genesis(town.genesis), identity: Identity(town.anna), limits: .quick,
                surroundings: surroundings)
            for (passed, wanted) in [(0, 4), (3_500_000, 4), (80_000, 5)] as [(UInt64, Int)] {
                now.withLock { $0 += passed }
                _ = try timed.unit(town.unit)
                #expect(challenges() == wanted)
            }
            // A key that does not speak for the account.
            let thief = try town.client(server, as: Author(town.anna.party, SecretKey()))
            #expect(failure { _ = try thief.unit(town.unit) }?.status == 401)
        }
    }

    /// A node that puts something else before a member to sign gets no signature of it.
    @Test func onlyChallengesAreSigned() throws {
        let transfer = Locked<[UInt8]>([])
        let seen = Locked<[[UInt8]]>([])
        try withTown { request in
            switch request.target {
            case "/v1/challenges":
                let answer = WithBytes(
                    Challenge(bytes: Array(transfer.withLock { $0 }.prefix(256)), expiresAt: wallClockMilliseconds()),
                    Array(transfer.withLock { $0 }.prefix(256)))
                return .text(Form.challenge.write(answer).text, status: 201)
            case "/v1/tokens":
                seen.withLock { $0.append(request.body) }
                return .text("{}", status: 401)
            default: return nil
            }
        } body: { town, server in
            let body = town.transfer(100).body
            let message = TransactionBody.signedBytes(genesis: town.genesis.hash, body: body.canonicalBytes)
            transfer.withLock { $0 = message }
            #expect(failure { _ = try town.client(server, as: town.anna).unit(town.unit) }?.code == .answerMalformed)
            // A challenge, but for another key: another node's, for example.
            transfer.withLock {
                $0 =
                    SessionTicket(
                        isToken: false, genesis: town.genesis.hash, validator: town.genesis.validators[0].id,
                        claimant: Claimant(.organisation(OrganisationID(1)), SecretKey().publicKey),
                        expiresAt: wallClockMilliseconds() + 60_000, random: [UInt8](repeating: 1, count: 16)
                    ).canonicalBytes + [UInt8](repeating: 2, count: 32)
            }
            #expect(failure { _ = try town.client(server, as: town.anna).unit(town.unit) }?.code == .answerMalformed)
            #expect(seen.withLock { $0 } == [])
        }
    }

    // MARK: Streams

    @Test func blocksAreFollowedAcrossBreaks() throws {
        let breaks = Times(3)
        let sent = Locked<[String?]>([])
        try withTown { request in
            guard request.target == "/v1/events" else { return nil }
            sent.withLock { $0.append(request.headers["last-event-id"]) }
            return breaks.take() ? .script { $0.send("HTTP/1.1 200 OK\r\n\r\n: cut\n\nid: 9") } : nil
        } body: { town, server in
            let client = try town.client(server)
            _ = try client.chain()
            let head = try client.chain().stamp.height
            var heights: [UInt64] = []
            let worker = WorkerThread { _ = try? town.client(server).submit(town.transfer(1)) }
            var transactions = 0
            try client.followBlocks(after: 0) { block in
                heights.append(block.header.height)
                transactions += block.transactions.count
                return transactions < 4
            }
            worker.join()
            #expect(heights == Array(1...UInt64(heights.count)) && heights.count > Int(head))
            #expect(sent.withLock { $0 } == ["0", "0", "0", "0"])
        }
    }

    @Test func aFollowerIsStopped() throws {
        try withTown { town, server in
            let client = try town.client(server)
            let stopper = WorkerThread {
                while !server.requests.contains("GET /v1/events") { _ = Waiter<Int>().wait(within: 5) }
                client.stop()
            }
            #expect(failure { try client.followBlocks { _ in true } }?.code == .stopped)
            stopper.join()
            #expect(failure { _ = try client.chain() }?.code == .stopped)
        }
    }

    /// A height's transactions may be cut apart: none is lost, none comes twice.
    @Test func transactionsOfOneHeightAreNotLost() throws {
        let asked = Locked<[String?]>([])
        @Sendable func view(_ byte: UInt8) -> String {
            let view = TransactionView(
                id: SHA256.hash([byte]), state: .certified, kinds: ["transfer"], result: .done,
                place: Place(height: 7, index: UInt32(byte)), time: 1)
            return "id: \(byte == 9 ? 8 : 7)\nevent: transaction\ndata: \(Form.transactionView.write(view).text)\n\n"
        }
        try withTown { request in
            guard request.target.hasSuffix("/events") else { return nil }
            let times = asked.withLock { asked in
                asked.append(request.headers["last-event-id"])
                return asked.count
            }
            let events = times == 1 ? [view(1), view(2)] : [view(1), view(2), view(3), view(9)]
            return .script { $0.send("HTTP/1.1 200 OK\r\n\r\n" + events.joined()) }
        } body: { town, server in
            var got: [TransactionID] = []
            try town.client(server, as: town.anna).followTransactions(of: town.anna.account, after: 5) { transaction in
                got.append(transaction.id)
                return got.count < 4
            }
            #expect(got == [1, 2, 3, 9].map { SHA256.hash([$0]) })
            #expect(asked.withLock { $0 } == ["5", "6"])
        }
    }

    @Test func streamsAreTakenApart() {
        let text = "\u{FEFF}id: 0\r\n: c\nid:1\ndata: a\r\rdata:b\ndata\ndata:  c\nevent: e\nnot: known\n\nid: 2\n\n"
        typealias Event = EventStreamParser.Event
        let wanted = [Event(id: "1", data: "a"), Event(name: "e", data: "b\n\n c")]
        for size in [1, 2, 3, 5, 1000] {
            var parser = EventStreamParser()
            var got: [Event] = []
            let bytes = Array(text.utf8)
            for start in stride(from: 0, to: bytes.count, by: size) {
                got += parser.take(Array(bytes[start..<min(start + size, bytes.count)])) ?? []
            }
            #expect(got == wanted, "\(size)")
        }
        var parser = EventStreamParser()
        #expect(parser.take([UInt8](repeating: 0x61, count: EventStreamParser.eventBytesMax + 1)) == nil)
    }
}
