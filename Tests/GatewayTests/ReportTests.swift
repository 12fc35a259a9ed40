import Concurrency
import Crypto
import Foundation
import HTTPClient
import JSON
import Ledger
import Node
import Ordering
import Testing
import Wire

@testable import Gateway

/// What those who look after a node are told, by its report, its figures and its log.
@Suite struct ReportTests {
    private static let disk = HostReport.Disk(free: 50 << 30, total: 100 << 30, reserve: 1 << 30)

    /// An ordering cluster of which one member does not answer.
    private static let oneIsLost: OrderingCondition = {
        var condition = OrderingCondition()
        condition.members = ["https://b.example:2379", "https://c.example:2379"].map { OrderingMember(url: $0) }
        (condition.members[1].silentSince, condition.members[1].failure) = (7, "Nobody listens there.")
        return condition
    }()

    @Test func onlyThoseWhoLookAfterANodeAreTold() async throws {
        let host = HostReport(
            disk: Self.disk, certificates: [.init(file: "/etc/node.pem", endsAt: 1_900_000_000_000)],
            backup: BackupStanding(failure: .init(reason: "the store is away", at: 5)))
        try await Mall.with(configure: { configuration in
            configuration.host = { host }
            configuration.network = { NetworkStanding(ordering: Self.oneIsLost, peers: []) }
            configuration.program = "9.9"
        }) { mall in
            try mall.publish()
            let alice = try mall.open()
            #expect(try mall.get("/v1/report").status == 401)
            #expect(try mall.get("/v1/report", token: mall.token(alice)).status == 403)
            for token in [
                try mall.token(.validator(OrganisationID(1)), mall.voting[0]),
                try mall.token(.observer(mall.observer.publicKey), mall.observer),
            ] {
                let reply = try mall.get("/v1/report", token: token)
                try #require(reply.status == 200, "\(reply.text)")
                let report = try Form.nodeReport.parse(try #require(reply.json["report"]))
                #expect(report.program == "9.9" && report.organisation == OrganisationID(1))
                #expect(report.heads.committed > 0 && report.heads.halted == nil && !report.heads.isOverdue)
                #expect(report.validators.voting == [OrganisationID(1)] && report.validators.spare == 0)
                #expect(report.host.disk?.free == host.disk?.free)
                #expect(report.host.certificates.map(\.endsAt) == [1_900_000_000_000])
                #expect(report.host.backup == host.backup)
                let members = try #require(report.ordering).members
                #expect(members.map(\.url) == Self.oneIsLost.members.map(\.url))
                #expect(members.map(\.isAnswering) == [true, false])
                #expect(members.map(\.silentSince) == [nil, 7])
                #expect(members.map(\.failure) == [nil, "Nobody listens there."])
            }
        }
    }

    /// What others have ordered still comes in; what a client brings is turned away in time, and goes to another node.
    @Test func aNodeWhoseDiskIsNearlyFullTakesNothingNew() async throws {
        let free = Locked(Self.disk.free)
        try await Mall.with(configure: { configuration in
            configuration.host = {
                HostReport(
                    disk: HostReport.Disk(
                        free: free.withLock { $0 }, total: Self.disk.total, reserve: Self.disk.reserve))
            }
        }) { mall in
            try mall.publish()
            let (alice, bob) = (try mall.open(), try mall.open())
            try mall.accrue(alice, 100, order: "1")
            let gift = mall.signed(
                [.transfer(from: alice.account, to: bob.account, unit: mall.unit, amount: 5)], alice.author)
            #expect(try mall.submit(gift).status == 200)
            free.withLock { $0 = Self.disk.reserve - 1 }
            let height = mall.consortium.first.status.committed
            let more = mall.signed(
                [.transfer(from: alice.account, to: bob.account, unit: mall.unit, amount: 7)], alice.author)
            let refused = try mall.submit(more)
            #expect(refused.status == 503 && refused.json["code"] == "disk-nearly-full", "\(refused.text)")
            #expect(refused.response.header("Retry-After") != nil)
            #expect(refused.text.contains("\(Self.disk.reserve)"))
            // What is done is told all the same.
            #expect(try mall.submit(gift).status == 200)
            #expect(mall.gateway.metricsText.contains("lianfen_disk_nearly_full 1\n"))
            #expect(mall.consortium.first.status.committed >= height)
            free.withLock { $0 = Self.disk.reserve }
            #expect(try mall.submit(more).status == 200)
        }
    }

    /// By its id alone: when it came, how it was answered, in which block it is final.
    @Test func oneTransactionIsFollowedThroughTheLog() async throws {
        try await Mall.with { mall in
            try mall.publish()
            let (alice, bob) = (try mall.open(), try mall.open())
            try mall.accrue(alice, 100, order: "1")
            let gift = mall.signed(
                [.transfer(from: alice.account, to: bob.account, unit: mall.unit, amount: 5)], alice.author)
            let reply = try mall.submit(gift)
            let request = try #require(reply.response.header("X-Request-Id"))
            func lines() -> [JSONValue] {
                let text = String(decoding: mall.logged.withLock { $0 }, as: UTF8.self)
                return text.split(separator: "\n").filter { $0.contains("\(gift.id)") }.compactMap {
                    try? JSONValue(parsing: Array($0.utf8))
                }
            }
            let deadline = ContinuousClock.now + .seconds(30)
            while lines().count < 3, ContinuousClock.now < deadline { Thread.sleep(forTimeInterval: 0.02) }
            func line(_ event: String) throws -> JSONValue {
                try #require(lines().first { $0["event"] == .string(event) }, "no line says \(event)")
            }
            #expect(try line("submitted")["id"] == .string(request))
            #expect(try line("request")["id"] == .string(request))
            #expect(try line("request")["status"] == 200)
            let certified = try line("certified")
            let height = try #require(certified["height"]).text
            #expect(reply.json["transaction"]?["place"]?["height"] == .string(height), "\(reply.text)")
            #expect(certified["result"] == "done")
            #expect(!lines().contains { $0.text.contains("\(alice.account)") })
        }
    }

    /// An alert on a figure that no node gives would never come.
    @Test func alertsNameFiguresThatThereAre() async throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let rules = try String(
            contentsOf: root.appendingPathComponent("examples/machines/alerts.yml"), encoding: .utf8)
        let named = Set(rules.matches(of: /lianfen_[a-z_]+/).map { String($0.0) })
        #expect(named.count > 10)
        try await Mall.with(configure: { configuration in
            configuration.host = {
                HostReport(
                    disk: Self.disk, certificates: [.init(file: "a \"b\"", endsAt: 5000)], backup: BackupStanding())
            }
            configuration.network = {
                var peer = PeerStanding(organisation: OrganisationID(2), url: "https://b.example")
                peer.height = 3
                return NetworkStanding(ordering: Self.oneIsLost, peers: [peer])
            }
        }) { mall in
            let text = mall.gateway.metricsText
            for name in named.sorted() { #expect(text.contains("\n\(name)") || text.hasPrefix(name), "\(name)") }
            for line in ["member=\"b.example:2379\"} 1", "member=\"c.example:2379\"} 0"] {
                #expect(text.contains("\nlianfen_ordering_member_up{\(line)\n"), "\(line)")
            }
            #expect(text.contains("lianfen_certificate_ends_seconds{file=\"a \\\"b\\\"\"} 5\n"))
        }
    }
}
