import Canonical
import Chain
import Crypto
import JSON
import Ledger
import Node
import Terminal

/// `lianfen proof`: statements that anyone can check offline.
enum ProofCommands {
    static let command = Command(
        "proof", "export proofs, and check them offline", subcommands: [export, verify])

    private static let export = Command(
        "export", "write the proof of a balance or of a receipt to a file",
        details: "Give an account and a unit for a balance, or a transaction for its receipt.",
        options: [
            .path("dir", placeholder: "DIR", .required, help: "the chain's directory"),
            .path("out", placeholder: "FILE", .required, help: "the file to write"),
            .string("account", placeholder: "ACCOUNT", help: "account id, or the name of a wallet here"),
            .string("unit", placeholder: "UNIT", help: "unit code"),
            .string("transaction", placeholder: "ID", help: "transaction id, 64 hexadecimal digits"),
            Passphrase.option,
        ] + NodeOption.options
    ) { parsed, console in
        let node = try NodeOption(parsed)
        let directory = try NodeOption.directory(parsed)
        let proof: Proof
        if let text = parsed.text("transaction") {
            guard parsed.text("account") == nil, parsed.text("unit") == nil else {
                throw CommandError(
                    code: "either", field: "--transaction", reason: "give either a transaction, or account and unit",
                    exit: .usage)
            }
            guard let id = Digest(hex: text) else {
                throw CommandError(
                    code: "transaction-invalid", field: "--transaction", reason: "an id has 64 hexadecimal digits",
                    exit: .usage)
            }
            proof = try directory.withChain(node, .read) { chain in
                guard let proof = try chain.receiptProof(id) else {
                    throw CommandError(
                        code: "transaction-unknown", field: "--transaction",
                        reason: "no certified block holds this transaction")
                }
                return proof
            }
        } else {
            guard let account = parsed.text("account"), let unit = parsed.text("unit") else {
                throw CommandError(
                    code: "either", field: "--account", reason: "give account and unit, or a transaction",
                    exit: .usage)
            }
            let id = try Wallets(directory).account(account)
            let code = try Wallets.unit(unit)
            if let found = try directory.withChain(node, .read, { try $0.balanceProof(id, code) }) {
                proof = found
            } else {
                proof = try directory.withConsortium {
                    try LocalChain(directory, running: $0).balanceProof(id, code)!
                }
            }
        }
        if let text = parsed.text("unit"), let code = UnitCode(text),
            try directory.withChain(node, .read, { try $0.unit(code) }) == nil
        {
            console.note("This chain has no unit \(code); the proof says that the account holds none of it.")
        }
        let bytes = proof.canonicalBytes
        try Files.write(bytes, to: parsed.requiredText("out"), mode: 0o644)
        console.answer(
            [
                "file": .string(parsed.requiredText("out")), "bytes": JSONValue(bytes.count),
                "height": JSONValue(proof.headers[0].height),
            ],
            text: "Wrote \(parsed.requiredText("out")): \(bytes.count) bytes, of height \(proof.headers[0].height).")
        return .ok
    }

    private static let verify = Command(
        "verify", "check a proof against a genesis, with nothing else at hand",
        arguments: [Argument("FILE", .path, help: "the proof")],
        options: [
            .path("genesis", placeholder: "FILE", .required, help: "the genesis you trust"),
            .path(
                "changes", placeholder: "FILE",
                help: "changes of the validators since the genesis, as lianfen validators follow --out writes them"),
        ]
    ) { parsed, console in
        let file = parsed.requiredText("FILE")
        let genesis = try ChainDirectory.readGenesis(parsed.requiredText("genesis"))
        let proof: Proof
        do { proof = try Proof(canonicalBytes: try Files.read(file, max: Proof.bytesMax)) } catch let error
            as DecodingError
        {
            throw CommandError(code: "proof-invalid", field: file, reason: "the file is not a proof: \(error)")
        }
        let verified: Proof.Verified
        let client = try lightClient(genesis, changes: parsed.text("changes"))
        do { verified = try proof.verify(by: client) } catch let refusal as Proof.Refusal {
            let hint = refusal == .validators && client.trusted.height < proof.headers[0].height
            throw CommandError(
                code: "proof-refused", field: file,
                reason: "\(refusal)"
                    + (hint ? "; where validators have changed since the genesis, give --changes" : ""))
        }
        let signed =
            "\(verified.signers.count) of \(verified.validators) organisations signed "
            + "(\(verified.quorum) make it final)"
        var members: [JSONValue.Member] = [.init("valid", true)]
        var lines: [String] = []
        switch verified.subject {
        case .balance(let account, let unit, let summary, _, _):
            members += [
                .init("kind", "balance"), .init("account", .string(account.description)),
                .init("unit", .string(unit.description)),
                .init("available", .string(String(summary?.available ?? 0))),
                .init("held", .string(String(summary?.held ?? 0))),
                .init("pending", .string(String(summary?.pending ?? 0))),
                .init("debt", .string(String(summary?.debt ?? 0))),
            ]
            lines = [
                "Valid. \(account) had \(summary?.available ?? 0) \(unit) available, \(summary?.held ?? 0) held, "
                    + "\(summary?.pending ?? 0) pending, \(summary?.debt ?? 0) owed."
            ]
        case .receipt(let receipt, _):
            members += [
                .init("kind", "receipt"), .init("transaction", .string(receipt.transaction.description)),
                .init("result", .string(receipt.result.name)),
            ]
            lines = ["Valid. Transaction \(receipt.transaction): \(receipt.result.name)."]
        }
        members += [
            .init("height", JSONValue(verified.height)), .init("time", JSONValue(verified.time)),
            .init("stateRoot", .string(verified.stateRoot.description)),
            .init("signers", JSONValue(verified.signers.count)), .init("validators", JSONValue(verified.validators)),
            .init("quorum", JSONValue(verified.quorum)),
        ]
        lines.append("Height \(verified.height), \(UTC.text(verified.time)); \(signed).")
        console.answer(.object(members), text: lines.joined(separator: "\n"))
        return .ok
    }

    /// A light client that has followed the changes in a file from the genesis on.
    private static func lightClient(_ genesis: Genesis, changes file: String?) throws -> LightClient {
        var client = LightClient(genesis)
        guard let file else { return client }
        let steps: [LightStep]
        do { steps = try LightSteps(canonicalBytes: try Files.read(file, max: LightSteps.bytesMax)).steps } catch let
            error
            as DecodingError
        {
            throw CommandError(
                code: "changes-invalid", field: file, reason: "the file is no list of changes: \(error)")
        }
        for (index, step) in steps.enumerated() {
            do { try client.advance(to: step) } catch {
                throw CommandError(
                    code: "changes-refused", field: file, reason: "change \(index + 1) of \(steps.count): \(error)")
            }
        }
        return client
    }
}
