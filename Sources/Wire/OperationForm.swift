import Crypto
import JSON
public import Ledger

/// One kind of operation as the outside sees it: its name, its route, its members and what they mean. Everything that
/// the interface says of a kind is made from its row here: routes, schemas, documentation, reading and writing.
public struct OperationForm: Sendable {
    /// The stable name, as in ``Operation/kind``.
    public let kind: String
    /// The route that takes transactions of this one operation.
    public let path: String
    /// What it does and whose signature it needs, in a sentence.
    public let summary: String
    /// The same in Chinese.
    public let chinese: String
    /// Its members, without the kind.
    public let members: Form<Operation>

    private init<each Part>(
        _ kind: String, _ path: String, _ summary: String, _ chinese: String, _ fields: repeat Field<each Part>,
        make: @escaping @Sendable (repeat each Part) throws(JSONError) -> Operation,
        parts: @escaping @Sendable (Operation) -> (repeat each Part)?
    ) {
        self.kind = kind
        self.path = path
        self.summary = summary
        self.chinese = chinese
        members = Form<Operation>.object(
            summary, repeat each fields, make: make,
            parts: { operation in
                guard let parts = parts(operation) else { preconditionFailure("the row is of the operation's kind") }
                return parts
            }
        ).named(Self.schemaName(kind))
    }

    private static func schemaName(_ kind: String) -> String {
        kind.split(separator: "-").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    }

