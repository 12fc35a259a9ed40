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
            .integer("rate", in: 1...2000, .fallback("40"), help: "purchases a second, on average"),
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
        // Its own, since the end of the demo's time asks for a stop too, and the signals' request is the process's.
        let stop = StopRequest()
        Signals.install().onRequest { stop.request() }
        let end = parsed.number("seconds").map { ProgressBar.monotonic() + UInt64($0) * 1_000_000_000 }
        let figures = DemoFigures()
        let timer = end.map { end in
            WorkerThread("demo-timer") {
                while !stop.isRequested {
                    let now = ProgressBar.monotonic()
                    if now >= end { return stop.request() }
                    _ = stop.wait(milliseconds: Int32(min((end - now) / 1_000_000 + 1, 1000)))
                }
            }
        }
        defer {
            stop.request()
            timer?.join()
        }
        let relay = Service.Relay()
        return try directory.withConsortium(certified: { block in
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
            let screen = DemoScreen(console, figures, consortium)
            var isCutShort = false
            if let orders {
                isCutShort = try play(
                    orders, total: parsed.text("orders").flatMap(Files.rowsAtMost), directory, consortium, console, stop
                )
            } else {
                var traffic = try DemoTraffic(directory, consortium, perSecond: parsed.requiredNumber("rate"))
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
        var blocks = 0
        var transactions = 0
        var lines = 0
        var refused = 0
        /// By kind of operation, each line of a list for itself.
        var kinds: [String: Int] = [:]
    }

    private let state = Locked(Counts())

    var counts: Counts { state.withLock { $0 } }

    func note(_ certified: CertifiedBlock) {
        let transactions = certified.block.decoded.entry?.transactions ?? []
        state.withLock { counts in
            counts.blocks += 1
            for (transaction, receipt) in zip(transactions, certified.block.output.receipts) {
                counts.transactions += 1
                if receipt.result.isRefusal { counts.refused += 1 }
                for (operation, outcome) in zip(transaction.body.operations, receipt.outcomes) {
                    var done = 1
                    if case .lines(let lines, _) = outcome { done = Int(lines) }
                    counts.kinds[operation.kind, default: 0] += done
                    if case .accrue = operation { counts.lines += done }
                }
            }
        }
    }
}

/// Live figures: a status line where there is a terminal, a line every few seconds where there is none, one answer at
/// the end.
final class DemoScreen {
    private let console: Console
    private let figures: DemoFigures
    private let consortium: Consortium
    private let begun = ProgressBar.monotonic()
    private var shownAt: UInt64 = 0
    private var last = (at: UInt64(0), transactions: 0)
    private static let plainIntervalNanoseconds: UInt64 = 5_000_000_000
    private static let liveIntervalNanoseconds: UInt64 = 500_000_000

    init(_ console: Console, _ figures: DemoFigures, _ consortium: Consortium) {
        self.console = console
        self.figures = figures
        self.consortium = consortium
        last.at = begun
        shownAt = begun
    }

    func refresh() {
        let now = ProgressBar.monotonic()
        let interval = console.isWatched ? Self.liveIntervalNanoseconds : Self.plainIntervalNanoseconds
        guard now >= shownAt + interval else { return }
        shownAt = now
        let counts = figures.counts
        let rate = UInt64(counts.transactions - last.transactions) * 1_000_000_000 / max(now - last.at, 1)
        last = (now, counts.transactions)
        let status = consortium.first.status
        // Fits into 80 places; what comes last is cut first.
        let figures = [
            ("purchases", counts.lines), ("gifts", counts.kinds["transfer"] ?? 0),
            ("redeemed", counts.kinds["redeem"] ?? 0), ("returned", counts.kinds["claw-back"] ?? 0),
        ]
        let text =
            "height \(status.committed)  \(rate) tx/s  "
            + figures.map { "\($0.0) \($0.1)" }.joined(separator: "  ")
        if console.isWatched { console.setStatus(text) } else { console.note(text) }
    }

    /// The units as the ledger has them at the end.
    func finish() throws {
        let counts = figures.counts
        let status = consortium.first.status
        let units = try consortium.first.blocks.units()
        let seconds = (ProgressBar.monotonic() - begun + 500_000_000) / 1_000_000_000
        console.setStatus("")
        console.answer(
            [
                "height": JSONValue(status.committed), "stateRoot": .string(status.stateRoot.description),
                "seconds": JSONValue(seconds), "transactions": JSONValue(counts.transactions),
                "lines": JSONValue(counts.lines), "refused": JSONValue(counts.refused),
                "units": .array(units.map(Self.json)),
            ],
            text: (["points of         outstanding     redeemed  clawed back    cancelled"] + units.map(Self.line))
                .joined(separator: "\n")
                + "\n\(counts.transactions) transactions (\(counts.refused) refused) with \(counts.lines) purchases "
                + "in \(seconds) s; certified height \(status.committed)\nState root \(status.stateRoot)")
    }

    private static func json(_ unit: Unit) -> JSONValue {
        [
            "unit": .string(unit.code.description), "minted": .string(String(unit.minted)),
            "outstanding": .string(String(unit.outstanding)), "redeemed": .string(String(unit.redeemed)),
            "clawed": .string(String(unit.clawed)), "cancelled": .string(String(unit.cancelled)),
            "debt": .string(String(unit.debt)),
        ]
    }

    private static func line(_ unit: Unit) -> String {
        func right(_ value: UInt64, _ width: Int) -> String {
            let text = String(value)
            return String(repeating: " ", count: max(0, width - text.count)) + text
        }
        let code = unit.code.description
        return code + String(repeating: " ", count: max(0, 16 - code.count)) + right(unit.outstanding, 13)
            + right(unit.redeemed, 13) + right(unit.clawed, 13) + right(unit.cancelled, 13)
    }
}
