import Canonical
import Chain
import Concurrency
import Crypto
import JSON
import Ledger
import Node
import Peers
import Storage
import Terminal
import Wallet
import Wire

/// `lianfen consortium`: who belongs, and what the members decide together.
enum ConsortiumCommands {
    static let command = Command(
        "consortium", "apply, propose, approve; who belongs and what is open",
        details: """
            Admission takes every active organisation; suspension, release, exit, quotas and the version of the rules \
            take a quorum of them; its own keys an organisation exchanges alone. A proposal lapses after seven days. \
            Who is admitted with a voting key votes from the second height after the decision on, so its node should \
            follow the chain before.
            """, subcommands: [members, proposals, apply, propose, approve, RekeyCommand.command])

    private static let chain: [Option] =
        [.path("dir", placeholder: "DIR", .required, help: "the chain's directory"), Passphrase.option]
        + NodeOption.options

    private static let by = Option.integer(
        "by", in: 1...Int(UInt32.max), .required, help: "whose governing key in DIR signs: an organisation's number")

    // MARK: Looking

    private static let members = Command("members", "list the member organisations", options: chain) {
        parsed, console in
        let directory = try NodeOption.directory(parsed)
        let found = try directory.withChain(NodeOption(parsed), .read) { try $0.organisations() }
        console.answer(
            ["organisations": .array(found.map { Form.organisationView.write($0) })],
            text: found.map { member in
                let terms = member.terms
                let votes = terms.votingKey != nil && member.standing == .active ? "votes" : "does not vote"
                return "\(terms.id.number)  \(terms.name)  \(member.standing), \(votes)"
            }.joined(separator: "\n"))
        return .ok
    }

    private static let proposals = Command("proposals", "list what waits for approvals", options: chain) {
        parsed, console in
        let directory = try NodeOption.directory(parsed)
        let found = try directory.withChain(NodeOption(parsed), .read) { try $0.proposals() }
        console.answer(
            ["proposals": .array(found.map { Form.proposalView.write($0) })],
            text: found.isEmpty
                ? "Nothing is open."
                : found.map { proposal in
                    let approvals = proposal.approvals.map { String($0.number) }.joined(separator: ", ")
                    return "\(proposal.id)  \(text(proposal.decision)), by \(proposal.proposer); approved by "
                        + "\(approvals); lapses at \(UTC.text(proposal.lapsesAt))"
                }.joined(separator: "\n"))
        return .ok
    }

    private static func text(_ decision: Decision) -> String {
        switch decision {
        case .admit(let application): "admit \(application.terms.id), \(application.terms.name)"
        case .suspend(let id): "suspend \(id)"
        case .release(let id): "release \(id)"
        case .exit(let id): "let \(id) leave"
        case .quota(let id, let quota): "let \(id) have \(quota) outstanding of each unit"
        case .rules(let version): "rules of version \(version)"
        case .keys(let application): "let \(application.terms.id) have other keys"
        }
    }

    // MARK: Applying

    private static let apply = Command(
        "apply", "make the keys and the application of an organisation that would join",
        details: """
            Makes DIR as the directory of that organisation: the genesis, its keys, and the empty directory of its \
            node; and in it `application.json`, signed by each of its keys, which a member proposes with \
            `lianfen consortium propose --admit FILE`. With --node-url also a `node.json`, by which its node follows \
            the chain at once, and votes when it is admitted (docs/machines.md).
            """,
        options: [
            .path("dir", placeholder: "DIR", .required, help: "where; must not exist, or be empty"),
            .path("genesis", placeholder: "FILE", .required, help: "the chain's genesis, from somebody you trust"),
            .integer("number", in: 1...Int(UInt32.max), .required, help: "a number that no organisation has or had"),
            .string("name", placeholder: "NAME", .required, help: "the name that is shown"),
            .integer(
                "quota", in: 0...Int.max, placeholder: "POINTS", .fallback("1000000000000"),
                help: "the most that may be outstanding of each of its units"),
            .flag("silent", help: "it issues and does not vote: make no voting key"),
            .flag("dev", help: "for trying: keys without a passphrase"), Passphrase.option,
        ] + InitCommand.Machines.options
    ) { parsed, console in
        let name = parsed.requiredText("name")
        guard (1...GenesisOrganisation.nameBytesMax).contains(name.utf8.count) else {
            throw CommandError(
                code: "name-invalid", field: "--name",
                reason: "a name has 1 to \(GenesisOrganisation.nameBytesMax) bytes", exit: .usage)
        }
        let genesis = try ChainDirectory.readGenesis(parsed.requiredText("genesis"))
        let machines = try InitCommand.Machines(
            parsed, validators: genesis.validators.count, isNeeded: !InitCommand.Machines.given(parsed).isEmpty,
            follows: true)
        let (path, application) = try Applicant(
            genesis: genesis,
            id: OrganisationID(UInt32(parsed.requiredNumber("number"))), name: name,
            quota: UInt64(parsed.requiredNumber("quota")), votes: !parsed.flag("silent"),
            passphrase: try InitCommand.passphrase(parsed), machines: machines
        ).make(at: parsed.requiredText("dir"))
        console.answer(
            ["application": .string(path), "organisation": JSONValue(application.terms.id.number)],
            text: "Made the keys of \(application.terms.id), \(name). Give \(path) to a member, who proposes it.")
        return .ok
    }

