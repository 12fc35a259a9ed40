import Canonical
import Crypto
import Foundation
import JSON
import Ledger
import ServerKit
import TestSupport
import Testing
import Wire

@testable import Commands

/// Organisations that found a chain, each in a directory of its own below `root`: `mall-1` and so on, with keys in the
/// clear so that tests can look for them.
struct Ceremony {
    let root: URL
    let numbers: [Int]

    var genesis: String { root.file("genesis") }
    var requests: [String] { numbers.map { request($0) } }
    var approvals: [String] { numbers.map { approval($0) } }

    func directory(_ number: Int) -> String { root.file("mall-\(number)") }
    func request(_ number: Int) -> String { directory(number) + "/request.json" }
    func approval(_ number: Int) -> String { directory(number) + "/approval.json" }
    static func url(_ number: Int) -> String { "https://\(number).example:8443" }

    /// Runs a test in a fresh directory, with requests of four; the last of them may be silent.
    static func with(
        silent: Bool = false, upTo step: Step = .requested, _ body: (Ceremony) throws -> Void
    ) throws {
        try withTemporaryDirectory { root in
            let ceremony = Ceremony(root: root, numbers: Array(1...4))
            for number in ceremony.numbers {
                let call = ceremony.ask(number, silent && number == 4 ? ["--silent"] : ["--node-url", url(number)])
                try #require(call.code == 0, "\(call.errors)")
            }
            if step >= .assembled {
                let call = ceremony.assemble()
                try #require(call.code == 0, "\(call.errors)")
            }
            if step >= .approved {
                for number in ceremony.numbers {
                    let call = ceremony.approve(number)
                    try #require(call.code == 0, "\(call.errors)")
                }
            }
            try body(ceremony)
        }
    }

    enum Step: Int, Comparable {
        case requested, assembled, approved
        static func < (a: Step, b: Step) -> Bool { a.rawValue < b.rawValue }
    }

    private func call(_ words: [String]) -> Call { Call(["init", "consortium"] + words + ["--json"]) }

    func ask(_ number: Int, _ options: [String]) -> Call {
        call(
            [
                "request", "--dev", "--dir", directory(number), "--chain", "mall", "--number", "\(number)", "--name",
                "商城 \(number)",
            ] + options)
    }

    func assemble(_ files: [String]? = nil, out: String? = nil) -> Call {
        call(["assemble", "--out", out ?? genesis] + (files ?? requests))
    }

    func approve(_ number: Int, _ files: [String]? = nil, genesis file: String? = nil) -> Call {
        call(["approve", "--dir", directory(number), "--genesis", file ?? genesis] + (files ?? requests))
    }

    func begin(
        _ number: Int, _ files: [String]? = nil, genesis file: String? = nil, options: [String] = []
    ) -> Call {
        call(["begin", "--dir", directory(number), "--genesis", file ?? genesis] + (files ?? approvals) + options)
    }

    // MARK: What stands there

    static func bytes(_ file: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: file))) }

    func read<Value>(_ form: Form<Value>, _ file: String) throws -> Value {
        try form.parse(JSONValue(parsing: Self.bytes(file)))
    }

    /// The secret keys of an organisation, in the order in which they sign a request.
    func keys(_ number: Int) throws -> [SecretKey] {
        let home = directory(number)
        return try ["nodes/\(number)/voting.key", "keys/\(number)-issuing.key", "keys/\(number)-governing.key"]
            .filter { FileManager.default.fileExists(atPath: home + "/" + $0) }
            .map { try KeyFile(canonicalBytes: Self.bytes(home + "/" + $0)).open(passphrase: nil) }
    }

    /// A request beside that of an organisation, signed by its keys, with something else in it.
    func forge(
        _ number: Int, as name: String, terms: FoundingTerms? = nil, id: UInt32? = nil, title: String? = nil,
        keys other: [SecretKey]? = nil, quota: UInt64? = nil, node: String? = nil
    ) throws -> String {
        let right = try read(.foundingRequest, request(number))
        let keys = try other ?? keys(number)
        let organisation = GenesisOrganisation(
            id: id.map { OrganisationID($0) } ?? right.organisation.id, name: title ?? right.organisation.name,
            votingKey: keys[0].publicKey, issuingKey: keys[1].publicKey, governingKey: keys[2].publicKey,
            quota: quota ?? right.organisation.quota)
        let forged = FoundingRequest(
            signing: terms ?? right.terms, organisation: organisation, node: node ?? right.node, keys: keys)
        return try root.write(name, Form<FoundingRequest>.foundingRequest.write(forged).indentedText)
    }

    /// An approval by the governing key of an organisation.
    func approve(_ number: Int, _ genesis: Genesis, nodes: [FoundingApproval.Node]? = nil, as name: String) throws
        -> String
    {
        let nodes = nodes ?? Self.nodes(genesis)
        let approval = FoundingApproval(
            signing: genesis, nodes: nodes, by: OrganisationID(UInt32(number)), key: try keys(number).last!)
        return try root.write(name, Form<FoundingApproval>.foundingApproval.write(approval).indentedText)
    }

    static func nodes(_ genesis: Genesis) -> [FoundingApproval.Node] {
        genesis.validators.map { .init(organisation: $0.id, url: url(Int($0.id.number))) }
    }
}
