public import Canonical

/// The result of a transaction, an operation or a line. The numbers are part of the format: append, never renumber.
///
/// **Precedence.** Where several refusals apply, the first in this order is given: the transaction's own (10–14, in
/// ascending order), then its signers in their order (15, 16, and 72, 73 where a ticket is what a signer would speak
/// by); then operation by operation, and within one operation the checks in the order that its implementation lists
/// under "Checks" and docs/refusals.md repeats. A natural key's `exists` family (1, 50–52) is judged directly after
/// the amount, so that a repeat answers the same whatever has happened to the account since.
///
/// **Nonces.** A receipt that names an operation burnt the nonce; a refusal that names none did not.
public struct ResultCode: RawRepresentable, Hashable, Comparable, Sendable, Canonical {
    public let rawValue: UInt16

    public init(rawValue: UInt16) { self.rawValue = rawValue }
    public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
    public func encode(to encoder: inout Encoder) { encoder.u16(rawValue) }
    public init(from decoder: inout Decoder) throws(DecodingError) { rawValue = try decoder.u16() }

    /// Done, or done before with the same content: nothing to repair.
    public var isRefusal: Bool { rawValue >= 10 }

    // Not refusals.
    public static let done = ResultCode(rawValue: 0)
    /// The same was done before; nothing changed.
    public static let exists = ResultCode(rawValue: 1)

    /// Refusals that burn no nonce, as they come before the operations are looked at. 72 and 73 are among them for an
    /// account that is yet to be opened; where it is there, they belong to the operation.
    public static let burnsNoNonce: Set<ResultCode> = [
        signatureInvalid, expired, validUntilTooFar, duplicate, nonceUsed, signerUnknown, keyNotValid, ticketInvalid,
        ticketExpired,
    ]

    // The transaction itself.
    public static let signatureInvalid = ResultCode(rawValue: 10)
    public static let expired = ResultCode(rawValue: 11)
    public static let validUntilTooFar = ResultCode(rawValue: 12)
    /// The same body stood in an earlier place: its receipt is the answer.
    public static let duplicate = ResultCode(rawValue: 13)
    public static let nonceUsed = ResultCode(rawValue: 14)
    public static let signerUnknown = ResultCode(rawValue: 15)
    public static let keyNotValid = ResultCode(rawValue: 16)

    // Authority.
    public static let signerMissing = ResultCode(rawValue: 20)

    // Amounts, units, accounts.
    public static let amountZero = ResultCode(rawValue: 30)
    public static let amountTooLarge = ResultCode(rawValue: 31)
    public static let unitUnknown = ResultCode(rawValue: 32)
    public static let selfAddressed = ResultCode(rawValue: 33)
    public static let accountUnknown = ResultCode(rawValue: 34)
    public static let accountUnclaimed = ResultCode(rawValue: 35)
    public static let accountFrozen = ResultCode(rawValue: 36)
    public static let debtOutstanding = ResultCode(rawValue: 37)
    public static let balanceInsufficient = ResultCode(rawValue: 38)
    public static let quotaExceeded = ResultCode(rawValue: 39)
    public static let lotsTooMany = ResultCode(rawValue: 40)

    // Accruals.
    public static let existsWithDifferentAccount = ResultCode(rawValue: 50)
    public static let existsWithDifferentUnit = ResultCode(rawValue: 51)
    public static let existsWithDifferentAmount = ResultCode(rawValue: 52)
    public static let accrualUnknown = ResultCode(rawValue: 53)
    public static let totalBelowRecorded = ResultCode(rawValue: 54)
    public static let totalAboveAmount = ResultCode(rawValue: 55)
    public static let unitForeign = ResultCode(rawValue: 56)

    // Accounts and credentials.
    public static let accountTaken = ResultCode(rawValue: 70)
    public static let openingsTooMany = ResultCode(rawValue: 71)
    public static let ticketInvalid = ResultCode(rawValue: 72)
    public static let ticketExpired = ResultCode(rawValue: 73)
    public static let accountClaimed = ResultCode(rawValue: 74)
    public static let credentialExists = ResultCode(rawValue: 75)
    public static let credentialUnknown = ResultCode(rawValue: 76)
    public static let credentialLast = ResultCode(rawValue: 77)
    public static let credentialsTooMany = ResultCode(rawValue: 78)
    public static let heightsInvalid = ResultCode(rawValue: 79)
    public static let guardianRequired = ResultCode(rawValue: 80)

    // Programs.
    public static let unitTaken = ResultCode(rawValue: 90)
    public static let programFieldFixed = ResultCode(rawValue: 91)
    public static let unitsTooMany = ResultCode(rawValue: 92)

    // Holds.
    public static let organisationUnknown = ResultCode(rawValue: 100)
    public static let deadlinePast = ResultCode(rawValue: 101)
    public static let deadlineTooFar = ResultCode(rawValue: 102)
    public static let holdUnknown = ResultCode(rawValue: 103)
    public static let holdOverdue = ResultCode(rawValue: 104)

    // The consortium.
    public static let organisationInactive = ResultCode(rawValue: 110)
    public static let organisationNotSuspended = ResultCode(rawValue: 111)
    public static let organisationTaken = ResultCode(rawValue: 112)
    public static let keyTaken = ResultCode(rawValue: 113)
    public static let organisationsTooMany = ResultCode(rawValue: 114)
    public static let validatorsTooMany = ResultCode(rawValue: 115)
    public static let voterLast = ResultCode(rawValue: 116)
    public static let rulesVersionOld = ResultCode(rawValue: 117)
    public static let proposalUnknown = ResultCode(rawValue: 118)
    public static let proposalsTooMany = ResultCode(rawValue: 119)
    public static let evidenceForeign = ResultCode(rawValue: 120)
    public static let organisationFieldFixed = ResultCode(rawValue: 121)
    public static let keysUnchanged = ResultCode(rawValue: 122)
    public static let keysTooMany = ResultCode(rawValue: 123)
}
