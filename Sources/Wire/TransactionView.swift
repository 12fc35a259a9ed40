import Canonical
public import Chain
public import Crypto
import JSON
public import Ledger

/// A transaction as one party may see it.
///
/// Everybody may see its id, kinds, result and place. Who signed it sees all of it. Who is named in it, and did not
/// sign, sees the operations, and of their lines those, that name him: a batch for thousands of members is not theirs
/// to read.
public struct TransactionView: Sendable {
    public enum State: String, Sendable, CaseIterable {
        /// Taken up by this node and not certified yet.
        case accepted
        /// In a certified block; its result may be a refusal.
        case certified
        /// Refused without burning its nonce: it stands in a block, and no look-up finds it there for ever.
        case refused
    }

    /// All of it, for who signed it.
    public struct Whole: Sendable {
        public let transaction: TransactionText
        public let receipt: Receipt?

        public init(transaction: TransactionText, receipt: Receipt?) {
            self.transaction = transaction
            self.receipt = receipt
        }
    }

    /// One operation, cut down to the lines that name who looks.
    public struct Excerpt: Sendable {
        /// The operation's place in the transaction.
        public let index: UInt8
        public let operation: Operation
        /// Of a list: which of its lines these are.
        public let lines: [UInt16]?
        /// Its outcome; of a list the exceptions among these lines alone. None where the transaction was refused.
        public let outcome: Outcome?

        public init(index: UInt8, operation: Operation, lines: [UInt16]?, outcome: Outcome?) {
            self.index = index
            self.operation = operation
            self.lines = lines
            self.outcome = outcome
        }
    }

    public let id: TransactionID
    public let state: State
    public let kinds: [String]
    public let result: ResultCode?
    public let place: Place?
    /// Block time.
    public let time: UInt64?
    public let whole: Whole?
    public let excerpts: [Excerpt]?

    public init(
        id: TransactionID, state: State, kinds: [String], result: ResultCode?, place: Place?, time: UInt64?,
        whole: Whole? = nil, excerpts: [Excerpt]? = nil
    ) {
        self.id = id
        self.state = state
        self.kinds = kinds
        self.result = result
        self.place = place
        self.time = time
        self.whole = whole
        self.excerpts = excerpts
    }
}

extension Form where Value == TransactionView.Whole {
    static let whole = object(
        "All of a transaction.", Field("transaction", .signed),
        Field.optional("receipt", .receipt, "None while it is under way."),
        make: { (transaction: TransactionText, receipt: Receipt?) throws(JSONError) in
            TransactionView.Whole(transaction: transaction, receipt: receipt)
        }, parts: { ($0.transaction, $0.receipt) }
    ).named("WholeTransaction")
}

extension Form where Value == TransactionView.Excerpt {
    static let excerpt = object(
        "One operation of a transaction, cut down to the lines that name who looks.",
        Field("index", .integer, "The operation's place in the transaction."), Field("operation", .operation),
        Field.optional(
            "lines", Form<UInt16>.integer.list(0...ListBounds.linesMax), "Of a list: which of its lines these are.",
            omitsNull: true),
        Field.optional("outcome", .outcome, "None where the transaction was refused.", omitsNull: true),
        make: { (index: UInt8, operation: Operation, lines: [UInt16]?, outcome: Outcome?) throws(JSONError) in
            TransactionView.Excerpt(index: index, operation: operation, lines: lines, outcome: outcome)
        }, parts: { ($0.index, $0.operation, $0.lines, $0.outcome) }
    ).named("TransactionExcerpt")
}

extension Form where Value == TransactionView {
    public static let transactionView = object(
        "A transaction as one party may see it.",
        Field("id", .digest),
        Field(
            "state", .words { (state: TransactionView.State) in state.rawValue },
            "accepted: under way here. certified: final, its result may be a refusal. refused: final, without burning "
                + "its nonce."),
        Field("kinds", Form<TransactionSummary>.kinds),
        Field.optional("result", .result), Field.optional("code", .number), Field.optional("place", .place),
        Field.optional("time", .time, "Block time."),
        Field.optional("whole", .whole, "For who signed it.", omitsNull: true),
        Field.optional(
            "excerpts", Form<TransactionView.Excerpt>.excerpt.list(0...TransactionBody.operationsMax),
            "For who is named in it and did not sign.", omitsNull: true),
        make: {
            (
                id: Digest, state: TransactionView.State, kinds: [String], result: ResultCode?, code: ResultCode?,
                place: Place?, time: UInt64?, whole: TransactionView.Whole?, excerpts: [TransactionView.Excerpt]?
            ) throws(JSONError) in
            TransactionView(
                id: id, state: state, kinds: kinds, result: code, place: place, time: time, whole: whole,
                excerpts: excerpts)
        },
        parts: {
            ($0.id, $0.state, $0.kinds, $0.result, $0.result, $0.place, $0.time, $0.whole, $0.excerpts)
        }
    ).named("Transaction")
}

