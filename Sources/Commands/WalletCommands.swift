import Chain
import Concurrency
import Crypto
import JSON
import Ledger
import Node
import Storage
import Terminal
import Wallet

/// `lianfen wallet`: keys, accounts and points of a member.
enum WalletCommands {
    static let command = Command(
        "wallet", "make accounts, look at balances, send and redeem points",
        details: """
            Wallets and keys lie in a directory. With --node the chain is that of a node somewhere, which is pinned by \
            the genesis; without it, it is the one that lives in the directory.
            """,
        options: [.path("dir", placeholder: "DIR", .required, help: "the chain's directory"), Passphrase.option]
            + NodeOption.options,
        subcommands: [new, show, balance, send, redeem, receipts])

    private static func directory(_ parsed: Parsed) throws -> ChainDirectory {
        try NodeOption.directory(parsed)
    }

    private static let new = Command(
        "new", "make a key, and open an account with it",
        details: """
            The account is opened by an organisation whose issuing key lies in the directory. With --unopened only the \
            key and the account's id are drawn, for a transaction made elsewhere that opens it; that needs no chain.
            """,
        arguments: [Argument("NAME", help: "what the wallet is called here")],
        options: [
            .integer("organisation", in: 1...1_000_000, .fallback("1"), help: "who opens the account"),
            .flag("unopened", help: "draw key and account id, and open nothing"),
        ]
    ) { parsed, console in
        let directory = try directory(parsed)
        let wallets = Wallets(directory)
        let name = parsed.requiredText("NAME")
        guard try !wallets.has(name) else {
            throw CommandError(code: "wallet-taken", reason: "there is a wallet \(CommandError.quoted(name)) already")
        }
        let key = SecretKey()
        let account = AccountID.random()
        if parsed.flag("unopened") {
            try wallets.store(name, account, key)
            console.answer(
                [
                    "name": .string(name), "account": .string(account.description),
                    "key": .string(key.publicKey.description),
                ],
                text: "Drew \(account) as \(name), with the key \(key.publicKey). Nobody has opened it yet.")
            return .ok
        }
        let organisation = OrganisationID(UInt32(parsed.requiredNumber("organisation")))
        let issuer = try directory.issuer(organisation)
        let place = try directory.withChain(NodeOption(parsed), .send(speaker: issuer)) { chain in
            // The key first: an account without its key would be lost, a key without its account is only a file.
            try wallets.store(name, account, key)
            let open = OpenList(
                organisation: organisation, lines: [OpenLine(account: account, credential: key.publicKey)], all: true)
            do { return try chain.submit([.open(open)], by: [issuer]).place } catch let refusal as LedgerRefusal {
                // What the ledger refused is not there. After any other error it may still come, and needs its key.
                try wallets.remove(name)
                throw refusal
            }
        }
        console.answer(
            [
                "name": .string(name), "account": .string(account.description),
                "key": .string(key.publicKey.description), "height": JSONValue(place.height),
            ],
            text: "Opened \(account) as \(name), at height \(place.height).")
        return .ok
    }

    private static let show = Command("show", "list the wallets of this directory") { parsed, console in
        let wallets = try Wallets(try directory(parsed)).all()
        console.answer(
            .array(
                wallets.map {
                    [
                        "name": .string($0.name), "account": .string($0.account.description),
                        "key": .string($0.keyFile.publicKey.description), "sealed": .bool($0.keyFile.isSealed),
                    ]
                }),
            text: wallets.isEmpty
                ? "No wallets yet; `lianfen wallet new NAME` makes one."
                : wallets.map {
                    let width = wallets.map(\.name.count).max() ?? 0
                    return $0.name + String(repeating: " ", count: width - $0.name.count) + "  \($0.account)"
                }.joined(separator: "\n"))
        return .ok
    }

    private static let balance = Command(
        "balance", "show what an account holds, by unit",
        details: "With --json the lots are listed too, each with its own expiry.",
        arguments: [Argument("ACCOUNT", help: "account id, or the name of a wallet here")]
    ) { parsed, console in
        let directory = try directory(parsed)
        let id = try Wallets(directory).account(parsed.requiredText("ACCOUNT"))
        let holdings = try directory.withChain(NodeOption(parsed), .read) { try $0.holdings(of: id) }
        let lines = holdings.items.map { item in
            func shown(_ amount: UInt64) -> String { AmountText.show(amount, decimals: item.decimals) }
            return "\(item.unit): \(shown(item.available)) available, \(shown(item.held)) held, "
                + "\(shown(item.pending)) pending, \(shown(item.debt)) owed"
        }
        console.answer(
            [
                "account": .string(id.description), "height": JSONValue(holdings.height),
                "stateRoot": .string(holdings.stateRoot), "claimed": .bool(holdings.claimed),
                "frozen": .bool(holdings.isFrozen), "holdings": .array(holdings.items.map(json)),
            ],
            text: (lines.isEmpty ? ["No points."] : lines).joined(separator: "\n") + "\nAt height \(holdings.height).")
        return .ok
    }

