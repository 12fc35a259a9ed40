/// What a value on the command line may be. Text from the shell is checked against it before a command starts.
public enum ValueKind: Equatable, Sendable {
    /// Any text, also the empty one.
    case text
    /// A whole number inside a range.
    case integer(ClosedRange<Int>)
    /// One word of a list.
    case choice([String])
    /// The path of a file or a directory: not empty, and without a NUL byte. Whether it exists is not looked at.
    case path
    /// A length of time in whole seconds; `90`, `90s`, `5m` and `2h` are understood.
    case seconds(ClosedRange<Int>)
}

/// Whether a value has to be given, and how often.
public enum Presence: Equatable, Sendable {
    case optional
    case required
    /// Taken when the option is not given; written as on the command line.
    case fallback(String)
    /// Any number of times.
    case repeated
    /// At least once.
    case repeatedRequired

    var isRequired: Bool { self == .required || self == .repeatedRequired }
    var isRepeated: Bool { self == .repeated || self == .repeatedRequired }
}

/// A named part of a command line: `--name`, `--name value` or `--name=value`.
public struct Option: Equatable, Sendable {
    /// Without its dashes.
    public let name: String
    /// One letter as a short form, without its dash.
    public let short: Character?
    /// Nil for a flag, which takes no value.
    public let kind: ValueKind?
    /// How the help names the value.
    public let placeholder: String
    public let presence: Presence
    public let help: String

    private init(
        _ name: String, short: Character?, kind: ValueKind?, placeholder: String, presence: Presence, help: String
    ) {
        self.name = name
        self.short = short
        self.kind = kind
        self.placeholder = placeholder
        self.presence = presence
        self.help = help
    }

    /// A switch that is on when given. Giving it twice is the same as once.
    public static func flag(_ name: String, short: Character? = nil, help: String) -> Option {
        Option(name, short: short, kind: nil, placeholder: "", presence: .optional, help: help)
    }

    /// Free text.
    public static func string(
        _ name: String, short: Character? = nil, placeholder: String = "TEXT", _ presence: Presence = .optional,
        help: String
    ) -> Option {
        Option(name, short: short, kind: .text, placeholder: placeholder, presence: presence, help: help)
    }

    /// A whole number in `range`.
    public static func integer(
        _ name: String, short: Character? = nil, in range: ClosedRange<Int>, placeholder: String = "N",
        _ presence: Presence = .optional, help: String
    ) -> Option {
        Option(name, short: short, kind: .integer(range), placeholder: placeholder, presence: presence, help: help)
    }

    /// One of the words in `choices`.
    public static func choice(
        _ name: String, short: Character? = nil, of choices: [String], placeholder: String = "WORD",
        _ presence: Presence = .optional, help: String
    ) -> Option {
        Option(name, short: short, kind: .choice(choices), placeholder: placeholder, presence: presence, help: help)
    }

    /// The path of a file or a directory.
    public static func path(
        _ name: String, short: Character? = nil, placeholder: String = "PATH", _ presence: Presence = .optional,
        help: String
    ) -> Option {
        Option(name, short: short, kind: .path, placeholder: placeholder, presence: presence, help: help)
    }

    /// A length of time in whole seconds.
    public static func seconds(
        _ name: String, short: Character? = nil, in range: ClosedRange<Int> = 0...86_400,
        placeholder: String = "SECONDS", _ presence: Presence = .optional, help: String
    ) -> Option {
        Option(name, short: short, kind: .seconds(range), placeholder: placeholder, presence: presence, help: help)
    }
}

/// A part of a command line that is known by its place.
public struct Argument: Equatable, Sendable {
    /// How the help names it and by which a command asks for it; in capitals by custom.
    public let name: String
    public let kind: ValueKind
    /// `.repeated` and `.repeatedRequired` take all that is left, and so are for the last argument only.
    public let presence: Presence
    public let help: String

    public init(_ name: String, _ kind: ValueKind = .text, _ presence: Presence = .required, help: String) {
        self.name = name
        self.kind = kind
        self.presence = presence
        self.help = help
    }
}