/// What a submission answers.
public struct SubmissionAnswer: Sendable {
    public let transaction: TransactionView
    /// None while it is under way.
    public let receipt: Receipt?
    /// The node's word that it took the transaction up, where that was asked for and no more is known yet.
    public let promise: SubmissionReceipt?
    /// Of its block, where it is certified.
    public let stamp: Stamp

    public init(
        transaction: TransactionView, receipt: Receipt?, promise: SubmissionReceipt? = nil, stamp: Stamp
    ) {
        self.transaction = transaction
        self.receipt = receipt
        self.promise = promise
        self.stamp = stamp
    }
}

extension Form where Value == SubmissionAnswer {
    public static let submission = object(
        "What became of a submitted transaction.",
        Field("transaction", .transactionView), Field.optional("receipt", .receipt, "None while it is under way."),
        Field.optional(
            "submissionReceipt", .submissionReceipt, "With Prefer: respond-async, while it is under way.",
            omitsNull: true),
        Field("height", .number64, "Of its block, where it is certified."), Field("stateRoot", .digest),
        make: {
            (
                transaction: TransactionView, receipt: Receipt?, promise: SubmissionReceipt?, height: UInt64,
                root: Digest
            ) throws(JSONError) in
            SubmissionAnswer(
                transaction: transaction, receipt: receipt, promise: promise,
                stamp: Stamp(height: height, stateRoot: root))
        }, parts: { ($0.transaction, $0.receipt, $0.promise, $0.stamp.height, $0.stamp.stateRoot) }
    ).named("Submission")
}

/// A transaction that is ready to be signed.
public struct Prepared: Sendable {
    public let body: TransactionBody
    /// What each signer signs.
    public let signingBytes: [UInt8]

    public init(body: TransactionBody, genesis: Digest) {
        self.body = body
        signingBytes = TransactionBody.signedBytes(genesis: genesis, body: body.canonicalBytes)
    }

    fileprivate init(body: TransactionBody, signingBytes: [UInt8]) {
        self.body = body
        self.signingBytes = signingBytes
    }

    public var id: TransactionID { SHA256.hash(.transactionBody, body.canonicalBytes) }
}

extension Form where Value == Prepared {
    public static let prepared = object(
        "A transaction that is ready to be signed.",
        Field("id", .digest, "What it will be looked up by."), Field("body", .unsigned),
        Field("bytes", .hexadecimal(1...Transaction.bytesMax), "The canonical bytes of the body."),
        Field(
            "signingBytes", .hexadecimal(1...Transaction.bytesMax + 100),
            "What each signer signs: the domain tag, the hash of the genesis, the body. Check them before you sign."),
        make: { (id: Digest, text: TransactionText, bytes: [UInt8], signing: [UInt8]) throws(JSONError) in
            guard let body = try? TransactionBody(canonicalBytes: bytes) else {
                throw JSONError(".bytes", "are no transaction's body")
            }
            return Prepared(body: body, signingBytes: signing)
        }, parts: { ($0.id, TransactionText($0.body), $0.body.canonicalBytes, $0.signingBytes) }
    ).named("PreparedTransaction")
}

extension Form where Value == SubmissionReceipt {
    public static let submissionReceipt = object(
        "A validator's signed word that it took a transaction up, and by when it will stand in a block.",
        Field("transaction", .digest), Field("envelope", .digest, "Over body and signatures."),
        Field("validator", .organisation), Field("takenAt", .time, "By the validator's clock."),
        Field("orderedBy", .time, "The block time by which a block holds it."),
        Field("signature", .signature, "By the validator's voting key."),
        make: {
            (
                transaction: TransactionID, envelope: Digest, validator: OrganisationID, takenAt: UInt64,
                orderedBy: UInt64, signature: Signature
            ) throws(JSONError) in
            SubmissionReceipt(
                transaction: transaction, envelope: envelope, validator: validator, takenAt: takenAt,
                orderedBy: orderedBy, signature: signature)
        }, parts: { ($0.transaction, $0.envelope, $0.validator, $0.takenAt, $0.orderedBy, $0.signature) }
    ).named("SubmissionReceipt")
}
