import Canonical
import Chain
import Concurrency
import Crypto
import Foundation
import HTTPServer
import Ledger
import Node
import ServerKit
import Simulation
import Storage
import TestSupport
import Testing

@testable import Peers

/// One validator's view of the others over HTTP: an honest one, and every kind that is not.
@Suite(.ownThread) struct PeersTests {
    /// A running chain behind the gateway of organisation 1, as organisation 2 sees it.
    private final class Neighbourhood {
        let cast: Cast
        let consortium: Consortium
        let relay = BlockRelay()
        let server: LedgerServer
        let peers: Peers
        let reports = Locked<[PeerReport]>([])

        /// - Parameter after: changes what the node answers.
        init(
            cast: Cast = Cast(validators: 4), as caller: Cast? = nil,
            after: @escaping @Sendable (ServedRequest, Reply) -> Reply = { $1 }
        ) throws {
            self.cast = cast
            let start = wallClockMilliseconds()
            let clock: @Sendable () -> UInt64 = { Cast.genesisTime + 1_000 + wallClockMilliseconds() - start }
            consortium = try Consortium(
                genesis: cast.genesis,
                members: cast.votingKeys.enumerated().map { index, key in
                    .init(organisation: cast.organisation(index), votingKey: key, store: MemoryStore())
                }, clock: clock, certified: { [relay] in relay.take($0) })
            server = try LedgerServer(consortium, relay, after: after)
            for transaction in cast.foundation(validUntil: clock() + 250_000) {
                guard case .receipt(let receipt, _) = consortium.first.submit(transaction) else { continue }
                #expect(receipt.result == .done)
            }
            let mine = caller ?? cast
            peers = Peers(
                genesis: mine.genesis, organisation: mine.organisation(1), keys: [mine.votingKeys[1]],
                clock: { wallClockMilliseconds() },
                report: { [reports] report in reports.withLock { $0.append(report) } })
        }

        func stop() {
            peers.stop()
            server.stop()
            consortium.stop()
        }

        func vote(_ height: UInt64) -> Vote {
            Vote(
                signing: .zero, height: height, epoch: 0, time: 1, genesis: cast.genesisHash,
                validator: cast.organisation(1), key: cast.votingKeys[1])
        }

        func standing(_ organisation: UInt32) -> PeerStanding? {
            peers.standings.first { $0.organisation == OrganisationID(organisation) }
        }
    }

    private static func with(
        as caller: Cast? = nil, after: @escaping @Sendable (ServedRequest, Reply) -> Reply = { $1 },
        _ body: (Neighbourhood) throws -> Void
    ) throws {
        let neighbourhood = try Neighbourhood(as: caller, after: after)
        defer { neighbourhood.stop() }
        try body(neighbourhood)
    }

    private static func peer(_ organisation: UInt32, _ url: String, ca: String? = nil) -> PeerConfiguration {
        PeerConfiguration(organisation: OrganisationID(organisation), url: url, authorities: ca)
    }

    private static func eventually(
        _ what: String, sourceLocation: SourceLocation = #_sourceLocation, _ isSo: () -> Bool
    ) {
        let deadline = Date(timeIntervalSinceNow: 60)
        while !isSo(), Date() < deadline { usleep(10_000) }
        #expect(isSo(), "\(what)", sourceLocation: sourceLocation)
    }

    @Test func whatIsAskedIsAnsweredWithItsProof() throws {
        try Self.with { here in
            try here.peers.set([Self.peer(1, here.server.url)])
            let certificate = try #require(here.peers.certificate(above: 0))
            try certificate.verify(genesis: here.cast.genesisHash, set: here.cast.set)
            let finals = here.peers.finals(above: 0)
            var head = Executor.genesisHeader(here.cast.genesis)
            for blocks in finals {
                try blocks.verify(after: head, genesis: here.cast.genesisHash, set: here.cast.set)
                head = blocks.headers[blocks.headers.count - 1]
            }
            #expect(head.height > 0)
            #expect(try #require(here.peers.highestHead()) >= head.height)
            #expect(here.peers.certificate(above: UInt64.max / 2) == nil)
            #expect(here.peers.finals(above: UInt64.max / 2) == [])
            let standing = try #require(here.standing(1))
            #expect(standing.isAnswering && standing.height >= head.height && standing.failures == 0)
        }
    }

