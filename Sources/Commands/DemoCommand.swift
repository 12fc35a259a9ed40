import Chain
import Concurrency
import Crypto
import Glibc
import Intake
import JSON
import Ledger
import Node
import Registrar
import Terminal
import Wallet
import Wire

/// `lianfen demo`: four organisations in one process, with members who buy, return, give and redeem.
enum DemoCommand {
    static let organisations = 4

    static let command = Command(
        "demo", "run four organisations here, with members who shop",
        details: """
            Makes a development chain of four organisations, or goes on with the one that is there, and lets a few \
            hundred members buy, return, give and redeem. Every block is certified by a quorum of the four. With \
            --orders a real file is played instead. Ctrl-C is the ordinary end, with exit code 0 (4 where it cut a \
            file short); a second start goes on from there.

            Two members, alice and bob, are left to you as wallets in its directory: look at them and spend for them \
            with `lianfen wallet --node URL` while the demo runs, and without --node once it has stopped.
            """,
        options: [
            .path("dir", placeholder: "DIR", .fallback("lianfen-demo"), help: "the demo's directory"),
            .seconds("seconds", in: 1...86_400, help: "stop by itself after this long, such as 30 or 5m"),
            .path("orders", placeholder: "FILE", help: "play the orders of this CSV file"),
            .path("mapping", placeholder: "MAP.json", help: "what the columns of --orders mean"),
            DemoTraffic.rateOption,
        ] + Service.options(listen: .fallback("127.0.0.1:7878"), logLevel: "warning")
    ) { parsed, console in
        let path = parsed.requiredText("dir")
        if parsed.text("orders") != nil, parsed.text("mapping") == nil {
            throw CommandError(
                code: "mapping-missing", field: "--mapping",
                reason: "--orders needs --mapping, which says what its "
                    + "columns mean; examples are in examples/mappings", exit: .usage)
        }
        // Read first, so that a wrong name makes no chain.
        var orders: OrderReader?
        if let file = parsed.text("orders"), let mapping = parsed.text("mapping") {
            orders = try OrderReader(mapping: ImportCommand.mapping(mapping), file: file)
        }
        if !Files.exists(ChainDirectory.genesisPath(path)) {
            _ = try InitCommand.create(
                at: path, chain: "demo", validators: organisations, quota: 1_000_000_000_000, passphrase: nil)
            console.note("Made a development chain in \(path); its keys are stored without a passphrase.")
        }
        let directory = try ChainDirectory(path, passphrase: .none)
        let figures = DemoFigures()
        let relay = Service.Relay()
        return try DemoTraffic.untilStopped(seconds: parsed.number("seconds")) { stop in
            try directory.withConsortium(certified: { block in
                figures.note(block)
                relay.note(block)
            }) { consortium in
                let service = try Service(
                    parsed, directory, consortium.first, of: directory.members[0], relay)
                defer { service?.stop() }
                console.note(
                    "\(consortium.runners.count) organisations certify blocks in this process. Ctrl-C stops; a second "
                        + "start goes on from there.")
                if let service { console.note("Open \(service.url) in a browser; the interface is in docs/api.md.") }
                let chain = DemoConsortium(consortium: consortium, figures: figures)
                let shops = try DemoShop.all(in: [directory])
                let screen = DemoScreen(console, chain, shops)
                var isCutShort = false
                if let orders {
                    isCutShort = try play(
                        orders, total: parsed.text("orders").flatMap(Files.rowsAtMost), directory, consortium, console,
                        stop)
                } else {
                    var traffic = try DemoTraffic(directory, shops, chain, perSecond: parsed.requiredNumber("rate"))
                    try traffic.run(screen, stop)
                }
                try screen.finish()
                if parsed.text("orders") == nil {
                    console.note(
                        "\(DemoTraffic.walletNames.joined(separator: " and ")) are yours to spend for: "
                            + "`lianfen wallet balance \(DemoTraffic.walletNames[0]) --dir \(path)`.")
                }
                return isCutShort ? .interrupted : .ok
            }
        }
    }

    /// Imports a file into the demo's chain; answers whether it was stopped before the file's end.
    private static func play(
        _ reader: OrderReader, total: Int?, _ directory: ChainDirectory, _ consortium: Consortium, _ console: Console,
        _ stop: StopRequest
    ) throws -> Bool {
        let rejects = try RejectsWriter(path: directory.path + "/demo.rejects.csv")
        let people = try People(path: directory.peoplePath)
        defer { people.close() }
        let bar = ProgressBar(console, "import", unit: "orders", total: total)
        var importer = try Importer(
            directory, reader.mapping, reader, people, LocalChain(directory, running: consortium), rejects)
        let totals = try importer.run(bar, stop) { console.note($0) }
        try rejects.finish()
        bar.finish()
        console.note(totals.text(reader.mapping, rejects: rejects.count > 0 ? rejects.path : nil))
        return totals.stopped
    }
}

/// What the demo has seen certified.
final class DemoFigures: Sendable {
    struct Counts: Sendable {
        var transactions = 0
        var lines = 0
        var refused = 0
        /// Not certified, and not refused either.
        var failed = 0
        /// Why the last of those failed.
        var complaint: String?
        /// Of the newest block that was seen.
        var height: UInt64 = 0
        /// By kind of operation, each line of a list for itself.
        var kinds: [String: Int] = [:]
    }

    private let state = Locked(Counts())

