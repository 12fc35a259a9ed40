import Crypto
import HTTPServer
import JSON
import Ledger
import Node
import Wire

/// Why a request is not answered with what it asked for: one problem document (RFC 9457), in English and Chinese.
struct Problem: Error, Sendable {
    let kind: Kind
    /// What happened here in particular, beyond the kind's own sentence.
    var detail: String?
    /// Where in the request: a JSON path, a parameter's or a header's name.
    var field: String?
    /// Members of this kind alone.
    var members: [JSONValue.Member] = []
    var headers: [(name: String, value: String)] = []
    /// Whether the same transaction will always be told so.
    var isFinal = false

    init(_ kind: Kind, _ detail: String? = nil, field: String? = nil) {
        self.kind = kind
        self.detail = detail
        self.field = field
    }

    /// A stable code with its status and its sentences.
    struct Kind: Sendable {
        let code: String
        let status: Int
        let english: String
        let chinese: String
        /// Whether the same request may succeed later.
        var isRetryable = false

        init(_ code: String, _ status: Int, _ english: String, _ chinese: String, isRetryable: Bool = false) {
            self.code = code
            self.status = status
            self.english = english
            self.chinese = chinese
            self.isRetryable = isRetryable
        }
    }
}

extension Problem.Kind {
    static let pathUnknown = Self("path-unknown", 404, "There is nothing at this path.", "此路径不存在。")
    static let methodNotAllowed = Self(
        "method-not-allowed", 405, "This path does not take this method; Allow names those it takes.", "此路径不支持该方法。")
    static let notAcceptable = Self(
        "not-acceptable", 406, "The answer cannot be given in a media type that Accept allows.", "无法以所要求的媒体类型应答。")
    static let mediaTypeUnsupported = Self(
        "media-type-unsupported", 415, "The body's media type is not taken here.", "不支持该请求体媒体类型。")
    static let charsetUnsupported = Self("charset-unsupported", 415, "Text is taken in UTF-8 alone.", "仅支持 UTF-8 编码。")
    static let bodyMalformed = Self("body-malformed", 400, "The body cannot be read.", "无法读取请求体。")
    static let fieldInvalid = Self("field-invalid", 400, "A member of the body is wrong.", "请求体字段有误。")
    static let parameterInvalid = Self("parameter-invalid", 400, "A parameter is wrong.", "参数有误。")
    static let cursorInvalid = Self(
        "cursor-invalid", 400, "The cursor is none that a page of this path gave.", "分页游标无效。")
    static let headerInvalid = Self("header-invalid", 400, "A header field is wrong.", "请求头有误。")
    static let transactionTooLarge = Self(
        "transaction-too-large", 413, "A transaction has at most 983040 bytes. Split it.", "交易过大，请拆分。")
    static let transactionImpossible = Self(
        "transaction-impossible", 409, "The ledger's format does not take such a transaction.", "账本格式不接受此交易。")
    static let heightNotFound = Self("height-not-found", 404, "No block of this height is certified.", "该高度尚无已认证区块。")
    static let historyNotHere = Self(
        "history-not-here", 404, "This node began with a snapshot and has no blocks from before it. Ask another node.",
        "此节点自快照起步，没有更早的区块，请向其他节点查询。")
    static let snapshotNotFound = Self(
        "snapshot-not-found", 404, "This node has no such snapshot, or no such chunk of it.", "此节点没有该快照或该分块。")
    static let transactionNotFound = Self(
        "transaction-not-found", 404, "No certified block holds this transaction, and none is under way here.",
        "未找到该交易。")
    static let accountNotFound = Self("account-not-found", 404, "There is no such account.", "账户不存在。")
    static let unitNotFound = Self("unit-not-found", 404, "No unit has this code.", "没有该积分种类。")
    static let accrualNotFound = Self(
        "accrual-not-found", 404, "Nothing was credited under this key.", "没有该键对应的发放记录。")
    static let reservationNotFound = Self(
        "reservation-not-found", 404, "There is no such reservation: committed, released or never made.",
        "冻结不存在：已确认、已释放或从未建立。")
    static let organisationNotFound = Self(
        "organisation-not-found", 404, "No organisation has this number.", "没有该编号的机构。")
    static let proposalNotFound = Self(
        "proposal-not-found", 404, "There is no such proposal: carried, lapsed or never made.",
        "提案不存在：已通过、已失效或从未提出。")
    static let tokenMissing = Self(
        "token-missing", 401, "This needs a token: get one by signing a challenge.", "需要令牌，请先签署挑战获取。")
    static let tokenInvalid = Self("token-invalid", 401, "The token is none of this node.", "令牌无效。")
    static let tokenExpired = Self("token-expired", 401, "The token has expired. Get another.", "令牌已过期，请重新获取。")
    static let keyRevoked = Self(
        "key-not-valid", 401, "The key does not speak for that party now.", "该密钥目前不代表该主体。")
    static let challengeInvalid = Self(
        "challenge-invalid", 401, "The challenge is none of this node for this key, was used, or has expired.",
        "挑战无效、已使用或已过期。")
    static let notYours = Self(
        "not-yours", 403, "This token does not open what belongs to others.", "此令牌无权查看他人内容。")
    static let idempotencyKeyReused = Self(
        "idempotency-key-reused", 422, "This Idempotency-Key was used with another body.", "该幂等键已用于另一请求体。")
    static let idempotencyInFlight = Self(
        "idempotency-in-flight", 409, "The first request with this Idempotency-Key is still being answered.",
        "使用该幂等键的首个请求仍在处理。", isRetryable: true)
    static let tooManyRequests = Self(
        "too-many-requests", 429, "There were too many requests from here. Wait as long as Retry-After says.",
        "请求过于频繁，请稍后再试。", isRetryable: true)
    static let senderBusy = Self(
        "sender-busy", 429, "The sender has as many transactions under way as it may. Wait for answers.",
        "该发送方进行中的交易过多，请等待应答。", isRetryable: true)
    static let poolFull = Self(
        "pool-full", 503, "The node holds as many transactions as it may. Send it again later.", "节点交易池已满，请稍后重试。",
        isRetryable: true)
    static let diskNearlyFull = Self(
        "disk-nearly-full", 503, "The disk of this node is nearly full, so it takes nothing new up. Use another node.",
        "此节点磁盘即将写满，暂不接收新交易，请使用其他节点。", isRetryable: true)
    static let nodeHalted = Self(
        "node-halted", 503, "The node has stopped and takes nothing up. Use another node.", "节点已停止，请使用其他节点。",
        isRetryable: true)
    static let nodeFollows = Self(
        "node-follows", 503, "This node only follows the chain. Send it to a validator.", "此节点仅跟随，请提交给验证节点。",
        isRetryable: true)
    static let nodeStale = Self(
        "node-stale", 503, "The newest certified block is too old to tell a value by.", "最新认证区块过旧，暂不提供数值查询。",
        isRetryable: true)
    static let notReady = Self(
        "not-ready", 503, "The node is moving on or starting up. Try again.", "节点正在推进或启动，请重试。", isRetryable: true)
    static let rulesTooOld = Self(
        "rules-too-old", 409, "This takes a later version of the rules than holds on this chain. Decide on that first.",
        "本链现行规则版本尚不支持此操作，请先由联盟成员议决新版规则。")
    static let internalFailure = Self(
        "internal", 500, "Something went wrong on this node; its log says more under the request's id.", "节点内部错误。",
        isRetryable: true)

