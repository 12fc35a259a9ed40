import Chain
import Concurrency
import Crypto
import Ledger
import Terminal
import Wallet
import Wire

/// What commands need of a chain, whether it runs in this process or behind a node's interface somewhere else.
protocol ChainAccess: Sendable {
    var genesis: Genesis { get }
    /// Batches of an import that are worth having under way at a time.
    var batchesMax: Int { get }

    /// Sends a transaction and waits until it is certified.
    /// - Throws: ``LedgerRefusal`` where the ledger refused it; after any other error it may have taken effect.
    func submit(_ transaction: Transaction) throws -> CertifiedReceipt
    /// What does not change of a unit; nil where none has this code.
    func unit(_ code: UnitCode) throws -> UnitFacts?
    /// - Throws: ``LedgerRefusal`` where there is no such account.
    func holdings(of account: AccountID) throws -> AccountHoldings
    /// The newest transactions that concern an account, newest first.
    func history(of account: AccountID, max: Int) throws -> [History.Item]
    /// The proof of a holding, or nil where nothing is certified yet.
    func balanceProof(_ account: AccountID, _ unit: UnitCode) throws -> Proof?
    /// The proof of a receipt, or nil where no certified block holds the transaction.
    func receiptProof(_ id: TransactionID) throws -> Proof?
    /// The member organisations, those that are suspended or have left too.
    func organisations() throws -> [OrganisationView]
    /// Proposals that are neither carried nor lapsed.
    func proposals() throws -> [ProposalView]
    /// Whether each of these was credited before.
    func areAccrued(_ keys: [(key: NaturalKey, unit: UnitCode, issuer: OrganisationID)]) throws -> [Bool]
}

/// The ledger's refusal of a transaction: it did not take effect.
struct LedgerRefusal: Error {
    let code: ResultCode
    let line: Int?

    init(_ code: ResultCode, line: Int? = nil) {
        self.code = code
        self.line = line
    }
}

struct UnitFacts {
    let issuer: OrganisationID
    let decimals: Int
    let currency: String
}

/// What an account has at a height.
struct AccountHoldings {
    struct Item {
        let unit: UnitCode
        let decimals: Int
        let available: UInt64
        let held: UInt64
        let pending: UInt64
        let debt: UInt64
        let lots: [Lot]
    }

    let height: UInt64
    let stateRoot: String
    let claimed: Bool
    let isFrozen: Bool
    let items: [Item]
}

extension ChainAccess {
    func submit(_ operations: [Operation], by authors: [Author]) throws -> CertifiedReceipt {
        try submit(.signed(operations, by: authors, genesis: genesis.hash, now: wallClockMilliseconds()))
    }
}

/// Which chain a command is about: the one of the directory, or the one behind `--node`.
struct NodeOption {
    static let options: [Option] = [
        .string(
            "node", placeholder: "URL", .repeated,
            help: "talk to this node; DIR then has only genesis, wallets and keys. Repeated: to the next one where one "
                + "fails"),
        .path("ca", placeholder: "FILE", help: "PEM file of the authorities that vouch for the node"),
        .path("genesis", placeholder: "FILE", help: "the genesis that pins the chain; default: DIR/genesis"),
    ]

    private let urls: [String]
    private let authorities: String?

    init(_ urls: [String], authorities: String? = nil) {
        self.urls = urls
        self.authorities = authorities
    }

    init?(_ parsed: Parsed) throws {
        guard parsed.has("node") else {
            for name in ["ca", "genesis"] where parsed.has(name) {
                throw CommandError(
                    code: "node-option", field: "--\(name)", reason: "it is about a node: give --node too",
                    exit: .usage)
            }
            return nil
        }
        self.init(try Self.urls(parsed), authorities: parsed.text("ca"))
    }

    /// All that `--node` names.
    static func urls(_ parsed: Parsed) throws -> [String] { try parsed.texts("node").map { try url($0) } }

    /// What `--node`, or another option, names: without TLS only on this machine, since anybody in between would read
    /// along.
    static func url(_ text: String, field: String = "--node") throws -> String {
        guard !text.leavesInPlain else {
            throw CommandError(
                code: "plain-http", field: field,
                reason: "\(CommandError.quoted(text)) is another machine, and without TLS anybody in between reads "
                    + "along; write https://…",
                exit: .usage)
        }
        return text
    }

    /// The directory of wallets and keys, once the options beside it make sense.
    static func directory(_ parsed: Parsed) throws -> ChainDirectory {
        _ = try NodeOption(parsed)
        return try ChainDirectory(
            parsed.requiredText("dir"), passphrase: Passphrase(parsed), genesis: parsed.text("genesis"))
    }

    func client(_ directory: ChainDirectory) throws -> NodeClient {
        try NodeClient(
            urls, pin: .genesis(directory.genesis), authorities: authorities, limits: Self.limits(nodes: urls.count))
    }

    /// Nobody waits long for one node where there are others.
    static func limits(nodes: Int) -> NodeClient.Limits {
        var limits = NodeClient.Limits()
        guard nodes > 1 else { return limits }
        limits.connectMilliseconds = 3_000
        limits.requestMilliseconds = 8_000
        limits.waitSeconds = 10
        return limits
    }
}

extension ChainDirectory {
    enum Purpose {
        /// Looks only, which needs no lock and works beside a running node.
        case read
        /// Sends transactions.
        case send(speaker: Author)
        /// Sends very many, whose receipts are not proved one by one.
        case sendMany(speaker: Author)
        /// Reads for an issuer.
        case readAs(speaker: Author)
    }

    /// Runs `body` with the chain: the node's where there is one, else that of this directory.
    func withChain<R>(
        _ node: NodeOption?, _ purpose: Purpose, _ body: (any ChainAccess) throws -> R
    ) throws -> R {
        if let node {
            let client = try node.client(self)
            defer { client.stop() }
            // Before anything is done here for its sake.
            _ = try client.chain()
            return try body(RemoteChain(self, client, purpose))
        }
        switch purpose {
        case .read, .readAs: return try withTables { try body(LocalChain(self, tables: $0)) }
        case .send, .sendMany: return try withConsortium { try body(LocalChain(self, running: $0)) }
        }
    }
}

extension ChainDirectory {
    /// A client that speaks with an organisation's voting key: as that validator or, where the genesis does not list
    /// it, as an observer.
    func client(of id: OrganisationID, at url: String, authorities: String?) throws -> NodeClient {
        let key = try Self.readKey(Self.votingKeyPath(path, id), passphrase)
        // Its key may have come in the place of the one in the genesis.
        let isListed = genesis.validators.contains { $0.id == id }
        return try NodeClient(
            url, pin: .genesis(genesis), authorities: authorities,
            identity: Identity(isListed ? .validator(id) : .observer(key.publicKey), key))
    }
}
