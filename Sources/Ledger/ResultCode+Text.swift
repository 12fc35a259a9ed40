/// What a person is told. One table for the command line, the gateway and the pages.
public struct ResultText: Sendable {
    public let code: ResultCode
    /// Stable name, for programs.
    public let name: String
    public let english: String
    public let chinese: String
}

extension ResultCode: CustomStringConvertible {
    /// The stable name; a code of a newer version shows its number.
    public var name: String { text?.name ?? "code-\(rawValue)" }
    public var description: String { name }
    public var text: ResultText? { Self.texts.first { $0.code == self } }

    private static func row(_ code: ResultCode, _ name: String, _ english: String, _ chinese: String) -> ResultText {
        ResultText(code: code, name: name, english: english, chinese: chinese)
    }

    /// All codes that there are, in ascending order.
    public static let texts: [ResultText] = [
        row(.done, "done", "Done.", "已完成。"),
        row(.exists, "exists", "This was done before with the same content; nothing changed.", "此前已以相同内容完成，未作任何更改。"),
        row(
            .signatureInvalid, "signature-invalid", "A signature does not match the signed bytes. Sign the body again.",
            "签名与内容不符，请重新签名。"),
        row(
            .expired, "expired", "The transaction's validUntil has passed. Build a new one with a later time.",
            "交易已过有效期，请重新生成并设置更晚的时间。"),
        row(
            .validUntilTooFar, "valid-until-too-far", "validUntil lies further ahead than this chain allows.",
            "有效期超出本链允许的范围。"),
        row(
            .duplicate, "duplicate", "The same transaction was executed before; see its first receipt.",
            "相同交易已执行，请查看首次回执。"),
        row(
            .nonceUsed, "nonce-used", "The sender used this nonce for another transaction. Choose a new nonce.",
            "该发送方已将此随机数用于另一笔交易，请更换。"),
        row(
            .signerUnknown, "signer-unknown", "A signer is no account or organisation of this chain.",
            "签名方不是本链的账户或机构。"),
        row(
            .keyNotValid, "key-not-valid",
            "A key does not speak for its signer at this height: unknown, revoked or not yet valid.",
            "密钥在此高度不代表该签名方：未登记、已撤销或尚未生效。"),
        row(
            .signerMissing, "signer-missing", "An operation lacks the signature of the party it needs.",
            "操作缺少所需一方的签名。"),
        row(.amountZero, "amount-zero", "The amount is zero. Give at least 1.", "数量为零，至少为 1。"),
        row(.amountTooLarge, "amount-too-large", "The amount would overflow a total.", "数量过大，合计将溢出。"),
        row(.unitUnknown, "unit-unknown", "No program with this unit code is published.", "没有发布过该积分种类。"),
        row(.selfAddressed, "self-addressed", "Sender and receiver are the same account.", "转出与转入为同一账户。"),
        row(.accountUnknown, "account-unknown", "There is no such account.", "账户不存在。"),
        row(
            .accountUnclaimed, "account-unclaimed", "The account has not been claimed by its holder yet.",
            "账户尚未被持有人认领。"),
        row(
            .accountFrozen, "account-frozen", "The account is frozen: it receives, and nothing leaves it.",
            "账户已冻结：可收入，不可支出。"),
        row(
            .debtOutstanding, "debt-outstanding",
            "Points are owed to the issuer after a return; they are repaid before any redemption.",
            "因退货尚欠发行方积分，须先抵还后方可兑换。"),
        row(
            .balanceInsufficient, "balance-insufficient", "Fewer points are available than asked for.", "可用积分不足。"),
        row(
            .quotaExceeded, "quota-exceeded", "The issuer's quota of outstanding points would be exceeded.",
            "超出发行方的流通额度。"),
        row(
            .lotsTooMany, "lots-too-many", "The receiver would hold too many different lots of this unit.",
            "接收方持有的该积分批次过多。"),
        row(
            .existsWithDifferentAccount, "exists-with-different-account",
            "This order line was credited to another account.",
            "该订单行已记入另一账户。"),
        row(
            .existsWithDifferentUnit, "exists-with-different-unit", "This order line was credited in another unit.",
            "该订单行已以另一积分种类记入。"),
        row(
            .existsWithDifferentAmount, "exists-with-different-amount",
            "This order line was credited with another amount.",
            "该订单行已以另一数量记入。"),
        row(.accrualUnknown, "accrual-unknown", "No accrual has this key.", "没有该键对应的发放记录。"),
        row(
            .totalBelowRecorded, "total-below-recorded",
            "The stated total is below the recorded one; totals only grow.",
            "所报累计值低于已记录值；累计值只增不减。"),
        row(
            .totalAboveAmount, "total-above-amount", "The stated total is more than the accrual leaves room for.",
            "所报累计值超过该发放记录的余量。"),
        row(
            .unitForeign, "unit-foreign",
            "An unclaimed account receives only the units of the organisation that opened it.",
            "未认领账户只能接收开户机构自己的积分。"),
        row(
            .accountTaken, "account-taken", "This account id is in use by another opener. Draw a new one.",
            "该账户编号已被其他开户方使用，请重新生成。"),
        row(
            .openingsTooMany, "openings-too-many",
            "The organisation has opened as many accounts as it may this minute.",
            "该机构本分钟开户数已达上限。"),
        row(
            .ticketInvalid, "ticket-invalid", "The ticket is not signed by that organisation's issuing key.",
            "开户凭据并非由该机构的发行密钥签署。"),
        row(.ticketExpired, "ticket-expired", "The ticket's time has passed.", "开户凭据已过期。"),
        row(.accountClaimed, "account-claimed", "The account has been claimed already.", "账户已被认领。"),
        row(.credentialExists, "credential-exists", "The key is a credential of this account already.", "该密钥已登记于此账户。"),
        row(
            .credentialUnknown, "credential-unknown", "The key is no valid credential of this account.",
            "该密钥不是此账户的有效凭证。"),
        row(
            .credentialLast, "credential-last", "It is the account's last valid key. Rotate it, or freeze the account.",
            "这是账户最后一把有效密钥，请更换密钥或冻结账户。"),
        row(.credentialsTooMany, "credentials-too-many", "The account has as many keys as it may.", "账户密钥数已达上限。"),
        row(
            .heightsInvalid, "heights-invalid", "The range of heights is empty or begins in the past.",
            "高度范围为空或始于过去。"),
        row(
            .guardianRequired, "guardian-required",
            "The guardian froze this account; only the guardian may unfreeze it.",
            "账户由监护方冻结，只能由监护方解冻。"),
        row(.unitTaken, "unit-taken", "Another organisation issues a unit of this code.", "该积分代码已由其他机构发行。"),
        row(
            .programFieldFixed, "program-field-fixed", "Decimals and currency of a unit never change.",
            "积分的小数位与币种不可更改。"),
        row(
            .unitsTooMany, "units-too-many", "The organisation has published as many units as it may.",
            "该机构发布的积分种类已达上限。"),
        row(.organisationUnknown, "organisation-unknown", "There is no such organisation.", "机构不存在。"),
        row(.deadlinePast, "deadline-past", "The deadline is not after the block's time.", "期限不晚于区块时间。"),
        row(
            .deadlineTooFar, "deadline-too-far", "The deadline lies further ahead than this chain allows.",
            "期限超出本链允许的范围。"),
        row(
            .holdUnknown, "hold-unknown", "There is no such reservation: committed, released or never made.",
            "冻结不存在：已确认、已释放或从未建立。"),
        row(.holdOverdue, "hold-overdue", "The reservation's deadline has passed.", "冻结已过期限。"),
        row(
            .organisationInactive, "organisation-inactive",
            "The organisation is suspended or has left the consortium, which stands in the way of this.",
            "该机构已被暂停或已退出联盟，不能进行此操作。"),
        row(
            .organisationNotSuspended, "organisation-not-suspended",
            "The organisation is not suspended, so there is nothing to release it from.", "该机构并未被暂停，无需恢复。"),
        row(
            .organisationTaken, "organisation-taken",
            "There is or was an organisation of this number. Apply under another.",
            "该机构编号已被使用，请换用其他编号。"),
        row(
            .keyTaken, "key-taken", "An organisation votes or has voted by this key. Make a new one.",
            "该投票密钥正由或曾由某机构使用，请另行生成。"),
        row(
            .organisationsTooMany, "organisations-too-many", "The chain has as many organisations as it may.",
            "联盟机构数量已达上限。"),
        row(
            .validatorsTooMany, "validators-too-many", "As many organisations vote as may. Apply without a voting key.",
            "验证节点数量已达上限，可不带投票密钥申请。"),
        row(
            .voterLast, "voter-last", "Nobody would be left to vote, and the chain would stand still.",
            "将无任何机构参与投票，链会停止。"),
        row(
            .rulesVersionOld, "rules-version-old", "That version of the rules, or a later one, is decided already.",
            "该规则版本或更新版本已获通过。"),
        row(
            .proposalUnknown, "proposal-unknown", "There is no such proposal: carried, lapsed or never made.",
            "提案不存在：已通过、已失效或从未提出。"),
        row(
            .proposalsTooMany, "proposals-too-many",
            "The organisation has as many proposals open as it may. Wait for one to be carried or to lapse.",
            "该机构待决提案已达上限，请等待其通过或失效。"),
        row(
            .evidenceForeign, "evidence-foreign", "The votes were not signed by that organisation's voting key.",
            "这些投票并非由该机构的投票密钥签署。"),
        row(
            .organisationFieldFixed, "organisation-field-fixed",
            "With its keys an organisation changes neither name nor quota, nor whether it votes.",
            "更换密钥时不得更改机构名称、额度或是否投票。"),
        row(.keysUnchanged, "keys-unchanged", "The organisation has these keys already.", "该机构已在使用这些密钥。"),
        row(
            .keysTooMany, "keys-too-many", "The organisation has had as many voting keys as it may.",
            "该机构更换投票密钥的次数已达上限。"),
    ]
}
