public import Chain
public import Crypto
import JSON
public import Ledger

extension Form where Value == Header {
    public static let header = object(
        "What validators sign of a block.",
        Field("height", .number64), Field("parent", .digest, "Hash of the header before."),
        Field("entry", .digest, "Hash of the ordered bytes."), Field("transactions", .digest),
        Field("receipts", .digest), Field("state", .digest, "The state root."), Field("validators", .digest),
        Field("nextValidators", .digest), Field("rulesVersion", .integer), Field("time", .time),
        Field("certificate", .digest, "Hash of the certificate that the entry carries, or zeros."),
        make: {
            (
                height: UInt64, parent: Digest, entry: Digest, transactions: Digest, receipts: Digest, state: Digest,
                validators: Digest, nextValidators: Digest, rulesVersion: UInt32, time: UInt64, certificate: Digest
            ) throws(JSONError) in
            Header(
                height: height, parent: parent, entry: entry, transactions: transactions, receipts: receipts,
                state: state, validators: validators, nextValidators: nextValidators, rulesVersion: rulesVersion,
                time: time, certificate: certificate)
        },
        parts: {
            (
                $0.height, $0.parent, $0.entry, $0.transactions, $0.receipts, $0.state, $0.validators,
                $0.nextValidators, $0.rulesVersion, $0.time, $0.certificate
            )
        }
    ).named("Header")
}

extension Form where Value == Certificate {
    private static let signature = Form<Certificate.VoteSignature>.object(
        "One validator's part.", Field("validator", .organisation), Field("time", .time),
        Field("signature", .signature),
        make: { (validator: OrganisationID, time: UInt64, signature: Signature) throws(JSONError) in
            Certificate.VoteSignature(validator: validator, time: time, signature: signature)
        }, parts: { ($0.validator, $0.time, $0.signature) })

    public static let certificate = object(
        "A quorum's votes for one header: the block and all its ancestors are final.",
        Field("epoch", .integer), Field("height", .number64), Field("round", .integer),
        Field("phase", .integer(0...0), "0: commit."), Field("header", .digest),
        Field("signatures", signature.list(1...Genesis.validatorsMax), "In ascending order of validator, each once."),
        make: {
            (
                epoch: UInt32, height: UInt64, round: UInt32, phase: UInt8, header: Digest,
                signatures: [Certificate.VoteSignature]
            ) throws(JSONError) in
            Certificate(epoch: epoch, height: height, round: round, header: header, signatures: signatures)
        }, parts: { ($0.epoch, $0.height, $0.round, $0.phase.rawValue, $0.header, $0.signatures) }
    ).named("Certificate")
}

extension Form where Value == LightSteps {
    private static let step = Form<LightStep>.object(
        "A header with what makes it final, and who votes after it.",
        Field(
            "headers", Form<Header>.header.list(1...LightStep.headersMax),
            "Each the parent of the next; the last one "
                + "is certified."),
        Field("certificate", .certificate),
        Field.optional("validators", .validators, "Who votes after the last header, where others did before."),
        make: { (headers: [Header], certificate: Certificate, set: ValidatorSet?) throws(JSONError) in
            LightStep(headers, certificate: certificate, set: set)
        }, parts: { ($0.headers, $0.certificate, $0.set) }
    ).named("LightStep")

    public static let lightSteps = step.list(0...LightSteps.pageCountMax).map(
        read: { (steps: [LightStep]) throws(JSONError) in LightSteps(steps) }, write: { $0.steps })
}

/// What there is to know of a snapshot before it is fetched.
public struct SnapshotSummary: Sendable, Equatable {
    public let height: UInt64
    /// Hash of its header.
    public let header: Digest
    public let time: UInt64
    public let chunks: UInt32
    /// Bytes of all chunks.
    public let byteCount: UInt64

    public init(_ manifest: SnapshotManifest) {
        self.init(
            height: manifest.height, header: manifest.header.hash, time: manifest.header.time,
            chunks: UInt32(manifest.chunks.count), byteCount: UInt64(manifest.byteCount))
    }

    init(height: UInt64, header: Digest, time: UInt64, chunks: UInt32, byteCount: UInt64) {
        self.height = height
        self.header = header
        self.time = time
        self.chunks = chunks
        self.byteCount = byteCount
    }
}

