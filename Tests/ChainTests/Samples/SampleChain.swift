import Canonical
import Chain
import Crypto
import Ledger

/// A chain in memory, block by block: what a node does, without threads, storage or an order.
struct SampleChain {
    struct Block {
        let raw: [UInt8]
        let transactions: [Transaction]
        let receipts: [Receipt]
        let header: Header
        let roots: SubRoots
    }

    struct HoldingPlace: Hashable {
        let account: AccountID
        let unit: UnitCode
    }

    let genesis: Genesis
    let set: ValidatorSet
    private var ledger: Ledger
    private(set) var trees: StateTrees
    /// From height 0 on.
    private(set) var blocks: [Block]
    /// Every holding after each height.
    private(set) var holdings: [[HoldingPlace: HoldingSummary]]
    private var nonce: UInt64 = 0

    init(_ genesis: Genesis = Sample.genesis) {
        self.genesis = genesis
        set = ValidatorSet(genesis)
        var rows: [Table: [[UInt8]: [UInt8]]] = [:]
        for change in Ledger.genesisChanges(genesis) {
            for row in change.rows { rows[change.table, default: [:]][row.key] = row.value }
        }
        // Never told that anything is stored, the ledger keeps all later rows itself.
        ledger = Ledger(genesis: genesis) { [rows] table, key in rows[table]?[key] }
        trees = StateTrees(genesis: genesis)
        let header = Header(
            height: 0, parent: .zero, entry: genesis.hash, transactions: .zero, receipts: .zero,
            state: trees.headRoots.stateRoot, validators: set.hash, nextValidators: set.hash,
            rulesVersion: genesis.rulesVersion, time: genesis.time, certificate: .zero)
        blocks = [Block(raw: [], transactions: [], receipts: [], header: header, roots: trees.headRoots)]
        holdings = [[:]]
    }

    var head: Header { blocks.last!.header }

    /// A transaction of one operation or several, signed by parties with the seeds of their keys.
    mutating func transaction(_ operations: [Operation], by signers: [(Party, UInt8)]) -> Transaction {
        nonce += 1
        let keys = signers.map { Sample.key($0.1) }
        let body = TransactionBody(
            nonce: nonce, validUntil: head.time + 60_000,
            signers: zip(signers, keys).map { Signer($0.0, $1.publicKey) },
            operations: operations)
        return Transaction(signing: body, genesis: genesis.hash, keys: keys)
    }

    /// Orders and executes an entry, by the validator whose turn it is.
    mutating func append(_ transactions: [Transaction], certificate: Certificate? = nil) {
        let height = head.height + 1
        let proposer = set.validators[set.turn(at: height)].id
        let entry = Entry(
            position: height, previous: head.entry, proposer: proposer, certificate: certificate,
            transactions: transactions)
        let raw = entry.signed(genesis: genesis.hash, key: Sample.key(UInt8(proposer.number)))
        let time = Header.time(parent: head.time, certificate: certificate)
        let inputs = transactions.map {
            Ledger.Input($0, signaturesVerify: $0.signaturesVerify(genesis: genesis.hash))
        }
        let output = ledger.execute(height: height, time: time, inputs)
        trees.append(output.changes, height: height)
        var summaries = holdings.last!
        for row in output.changes.first(where: { $0.table == .holdings })?.rows ?? [] {
            var decoder = Decoder(row.key)
            let place = HoldingPlace(
                account: try! decoder.value(),
                unit: UnitCode(String(decoding: row.key[16...].prefix { $0 != 0 }, as: UTF8.self))!)
            summaries[place] = row.value.map { try! Holding(canonicalBytes: $0).summary }
        }
        holdings.append(summaries)
        let header = Header(
            height: height, parent: head.hash, entry: Entry.hash(raw: raw),
            transactions: MerkleTree.countedRoot(of: transactions.map(\.envelopeDigest)),
            receipts: MerkleTree.countedRoot(of: output.receipts.map(Proof.leaf)), state: trees.headRoots.stateRoot,
            validators: set.hash, nextValidators: set.hash, rulesVersion: genesis.rulesVersion, time: time,
            certificate: certificate?.hash ?? .zero)
        blocks.append(
            Block(
                raw: raw, transactions: transactions, receipts: output.receipts, header: header,
                roots: trees.headRoots))
    }

    /// Lets go of the heights below this one.
    mutating func release(below height: UInt64) { trees.release(below: height) }

    /// A vote of a validator for a height, its clock some milliseconds past the header's time.
    func vote(_ validator: UInt32, height: Int, after milliseconds: UInt64 = 1) -> Vote {
        let header = blocks[height].header
        return Vote(
            signing: header.hash, height: header.height, epoch: 0, time: header.time + milliseconds,
            genesis: genesis.hash, validator: OrganisationID(validator), key: Sample.key(UInt8(validator)))
    }

