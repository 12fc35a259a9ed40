import Intake
import JSON
import Ledger
import Registrar
import Terminal

/// `lianfen import`: orders from a spreadsheet become certified points.
enum ImportCommand {
    static let command = Command(
        "import", "credit the orders of a CSV file",
        details: """
            What the columns mean is said by a mapping file (docs/import.md). Rows that cannot be read or are refused \
            go to a rejects file with line number and reason; the rest goes in. Run again, it adds nothing; stopped in \
            the middle, it goes on.
            """,
        arguments: [Argument("FILE", .path, help: "the orders; files it is joined with lie beside it")],
        options: [
            .path(
                "mapping", placeholder: "MAP.json", .required, help: "what the columns mean, as in examples/mappings"),
            .path("dir", placeholder: "DIR", .required, help: "the chain's directory"),
            .flag("dry-run", help: "read everything and say what would be added; change nothing"),
            .path("rejects", placeholder: "FILE", help: "where rejected rows go; default: FILE.rejects.csv in DIR"),
            Passphrase.option,
        ] + NodeOption.options
    ) { parsed, console in
        let node = try NodeOption(parsed)
        let directory = try NodeOption.directory(parsed)
        let mapping = try mapping(parsed.requiredText("mapping"))
        let file = parsed.requiredText("FILE")
        let reader = try OrderReader(mapping: mapping, file: file)
        let name = file.split(separator: "/").last.map(String.init) ?? file
        let rejectsPath = parsed.text("rejects") ?? "\(directory.path)/\(name).rejects.csv"
        let stop = Signals.install()
        let bar = ProgressBar(console, "import", unit: "orders", total: Files.rowsAtMost(file))
        let totals: ImportTotals
        if parsed.flag("dry-run") {
            let purpose: ChainDirectory.Purpose =
                node == nil ? .read : .readAs(speaker: try Importer.speaker(mapping, directory))
            totals = try directory.withChain(node, purpose) {
                try DryRun(directory, mapping, reader, $0).run(bar, stop)
            }
        } else {
            let rejects = try RejectsWriter(path: rejectsPath)
            let people = try People(path: directory.peoplePath)
            defer { people.close() }
            let speaker = try Importer.speaker(mapping, directory)
            totals = try directory.withChain(node, .sendMany(speaker: speaker)) { chain in
                var importer = try Importer(directory, mapping, reader, people, chain, rejects)
                return try importer.run(bar, stop) { console.note($0) }
            }
            try rejects.finish()
        }
        bar.finish()
        let isDry = parsed.flag("dry-run")
        console.answer(
            totals.json,
            text: totals.text(mapping, rejects: totals.rejected > 0 && !isDry ? rejectsPath : nil)
                + (isDry ? "\nThis was a dry run: nothing was changed." : ""))
        return totals.stopped ? .interrupted : .ok
    }

    /// Reads a mapping; an error names its file, since the orders are a file too.
    static func mapping(_ path: String) throws -> Mapping {
        let bytes = try Files.read(path, max: 1 << 20)
        do throws(MappingError) { return try Mapping(json: bytes) } catch {
            throw CommandError(
                code: "mapping-invalid", field: error.path,
                reason: "\(error.reason), in the mapping \(CommandError.quoted(path))")
        }
    }
}

/// What an import came to.
struct ImportTotals: Sendable {
    struct Sum: Equatable, Sendable {
        var count = 0
        var points: UInt64 = 0

        mutating func add(_ points: UInt64) {
            count += 1
            self.points += points
        }

        mutating func add(_ other: Sum) {
            count += other.count
            points += other.points
        }

        var json: JSONValue { ["count": JSONValue(count), "points": JSONValue(points)] }
    }

    struct ByState: Equatable, Sendable {
        /// Orders that earn, whether they were there before or not.
        var orders = Sum()
        /// What this run added.
        var vested = Sum()
        var pending = Sum()
        var voided = Sum()
        /// Orders that were vested before and are cancelled now.
        var clawedBack = Sum()

        mutating func add(_ other: ByState) {
            for part in [\ByState.orders, \.vested, \.pending, \.voided, \.clawedBack] {
                self[keyPath: part].add(other[keyPath: part])
            }
        }

        var members: [JSONValue.Member] {
            [
                .init("orders", orders.json), .init("vested", vested.json), .init("pending", pending.json),
                .init("voided", voided.json), .init("clawedBack", clawedBack.json),
            ]
        }
    }

    var all = ByState()
    var units: [String: ByState] = [:]
    var nothingEarned = 0
    var rejected = 0
    /// Orders that stood on the chain as they are now.
    var already = 0
    var stopped = false

    mutating func count(_ order: Order, _ path: WritableKeyPath<ByState, Sum>) {
        all[keyPath: path].add(order.points)
        units[order.unit, default: ByState()][keyPath: path].add(order.points)
    }

    mutating func add(_ other: ImportTotals) {
        all.add(other.all)
        for (unit, states) in other.units { units[unit, default: ByState()].add(states) }
        nothingEarned += other.nothingEarned
        rejected += other.rejected
        already += other.already
        stopped = stopped || other.stopped
    }

    var json: JSONValue {
        let byUnit: [JSONValue.Member] = units.sorted { $0.key < $1.key }.map {
            .init($0.key, .object($0.value.members))
        }
        let rest: [JSONValue.Member] = [
            .init("nothingEarned", JSONValue(nothingEarned)), .init("rejected", JSONValue(rejected)),
            .init("already", JSONValue(already)), .init("stopped", .bool(stopped)), .init("units", .object(byUnit)),
        ]
        return .object(all.members + rest)
    }

    func text(_ mapping: Mapping, rejects: String?) -> String {
        let decimals = Set(mapping.programs.map(\.decimals))
        func shown(_ sum: Sum) -> String {
            let count = ProgressBar.grouped(sum.count)
            // Units of unlike decimals do not add up to one number.
            guard decimals.count == 1, let places = decimals.first else { return count }
            let parts = AmountText.show(sum.points, decimals: places).split(separator: ".")
            let points = ([ProgressBar.grouped(Int(parts[0]) ?? 0)] + parts.dropFirst().map(String.init))
            return "\(count), \(points.joined(separator: ".")) points"
        }
        var lines = [
            "Orders that earn  \(shown(all.orders))",
            "  added vested    \(shown(all.vested))",
            "  added pending   \(shown(all.pending))",
            "  added voided    \(shown(all.voided))",
            "  clawed back     \(shown(all.clawedBack))",
            "  there before    \(ProgressBar.grouped(already))",
            "Earn nothing      \(ProgressBar.grouped(nothingEarned))",
            "Rejected rows     \(ProgressBar.grouped(rejected))" + (rejects.map { ", see \($0)" } ?? ""),
        ]
        if stopped { lines.append("Stopped before the end; run it again to go on.") }
        return lines.joined(separator: "\n")
    }
}
