public import Crypto

/// The rules of points as one value: blocks go in, receipts and changed rows come out.
///
/// Execution is total: whatever a well-formed transaction says, the result is a numbered ``ResultCode``, never a throw
/// or a trap. It reads no clock and no random source; the same blocks give the same bytes on every machine.
public struct Ledger: Sendable {
    public let genesis: Genesis
    public let genesisHash: Digest
    /// Newest executed height.
    public internal(set) var height: UInt64 = 0
    public internal(set) var time: UInt64

    let loader: RowLoader
    var loading: Loading
    var state = State()
    var replays = ReplayWindow()
    var holdsDue = DeadlineQueue<HoldID>()
    /// Overdue holds that the bound left for a later block, by deadline then id.
    var holdsWaiting: [(deadline: UInt64, id: HoldID)] = []

    var proposalsDue = DeadlineQueue<ProposalID>()
    /// All organisations that there are, in the order in which they came.
    var roster: [OrganisationID]
    /// How many of them stand whatever becomes of the transaction in hand.
    private var rosterKept: Int
    /// Whether who votes may have changed in the block in hand.
    var votersMayChange = false

    /// Overdue reservations that one block releases at most.
    public static let releasesPerBlockMax = 10_000
    /// Rows that were last changed up to here may have been forgotten, since they are stored.
    private var forgotten: UInt64
    /// The bound in force: tests set a small one.
    var releasesMax = Ledger.releasesPerBlockMax

    /// A ledger whose tables stand at `height`, whose time was `time`.
    /// - Parameters:
    ///   - loader: reads stored rows.
    ///   - replays: all rows of that table, in ascending order of height.
    ///   - holds: all rows of that table.
    ///   - organisations: all that there are; those of the genesis where nothing is given.
    ///   - proposals: all rows of that table.
    public init(
        genesis: Genesis, height: UInt64 = 0, time: UInt64? = nil,
        replays: [(key: ReplayKey, row: Replay)] = [], holds: [(id: HoldID, row: Hold)] = [],
        organisations: [OrganisationID]? = nil, proposals: [(id: ProposalID, row: Proposal)] = [],
        loader: @escaping RowLoader
    ) {
        self.genesis = genesis
        genesisHash = genesis.hash
        self.height = height
        forgotten = height
        self.time = time ?? genesis.time
        self.loader = loader
        loading = Loading(loader: loader, height: height)
        roster = organisations ?? genesis.organisations.map(\.id)
        rosterKept = roster.count
        for (key, row) in replays { self.replays.load(key, row) }
        for (id, row) in holds { holdsDue.push(id, at: row.deadline) }
        for (id, row) in proposals { proposalsDue.push(id, at: row.lapsesAt) }
    }

    /// The rows of block 0.
    public static func genesisChanges(_ genesis: Genesis) -> [TableChanges] {
        var state = State()
        let loading = Loading(loader: { _, _ in nil }, height: 1)
        state.parameters.put(OnlyKey(), genesis.parameters, loading)
        for organisation in genesis.organisations {
            state.organisations.put(organisation.id, Organisation(organisation), loading)
        }
        return state.drain(0, replays: TableChanges(.replays))
    }

    /// A transaction as it stands in an entry, with what is known of its signatures.
    public struct Input: Sendable {
        public let transaction: Transaction
        public let signaturesVerify: Bool
        /// Rows of it that were read before.
        public let ahead: RowsAhead?

        public init(_ transaction: Transaction, signaturesVerify: Bool, ahead: RowsAhead? = nil) {
            self.transaction = transaction
            self.signaturesVerify = signaturesVerify
            self.ahead = ahead
        }
    }

    /// What a block did.
    public struct Output: Sendable {
        /// In the entry's order.
        public let receipts: [Receipt]
        /// Ascending by table name.
        public let changes: [TableChanges]
        /// Heights whose burnt nonces have left the replay window, ascending.
        public let replaysLeft: [UInt64]
        /// Transactions that burnt their nonce: those that a look-up by id answers.
        public let burnt: [(id: TransactionID, index: UInt32)]
        /// Who votes from two heights later on, in ascending order; none where that cannot have changed.
        public let voters: [(id: OrganisationID, key: PublicKey)]?
    }

    /// Executes the next block.
    /// - Precondition: `height == self.height + 1`, `time > self.time`.
    public mutating func execute(height: UInt64, time: UInt64, _ inputs: [Input]) -> Output {
        precondition(height == self.height + 1 && time > self.time, "blocks are executed in order")
        self.height = height
        self.time = time
        loading = Loading(loader: loader, height: height)
        replays.leave(before: time)
        releaseOverdue()
        lapseOverdue()
        votersMayChange = false

        var receipts = [Receipt?](repeating: nil, count: inputs.count)
        var burnt: [(id: TransactionID, index: UInt32)] = []
        for first in [true, false] {
            for (index, input) in inputs.enumerated() where input.transaction.runsFirst == first {
                let place = Place(height: height, index: UInt32(index))
                if input.ahead != nil { use(input.ahead) }
                let (receipt, burns) = execute(input, at: place)
                if input.ahead != nil { use(nil) }
                receipts[index] = receipt
                if burns { burnt.append((receipt.transaction, place.index)) }
            }
        }
        state.units.forEachChanged { precondition($0.isConserved, "points of \($0.code) are conserved") }
        let (added, left) = replays.drain()
        return Output(
            receipts: receipts.map { $0! }, changes: state.drain(height, replays: added), replaysLeft: left,
            burnt: burnt.sorted { $0.index < $1.index }, voters: votersMayChange ? voters : nil)
    }

