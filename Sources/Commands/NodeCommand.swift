import Crypto
import Glibc
import JSON
import Ledger
import Node
import Terminal

/// `lianfen node`: runs the validators of a directory, or the node of one organisation, until it is asked to stop.
enum NodeCommand {
    static let command = Command(
        "node", "run the validators that live in a directory",
        details: """
            Runs until SIGINT or SIGTERM, or for --seconds; either is its ordinary end, with exit code 0. With --json \
            a line is printed for every new height that is seen, and one at the end; otherwise a status line is kept \
            up to date where there is a terminal.

            With --listen it serves the HTTP interface (docs/api.md) and its pages. Beside loopback that needs TLS, or \
            a proxy in front.

            Where the directory has a file node.json, it runs the node of the one organisation that the file names, \
            over an etcd cluster and with the other members' nodes (docs/machines.md). SIGHUP lets it read peers, \
            observers and its password of etcd there again, and the certificate of its doors.
            """,
        options: [
            .path("dir", placeholder: "DIR", .required, help: "the chain's directory"),
            .seconds("seconds", in: 1...31_536_000, help: "stop by itself after this long, such as 90 or 2h"),
            Passphrase.option,
        ] + Service.options(listen: .optional)
    ) { parsed, console in
        let directory = try ChainDirectory(parsed.requiredText("dir"), passphrase: Passphrase(parsed))
        let run = Run(parsed, directory, console)
        return try NodeSetup.exists(in: directory.path) ? run.organisation() : run.consortium()
    }

    /// One call of the command.
    private struct Run {
        let parsed: Parsed
        let directory: ChainDirectory
        let console: Console
        let stop = Signals.install()
        let transactions = Counter()
        let relay = Service.Relay()
        /// Not by the wall clock, which may jump.
        let end: UInt64?

        init(_ parsed: Parsed, _ directory: ChainDirectory, _ console: Console) {
            self.parsed = parsed
            self.directory = directory
            self.console = console
            end = parsed.number("seconds").map { ProgressBar.monotonic() + UInt64($0) * 1_000_000_000 }
        }

        private static let refreshMilliseconds: Int32 = 500

        /// Waits; whether the end has come.
        private func isOver(after milliseconds: Int32) -> Bool {
            if stop.wait(milliseconds: milliseconds) { return true }
            return end.map { ProgressBar.monotonic() >= $0 } ?? false
        }

        private func certified(_ block: CertifiedBlock) {
            transactions.add(block.block.output.receipts.count)
            relay.note(block)
        }

        func consortium() throws -> ExitCode {
            try directory.withConsortium(certified: certified) { consortium in
                let service = try Service(
                    parsed, directory, consortium.first, of: directory.members[0], relay)
                defer { service?.stop() }
                console.note(
                    "Running \(Counted.text(consortium.runners.count, "validator")) of \(directory.genesis.chain). "
                        + (service.map { "Serving \($0.url) " } ?? "") + "Ctrl-C stops.")
                return try show(
                    consortium.first, network: { nil },
                    failure: {
                        consortium.settledHalt.map(ChainDirectory.explain)
                    })
            }
        }

        func organisation() throws -> ExitCode {
            let hangUps = Signals.hangUps()
            let started = try OrganisationNode.start(
                directory, console, wait: isOver(after:), certified: certified)
            guard let node = started else { return .ok }
            defer { node.stop() }
            let service = try Service(
                parsed, directory, node.runner, of: node.organisation, relay, observers: node.observers,
                certificates: node.certificates, backs: node.backs, network: node.standings)
            defer { service?.stop() }
            console.note(
                "Running the node of \(node.organisation) of \(directory.genesis.chain). "
                    + (service.map { "Serving \($0.url) " } ?? "") + "Ctrl-C stops.")
            return try show(
                node.runner, network: { node.standing }, failure: { node.failure },
                meanwhile: {
                    guard hangUps.take() else { return }
                    try reread("Read \(NodeSetup.path(directory.path)) again.", "Goes on with the setup as it was") {
                        try service?.setObservers(node.reload(directory))
                        return true
                    }
                    try reread("Shows the new certificate.", "Goes on with the certificate as it was") {
                        try service?.rereadTLS() ?? false
                    }
                })
        }

        /// Tells how it went to take on what has changed outside.
        /// - Parameter act: whether there was anything to take on.
        private func reread(_ done: String, _ undone: String, _ act: () throws -> Bool) throws {
            do { if try act() { console.note(done) } } catch let error as CommandError {
                console.note("\(undone): \(error.sentence)")
            }
        }

        /// Shows how it goes until the end.
        private func show(
            _ runner: NodeRunner, network: () -> NetworkStanding?, failure: () -> CommandError?,
            meanwhile: () throws -> Void = {}
        ) throws -> ExitCode {
            let screen = NodeScreen(console, transactions)
            while !isOver(after: Self.refreshMilliseconds) {
                if let failure = failure() { throw failure }
                try meanwhile()
                screen.refresh(runner.status, network())
            }
            console.setStatus("")
            let status = runner.status
            console.answer(
                screen.json(status, network()),
                text: "Stopped at height \(status.committed), state root \(status.stateRoot).")
            return .ok
        }
    }
}
