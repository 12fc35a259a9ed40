/// One command of the tool, or a group of them, told rather than programmed: names, values and help in one place.
///
/// A group has subcommands and nothing to run; its options are understood by all its subcommands too. A command without
/// arguments may have subcommands beside what it does itself; its options are then its own alone. Mistakes in a
/// declaration (a name twice, an argument after a repeated one) stop the program at its start, since they are ours.
public struct Command: Sendable {
    /// Does the work. What it throws becomes the answer: a ``CommandError`` as it is, anything else explained by the
    /// ``Tool``.
    public typealias Run = @Sendable (Parsed, Console) throws -> ExitCode

    public let name: String
    /// A few words for the list of commands, in lower case and without a full stop.
    public let summary: String
    /// Paragraphs for the command's own help, separated by empty lines; may be empty.
    public let details: String
    public let arguments: [Argument]
    public let options: [Option]
    public let subcommands: [Command]
    /// Whether the command understands `--json`. Groups do not answer.
    public let answersJSON: Bool
    let run: Run?

    /// A command that does something.
    public init(
        _ name: String, _ summary: String, details: String = "", arguments: [Argument] = [], options: [Option] = [],
        answersJSON: Bool = true, run: @escaping Run
    ) {
        self.init(
            name, summary, details, arguments, options, subcommands: [], answersJSON: answersJSON, run: run)
    }

    /// A command that does something where none of its subcommands is named.
    public init(
        _ name: String, _ summary: String, details: String = "", options: [Option], subcommands: [Command],
        answersJSON: Bool = true, run: @escaping Run
    ) {
        precondition(!subcommands.isEmpty, "\(name): a group without commands")
        self.init(
            name, summary, details, [], options, subcommands: subcommands, answersJSON: answersJSON, run: run)
    }

    /// A group of commands.
    public init(
        _ name: String, _ summary: String, details: String = "", options: [Option] = [], subcommands: [Command]
    ) {
        precondition(!subcommands.isEmpty, "\(name): a group without commands")
        self.init(name, summary, details, [], options, subcommands: subcommands, answersJSON: false, run: nil)
    }

    private init(
        _ name: String, _ summary: String, _ details: String, _ arguments: [Argument], _ options: [Option],
        subcommands: [Command], answersJSON: Bool, run: Run?
    ) {
        let names = options.map(\.name)
        let reserved = ["help", "json", "version"]
        precondition(Set(names).count == names.count, "\(name): an option is declared twice")
        precondition(!names.contains(where: reserved.contains), "\(name): --help, --json and --version are taken")
        precondition(!options.contains { $0.short == "h" }, "\(name): -h is taken")
        precondition(Set(arguments.map(\.name)).count == arguments.count, "\(name): an argument is declared twice")
        precondition(
            arguments.dropLast().allSatisfy { !$0.presence.isRepeated }, "\(name): a repeated argument must be the last"
        )
        precondition(
            Set(subcommands.map(\.name)).count == subcommands.count, "\(name): a subcommand is declared twice")
        self.name = name
        self.summary = summary
        self.details = details
        self.arguments = arguments
        self.options = options
        self.subcommands = subcommands
        self.answersJSON = answersJSON
        self.run = run
    }
}

extension [Command] {
    /// The options that are understood at the end of this path; an inner one hides an outer one of the same name. Those
    /// of a command that does something itself are not for its subcommands.
    var optionsInScope: [Option] {
        var seen: Set<String> = []
        var inner: [[Option]] = []
        for (place, command) in enumerated().reversed() where place == count - 1 || command.run == nil {
            inner.append(command.options.filter { seen.insert($0.name).inserted })
        }
        return inner.flatMap { $0 }
    }

    var pathText: String { map(\.name).joined(separator: " ") }
}
