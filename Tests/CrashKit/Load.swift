import Concurrency
import Crypto
import Glibc
package import Ledger
package import Node
import TestSupport
import Wallet

/// A bank's day by seed: transfers, earnings and redemptions among few accounts, several under way at once, brought to
/// any of the members. Says everything that a client would have to remember.
package struct Load {
    private let bank: Bank
    private let consortium: Consortium
    private let seed: UInt64
    private let say: @Sendable (Word) -> Void
    private var random: SeededGenerator
    private var sequence = 0
    /// One for each answer that came.
    private let answers = Mailbox<Void>(countMax: 1 << 16)

    /// Few, so that blocks stay small and many, and a kill falls between any two of their steps.
    private static let underWayMax = 6

    /// - Parameter say: told what the clients know; where it is a test's own, the load may run in the test's process.
    package init(
        _ bank: Bank, _ consortium: Consortium, seed: UInt64, say: @escaping @Sendable (Word) -> Void = { $0.say() }
    ) {
        self.bank = bank
        self.say = say
        self.consortium = consortium
        self.seed = seed
        random = SeededGenerator(seed: seed)
    }

    /// Runs until the process is ended from outside, or `count` more transactions were answered.
    /// - Parameter again: transactions of an earlier process that nobody answered for, as a client would send again.
    package mutating func run(again: [Transaction] = [], count: Int = .max) {
        prepare()
        for transaction in again {
            if case .accrue = transaction.body.operations[0], Bool.random(using: &random) {
                // A client that has lost the transaction but knows the order: other bytes, the same natural keys.
                send(signed(transaction.body.operations, Bank.issuer))
            } else {
                send(transaction)
            }
        }
        var underWay = again.count
        var left = count
        while left > 0 || underWay > 0 {
            while underWay < Self.underWayMax, left > 0 {
                send(next())
                underWay += 1
                left -= 1
            }
            underWay -= answers.take(within: nil)?.count ?? 0
        }
    }

    /// Waits until every member has certified something new, and thereby all that was there before.
    package mutating func settle() {
        prepare()
        for member in consortium.runners.indices {
            sendAndWait(signed([transfer(1)], nil), to: member)
        }
        say(.settled)
    }

    /// Publishes the unit, opens the accounts and gives each the same; all of it once, however often it is tried.
    private func prepare() {
        let blocks = consortium.first.blocks
        if (try? blocks.unit(Bank.unit)) ?? nil == nil {
            let program = Program(
                unit: Bank.unit, currency: "CNY", faceMinor: 1, facePoints: 1, expiry: nil, zone: [])
            sendAndWait(signed([.publish(program, issuer: OrganisationID(1))], Bank.issuer))
        }
        let last = Bank.accounts[Bank.accountCount - 1]
        if (try? blocks.account(last)) ?? nil == nil {
            let lines = Bank.accounts.indices.map {
                OpenLine(account: Bank.accounts[$0], credential: Bank.holder($0).key.publicKey)
            }
            sendAndWait(signed([.open(OpenList(organisation: OrganisationID(1), lines: lines))], Bank.issuer))
        }
        if (try? blocks.holding(last, Bank.unit)) ?? nil == nil {
            let lines = Bank.accounts.enumerated().map { index, account in
                AccrualLine(account: account, key: Self.key("opening \(index)"), amount: Bank.opening, pending: false)
            }
            sendAndWait(signed([.accrue(AccrueList(unit: Bank.unit, lines: lines))], Bank.issuer))
        }
    }

    private static func key(_ order: String) -> NaturalKey {
        NaturalKey(source: SourceID("crash-tills")!, order: Array(order.utf8))
    }

    private mutating func next() -> Transaction {
        sequence += 1
        switch Int.random(in: 0..<20, using: &random) {
        case 0..<12: return signed([transfer(UInt64.random(in: 1...60, using: &random))], nil)
        case 12..<17:
            let lines = (0..<Int.random(in: 1...3, using: &random)).map { line in
                AccrualLine(
                    account: Bank.accounts.randomElement(using: &random)!, key: Self.key("\(seed)-\(sequence)-\(line)"),
                    amount: UInt64.random(in: 1...90, using: &random), pending: false)
            }
            return signed([.accrue(AccrueList(unit: Bank.unit, lines: lines))], Bank.issuer)
        default:
            let reference = Reference(Array("\(seed)-\(sequence)".utf8))
            return signed(
                [
                    .redeem(
                        account: Bank.accounts.randomElement(using: &random)!, unit: Bank.unit,
                        amount: UInt64.random(in: 1...40, using: &random), reference: reference)
                ], nil)
        }
    }

    private mutating func transfer(_ amount: UInt64) -> Operation {
        let from = Int.random(in: 0..<Bank.accountCount, using: &random)
        let to = (from + Int.random(in: 1..<Bank.accountCount, using: &random)) % Bank.accountCount
        return .transfer(from: Bank.accounts[from], to: Bank.accounts[to], unit: Bank.unit, amount: amount)
    }

    /// Signed by the account that it concerns, where no author is given.
    private func signed(_ operations: [Operation], _ author: Author?) -> Transaction {
        var author = author
        switch operations[0] {
        case .transfer(let from, _, _, _): author = Bank.holder(Bank.accounts.firstIndex(of: from)!)
        case .redeem(let account, _, _, _): author = Bank.holder(Bank.accounts.firstIndex(of: account)!)
        default: break
        }
        return Transaction.signed(
            operations, by: [author!], genesis: bank.genesisHash, now: wallClockMilliseconds())
    }

    private func sendAndWait(_ transaction: Transaction, to member: Int = 0) {
        let waiter = Waiter<Bool>()
        send(transaction, to: member) { waiter.fulfil(true) }
        _ = waiter.wait()
    }

    private mutating func send(_ transaction: Transaction) {
        let answers = answers
        send(transaction, to: Int.random(in: consortium.runners.indices, using: &random)) { answers.insist(()) }
    }

    private func send(_ transaction: Transaction, to member: Int, done: @escaping @Sendable () -> Void) {
        say(.sent(transaction))
        let say = say
        let id = bank.members[member]
        consortium.runners[member].submit(transaction) { answer in
            switch answer {
            case .receipt(let receipt, let place):
                say(.answer(transaction.id, place, member: id, result: receipt.result, first: receipt.first))
            default: say(.failed("\(answer)"))
            }
            done()
        }
    }
}
