import Bench
import Canonical
import Chain
import Crypto
import Ledger
import Node
import Wallet

/// A small ledger in memory: four validators, a thousand holders who have points, and load for two passes.
enum World {
    static let holderCount = 1000
    /// Operations of one pass.
    static let passCount = 1000
    static let opening: UInt64 = 1_000_000
    static let unit = UnitCode("COUNTS")!
    private static let source = SourceID("counts")!
    private static let begin: UInt64 = 1_700_000_000_000
    private static let validUntil = begin + 60_000

    static func key(_ name: String) -> SecretKey { SecretKey(seed: SHA256.hash(Array("counts \(name)".utf8)).bytes) }

    static let genesis = Genesis(
        chain: "counts", time: begin, orderingEpoch: [UInt8](repeating: 7, count: 16),
        organisations: (1...4).map { number in
            GenesisOrganisation(
                id: OrganisationID(number), name: "Mall \(number)", votingKey: key("voting \(number)").publicKey,
                issuingKey: key("issuing \(number)").publicKey, governingKey: key("governing \(number)").publicKey,
                quota: 1 << 62)
        })
    static let genesisHash = genesis.hash
    static let set = ValidatorSet(genesis)
    private static let issuer = Signer(.organisation(OrganisationID(1)), key("issuing 1").publicKey)

    /// What no path verifies need not be signed.
    private static let unsigned = Signature(bytes: (0..<64).map { UInt8($0) })

    private static func transaction(_ operation: Operation, _ signer: Signer, nonce: UInt64) -> Transaction {
        let body = TransactionBody(nonce: nonce, validUntil: validUntil, signers: [signer], operations: [operation])
        return Transaction(body: body, signatures: [unsigned])
    }

    /// Blocks that publish a unit, open the holders' accounts and give each of them points.
    static let opened: [[Transaction]] = {
        let program = Program(unit: unit, currency: "CNY", faceMinor: 1, facePoints: 100)
        let holders = (0..<holderCount).map {
            OpenLine(account: BenchChain.account($0), credential: holderKeys[$0])
        }
        let gifts = (0..<holderCount).map {
            AccrualLine(
                account: BenchChain.account($0), key: naturalKey("opening", $0), amount: opening, pending: false)
        }
        return [
            [transaction(.publish(program, issuer: OrganisationID(1)), issuer, nonce: 1)],
            [transaction(.open(OpenList(organisation: OrganisationID(1), lines: holders)), issuer, nonce: 2)],
            [transaction(.accrue(AccrueList(unit: unit, lines: gifts)), issuer, nonce: 3)],
        ]
    }()

    private static func naturalKey(_ order: String, _ line: Int) -> NaturalKey {
        NaturalKey(source: source, order: Array(order.utf8), line: UInt32(line))
    }

    /// Made once: a secret key costs far more than what is done with it here.
    private static let holderKeys = (0..<holderCount).map { BenchChain.holderKey($0).publicKey }

    /// Transfers of one point each, senders and receivers uniform.
    static func transfers(pass: Int) -> [Transaction] {
        var numbers = Numbers(seed: 0x7A + UInt64(pass))
        return (0..<passCount).map { index in
            let from = Int.random(in: 0..<holderCount, using: &numbers)
            let to = (from + Int.random(in: 1..<holderCount, using: &numbers)) % holderCount
            return transaction(
                .transfer(from: BenchChain.account(from), to: BenchChain.account(to), unit: unit, amount: 1),
                Signer(.account(BenchChain.account(from)), holderKeys[from]),
                nonce: UInt64(pass * passCount + index))
        }
    }

    /// One batch of accrual lines.
    static func accruals(pass: Int) -> [Transaction] {
        var numbers = Numbers(seed: 0xACC + UInt64(pass))
        let lines = (0..<passCount).map { line in
            AccrualLine(
                account: BenchChain.account(Int.random(in: 0..<holderCount, using: &numbers)),
                key: naturalKey("batch \(pass)", line), amount: UInt64.random(in: 1...1000, using: &numbers),
                pending: false)
        }
        return [transaction(.accrue(AccrueList(unit: unit, lines: lines)), issuer, nonce: UInt64(1000 + pass))]
    }

    /// Transfers whose signatures are real.
    static func signedTransfers(count: Int) -> [Transaction] {
        transfers(pass: 0).prefix(count).map { transfer in
            let index = (0..<holderCount).first { .account(BenchChain.account($0)) == transfer.body.sender }!
            return Transaction(signing: transfer.body, genesis: genesisHash, keys: [BenchChain.holderKey(index)])
        }
    }

    // MARK: Stages

    /// A ledger and its trees, the accounts opened.
    final class Stage {
        var ledger: Ledger
        var trees: StateTrees

        init() {
            var rows: [Table: [[UInt8]: [UInt8]]] = [:]
            for change in Ledger.genesisChanges(genesis) {
                for row in change.rows { rows[change.table, default: [:]][row.key] = row.value }
            }
            let stored = rows
            ledger = Ledger(genesis: genesis, loader: { table, key in stored[table]?[key] })
            trees = StateTrees(genesis: genesis)
        }

        func opened() -> Stage {
            for block in World.opened { trees.append(execute(World.inputs(block)).changes, height: ledger.height) }
            return self
        }

        func execute(_ inputs: [Ledger.Input]) -> Ledger.Output {
            let output = ledger.execute(height: ledger.height + 1, time: ledger.time + 1, inputs)
            precondition(output.receipts.allSatisfy { $0.result == .done }, "all load of a path can be done")
            return output
        }
    }

    static func inputs(_ transactions: [Transaction]) -> [Ledger.Input] {
        transactions.map { Ledger.Input($0, signaturesVerify: true) }
    }

    /// An executor, the accounts opened.
    final class Line {
        var executor: Executor

        init() {
            let stage = Stage()
            executor = Executor(
                genesis: genesis, ledger: stage.ledger, trees: stage.trees, head: Executor.genesisHeader(genesis),
                carried: 0, sets: ValidatorSets(genesis))
            for block in World.opened { _ = execute(executor.decode(entry(block))) }
        }

        /// The raw bytes of the next entry.
        func entry(_ transactions: [Transaction]) -> [UInt8] {
            Entry(
                position: executor.head.height + 1, previous: executor.head.entry, proposer: OrganisationID(1),
                certificate: nil, transactions: transactions
            ).signed(genesis: genesisHash, key: key("voting 1"))
        }

        func execute(_ decoded: Executor.Decoded) -> Executor.Block {
            let block = executor.execute(
                decoded, signaturesVerify: { _ in true }, header: { _ in nil }, entry: { _ in nil },
                certificateVerifies: { _, _ in true })
            precondition(block.output.receipts.allSatisfy { $0.result == .done }, "all load of a path can be done")
            return block
        }
    }
}
