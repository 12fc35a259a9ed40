import Chain
import Concurrency
import Crypto
import JSON
import Ledger
import Node
import Storage
import StorageRocksDB
import Terminal
import Wallet
import Wire

/// `lianfen status`: how a node is, on one screen.
enum StatusCommand {
    static let command = Command(
        "status", "show how a node is: heads, peers, order, disk, certificates, backups",
        details: """
            Asks the running node, as the validator or observer whose voting key lies in DIR. Where it does not \
            answer, what the directory itself tells is shown, and the exit code is 3. Whatever needs somebody is \
            marked with !, and the exit code is 1 then; 0 where all is well.
            """,
        options: [
            .path("dir", placeholder: "DIR", .required, help: "the node's directory"),
            .string("node", placeholder: "URL", .fallback("http://127.0.0.1:7878"), help: "where it serves"),
            .path("ca", placeholder: "FILE", help: "PEM file of the authorities that vouch for the node"),
            Passphrase.option,
        ]
    ) { parsed, console in
        let directory = try ChainDirectory(parsed.requiredText("dir"), passphrase: Passphrase(parsed))
        let setup = NodeSetup.exists(in: directory.path) ? try NodeSetup(directory) : nil
        guard let id = setup?.file.organisation ?? directory.members.first else {
            throw CommandError(
                code: "node-missing", field: "--dir", reason: "no node of this chain lives in \(directory.path)",
                exit: .environment)
        }
        let url = try NodeOption.url(parsed.requiredText("node"))
        var report: NodeReport?
        var failure: String?
        do {
            let client = try directory.client(of: id, at: url, authorities: parsed.text("ca"))
            defer { client.stop() }
            report = try client.report()
        } catch let error as NodeClientError {
            failure = error.sentence
        } catch let error as CommandError {
            // Without its key the node cannot be asked; what the directory tells is shown all the same.
            failure = "it was not asked: \(error.sentence)"
        }
        let screen = Screen(directory, id, setup, report, failure: failure, now: wallClockMilliseconds())
        console.answer(screen.json, text: screen.text)
        return report == nil ? .environment : screen.faults.isEmpty ? .ok : .refused
    }

    /// What is shown, and what is wrong.
    struct Screen {
        /// What needs somebody.
        private(set) var faults: [String] = []
        private var lines: [String] = []
        private let report: NodeReport?
        private let failure: String?

        var text: String { lines.joined(separator: "\n") }

        var json: JSONValue {
            [
                "report": report.map { Form.nodeReport.write($0) } ?? .null,
                "failure": failure.map { .string($0) } ?? .null, "faults": .array(faults.map { .string($0) }),
            ]
        }

        private static let certificateDays: UInt64 = 21
        private static let day: UInt64 = 86_400_000

        /// - Parameters:
        ///   - report: what the node says of itself; none where it does not answer.
        init(
            _ directory: ChainDirectory, _ id: OrganisationID, _ setup: NodeSetup?, _ report: NodeReport?,
            failure: String?, now: UInt64
        ) {
            self.report = report
            self.failure = failure
            let started = report.map { ", version \($0.program), up \(Self.span(now - min(now, $0.startedAt)))" } ?? ""
            add("node", "\(id) of \(directory.genesis.chain)\(started)")
            if let report {
                add(report.heads, now)
                add(report.validators, report.peers)
                if let ordering = report.ordering { add(ordering, now) }
            } else {
                fault("answer", "none: \(failure ?? "")")
                let known = try? directory.withTables { blocks in
                    (try blocks.height(), try blocks.header(blocks.height())?.time ?? 0)
                }
                if let (height, time) = known {
                    add("tables", "height \(height), block time \(UTC.text(time))")
                }
            }
            // What it does not tell is looked at here.
            add(
                report?.host
                    ?? HostWatch(
                        directory.path, reserve: nil, certificates: setup?.certificates ?? [],
                        backs: setup?.backup != nil
                    ).report,
                every: setup?.backup?.everySeconds, now)
        }

        private mutating func add(_ name: String, _ text: String) {
            lines.append("  " + name + String(repeating: " ", count: max(1, 14 - name.count)) + text)
        }

        private mutating func fault(_ name: String, _ text: String) {
            add(name, text)
            lines[lines.count - 1] = "! " + lines[lines.count - 1].dropFirst(2)
            faults.append("\(name): \(text)")
        }

        private mutating func show(_ name: String, _ text: String, isFault: Bool) {
            if isFault { fault(name, text) } else { add(name, text) }
        }

