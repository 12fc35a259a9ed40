import Chain
import Concurrency
import Ledger
import Terminal
import Wallet
import Wire

/// `lianfen load`: the members of the demo, who shop at nodes somewhere.
enum LoadCommand {
    static let command = Command(
        "load", "let members shop at running nodes",
        details: """
            The traffic of `lianfen demo`, sent to the nodes of a development chain: purchases, deliveries, returns, \
            gifts and redemptions. What a node does not answer goes to the next one, as the same bytes, so whoever \
            ends one of several nodes meanwhile sees no transaction fail.

            --dir names directories of the chain that hold issuing keys: an organisation whose key is in none of them \
            sells nothing. The first one gets the wallets alice and bob, as the demo's does.

            Ctrl-C, or --seconds, is its ordinary end. Exit code 1 says that some transactions were not certified.
            """,
        options: [
            .path("dir", placeholder: "DIR", .repeatedRequired, help: "directories with issuing keys"),
            .string(
                "node", placeholder: "URL", .repeatedRequired,
                help: "the node to send to. Repeated: the next one where one fails"),
            .path("ca", placeholder: "FILE", help: "PEM file of the authorities that vouch for the nodes"),
            .seconds("seconds", in: 1...86_400, help: "stop by itself after this long, such as 30 or 5m"),
            DemoTraffic.rateOption, Passphrase.option,
        ]
    ) { parsed, console in
        let directories = try parsed.texts("dir").map { try ChainDirectory($0, passphrase: Passphrase(parsed)) }
        for directory in directories where directory.genesisHash != directories[0].genesisHash {
            throw CommandError(
                code: "chain-differs", field: "--dir",
                reason: "\(directory.path) is of another chain than \(directories[0].path)", exit: .usage)
        }
        let shops = try DemoShop.all(in: directories)
        guard !shops.isEmpty else {
            throw CommandError(
                code: "key-missing", field: "--dir", reason: "no issuing key lies there, so nobody sells anything")
        }
        let urls = try NodeOption.urls(parsed)
        let chain = try DemoNodes(
            urls, directories[0], authorities: parsed.text("ca"), shops: shops)
        defer { chain.stop() }
        return try DemoTraffic.untilStopped(seconds: parsed.number("seconds")) { stop in
            // Before anything is written for its sake.
            _ = try chain.stamp()
            let (sellers, nodes) = (Counted.text(shops.count, "shop"), Counted.text(urls.count, "node"))
            console.note("\(sellers) and \(nodes). Ctrl-C stops; a second start goes on from there.")
            let screen = DemoScreen(console, chain, shops)
            var traffic = try DemoTraffic(directories[0], shops, chain, perSecond: parsed.requiredNumber("rate"))
            try traffic.run(screen, stop)
            try screen.finish()
            return chain.figures.counts.failed == 0 ? .ok : .refused
        }
    }
}

/// Nodes somewhere, and threads that each send one transaction at a time and wait until it is certified.
final class DemoNodes: DemoChain {
    let figures = DemoFigures()
    private let client: NodeClient
    /// The same client in the name of each organisation.
    private let issuers: [OrganisationID: NodeClient]
    private let waiting = Mailbox<Sent>(countMax: DemoTraffic.underWayMax)
    private let threads: Locked<[WorkerThread]>

    private struct Sent: Sendable {
        let transaction: Transaction
        let done: @Sendable () -> Void
    }

    private static let threadsMax = 48
    /// A node that freezes costs those who wait for it so long.
    private static let waitSeconds = 4
    private static let requestMilliseconds = 4_000
    private static let connectMilliseconds = 2_000

    init(_ urls: [String], _ directory: ChainDirectory, authorities: String?, shops: [DemoShop]) throws {
        var limits = NodeClient.Limits()
        limits.waitSeconds = Self.waitSeconds
        limits.requestMilliseconds = Self.requestMilliseconds
        limits.connectMilliseconds = Self.connectMilliseconds
        limits.connectionsMax = Self.threadsMax + 2
        let client = try NodeClient(
            urls, pin: .genesis(directory.genesis), authorities: authorities, limits: limits)
        self.client = client
        issuers = Dictionary(
            uniqueKeysWithValues: shops.map { ($0.organisation, client.speaking(for: Identity($0.issuer)!)) })
        threads = Locked([])
        let started = (0..<Self.threadsMax).map { _ in WorkerThread("load") { [self] in sendAll() } }
        threads.withLock { $0 = started }
    }

    func stop() {
        client.stop()
        waiting.close()
        for thread in threads.withLock({ $0 }) { thread.join() }
    }

    private func sendAll() {
        while let sent = waiting.takeOne() {
            deliver(sent.transaction)
            sent.done()
        }
    }

    private func deliver(_ transaction: Transaction) {
        do throws(NodeClientError) {
            let done = try client.submit(transaction)
            figures.note(transaction, done.receipt, at: done.place.height)
        } catch {
            // What the end cut short is nobody's failure.
            if error.code == .stopped { return }
            figures.note(transaction, failed: error)
        }
    }

    func isPublished(_ unit: UnitCode, by issuer: Author) throws -> Bool { try reader(issuer).unit(unit) != nil }

    func isAccrued(_ key: NaturalKey, _ unit: UnitCode, by issuer: Author) throws -> Bool {
        try reader(issuer).isAccrued(key, unit: unit)
    }

    private func reader(_ issuer: Author) -> NodeClient {
        guard case .organisation(let id) = issuer.party, let client = issuers[id] else {
            preconditionFailure("a shop has its organisation's key")
        }
        return client
    }

    func submit(_ transaction: Transaction) throws {
        do throws(NodeClientError) {
            let done = try client.submit(transaction)
            figures.note(transaction, done.receipt, at: done.place.height)
        } catch {
            if let refusal = error.refusal { throw LedgerRefusal(refusal, line: error.line) }
            throw error
        }
    }

    func send(_ transaction: Transaction, done: @escaping @Sendable () -> Void) {
        if !waiting.post(Sent(transaction: transaction, done: done)) { done() }
    }

    /// An issuer sees what an account has of its own unit: one of them is asked.
    func spendable(_ account: AccountID, of shops: [DemoShop]) -> (unit: UnitCode, available: UInt64)? {
        guard let shop = shops.randomElement(),
            let balance = try? reader(shop.issuer).balance(of: account, unit: shop.unit), balance.value.available > 0
        else { return nil }
        return (shop.unit, balance.value.available)
    }

    func check() {}

    func stamp() throws -> Stamp { try client.chain().stamp }

    func units(of shops: [DemoShop]) throws -> [DemoUnit] {
        try shops.compactMap { shop in
            try reader(shop.issuer).unit(shop.unit)?.totals.map { DemoUnit(shop.unit, $0) }
        }
    }
}
