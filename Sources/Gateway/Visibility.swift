import Chain
import Ledger
import Node
import Storage
import Wire

/// Who may see what of a transaction.
///
/// Everybody: id, kinds, result, place. Who signed it, validators and observers: all. Who is named in it: the
/// operations, and of lists the lines, that name him; a batch of thousands of members is nobody's to read but its
/// signer's.
struct Visibility {
    let chain: ChainReader
    let principal: Principal?

    /// - Precondition: the block has a transaction at this index.
    func view(_ index: Int, of block: BlockContents) throws(StorageError) -> TransactionView {
        let (transaction, receipt) = (block.transactions[index], block.receipts[index])
        let isWhole = seesAll(transaction.body)
        let excerpts = isWhole ? nil : try excerpts(index, of: block)
        return TransactionView(
            id: transaction.id, state: .certified, kinds: transaction.body.operations.map(\.kind),
            result: receipt.result, place: Place(height: block.header.height, index: UInt32(index)),
            time: block.header.time,
            whole: isWhole ? .init(transaction: TransactionText(transaction), receipt: receipt) : nil,
            excerpts: excerpts?.isEmpty == false ? excerpts : nil)
    }

    /// The same of a transaction that concerns the principal; none where it does not.
    func viewIfConcerned(_ index: Int, of block: BlockContents) throws(StorageError) -> TransactionView? {
        let view = try view(index, of: block)
        return view.whole == nil && view.excerpts == nil ? nil : view
    }

    func seesAll(_ body: TransactionBody) -> Bool {
        switch principal {
        case nil: false
        case .validator, .observer: true
        case .account(let id): body.signers.contains { $0.party == .account(id) }
        case .organisation(let id):
            body.signers.contains { $0.party == .organisation(id) || $0.party == .governor(id) }
        }
    }

    private func excerpts(_ place: Int, of block: BlockContents) throws(StorageError) -> [TransactionView.Excerpt] {
        guard principal != nil else { return [] }
        let outcomes = block.receipts[place].outcomes
        var excerpts: [TransactionView.Excerpt] = []
        for (index, operation) in block.transactions[place].body.operations.enumerated() {
            let outcome = index < outcomes.count ? outcomes[index] : nil
            var owners: [AccountID?] = []
            if operation.totals != nil, case .account = principal { owners = try chain.owners(block)[place, index] }
            if let excerpt = excerpt(operation, UInt8(index), outcome, owners) { excerpts.append(excerpt) }
        }
        return excerpts
    }

    private func excerpt(
        _ operation: Operation, _ index: UInt8, _ outcome: Outcome?, _ owners: [AccountID?]
    ) -> TransactionView.Excerpt? {
        switch principal {
        case .organisation(let id):
            guard operation.names(id) else { return nil }
            return TransactionView.Excerpt(index: index, operation: operation, lines: nil, outcome: outcome)
        case .account(let id):
            switch operation {
            case .open(let list):
                return Self.cut(list.lines.map { $0.account == id }, index, outcome) { lines in
                    .open(OpenList(organisation: list.organisation, lines: lines.map { list.lines[$0] }, all: list.all))
                }
            case .accrue(let list):
                return Self.cut(list.lines.map { $0.account == id }, index, outcome) { lines in
                    .accrue(AccrueList(unit: list.unit, lines: lines.map { list.lines[$0] }, all: list.all))
                }
            case .vest(let list): return cut(list, id, owners, index, outcome) { .vest($0) }
            case .void(let list): return cut(list, id, owners, index, outcome) { .void($0) }
            case .clawBack(let list): return cut(list, id, owners, index, outcome) { .clawBack($0) }
            default:
                guard operation.names(id) else { return nil }
                return TransactionView.Excerpt(index: index, operation: operation, lines: nil, outcome: outcome)
            }
        default: return nil
        }
    }

    private func cut(
        _ list: TotalList, _ id: AccountID, _ owners: [AccountID?], _ index: UInt8, _ outcome: Outcome?,
        _ make: (TotalList) -> Operation
    ) -> TransactionView.Excerpt? {
        Self.cut(owners.map { $0 == id }, index, outcome) { lines in
            make(TotalList(unit: list.unit, lines: lines.map { list.lines[$0] }, all: list.all))
        }
    }

    private static func cut(
        _ isOwn: [Bool], _ index: UInt8, _ outcome: Outcome?, _ make: ([Int]) -> Operation
    ) -> TransactionView.Excerpt? {
        let lines = isOwn.indices.filter { isOwn[$0] }
        guard !lines.isEmpty else { return nil }
        var own = outcome
        if case .lines(_, let exceptions)? = outcome {
            let mine = exceptions.filter { Int($0.index) < isOwn.count && isOwn[Int($0.index)] }
            own = .lines(done: UInt16(lines.count - mine.count), exceptions: mine)
        }
        return TransactionView.Excerpt(
            index: index, operation: make(lines), lines: lines.map { UInt16($0) }, outcome: own)
    }
}
