import Canonical
import Chain
import Concurrency
import Crypto
import JSON
import Ledger
import Terminal
import Wallet

/// `lianfen validators`: who votes, by proof from the genesis.
enum ValidatorCommands {
    static let command = Command(
        "validators", "follow who may vote, by proof", subcommands: [follow])

    private static let follow = Command(
        "follow", "follow the changes of the validators from the genesis to the newest",
        details: """
            Asks a node for each change, and believes none without the certificate of those who voted before it. Exit \
            code 1 says that a change does not hold, or that what the node shows as newest is old: then later changes \
            may be withheld. With --out the changes go to a file, for lianfen proof verify --changes.
            """,
        options: [
            .string(
                "node", placeholder: "URL", .repeatedRequired,
                help: "the node that shows the changes. Repeated: the next one where one fails"),
            .path("genesis", placeholder: "FILE", .required, help: "the genesis you trust"),
            .path("ca", placeholder: "FILE", help: "PEM file of the authorities that vouch for the node"),
            .path("out", placeholder: "FILE", help: "the file to write the changes to"),
        ]
    ) { parsed, console in
        let genesis = try ChainDirectory.readGenesis(parsed.requiredText("genesis"))
        let urls = try NodeOption.urls(parsed)
        let client = try NodeClient(
            urls, pin: .genesis(genesis), authorities: parsed.text("ca"),
            limits: NodeOption.limits(nodes: urls.count))
        defer { client.stop() }
        var steps: [LightStep] = []
        try client.followValidators { steps.append($0) }
        let head = try client.followHead()
        if let out = parsed.text("out") {
            guard steps.count <= LightSteps.countMax else {
                throw CommandError(
                    code: "changes-too-many", field: "--out",
                    reason: "\(steps.count) changes are more than the \(LightSteps.countMax) that a file may have")
            }
            try Files.write(LightSteps(steps).canonicalBytes, to: out, mode: 0o644)
        }
        let isStale = head.isStale(at: wallClockMilliseconds())
        let first = ValidatorSet(genesis)
        var lines = ["From height 1: \(text(first))."]
        lines += steps.compactMap { step in
            step.set.map { "From height \(step.certificate.height + 1): \(text($0))." }
        }
        let trusted = head.trusted
        lines.append("Newest header: height \(trusted.height), \(UTC.text(trusted.time)).")
        if isStale {
            lines.append(
                "That is more than \(LightClient.staleMilliseconds / 1000) seconds ago: changes since may be withheld.")
        }
        console.answer(
            [
                "height": JSONValue(trusted.height), "time": JSONValue(trusted.time), "stale": .bool(isStale),
                "validators": json(head.validators, from: nil),
                "changes": .array(
                    steps.compactMap { step in step.set.map { json($0, from: step.certificate.height + 1) } }),
            ], text: lines.joined(separator: "\n"))
        return isStale ? .refused : .ok
    }

    private static func text(_ set: ValidatorSet) -> String {
        let names = set.validators.map { "\($0.id.number)" }.joined(separator: ", ")
        return "organisations \(names) vote, \(set.quorum) of \(set.count) make a block final, "
            + (set.faulty == 0 ? "no faulty one is tolerated" : "\(set.faulty) faulty are tolerated")
    }

    private static func json(_ set: ValidatorSet, from height: UInt64?) -> JSONValue {
        var members: [JSONValue.Member] = height.map { [.init("from", JSONValue($0))] } ?? []
        members += [
            .init("hash", .string(set.hash.description)), .init("quorum", JSONValue(set.quorum)),
            .init(
                "members",
                .array(
                    set.validators.map {
                        ["organisation": JSONValue($0.id.number), "key": .string($0.key.description)]
                    })),
        ]
        return .object(members)
    }
}
