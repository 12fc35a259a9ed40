import Canonical
import Concurrency
import Crypto
import JSON
import Ledger
import Terminal
import Wallet
import Wire

/// `lianfen tx`: transactions by hand, step by step, each step on a machine of its own if need be.
enum TxCommands {
    static let command = Command(
        "tx", "build, sign and show transactions on standard input and output",
        details: """
            The steps are made for a pipe: `lianfen tx build < body.json | lianfen tx sign --key FILE --genesis FILE`. \
            None of them needs a node or a network. docs/api.md shows them at work with curl.
            """,
        subcommands: [build, sign, show, token])

    private static let genesis = Option.path("genesis", placeholder: "FILE", help: "the chain's genesis")

    private static let build = Command(
        "build", "make a transaction's body out of JSON",
        details: """
            Reads what POST /v1/transactions/prepare takes: signers and operations, and a nonce and validUntil if \
            you like; where they are missing, the nonce is drawn and the time is two minutes from now. Writes the body \
            with its id and its canonical bytes, ready to be signed.
            """
    ) { _, console in
        let json = try TransactionFile.json(try console.input(max: TransactionFile.bytesMax))
        let file = try TransactionFile.unsigned(
            json, nonce: { randomBytes(8).reduce(0) { $0 << 8 | UInt64($1) } },
            validUntil: { wallClockMilliseconds() + Transaction.lifetimeMilliseconds })
        console.pass(file.json.text)
        return .ok
    }

    private static let signing: [Option] = [
        .path("key", placeholder: "FILE", help: "the key to sign with"),
        .string("wallet", placeholder: "NAME", help: "a wallet in DIR to sign with"),
        .path("dir", placeholder: "DIR", help: "a directory with wallets, or with the genesis"), genesis,
        Passphrase.option,
    ]

    private static let sign = Command(
        "sign", "add a signature",
        details: """
            Reads a body, what POST /v1/transactions/prepare answers, or a transaction that lacks signatures, and \
            signs for each signer that has the key. With the last signature it writes the whole transaction: as the \
            JSON that POST /v1/transactions takes, in `transaction`, and as bytes, in `envelope`. With --envelope it \
            writes these bytes alone and as they are, for `curl --data-binary @-`.
            """,
        options: signing + [
            .flag("envelope", help: "write the bytes of the whole transaction and nothing else")
        ]
    ) { parsed, console in
        let passphrase = Passphrase(parsed)
        let (key, genesis) = try signer(parsed, passphrase)
        var file = try TransactionFile(reading: try console.input(max: TransactionFile.bytesMax))
        let mine = file.body.signers.indices.filter { file.body.signers[$0].key == key.publicKey }
        guard !mine.isEmpty else {
            let keys = file.body.signers.map { "\($0.party) by \($0.key)" }.joined(separator: ", ")
            throw CommandError(
                code: "key-foreign", field: parsed.text("key") ?? parsed.text("wallet"),
                reason: "no signer has the key \(key.publicKey); it wants \(keys)")
        }
        let signature = key.sign(TransactionBody.signedBytes(genesis: genesis.hash, body: file.bytes))
        for index in mine { file.signatures[index] = signature }
        guard parsed.flag("envelope") else {
            console.pass(file.json.text)
            return .ok
        }
        guard let whole = file.whole else {
            let missing = zip(file.body.signers, file.signatures).filter { $1 == nil }.map { "\($0.0.party)" }
            throw CommandError(
                code: "signatures-missing", field: "--envelope",
                reason: "it is not whole: \(missing.joined(separator: ", ")) has to sign too")
        }
        console.pass(bytes: whole.bytes)
        return .ok
    }

    private static func signer(_ parsed: Parsed, _ passphrase: Passphrase) throws -> (SecretKey, Genesis) {
        guard (parsed.text("key") == nil) != (parsed.text("wallet") == nil) else {
            throw CommandError(
                code: "either", field: "--key", reason: "give a key file, or a wallet and its directory", exit: .usage)
        }
        let genesisFile =
            try parsed.text("genesis") ?? parsed.text("dir").map { ChainDirectory.genesisPath($0) }
            ?? {
                throw CommandError(
                    code: "genesis-missing", field: "--genesis",
                    reason: "a signature holds for one chain: give its genesis, or a directory that has it",
                    exit: .usage)
            }()
        if let file = parsed.text("key") {
            return (try ChainDirectory.readKey(file, passphrase), try ChainDirectory.readGenesis(genesisFile))
        }
        guard let path = parsed.text("dir") else {
            throw CommandError(
                code: "missing-option", field: "--dir", reason: "a wallet lies in a directory: give it", exit: .usage)
        }
        let directory = try ChainDirectory(path, passphrase: passphrase, genesis: parsed.text("genesis"))
        return (try Wallets(directory).author(parsed.requiredText("wallet")).key, directory.genesis)
    }

    // MARK: Tokens