    /// A certificate by these validators, each of whose clocks is a little later than the one before.
    func certificate(_ height: Int, by validators: [UInt32] = [1, 2, 4]) -> Certificate {
        Certificate(
            joining: validators.enumerated().map { vote($1, height: height, after: 1000 + 10 * UInt64($0)) })
    }

    /// Headers from one height up to another.
    func headers(_ heights: ClosedRange<Int>) -> [Header] { heights.map { blocks[$0].header } }

    func balanceProof(_ account: AccountID, _ unit: UnitCode, height: Int, certified: Int? = nil) -> Proof {
        let certified = certified ?? height
        return Proof(
            genesis: genesis.hash,
            subject: .balance(
                account: account, unit: unit, summary: holdings[height][HoldingPlace(account: account, unit: unit)],
                roots: blocks[height].roots,
                path: trees.prove(.holdings, key: account.bytes + unit.paddedBytes, at: UInt64(height))!),
            headers: headers(height...certified), certificate: certificate(certified))
    }

    func receiptProof(height: Int, index: Int, certified: Int? = nil) -> Proof {
        let certified = certified ?? height
        let receipts = blocks[height].receipts
        return Proof(
            genesis: genesis.hash,
            subject: .receipt(receipts[index], path: MerkleTree.path(of: index, in: receipts.map(Proof.leaf))),
            headers: headers(height...certified), certificate: certificate(certified))
    }

    /// Six heights in which each kind of outcome occurs: programs and accounts, accruals, spending, refusals, nothing.
    static let grown: SampleChain = {
        var chain = SampleChain()
        let north = (Party.organisation(OrganisationID(1)), Sample.issuingSeed(1))
        let other = (Party.organisation(OrganisationID(2)), Sample.issuingSeed(2))
        func holder(_ number: UInt8) -> (Party, UInt8) { (.account(Sample.account(number)), 40 + number) }
        let accounts = OpenList(
            organisation: OrganisationID(1),
            lines: (1...5).map { number in
                OpenLine(
                    account: Sample.account(number), credential: number == 5 ? nil : Sample.key(40 + number).publicKey,
                    guardian: number == 2 ? Sample.key(90).publicKey : nil)
            })
        chain.append([
            chain.transaction([.publish(Sample.program, issuer: OrganisationID(1))], by: [north]),
            chain.transaction([.open(accounts)], by: [north]),
        ])
        let lines = (1...5).map { number in
            AccrualLine(
                account: Sample.account(number), key: Sample.order("2024-00\(number)"),
                amount: 1000 * UInt64(number), pending: number == 3)
        }
        let unknown = AccrualLine(account: Sample.account(77), key: Sample.order("x"), amount: 5, pending: false)
        chain.append(
            [
                chain.transaction(
                    [.accrue(AccrueList(unit: Sample.unit, lines: lines + [unknown, lines[0]]))], by: [north])
            ], certificate: chain.certificate(1))
        let reservation = Reservation(
            account: Sample.account(4), unit: Sample.unit, amount: 300, organisation: OrganisationID(2),
            use: .transfer(to: Sample.account(1)), deadline: chain.head.time + 3_600_000)
        let vesting = TotalList(unit: Sample.unit, lines: [TotalLine(key: Sample.order("2024-003"), total: 700)])
        chain.append(
            [
                chain.transaction(
                    [
                        .transfer(from: Sample.account(1), to: Sample.account(2), unit: Sample.unit, amount: 400),
                        .redeem(
                            account: Sample.account(2), unit: Sample.unit, amount: 2100,
                            reference: Reference(Array("ticket 5".utf8))),
                    ], by: [holder(1), holder(2)]),
                chain.transaction([.reserve(reservation)], by: [holder(4)]),
                chain.transaction(
                    [.transfer(from: Sample.account(1), to: Sample.account(1), unit: Sample.unit, amount: 1)],
                    by: [holder(1)]),
                chain.transaction([.vest(vesting)], by: [north]),
                chain.transaction([.vest(vesting)], by: [other]),
            ], certificate: chain.certificate(2, by: [1, 2, 3, 4]))
        chain.append([])
        chain.append([
            chain.transaction([.freeze(account: Sample.account(2))], by: [(.guardian(Sample.account(2)), 90)]),
            chain.blocks[3].transactions[1],
            chain.transaction(
                [
                    .clawBack(
                        TotalList(unit: Sample.unit, lines: [TotalLine(key: Sample.order("2024-002"), total: 2000)]))
                ], by: [north]),
        ])
        chain.append([], certificate: chain.certificate(5))
        return chain
    }()
}
