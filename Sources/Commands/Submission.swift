import Ledger
import Node
import Terminal

/// What became of a transaction, in the words of the command line.
enum Submission {
    /// The receipt of a certified transaction that took effect.
    /// - Throws: ``CommandError`` with the refusal's stable name, English and Chinese.
    static func receipt(_ answer: Answer) throws -> (receipt: Receipt, place: Place) {
        switch answer {
        case .receipt(let receipt, let place):
            if receipt.result.isRefusal { throw refusal(receipt.result, receipt.line) }
            return (receipt, place)
        case .refused(let reason):
            throw CommandError(code: "not-admitted", reason: reason.description)
        case .proof: preconditionFailure("a submission is not answered by a proof")
        }
    }

    static func refusal(_ code: ResultCode, _ line: UInt16? = nil) -> CommandError {
        let text = code.text
        let place = line.map { " (line \($0))" } ?? ""
        return CommandError(
            code: code.name, reason: "\(text?.english ?? "Refused.") \(text?.chinese ?? "")\(place)")
    }
}
