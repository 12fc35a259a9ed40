import Crypto
import JSON
import Ledger
import Node
import StorageRocksDB
import Terminal

/// `lianfen audit DIR`: replays everything from the genesis.
enum AuditCommand {
    static let command = Command(
        "audit", "replay a directory from its genesis and find the first wrong height",
        details: """
            Executes every block again with all signatures, certificates, roots and conservation, then compares the \
            stored tables with the replay. Only reads, and may run beside a running node. Exit code 1 says that \
            something is wrong, 0 that nothing is.
            """,
        arguments: [Argument("DIR", .path, help: "the chain's directory")],
        options: [
            .integer("validator", in: 1...1_000_000, help: "whose directory, where several live here; default: all"),
            .path("genesis", placeholder: "FILE", help: "the genesis you trust; default: the one in DIR"),
        ]
    ) { parsed, console in
        let directory = try ChainDirectory(parsed.requiredText("DIR"), passphrase: .none, field: "DIR")
        let trusted = try parsed.text("genesis").map(ChainDirectory.readGenesis)
        let wanted = parsed.number("validator").map { OrganisationID(UInt32($0)) }
        let members = directory.members.filter { wanted == nil || wanted == $0 }
        guard !members.isEmpty else {
            throw CommandError(
                code: "validator-unknown", field: "--validator", reason: "no such validator lives in \(directory.path)")
        }
        let stop = Signals.install()
        var reports: [(id: OrganisationID, report: Audit.Report)] = []
        for id in members {
            let store = try RocksDBStore(
                directory: ChainDirectory.storePath(directory.path, id), mode: .readOnly)
            defer { store.close() }
            let last = (try? BlockStore(store).height()).map { Int(clamping: $0) }
            let bar = ProgressBar(console, "audit of validator \(id.number):", unit: "blocks", total: last)
            let report = try Audit.run(
                store, trusted: trusted ?? directory.genesis, progress: { height, _ in bar.set(Int(clamping: height)) },
                isCancelled: { stop.isRequested })
            bar.finish()
            reports.append((id, report))
            if stop.isRequested {
                throw CommandError(
                    code: "interrupted", reason: "stopped at height \(report.height)", exit: .interrupted)
            }
        }
        let worst = reports.first { !$0.report.ok } ?? reports[0]
        console.answer(answer(worst.report, reports), text: text(reports))
        return worst.report.ok ? .ok : .refused
    }

    private static func answer(
        _ worst: Audit.Report, _ reports: [(id: OrganisationID, report: Audit.Report)]
    ) -> JSONValue {
        [
            "ok": .bool(worst.ok), "height": JSONValue(worst.height),
            "stateRoot": .string(worst.stateRoot.description), "firstWrong": wrong(worst),
            "transactions": JSONValue(worst.transactions), "signatures": JSONValue(worst.signatures),
            "certificates": JSONValue(worst.certificates),
            "validators": .array(
                reports.map { id, report in
                    [
                        "validator": JSONValue(id.number), "ok": .bool(report.ok), "height": JSONValue(report.height),
                        "stateRoot": .string(report.stateRoot.description), "firstWrong": wrong(report),
                    ]
                }),
        ]
    }

    private static func wrong(_ report: Audit.Report) -> JSONValue {
        guard let fault = report.firstWrong else { return .null }
        return [
            "height": JSONValue(fault.height), "part": .string(fault.part), "reason": .string(fault.reason),
        ]
    }

    private static func text(_ reports: [(id: OrganisationID, report: Audit.Report)]) -> String {
        let roots = Set(reports.map(\.report.stateRoot))
        let lines = reports.map { id, report in
            if let fault = report.firstWrong {
                return "Validator \(id.number): WRONG at height \(fault.height), \(fault.part): \(fault.reason)."
            }
            return """
                Validator \(id.number): nothing wrong up to height \(report.height) \
                (\(report.transactions) transactions, \(report.signatures) signatures, \
                \(report.certificates) certificates)\(roots.count > 1 ? ", state root \(report.stateRoot)" : "")
                """
        }
        let isWrong = reports.contains { !$0.report.ok }
        return (lines + (roots.count == 1 && !isWrong ? roots.map { "State root \($0)" } : []))
            .joined(separator: "\n")
    }
}
