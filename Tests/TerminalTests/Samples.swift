import Concurrency
import JSON

@testable import Terminal

/// Collects what would have gone to a stream.
final class Recorder: Sendable {
    private let bytes = Locked<[UInt8]>([])

    var text: String { String(decoding: bytes.withLock { $0 }, as: UTF8.self) }
    var sink: Sink {
        Sink { new in
            self.bytes.withLock { $0 += new }
            return true
        }
    }
}

/// One call of a tool, with what it wrote.
struct Call {
    let code: ExitCode
    let output: String
    let errors: String

    init(_ words: [String], of tool: Tool = Samples.tool, columns: Int = 80) {
        let output = Recorder()
        let errors = Recorder()
        let streams = Streams(output: output.sink, errors: errors.sink, errorsAreTerminal: false, columns: columns)
        code = tool.run(words, streams: streams)
        self.output = output.text
        self.errors = errors.text
    }
}

struct StrangeFault: Error {}
struct DiskFault: Error {}

enum Samples {
    static let send = Command(
        "send", "move points to another account",
        details: """
            Points that expire soonest go first. The receiver need not be
            online.

            A transfer that was certified cannot be taken back.
            """,
        arguments: [
            Argument("TO", help: "account that receives"),
            Argument("AMOUNT", .integer(1...1_000_000), help: "points to send"),
        ],
        options: [
            .string(
                "memo", short: "m", help: "words for the receiver, who reads them in the wallet next to the amount"),
            .choice("unit", of: ["mall", "cinema"], .fallback("mall"), help: "unit to send"),
            .seconds("wait", .fallback("90s"), help: "how long to wait for the certificate"),
            .string("tag", .repeated, help: "mark for later search"),
            .flag("dry-run", short: "n", help: "check only"),
        ]
    ) { parsed, console in
        let to = parsed.requiredText("TO")
        let amount = parsed.requiredNumber("AMOUNT")
        console.note("sending")
        console.answer(["to": .string(to), "amount": JSONValue(amount)], text: "sent \(amount) to \(to)")
        return .ok
    }

    static let fail = Command(
        "fail", "throw what is asked for",
        arguments: [Argument("WHAT", .choice(["known", "disk", "strange"]), help: "fault")]
    ) { parsed, _ in
        switch parsed.requiredText("WHAT") {
        case "known": throw CommandError(code: "insufficient", field: "AMOUNT", reason: "only 3 are there")
        case "disk": throw DiskFault()
        default: throw StrangeFault()
        }
    }

    static let silent = Command("silent", "say nothing", answersJSON: false) { _, _ in .refused }

    static let import_ = Command(
        "import", "read orders", arguments: [Argument("FILE", .path, .repeatedRequired, help: "table of orders")],
        options: [.path("mapping", .required, help: "mapping file")]
    ) { parsed, console in
        console.answer(
            .null, text: parsed.texts("FILE").joined(separator: "|") + " by " + parsed.requiredText("mapping"))
        return .ok
    }

    static let tool = Tool(
        Command(
            "lianfen", "a shared ledger of points",
            subcommands: [
                Command(
                    "wallet", "keys and balances",
                    options: [.path("dir", placeholder: "DIR", .required, help: "directory of the node")],
                    subcommands: [send]),
                import_, fail, silent,
            ]),
        version: "0.1.0",
        explain: {
            $0 is DiskFault ? CommandError(code: "disk-full", reason: "the disk is full", exit: .environment) : nil
        })
}
