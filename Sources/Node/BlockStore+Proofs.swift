import Canonical
public import Chain
public import Crypto
public import Ledger
public import Storage

/// Proofs from what is stored.
extension BlockStore {
    /// Proves a holding at the committed height that `header` and `certificate` are of.
    /// - Returns: nil while the tables are moving on to another height; ask again then.
    public func balanceProof(
        _ account: AccountID, _ unit: UnitCode, header: Header, certificate: Certificate, trees: StateTrees,
        genesis: Digest
    ) throws(StorageError) -> Proof? {
        guard let roots = trees.roots(at: header.height),
            let path = trees.prove(.holdings, key: account.bytes + unit.paddedBytes, at: header.height)
        else { return nil }
        let summary = try holding(account, unit)?.summary
        let value = summary.map { Table.leafValue($0.canonicalBytes) }
        let key = Table.leafKey(account.bytes + unit.paddedBytes)
        guard path.verify(key: key, value: value, root: roots[.holdings]) else { return nil }
        return Proof(
            genesis: genesis,
            subject: .balance(account: account, unit: unit, summary: summary, roots: roots, path: path),
            headers: [header], certificate: certificate)
    }

    /// Proves a holding, or that there is none, at the newest height of the tables; needs no running node.
    /// - Returns: nil where nothing is certified yet.
    /// - Complexity: builds the tables' trees, as opening a node does.
    public func balanceProof(
        _ account: AccountID, _ unit: UnitCode, genesis: Genesis
    ) throws(StorageError) -> Proof? {
        guard let certificate = try certificate(try height()) else { return nil }
        let executor = try executor(genesis: genesis) { _ in }
        return try balanceProof(
            account, unit, header: executor.head, certificate: certificate, trees: executor.trees, genesis: genesis.hash
        )
    }

    /// Proves a transaction's receipt.
    /// - Returns: nil where no certified block holds the transaction, or it burnt no nonce.
    public func receiptProof(_ id: TransactionID, genesis: Digest) throws(StorageError) -> Proof? {
        guard let place = try place(id), let receipts = try receipts(place.height) else { return nil }
        var headers: [Header] = []
        var certificate: Certificate?
        var height = place.height
        while certificate == nil, headers.count < Proof.headersMax, let header = try header(height) {
            headers.append(header)
            certificate = try self.certificate(height)
            height += 1
        }
        guard let certificate else { return nil }
        return Proof(
            genesis: genesis,
            subject: .receipt(
                receipts[Int(place.index)], path: MerkleTree.path(of: Int(place.index), in: receipts.map(Proof.leaf))),
            headers: headers, certificate: certificate)
    }

    /// The changes of the validators that were announced above a height, each with what proves it to who knows those
    /// before: see ``LightClient``.
    /// - Parameter max: at most so many, from the lowest on.
    public func lightSteps(after height: UInt64, max: Int) throws(StorageError) -> [LightStep] {
        guard height < .max else { return [] }
        let head = try self.height()
        var steps: [LightStep] = []
        // A set is announced in the header before the first one that it votes on.
        for change in try changes(after: height + 1, max: max) {
            let announced = change.from - 1
            // One that is announced above the tables is no news yet.
            guard announced <= head, let header = try header(announced),
                let certificate = try certificate(announced)
            else { break }
            steps.append(LightStep([header], certificate: certificate, set: change.set))
        }
        return steps
    }
}
