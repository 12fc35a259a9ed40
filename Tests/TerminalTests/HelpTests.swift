import Testing

@testable import Terminal

@Suite struct HelpTests {
    @Test func rootHelp() {
        let expected = """
            lianfen - a shared ledger of points

            Usage: lianfen [options] COMMAND

            Commands:
              wallet   keys and balances
              import   read orders
              fail     throw what is asked for
              silent   say nothing

            `lianfen help COMMAND` tells more of one.

            Options:
                  --version   print the version
              -h, --help      print this help

            Exit codes:
              0   done, every check held
              1   refused by the ledger, a failed check, or wrong input
              2   wrong command line, nothing was started
              3   the machine stood in the way: disk, permission, lock
              4   stopped by a signal before the end

            """
        #expect(Call(["--help"]).output == expected)
        #expect(Call(["help"]).output == expected)
        #expect(Call(["-h"]).code == .ok)
    }

    @Test func commandHelpInNarrowTerminal() {
        let expected = """
            lianfen wallet send - move points to another account

            Usage: lianfen wallet send --dir DIR [options] TO AMOUNT

            Points that expire soonest go first. The receiver need not
            be online.

            A transfer that was certified cannot be taken back.

            Arguments:
              TO       account that receives
              AMOUNT   points to send (1 to 1000000)

            Options:
              -m, --memo TEXT      words for the receiver, who reads
                                   them in the wallet next to the amount
                  --unit WORD      unit to send (one of mall, cinema;
                                   default mall)
                  --wait SECONDS   how long to wait for the certificate
                                   (default 90s)
                  --tag TEXT       mark for later search (may be
                                   repeated)
              -n, --dry-run        check only
                  --dir DIR        directory of the node (required)
                  --json           answer in JSON, one object a line
              -h, --help           print this help

            """
        for words in [
            ["wallet", "send", "--help"], ["help", "wallet", "send"], ["wallet", "help", "send"],
            ["wallet", "send", "-n", "-h"],
        ] {
            #expect(Call(words, columns: 60).output == expected)
        }
    }

    @Test(arguments: [40, 60, 80, 120]) func noLineIsWiderThanTheTerminal(_ columns: Int) {
        for words in [["help"], ["help", "wallet"], ["help", "wallet", "send"], ["help", "import"]] {
            let lines = Call(words, columns: columns).output.split(separator: "\n")
            #expect(lines.allSatisfy { TextLayout.width($0) <= columns })
        }
    }

    @Test func groupWithoutCommandExplainsItself() {
        let call = Call(["wallet"])
        #expect(call.code == .usage)
        #expect(call.output.isEmpty)
        #expect(call.errors.hasPrefix("lianfen wallet - keys and balances\n"))
        #expect(Call([]).code == .usage)
    }

    @Test func version() {
        #expect(Call(["--version"]).output == "lianfen 0.1.0\n")
        #expect(Call(["silent", "--version"]).code == .usage)
    }

    @Test func chineseTakesTwoPlaces() {
        #expect(TextLayout.width("联分 a") == 6)
        #expect(TextLayout.padded("联分", to: 6) == "联分  ")
        #expect(TextLayout.clipped("联分账", to: 5) == "联分")
        #expect(TextLayout.wrapped("积分 计划 账户", to: 9) == ["积分 计划", "账户"])
    }
}
