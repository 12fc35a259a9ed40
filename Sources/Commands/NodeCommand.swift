import Concurrency
import Crypto
import Glibc
import Ledger
import Node
import Terminal

/// `lianfen node`: runs the validators of a directory until it is asked to stop.
enum NodeCommand {
    static let command = Command(
        "node", "run the validators that live in a directory",
        details: """
            Runs until SIGINT or SIGTERM, or for --seconds. With --json a line is printed for every status; otherwise \
            a status line is kept up to date where there is a terminal.
            """,
        options: [
            .path("dir", placeholder: "DIR", .required, help: "the chain's directory"),
            .seconds("seconds", in: 1...31_536_000, help: "stop by itself after this long"),
            Passphrase.option,
        ]
    ) { parsed, console in
        let directory = try ChainDirectory(parsed.requiredText("dir"), passphrase: Passphrase(parsed))
        let stop = Signals.install()
        let transactions = Counter()
        return try directory.withConsortium(
            certified: { block in transactions.add(block.block.output.receipts.count) }
        ) { consortium in
            console.note(
                "Running \(consortium.runners.count) validator(s) of \(directory.genesis.chain). Ctrl-C stops.")
            let end = parsed.number("seconds").map { wallClockMilliseconds() + UInt64($0) * 1000 }
            var shown: UInt64 = 0
            while !stop.wait(milliseconds: 500) {
                if let halt = consortium.halted.first {
                    throw CommandError(code: "halted", reason: "\(halt)", exit: .environment)
                }
                let status = consortium.first.status
                let age = wallClockMilliseconds() - min(wallClockMilliseconds(), status.time)
                console.setStatus(
                    "certified \(status.committed)  executed \(status.executed)  transactions \(transactions.value)  "
                        + "block time \(age / 1000) s ago")
                if parsed.json, status.committed != shown {
                    shown = status.committed
                    console.answer(
                        [
                            "height": JSONValue(status.committed), "stateRoot": .string(status.stateRoot.description),
                            "time": JSONValue(status.time), "transactions": JSONValue(transactions.value),
                        ], text: "")
                }
                if let end, wallClockMilliseconds() >= end { break }
            }
            let status = consortium.first.status
            if !parsed.json {
                console.answer(
                    .null, text: "Stopped at height \(status.committed), state root \(status.stateRoot).")
            }
            return .ok
        }
    }
}