    // MARK: Deciding

    private static let propose = Command(
        "propose", "propose a decision, and approve of it by that",
        options: chain + [
            by,
            .path("admit", placeholder: "FILE", help: "the application of who would join"),
            .integer("suspend", in: 1...Int(UInt32.max), help: "an organisation that shall neither vote nor govern"),
            .integer("release", in: 1...Int(UInt32.max), help: "an organisation whose suspension shall end"),
            .integer("exit", in: 1...Int(UInt32.max), help: "an organisation that shall leave for good"),
            .string(
                "quota", placeholder: "N=POINTS", help: "what organisation N may have outstanding of each unit"),
            .integer("rules", in: 1...Int(UInt32.max), help: "the version of the rules, two heights later"),
            .path(
                "keys", placeholder: "FILE",
                help: "the keys that an organisation shall have, as it wrote them (rekey --application)"),
        ]
    ) { parsed, console in
        let decision = try decision(parsed)
        if case .rules(let version) = decision { try checkKnown(version, parsed, console) }
        return try decide(parsed, console) { .propose(decision, by: $0) }
    }

    private static let approve = Command(
        "approve", "approve of a proposal",
        arguments: [Argument("PROPOSAL", help: "its id, as `lianfen consortium proposals` lists it")],
        options: chain + [by]
    ) { parsed, console in
        guard let id = Digest(hex: parsed.requiredText("PROPOSAL")) else {
            throw CommandError(
                code: "proposal-invalid", field: "PROPOSAL", reason: "an id has 64 hexadecimal digits", exit: .usage)
        }
        return try decide(parsed, console) { .approve(id, by: $0) }
    }

    private static func decide(
        _ parsed: Parsed, _ console: Console, _ operation: (OrganisationID) -> Operation
    ) throws -> ExitCode {
        let directory = try NodeOption.directory(parsed)
        let by = OrganisationID(UInt32(parsed.requiredNumber("by")))
        let governor = try directory.governor(by)
        let operation = operation(by)
        let answer = try directory.withChain(NodeOption(parsed), .send(speaker: governor)) {
            try $0.submit([operation], by: [governor])
        }
        var id: ProposalID?
        var carried = false
        switch (answer.receipt.outcomes.first, operation) {
        case (.proposal(let found, let isCarried)?, _): (id, carried) = (found, isCarried)
        case (_, .approve(let proposal, _)): id = proposal
        default: break
        }
        let named = id.map(\.description) ?? ""
        console.answer(
            [
                "proposal": .string(named), "carried": .bool(carried),
                "height": JSONValue(answer.place.height),
            ],
            text: carried ? "Carried: proposal \(named)." : "Proposal \(named) waits for more approvals.")
        return .ok
    }

