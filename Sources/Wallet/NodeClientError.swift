public import Ledger

/// Why a node's interface did not give what was asked for. Compared by code only.
public struct NodeClientError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A short, stable name: the node's own, such as `balance-insufficient`, or one of those below.
    public struct Code: RawRepresentable, Hashable, Sendable {
        public let rawValue: String
        public init(rawValue: String) { self.rawValue = rawValue }

        /// No answer came: nobody listens, the name is not known, the connection broke or a deadline passed.
        public static let unreachable = Code(rawValue: "node-unreachable")
        /// The node's certificate is not trusted, or its files here cannot be used.
        public static let tls = Code(rawValue: "node-not-trusted")
        /// The answer is not what the interface describes.
        public static let answerMalformed = Code(rawValue: "answer-malformed")
        /// The node serves another chain than the pinned one.
        public static let genesisDiffers = Code(rawValue: "genesis-differs")
        /// A proof, header or certificate from the node does not hold.
        public static let proofInvalid = Code(rawValue: "proof-invalid")
        /// The transaction may or may not have been executed: its node could not be asked until it was too late.
        public static let outcomeUnknown = Code(rawValue: "outcome-unknown")
        /// The transaction's time passed, and no block holds it.
        public static let expired = Code(rawValue: "expired")
        /// ``NodeClient/stop()`` was called.
        public static let stopped = Code(rawValue: "stopped")
        /// A token is needed, and this client speaks for nobody.
        public static let identityMissing = Code(rawValue: "identity-missing")
        /// The URL of the node cannot be used.
        public static let urlInvalid = Code(rawValue: "url-invalid")
    }

    public let code: Code
    /// What is wrong and what to do, in a sentence for a person.
    public let sentence: String
    /// The same in Chinese, where the node says it.
    public let chinese: String?
    /// The value concerned, as a path such as `$.operations[0].amount`, where one is known.
    public let field: String?
    /// Whether the same request may succeed later.
    public let isRetryable: Bool
    /// The ledger's refusal, where the ledger refused; see docs/refusals.md.
    public let refusal: ResultCode?
    /// Index of the operation and of its line that were refused, where one was.
    public let operation: Int?
    public let line: Int?
    /// The status of the answer; nil where none came.
    public let status: Int?
    /// How long the node asks to be left alone.
    public let retryAfterMilliseconds: Int?
    /// Whether the request may have been acted upon although this error came.
    let mayHaveArrived: Bool

    init(
        _ code: Code, _ sentence: String, chinese: String? = nil, field: String? = nil, isRetryable: Bool = false,
        refusal: ResultCode? = nil, operation: Int? = nil, line: Int? = nil, status: Int? = nil,
        retryAfterMilliseconds: Int? = nil, mayHaveArrived: Bool = false
    ) {
        self.code = code
        self.sentence = sentence
        self.chinese = chinese
        self.field = field
        self.isRetryable = isRetryable
        self.refusal = refusal
        self.operation = operation
        self.line = line
        self.status = status
        self.retryAfterMilliseconds = retryAfterMilliseconds
        self.mayHaveArrived = mayHaveArrived
    }

    /// The same, as one that may be over after a while.
    var worthAnotherTry: NodeClientError { changed(isRetryable: true) }

    func saying(_ sentence: String) -> NodeClientError { changed(sentence: sentence) }

    private func changed(sentence: String? = nil, isRetryable: Bool? = nil) -> NodeClientError {
        NodeClientError(
            code, sentence ?? self.sentence, chinese: sentence == nil ? chinese : nil, field: field,
            isRetryable: isRetryable ?? self.isRetryable, refusal: refusal, operation: operation, line: line,
            status: status, retryAfterMilliseconds: retryAfterMilliseconds, mayHaveArrived: mayHaveArrived)
    }

    public static func == (a: Self, b: Self) -> Bool { a.code == b.code }

    public var description: String { "\(code.rawValue): \(field.map { "\($0): " } ?? "")\(sentence)" }
}