    private static func json(_ item: AccountHoldings.Item) -> JSONValue {
        [
            "unit": .string(item.unit.description), "available": .string(String(item.available)),
            "held": .string(String(item.held)), "pending": .string(String(item.pending)),
            "debt": .string(String(item.debt)),
            "lots": .array(
                item.lots.map {
                    [
                        "remaining": .string(String($0.remaining)), "held": .string(String($0.held)),
                        "expiry": $0.terms.expiry == LotTerms.noExpiry ? .null : JSONValue($0.terms.expiry),
                        "terms": JSONValue($0.terms.version),
                    ]
                }),
        ]
    }

    private static let amountOptions: [Option] = [
        .string("from", placeholder: "NAME", .required, help: "the wallet that pays"),
        .string("unit", placeholder: "UNIT", .required, help: "unit code"),
        .string("amount", placeholder: "N", .required, help: "how many points, such as 120 or 1.5"),
    ]

    private static let send = Command(
        "send", "transfer points to another account",
        options: amountOptions + [
            .string("to", placeholder: "ACCOUNT", .required, help: "account id, or the name of a wallet here")
        ]
    ) { parsed, console in
        let directory = try directory(parsed)
        let to = try Wallets(directory).account(parsed.requiredText("to"))
        return try spend(parsed, console, directory) { from, unit, amount in
            .transfer(from: from, to: to, unit: unit, amount: amount)
        }
    }

    private static let redeem = Command(
        "redeem", "burn points against goods or services",
        options: amountOptions + [
            .string("reference", placeholder: "TEXT", .fallback(""), help: "what for, up to 48 bytes; nothing personal")
        ]
    ) { parsed, console in
        let reference = Array(parsed.requiredText("reference").utf8)
        guard reference.count <= Reference.byteCountMax else {
            throw CommandError(
                code: "reference-too-long", field: "--reference",
                reason: "a reference has at most \(Reference.byteCountMax) bytes, not \(reference.count)", exit: .usage)
        }
        return try spend(parsed, console, try directory(parsed)) { from, unit, amount in
            .redeem(account: from, unit: unit, amount: amount, reference: Reference(reference))
        }
    }

    private static func spend(
        _ parsed: Parsed, _ console: Console, _ directory: ChainDirectory,
        _ operation: (AccountID, UnitCode, UInt64) -> Operation
    ) throws -> ExitCode {
        let author = try Wallets(directory).author(parsed.requiredText("from"))
        guard case .account(let from) = author.party else { preconditionFailure("a wallet speaks for an account") }
        let unit = try Wallets.unit(parsed.requiredText("unit"))
        return try directory.withChain(NodeOption(parsed), .send(speaker: author)) { chain in
            guard let facts = try chain.unit(unit) else { throw LedgerRefusal(.unitUnknown) }
            let amount = try AmountText.parse(parsed.requiredText("amount"), decimals: facts.decimals)
            let done = try chain.submit([operation(from, unit, amount)], by: [author])
            console.answer(
                [
                    "transaction": .string(done.receipt.transaction.description),
                    "height": JSONValue(done.place.height),
                    "result": .string(done.receipt.result.name),
                ],
                text: "Done at height \(done.place.height): transaction \(done.receipt.transaction).")
            return .ok
        }
    }

    private static let receipts = Command(
        "receipts", "list the transactions that concern an account, newest first",
        details: "Reads the blocks from the newest back; --last bounds how many are listed.",
        arguments: [Argument("ACCOUNT", help: "account id, or the name of a wallet here")],
        options: [.integer("last", in: 1...10_000, .fallback("20"), help: "how many")]
    ) { parsed, console in
        let directory = try directory(parsed)
        let id = try Wallets(directory).account(parsed.requiredText("ACCOUNT"))
        let found = try directory.withChain(NodeOption(parsed), .read) {
            try $0.history(of: id, max: parsed.requiredNumber("last"))
        }
        console.answer(
            .array(
                found.map {
                    [
                        "transaction": .string($0.transaction.description), "height": JSONValue($0.place.height),
                        "index": JSONValue($0.place.index), "time": JSONValue($0.time),
                        "kinds": .array($0.kinds.map { .string($0) }), "result": .string($0.result.name),
                    ]
                }),
            text: found.isEmpty
                ? "No transactions."
                : found.map {
                    "\($0.place.height)/\($0.place.index)  \($0.kinds.joined(separator: ","))  \($0.result.name)  "
                        + "\($0.transaction)"
                }.joined(separator: "\n"))
        return .ok
    }
}
