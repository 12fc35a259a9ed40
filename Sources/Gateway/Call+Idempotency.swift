import Canonical
import Crypto
import HTTPServer
import Ledger
import Wire

/// Requests that may be sent again.
extension Call {
    /// What the client calls this request, where it does.
    func idempotencyKey() throws(Problem) -> String? {
        guard let text = request.header("Idempotency-Key") else { return nil }
        guard (1...Idempotency.keyCharactersMax).contains(text.utf8.count),
            text.utf8.allSatisfy({ (0x20...0x7E).contains($0) })
        else {
            throw Problem(
                .headerInvalid, "it takes 1 to \(Idempotency.keyCharactersMax) printable ASCII characters",
                field: "Idempotency-Key")
        }
        return text
    }

    /// Answers once under a key. Whose key it is, says for a transaction the key that signed it first, so that nobody
    /// uses up another's; for all else, where nothing is changed, the address that it came from. A token is a secret,
    /// and is not kept.
    func answerOnce(under text: String) throws(Problem) {
        let fingerprint = SHA256.hash(
            Array("\(route.id)\n\(request.header("Content-Type") ?? "")\n".utf8), request.body)
        var call = self
        guard let scope = try call.idempotencyScope() else { return run() }
        let (ready, key) = (call, Idempotency.Key(scope: scope, text: text))
        gateway.idempotency.claim(key, fingerprint: fingerprint) { verdict in
            switch verdict {
            case .fresh(let claim):
                ready.with(claim: claim).run()
            case .stored(let stored):
                var response = HTTPResponse(
                    status: stored.status, headers: [("Content-Type", stored.type)], body: .bytes(stored.body))
                response.headers.append(("Idempotent-Replayed", "true"))
                gateway.send(
                    response, Stamp(height: stored.height, stateRoot: Digest(bytes: stored.stateRoot)), request,
                    exchange)
            case .inFlight: send(Problem(.idempotencyInFlight, field: "Idempotency-Key").response)
            case .reused: send(Problem(.idempotencyKeyReused, field: "Idempotency-Key").response)
            case .failed: send(Problem(.notReady).response)
            }
        }
    }

    /// - Returns: nil where nothing may be kept.
    private mutating func idempotencyScope() throws(Problem) -> Digest? {
        guard route.body?.isTransaction == true else {
            return route.keepsAnswers
                ? SHA256.hash(.session, Array("\(route.id)\n\(gateway.clientAddress(request))".utf8)) : nil
        }
        let transaction = try transaction()
        guard transaction.signaturesVerify(genesis: chain.genesisHash) else {
            throw Problem.signatureInvalid(transaction)
        }
        // Read once; who runs it under its key does not read it again.
        decoded = transaction
        return SHA256.hash(.session, transaction.body.signers[0].key.canonicalBytes)
    }

    /// Keeps an answer that will stay true. Of others the key is free again where nothing can have happened.
    func keep(_ response: HTTPResponse, _ stamp: Stamp, staysTrue: Bool) {
        guard let claim else { return }
        if staysTrue, case .bytes(let bytes) = response.body,
            let type = response.headers.first(where: { $0.name == "Content-Type" })?.value
        {
            gateway.idempotency.finish(
                claim,
                .init(
                    status: response.status, type: type, body: bytes, height: stamp.height,
                    stateRoot: stamp.stateRoot.bytes))
        } else if (400..<500).contains(response.status), response.status != 409 {
            gateway.idempotency.abandon(claim)
        } else {
            gateway.idempotency.release(claim)
        }
    }
}
