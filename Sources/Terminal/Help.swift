/// The help of one command, made from its declaration alone, so that the two cannot disagree.
struct Help {
    /// From the tool down to the command that is explained.
    let path: [Command]
    /// Places of a line.
    let columns: Int

    private var command: Command { path[path.count - 1] }

    /// The whole text, ending with a newline.
    var text: String {
        var sections: [[String]] = [TextLayout.wrapped("\(path.pathText) - \(command.summary)", to: columns)]
        sections.append(usage)
        for paragraph in paragraphs { sections.append(TextLayout.wrapped(paragraph, to: columns)) }
        sections += section("Commands", command.subcommands.map { ($0.name, $0.summary) })
        if !command.subcommands.isEmpty {
            let words = [path[0].name, "help"] + path.dropFirst().map(\.name) + ["COMMAND"]
            sections.append(TextLayout.wrapped("`\(words.joined(separator: " "))` tells more of one.", to: columns))
        }
        sections += section("Arguments", command.arguments.map { ($0.name, Help.explained($0)) })
        sections += section("Options", optionRows)
        if path.count == 1 {
            sections += section("Exit codes", ExitCode.table.map { ("\($0.code.rawValue)", $0.meaning) })
        }
        return sections.map { $0.joined(separator: "\n") }.joined(separator: "\n\n") + "\n"
    }

    private var paragraphs: [String] {
        var all: [String] = [""]
        for line in command.details.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.isEmpty { all.append("") } else { all[all.count - 1] += " " + line }
        }
        return all.filter { !$0.isEmpty }
    }

    private func section(_ title: String, _ rows: [(String, String)]) -> [[String]] {
        rows.isEmpty ? [] : [["\(title):"] + TextLayout.table(rows, columns: columns)]
    }

    private var usage: [String] {
        var words = [path.pathText]
        let required = path.optionsInScope.filter { $0.presence.isRequired }
        words += required.map { "--\($0.name) \($0.placeholder)" }
        words.append("[options]")
        if command.run == nil { words.append("COMMAND") }
        for argument in command.arguments {
            let name = argument.presence.isRepeated ? "\(argument.name)..." : argument.name
            words.append(argument.presence.isRequired ? name : "[\(name)]")
        }
        var ways = [words]
        if command.run != nil, !command.subcommands.isEmpty { ways.append([path.pathText, "COMMAND"]) }
        let opening = "Usage: "
        let lines = ways.flatMap { TextLayout.wrapped($0.joined(separator: " "), to: columns - opening.count) }
        let indent = String(repeating: " ", count: opening.count)
        return lines.enumerated().map { ($0 == 0 ? opening : indent) + $1 }
    }

    private var optionRows: [(String, String)] {
        var rows = path.optionsInScope.map { (Help.title($0), Help.explained($0)) }
        if command.answersJSON { rows.append(("    --json", "answer in JSON, one object a line")) }
        if path.count == 1 { rows.append(("    --version", "print the version")) }
        rows.append(("-h, --help", "print this help"))
        return rows
    }

    private static func title(_ option: Option) -> String {
        let short = option.short.map { "-\($0), " } ?? "    "
        let value = option.kind == nil ? "" : " \(option.placeholder)"
        return "\(short)--\(option.name)\(value)"
    }

    private static func explained(_ option: Option) -> String {
        explained(option.help, option.kind, option.presence, sayRequired: true)
    }

    private static func explained(_ argument: Argument) -> String {
        explained(argument.help, argument.kind, argument.presence, sayRequired: false)
    }

    private static func explained(
        _ help: String, _ kind: ValueKind?, _ presence: Presence, sayRequired: Bool
    ) -> String {
        var notes: [String] = []
        switch kind {
        case .integer(let range): notes.append("\(range.lowerBound) to \(range.upperBound)")
        case .choice(let words): notes.append("one of " + words.joined(separator: ", "))
        case .text, .path, .seconds, nil: break
        }
        if sayRequired, presence.isRequired { notes.append("required") }
        if presence.isRepeated { notes.append("may be repeated") }
        if case .fallback(let value) = presence { notes.append("default \(value)") }
        return notes.isEmpty ? help : "\(help) (\(notes.joined(separator: "; ")))"
    }
}
