/// The values of one call, checked against what the command declared.
///
/// Values are asked for by the names of the declaration. A name that was not declared, or one of another kind, is a
/// mistake of ours and stops the program.
public struct Parsed: Sendable {
    enum Value: Equatable, Sendable {
        case flag
        case text(String)
        case number(Int)
    }

    /// The command's full name, such as `lianfen wallet send`.
    public let path: String
    /// Whether `--json` was given.
    public let json: Bool
    private let values: [String: [Value]]
    private let declared: Set<String>

    init(path: String, json: Bool, values: [String: [Value]], declared: Set<String>) {
        self.path = path
        self.json = json
        self.values = values
        self.declared = declared
    }

    /// Whether the option or argument was given or has a fallback.
    public func has(_ name: String) -> Bool { !all(name).isEmpty }

    /// Whether a flag was given.
    public func flag(_ name: String) -> Bool { has(name) }

    /// The text, choice or path under a name, or nil where it was not given.
    public func text(_ name: String) -> String? { texts(name).last }

    /// All texts under a name, in the order of the command line.
    public func texts(_ name: String) -> [String] {
        all(name).map { value in
            guard case .text(let text) = value else { preconditionFailure("\(path): \(name) is not a text") }
            return text
        }
    }

    /// The number or length of time in seconds under a name, or nil where it was not given.
    public func number(_ name: String) -> Int? { numbers(name).last }

    /// All numbers under a name, in the order of the command line.
    public func numbers(_ name: String) -> [Int] {
        all(name).map { value in
            guard case .number(let number) = value else { preconditionFailure("\(path): \(name) is not a number") }
            return number
        }
    }

    /// The text under a name that is required or has a fallback.
    public func requiredText(_ name: String) -> String {
        guard let text = text(name) else { preconditionFailure("\(path): \(name) is not declared as required") }
        return text
    }

    /// The number under a name that is required or has a fallback.
    public func requiredNumber(_ name: String) -> Int {
        guard let number = number(name) else { preconditionFailure("\(path): \(name) is not declared as required") }
        return number
    }

    private func all(_ name: String) -> [Value] {
        precondition(declared.contains(name), "\(path): \(name) is not declared")
        return values[name] ?? []
    }
}
