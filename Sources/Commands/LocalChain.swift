import Chain
import Crypto
import Ledger
import Node
import Terminal
import Wallet
import Wire

/// The chain of a directory: its tables, and its validators where they run in this process.
struct LocalChain: ChainAccess {
    private let directory: ChainDirectory
    private let tables: BlockStore
    private let consortium: Consortium?

    /// One while the one before is under way: the validators share the process's cores with whoever reads the file.
    let batchesMax = 1
    var genesis: Genesis { directory.genesis }

    init(_ directory: ChainDirectory, tables: BlockStore) {
        self.directory = directory
        self.tables = tables
        consortium = nil
    }

    init(_ directory: ChainDirectory, running consortium: Consortium) {
        self.directory = directory
        self.consortium = consortium
        tables = consortium.first.blocks
    }

    func submit(_ transaction: Transaction) throws -> CertifiedReceipt {
        guard let consortium else { preconditionFailure("tables alone take no transaction") }
        let (receipt, place) = try Submission.receipt(consortium.first.submit(transaction))
        return CertifiedReceipt(receipt: receipt, place: place)
    }

    func unit(_ code: UnitCode) throws -> UnitFacts? {
        try tables.unit(code).map {
            UnitFacts(issuer: $0.issuer, decimals: Int($0.decimals), currency: $0.currency)
        }
    }

    func holdings(of id: AccountID) throws -> AccountHoldings {
        let height = try tables.height()
        guard let account = try tables.account(id) else { throw LedgerRefusal(.accountUnknown) }
        let items = try tables.holdings(id).map { code, holding in
            AccountHoldings.Item(
                unit: code, decimals: Int(try tables.unit(code)?.decimals ?? 0), available: holding.available,
                held: holding.held, pending: holding.pending, debt: holding.debt, lots: holding.lots)
        }
        return AccountHoldings(
            height: height, stateRoot: try tables.header(height)?.state.description ?? "", claimed: account.claimed,
            isFrozen: account.frozen != .no, items: items)
    }

    func history(of account: AccountID, max: Int) throws -> [History.Item] {
        try History.of(account, in: tables, genesis: genesis, max: max)
    }

    func balanceProof(_ account: AccountID, _ unit: UnitCode) throws -> Proof? {
        // From the tables, so that it also works beside a running node. Before the first certificate there is nothing
        // to prove, and a node has to run for a moment.
        guard let consortium else { return try tables.balanceProof(account, unit, genesis: genesis) }
        try Wallets.waitUntilCertified(consortium)
        guard case .proof(let proof) = consortium.first.prove(account, unit) else {
            throw CommandError(code: "halted", reason: "the node stopped before it could prove anything")
        }
        return proof
    }

    func receiptProof(_ id: TransactionID) throws -> Proof? {
        try tables.receiptProof(id, genesis: directory.genesisHash)
    }

    func organisations() throws -> [OrganisationView] {
        try tables.organisations(after: nil, max: Genesis.organisationsMax).map { OrganisationView($0) }
    }

    func proposals() throws -> [ProposalView] {
        try tables.proposals(after: nil, max: .max).map { ProposalView(id: $0.id, $0.proposal) }
    }

    func areAccrued(_ keys: [(key: NaturalKey, unit: UnitCode, issuer: OrganisationID)]) throws -> [Bool] {
        try keys.map { try tables.accepted($0.key, issuer: $0.issuer) != nil }
    }
}
