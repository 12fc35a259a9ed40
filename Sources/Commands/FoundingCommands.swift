import Canonical
import Chain
import Concurrency
import Crypto
import Glibc
import JSON
import Ledger
import Node
import Terminal
import Wire

/// `lianfen init consortium`: a chain of organisations each of which drew its own keys.
enum FoundingCommands {
    static let command = Command(
        "consortium", "found a chain together, each organisation with keys of its own",
        details: """
            Each organisation runs `request` on its own machine, which draws its keys there, and sends request.json \
            to all others. Whoever coordinates runs `assemble` on all requests and sends the genesis to all. Each \
            organisation runs `approve`, which holds the genesis against the requests, compares the hash with the \
            others by voice, and sends approval.json to all. With the approvals of all, each runs `begin`; from then \
            on `lianfen node` runs there. No key leaves its directory (docs/founding.md).
            """, subcommands: [request, assemble, approve, begin])

    private static let founder = Option.path(
        "dir", placeholder: "DIR", .required, help: "the organisation's directory, which `request` made")
    private static let genesis = Option.path(
        "genesis", placeholder: "FILE", .required, help: "what `assemble` made")
    private static let requests = Argument(
        "REQUEST", .path, .repeatedRequired, help: "the requests of all founders, this one's among them")

    // MARK: Asking

    private static let defaults = Parameters()

    private static let request = Command(
        "request", "draw an organisation's keys, and write what it asks to be founded with",
        details: """
            Makes DIR with three new keys, sealed under the passphrase, and in it request.json for the others: the \
            organisation, its public keys, where its node will be, and the terms of the chain, signed by each of the \
            keys. The terms have to be the same in all requests.
            """,
        options: [
            .path("dir", placeholder: "DIR", .required, help: "where; must not exist, or be empty"),
            .string("chain", placeholder: "NAME", .required, help: "name of the chain, 1 to 32 letters"),
            .integer(
                "number", in: 1...Int(UInt32.max), .required, help: "the organisation's; each has another"),
            .string("name", placeholder: "NAME", .required, help: "the organisation's name, as it is shown"),
            .string("node-url", placeholder: "URL", help: "where its node will be, such as https://a.example:8443"),
            .flag("silent", help: "it issues and does not vote: no voting key, no node"),
            .integer(
                "quota", in: 0...Int.max, placeholder: "POINTS", .fallback("1000000000000"),
                help: "the most that may be outstanding of each of its units"),
            .seconds(
                "replay-window", in: 1...86_400, .fallback("\(defaults.replayWindowMilliseconds / 1000)"),
                help: "a term: how far ahead of a block's time a transaction may end"),
            .integer(
                "openings-per-minute", in: 1...Int(UInt32.max), .fallback("\(defaults.openingsPerMinuteMax)"),
                help: "a term: accounts that an organisation may open in a minute"),
            .integer(
                "units", in: 1...Int(UInt32.max), .fallback("\(defaults.unitsPerOrganisationMax)"),
                help: "a term: units that an organisation may publish"),
            .seconds(
                "reservation", in: 1...31_622_400, .fallback("\(defaults.reservationMillisecondsMax / 1000)"),
                help: "a term: how far ahead the deadline of reserved points may lie"),
            .flag("dev", help: "for trying: keys without a passphrase"), Passphrase.option,
        ]
    ) { parsed, console in
        var parameters = Parameters()
        parameters.replayWindowMilliseconds = UInt64(parsed.requiredNumber("replay-window")) * 1000
        parameters.openingsPerMinuteMax = UInt32(parsed.requiredNumber("openings-per-minute"))
        parameters.unitsPerOrganisationMax = UInt32(parsed.requiredNumber("units"))
        parameters.reservationMillisecondsMax = UInt64(parsed.requiredNumber("reservation")) * 1000
        let founder = try FounderDirectory.make(
            at: parsed.requiredText("dir"),
            FounderDirectory.Wish(
                terms: FoundingTerms(
                    chain: parsed.requiredText("chain"), rulesVersion: RulesKnown.fromEnvironment().upperBound,
                    parameters: parameters),
                id: OrganisationID(UInt32(parsed.requiredNumber("number"))), name: parsed.requiredText("name"),
                quota: UInt64(parsed.requiredNumber("quota")), votes: !parsed.flag("silent"),
                node: parsed.text("node-url")), passphrase: try InitCommand.passphrase(parsed))
        if parsed.flag("dev") { console.note("These keys are stored without a passphrase: for trying only.") }
        console.answer(
            [
                "dir": .string(founder.path), "request": .string(founder.requestPath),
                "organisation": JSONValue(founder.id.number),
            ],
            text: """
                Made the keys of \(founder.id), \(founder.request.organisation.name), in \(founder.path).
                Send \(founder.requestPath) to all other founders. Nothing else leaves this directory.
                """)
        return .ok
    }

    // MARK: Putting together

    private static let assemble = Command(
        "assemble", "put the genesis together from the requests of all founders",
        details: """
            One of the founders does so, or anybody else: no key is needed, and everybody checks what comes of it. It \
            draws the time of the genesis and the 16 bytes of the first ordering epoch.
            """,
        arguments: [Argument("REQUEST", .path, .repeatedRequired, help: "the requests of all founders")],
        options: [.path("out", placeholder: "FILE", .required, help: "where the genesis goes; must not exist")]
    ) { parsed, console in
        let founders = try Founders(parsed.texts("REQUEST"))
        let out = parsed.requiredText("out")
        guard !Files.exists(out) else {
            throw CommandError(
                code: "file-exists", field: "--out",
                reason: "\(CommandError.quoted(out)) is there already, and may be what others have approved; take "
                    + "another name")
        }
        let genesis = founders.genesis(time: wallClockMilliseconds(), orderingEpoch: randomBytes(16))
        try Files.write(genesis.canonicalBytes, to: out, mode: 0o644)
        let set = FoundingAnswer(genesis, founders.nodes)
        set.warn(console)
        console.answer(
            set.json([.init("file", .string(out))]),
            text: set.text + "\nSend \(out) to all founders, and tell them the hash by another way.")
        return .ok
    }