    var counts: Counts { state.withLock { $0 } }

    func note(_ certified: CertifiedBlock) {
        let transactions = certified.block.decoded.entry?.transactions ?? []
        let height = certified.block.header.height
        state.withLock { counts in
            counts.height = max(counts.height, height)
            for (transaction, receipt) in zip(transactions, certified.block.output.receipts) {
                counts.note(transaction, receipt)
            }
        }
    }

    func note(_ transaction: Transaction, _ receipt: Receipt, at height: UInt64) {
        state.withLock { counts in
            counts.height = max(counts.height, height)
            counts.note(transaction, receipt)
        }
    }

    /// Of a transaction that a client could not bring into the chain.
    func note(_ transaction: Transaction, failed error: NodeClientError) {
        state.withLock { counts in
            // What came too late was not refused for what it says.
            if error.refusal == nil || error.code == .expired {
                counts.failed += 1
                counts.complaint = error.sentence
            } else {
                counts.transactions += 1
                counts.refused += 1
            }
        }
    }
}

extension DemoFigures.Counts {
    fileprivate mutating func note(_ transaction: Transaction, _ receipt: Receipt) {
        transactions += 1
        if receipt.result.isRefusal { refused += 1 }
        for (operation, outcome) in zip(transaction.body.operations, receipt.outcomes) {
            var done = 1
            if case .lines(let lines, _) = outcome { done = Int(lines) }
            kinds[operation.kind, default: 0] += done
            if case .accrue = operation { self.lines += done }
        }
    }
}

/// Live figures: a status line where there is a terminal, a line every few seconds where there is none, one answer at
/// the end.
final class DemoScreen {
    private let console: Console
    private let chain: any DemoChain
    private let shops: [DemoShop]
    private let begun = ProgressBar.monotonic()
    private var shownAt: UInt64 = 0
    private var last = (at: UInt64(0), transactions: 0)
    private static let plainIntervalNanoseconds: UInt64 = 5_000_000_000
    private static let liveIntervalNanoseconds: UInt64 = 500_000_000

    init(_ console: Console, _ chain: any DemoChain, _ shops: [DemoShop]) {
        self.console = console
        self.chain = chain
        self.shops = shops
        last.at = begun
        shownAt = begun
    }

    func refresh() {
        let now = ProgressBar.monotonic()
        let interval = console.isWatched ? Self.liveIntervalNanoseconds : Self.plainIntervalNanoseconds
        guard now >= shownAt + interval else { return }
        shownAt = now
        let counts = chain.figures.counts
        let rate = UInt64(counts.transactions - last.transactions) * 1_000_000_000 / max(now - last.at, 1)
        last = (now, counts.transactions)
        // Fits into 80 places; what comes last is cut first.
        let figures = [
            ("purchases", counts.lines), ("gifts", counts.kinds["transfer"] ?? 0),
            ("redeemed", counts.kinds["redeem"] ?? 0), ("returned", counts.kinds["claw-back"] ?? 0),
        ]
        let text =
            "height \(counts.height)  \(rate) tx/s  "
            + figures.map { "\($0.0) \($0.1)" }.joined(separator: "  ")
            + (counts.failed == 0 ? "" : "  failed \(counts.failed): \(counts.complaint ?? "")")
        if console.isWatched { console.setStatus(text) } else { console.note(text) }
    }

    /// The units as the ledger has them at the end.
    func finish() throws {
        let counts = chain.figures.counts
        let stamp = try chain.stamp()
        let units = try chain.units(of: shops)
        let seconds = (ProgressBar.monotonic() - begun + 500_000_000) / 1_000_000_000
        let failed = counts.failed == 0 ? "" : ", and \(counts.failed) not certified: \(counts.complaint ?? "")"
        console.setStatus("")
        console.answer(
            [
                "height": JSONValue(stamp.height), "stateRoot": .string(stamp.stateRoot.description),
                "seconds": JSONValue(seconds), "transactions": JSONValue(counts.transactions),
                "lines": JSONValue(counts.lines), "refused": JSONValue(counts.refused),
                "failed": JSONValue(counts.failed),
                "units": .array(units.map(Self.json)),
            ],
            text: (["points of         outstanding     redeemed  clawed back    cancelled"] + units.map(Self.line))
                .joined(separator: "\n")
                + "\n\(counts.transactions) transactions (\(counts.refused) refused\(failed)) with \(counts.lines) "
                + "purchases in \(seconds) s; certified height \(stamp.height)\nState root \(stamp.stateRoot)")
    }

    private static func json(_ unit: DemoUnit) -> JSONValue {
        [
            "unit": .string(unit.code.description), "minted": .string(String(unit.minted)),
            "outstanding": .string(String(unit.outstanding)), "redeemed": .string(String(unit.redeemed)),
            "clawed": .string(String(unit.clawed)), "cancelled": .string(String(unit.cancelled)),
            "debt": .string(String(unit.debt)),
        ]
    }

    private static func line(_ unit: DemoUnit) -> String {
        func right(_ value: UInt64, _ width: Int) -> String {
            let text = String(value)
            return String(repeating: " ", count: max(0, width - text.count)) + text
        }
        let code = unit.code.description
        return code + String(repeating: " ", count: max(0, 16 - code.count)) + right(unit.outstanding, 13)
            + right(unit.redeemed, 13) + right(unit.clawed, 13) + right(unit.cancelled, 13)
    }
}