extension Form where Value == [SnapshotSummary] {
    private static let snapshot = Form<SnapshotSummary>.object(
        "What there is to know of a snapshot before it is fetched.",
        Field("height", .number64), Field("header", .digest, "Hash of its header."), Field("time", .time),
        Field("chunks", .integer), Field("bytes", .number64, "Of all chunks."),
        make: { (height: UInt64, header: Digest, time: UInt64, chunks: UInt32, bytes: UInt64) throws(JSONError) in
            SnapshotSummary(height: height, header: header, time: time, chunks: chunks, byteCount: bytes)
        }, parts: { ($0.height, $0.header, $0.time, $0.chunks, $0.byteCount) }
    ).named("SnapshotSummary")

    public static let snapshots = snapshot.list(0...64)
}

extension Form where Value == Validator {
    public static let validator = object(
        "An organisation that votes, and its voting key.", Field("organisation", .organisation),
        Field("key", .publicKey),
        make: { (id: OrganisationID, key: PublicKey) throws(JSONError) in Validator(id: id, key: key) },
        parts: { ($0.id, $0.key) }
    ).named("Validator")
}

extension Form where Value == Place {
    public static let place = object(
        "Where a transaction stands: the block's height, and its index there.", Field("height", .number64),
        Field("index", .integer),
        make: { (height: UInt64, index: UInt32) throws(JSONError) in Place(height: height, index: index) },
        parts: { ($0.height, $0.index) }
    ).named("Place")
}

extension Form where Value == ResultCode {
    /// By its stable name; a number that this version has no name for as `code-NUMBER`.
    static let result = text(
        "the stable name of a result", pattern: "^[a-z][a-z0-9-]{1,63}$", example: "done",
        "The stable name of a result; x-results lists them.",
        read: { name in
            ResultCode.texts.first { $0.name == name }?.code
                ?? (name.hasPrefix("code-") ? UInt16(name.dropFirst(5)).map(ResultCode.init(rawValue:)) : nil)
        }, write: { $0.text?.name ?? "code-\($0.rawValue)" }
    ).saying(
        "x-results",
        .array(
            ResultCode.texts.map { text in
                [
                    "name": .string(text.name), "number": JSONValue(Int(text.code.rawValue)),
                    "en": .string(text.english), "zh": .string(text.chinese),
                ]
            })
    ).named("Result")

    static let number = Form<UInt16>.integer.map(
        read: { (number: UInt16) throws(JSONError) in ResultCode(rawValue: number) }, write: { $0.rawValue })
}

extension Form where Value == Portion {
    static let portion = object(
        "An amount that was taken from, or is held in, points of certain terms.",
        Field.optional("expiry", .time, "None: it does not end."),
        Field("restriction", .integer, "0: free."), Field("version", .integer, "Of the program's terms."),
        Field("class", .words { (word: LotTerms.Class) in dashed("\(word)") }), Field("amount", .number64),
        make: {
            (expiry: UInt64?, restriction: UInt32, version: UInt32, word: LotTerms.Class, amount: UInt64)
                throws(JSONError) in
            Portion(
                terms: LotTerms(
                    expiry: expiry ?? LotTerms.noExpiry, restriction: restriction, version: version, class: word),
                amount: amount)
        },
        parts: {
            (
                $0.terms.expiry == LotTerms.noExpiry ? nil : $0.terms.expiry, $0.terms.restriction, $0.terms.version,
                $0.terms.class, $0.amount
            )
        }
    ).named("Portion")
}

extension Form where Value == LineResult {
    static let lineResult = object(
        "A line that did not simply take effect.",
        Field("index", .integer), Field("result", .result), Field("code", .number),
        Field.optional(
            "first", .digest, "For “exists” and its kin of an accrual: the transaction that was first. Null for totals."
        ),
        make: { (index: UInt16, result: ResultCode, code: ResultCode, first: Digest?) throws(JSONError) in
            LineResult(index: index, result: code, first: first)
        }, parts: { ($0.index, $0.result, $0.result, $0.first) }
    ).named("LineResult")
}

extension Form where Value == Outcome {
    /// One member of those that its `outcome` calls for.
    private struct Parts {
        var name: String
        var done: UInt16?
        var exceptions: [LineResult]?
        var hold: HoldID?
        var portions: [Portion]?
        var proposal: ProposalID?
        var carried: Bool?
    }

