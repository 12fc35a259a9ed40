import Canonical
import Chain
import Crypto
import Ledger

/// Fixed values that tests and golden vectors are made of. Nothing here is random: the same bytes on every machine.
enum Sample {
    /// A key whose seed is one byte, 32 times over.
    static func key(_ number: UInt8) -> SecretKey { SecretKey(seed: seed(number)) }

    static func seed(_ number: UInt8) -> [UInt8] { [UInt8](repeating: number, count: SecretKey.seedCount) }

    static func account(_ number: UInt8) -> AccountID { AccountID(bytes: [UInt8](repeating: number, count: 16)) }

    /// Voting, issuing and governing key of an organisation.
    static func votingSeed(_ organisation: UInt8) -> UInt8 { organisation }
    static func issuingSeed(_ organisation: UInt8) -> UInt8 { 100 + organisation }
    static func governingSeed(_ organisation: UInt8) -> UInt8 { 200 &+ organisation }

    static func organisation(_ number: UInt8, name: String, votes: Bool = true, quota: UInt64) -> GenesisOrganisation {
        GenesisOrganisation(
            id: OrganisationID(UInt32(number)), name: name, votingKey: votes ? key(votingSeed(number)).publicKey : nil,
            issuingKey: key(issuingSeed(number)).publicKey, governingKey: key(governingSeed(number)).publicKey,
            quota: quota)
    }

    /// Four organisations that vote, and a fifth that only issues.
    static let genesis = Genesis(
        chain: "vectors", time: 1_700_000_000_000, rulesVersion: 1, orderingEpoch: Array(0..<16),
        organisations: [
            organisation(1, name: "Mall of the North", quota: 1_000_000_000),
            organisation(2, name: "联分", quota: .max),
            organisation(3, name: "Çarşı", quota: 1),
            organisation(4, name: "4", quota: 1_000_000),
            organisation(9, name: "Only issues", votes: false, quota: 0),
        ])

    /// The smallest chain there is: one organisation.
    static let genesisOfOne = Genesis(
        chain: "1", time: 0, rulesVersion: 1, orderingEpoch: [UInt8](repeating: 255, count: 16),
        organisations: [organisation(7, name: "Alone", quota: 0)])

    static let source = SourceID("till-7")!
    static let unit = UnitCode("POINTS")!

    static func order(_ text: String, line: UInt32 = 0, kind: UInt8 = 0) -> NaturalKey {
        NaturalKey(source: source, order: Array(text.utf8), line: line, kind: kind)
    }

    static let program = Program(
        unit: unit, decimals: 2, currency: "CNY", faceMinor: 1, facePoints: 100, expiry: .months(24),
        zone: [ZoneOffset(from: 0, minutes: 480)])
}
