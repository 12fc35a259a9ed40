import Canonical
import Chain
import Concurrency
import Crypto
import Ledger
import Node
import Testing
import Wallet

@testable import Commands

/// Two members with wallets in a development chain: anna with 12.5 points of a unit with one decimal, ben with none.
enum Members {
    static func make(in chain: String) throws {
        for name in ["anna", "ben"] {
            let call = Call("wallet", "new", name, "--dir", chain)
            try #require(call.code == 0, "\(call.errors)")
        }
        let directory = try ChainDirectory(chain, passphrase: .none)
        let issuer = try directory.issuer(OrganisationID(1))
        let anna = try Wallets(directory).entry("anna").account
        let program = Program(unit: UnitCode("TENTH")!, decimals: 1, currency: "CNY", faceMinor: 10, facePoints: 1)
        let key = NaturalKey(source: SourceID("till")!, order: Array("1".utf8))
        let line = AccrualLine(account: anna, key: key, amount: 125, pending: false)
        try directory.withConsortium { consortium in
            for operation in [
                Operation.publish(program, issuer: OrganisationID(1)),
                .accrue(AccrueList(unit: program.unit, lines: [line])),
            ] {
                _ = try Submission.receipt(
                    consortium.first.submit(
                        .signed(
                            [operation], by: [issuer], genesis: consortium.genesisHash, now: wallClockMilliseconds())))
            }
        }
    }
}

/// An account id that nobody has, as text.
func strangerID(_ byte: UInt8) -> String {
    AccountID(bytes: [UInt8](repeating: byte, count: AccountID.byteCount)).description
}
