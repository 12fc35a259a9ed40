import Crypto
import Foundation
import Ledger
import ServerKit
import TestSupport
import Testing
import Wire

@testable import Commands

/// `lianfen status`: one screen that says what needs somebody.
@Suite(.ownThread) struct StatusTests {
    @Test func aNodeIsShownWhileItRunsAndAfterwards() throws {
        try withChain { _, chain in
            let node = try Child(["node", "--dir", chain, "--listen", "127.0.0.1:0", "--disk-reserve", "1"])
            try node.waitFor("Serving http")
            let text = node.errors
            let from = try #require(text.range(of: "Serving "))
            let url = String(text[from.upperBound...].prefix { $0 != " " }.dropLast())
            func status(_ words: String...) -> Call { Call(["status", "--dir", chain, "--node", url] + words) }
            // The first block comes in a moment.
            let deadline = Date(timeIntervalSinceNow: 60)
            while status("--json").json["report"]["heads"]["committed"].text == "0", Date() < deadline {
                usleep(500_000)
            }
            let shown = status()
            #expect(shown.code == 0, "\(shown.output)\(shown.errors)")
            for word in [
                "organisation 1 of lianfen, version", "certified ", "1 vote, 1 make a block final; 0 may be down",
            ] {
                #expect(shown.output.contains(word), "\(word): \(shown.output)")
            }
            #expect(!shown.output.contains("! "))
            let json = status("--json").json
            #expect(json["faults"].count == 0 && json["failure"].isNull)
            #expect(json["report"]["host"]["disk"]["reserve"].text == "\(1 << 20)")

            node.interrupt()
            #expect(node.wait() == 0)
            let after = status()
            #expect(after.code == 3)
            #expect(after.output.contains("! answer"), "\(after.output)")
            #expect(after.output.contains("tables        height "), "\(after.output)")
            #expect(status("--json").json["report"].isNull)
        }
    }

    /// Whoever forgot the passphrase still sees what the directory tells, and what is missing.
    @Test func withoutThePassphraseTheDirectoryIsShown() throws {
        try withChain { root, chain in
            let passphrase = try root.write("passphrase", "secret\n")
            try Call.ok("passphrase", "--dir", chain, "--new-passphrase-file", passphrase)
            let shown = Call("status", "--dir", chain)
            #expect(shown.code == 3)
            #expect(shown.output.contains("it was not asked") && shown.output.contains("--passphrase-file"))
            #expect(shown.output.contains("tables        height "), "\(shown.output)")
        }
    }

    @Test func oneScreenSaysWhatNeedsSomebody() throws {
        try withChain { _, chain in
            let directory = try ChainDirectory(chain, passphrase: .none)
            let now: UInt64 = 1_800_000_000_000
            let day: UInt64 = 86_400_000
            func report(
                overdue: Bool = false, halted: String? = nil, silent: Bool = false, complaint: String? = nil,
                lost: Bool = false, free: UInt64 = 50 << 30, end: UInt64? = now + 90 * day,
                madeAt: UInt64? = now - day / 2, failure: String? = nil, age: UInt64 = 3000
            ) -> NodeReport {
                NodeReport(
                    program: "1", organisation: OrganisationID(1), startedAt: now - 3 * day,
                    heads: NodeReport.Heads(
                        log: 12, executed: 11, certified: 10, committed: 10, time: now - age, isOverdue: overdue,
                        signingStopped: nil, halted: halted),
                    validators: NodeReport.Validators(
                        voting: [OrganisationID(1), OrganisationID(2)], quorum: 2),
                    ordering: OrderingReport(
                        complaint: complaint, bytes: 30_000_000, bytesMax: 2 << 30, isFilling: false, isClosed: false,
                        members: ["d", "e", "f"].map { name in
                            let isLost = lost && name == "e"
                            return OrderingReport.Member(
                                url: "https://\(name).example:2379", isAnswering: !isLost,
                                silentSince: isLost ? now - 180_000 : nil,
                                failure: isLost ? "Nobody listens there." : nil)
                        }),
                    peers: [
                        PeerReport(
                            organisation: OrganisationID(2), url: "https://b.example:8443", height: 10,
                            isAnswering: !silent, answeredAt: now, failure: silent ? "its certificate has expired" : nil
                        ),
                        // Who does not vote may be away.
                        PeerReport(
                            organisation: OrganisationID(9), url: "https://i.example:8443", height: 0,
                            isAnswering: false, answeredAt: nil, failure: nil),
                    ],
                    host: HostReport(
                        disk: HostReport.Disk(free: free, total: 100 << 30, reserve: 2 << 30),
                        certificates: [HostReport.Certificate(file: "/etc/node.pem", endsAt: end)],
                        backup: BackupStanding(
                            verified: madeAt.map {
                                BackupStanding.Verified(
                                    height: 9, stateRoot: SHA256.hash([]), madeAt: $0, byteCount: 5_000_000,
                                    milliseconds: 700, store: "/var/backups")
                            }, failure: failure.map { BackupStanding.Failure(reason: $0, at: now) })))
            }
            func screen(_ report: NodeReport) -> StatusCommand.Screen {
                StatusCommand.Screen(directory, OrganisationID(1), nil, report, failure: nil, now: now)
            }
            let well = screen(report())
            #expect(well.faults == [])
            for word in [
                "lag 2", "up 3 days", "in order; 30 MB of 2147 MB (1 %); 3 members\n", "90 days",
                "height 9, verified, 12 h ago, 5000 kB",
            ] {
                #expect(well.text.contains(word), "\(word): \(well.text)")
            }
            for (wrong, word) in [
                (report(overdue: true), "heads: certified 10"),
                (report(halted: "the disk is full"), "halted: the disk"),
                (report(silent: true), "peer 2: https://b.example:8443  does not answer: its certificate has expired"),
                (report(complaint: "nobody answers"), "order: fails: nobody answers"),
                (
                    report(lost: true),
                    "member: https://e.example:2379  does not answer for 3 min: Nobody listens there."
                ),
                (report(free: 1 << 30), "disk: 1073 MB free"), (report(end: now + 9 * day), "/etc/node.pem until"),
                (report(end: now - day), "/etc/node.pem has ended on"),
                (report(end: nil), "/etc/node.pem cannot be read"),
                (report(madeAt: nil), "backup: none was verified yet"),
                (report(failure: "the store is away"), "backup: failed on"), (report(age: 40_000), "block time: "),
            ] {
                let found = screen(wrong)
                #expect(found.faults.count == 1 && found.faults[0].contains(word), "\(word): \(found.faults)")
                #expect(found.text.split(separator: "\n").filter { $0.hasPrefix("! ") }.count == 1)
            }
            let lost = screen(report(lost: true)).text
            #expect(lost.contains("in order; 30 MB of 2147 MB (1 %); 2 of 3 members answer\n"), "\(lost)")
        }
    }
}
