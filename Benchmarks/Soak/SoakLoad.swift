import Bench
import Concurrency
import Crypto
import Glibc
import Ledger
import Wallet
import Wire

/// Steady mixed load: the same every second, from seeds, after three brisker minutes.
///
/// Sized so that what a node remembers by count or by time is full before minute five: the replay window of
/// ``lifetime`` is, and so is the store's cache after the brisk minutes, once newcomers have read the chain. Rows of
/// accounts and holdings are as many from the first second on.
struct SoakLoad {
    private let node: SoakNode
    private let client: NodeClient
    private let holders: [Author]
    private var numbers = Numbers(seed: 0x50A4)
    private var round = 0
    private var counts = Counts()
    /// Accrued as pending, and vested some rounds later.
    private var pending: [(due: Int, keys: [TotalLine])] = []
    /// Sent before, and to be answered as before.
    private var earlier: [[UInt8]] = []

    private struct Counts {
        var transfers = 0, lines = 0, balances = 0, late = 0

        /// Requests over the connections of ``HTTPLoad``.
        var requests = 0
    }

    private static let unit = UnitCode("SOAK")!
    private static let source = SourceID("soak")!
    private static let holderCount = 2000
    private static let opening: UInt64 = 1_000_000
    private static let amount: UInt64 = 10
    private static let connections = 32
    /// What one round, which is one second, sends.
    private static let transfers = 1000
    /// Rounds at the begin that send so many times as many transfers: the store's cache of 256 MB has to be full of
    /// what they leave.
    private static let briskRounds = 180
    private static let briskTimes = 6
    private static let keyed = 20
    private static let repeated = 20
    private static let lines = 200
    private static let pendingLines = 20
    private static let vestingRounds = 10
    private static let balances = 300
    private static let proofs = 5
    private static let lifetime: UInt64 = 60_000
    /// Rounds until somebody reads the whole chain, which fills the store's cache.
    private static let newcomerRounds = 20
    /// Rounds until a stream that never reads is exchanged: before the node loses its patience.
    private static let muteRounds = 60
    /// After its clients have gone, a node closes their connections within this.
    private static let quietMicroseconds: UInt32 = 500_000

    init(_ node: SoakNode) throws {
        self.node = node
        client = try NodeClient(
            "http://127.0.0.1:\(node.port)", pin: .genesis(node.genesis), identity: Identity(node.issuer))
        holders = (0..<Self.holderCount).map { Author(.account(BenchChain.account($0)), BenchChain.holderKey($0)) }
        let program = Program(unit: Self.unit, currency: "CNY", faceMinor: 1, facePoints: 100)
        _ = try client.submit(client.signed(.publish(program, issuer: OrganisationID(1)), by: node.issuer))
        let open = (0..<Self.holderCount).map {
            OpenLine(account: BenchChain.account($0), credential: holders[$0].key.publicKey)
        }
        _ = try client.submit(
            client.signed(.open(OpenList(organisation: OrganisationID(1), lines: open)), by: node.issuer))
        let gifts = (0..<Self.holderCount).map {
            AccrualLine(
                account: BenchChain.account($0), key: Self.key("opening", $0), amount: Self.opening, pending: false)
        }
        _ = try client.submit(client.signed(.accrue(AccrueList(unit: Self.unit, lines: gifts)), by: node.issuer))
    }

    /// Loads the node and takes a sample every ten seconds, when all but the standing streams have gone.
    mutating func run(seconds: Double, _ note: (Sample) -> Void) throws {
        let listeners = try Listeners(port: node.port)
        defer { listeners.stop() }
        var strangers = Strangers(port: node.port)
        defer { strangers.leave() }
        let load = HTTPLoad(port: node.port, connections: Self.connections)
        let start = Machine.now()
        while Machine.seconds(since: start) < seconds {
            round += 1
            let requests = try requests()
            _ = try load.send(requests)
            counts.requests += requests.count
            try strangers.round()
            try listeners.rotate(
                height: try client.chain().stamp.height, newcomer: round % Self.newcomerRounds == 0)
            if round % Self.muteRounds == 0 { try listeners.rotateMute() }
            let wait = Double(round) - Machine.seconds(since: start)
            if wait > 0 { usleep(UInt32(wait * 1e6)) } else { counts.late += 1 }
            guard round % Sample.everySeconds == 0 else { continue }
            strangers.leave()
            usleep(Self.quietMicroseconds)
            note(try Sample(of: node, seconds: Machine.seconds(since: start), requests: counts.requests))
        }
        let told = listeners.told
        guard told.lost == 0 else { throw BenchError("soak", "the node ended \(told.lost) streams that were read") }
        try checkPoints()
        totals = """
            \(counts.transfers) transfers, \(counts.lines) accrual lines, \(counts.balances) balances, \
            \(strangers.refused) wrong requests, \(strangers.empty) empty connections, \
            \(told.bytes / 1_000_000) MB of events; \(counts.late) of \(round) rounds took longer than their second
            """
    }

