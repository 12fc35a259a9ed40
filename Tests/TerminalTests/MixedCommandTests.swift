import JSON
import Testing

@testable import Terminal

/// A command that does something itself and has subcommands beside it.
@Suite struct MixedCommandTests {
    private static let tool = Tool(
        Command(
            "lianfen", "a shared ledger of points",
            subcommands: [
                Command(
                    "init", "make a chain",
                    options: [
                        .path("dir", placeholder: "DIR", .required, help: "where"), .flag("dev", help: "to try"),
                    ],
                    subcommands: [
                        Command(
                            "join", "follow one",
                            options: [.path("genesis", placeholder: "FILE", .required, help: "of the chain")]
                        ) { parsed, console in
                            console.answer(.null, text: "joined by \(parsed.requiredText("genesis"))")
                            return .ok
                        }
                    ]
                ) { parsed, console in
                    console.answer(.null, text: "made \(parsed.requiredText("dir"))")
                    return .ok
                }
            ]), version: "0.1.0")

    private static func call(_ words: String...) -> Call { Call(words, of: tool) }

    @Test func itRunsWhereNoSubcommandIsNamed() {
        #expect(Self.call("init", "--dir", "d", "--dev").output == "made d\n")
        // A value is no subcommand.
        #expect(Self.call("init", "--dir", "join").output == "made join\n")
        let missing = Self.call("init")
        #expect(missing.code == .usage)
        #expect(missing.errors == "error: --dir: is missing: where\nHelp: lianfen help init\n")
    }

    @Test func aSubcommandHasItsOwnOptionsAlone() {
        #expect(Self.call("init", "join", "--genesis", "g").output == "joined by g\n")
        let foreign = Self.call("init", "join", "--genesis", "g", "--dev")
        #expect(foreign.code == .usage)
        #expect(foreign.errors.hasPrefix("error: --dev: lianfen init join has no such option"))
        let before = Self.call("init", "--dev", "join", "--genesis", "g")
        #expect(before.code == .usage)
        #expect(before.errors.hasPrefix("error: --dev: stands before 'join', and belongs to lianfen init without it"))
    }

    @Test func aWordThatIsNoSubcommandIsNamed() {
        let call = Self.call("init", "jion", "--dir", "d")
        #expect(call.code == .usage)
        #expect(call.errors.hasPrefix("error: lianfen init has no command 'jion'; did you mean 'join'?"))
    }

    @Test func helpShowsBothWays() {
        let expected = """
            lianfen init - make a chain

            Usage: lianfen init --dir DIR [options]
                   lianfen init COMMAND

            Commands:
              join   follow one

            `lianfen help init COMMAND` tells more of one.

            Options:
                  --dir DIR   where (required)
                  --dev       to try
                  --json      answer in JSON, one object a line
              -h, --help      print this help

            """
        for words in [["help", "init"], ["init", "help"], ["init", "--help"]] {
            #expect(Call(words, of: Self.tool).output == expected)
        }
        let inner = Self.call("help", "init", "join").output
        #expect(inner.contains("Usage: lianfen init join --genesis FILE [options]\n"))
        #expect(!inner.contains("--dir"))
    }
}
