import Chain
import Crypto
import JSON
import Ledger
import Wire

extension HotPath {
    /// What the interface says and is told.
    static let texts = [
        HotPath("balance-text", "the JSON of a balance") {
            let form = Form<BalanceView>.balance.stamped("balance")
            let stamp = Stamp(height: 1_000_000, stateRoot: World.genesisHash)
            let balances = try holdings().map { Stamped(BalanceView(World.unit, $0), stamp) }
            return repeated(balances) { form.write($0).bytes.count }
        },
        HotPath("transfer-text", "a signed transfer out of JSON, ready for the ledger") {
            let form = Form<TransactionText>.signed
            let texts = World.transfers(pass: 0).map { form.write(TransactionText($0)).bytes }
            return repeated(texts) { text in
                guard let json = try? JSONValue(parsing: text), let read = try? form.parse(json) else { return 0 }
                return (try? read.transaction())?.bytes.count ?? 0
            }
        },
    ]
}
