import Chain
import Concurrency
import Crypto
import Ledger
import Terminal
import Wallet
import Wire

/// A chain behind a node's HTTP interface. Balances and receipts are believed with their proofs only.
struct RemoteChain: ChainAccess {
    private let directory: ChainDirectory
    private let client: NodeClient
    /// Whoever sends, and in whose name is read what several may.
    private let speaker: Author?
    private let provesReceipts: Bool

    /// Several: each waits for its certificates, and the node orders what comes meanwhile.
    let batchesMax = 8
    var genesis: Genesis { directory.genesis }

    /// Look-ups at a time.
    private static let lookupsMax = 8

    init(_ directory: ChainDirectory, _ client: NodeClient, _ purpose: ChainDirectory.Purpose) {
        self.directory = directory
        switch purpose {
        case .read: (speaker, provesReceipts) = (nil, false)
        case .readAs(let author), .sendMany(let author): (speaker, provesReceipts) = (author, false)
        case .send(let author): (speaker, provesReceipts) = (author, true)
        }
        self.client = speaker.flatMap { Identity($0) }.map { client.speaking(for: $0) } ?? client
    }

    func submit(_ transaction: Transaction) throws -> CertifiedReceipt {
        let answer: CertifiedReceipt
        do throws(NodeClientError) { answer = try client.submit(transaction) } catch {
            if let refusal = error.refusal { throw LedgerRefusal(refusal, line: error.line) }
            throw error
        }
        guard try !provesReceipts || client.provenReceipt(of: transaction.id).receipt == answer.receipt else {
            throw CommandError(
                code: NodeClientError.Code.proofInvalid.rawValue,
                reason: "the node answered with another receipt than the one that it proves")
        }
        return answer
    }

    func unit(_ code: UnitCode) throws -> UnitFacts? {
        func facts(_ client: NodeClient) throws(NodeClientError) -> UnitFacts? {
            try client.unit(code).map {
                UnitFacts(issuer: $0.issuer, decimals: Int($0.program.decimals), currency: $0.program.currency)
            }
        }
        return client.identity == nil ? try asAnyReader { try facts($0) } : try facts(client)
    }

    func holdings(of id: AccountID) throws -> AccountHoldings {
        try asReader(of: id) { client in
            guard let account = try client.account(id) else { throw LedgerRefusal(.accountUnknown) }
            var newest = account.stamp
            var items: [AccountHoldings.Item] = []
            for unit in try client.balances(of: id).map(\.unit) {
                let proven = try client.provenHolding(of: id, unit: unit)
                if proven.verified.height >= newest.height {
                    newest = Stamp(height: proven.verified.height, stateRoot: proven.verified.stateRoot)
                }
                let balance = proven.balance
                items.append(
                    AccountHoldings.Item(
                        unit: unit, decimals: Int(try client.unit(unit)?.program.decimals ?? 0),
                        available: balance.available, held: balance.held, pending: balance.pending,
                        debt: balance.debt, lots: proven.lots ?? []))
            }
            return AccountHoldings(
                height: newest.height, stateRoot: newest.stateRoot.description,
                claimed: account.value.account.claimed, isFrozen: account.value.account.frozen != .no, items: items)
        }
    }

    func history(of account: AccountID, max: Int) throws -> [History.Item] {
        try asReader(of: account) { client in
            try client.transactions(of: account, max: max).compactMap { view in
                guard let place = view.place, let result = view.result else { return nil }
                return History.Item(
                    transaction: view.id, place: place, time: view.time ?? 0, kinds: view.kinds, result: result)
            }
        }
    }

    func balanceProof(_ account: AccountID, _ unit: UnitCode) throws -> Proof? {
        try asReader(of: account) { try $0.provenBalance(of: account, unit: unit).proof }
    }

    func receiptProof(_ id: TransactionID) throws -> Proof? {
        try asAnyReader { client in
            do throws(NodeClientError) { return try client.provenReceipt(of: id).proof } catch {
                guard error.status == 404 else { throw error }
                return nil
            }
        }
    }

    func organisations() throws -> [OrganisationView] { try client.organisations() }

    func proposals() throws -> [ProposalView] { try client.proposals() }

    func areAccrued(_ keys: [(key: NaturalKey, unit: UnitCode, issuer: OrganisationID)]) throws -> [Bool] {
        var clients: [OrganisationID: NodeClient] = [:]
        for issuer in Set(keys.map(\.issuer)) {
            clients[issuer] = client.speaking(for: Identity(try directory.issuer(issuer))!)
        }
        let asked = keys.map { (clients[$0.issuer]!, $0.key, $0.unit) }
        return try concurrently(asked, max: Self.lookupsMax) { client, key, unit in
            try client.isAccrued(key, unit: unit)
        }
    }

    // MARK: Who reads

    /// Reads in the name of the account where its wallet is here, else of an organisation whose key is.
    private func asReader<R>(of account: AccountID, _ body: (NodeClient) throws -> R) throws -> R {
        let wallets = Wallets(directory)
        let own = try wallets.all().filter { $0.account == account }.map { entry in { try wallets.author(entry.name) } }
        return try first(own + issuers(), body)
    }

    private func asAnyReader<R>(_ body: (NodeClient) throws -> R) throws -> R {
        let wallets = Wallets(directory)
        return try first(try issuers() + wallets.all().map { entry in { try wallets.author(entry.name) } }, body)
    }

    private func issuers() -> [() throws -> Author] {
        genesis.organisations.map(\.id)
            .filter { Files.exists(ChainDirectory.keyPath(directory.path, $0, "issuing")) }
            .map { id in { try directory.issuer(id) } }
    }

    /// The answer for the first of these that may have it.
    private func first<R>(_ readers: [() throws -> Author], _ body: (NodeClient) throws -> R) throws -> R {
        var refusal: NodeClientError?
        for reader in readers {
            guard let identity = Identity(try reader()) else { continue }
            do { return try body(client.speaking(for: identity)) } catch let error as NodeClientError {
                guard error.status == 403 || error.status == 401 else { throw error }
                refusal = error
            }
        }
        throw refusal
            ?? CommandError(
                code: "key-missing", field: "--dir",
                reason:
                    "a node tells this only to whom it concerns, and neither such a wallet nor an issuing key is in "
                    + directory.path)
    }
}

/// Does something with each of these on threads of its own, at most `max` at a time; answers in their order.
/// - Throws: what the first of them threw, once all have ended.
func concurrently<Item: Sendable, Value: Sendable>(
    _ items: [Item], max: Int, _ body: @escaping @Sendable (Item) throws -> Value
) throws -> [Value] {
    if items.count == 1 { return [try body(items[0])] }
    let next = Counter(-1)
    let results = Locked<[Result<Value, any Error>?]>(items.map { _ in nil })
    let threads = (0..<min(max, items.count)).map { _ in
        WorkerThread("submission") {
            while case let index = next.add(), index < items.count {
                let result = Result { try body(items[index]) }
                results.withLock { $0[index] = result }
            }
        }
    }
    for thread in threads { thread.join() }
    return try results.withLock { $0 }.map { try $0!.get() }
}
