import Canonical
import Crypto
import Testing

@testable import Ledger

/// The same blocks give the same bytes in every process, whatever its hash seed, in debug and in release builds.
struct DeterminismTests {
    /// Digest over all outputs of the corpus. Every process hashes with another seed, so one that agrees with this
    /// constant agrees with all others. It changes with the rules, with the format and with the workload alone: of a
    /// version of the rules that chains have it must never change again.
    static let golden = "d775194698c4f011038503885ed9527873a61c922aa05fe532423bc92dae0f66"
    static let goldenOfVersion2 = "eae1739d31157d406c0dab9d2099c1f088a3983dd036e379b04f7bb15c08ac8b"

    @Test(arguments: [(1, golden), (2, goldenOfVersion2)] as [(UInt32, String)])
    func aLongCorpusGivesTheGoldenDigest(_ rules: UInt32, _ golden: String) throws {
        var workload = Workload(seed: 15, accountsMax: 80, rules: rules)
        var model = Model(workload.genesis, releasesMax: Workload.releasesMax)
        let store = TestStore()
        store.apply(Ledger.genesisChanges(workload.genesis))
        var ledger = Ledger(genesis: workload.genesis, loader: { store.row($0, $1) })
        ledger.releasesMax = Workload.releasesMax
        var chained = workload.genesis.hash
        var time = workload.genesis.time
        for _ in 0..<400 {
            time += workload.step()
            let inputs = workload.block(model, time: time, count: 25)
            workload.learn(model.block(time: time, inputs))
            let output = ledger.execute(height: ledger.height + 1, time: time, inputs)
            store.apply(output.changes, replaysLeft: output.replaysLeft)
            ledger.stored(upTo: ledger.height)
            chained = SHA256.hash(chained.bytes, output.bytes)
            // What a row says of its leaf is what its stored bytes say.
            for change in output.changes where !change.table.isLog {
                for index in 0..<change.count {
                    let isSame = try change.look(at: index) { key, value, leaf in
                        guard let value, let leaf else { return true }
                        return try change.table.leaf(key, value) == (Table.leafKey(key), Table.leafValue(leaf))
                    }
                    try #require(isSame, "\(change.table)")
                }
            }
        }
        #expect(chained.description == golden)
    }

    /// The order of the inputs is the entry's, and only freezes and revocations go first.
    @Test func receiptsStandInTheEntrysOrder() throws {
        var book = Book.standard()
        let transactions = [
            book.transaction([Book.first], [Book.pay(1)]),
            book.transaction([Book.second], [.freeze(account: Book.two)]),
            book.transaction([Book.second], [Book.pay(1, from: Book.two, to: Book.one)]),
            // Not all of its operations are a freeze, so it waits its turn.
            book.transaction([Book.first], [.freeze(account: Book.one), .unfreeze(account: Book.one)]),
            book.transaction([Book.first], [Book.pay(2)]),
        ]
        let output = book.block(inputs: transactions.map { Ledger.Input($0, signaturesVerify: true) })
        #expect(output.receipts.map(\.transaction) == transactions.map(\.id))
        #expect(output.receipts.map(\.code) == [.done, .done, .accountFrozen, .done, .done])
        #expect(output.burnt.map(\.index) == [0, 1, 2, 3, 4])
        #expect(output.changes.map(\.table.rawValue) == output.changes.map(\.table.rawValue).sorted())
    }
}
