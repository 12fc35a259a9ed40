import Canonical
import Chain
import Crypto
import HTTPClient
import JSON
import Ledger
import Testing
import Wire

@testable import Gateway

/// What validators say to each other over HTTP, and what is made of strangers.
@Suite struct PeerRoutesTests {
    private static let octets = [("Content-Type", "application/octet-stream")]
    private static let first = OrganisationID(1)

    /// One that no validator signed: what the node makes of it is nothing, and what it made of a twin's would be much.
    private static func vote(_ mall: Mall, height: UInt64 = 1) -> Vote {
        Vote(
            signing: .zero, height: height, epoch: 0, time: 1, genesis: mall.genesis.hash, validator: first,
            key: SecretKey())
    }

    private static func post(_ mall: Mall, _ body: [UInt8], token: String?) throws -> Reply {
        try mall.send("POST", "/v1/votes", token: token, headers: octets, body: body)
    }

    @Test func votesAreTakenFromValidatorsAlone() async throws {
        try await Mall.with { mall in
            let list = VoteList(genesis: mall.genesis.hash, votes: [Self.vote(mall)]).canonicalBytes
            let token = try mall.token(.validator(Self.first), mall.voting[0])
            let taken = try Self.post(mall, list, token: token)
            #expect(taken.status == 200 && taken.json["votes"] == 1, "\(taken.text)")
            #expect(taken.response.header("Lianfen-Height") != nil)
            #expect(try Self.post(mall, list, token: nil).code == "token-missing")
            for (principal, key) in [
                (Principal.observer(mall.observer.publicKey), mall.observer),
                (.organisation(Self.first), mall.issuing[0]),
            ] {
                #expect(try Self.post(mall, list, token: mall.token(principal, key)).code == "not-yours")
            }
        }
    }

    /// Each is refused with what is wrong, and the node goes on as if nothing had come.
    @Test func garbageIsRefusedByName() async throws {
        try await Mall.with { mall in
            let token = try mall.token(.validator(Self.first), mall.voting[0])
            let good = VoteList(genesis: mall.genesis.hash, votes: [Self.vote(mall)]).canonicalBytes
            let strange = VoteList(genesis: .zero, votes: [Self.vote(mall)]).canonicalBytes
            let foreign = try Self.post(mall, strange, token: token)
            #expect(foreign.status == 400 && foreign.json["field"] == "genesis")
            for garbage in [[], [0], Array(good.dropLast()), good + [0], [UInt8](repeating: 0xFF, count: 4096)] {
                let reply = try Self.post(mall, garbage, token: token)
                #expect(reply.status == 400 && reply.code == "body-malformed" && reply.json["field"] == "votes")
            }
            let large = try Self.post(mall, [UInt8](repeating: 0, count: VoteList.bytesMax + 1), token: token)
            #expect(large.status == 413 && large.code == "body-too-large")
            let json = try mall.post("/v1/votes", [:], token: token)
            #expect(json.status == 415)
            #expect(json.text.contains("It takes application/octet-stream."))
            try mall.publish()
        }
    }

    /// Whoever has a validator's key can send wrong votes for ever, and is told to wait.
    @Test func oneValidatorBringsSoManyVotesASecond() async throws {
        try await Mall.with { mall in
            let token = try mall.token(.validator(Self.first), mall.voting[0])
            let votes = (1...UInt64(VoteList.countMax)).map { Self.vote(mall, height: $0) }
            let list = VoteList(genesis: mall.genesis.hash, votes: votes).canonicalBytes
            #expect(list.count <= VoteList.bytesMax)
            // The clock stands still, so that only so many fit into its second.
            let now = mall.gateway.configuration.clock()
            let allowed = (1...10).map { _ in
                mall.gateway.voteLimit.allows("\(Self.first)", cost: UInt64(VoteList.countMax), now: now)
            }
            #expect(allowed.filter { $0 }.count == Int(Gateway.votesPerSecond) / VoteList.countMax)
            #expect(mall.gateway.voteLimit.allows("2", cost: 1, now: now))
            let replies = try (1...40).map { _ in try Self.post(mall, list, token: token) }
            #expect(replies.contains { $0.status == 429 && $0.code == "too-many-requests" })
            #expect(replies.allSatisfy { [200, 429].contains($0.status) })
            try mall.publish()
        }
    }

    @Test func finalBlocksProveThemselves() async throws {
        try await Mall.with { mall in
            try mall.publish()
            let alice = try mall.open()
            for (principal, key) in [
                (Principal.validator(Self.first), mall.voting[0]), (.observer(mall.observer.publicKey), mall.observer),
            ] {
                let token = try mall.token(principal, key)
                let reply = try mall.get("/v1/finals", token: token)
                let list = try FinalBlocksList(canonicalBytes: reply.response.body).values
                var head = try Header(
                    canonicalBytes: mall.get(
                        "/v1/blocks/0/header", headers: [("Accept", "application/octet-stream")]
                    ).response.body)
                for blocks in list {
                    try blocks.verify(after: head, genesis: mall.genesis.hash, set: ValidatorSet(mall.genesis))
                    head = blocks.headers[blocks.headers.count - 1]
                }
                #expect(head.height >= 2)
                let rest = try mall.get("/v1/finals?above=\(UInt64.max)", token: token)
                #expect(try FinalBlocksList(canonicalBytes: rest.response.body).values == [])
                let wrong = try mall.get("/v1/finals?above=-1", token: token)
                #expect(wrong.code == "parameter-invalid" && wrong.json["field"] == "above")
            }
            #expect(try mall.get("/v1/finals").code == "token-missing")
            #expect(try mall.get("/v1/finals", token: mall.token(alice)).code == "not-yours")
        }
    }

    @Test func subRootsGiveTheStateRoot() async throws {
        try await Mall.with { mall in
            try mall.publish()
            let octets = [("Accept", "application/octet-stream")]
            for (principal, key) in [
                (Principal.validator(Self.first), mall.voting[0]), (.observer(mall.observer.publicKey), mall.observer),
            ] {
                let token = try mall.token(principal, key)
                for height in 0...1 {
                    let bytes = try mall.get("/v1/blocks/\(height)/header", headers: octets).response.body
                    let reply = try mall.get("/v1/blocks/\(height)/sub-roots", token: token)
                    let roots = try SubRoots(canonicalBytes: reply.response.body)
                    #expect(try roots.stateRoot == Header(canonicalBytes: bytes).state)
                    #expect(reply.response.header("Lianfen-Height") != nil)
                }
                let beyond = try mall.get("/v1/blocks/999999999/sub-roots", token: token)
                #expect(beyond.status == 404 && beyond.code == "height-not-found")
            }
            #expect(try mall.get("/v1/blocks/1/sub-roots").code == "token-missing")
            let issuer = try mall.token(.organisation(Self.first), mall.issuing[0])
            #expect(try mall.get("/v1/blocks/1/sub-roots", token: issuer).code == "not-yours")
        }
    }

    /// Who is an observer may change while the node runs.
    @Test func observersComeAndGo() async throws {
        try await Mall.with { mall in
            let late = SecretKey()
            let principal = Principal.observer(late.publicKey)
            #expect(try mall.tokenReply(principal, late).code == "key-not-valid")
            mall.gateway.setObservers([late.publicKey])
            let token = try mall.token(principal, late)
            #expect(try mall.get("/v1/finals", token: token).status == 200)
            mall.gateway.setObservers([])
            #expect(try mall.get("/v1/finals", token: token).code == "key-not-valid")
        }
    }
}
