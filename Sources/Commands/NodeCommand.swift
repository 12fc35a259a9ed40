import Concurrency
import Crypto
import Glibc
import JSON
import Ledger
import Node
import Terminal

/// `lianfen node`: runs the validators of a directory until it is asked to stop.
enum NodeCommand {
    static let command = Command(
        "node", "run the validators that live in a directory",
        details: """
            Runs until SIGINT or SIGTERM, or for --seconds; either is its ordinary end, with exit code 0. With --json \
            a line is printed for every new height that is seen, and one at the end; otherwise a status line is kept \
            up to date where there is a terminal.

            With --listen it serves the HTTP interface (docs/api.md) and its pages. Beside loopback that needs TLS, or \
            a proxy in front.
            """,
        options: [
            .path("dir", placeholder: "DIR", .required, help: "the chain's directory"),
            .seconds("seconds", in: 1...31_536_000, help: "stop by itself after this long, such as 90 or 2h"),
            Passphrase.option,
        ] + Service.options(listen: .optional)
    ) { parsed, console in
        let directory = try ChainDirectory(parsed.requiredText("dir"), passphrase: Passphrase(parsed))
        let stop = Signals.install()
        let transactions = Counter()
        let relay = Service.Relay()
        return try directory.withConsortium(
            certified: { block in
                transactions.add(block.block.output.receipts.count)
                relay.note(block)
            }
        ) { consortium in
            let service = try Service(parsed, directory, consortium, relay)
            defer { service?.stop() }
            console.note(
                "Running \(Counted.text(consortium.runners.count, "validator")) of \(directory.genesis.chain). "
                    + (service.map { "Serving \($0.url) " } ?? "") + "Ctrl-C stops.")
            // Not by the wall clock, which may jump.
            let end = parsed.number("seconds").map { ProgressBar.monotonic() + UInt64($0) * 1_000_000_000 }
            func answer(_ status: NodeCore.Status, text: String) {
                console.answer(
                    [
                        "height": JSONValue(status.committed), "stateRoot": .string(status.stateRoot.description),
                        "time": JSONValue(status.time), "transactions": JSONValue(transactions.value),
                    ], text: text)
            }
            var shown: UInt64 = 0
            var wasBehind = false
            while !stop.wait(milliseconds: 500) {
                if let halt = consortium.halted.first {
                    throw ChainDirectory.explain(halt)
                }
                let status = consortium.first.status
                let isBehind = wallClockMilliseconds() + NodeCore.clockBehindMaxMilliseconds < status.time
                if isBehind, !wasBehind {
                    console.note(
                        "This machine's clock has fallen behind the certified time by more than "
                            + "\(NodeCore.clockBehindMaxMilliseconds / 1000) s: its validators do not vote until it "
                            + "is set."
                    )
                }
                wasBehind = isBehind
                let age = wallClockMilliseconds() - min(wallClockMilliseconds(), status.time)
                console.setStatus(
                    "certified \(status.committed)  executed \(status.executed)  transactions \(transactions.value)  "
                        + "block time \(age / 1000) s ago")
                if parsed.json, status.committed != shown {
                    shown = status.committed
                    answer(status, text: "")
                }
                if let end, ProgressBar.monotonic() >= end { break }
            }
            console.setStatus("")
            let status = consortium.first.status
            answer(status, text: "Stopped at height \(status.committed), state root \(status.stateRoot).")
            return .ok
        }
    }
}
