import Testing

import class Foundation.FileManager
import class Foundation.ProcessInfo
import struct Foundation.URL

@testable import Ledger

/// docs/refusals.md says what the code says.
/// `LIANFEN_WRITE_DOCS=1 swift test --filter RefusalsDocumentTests` writes it.
struct RefusalsDocumentTests {
    /// What each operation looks at, in order.
    static let checks: [(kind: String, before: [ResultCode], lines: [ResultCode])] = [
        (
            "publish",
            [.signerMissing, .organisationInactive, .unitTaken, .programFieldFixed, .exists, .unitsTooMany], []
        ),
        ("open", [.signerMissing, .organisationInactive], [.accountTaken, .exists, .openingsTooMany]),
        (
            "open-by-ticket",
            [
                .signerMissing, .ticketInvalid, .ticketExpired, .organisationInactive, .accountTaken, .exists,
                .openingsTooMany,
            ], []
        ),
        ("claim", [.accountUnknown, .signerMissing, .accountClaimed, .credentialExists], []),
        (
            "add-credential",
            [.accountUnknown, .signerMissing, .exists, .credentialExists, .credentialsTooMany, .heightsInvalid], []
        ),
        ("rotate-credential", [.accountUnknown, .signerMissing, .credentialExists, .credentialUnknown], []),
        ("revoke-credential", [.accountUnknown, .signerMissing, .credentialUnknown, .credentialLast], []),
        (
            "accrue", [.unitUnknown, .signerMissing, .organisationInactive],
            [
                .amountZero, .existsWithDifferentAccount, .existsWithDifferentUnit, .existsWithDifferentAmount, .exists,
                .amountTooLarge, .accountUnknown, .unitForeign, .quotaExceeded, .lotsTooMany,
            ]
        ),
        ("vest", [.unitUnknown, .signerMissing], totals + [.lotsTooMany]),
        ("void", [.unitUnknown, .signerMissing], totals),
        ("claw-back", [.unitUnknown, .signerMissing], totals),
        (
            "transfer",
            [
                .signerMissing, .amountZero, .unitUnknown, .selfAddressed, .accountUnknown, .accountUnclaimed,
                .accountFrozen, .accountUnknown, .accountUnclaimed, .balanceInsufficient, .lotsTooMany,
            ], []
        ),
        (
            "redeem",
            [
                .signerMissing, .amountZero, .unitUnknown, .accountUnknown, .accountUnclaimed, .accountFrozen,
                .debtOutstanding, .balanceInsufficient,
            ], []
        ),
        (
            "reserve",
            [
                .signerMissing, .amountZero, .unitUnknown, .selfAddressed, .accountUnknown, .accountUnclaimed,
                .accountFrozen, .accountUnknown, .accountUnclaimed, .debtOutstanding, .balanceInsufficient,
                .organisationUnknown, .deadlinePast, .deadlineTooFar,
            ], []
        ),
        (
            "commit",
            [
                .holdUnknown, .signerMissing, .amountZero, .accountFrozen, .debtOutstanding, .holdOverdue,
                .balanceInsufficient, .lotsTooMany,
            ], []
        ),
        ("release", [.holdUnknown, .signerMissing], []),
        ("freeze", [.accountUnknown, .signerMissing, .exists], []),
        ("unfreeze", [.accountUnknown, .signerMissing, .exists, .guardianRequired], []),
        ("propose", [.signerMissing, .organisationInactive] + decisions + [.proposalsTooMany], []),
        ("approve", [.proposalUnknown, .signerMissing, .organisationInactive, .exists] + decisions, []),
        ("accuse", [.organisationUnknown, .evidenceForeign, .exists], []),
    ]

    /// Of a decision's own, whichever it is.
    private static let decisions: [ResultCode] = [
        .organisationTaken, .organisationsTooMany, .keyTaken, .organisationUnknown, .organisationInactive, .voterLast,
        .organisationNotSuspended, .organisationFieldFixed, .keyTaken, .keysTooMany, .keysUnchanged,
        .validatorsTooMany, .rulesVersionOld,
    ]

    private static let totals: [ResultCode] = [
        .amountZero, .accrualUnknown, .existsWithDifferentUnit, .totalBelowRecorded, .exists, .totalAboveAmount,
    ]