    /// All kinds, in the order of their numbers in the format.
    public static let all: [OperationForm] = [
        OperationForm(
            "publish", "/v1/programs", "An issuer publishes the next version of a unit's terms. Needs: the issuer.",
            "发行方发布积分条款的新版本。", Field("program", .program), Field("issuer", .organisation),
            make: { (program: Program, issuer: OrganisationID) throws(JSONError) in .publish(program, issuer: issuer) },
            parts: { if case .publish(let program, let issuer) = $0 { (program, issuer) } else { nil } }),
        OperationForm(
            "open", "/v1/accounts", "An organisation opens accounts. Needs: that organisation.", "机构开立账户。",
            Field("organisation", .organisation), Field("lines", Form.openLine.list(1...ListBounds.linesMax)),
            Field.optional("all", .bool, "All lines or none.", else: false),
            make: { (organisation: OrganisationID, lines: [OpenLine], all: Bool) throws(JSONError) in
                .open(OpenList(organisation: organisation, lines: lines, all: all))
            }, parts: { if case .open(let list) = $0 { (list.organisation, list.lines, list.all) } else { nil } }),
        OperationForm(
            "open-by-ticket", "/v1/accounts/by-ticket",
            "A holder opens an account with an organisation's ticket. Needs: the account, by its credential to be.",
            "持有人凭机构的开户凭据开立账户。", Field("line", .openLine), Field("ticket", .ticket),
            make: { (line: OpenLine, ticket: Ticket) throws(JSONError) in .openByTicket(line, ticket) },
            parts: { if case .openByTicket(let line, let ticket) = $0 { (line, ticket) } else { nil } }),
        OperationForm(
            "claim", "/v1/claims",
            "A person takes over an account opened without a key. Needs: the account by the credential, the opener.",
            "本人认领无密钥账户。", Field("account", .account), Field("credential", .publicKey),
            make: { (account: AccountID, credential: PublicKey) throws(JSONError) in
                .claim(account: account, credential: credential)
            }, parts: { if case .claim(let account, let credential) = $0 { (account, credential) } else { nil } }),
        OperationForm(
            "add-credential", "/v1/keys/additions", "Adds a key to an account. Needs: the account.", "为账户添加密钥。",
            Field("account", .account), Field("credential", .credential),
            make: { (account: AccountID, credential: Credential) throws(JSONError) in
                .addCredential(account: account, credential: credential)
            },
            parts: { if case .addCredential(let account, let credential) = $0 { (account, credential) } else { nil } }),
        OperationForm(
            "rotate-credential", "/v1/keys/rotations",
            "Replaces a key by another from this block on. Needs: the account.",
            "更换账户密钥。", Field("account", .account), Field("old", .publicKey), Field("new", .publicKey),
            make: { (account: AccountID, old: PublicKey, new: PublicKey) throws(JSONError) in
                .rotateCredential(account: account, old: old, new: new)
            },
            parts: {
                if case .rotateCredential(let account, let old, let new) = $0 { (account, old, new) } else { nil }
            }
        ),
        OperationForm(
            "revoke-credential", "/v1/keys/revocations",
            "Ends a key's validity with this block. Needs: the account or its guardian.", "撤销账户密钥。",
            Field("account", .account), Field("key", .publicKey),
            make: { (account: AccountID, key: PublicKey) throws(JSONError) in
                .revokeCredential(account: account, key: key)
            }, parts: { if case .revokeCredential(let account, let key) = $0 { (account, key) } else { nil } }),
        OperationForm(
            "accrue", "/v1/accruals", "An issuer credits points, line by line. Needs: the issuer.", "发行方逐行发放积分。",
            Field("unit", .unit), Field("lines", Form.accrualLine.list(1...ListBounds.linesMax)),
            Field.optional("all", .bool, "All lines or none.", else: false),
            make: { (unit: UnitCode, lines: [AccrualLine], all: Bool) throws(JSONError) in
                .accrue(AccrueList(unit: unit, lines: lines, all: all))
            }, parts: { if case .accrue(let list) = $0 { (list.unit, list.lines, list.all) } else { nil } }),
        totals("vest", "/v1/vestings", "Pending points become available. Needs: the issuer.", "待生效积分到账。") {
            .vest($0)
        } list: {
            if case .vest(let list) = $0 { list } else { nil }
        },
        totals("void", "/v1/voids", "Pending points are cancelled. Needs: the issuer.", "撤销待生效积分。") {
            .void($0)
        } list: {
            if case .void(let list) = $0 { list } else { nil }
        },
        totals(
            "claw-back", "/v1/clawbacks",
            "Vested points are taken back after a return; what is gone becomes the earner's debt. Needs: the issuer.",
            "退货扣回已到账积分。"
        ) {
            .clawBack($0)
        } list: {
            if case .clawBack(let list) = $0 { list } else { nil }
        },
        OperationForm(
            "transfer", "/v1/transfers",
            "Moves points to another account, with their terms. Needs: the sending account.",
            "转账或赠送积分。", Field("from", .account), Field("to", .account), Field("unit", .unit),
            Field("amount", .number64, "In the unit's smallest parts."),
            make: { (from: AccountID, to: AccountID, unit: UnitCode, amount: UInt64) throws(JSONError) in
                .transfer(from: from, to: to, unit: unit, amount: amount)
            },
            parts: {
                if case .transfer(let from, let to, let unit, let amount) = $0 { (from, to, unit, amount) } else { nil }
            }),
        OperationForm(
            "redeem", "/v1/redemptions", "Burns points against goods or services. Needs: the account.", "兑换积分。",
            Field("account", .account), Field("unit", .unit),
            Field("amount", .number64, "In the unit's smallest parts."),
            Field.optional(
                "reference", .reference, "What it was for, in the taker's own numbering; never personal.",
                else: Reference([])),
            make: { (account: AccountID, unit: UnitCode, amount: UInt64, reference: Reference) throws(JSONError) in
                .redeem(account: account, unit: unit, amount: amount, reference: reference)
            },
            parts: {
                if case .redeem(let account, let unit, let amount, let reference) = $0 {
                    (account, unit, amount, reference)
                } else {
                    nil
                }
            }),
        OperationForm(
            "reserve", "/v1/reservations", "Holds points for one organisation until a deadline. Needs: the account.",
            "为某机构冻结积分。", Field("account", .account), Field("unit", .unit), Field("amount", .number64),
            Field("organisation", .organisation, "Who may commit or release it."), Field("use", .use),
            Field("deadline", .time, "Block time up to which it may be committed."),
            make: {
                (
                    account: AccountID, unit: UnitCode, amount: UInt64, organisation: OrganisationID,
                    use: Reservation.Use, deadline: UInt64
                ) throws(JSONError) in
                .reserve(
                    Reservation(
                        account: account, unit: unit, amount: amount, organisation: organisation, use: use,
                        deadline: deadline))
            },
            parts: {
                if case .reserve(let it) = $0 {
                    (it.account, it.unit, it.amount, it.organisation, it.use, it.deadline)
                } else {
                    nil
                }
            }),
        OperationForm(
            "commit", "/v1/commits",
            "Uses a reservation once, whole or in part; the rest returns. Needs: the organisation it is for.",
            "确认使用冻结的积分。", Field("hold", .digest, "The reservation's id."), Field("amount", .number64),
            make: { (hold: HoldID, amount: UInt64) throws(JSONError) in .commit(hold: hold, amount: amount) },
            parts: { if case .commit(let hold, let amount) = $0 { (hold, amount) } else { nil } }),
        OperationForm(
            "release", "/v1/releases", "Gives a reservation back whole. Needs: the organisation it is for.",
            "释放冻结的积分。", Field("hold", .digest, "The reservation's id."),
            make: { (hold: HoldID) throws(JSONError) in .release(hold: hold) },
            parts: { if case .release(let hold) = $0 { hold } else { nil } }),
        OperationForm(
            "freeze", "/v1/locks", "Nothing leaves the account from this block on. Needs: the account or its guardian.",
            "冻结账户。", Field("account", .account),
            make: { (account: AccountID) throws(JSONError) in .freeze(account: account) },
            parts: { if case .freeze(let account) = $0 { account } else { nil } }),
        OperationForm(
            "unfreeze", "/v1/unlocks",
            "Points may leave the account again. Needs: the guardian; or the account, where it froze itself.", "解冻账户。",
            Field("account", .account),
            make: { (account: AccountID) throws(JSONError) in .unfreeze(account: account) },
            parts: { if case .unfreeze(let account) = $0 { account } else { nil } }),
        OperationForm(
            "propose", "/v1/proposals",
            "An organisation proposes a decision about the consortium, and so approves of it. Needs: its governor.",
            "机构提出联盟治理提案。", Field("decision", .decision), Field("by", .organisation),
            make: { (decision: Decision, by: OrganisationID) throws(JSONError) in .propose(decision, by: by) },
            parts: { if case .propose(let decision, let by) = $0 { (decision, by) } else { nil } }),
        OperationForm(
            "approve", "/v1/approvals",
            "An organisation approves of a proposal; the last approval needed carries it out. Needs: its governor.",
            "机构同意提案；达到所需同意数时立即执行。", Field("proposal", .digest, "The proposal's id."), Field("by", .organisation),
            make: { (proposal: ProposalID, by: OrganisationID) throws(JSONError) in .approve(proposal, by: by) },
            parts: { if case .approve(let proposal, let by) = $0 { (proposal, by) } else { nil } }),
        OperationForm(
            "accuse", "/v1/accusations",
            "Two votes of one validator that contradict each other: it is suspended. Needs: anybody.",
            "提交验证节点重复投票的证据，该节点将被暂停。", Field("evidence", .evidence),
            make: { (evidence: Evidence) throws(JSONError) in .accuse(evidence) },
            parts: { if case .accuse(let evidence) = $0 { evidence } else { nil } }),
    ]