    /// Refuses a version of the rules that this program does not know, and names the nodes that do not: they would halt
    /// at its first height.
    private static func checkKnown(_ version: UInt32, _ parsed: Parsed, _ console: Console) throws {
        let known = try RulesKnown.fromEnvironment()
        guard known.contains(version) else {
            throw CommandError(
                code: "rules-unknown", field: "--rules",
                reason: "this program knows the rules up to version \(known.upperBound), and a node of it would halt "
                    + "at the first height of version \(version); install a release that knows it")
        }
        let directory = try NodeOption.directory(parsed)
        var clients: [(name: String, client: NodeClient)] = []
        for url in parsed.texts("node") {
            let node = NodeOption([try NodeOption.url(url)], authorities: parsed.text("ca"))
            clients.append(("the node at \(url)", try node.client(directory)))
        }
        if NodeSetup.exists(in: directory.path) {
            for peer in try NodeSetup(directory).peers {
                let client = try NodeClient(
                    peer.url, pin: .genesis(directory.genesis), authorities: peer.authorities)
                clients.append(("the node of \(peer.organisation) at \(peer.url)", client))
            }
        }
        for (name, client) in clients {
            defer { client.stop() }
            do throws(NodeClientError) {
                let newest = try client.rulesKnown().upperBound
                if newest < version {
                    console.note(
                        "\(name) knows the rules up to version \(newest): it halts where version \(version) begins, "
                            + "and goes on once its program is replaced.")
                }
            } catch { console.note("\(name) does not say which rules it knows: \(error.sentence)") }
        }
    }

    private static func decision(_ parsed: Parsed) throws -> Decision {
        let kinds = ["admit", "suspend", "release", "exit", "quota", "rules", "keys"].filter { parsed.has($0) }
        guard kinds.count == 1 else {
            throw CommandError(
                code: "either", field: kinds.last.map { "--\($0)" },
                reason: "propose one decision: --admit, --suspend, --release, --exit, --quota, --rules or --keys",
                exit: .usage)
        }
        func organisation() -> OrganisationID { OrganisationID(UInt32(parsed.requiredNumber(kinds[0]))) }
        switch kinds[0] {
        case "admit": return .admit(try Applicant.read(parsed.requiredText("admit")))
        case "keys": return .keys(try Applicant.read(parsed.requiredText("keys")))
        case "suspend": return .suspend(organisation())
        case "release": return .release(organisation())
        case "exit": return .exit(organisation())
        case "rules": return .rules(version: organisation().number)
        default:
            let parts = parsed.requiredText("quota").split(separator: "=", omittingEmptySubsequences: false)
            guard parts.count == 2, let id = UInt32(parts[0]), let quota = UInt64(parts[1]) else {
                throw CommandError(
                    code: "quota-invalid", field: "--quota", reason: "it wants N=POINTS, such as 3=500000", exit: .usage
                )
            }
            return .quota(OrganisationID(id), quota)
        }
    }
}

/// An organisation that would join a chain.
struct Applicant {
    let genesis: Genesis
    let id: OrganisationID
    let name: String
    let quota: UInt64
    let votes: Bool
    let passphrase: [UInt8]?
    /// Where the others' nodes are; none: nothing is said of its own node.
    let machines: InitCommand.Machines?

    /// Makes its directory, keys and application.
    /// - Returns: the file of the application.
    func make(at path: String) throws -> (file: String, application: Application) {
        let directory = try NewDirectory(path)
        return try directory.fill { making in
            let keys = try OrganisationKeys(id, votes: votes, in: making, passphrase)
            let application = Application(
                signing: keys.terms(id, name: name, quota: quota), genesis: genesis.hash, keys: keys.all)
            try InitCommand.finish(making, id, genesis)
            try Self.write(application, to: making + Self.fileName)
            try machines?.write(id, in: genesis, to: making)
            return (directory.path + Self.fileName, application)
        }
    }

    private static let fileName = "/application.json"
    private static let bytesMax = 65_536

    static func write(_ application: Application, to file: String) throws {
        try Files.write(Array((Form.application.write(application).text + "\n").utf8), to: file, mode: 0o644)
    }

    static func read(_ file: String) throws -> Application {
        let bytes = try Files.read(file, max: bytesMax)
        do throws(JSONError) { return try Form.application.parse(try JSONValue(parsing: bytes)) } catch {
            throw CommandError(
                code: "application-invalid", field: file, reason: "the file is no application: \(error)")
        }
    }
}