    /// Rows up to `height` are stored: they need not be kept in memory. Those of the last ``heightsAhead`` are kept all
    /// the same, so that what is read ahead meanwhile is never older than what is known here.
    public mutating func stored(upTo height: UInt64) {
        forgotten = max(forgotten, height - min(height, Self.heightsAhead))
        state.trim(stored: forgotten)
    }

    /// How many heights may be stored between the moment at which rows are read ahead and their use.
    static let heightsAhead: UInt64 = 16

    /// Takes rows that were read ahead, where nothing can have changed them of which this value does not know.
    private mutating func use(_ ahead: RowsAhead?) {
        let ahead = ahead.flatMap { $0.height >= forgotten ? $0 : nil }
        state.accounts.ahead = ahead?.accounts ?? [:]
        state.holdings.ahead = ahead?.holdings ?? [:]
        state.keys.ahead = ahead?.keys ?? [:]
    }

    private mutating func execute(_ input: Input, at place: Place) -> (Receipt, burns: Bool) {
        let transaction = input.transaction
        let body = transaction.body
        let id = transaction.id
        func refused(_ code: ResultCode) -> Receipt { Receipt(transaction: id, result: code) }

        guard input.signaturesVerify else { return (refused(.signatureInvalid), false) }
        if body.validUntil < time { return (refused(.expired), false) }
        if body.validUntil - time > genesis.parameters.replayWindowMilliseconds {
            return (refused(.validUntilTooFar), false)
        }
        if let earlier = replays.get(sender: body.sender, nonce: body.nonce, at: time) {
            guard earlier.transaction == id else { return (refused(.nonceUsed), false) }
            return (Receipt(transaction: id, result: .duplicate, first: earlier.place), false)
        }
        for signer in body.signers {
            let code = speaks(signer, in: body)
            if code.isRefusal { return (refused(code), false) }
        }

        replays.add(
            ReplayKey(validUntil: body.validUntil, sender: body.sender, nonce: body.nonce),
            Replay(transaction: id, place: place))
        return (apply(transaction), true)
    }

    /// Applies the operations, all or none.
    private mutating func apply(_ transaction: Transaction) -> Receipt {
        let body = transaction.body
        let several = body.operations.count > 1
        state.keep()
        var outcomes: [Outcome] = []
        for (index, operation) in body.operations.enumerated() {
            let whole = several || operation.wantsAll
            loading.journals = whole
            let context = Context(
                transaction: transaction.id, operation: UInt8(index), signers: body.signers, whole: whole)
            switch apply(operation, context) {
            case .outcome(let outcome): outcomes.append(outcome)
            case .refused(let code, let line):
                state.rollBack()
                roster.removeLast(roster.count - rosterKept)
                loading.journals = false
                return Receipt(transaction: transaction.id, result: code, operation: UInt8(index), line: line)
            }
        }
        loading.journals = false
        state.keep()
        rosterKept = roster.count
        // Deadlines are queued only now that the holds and proposals stand.
        for (operation, outcome) in zip(body.operations, outcomes) {
            switch (operation, outcome) {
            case (.reserve(let reservation), .held(let id, _)): holdsDue.push(id, at: reservation.deadline)
            case (.propose, .proposal(let id, carried: false)):
                proposalsDue.push(id, at: time + Proposal.lifeMilliseconds)
            default: break
            }
        }
        return Receipt(transaction: transaction.id, result: .done, outcomes: outcomes)
    }

    /// What an operation needs to know of its transaction.
    struct Context {
        let transaction: TransactionID
        let operation: UInt8
        let signers: [Signer]
        /// Whether one refused line refuses everything.
        let whole: Bool

        func signed(by party: Party) -> Bool { signers.contains { $0.party == party } }
    }

    enum Applied {
        case outcome(Outcome)
        case refused(ResultCode, line: UInt16? = nil)
    }

    private mutating func apply(_ operation: Operation, _ context: Context) -> Applied {
        switch operation {
        case .publish(let program, let issuer): publish(program, issuer, context)
        case .open(let list): open(list, context)
        case .openByTicket(let line, let ticket): open(line, ticket, context)
        case .claim(let account, let credential): claim(account, credential, context)
        case .addCredential(let account, let credential): add(credential, to: account, context)
        case .rotateCredential(let account, let old, let new): rotate(account, old, new, context)
        case .revokeCredential(let account, let key): revoke(account, key, context)
        case .accrue(let list): accrue(list, context)
        case .vest(let list): vest(list, context)
        case .void(let list): void(list, context)
        case .clawBack(let list): clawBack(list, context)
        case .transfer(let from, let to, let unit, let amount): transfer(from, to, unit, amount, context)
        case .redeem(let account, let unit, let amount, _): redeem(account, unit, amount, context)
        case .reserve(let reservation): reserve(reservation, context)
        case .commit(let hold, let amount): commit(hold, amount, context)
        case .release(let hold): release(hold, context)
        case .freeze(let account): freeze(account, context)
        case .unfreeze(let account): unfreeze(account, context)
        case .propose(let decision, let by): propose(decision, by, context)
        case .approve(let proposal, let by): approve(proposal, by, context)
        case .accuse(let evidence): accuse(evidence, context)
        }
    }
}

extension Operation {
    /// Whether a list asks for all lines or none.
    var wantsAll: Bool {
        switch self {
        case .open(let list): list.all
        case .accrue(let list): list.all
        case .vest(let list), .void(let list), .clawBack(let list): list.all
        default: false
        }
    }
}
