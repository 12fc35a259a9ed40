import Ledger
import Node
import Terminal
import Wallet

/// What became of a transaction, in the words of the command line.
enum Submission {
    /// The receipt of a certified transaction that took effect.
    /// - Throws: ``LedgerRefusal`` where the ledger refused it.
    static func receipt(_ answer: Answer) throws -> (receipt: Receipt, place: Place) {
        switch answer {
        case .receipt(let receipt, let place):
            if receipt.result.isRefusal { throw LedgerRefusal(receipt.result, line: receipt.line.map { Int($0) }) }
            return (receipt, place)
        case .refused(let reason):
            throw CommandError(code: "not-admitted", reason: reason.description)
        case .promise, .proof: preconditionFailure("a submission is answered by a receipt or a refusal")
        }
    }

    /// A refusal's stable name, English and Chinese.
    static func explain(_ refusal: LedgerRefusal) -> CommandError {
        let text = refusal.code.text
        let place = refusal.line.map { " (line \($0))" } ?? ""
        return CommandError(
            code: refusal.code.name, reason: "\(text?.english ?? "Refused.") \(text?.chinese ?? "")\(place)")
    }

    /// What a node, or the client of one, refused.
    static func explain(_ error: NodeClientError) -> CommandError {
        if let refusal = error.refusal { return explain(LedgerRefusal(refusal, line: error.line)) }
        let exit: ExitCode =
            switch error.code {
            case .unreachable, .tls: .environment
            case .urlInvalid: .usage
            default: .refused
            }
        return CommandError(
            code: error.code.rawValue, field: error.code == .urlInvalid ? "--node" : error.field,
            reason: error.sentence + (error.chinese.map { " \($0)" } ?? "")
                + (error.code == .tls ? "; --ca FILE names the authorities that vouch for it" : ""), exit: exit)
    }
}