    static var document: String {
        func list(_ codes: [ResultCode]) -> String { codes.map { "`\($0.name)`" }.joined(separator: ", ") }
        var lines = [
            "# Results and refusals",
            "",
            "Every transaction, and every line of a list, is answered by a number. Numbers are part of the format:",
            "they are added to and never change. 0 and 1 are no refusals. This page is written from the code's own",
            "table, and a test compares the two.",
            "",
            "## Precedence",
            "",
            "Where several refusals apply, the first in this order is given.",
            "",
            "1. The transaction's own, in order: \(list([.signatureInvalid, .expired, .validUntilTooFar])), then",
            "   \(list([.duplicate])) or \(list([.nonceUsed])) where its sender used the nonce within the window.",
            "2. Signer by signer: \(list([.signerUnknown, .keyNotValid])); for an account that a ticket is to open,",
            "   \(list([.ticketInvalid, .ticketExpired])). An unclaimed account is spoken for by the key that claims",
            "   it, beside the opener and not without.",
            "3. Operation by operation, the checks of each in the order below. The first refusal takes the whole",
            "   transaction back.",
            "4. In a list, line by line. A refused line is named and the others stand, unless the list asks for all or",
            "   stands beside other operations: then it refuses the transaction.",
            "",
            "A transaction that is refused in steps 1 and 2 burns no nonce and its receipt names no operation; from",
            "step 3 on the nonce is burnt whatever the result, and the receipt names the operation. A refusal is final",
            "within the window: a new try is a new transaction.",
            "",
            "| Operation | Checks, in order | Then of each line |",
            "|---|---|---|",
        ]
        for row in checks { lines.append("| \(row.kind) | \(list(row.before)) | \(list(row.lines)) |") }
        lines += [
            "",
            "Transfers and reservations look at the sender's account first (there, claimed, not frozen), then at the",
            "receiver's (there, claimed). Debt stands in the way of redemptions and of reservations for them, not of",
            "transfers. `exists` stands where the same was done before; in an accrual a key's `exists` and its kin",
            "come before everything that may have changed since, so that a repeat answers the same for ever.",
            "",
            "## Numbers",
            "",
            "| Number | Name | English | 中文 | Burns the nonce |",
            "|---|---|---|---|---|",
        ]
        for text in ResultCode.texts {
            let burns =
                switch text.code {
                case .ticketInvalid, .ticketExpired: "no; yes where the account is there"
                case .duplicate, .nonceUsed: "no, it was burnt before"
                default: ResultCode.burnsNoNonce.contains(text.code) ? "no" : "yes"
                }
            lines.append("| \(text.code.rawValue) | `\(text.name)` | \(text.english) | \(text.chinese) | \(burns) |")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    @Test func thePageSaysWhatTheCodeSays() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let file = root.appendingPathComponent("docs/refusals.md")
        if ProcessInfo.processInfo.environment["LIANFEN_WRITE_DOCS"] != nil {
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Self.document.write(to: file, atomically: true, encoding: .utf8)
        }
        let page = try String(contentsOf: file, encoding: .utf8)
        #expect(page == Self.document, "write it anew with LIANFEN_WRITE_DOCS=1")
    }

    @Test func theTableIsWhole() {
        let texts = ResultCode.texts
        #expect(texts.map(\.code) == texts.map(\.code).sorted())
        #expect(Set(texts.map(\.code)).count == texts.count)
        #expect(Set(texts.map(\.name)).count == texts.count)
        #expect(Self.checks.map(\.kind) == Operation.kinds)
        for text in texts {
            let plain = text.name.utf8.allSatisfy { (0x61...0x7A).contains($0) || $0 == 0x2D }
            #expect(plain && text.english.hasSuffix(".") && text.chinese.hasSuffix("。"))
            #expect(ResultCode(rawValue: text.code.rawValue).name == text.name)
        }
        // Every number is the transaction's own or one operation's.
        let own: Set<ResultCode> = [
            .done, .signatureInvalid, .expired, .validUntilTooFar, .duplicate, .nonceUsed, .signerUnknown, .keyNotValid,
        ]
        let listed = Self.checks.reduce(into: own) { $0.formUnion($1.before + $1.lines) }
        #expect(listed == Set(texts.map(\.code)))
        // A number of a newer version is shown as such.
        #expect(ResultCode(rawValue: 60_000).name == "code-60000" && ResultCode(rawValue: 60_000).isRefusal)
    }

    /// The scenarios of precedence say nothing that the page does not.
    @Test func precedenceScenariosAgreeWithThePage() {
        let own: [ResultCode] = [
            .signatureInvalid, .expired, .validUntilTooFar, .duplicate, .nonceUsed, .signerUnknown, .keyNotValid,
        ]
        for (first, second, _) in RefusalTests.precedence where !own.contains(first) {
            let agrees = Self.checks.contains { row in
                let order = row.before + row.lines
                guard let a = order.firstIndex(of: first), let b = order.lastIndex(of: second) else { return false }
                return a < b
            }
            #expect(agrees, "\(first) before \(second)")
        }
    }
}
