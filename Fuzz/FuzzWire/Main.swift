import Canonical
import Crypto
import Glibc
import JSON
import Ledger
import Wire

/// Any text is read as what clients send, or refused with the place. A transaction that is read is one that the
/// ledger's own decoder takes, and comes back as the same from what is written of it.
@main enum FuzzWire {
    static func main() {
        exit(
            runFuzzer { start, count in
                let text = bytes(start, count)
                do throws(JSONError) {
                    let json = try JSONValue(parsing: text)
                    let again = try JSONValue(parsing: json.bytes, bytesMax: .max)
                    precondition(again == json, "another value")
                    try FuzzWire.read(json)
                } catch {
                    precondition(error.path.hasPrefix("$") && !error.reason.isEmpty)
                }
                return 0
            })
    }

    private static func read(_ json: JSONValue) throws(JSONError) {
        for kind in OperationForm.all { _ = try? Form<TransactionText>.signed(kind).parse(json).transaction() }
        _ = try? Form<TransactionText>.unsigned.parse(json).body(nonce: 1, validUntil: 1)
        _ = try? Form<Claimant>.claimant.parse(json)
        _ = try? Form<TokenRequest>.tokenRequest.parse(json)
        _ = try? Form<FoundingRequest>.foundingRequest.parse(json).signatureFailed
        _ = try? Form<FoundingApproval>.foundingApproval.parse(json).verifies
        _ = try? Form<NodeFile>.nodeFile.parse(json)
        let signed = try Form<TransactionText>.signed.parse(json)
        guard let transaction = try? signed.transaction() else { return }
        if signed.signatures.count == signed.signers.count {
            precondition((try? Transaction(envelope: transaction.bytes)) != nil, "the ledger does not take it")
        }
        let again = try Form<TransactionText>.signed.parse(
            JSONValue(
                parsing: Form<TransactionText>.signed.write(TransactionText(transaction)).bytes, bytesMax: .max))
        precondition((try? again.transaction())?.bytes == transaction.bytes, "another transaction")
    }
}
