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
    let tables: BlockStore
    let principal: Principal?

    func view(
        _ transaction: Transaction, _ receipt: Receipt, _ place: Place, time: UInt64
    ) throws(StorageError) -> TransactionView {
        let isWhole = seesAll(transaction.body)
        let excerpts = isWhole ? nil : try excerpts(transaction.body, receipt)
        return TransactionView(
            id: transaction.id, state: .certified, kinds: transaction.body.operations.map(\.kind),
            result: receipt.result, place: place, time: time,
            whole: isWhole ? .init(transaction: TransactionText(transaction), receipt: receipt) : nil,
            excerpts: excerpts?.isEmpty == false ? excerpts : nil)
    }

    /// The same of a transaction that concerns the principal; none where it does not.
    func viewIfConcerned(
        _ transaction: Transaction, _ receipt: Receipt, _ place: Place, time: UInt64
    ) throws(StorageError) -> TransactionView? {
        let view = try view(transaction, receipt, place, time: time)
        return view.whole == nil && view.excerpts == nil ? nil : view
    }

    func seesAll(_ body: TransactionBody) -> Bool {
        switch principal {
        case nil: false
        case .validator, .observer: true
        case .account(let id): body.signers.contains { $0.party == .account(id) }
        case .organisation(let id): body.signers.contains { $0.party == .organisation(id) }
        }
    }

    private func excerpts(
        _ body: TransactionBody, _ receipt: Receipt
    ) throws(StorageError) -> [TransactionView.Excerpt] {
        var excerpts: [TransactionView.Excerpt] = []
        for (index, operation) in body.operations.enumerated() {
            let outcome = index < receipt.outcomes.count ? receipt.outcomes[index] : nil
            if let excerpt = try excerpt(operation, UInt8(index), outcome) { excerpts.append(excerpt) }
        }
        return excerpts
    }

    private func excerpt(
        _ operation: Operation, _ index: UInt8, _ outcome: Outcome?
    ) throws(StorageError) -> TransactionView.Excerpt? {
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
            case .vest(let list): return try cut(list, id, index, outcome) { .vest($0) }
            case .void(let list): return try cut(list, id, index, outcome) { .void($0) }
            case .clawBack(let list): return try cut(list, id, index, outcome) { .clawBack($0) }
            default:
                guard operation.names(id) else { return nil }
                return TransactionView.Excerpt(index: index, operation: operation, lines: nil, outcome: outcome)
            }
        default: return nil
        }
    }

    /// Lines that name accruals: whose those are, their rows tell.
    private func cut(
        _ list: TotalList, _ id: AccountID, _ index: UInt8, _ outcome: Outcome?,
        _ make: (TotalList) -> Operation
    ) throws(StorageError) -> TransactionView.Excerpt? {
        guard let issuer = try tables.unit(list.unit)?.issuer else { return nil }
        let accepted = try tables.accepted(list.lines.map(\.key), issuer: issuer)
        return Self.cut(accepted.map { $0?.account == id }, index, outcome) { lines in
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