    /// A batch is answered even where some of its lines were refused: the unit's totals tell whether all were done.
    private func checkPoints() throws {
        let minted = UInt64(Self.holderCount) * Self.opening + UInt64(counts.lines) * Self.amount
        let pending = UInt64(pending.reduce(0) { $0 + $1.keys.count }) * Self.amount
        let totals = try client.unit(Self.unit)?.totals
        guard let totals, totals.minted == minted, totals.pending == pending, totals.debt == 0 else {
            throw BenchError("soak", "the ledger holds other points than were sent: \(String(describing: totals))")
        }
    }

    /// What was done, in a sentence.
    private(set) var totals = ""

    private mutating func requests() throws -> [[UInt8]] {
        var envelopes = (0..<Self.transfers * (round <= Self.briskRounds ? Self.briskTimes : 1)).map { _ in transfer() }
        var requests = envelopes.prefix(Self.keyed).enumerated().map { index, envelope in
            Self.post(envelope, ["Idempotency-Key: \(round)-\(index)"])
        }
        requests += envelopes.dropFirst(Self.keyed).map { Self.post($0) }
        requests += earlier.map { Self.post($0) }
        earlier = Array(envelopes.suffix(Self.repeated))
        envelopes = accruals()
        requests += envelopes.map { Self.post($0) }
        let token = "Authorization: Bearer \(try client.currentToken().text)"
        for index in 0..<Self.balances {
            let proof = index < Self.proofs ? "/proof" : ""
            let account = BenchChain.account(Int.random(in: 0..<Self.holderCount, using: &numbers))
            requests.append(
                HTTPLoad.request("GET /v1/accounts/\(account)/balances/\(Self.unit)\(proof)", [token]))
        }
        counts.balances += Self.balances
        requests.append(HTTPLoad.request("GET /"))
        requests.append(HTTPLoad.request("GET /v1/units", [token]))
        // In disorder, so that kinds meet each other; repeats come a round later in any case.
        requests.shuffle(using: &numbers)
        return requests
    }

    private mutating func transfer() -> [UInt8] {
        let from = Int.random(in: 0..<Self.holderCount, using: &numbers)
        let to = (from + Int.random(in: 1..<Self.holderCount, using: &numbers)) % Self.holderCount
        counts.transfers += 1
        return signed(
            .transfer(from: BenchChain.account(from), to: BenchChain.account(to), unit: Self.unit, amount: 1),
            holders[from])
    }

    /// A batch, some of it pending, and what an earlier one left pending.
    private mutating func accruals() -> [[UInt8]] {
        let keys = (0..<Self.lines).map { Self.key("\(round)", $0) }
        let lines = keys.enumerated().map { index, key in
            AccrualLine(
                account: BenchChain.account(Int.random(in: 0..<Self.holderCount, using: &numbers)), key: key,
                amount: Self.amount, pending: index < Self.pendingLines)
        }
        counts.lines += lines.count
        var envelopes = [signed(.accrue(AccrueList(unit: Self.unit, lines: lines)), node.issuer)]
        pending.append(
            (round + Self.vestingRounds, keys.prefix(Self.pendingLines).map { TotalLine(key: $0, total: Self.amount) }))
        if let due = pending.first, due.due <= round {
            pending.removeFirst()
            envelopes.append(signed(.vest(TotalList(unit: Self.unit, lines: due.keys)), node.issuer))
        }
        return envelopes
    }

    private func signed(_ operation: Operation, _ author: Author) -> [UInt8] {
        Transaction.signed(
            [operation], by: [author], genesis: client.genesisHash, now: wallClockMilliseconds(),
            lifetime: Self.lifetime
        ).bytes
    }

    private static func key(_ order: String, _ line: Int) -> NaturalKey {
        NaturalKey(source: source, order: Array(order.utf8), line: UInt32(line))
    }

    private static func post(_ envelope: [UInt8], _ fields: [String] = []) -> [UInt8] {
        HTTPLoad.request(
            "POST /v1/transactions", ["Content-Type: application/octet-stream"] + fields, body: envelope)
    }
}
