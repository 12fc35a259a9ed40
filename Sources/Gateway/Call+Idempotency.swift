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

    /// Answers once under a key. Whose key it is, the token says; without one, for a transaction the key that signed it
    /// first, so that nobody uses up another's; for all else, where nothing is changed, the request itself.
    func answerOnce(under text: String) throws(Problem) {
        let fingerprint = SHA256.hash(
            Array("\(route.id)\n\(request.header("Content-Type") ?? "")\n".utf8), request.body)
        guard let scope = try idempotencyScope() else { return run() }
        let key = Idempotency.Key(scope: scope, text: text)
        gateway.idempotency.claim(key, fingerprint: fingerprint) { verdict in
            switch verdict {
            case .fresh:
                with(onceKey: key).run()
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

    /// - Returns: nil where the answer depends on nothing that is kept: it is simply given again.
    private func idempotencyScope() throws(Problem) -> Digest? {
        if let holder {
            return SHA256.hash(.session, holder.claimant.principal.canonicalBytes)
        }
        guard route.body?.isTransaction == true else { return nil }
        let transaction = try transaction()
        guard transaction.signaturesVerify(genesis: chain.genesisHash) else {
            throw Problem.signatureInvalid(transaction)
        }
        return SHA256.hash(.session, transaction.body.signers[0].key.canonicalBytes)
    }

    /// Keeps an answer that will stay true; one that says to try again is not kept.
    func keep(_ response: HTTPResponse, _ stamp: Stamp) {
        guard let onceKey else { return }
        guard response.status < 300 && response.status != 202 || response.status == 409,
            case .bytes(let bytes) = response.body,
            let type = response.headers.first(where: { $0.name == "Content-Type" })?.value
        else { return gateway.idempotency.abandon(onceKey) }
        gateway.idempotency.finish(
            onceKey,
            .init(
                status: response.status, type: type, body: bytes, height: stamp.height,
                stateRoot: stamp.stateRoot.bytes))
    }
}