    /// Votes reach the honest one while another is silent, a third never ceases to send garbage, and nobody is there
    /// where a fourth should be.
    @Test func nobodyHoldsUpTheOthers() throws {
        let silent = ScriptedServer { _ = $0.waitForEnd(seconds: 60) }
        let garbage = ScriptedServer { peer in
            _ = peer.request()
            let noise = [UInt8](repeating: 0xFF, count: 1 << 16)
            guard peer.send("HTTP/1.1 200 OK\r\n\r\n") else { return }
            while peer.send(noise) {}
        }
        defer {
            silent.stop()
            garbage.stop()
        }
        try Self.with { here in
            try here.peers.set([
                Self.peer(1, here.server.url), Self.peer(3, silent.url), Self.peer(4, garbage.url),
                Self.peer(5, "http://127.0.0.1:\(ScriptedServer.closedPort())"),
            ])
            for height in 1...20 { here.peers.send(here.vote(UInt64(height))) }
            Self.eventually("votes reach the honest one") { here.standing(1)?.isAnswering == true }
            Self.eventually("the others are known to fail") {
                [3, 4, 5].allSatisfy { here.standing($0)?.failure != nil }
            }
            #expect(here.server.requests.contains("POST /v1/votes"))
            #expect(here.standing(4)?.failure?.contains("larger than") == true, "\(here.standing(4)?.failure ?? "")")
            #expect(here.standing(5)?.failure?.contains("Nobody answers there") == true)
            // Whoever asks is answered, at whose turn soever it begins, and those who failed are left alone.
            try here.peers.set(
                here.peers.standings.map { Self.peer($0.organisation.number, $0.url) }.filter {
                    $0.url != silent.url
                })
            let before = garbage.connections
            for _ in 0..<40 { #expect(here.peers.certificate(above: 0) != nil) }
            #expect(garbage.connections < before + 20)
        }
    }

    /// Final blocks that lead nowhere are noticed when the same height is asked for again.
    @Test func whoLiesIsNamedAndAskedLess() throws {
        let lies: @Sendable (ServedRequest, Reply) -> Reply = { request, reply in
            guard request.path == "/v1/finals", case .bytes(let status, let headers, let body) = reply, status == 200,
                let list = try? FinalBlocksList(canonicalBytes: body)
            else { return reply }
            let forged = list.values.map {
                FinalBlocks(headers: $0.headers, entries: $0.entries.map { _ in [1] }, certificate: $0.certificate)
            }
            return .bytes(status, headers: headers, FinalBlocksList(forged).canonicalBytes)
        }
        try Self.with(after: lies) { here in
            try here.peers.set([Self.peer(1, here.server.url)])
            #expect(!here.peers.finals(above: 0).isEmpty)
            #expect(here.standing(1)?.failure == nil)
            #expect(here.peers.finals(above: 0) == [])
            let failure = try #require(here.standing(1)?.failure)
            #expect(failure.contains("organisation 1 at \(here.server.url)"))
            #expect(failure.contains("final blocks above height 0 proves nothing"))
            #expect(here.reports.withLock { $0 }.contains { $0.failure == failure })
        }
    }

    /// Where a node came apart, as peers show it: whoever shows roots that do not give the certified header's state
    /// root, or another header, explains nothing, is named, and the next one is asked.
    @Test func onlyWhatWasCertifiedExplainsADivergence() throws {
        let liar: @Sendable (ServedRequest, Reply) -> Reply = { request, reply in
            guard request.path.hasSuffix("/sub-roots"), case .bytes(200, let headers, let body) = reply,
                let roots = try? SubRoots(canonicalBytes: body).roots
            else { return reply }
            let forged = roots.map { SubRoot(name: $0.name, root: $0.name == "programs" ? .zero : $0.root) }
            return .bytes(200, headers: headers, SubRoots(forged).canonicalBytes)
        }
        try Self.with(after: liar) { here in
            let blocks = here.consortium.first.blocks
            let (header, roots) = try #require(try blocks.block(certifiedAt: 1))
            let forged = SubRoot(name: "accounts", root: SHA256.hash(.row, []))
            let own = SubRoots([forged] + roots.roots.filter { $0.name != "accounts" })
            let divergence = Divergence(
                header: Header(
                    height: 1, parent: header.parent, entry: header.entry, transactions: header.transactions,
                    receipts: header.receipts, state: own.stateRoot, validators: header.validators,
                    nextValidators: header.nextValidators, rulesVersion: header.rulesVersion, time: header.time,
                    certificate: header.certificate), roots: own, certified: header.hash)
            // Whose node says the same, without the lie.
            let honest = try LedgerServer(here.consortium, BlockRelay())
            defer { honest.stop() }
            let later = Divergence(
                header: divergence.header, roots: own, certified: try #require(try blocks.header(2)).hash)
            try here.peers.set([Self.peer(1, honest.url)])
            #expect(here.peers.difference(later) == nil)
            #expect(here.standing(1)?.failure?.contains("of height 1 is not what a quorum certified") == true)
            try here.peers.set([])
            try here.peers.set([Self.peer(1, here.server.url)])
            #expect(here.peers.difference(divergence) == nil)
            let failure = try #require(here.standing(1)?.failure)
            #expect(failure.contains("organisation 1 at \(here.server.url): what it shows of height 1"))
            try here.peers.set([])
            try here.peers.set([Self.peer(1, honest.url)])
            let difference = try #require(here.peers.difference(divergence))
            #expect(difference.part == "accounts" && difference.peer == OrganisationID(1))
            #expect(difference.roots == .init(own: forged.root, certified: roots[named: "accounts"]))
            // Who does not stand so high yet has not lied.
            let ahead = Divergence(
                header: Header(
                    height: UInt64(1) << 40, parent: .zero, entry: .zero, transactions: .zero, receipts: .zero,
                    state: .zero, validators: .zero, nextValidators: .zero, rulesVersion: 1, time: 1,
                    certificate: .zero), roots: own, certified: header.hash)
            #expect(here.peers.difference(ahead) == nil)
            #expect(here.standing(1)?.failure == nil)
        }
    }

    /// Bounded, the newest kept, none twice.
    @Test func votesWaitWithinABound() throws {
        try Self.with { here in
            let peer = try Peer(
                Self.peer(1, "http://127.0.0.1:\(ScriptedServer.closedPort())"), genesis: here.cast.genesis,
                organisation: here.cast.organisation(1), keys: [here.cast.votingKeys[1]], clock: { 0 }, report: { _ in }
            )
            for height in 1...200 { peer.post(here.vote(UInt64(height))) }
            peer.post(here.vote(200))
            #expect(peer.waiting.map(\.height) == Array(UInt64(201 - Peer.votesMax)...200))
            peer.stop()
        }
    }

    @Test func whoIsSomebodyElseGetsNothing() throws {
        try Self.with { here in
            // The node of organisation 1 where that of organisation 3 should be: no token's signature goes there.
            try here.peers.set([Self.peer(3, here.server.url)])
            #expect(here.peers.finals(above: 0) == [])
            #expect(here.standing(3)?.failure?.contains("not for this key, chain and node") == true)
            #expect(!here.server.requests.contains("POST /v1/tokens"))
        }
    }

    @Test func anotherChainIsNamed() throws {
        try Self.with(as: Cast(validators: 3)) { here in
            try here.peers.set([Self.peer(1, here.server.url)])
            #expect(here.peers.highestHead() == nil)
            let failure = try #require(here.standing(1)?.failure)
            #expect(failure.contains("\(here.cast.genesisHash)"))
            #expect(failure.contains("check that both have the same genesis file"))
        }
    }

    @Test(arguments: [
        ("expired", "authority", "has expired: organisation 3 has to renew it"),
        ("server", "stranger", "is not vouched for by the authorities in"),
        ("elsewhere", "authority", "is not vouched for by the authorities in"),
    ])
    func certificatesThatDoNotHoldAreExplained(_ certificate: String, _ authority: String, _ words: String) throws {
        try withTemporaryDirectory { directory in
            try makeCertificates(in: directory)
            func bytes(_ name: String) throws -> [UInt8] {
                Array(try Data(contentsOf: directory.appendingPathComponent(name)))
            }
            var door = HTTPServerConfiguration()
            door.tls = .init(certificate: try bytes("\(certificate).pem"), key: try bytes("\(certificate).key"))
            let server = try HTTPServer(configuration: door, application: Nobody())
            defer { server.stop(graceMilliseconds: 0) }
            let cast = Cast(validators: 4)
            let peers = Peers(
                genesis: cast.genesis, organisation: cast.organisation(1), keys: [cast.votingKeys[1]], clock: { 0 },
                report: { _ in })
            defer { peers.stop() }
            let file = directory.appendingPathComponent("\(authority).pem").path
            let url = "https://127.0.0.1:\(server.port)"
            try peers.set([Self.peer(3, url, ca: file)])
            #expect(peers.highestHead() == nil)
            let failure = try #require(peers.standings[0].failure)
            #expect(failure.hasPrefix("organisation 3 at \(url): "))
            #expect(failure.contains(words), "\(failure)")
        }
    }

    /// Those who stay keep what waits for them; those who go are left.
    @Test func peersComeAndGo() throws {
        try Self.with { here in
            let closed = Self.peer(3, "http://127.0.0.1:\(ScriptedServer.closedPort())")
            try here.peers.set([closed])
            #expect(here.peers.certificate(above: 0) == nil)
            #expect(try #require(here.standing(3)).failures > 0)
            try here.peers.set([closed, Self.peer(1, here.server.url)])
            #expect(try #require(here.standing(3)).failures > 0)
            #expect(here.peers.certificate(above: 0) != nil)
            #expect(throws: (any Error).self) { try here.peers.set([Self.peer(4, here.server.url, ca: "/none.pem")]) }
            #expect(here.peers.standings.map(\.organisation.number) == [3, 1])
            try here.peers.set([])
            #expect(here.peers.standings.isEmpty)
            #expect(here.peers.certificate(above: 0) == nil)
        }
    }
}

/// Answers nothing of use.
private struct Nobody: HTTPApplication {
    func handle(_ request: HTTPRequest, _ exchange: HTTPExchange) { exchange.send(HTTPResponse(status: 404)) }
    func problem(_ problem: HTTPServerProblem) -> HTTPResponse { problem.plainResponse }
    func finished(_ record: HTTPRecord) {}
}
