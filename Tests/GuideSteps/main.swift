import Canonical
import Chain
import Crypto
import Ledger
import Wallet
import Wire

import struct Foundation.Data
import class Foundation.ProcessInfo
import struct Foundation.URL

func read(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: path))) }

let genesis = try Genesis(canonicalBytes: read("mall/genesis"))
let url = ProcessInfo.processInfo.environment["NODE"] ?? "http://127.0.0.1:7878"
let keyFile = try KeyFile(canonicalBytes: read("mall/keys/1-issuing.key"))
let mall = Author(.organisation(OrganisationID(1)), try keyFile.open(passphrase: nil))
let node = try NodeClient(url, pin: .genesis(genesis), identity: Identity(mall))

let unit = UnitCode("GALAXY")!
let program = Program(
    unit: unit, currency: "CNY", faceMinor: 1, facePoints: 1, expiry: .months(12),
    zone: [ZoneOffset(from: 0, minutes: 480)])
let published = try node.submit(node.signed(.publish(program, issuer: OrganisationID(1)), by: mall))
print(published.receipt.result.name)  // done

let account = AccountID.random()
let anna = Author(.account(account), SecretKey())
let line = OpenLine(account: account, credential: anna.key.publicKey)
let opened = try node.submit(
    node.signed(.open(OpenList(organisation: OrganisationID(1), lines: [line], all: true)), by: mall))
print(opened.receipt.outcomes)  // [Ledger.Outcome.lines(done: 1, exceptions: [])]

func sale(_ order: String) -> NaturalKey { NaturalKey(source: SourceID("till")!, order: Array(order.utf8)) }

let credit = node.signed(
    .accrue(
        AccrueList(
            unit: unit,
            lines: [
                AccrualLine(account: account, key: sale("1001"), amount: 120, pending: false),
                AccrualLine(account: account, key: sale("1002"), amount: 300, pending: true),
            ], all: true)), by: mall)
print(try node.submit(credit).receipt.outcomes)  // [Ledger.Outcome.lines(done: 2, exceptions: [])]
print(try node.submit(credit).receipt.outcomes)  // [Ledger.Outcome.lines(done: 2, exceptions: [])]

func redemption(_ amount: UInt64) -> Transaction {
    node.signed(
        .redeem(account: account, unit: unit, amount: amount, reference: Reference(Array("basket-7".utf8))), by: anna)
}

print(try node.submit(redemption(20)).receipt.result.name)  // done
do {
    _ = try node.submit(redemption(5000))
} catch {
    print(error.code.rawValue, error.isRetryable)  // balance-insufficient false
}

let reservation = Reservation(
    account: account, unit: unit, amount: 50, organisation: OrganisationID(1),
    use: .redeem(Reference(Array("basket-8".utf8))), deadline: try node.chain().value.time + 600_000)
let reserved = try node.submit(node.signed(.reserve(reservation), by: anna))
if case .held(let hold, _)? = reserved.receipt.outcomes.first {
    print(try node.submit(node.signed(.commit(hold: hold, amount: 30), by: mall)).receipt.result.name)  // done
}

func total(_ order: String, _ total: UInt64) -> TotalList {
    TotalList(unit: unit, lines: [TotalLine(key: sale(order), total: total)])
}

let returned = node.signed(
    .void(total("1002", 100)), .vest(total("1002", 200)), .clawBack(total("1001", 20)), by: mall)
print(try node.submit(returned).receipt.outcomes.count)  // 3

let reader = node.speaking(for: Identity(anna)!)
print(try reader.balance(of: account, unit: unit).value.available)  // 250
let proven = try reader.provenBalance(of: account, unit: unit)
print(proven.balance.available, "signed by", proven.verified.signers.count)  // 250 signed by 1
