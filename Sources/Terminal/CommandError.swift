public import JSON

/// Why a command did not do what was asked, for a person and for a program alike.
///
/// `code` is stable and made for comparing; `reason` is a sentence for people and may change. Neither may carry a
/// secret: a value that is quoted in a reason goes through ``quoted(_:)``, and a passphrase is never quoted.
public struct CommandError: Error, Equatable, Sendable {
    /// A short, stable name in lower case with dashes, such as `unknown-option`.
    public let code: String
    /// The option, argument, column or file at fault; nil where none is.
    public let field: String?
    /// One sentence that says what was wrong with the field.
    public let reason: String
    /// What the process ends with.
    public let exit: ExitCode

    public init(code: String, field: String? = nil, reason: String, exit: ExitCode = .refused) {
        self.code = code
        self.field = field
        self.reason = reason
        self.exit = exit
    }

    /// The line that a person reads.
    var text: String { "error: \(sentence)" }

    /// The field at fault, where there is one, and what was wrong with it.
    public var sentence: String { field.map { "\($0): \(reason)" } ?? reason }

    /// `{"error":{"code":…,"field":…,"reason":…}}`, as `--json` prints it on the standard error stream.
    public var json: JSONValue {
        let body: JSONValue = [
            "code": .string(code), "field": field.map { .string($0) } ?? .null, "reason": .string(reason),
        ]
        return ["error": body]
    }

    /// A value from outside in quotation marks, made harmless for a terminal: control characters are shown as escapes
    /// and long values are cut.
    public static func quoted(_ value: String) -> String {
        let longest_characters = 60
        var shown = ""
        for scalar in value.unicodeScalars.prefix(longest_characters) {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned, .privateUse:
                shown += "\\u{\(String(scalar.value, radix: 16))}"
            default:
                shown.unicodeScalars.append(scalar)
            }
        }
        return value.unicodeScalars.count > longest_characters ? "'\(shown)…'" : "'\(shown)'"
    }
}