        private mutating func add(_ heads: NodeReport.Heads, _ now: UInt64) {
            let age = now - min(now, heads.time)
            show(
                "heads",
                "certified \(heads.certified), log \(heads.log), executed \(heads.executed), "
                    + "tables \(heads.committed), lag \(heads.lag)", isFault: heads.isOverdue)
            show(
                "block time", "\(UTC.text(heads.time)), \(Self.span(age)) ago",
                isFault: age > LightClient.staleMilliseconds)
            if let reason = heads.halted { fault("halted", reason) }
            if let reason = heads.signingStopped { fault("voting", "it does not vote: \(reason)") }
        }

        private mutating func add(_ validators: NodeReport.Validators, _ peers: [PeerReport]) {
            add(
                "validators",
                "\(validators.voting.count) vote, \(validators.quorum) make a block final; "
                    + "\(validators.spare) may be down"
            )
            for peer in peers {
                let votes = validators.voting.contains(peer.organisation)
                show(
                    "peer \(peer.organisation.number)",
                    "\(peer.url)  "
                        + (peer.isAnswering
                            ? "height \(peer.height)" : "does not answer: \(peer.failure ?? "not asked yet")")
                        + (votes ? "" : ", does not vote"), isFault: !peer.isAnswering && votes)
            }
        }

        private mutating func add(_ order: OrderingReport, _ now: UInt64) {
            let full = order.bytesMax == 0 ? 0 : 100 * order.bytes / order.bytesMax
            let state =
                order.complaint.map { "fails: \($0)" }
                ?? (order.isClosed ? "closed, too full" : order.isFilling ? "filling" : "in order")
            let silent = order.members.filter { !$0.isAnswering }
            let members =
                switch (order.members.count, silent.count) {
                case (0, _): ""
                case (1, 0): "; 1 member"
                case (let count, 0): "; \(count) members"
                case (let count, let silent): "; \(count - silent) of \(count) members answer"
                }
            show(
                "order", "\(state); \(Self.bytes(order.bytes)) of \(Self.bytes(order.bytesMax)) (\(full) %)\(members)",
                isFault: order.complaint != nil || order.isFilling || order.isClosed)
            for member in silent {
                let span = member.silentSince.map { " for \(Self.span(now - min(now, $0)))" } ?? ""
                fault("member", "\(member.url)  does not answer\(span): \(member.failure ?? "")")
            }
        }

        private mutating func add(_ host: HostReport, every: UInt64?, _ now: UInt64) {
            if let disk = host.disk {
                show(
                    "disk",
                    "\(Self.bytes(disk.free)) free of \(Self.bytes(disk.total))"
                        + (disk.isNearlyFull ? "; nothing new is taken up below \(Self.bytes(disk.reserve))" : ""),
                    isFault: disk.isNearlyFull)
            }
            for certificate in host.certificates {
                guard let end = certificate.endsAt else {
                    fault("certificate", "\(certificate.file) cannot be read")
                    continue
                }
                show(
                    "certificate",
                    "\(certificate.file) "
                        + (end <= now
                            ? "has ended on \(UTC.text(end)); make a new one"
                            : "until \(UTC.text(end)), \((end - now) / Self.day) days"),
                    isFault: end < now + Self.certificateDays * Self.day)
            }
            guard let backup = host.backup else { return add("backup", "none is made; see docs/operations.md") }
            if let made = backup.verified {
                let age = now - min(now, made.madeAt)
                show(
                    "backup",
                    "height \(made.height), verified, \(Self.span(age)) ago, \(Self.bytes(made.byteCount)) in "
                        + made.store, isFault: age > 2 * 1000 * (every ?? .max / 4000))
            } else {
                fault("backup", "none was verified yet")
            }
            if let failed = backup.failure { fault("backup", "failed on \(UTC.text(failed.at)): \(failed.reason)") }
        }

        private static func span(_ milliseconds: UInt64) -> String {
            let seconds = milliseconds / 1000
            switch seconds {
            case ..<120: return "\(seconds) s"
            case ..<7200: return "\(seconds / 60) min"
            case ..<172_800: return "\(seconds / 3600) h"
            default: return "\(seconds / 86_400) days"
            }
        }

        private static func bytes(_ count: UInt64) -> String {
            switch count {
            case ..<10_000_000: "\(count / 1000) kB"
            case ..<10_000_000_000: "\(count / 1_000_000) MB"
            default: "\(count / 1_000_000_000) GB"
            }
        }
    }
}