    private static let parts = Form<Parts>.object(
        "What one operation did.",
        Field("outcome", .word(["done", "exists", "lines", "spent", "held", "proposal"])),
        Field.optional("done", .integer, "Lines that took effect.", omitsNull: true),
        Field.optional(
            "exceptions", Form<LineResult>.lineResult.list(0...ListBounds.linesMax), "Lines that did not, in order.",
            omitsNull: true),
        Field.optional("hold", .digest, "The reservation's id.", omitsNull: true),
        Field.optional(
            "portions", Form<Portion>.portion.list(0...Holding.lotsMax),
            "What was taken or is held, from which points.",
            omitsNull: true),
        Field.optional("proposal", .digest, "The proposal's id.", omitsNull: true),
        Field.optional("carried", .bool, "Whether the proposal has been carried out now.", omitsNull: true),
        make: {
            (
                name: String, done: UInt16?, exceptions: [LineResult]?, hold: HoldID?, portions: [Portion]?,
                proposal: ProposalID?, carried: Bool?
            ) throws(JSONError) in
            Parts(
                name: name, done: done, exceptions: exceptions, hold: hold, portions: portions, proposal: proposal,
                carried: carried)
        }, parts: { ($0.name, $0.done, $0.exceptions, $0.hold, $0.portions, $0.proposal, $0.carried) }
    ).named("Outcome")

    public static let outcome = parts.map(
        read: { (parts: Parts) throws(JSONError) -> Outcome in
            switch parts.name {
            case "exists": .exists
            case "lines": .lines(done: parts.done ?? 0, exceptions: parts.exceptions ?? [])
            case "spent": .spent(parts.portions ?? [])
            case "held":
                if let hold = parts.hold {
                    .held(hold, parts.portions ?? [])
                } else {
                    throw JSONError(".hold", "is missing")
                }
            case "proposal":
                if let proposal = parts.proposal {
                    .proposal(proposal, carried: parts.carried ?? false)
                } else {
                    throw JSONError(".proposal", "is missing")
                }
            default: .done
            }
        },
        write: { outcome in
            switch outcome {
            case .done: Parts(name: "done")
            case .exists: Parts(name: "exists")
            case .lines(let done, let exceptions): Parts(name: "lines", done: done, exceptions: exceptions)
            case .spent(let portions): Parts(name: "spent", portions: portions)
            case .held(let hold, let portions): Parts(name: "held", hold: hold, portions: portions)
            case .proposal(let id, let carried): Parts(name: "proposal", proposal: id, carried: carried)
            }
        })
}

extension Form where Value == String {
    /// One of a few words.
    static func word(_ words: [String]) -> Form {
        Form(
            Schema(["type": "string", "enum": .array(words.map { .string($0) })]),
            read: { (json: JSONValue) throws(JSONError) -> String in
                guard case .string(let text) = json, words.contains(where: { $0.utf8.elementsEqual(text.utf8) }) else {
                    throw JSONError("", "is not one of \(words.joined(separator: ", "))")
                }
                return text
            }, write: { .string($0) })
    }
}

extension Form where Value == Receipt {
    public static let receipt = object(
        "What became of a transaction.",
        Field("transaction", .digest), Field("result", .result), Field("code", .number, "The result's number."),
        Field.optional("operation", .integer, "Index of the operation that was refused.", omitsNull: true),
        Field.optional("line", .integer, "Index of the line that refused the whole.", omitsNull: true),
        Field.optional("first", .place, "For “duplicate”: where the first receipt stands.", omitsNull: true),
        Field("outcomes", Form<Outcome>.outcome.list(0...TransactionBody.operationsMax), "One an operation."),
        make: {
            (
                transaction: TransactionID, result: ResultCode, code: ResultCode, operation: UInt8?, line: UInt16?,
                first: Place?, outcomes: [Outcome]
            ) throws(JSONError) in
            Receipt(
                transaction: transaction, result: code, operation: operation, line: line, first: first,
                outcomes: outcomes)
        },
        parts: { ($0.transaction, $0.result, $0.result, $0.operation, $0.line, $0.first, $0.outcomes) }
    ).named("Receipt")
}
