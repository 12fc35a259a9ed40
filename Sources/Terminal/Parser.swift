/// What a command line asks for.
enum Invocation {
    /// The help of a command. `asked` is false where a group was called without one of its commands.
    case help(path: [Command], asked: Bool)
    case version
    case run(Command, Parsed)
}

/// Reads a command line against the declared commands. Reading has no effects and refuses the first thing it does not
/// understand.
struct Parser {
    private var path: [Command]
    private var words: ArraySlice<String>
    private var values: [String: [Parsed.Value]] = [:]
    private var placed: [String] = []
    private var json = false

    private init(_ root: Command, _ words: [String]) {
        path = [root]
        self.words = words[...]
    }

    /// - Parameter words: the command line without the name of the program.
    static func parse(_ words: [String], root: Command) throws(CommandError) -> Invocation {
        var parser = Parser(root, words)
        return try parser.parse()
    }

    /// Whether the call wants JSON, found out also where the rest of it cannot be read.
    static func wantsJSON(_ words: [String]) -> Bool {
        words.prefix { $0 != "--" }.contains("--json")
    }

    private var command: Command { path[path.count - 1] }

    private mutating func parse() throws(CommandError) -> Invocation {
        var optionsEnded = false
        while let word = words.popFirst() {
            if optionsEnded || !Parser.looksLikeOption(word) {
                if command.subcommands.isEmpty {
                    if word == "help", !optionsEnded, command.arguments.isEmpty {
                        return .help(path: path, asked: true)
                    }
                    placed.append(word)
                } else if word == "help", !optionsEnded {
                    return try helpFor(words)
                } else {
                    try enter(word)
                }
            } else if word == "--" {
                optionsEnded = true
            } else if word == "--help" || word == "-h" {
                return .help(path: path, asked: true)
            } else if word == "--version", path.count == 1 {
                return .version
            } else if word == "--json" {
                json = true
            } else {
                try takeOption(word)
            }
        }
        guard command.run != nil else { return .help(path: path, asked: false) }
        if json, !command.answersJSON {
            throw refusal("unknown-option", "--json", "\(path.pathText) has no such option")
        }
        try placeArguments()
        try checkOptions()
        return .run(command, parsed())
    }

    /// A lone dash and negative numbers are values.
    private static func looksLikeOption(_ word: String) -> Bool {
        guard word.hasPrefix("-"), word.count > 1 else { return false }
        return !word.dropFirst().allSatisfy { $0.isASCII && $0.isNumber }
    }

    /// `help wallet send`: the words after `help` name the command.
    private func helpFor(_ names: ArraySlice<String>) throws(CommandError) -> Invocation {
        var parser = self
        for name in names where !Parser.looksLikeOption(name) { try parser.enter(name) }
        return .help(path: parser.path, asked: true)
    }

    private mutating func enter(_ name: String) throws(CommandError) {
        guard let found = command.subcommands.first(where: { $0.name == name }) else {
            let near = Suggestion.nearest(to: name, among: command.subcommands.map(\.name))
            let hint = near.map { "; did you mean '\($0)'?" } ?? ""
            let shown = CommandError.quoted(name)
            throw refusal("unknown-command", nil, "\(path.pathText) has no command \(shown)\(hint)")
        }
        if command.run != nil, let option = command.options.first(where: { values[$0.name] != nil }) {
            throw refusal(
                "unknown-option", "--\(option.name)",
                "stands before '\(name)', and belongs to \(path.pathText) without it; options of "
                    + "\(path.pathText) \(name) come after it")
        }
        path.append(found)
    }

    private mutating func takeOption(_ word: String) throws(CommandError) {
        let isLong = word.hasPrefix("--")
        let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let title = isLong ? String(parts[0]) : word
        let attached = isLong && parts.count == 2 ? String(parts[1]) : nil
        let options = path.optionsInScope
        let found = options.first { isLong ? "--\($0.name)" == title : $0.short.map { "-\($0)" } == title }
        guard let option = found else { throw unknownOption(title, among: options) }
        guard let kind = option.kind else {
            guard attached == nil else { throw refusal("unexpected-value", title, "takes no value") }
            values[option.name] = [.flag]
            return
        }
        guard let text = attached ?? nextValue() else {
            let example = "\(isLong ? title : "--\(option.name)")=\(option.placeholder)"
            throw refusal("missing-value", title, "needs a value, as in \(example)")
        }
        if values[option.name] != nil, !option.presence.isRepeated {
            throw refusal("repeated-option", title, "may be given only once")
        }
        values[option.name, default: []].append(try Parser.read(text, as: kind, field: title))
    }

    private mutating func nextValue() -> String? {
        guard let next = words.first, !Parser.looksLikeOption(next) else { return nil }
        return words.popFirst()
    }

    private func unknownOption(_ title: String, among options: [Option]) -> CommandError {
        var known = options.map { "--\($0.name)" } + ["--help"]
        if command.answersJSON { known.append("--json") }
        if path.count == 1 { known.append("--version") }
        let near = title.hasPrefix("--") ? Suggestion.nearest(to: title, among: known) : nil
        let hint = near.map { "; did you mean \($0)?" } ?? ""
        let shown = CommandError.quoted(title)
        return refusal(
            "unknown-option", String(shown.dropFirst().dropLast()), "\(path.pathText) has no such option\(hint)")
    }

    private mutating func placeArguments() throws(CommandError) {
        var left = placed[...]
        for argument in command.arguments {
            let taken = argument.presence.isRepeated ? left : left.prefix(1)
            left = left.dropFirst(taken.count)
            if taken.isEmpty {
                if argument.presence.isRequired {
                    throw refusal("missing-argument", argument.name, "is missing: \(argument.help)")
                }
                if case .fallback(let text) = argument.presence {
                    values[argument.name] = [try Parser.read(text, as: argument.kind, field: argument.name)]
                }
            }
            for text in taken {
                values[argument.name, default: []].append(
                    try Parser.read(text, as: argument.kind, field: argument.name))
            }
        }
        if let surplus = left.first {
            let shown = CommandError.quoted(surplus)
            throw refusal("surplus-argument", nil, "\(path.pathText) does not know what to do with \(shown)")
        }
    }

    private mutating func checkOptions() throws(CommandError) {
        for option in path.optionsInScope where values[option.name] == nil {
            if option.presence.isRequired {
                throw refusal("missing-option", "--\(option.name)", "is missing: \(option.help)")
            }
            if let kind = option.kind, case .fallback(let text) = option.presence {
                values[option.name] = [try Parser.read(text, as: kind, field: "--\(option.name)")]
            }
        }
    }

    private func parsed() -> Parsed {
        let declared = path.optionsInScope.map(\.name) + command.arguments.map(\.name)
        return Parsed(path: path.pathText, json: json, values: values, declared: Set(declared))
    }

    private func refusal(_ code: String, _ field: String?, _ reason: String) -> CommandError {
        CommandError(code: code, field: field, reason: reason, exit: .usage)
    }
}
