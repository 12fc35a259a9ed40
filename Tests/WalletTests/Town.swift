import Chain
import Concurrency
import Crypto
import Ledger
import Node
import ServerKit
import Storage
import Testing

@testable import Wallet

/// A chain of several validators in memory, one issuer with one unit, and a member who has 100 of it, behind a server.
struct Town {
    let genesis: Genesis
    let consortium: Consortium
    let issuer: Author
    let anna = Author(.account(.random()), SecretKey())
    let ben = Author(.account(.random()), SecretKey())
    let unit = UnitCode("TOWN")!
    let relay = BlockRelay()
    let votingKeys: [SecretKey]

    init(validators: Int = 4) throws {
        let votingKeys = (0..<validators).map { _ in SecretKey() }
        self.votingKeys = votingKeys
        let issuingKeys = (0..<validators).map { _ in SecretKey() }
        genesis = Genesis(
            chain: "town", time: wallClockMilliseconds() - 1000, orderingEpoch: randomBytes(16),
            organisations: (0..<validators).map {
                GenesisOrganisation(
                    id: OrganisationID(UInt32($0 + 1)), name: "Mall \($0 + 1)", votingKey: votingKeys[$0].publicKey,
                    issuingKey: issuingKeys[$0].publicKey, governingKey: SecretKey().publicKey, quota: 1_000_000)
            })
        issuer = Author(.organisation(OrganisationID(1)), issuingKeys[0])
        var members: [Consortium.Member] = []
        for (index, key) in votingKeys.enumerated() {
            let store = MemoryStore()
            try store.write(BlockStore.genesisBatch(genesis), synced: true)
            members.append(
                Consortium.Member(organisation: OrganisationID(UInt32(index + 1)), votingKey: key, store: store))
        }
        consortium = try Consortium(genesis: genesis, members: members, certified: { [relay] in relay.take($0) })
        let program = Program(unit: unit, decimals: 1, currency: "CNY", faceMinor: 10, facePoints: 1)
        let lines = [anna, ben].map { OpenLine(account: $0.account, credential: $0.key.publicKey) }
        let key = NaturalKey(source: SourceID("till")!, order: Array("1 / a".utf8))
        for operation in [
            Operation.publish(program, issuer: OrganisationID(1)),
            .open(OpenList(organisation: OrganisationID(1), lines: lines)),
            .accrue(
                AccrueList(
                    unit: unit, lines: [AccrualLine(account: anna.account, key: key, amount: 100, pending: false)])),
        ] {
            guard case .receipt(let receipt, _) = consortium.first.submit(signed(operation, by: issuer)),
                !receipt.result.isRefusal
            else { throw Unfounded() }
        }
    }

    struct Unfounded: Error {}

    func signed(_ operation: Operation, by author: Author, lifetime: UInt64 = 60_000) -> Transaction {
        .signed([operation], by: [author], genesis: genesis.hash, now: wallClockMilliseconds(), lifetime: lifetime)
    }

    func transfer(_ amount: UInt64, lifetime: UInt64 = 60_000) -> Transaction {
        signed(
            .transfer(from: anna.account, to: ben.account, unit: unit, amount: amount), by: anna, lifetime: lifetime)
    }

    func available(_ author: Author) throws -> UInt64 {
        try consortium.first.blocks.holding(author.account, unit)?.available ?? 0
    }

    func client(_ server: LedgerServer, as author: Author? = nil) throws -> NodeClient {
        try NodeClient(server.url, pin: .genesis(genesis), identity: author.flatMap { Identity($0) }, limits: .quick)
    }
}

extension Author {
    var account: AccountID {
        guard case .account(let id) = party else { preconditionFailure("a member has an account") }
        return id
    }
}

extension NodeClient.Limits {
    /// For tests: nobody waits long for what does not come.
    static var quick: NodeClient.Limits {
        var limits = NodeClient.Limits()
        limits.requestMilliseconds = 5000
        limits.triesMax = 3
        limits.graceMilliseconds = 1500
        return limits
    }
}

/// Runs `body` with a town and its server.
func withTown<R>(
    before: @escaping @Sendable (ServedRequest) -> Reply? = { _ in nil },
    after: @escaping @Sendable (ServedRequest, Reply) -> Reply = { $1 },
    body: (Town, LedgerServer) throws -> R
) throws -> R {
    let town = try Town()
    let server = try LedgerServer(town.consortium, town.relay, before: before, after: after)
    defer {
        server.stop()
        town.consortium.stop()
    }
    return try body(town, server)
}

/// Answers true so many times.
final class Times: Sendable {
    private let left: Locked<Int>
    init(_ count: Int) { left = Locked(count) }

    func allow(_ count: Int) { left.withLock { $0 = count } }

    func take() -> Bool {
        left.withLock { left in
            left -= 1
            return left >= 0
        }
    }
}