    /// All kinds that the gateway itself has, beside the ledger's results: for the document and its tests.
    static let all: [Self] = [
        pathUnknown, methodNotAllowed, notAcceptable, mediaTypeUnsupported, charsetUnsupported, bodyMalformed,
        fieldInvalid, parameterInvalid, cursorInvalid, headerInvalid, transactionTooLarge, transactionImpossible,
        heightNotFound, historyNotHere, snapshotNotFound, transactionNotFound, accountNotFound, unitNotFound,
        accrualNotFound, reservationNotFound, organisationNotFound, proposalNotFound, tokenMissing, tokenInvalid,
        tokenExpired, keyRevoked, challengeInvalid, notYours, idempotencyKeyReused,
        idempotencyInFlight, tooManyRequests, senderBusy, poolFull, diskNearlyFull, nodeHalted, nodeFollows, nodeStale,
        notReady, rulesTooOld, internalFailure,
    ]

    /// The ledger's refusals: 409, but for a signature that does not match, which is 401.
    static func ledger(_ code: ResultCode) -> Self {
        Self(
            code.name, code == .signatureInvalid ? 401 : 409, code.text?.english ?? "The ledger refused it.",
            code.text?.chinese ?? "账本拒绝了该交易。")
    }

    static func admission(_ refusal: AdmissionRefusal) -> Self {
        switch refusal {
        case .signatureInvalid: ledger(.signatureInvalid)
        case .expired: ledger(.expired)
        case .poolFull: poolFull
        case .senderBusy: senderBusy
        case .halted: nodeHalted
        case .follower: nodeFollows
        case .notHere, .delayed: notReady
        case .rulesVersion: rulesTooOld
        }
    }

