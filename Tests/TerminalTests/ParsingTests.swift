import Testing

@testable import Terminal

@Suite struct ParsingTests {
    struct Good: Sendable, CustomTestStringConvertible {
        let words: [String]
        let memo: String?
        let unit: String
        let wait: Int
        let tags: [String]
        let dry: Bool

        init(
            _ words: String..., memo: String? = nil, unit: String = "mall", wait: Int = 90, tags: [String] = [],
            dry: Bool = false
        ) {
            self.words = words
            self.memo = memo
            self.unit = unit
            self.wait = wait
            self.tags = tags
            self.dry = dry
        }

        var testDescription: String { words.joined(separator: " ") }
    }

    static let good: [Good] = [
        Good("--dir", "d", "lf1", "5"),
        Good("--dir=d", "lf1", "5", "--memo=a=b", memo: "a=b"),
        Good("lf1", "--memo", "two words", "5", "--dir", "d", memo: "two words"),
        Good("--dir=d", "-m", "short", "-n", "lf1", "5", memo: "short", dry: true),
        Good("--dir=d", "--memo=", "lf1", "5", memo: ""),
        Good("--dir=d", "--memo=--dry-run", "lf1", "5", memo: "--dry-run"),
        Good("--dir=d", "--memo", "-", "lf1", "5", memo: "-"),
        Good("--dir=d", "--tag=a", "--tag", "b", "lf1", "5", tags: ["a", "b"]),
        Good("--dir=d", "--unit", "cinema", "--wait=2m", "--", "lf1", "5", unit: "cinema", wait: 120),
        Good("--dir=d", "--wait", "7", "--dry-run", "--dry-run", "lf1", "5", wait: 7, dry: true),
    ]

    @Test(arguments: good) func acceptsEveryWayOfWriting(_ sample: Good) throws {
        let invocation = try Parser.parse(["wallet", "send"] + sample.words, root: Samples.tool.root)
        guard case .run(let command, let parsed) = invocation else {
            Issue.record("not a call")
            return
        }
        #expect(command.name == "send")
        #expect(parsed.path == "lianfen wallet send")
        #expect(parsed.requiredText("TO") == "lf1")
        #expect(parsed.requiredNumber("AMOUNT") == 5)
        #expect(parsed.requiredText("dir") == "d")
        #expect(parsed.text("memo") == sample.memo)
        #expect(parsed.text("unit") == sample.unit)
        #expect(parsed.number("wait") == sample.wait)
        #expect(parsed.texts("tag") == sample.tags)
        #expect(parsed.flag("dry-run") == sample.dry)
    }

    struct Bad: Sendable, CustomTestStringConvertible {
        let words: [String]
        let code: String
        let field: String?
        let reason: String

        init(_ line: String, _ code: String, _ field: String?, _ reason: String) {
            words = line.split(separator: " ").map(String.init)
            self.code = code
            self.field = field
            self.reason = reason
        }

        var testDescription: String { words.joined(separator: " ") }
    }

    static let bad: [Bad] = [
        Bad("walet send", "unknown-command", nil, "did you mean 'wallet'?"),
        Bad("wallet burn", "unknown-command", nil, "lianfen wallet has no command 'burn'"),
        Bad("wallet send --mmo x", "unknown-option", "--mmo", "did you mean --memo?"),
        Bad("wallet send --zzzzzz", "unknown-option", "--zzzzzz", "has no such option"),
        Bad("wallet send -x", "unknown-option", "-x", "has no such option"),
        Bad("wallet --memo x send", "unknown-option", "--memo", "lianfen wallet has no such option"),
        Bad("wallet send --memo", "missing-value", "--memo", "needs a value, as in --memo=TEXT"),
        Bad("wallet send --memo --dry-run", "missing-value", "--memo", "needs a value"),
        Bad("wallet send -m", "missing-value", "-m", "needs a value, as in --memo=TEXT"),
        Bad("wallet send --dry-run=yes", "unexpected-value", "--dry-run", "takes no value"),
        Bad("wallet send --memo=a --memo=b", "repeated-option", "--memo", "only once"),
        Bad("wallet send --unit=shop", "invalid-value", "--unit", "one of mall, cinema, not 'shop'"),
        Bad("wallet send --wait=soon", "invalid-value", "--wait", "a time from 0 to 86400 seconds"),
        Bad("wallet send --wait=99999999999999999h", "invalid-value", "--wait", "a time from"),
        Bad("wallet send --wait=-1", "invalid-value", "--wait", "a time from"),
        Bad("wallet send --dir=", "invalid-value", "--dir", "expected a path"),
        Bad("wallet send --dir=d", "missing-argument", "TO", "account that receives"),
        Bad("wallet send --dir=d lf1", "missing-argument", "AMOUNT", "points to send"),
        Bad("wallet send --dir=d lf1 0", "invalid-value", "AMOUNT", "from 1 to 1000000, not '0'"),
        Bad("wallet send --dir=d lf1 -5", "invalid-value", "AMOUNT", "not '-5'"),
        Bad("wallet send --dir=d lf1 +5", "invalid-value", "AMOUNT", "not '+5'"),
        Bad("wallet send --dir=d lf1 1.5", "invalid-value", "AMOUNT", "not '1.5'"),
        Bad("wallet send --dir=d lf1 ٣", "invalid-value", "AMOUNT", "a whole number"),
        Bad("wallet send --dir=d lf1 99999999999999999999", "invalid-value", "AMOUNT", "a whole number"),
        Bad("wallet send --dir=d lf1 5 6", "surplus-argument", nil, "does not know what to do with '6'"),
        Bad("wallet send lf1 5", "missing-option", "--dir", "directory of the node"),
        Bad("silent --json", "unknown-option", "--json", "has no such option"),
        Bad("import a.csv", "missing-option", "--mapping", "mapping file"),
        Bad("import --mapping=m", "missing-argument", "FILE", "table of orders"),
    ]

    @Test(arguments: bad) func refusesByNameAndReason(_ sample: Bad) {
        let error = #expect(throws: CommandError.self) {
            try Parser.parse(sample.words, root: Samples.tool.root)
        }
        #expect(error?.code == sample.code)
        #expect(error?.field == sample.field)
        #expect(error?.reason.contains(sample.reason) == true, "\(error?.reason ?? "nothing")")
        #expect(error?.exit == .usage)
    }

    @Test func wordsAfterTwoDashesAreArguments() {
        let call = Call(["import", "--mapping=m", "--", "--json", "help"])
        #expect(call.output == "--json|help by m\n")
    }

    @Test func harmfulValuesAreShownHarmless() {
        let call = Call(["wallet", "\u{1B}[2Jboo\n"])
        #expect(call.errors.contains("'\\u{1b}[2Jboo\\u{a}'"))
        let long = Call([String(repeating: "x", count: 5000)])
        #expect(long.errors.utf8.count < 200)
    }

    @Test(arguments: [
        ("memo", "meno", 1), ("memo", "mmeo", 1), ("memo", "mem", 1), ("", "abc", 3), ("same", "same", 0),
        ("validators", "validator", 1), ("kitten", "sitting", 3),
    ]) func countsEdits(_ from: String, _ to: String, _ edits: Int) {
        #expect(Suggestion.edits(Array(from), Array(to)) == edits)
        #expect(Suggestion.edits(Array(to), Array(from)) == edits)
    }
}
