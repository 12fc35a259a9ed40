import Canonical
import Chain
import Concurrency
import Crypto
import JSON
import Ledger
import Node
import Terminal
import Wire

/// The requests of all who found a chain, held against each other.
struct Founders {
    private struct Entry {
        let file: String
        let request: FoundingRequest
    }

    /// In ascending order of number.
    private let entries: [Entry]
    private let terms: FoundingTerms

    /// Reads the files and checks them, each by itself and all together.
    /// - Throws: the first thing that is wrong, with its place, and the other file where two disagree.
    init(_ files: [String]) throws {
        guard files.count <= Genesis.organisationsMax else {
            throw CommandError(
                code: "request-surplus", field: "REQUEST",
                reason: "\(files.count) are given; a genesis has at most \(Genesis.organisationsMax) organisations",
                exit: .usage)
        }
        let read = try files.map { Entry(file: $0, request: try FoundingFile.request.read($0)) }
        var once = Once()
        for (index, entry) in read.enumerated() {
            let (file, request) = (entry.file, entry.request)
            if let twin = read[..<index].first(where: { $0.request == request }) {
                throw CommandError.founding(file, "$", "is the same request as \(twin.file): leave one out")
            }
            try Self.checkTerms(entry, read[0])
            try once.take(
                request.organisation.id, file, "$.organisation.id", "\(request.organisation.id.number)",
                "each organisation has a number of its own: one of the two makes its request anew")
            let name = request.organisation.name
            try once.take(
                name, file, "$.organisation.name", JSONValue.string(name).text,
                "nobody could tell them apart: one of the two makes its request anew")
            try once.take(
                request.organisation.issuingKey, file, "$.organisation.issuingKey", "this key", Self.ownKey)
            try once.take(
                request.organisation.governingKey, file, "$.organisation.governingKey", "this key", Self.ownKey)
            if let key = request.organisation.votingKey {
                try once.take(key, file, "$.organisation.votingKey", "this key", Self.ownKey)
            }
            if let node = request.node {
                try once.take(
                    node, file, "$.node", JSONValue.string(node).text,
                    "two organisations cannot have the same node: one of the two makes its request anew")
            }
        }
        entries = read.sorted { $0.request.organisation.id < $1.request.organisation.id }
        terms = read[0].request.terms
        let voters = entries.filter { $0.request.node != nil }.count
        guard (1...Genesis.validatorsMax).contains(voters) else {
            throw CommandError(
                code: "validators", field: "REQUEST",
                reason: voters == 0
                    ? "none of these organisations votes, so nobody could certify a block"
                    : "\(voters) organisations would vote; there are at most \(Genesis.validatorsMax) validators: "
                        + "the others ask with --silent")
        }
    }

    private static let ownKey = "no two organisations share a key: one of the two makes its request anew"

    private static func checkTerms(_ entry: Entry, _ first: Entry) throws {
        let known = try RulesKnown.fromEnvironment()
        guard known.contains(entry.request.terms.rulesVersion) else {
            throw CommandError.founding(
                entry.file, "$.terms.rulesVersion",
                "is \(entry.request.terms.rulesVersion); this program knows the rules up to version "
                    + "\(known.upperBound): found with the same version of it")
        }
        let form = Form<FoundingTerms>.foundingTerms
        let difference = form.write(entry.request.terms).difference(from: form.write(first.request.terms))
        guard let difference else { return }
        throw CommandError.founding(
            entry.file, difference.path.replacingPrefix("$", by: "$.terms"),
            "is \(difference.hereText), and \(difference.thereText) in \(first.file); the terms are the same in all "
                + "requests: agree, and whoever was wrong makes its request anew")
    }

    /// What no two requests may have in common.
    private struct Once {
        private var seen: [AnyHashable: (file: String, place: String)] = [:]

        mutating func take(
            _ value: some Hashable, _ file: String, _ place: String, _ shown: String, _ why: String
        ) throws {
            if let other = seen[AnyHashable(value)] {
                let elsewhere = other.place == place ? "" : " as \(other.place)"
                throw CommandError.founding(file, place, "is \(shown), as in \(other.file)\(elsewhere); \(why)")
            }
            seen[AnyHashable(value)] = (file, place)
        }
    }

    // MARK: The genesis

    func genesis(time: UInt64, orderingEpoch: [UInt8]) -> Genesis {
        Genesis(terms, founders: entries.map(\.request), time: time, orderingEpoch: orderingEpoch)
    }

    /// Where the nodes of those who vote will be.
    var nodes: [FoundingApproval.Node] {
        entries.compactMap { entry in
            entry.request.node.map { .init(organisation: entry.request.organisation.id, url: $0) }
        }
    }

    /// Checks that an organisation's own request is among them, as it wrote it.
    func checkSame(_ directory: FounderDirectory) throws {
        guard let own = entries.first(where: { $0.request.organisation.id == directory.id }) else {
            throw CommandError(
                code: "request-missing", field: "REQUEST",
                reason: "the request of \(directory.id) itself, \(directory.requestPath), is not among them; give the "
                    + "requests of all founders")
        }
        let form = Form<FoundingRequest>.foundingRequest
        guard let difference = form.write(own.request).difference(from: form.write(directory.request)) else { return }
        throw CommandError.founding(
            own.file, difference.path,
            "is \(difference.hereText), and \(difference.thereText) in \(directory.requestPath): this is not what "
                + "\(directory.id) asked for; give its own file, and ask where this one came from")
    }

