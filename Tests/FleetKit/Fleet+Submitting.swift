import Foundation
public import HTTPClient
public import JSON
public import Ledger
import Wallet

/// Single transactions, sent by hand.
extension Fleet {
    public func transfer() -> Transaction {
        let operation = Operation.transfer(
            from: people[0].account, to: people[1].account, unit: unit, amount: 1)
        let now = UInt64(Date().timeIntervalSince1970 * 1000)
        return .signed([operation], by: [people[0]], genesis: genesis.hash, now: now)
    }

    /// What a node says to a transaction that is sent once.
    public func answer(to transaction: Transaction, at index: Int) throws -> JSONValue {
        let answer = try HTTPClient(configuration).perform(submission(of: transaction, at: index))
        return try JSONValue(parsing: answer.body)
    }

    public func submission(of transaction: Transaction, at index: Int) -> HTTPClientRequest {
        HTTPClientRequest(
            "POST", machines[index].url + "/v1/transactions",
            headers: [HTTPField("Content-Type", "application/octet-stream")], body: transaction.bytes)
    }
}

extension JSONValue {
    public var number: Int128? { if case .integer(let number) = self { number } else { nil } }
}