    private static let token = Command(
        "token", "sign a challenge, to get a token for it",
        details: """
            Reads what POST /v1/challenges answers, and writes what POST /v1/tokens takes. What is signed is made \
            here of the genesis and the challenge, under a tag of its own: a node can get no signature of a \
            transaction that way. With --wallet it is for that account, with --key for the organisation or the \
            validator given.
            """,
        options: signing + [
            .integer("organisation", in: 1...Int(UInt32.max), help: "whose issuing or governing key --key is"),
            .integer("validator", in: 1...Int(UInt32.max), help: "whose voting key --key is"),
        ]
    ) { parsed, console in
        let (key, genesis) = try signer(parsed, Passphrase(parsed))
        let claimant = Claimant(try principal(parsed), key.publicKey)
        let json = try TransactionFile.json(try console.input(max: challengeBytesMax))
        guard case .object(let members) = json, let text = members.first(where: { $0.name == "challenge" })?.value
        else {
            throw CommandError(
                code: "json-invalid", field: "$.challenge",
                reason: "is missing; the input is what POST /v1/challenges answers")
        }
        do throws(JSONError) {
            let challenge = try Form<[UInt8]>.hexadecimal(1...Challenge.byteCountMax).parse(text)
            let message = Challenge.signedBytes(genesis: genesis.hash, challenge: challenge)
            let request = TokenRequest(claimant: claimant, challenge: challenge, signature: key.sign(message))
            console.pass(Form.tokenRequest.write(request).text)
        } catch {
            throw CommandError(code: "json-invalid", field: "$.challenge", reason: error.reason)
        }
        return .ok
    }

    /// Bytes of a challenge as a node gives it.
    private static let challengeBytesMax = 65_536

    /// Whom the signature of a challenge speaks for.
    private static func principal(_ parsed: Parsed) throws -> Principal {
        switch (parsed.text("wallet"), parsed.number("organisation"), parsed.number("validator")) {
        case (let name?, nil, nil):
            let directory = try ChainDirectory(
                parsed.text("dir") ?? "", passphrase: Passphrase(parsed), genesis: parsed.text("genesis"))
            return .account(try Wallets(directory).entry(name).account)
        case (nil, let number?, nil): return .organisation(OrganisationID(UInt32(number)))
        case (nil, nil, let number?): return .validator(OrganisationID(UInt32(number)))
        default:
            throw CommandError(
                code: "either", field: "--organisation",
                reason: "say whose key it is: a wallet is its account's; a key file is an --organisation's or a "
                    + "--validator's", exit: .usage)
        }
    }

    // MARK: Showing

    private enum Check: String {
        case good, wrong, missing
        /// No genesis was given.
        case unchecked
    }

    private static let show = Command(
        "show", "show a transaction, and check its signatures",
        details: """
            Reads a body or a transaction, as JSON or as canonical bytes, plain or in hexadecimal. With a genesis its \
            signatures are checked; a wrong one makes the exit code 1.
            """,
        options: [genesis]
    ) { parsed, console in
        let file = try TransactionFile(reading: try console.input(max: TransactionFile.bytesMax))
        let genesis = try parsed.text("genesis").map { try ChainDirectory.readGenesis($0) }
        let message = genesis.map { TransactionBody.signedBytes(genesis: $0.hash, body: file.bytes) }
        let checks = zip(file.body.signers, file.signatures).map { signer, signature -> Check in
            guard let signature else { return .missing }
            guard let message else { return .unchecked }
            return signer.key.verifies(signature, of: message) ? .good : .wrong
        }
        console.answer(json(file, checks), text: text(file, checks))
        return checks.contains(.wrong) ? .refused : .ok
    }

    private static func json(_ file: TransactionFile, _ checks: [Check]) -> JSONValue {
        var members: [JSONValue.Member] = [
            .init("id", .string(file.id.description)), .init("body", Form.unsigned.write(TransactionText(file.body))),
            .init(
                "signatures",
                .array(
                    zip(file.signatures, checks).map {
                        [
                            "state": .string($1.rawValue), "signature": $0.map { Form.signature.write($0) } ?? .null,
                        ]
                    })),
            .init("bytes", .string(hex(file.bytes))),
        ]
        if let whole = file.whole { members.append(.init("envelope", .string(hex(whole.bytes)))) }
        return .object(members)
    }

    private static func text(_ file: TransactionFile, _ checks: [Check]) -> String {
        let now = wallClockMilliseconds()
        let until = file.body.validUntil
        let left =
            until > now
            ? "for another \(Counted.text(Int(clamping: (until - now) / 1000), "second"))" : "which has passed"
        var lines = [
            "Transaction \(file.id)", "  nonce \(file.body.nonce), valid until \(UTC.text(until)), \(left)", "Signers",
        ]
        for (index, signer) in file.body.signers.enumerated() {
            lines.append("  \(index + 1). \(signer.party), key \(signer.key): signature \(checks[index].rawValue)")
        }
        lines.append("Operations")
        for (index, operation) in file.body.operations.enumerated() {
            guard case .object(let members) = Form.operation.write(operation) else { continue }
            lines.append("  \(index + 1). \(operation.kind)")
            for member in members where member.name != "kind" {
                lines += shown(member.name, member.value, indent: "     ")
            }
        }
        return lines.joined(separator: "\n")
    }

    /// Items of a list that are shown one by one.
    private static let itemsShownMax = 20

    private static func shown(_ name: String, _ value: JSONValue, indent: String) -> [String] {
        switch value {
        case .string(let text): ["\(indent)\(name): \(CommandError.quoted(text).dropFirst().dropLast())"]
        case .array(let items):
            ["\(indent)\(name): \(items.count)"]
                + items.prefix(itemsShownMax).map { "\(indent)  \($0.text)" }
                + (items.count > itemsShownMax ? ["\(indent)  … and \(items.count - itemsShownMax) more"] : [])
        default: ["\(indent)\(name): \(value.text)"]
        }
    }
}
