import Concurrency
import Crypto
import HTTPClient
import JSON
import Ledger
package import Wire

/// Tokens: got by signing a challenge, kept until shortly before their end, renewed where a node refuses one.
extension NodeClient {
    /// A token is renewed so long before its end.
    private static let renewalMilliseconds: UInt64 = 30_000

    /// Sends with a token; once more with a new one where the node refuses it.
    func sendWithToken(
        _ request: HTTPClientRequest, at node: Node
    ) throws(NodeClientError) -> HTTPClientResponse {
        let used = try currentToken(at: node)
        do throws(NodeClientError) { return try send(authorised(request, used)) } catch {
            // A submission's own 401 is about its signatures.
            guard error.status == 401, error.refusal == nil, error.code.rawValue != "signature-invalid" else {
                throw error
            }
            node.token.withLock { if $0?.text == used.text { $0 = nil } }
            return try send(authorised(request, try currentToken(at: node)))
        }
    }

    func authorised(_ request: HTTPClientRequest, _ token: Token) -> HTTPClientRequest {
        var request = request
        request.headers.append(HTTPField("Authorization", "Bearer \(token.text)"))
        return request
    }

    package func currentToken() throws(NodeClientError) -> Token {
        try asking { (node) throws(NodeClientError) in try currentToken(at: node) }
    }

    func currentToken(at node: Node) throws(NodeClientError) -> Token {
        let now = surroundings.now()
        if let kept = node.token.withLock({ $0 }), now + Self.renewalMilliseconds < kept.expiresAt { return kept }
        let fresh = try newToken(at: node)
        node.token.withLock { $0 = fresh }
        return fresh
    }

    private func newToken(at node: Node) throws(NodeClientError) -> Token {
        guard let identity else {
            throw NodeClientError(
                .identityMissing, "Only somebody with a key may read this; give the client an identity.")
        }
        try checkChain(at: node)
        let asked = try post("/v1/challenges", at: node, Form.claimant.write(identity.claimant))
        // Its bytes for signing are not taken: a node must not get a signature of bytes of its choice.
        let challenge = try asked.value(.challenge).value
        // Nor one that was made for somebody else, or by another node: what it gets for it would be theirs to use.
        let asks: OrganisationID
        if let pinned = limits.validator { asks = pinned } else { asks = try chain(at: node).value.validator }
        guard let ticket = challenge.ticket, !ticket.isToken, ticket.genesis == genesisHash,
            ticket.claimant == identity.claimant, ticket.validator == asks
        else {
            throw NodeClientError(.answerMalformed, "The node's challenge is not for this key, chain and node.")
        }
        let message = Challenge.signedBytes(genesis: genesisHash, challenge: challenge.bytes)
        let request = TokenRequest(
            claimant: identity.claimant, challenge: challenge.bytes, signature: identity.key.sign(message))
        return try post("/v1/tokens", at: node, Form.tokenRequest.write(request)).value(.token)
    }

    /// Neither call changes anything that lasts, so whoever needs the token may try again.
    private func post(_ path: String, at node: Node, _ json: JSONValue) throws(NodeClientError) -> AnswerReader {
        var request = HTTPClientRequest(
            "POST", node.url + path, headers: [HTTPField("Content-Type", "application/json")], body: json.bytes)
        request.totalMilliseconds = limits.requestMilliseconds
        return try AnswerReader(try send(request).body, bytesMax: limits.answerBytesMax)
    }
}