    /// What the server below has to say.
    static func server(_ problem: HTTPServerProblem) -> Self {
        let chinese =
            switch problem {
            case .malformed: "请求不合 HTTP 格式。"
            case .host: "请求须恰有一个 Host 字段。"
            case .encodingUnsupported: "不接受内容编码。"
            case .headTooLarge: "请求头过大。"
            case .bodyTooLarge: "请求体过大。"
            case .bodiesFull, .answersFull, .connectionsFull, .streamsFull: "节点繁忙，请稍后重试。"
            case .requestTimeout: "请求未及时到达。"
            case .answerTimeout: "应答未能及时生成，请重试。"
            case .stopping: "节点正在停止，请使用其他节点或稍后重试。"
            }
        return Self(
            problem.rawValue, problem.status, problem.reason, chinese,
            isRetryable: problem.status == 503 || problem == .requestTimeout)
    }
}

extension Problem {
    /// A refusal by the ledger, in a certified block.
    init(_ receipt: Receipt, place: Place) {
        self.init(.ledger(receipt.result))
        isFinal = receipt.operation != nil
        members = [
            .init("number", JSONValue(Int(receipt.result.rawValue))),
            .init("transaction", .string(receipt.transaction.description)),
            .init("place", Form<Place>.place.write(place)),
        ]
        if let operation = receipt.operation {
            members.append(.init("operation", JSONValue(Int(operation))))
            field = "$.operations[\(operation)]" + (receipt.line.map { ".lines[\($0)]" } ?? "")
        }
        if let line = receipt.line { members.append(.init("line", JSONValue(Int(line)))) }
    }

    /// A transaction of which a signature does not match: of no block, and final for these bytes alone.
    static func signatureInvalid(_ transaction: Transaction) -> Problem {
        var problem = Problem(.ledger(.signatureInvalid), field: "$.signatures")
        problem.members = [
            .init("number", JSONValue(Int(ResultCode.signatureInvalid.rawValue))),
            .init("transaction", .string(transaction.id.description)),
        ]
        return problem
    }

    init(_ error: JSONError) { self.init(.fieldInvalid, error.reason, field: error.path) }

    /// Seconds after which it makes sense to try again.
    static let retryAfterSeconds = 1

    var document: JSONValue {
        var all: [JSONValue.Member] = [
            .init("type", .string("urn:lianfen:problem:\(kind.code)")), .init("title", .string(kind.english)),
            .init("status", JSONValue(kind.status)),
            .init(
                "detail",
                .string(detail.map { "\(kind.english) \(field.map { "\($0): " } ?? "")\($0)" } ?? kind.english)),
            .init("code", .string(kind.code)),
            .init("message", ["en": .string(kind.english), "zh": .string(kind.chinese)]),
            .init("retryable", .bool(kind.isRetryable)),
        ]
        if let field { all.append(.init("field", .string(field))) }
        return .object(all + members)
    }

    var response: HTTPResponse {
        var fields: [(name: String, value: String)] = [("Content-Type", "application/problem+json")]
        if kind.status == 429 || kind.status == 503 { fields.append(("Retry-After", "\(Self.retryAfterSeconds)")) }
        if kind.status == 401 { fields.append(("WWW-Authenticate", "Bearer")) }
        return HTTPResponse(status: kind.status, headers: fields + headers, body: .bytes(document.bytes))
    }

    static let schema = Schema(
        [
            "type": "object",
            "description": "Why a request is not answered with what it asked for (RFC 9457).",
            "properties": [
                "type": ["type": "string"], "title": ["type": "string"], "status": ["type": "integer"],
                "detail": ["type": "string"],
                "code": ["type": "string", "description": "Stable; made for comparing."],
                "message": [
                    "type": "object", "properties": ["en": ["type": "string"], "zh": ["type": "string"]],
                    "required": ["en", "zh"],
                ],
                "field": ["type": "string", "description": "Where in the request."],
                "retryable": ["type": "boolean", "description": "Whether the same request may succeed later."],
                "number": ["type": "integer", "description": "The ledger's number of a refusal."],
                "transaction": ["type": "string"], "place": ["type": "object"],
                "operation": ["type": "integer"], "line": ["type": "integer"],
            ],
            "required": ["type", "title", "status", "detail", "code", "message", "retryable"],
        ]
    ).named("Problem")
}