    private static func totals(
        _ kind: String, _ path: String, _ summary: String, _ chinese: String,
        make: @escaping @Sendable (TotalList) -> Operation, list: @escaping @Sendable (Operation) -> TotalList?
    ) -> OperationForm {
        OperationForm(
            kind, path, summary, chinese, Field("unit", .unit),
            Field("lines", Form.totalLine.list(1...ListBounds.linesMax)),
            Field.optional("all", .bool, "All lines or none.", else: false),
            make: { (unit: UnitCode, lines: [TotalLine], all: Bool) throws(JSONError) in
                make(TotalList(unit: unit, lines: lines, all: all))
            }, parts: { list($0).map { ($0.unit, $0.lines, $0.all) } })
    }

    static func of(_ kind: String) -> OperationForm? { all.first { $0.kind.utf8.elementsEqual(kind.utf8) } }
}

extension Form where Value == Operation {
    /// An operation of any kind: its members, and `kind`.
    public static let operation: Form = {
        let kinds = OperationForm.all
        // A closed object cannot be extended, so each kind is written out once more with its name.
        let schemas = kinds.map { kind -> Schema in
            let name = kind.schemaNameWithKind
            guard case .object(let members)? = kind.members.schema.definitions[kind.schemaName] else {
                preconditionFailure("the members of a kind are a named object")
            }
            let json = JSONValue.object(
                members.map { member in
                    switch (member.name, member.value) {
                    case ("properties", .object(let properties)):
                        .init(
                            member.name,
                            .object([.init("kind", ["type": "string", "const": .string(kind.kind)])] + properties))
                    case ("required", .array(let names)): .init(member.name, .array(["kind"] + names))
                    default: member
                    }
                })
            return Schema(json, kind.members.schema.definitions.filter { $0.key != kind.schemaName }).named(name)
        }
        return Form(
            Schema(
                [
                    "oneOf": .array(schemas.map(\.json)),
                    "discriminator": [
                        "propertyName": "kind",
                        "mapping": .object(
                            zip(kinds, schemas).map {
                                .init($0.0.kind, $0.1.json.reference)
                            }),
                    ],
                ], needing: schemas),
            read: { (json: JSONValue) throws(JSONError) -> Operation in
                guard case .object(let members) = json else {
                    throw json.wanted("an operation: an object with its kind,")
                }
                guard let kind = members.first(where: { $0.name == "kind" }) else {
                    throw JSONError(".kind", "is missing")
                }
                guard case .string(let text) = kind.value, let form = OperationForm.of(text) else {
                    throw JSONError(
                        ".kind", "is no kind of operation; write one of \(Operation.kinds.joined(separator: ", "))")
                }
                return try form.members.read(.object(members.filter { $0.name != "kind" }))
            },
            write: { operation in
                let form = OperationForm.of(operation.kind)!
                guard case .object(let members) = form.members.write(operation) else {
                    preconditionFailure("an operation is written as an object")
                }
                return .object([.init("kind", .string(form.kind))] + members)
            }
        ).named("Operation")
    }()
}

extension OperationForm {
    public var schemaName: String { Self.schemaName(kind) }
    fileprivate var schemaNameWithKind: String { schemaName + "Operation" }
}
