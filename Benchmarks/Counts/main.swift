import Bench
import Glibc
import Terminal

/// `Counts`: what the paths of a busy node cost in instructions, held to a file. Time is not measured, so it does not
/// matter what else the machine does.
let counts = Tool(
    Command(
        "Counts", "hold the cost of the hot paths, in instructions, to a file",
        subcommands: [
            Command("run", "run all paths, once to warm up and once to be counted", answersJSON: false) { _, console in
                for path in HotPath.all {
                    let (count, sum) = try path.run()
                    console.pass("\(path.name)\t\(count)\t\(sum)")
                }
                return .ok
            },
            Command(
                "check", "count, and compare with the file", arguments: CountsCommand.arguments,
                options: CountsCommand.options, answersJSON: false
            ) { parsed, console in
                try CountsCommand.run(parsed, console) { table, path in
                    guard let bytes = Machine.bytes(of: path) else {
                        throw CommandError(code: "counts-missing", field: path, reason: "cannot be read")
                    }
                    let file: CountTable
                    do throws(CountTable.Malformed) {
                        file = try CountTable(parsing: String(decoding: bytes, as: UTF8.self))
                    } catch { throw CommandError(code: "counts-malformed", field: path, reason: error.reason) }
                    let differences = file.differences(from: table)
                    if differences.isEmpty {
                        console.pass(
                            "The counts of \(table.rows.count) paths are within "
                                + "\(Int(CountTable.toleratedPart * 100)) % of \(path).")
                        return .ok
                    }
                    for sentence in differences { console.note(sentence) }
                    console.note("Where this is meant, `make counts-write` writes \(path) anew; commit it.")
                    return .refused
                }
            },
            Command(
                "write", "count, and write the file", arguments: CountsCommand.arguments,
                options: CountsCommand.options, answersJSON: false
            ) { parsed, console in
                try CountsCommand.run(parsed, console) { table, path in
                    guard Machine.write(Array(table.text.utf8), to: path) else {
                        throw CommandError(code: "counts", field: path, reason: "cannot be written", exit: .environment)
                    }
                    console.pass("Wrote \(table.rows.count) counts into \(path).")
                    return .ok
                }
            },
        ]), version: "1"
) { error in
    (error as? BenchError).map { CommandError(code: $0.code, reason: $0.description, exit: .environment) }
}

/// What `check` and `write` share.
enum CountsCommand {
    static let arguments = [Argument("FILE", .path, help: "the file of counts")]
    static let options = [
        Option.path("dir", placeholder: "DIR", .fallback(".build/counts"), help: "where callgrind writes its dumps")
    ]

    static func run(
        _ parsed: Parsed, _ console: Console, _ body: (CountTable, String) throws -> ExitCode
    ) throws -> ExitCode {
        #if DEBUG
            throw CommandError(code: "counts", reason: "the counts of a debug build mean nothing; use `make counts`")
        #elseif !arch(x86_64)
            console.note("Counts are held for x86-64 only: nothing was counted here, and nothing compared.")
            return .ok
        #else
            return try body(
                Callgrind(directory: BenchDirectory(parsed.requiredText("dir"))).count(), parsed.requiredText("FILE"))
        #endif
    }
}

counts.main()
