import Glibc

/// The whole program: reads the command line, runs the command, says what went wrong, and answers with an exit code.
public struct Tool: Sendable {
    /// Turns an error of another part into one for people; nil where it does not know the error.
    public typealias Explain = @Sendable (any Error) -> CommandError?

    let root: Command
    let version: String
    let explain: Explain

    /// - Parameters:
    ///   - root: the group of all commands, named like the program.
    ///   - version: is printed by `--version`.
    ///   - explain: is asked about every error that is not a ``CommandError`` itself.
    public init(_ root: Command, version: String, explain: @escaping Explain = { _ in nil }) {
        self.root = root
        self.version = version
        self.explain = explain
    }

    /// Runs with the arguments of the process and ends it.
    public func main() -> Never {
        Signals.ignoreBrokenPipes()
        exit(run(Array(CommandLine.arguments.dropFirst()), streams: .standard()).rawValue)
    }

    /// Runs one call; `words` is the command line without the name of the program.
    public func run(_ words: [String], streams: Streams) -> ExitCode {
        let console = Console(streams: streams, json: Parser.wantsJSON(words))
        let code = run(words, console)
        console.setStatus("")
        // A reader that has gone away wants no more; it is told by the code alone.
        return console.outputFailed && code == .ok ? .environment : code
    }

    private func run(_ words: [String], _ console: Console) -> ExitCode {
        do {
            switch try Parser.parse(words, root: root) {
            case .version:
                console.print("\(root.name) \(version)")
                return .ok
            case .help(let path, asked: true):
                console.print(Help(path: path, columns: console.streams.columns).text)
                return .ok
            case .help(let path, asked: false):
                return refuseGroup(path, console)
            case .run(let command, let parsed):
                guard let run = command.run else { return refuseGroup([command], console) }
                return try run(parsed, console)
            }
        } catch {
            let known = error as? CommandError ?? explain(error)
            let shown = known ?? CommandError(code: "unexpected", reason: "\(error)")
            console.setStatus("")
            console.fail(shown)
            if shown.exit == .usage, !console.json { console.note("Help: \(helpWords(words))") }
            return shown.exit
        }
    }

    /// How to ask for the help of the innermost command that was named.
    private func helpWords(_ words: [String]) -> String {
        var names = [root.name, "help"]
        var command = root
        for word in words {
            guard let next = command.subcommands.first(where: { $0.name == word }) else { continue }
            names.append(next.name)
            command = next
        }
        return names.joined(separator: " ")
    }

    private func refuseGroup(_ path: [Command], _ console: Console) -> ExitCode {
        if console.json {
            console.fail(
                CommandError(code: "missing-command", reason: "\(path.pathText) needs a command", exit: .usage))
        } else {
            console.writeError(Help(path: path, columns: console.streams.columns).text)
        }
        return .usage
    }
}