    // MARK: Approving

    private static let approve = Command(
        "approve", "check the genesis against all requests, and sign that this chain may begin",
        details: """
            Shows who is in it and its hash: compare the hash with all other founders by voice. Writes approval.json \
            into DIR for the others, signed by the organisation's governing key.
            """, arguments: [requests], options: [founder, genesis, Passphrase.option]
    ) { parsed, console in
        let directory = try FounderDirectory(parsed.requiredText("dir"))
        let founders = try Founders(parsed.texts("REQUEST"))
        try founders.checkSame(directory)
        let genesis = try founders.checked(GenesisFile(parsed.requiredText("genesis")))
        let file = try directory.approve(genesis, founders.nodes, Passphrase(parsed))
        let set = FoundingAnswer(genesis, founders.nodes)
        set.warn(console)
        console.answer(
            set.json([.init("file", .string(file))]),
            text: set.text + "\nSend \(file) to all other founders. Compare the hash with them by voice.")
        return .ok
    }

    // MARK: Beginning

    private static let begin = Command(
        "begin", "take the genesis that all founders approved into the organisation's directory",
        details: """
            Every organisation's approval has to be of exactly this genesis. Writes the genesis and, for an \
            organisation that votes, the empty tables of its node and node.json (docs/machines.md), all of it or \
            nothing. Its own approval need not be named.
            """,
        arguments: [
            Argument("APPROVAL", .path, .repeated, help: "the approvals of all founders; DIR's own may be left out")
        ], options: [founder, genesis] + InitCommand.Machines.optionsOfOne
    ) { parsed, console in
        let directory = try FounderDirectory(parsed.requiredText("dir"))
        let approvals = try FoundingApprovals(parsed.texts("APPROVAL"), of: directory)
        let genesis = try approvals.checked(GenesisFile(parsed.requiredText("genesis")))
        let given = InitCommand.Machines.optionsOfOne.map(\.name).first { parsed.has($0) }
        if let given, directory.request.node == nil {
            throw CommandError(
                code: "founder-silent", field: "--\(given)",
                reason: "\(directory.id) does not vote, so no node of its own begins with the chain", exit: .usage)
        }
        if parsed.texts("etcd").isEmpty {
            console.note(
                "No --etcd was given: node.json names a cluster at \(InitCommand.Machines.etcdDefault); change "
                    + "ordering.endpoints there where it is elsewhere.")
        }
        try directory.begin(
            genesis, try InitCommand.Machines(parsed, nodes: approvals.nodes.map(\.url)))
        let set = FoundingAnswer(genesis, approvals.nodes)
        console.answer(
            set.json([.init("dir", .string(directory.path))]),
            text: set.text
                + (directory.request.node.map {
                    "\n`lianfen node --dir \(directory.path) --listen HOST:PORT` runs the node, which the others look "
                        + "for at \($0); docs/machines.md has the rest of its options."
                } ?? "\n\(directory.id) runs no node; its commands go to another's with --node URL."))
        return .ok
    }
}

/// What all founders are told of their genesis, so that they can compare it.
private struct FoundingAnswer {
    let genesis: Genesis
    let nodes: [FoundingApproval.Node]
    private let hash: String
    private let count: Int

    init(_ genesis: Genesis, _ nodes: [FoundingApproval.Node]) {
        self.genesis = genesis
        self.nodes = nodes
        hash = genesis.hash.description
        count = genesis.validators.count
    }

    private var quorum: Int { Quorum.size(of: count) }
    private var faulty: Int { Quorum.faulty(of: count) }

    func json(_ more: [JSONValue.Member]) -> JSONValue {
        .object(
            [
                .init("chain", .string(genesis.chain)), .init("genesis", .string(hash)),
                .init("time", JSONValue(genesis.time)),
                .init(
                    "organisations",
                    .array(
                        genesis.organisations.map {
                            [
                                "number": JSONValue($0.id.number), "name": .string($0.name),
                                "votes": .bool($0.votingKey != nil),
                            ]
                        })),
                .init("validators", JSONValue(count)), .init("quorum", JSONValue(quorum)),
                .init("faulty", JSONValue(faulty)),
            ] + more)
    }

    var text: String {
        let rows = genesis.organisations.map { founder in
            let node = nodes.first { $0.organisation == founder.id }
            return "  \(founder.id.number)  \(founder.name)  " + (node.map { "votes, \($0.url)" } ?? "does not vote")
        }
        return """
            The chain \(genesis.chain), from \(UTC.text(genesis.time)), has \
            \(Counted.text(genesis.organisations.count, "organisation")):
            \(rows.joined(separator: "\n"))
            \(quorum) of \(Counted.text(count, "validator")) certify a block; \(faulty) may fail or lie.
            Genesis \(hash)
            """
    }

    /// Below four validators nobody may lie.
    func warn(_ console: Console) {
        guard faulty == 0 else { return }
        console.note(
            "With \(Counted.text(count, "validator")) no faulty one is borne, and "
                + (count == quorum ? "nothing is certified while one of them is away" : "one may be away, not lie")
                + "; four bear one.")
    }
}
