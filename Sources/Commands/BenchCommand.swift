import Bench
import Glibc
import JSON
import Terminal

/// `lianfen bench`: what this machine makes of the ledger.
enum BenchCommand {
    static let command = Command(
        "bench", "measure the ledger on this machine",
        details: """
            Runs all benchmarks, or those that --only names, each in a process of its own, and prints the median of \
            several runs beside the floors and goals that docs/performance.md explains. Ledgers are made in --dir, \
            which must be missing, empty or from an earlier run, and are used again by the next one; ten million \
            accounts take some gigabytes. Those named postgresql-… need Debian's package postgresql-15, and have a \
            server of their own for as long as they run.

            With --growth it measures how cost grows instead: with accounts (10 thousand to 10 million), with history \
            (1 to 50 million accrued lines) and with the size of a batch (1 to 8,190 lines). That is half an hour on \
            two cores and up to 17 GB; --largest leaves points out.

            With --json it prints one object a line: name, value, unit, ratio (to what is in the table), every run, \
            and `doubts`: why a figure should not be believed, such as a debug build or a busy machine.
            """,
        options: [
            .path("dir", placeholder: "DIR", .fallback("lianfen-bench"), help: "where ledgers are made and kept"),
            .choice(
                "only", of: (Benchmark.all + Benchmark.growth).map(\.name), .repeated,
                help: "run this one; may be given several times"),
            .integer("runs", in: 1...1000, .fallback("5"), help: "measured runs, after one that warms up"),
            .flag("growth", help: "measure the points of the curves in docs/performance.md"),
            .integer(
                "largest", in: 1...Int.max, help: "leave out points of more accounts, accrued lines or lines a batch"),
            .flag("machine", help: "say what machine this is, and measure nothing"),
            .flag("list", help: "say what there is, and measure nothing"),
            .flag("in-process", help: "measure here, and print what another call of this command reads"),
        ]
    ) { parsed, console in
        if parsed.flag("machine") {
            console.answer(["machine": .string(Machine.description)], text: Machine.description)
            return .ok
        }
        let benchmarks = chosen(parsed)
        if parsed.flag("list") {
            for benchmark in benchmarks {
                console.answer(
                    ["name": .string(benchmark.name), "about": .string(benchmark.about)],
                    text: "\(pad(benchmark.name, 26))\(benchmark.about)")
            }
            return .ok
        }
        let path = parsed.requiredText("dir")
        let runs = parsed.requiredNumber("runs")
        let setting = Benchmark.Setting(directory: try BenchDirectory(path), runs: runs, tool: tool)
        if parsed.flag("in-process") {
            for benchmark in benchmarks {
                for figure in try benchmark.measure(setting) { console.pass(figure.line) }
            }
            return .ok
        }
        try setting.directory.require(bytes: Benchmark.bytesOnDisk(benchmarks))
        if !parsed.json { console.pass(Table.head) }
        var suite = Suite(setting)
        var missed = 0
        for benchmark in benchmarks {
            console.setStatus("measuring \(benchmark.name)")
            let figures = try suite.run(
                benchmark,
                arguments: ["bench", "--in-process", "--dir", path, "--runs", "\(runs)", "--only"] + [benchmark.name])
            console.setStatus("")
            for figure in figures {
                console.pass(
                    parsed.json ? figure.json : Table.row(figure, figure.name == benchmark.name ? benchmark : nil))
                if benchmark.floor?.holds(figure) == false { missed += 1 }
            }
        }
        if missed > 0 { console.note("\(Counted.text(missed, "figure")) below the floor.") }
        return .ok
    }

    /// What the command line asks for, in the order in which it is measured.
    private static func chosen(_ parsed: Parsed) -> [Benchmark] {
        let wanted = parsed.texts("only")
        let largest = parsed.number("largest") ?? .max
        // How fast the machine is stands at the head of the curves too.
        let offered = parsed.flag("growth") ? [Benchmark.verifyLimit] + Benchmark.growth : Benchmark.all
        let named = (Benchmark.all + Benchmark.growth).filter { wanted.contains($0.name) }
        return (wanted.isEmpty ? offered : named).filter { $0.size <= largest }
    }

    /// This program.
    private static let tool: String = {
        var path = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &path, path.count - 1)
        return String(decoding: path.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }()

    static func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }
}

/// Figures as people read them.
private enum Table {
    static let head = "figure                            value  unit    ratio      floor       goal  spread"

    static func row(_ figure: Figure, _ benchmark: Benchmark?) -> String {
        var line = BenchCommand.pad(figure.name, 26) + right(Figure.text(figure.value), 13) + "  "
        line += BenchCommand.pad(figure.unit, 4) + right(figure.ratio.map(Figure.text) ?? "", 9)
        line += right(text(benchmark?.floor), 11) + right(text(benchmark?.goal), 11)
        line += right("\(Int((figure.spread * 100).rounded())) %", 8)
        if let benchmark, let floor = benchmark.floor, floor.holds(figure) == false { line += "  BELOW THE FLOOR" }
        for detail in figure.details {
            line += "\n    \(BenchCommand.pad(detail.name, 26))\(Figure.text(detail.value))"
        }
        for doubt in figure.doubts { line += "\n    do not believe it: \(doubt)" }
        return line
    }

    private static func text(_ bound: Benchmark.Bound?) -> String {
        switch bound {
        case .atLeast(let value): "≥ \(Figure.text(value))"
        case .atMost(let value): "≤ \(Figure.text(value))"
        case .ratioAtLeast(let value): "≥ \(Figure.text(value))×"
        case nil: ""
        }
    }

    private static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(1, width - text.count)) + text
    }
}