    /// Reads a genesis and holds every field of it against the requests, but for the time and the bytes that were drawn
    /// for it, which nobody asks for.
    func checked(_ file: GenesisFile) throws -> Genesis {
        let genesis = try file.read(
            like: self.genesis(time: 0, orderingEpoch: [UInt8](repeating: 0, count: 16)),
            drawn: ["$.time", "$.orderingEpoch"], "the requests")
        for (index, founder) in genesis.organisations.enumerated()
        where !entries.contains(where: { $0.request.organisation.id == founder.id }) {
            throw CommandError.founding(
                file.path, "$.organisations[\(index)].id",
                "is \(founder.id.number), \(JSONValue.string(founder.name).text), of which no request is given; give "
                    + "the requests of all founders, and ask whoever put the genesis together who that is")
        }
        for entry in entries where !genesis.organisations.contains(where: { $0.id == entry.request.organisation.id }) {
            throw CommandError.founding(
                file.path, "$.organisations",
                "have no \(entry.request.organisation.id), which asks in \(entry.file); whoever put the genesis "
                    + "together did without it")
        }
        let wanted = self.genesis(time: genesis.time, orderingEpoch: genesis.orderingEpoch)
        try file.check(genesis, like: wanted) { path in
            let index = entries.indices.first { path.hasPrefix("$.organisations[\($0)].") }
            return "in " + (index.map { entries[$0].file } ?? "the requests")
        }
        let now = wallClockMilliseconds()
        guard genesis.time <= now + NodeCore.clockBehindMaxMilliseconds else {
            throw CommandError.founding(
                file.path, "$.time",
                "is \(UTC.text(genesis.time)), and this machine's clock says \(UTC.text(now)); a validator so far "
                    + "behind does not vote: find out which clock is wrong")
        }
        return genesis
    }
}

/// The approvals of all founders, held against each other and the genesis.
struct FoundingApprovals {
    private struct Entry {
        let file: String
        let approval: FoundingApproval
    }

    /// That of the organisation itself, which is known to be its own by its key.
    private let own: Entry
    private let others: [Entry]

    /// Reads the files.
    /// - Parameter directory: the organisation that would begin, whose own approval is there where it is not given.
    init(_ files: [String], of directory: FounderDirectory) throws {
        let isOwn = { (entry: Entry) in entry.approval.organisation == directory.id }
        guard files.count <= Genesis.organisationsMax else {
            throw CommandError(
                code: "approval-surplus", field: "APPROVAL",
                reason: "\(files.count) are given; a genesis has at most \(Genesis.organisationsMax) organisations",
                exit: .usage)
        }
        var entries = try files.map { Entry(file: $0, approval: try FoundingFile.approval.read($0)) }
        for (index, entry) in entries.enumerated() {
            let who = entry.approval.organisation
            guard let twin = entries[..<index].first(where: { $0.approval.organisation == who }) else { continue }
            throw CommandError.founding(
                entry.file, "$.organisation", "is \(who.number), as in \(twin.file); give one approval of each")
        }
        if !entries.contains(where: isOwn) {
            guard Files.exists(directory.approvalPath) else {
                throw CommandError(
                    code: "approval-missing", field: "--dir",
                    reason: "\(directory.id) itself has not approved yet: run `lianfen init consortium approve` first")
            }
            let file = directory.approvalPath
            entries.append(Entry(file: file, approval: try FoundingFile.approval.read(file)))
        }
        guard let own = entries.first(where: isOwn) else {
            throw CommandError.founding(
                directory.approvalPath, "$.organisation", "is not \(directory.id.number), whose directory this is")
        }
        // The organisation trusts its own word: what its own key, here, has signed.
        guard own.approval.genesis.organisations.contains(directory.request.organisation) else {
            throw CommandError.founding(
                own.file, "$.genesis.organisations",
                "do not have \(directory.id) with the keys of this directory, so it is not its approval")
        }
        self.own = own
        others = entries.filter { !isOwn($0) }
    }

    var nodes: [FoundingApproval.Node] { own.approval.nodes }

    /// Reads a genesis and holds it against all approvals: each has to be of exactly this one.
    func checked(_ file: GenesisFile) throws -> Genesis {
        let wanted = own.approval.genesis
        let mine = "the genesis that \(own.approval.organisation) approved (\(own.file))"
        let genesis = try file.read(like: wanted, mine)
        try file.check(genesis, like: wanted) { _ in "in " + mine }
        let genesisForm = Form<Genesis>.genesisFields
        let approvalForm = Form<FoundingApproval>.foundingApproval
        for entry in others {
            let who = entry.approval.organisation
            if let found = genesisForm.write(entry.approval.genesis).difference(from: genesisForm.write(genesis)) {
                throw CommandError.founding(
                    entry.file, found.path.replacingPrefix("$", by: "$.genesis"),
                    "is \(found.hereText) in what \(who) approved, and \(found.thereText) in \(file.path), which "
                        + "\(own.approval.organisation) approved; nobody begins before all have approved the same "
                        + "genesis: compare it with \(who)")
            }
            let (theirs, ours) = (approvalForm.write(entry.approval), approvalForm.write(own.approval))
            if let nodes = theirs["nodes"], let found = ours["nodes"].flatMap({ nodes.difference(from: $0) }) {
                throw CommandError.founding(
                    entry.file, found.path.replacingPrefix("$", by: "$.nodes"),
                    "is \(found.hereText) in what \(who) approved, and \(found.thereText) in what "
                        + "\(own.approval.organisation) approved; one of the two had other requests: compare them")
            }
        }
        let there = Set(others.map(\.approval.organisation)).union([own.approval.organisation])
        let missing = genesis.organisations.filter { !there.contains($0.id) }
        guard missing.isEmpty else {
            throw CommandError(
                code: "approval-missing", field: "APPROVAL",
                reason: "no approval is given of "
                    + missing.map { "\($0.id) (\($0.name))" }.joined(separator: ", ")
                    + "; a chain begins when all founders have approved")
        }
        return genesis
    }
}
