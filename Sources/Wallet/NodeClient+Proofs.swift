import Canonical
public import Chain
public import Crypto
public import Ledger
import Wire

/// What a node says, with its proof, checked against the pinned genesis before it is believed.
extension NodeClient {
    /// The header of a certified height, with the certificate that makes it final.
    /// - Throws: ``NodeClientError`` `.proofInvalid` where a quorum of those who voted at its height did not sign it or
    ///   a descendant.
    public func header(_ height: UInt64) throws(NodeClientError) -> CertifiedHeader {
        let certificate: Certificate = try decode(
            try readBytes("/v1/blocks/\(height)/certificate"), "certificate above \(height)")
        guard certificate.height >= height, certificate.height - height < UInt64(Proof.headersMax) else {
            throw Self.invalid("the certificate is of height \(certificate.height), not of \(height) or soon after")
        }
        // Down from the certified header, each the parent of the one before: none is read that leads nowhere.
        var wanted = certificate.header
        var headers: [Header] = []
        for current in stride(from: certificate.height, through: height, by: -1) {
            let header: Header = try decode(try readBytes("/v1/blocks/\(current)/header"), "header \(current)")
            guard header.hash == wanted, header.height == current else {
                throw Self.invalid("header \(current) is not the certified one")
            }
            headers.insert(header, at: 0)
            wanted = header.parent
        }
        try checked { (client) throws(Proof.Refusal) in
            do throws(LightClient.Refusal) { try client.verify(headers, by: certificate) } catch {
                throw Proof.Refusal(error)
            }
        }
        return CertifiedHeader(
            header: headers[0], certificate: certificate, signers: certificate.signatures.map(\.validator))
    }

    /// What an account has of a unit, or that it has nothing, proved. Needs the identity of the account or the issuer.
    public func provenBalance(of account: AccountID, unit: UnitCode) throws(NodeClientError) -> ProvenBalance {
        try provenBalance(of: account, unit: unit, lots: nil)
    }

    /// The same with its lots, which the proof names by their digest.
    public func provenHolding(of account: AccountID, unit: UnitCode) throws(NodeClientError) -> ProvenBalance {
        // Between two requests the holding may have changed; then both are asked for again.
        let triesMax = 4
        for _ in 1..<triesMax {
            let lots = try lots(of: account, unit: unit)
            do throws(NodeClientError) { return try provenBalance(of: account, unit: unit, lots: lots) } catch {
                guard error.code == .proofInvalid else { throw error }
            }
        }
        return try provenBalance(of: account, unit: unit, lots: try lots(of: account, unit: unit))
    }

    private func provenBalance(
        of account: AccountID, unit: UnitCode, lots: [Lot]?
    ) throws(NodeClientError) -> ProvenBalance {
        let (proof, verified) = try proof("/v1/accounts/\(account)/balances/\(escaped(unit.description))/proof")
        guard case .balance(account, unit, let summary, _, _) = verified.subject else {
            throw Self.invalid("it is about something else")
        }
        if let lots {
            var encoder = Encoder()
            encoder.sequence(lots)
            let digest = SHA256.hash(.lots, encoder.bytes)
            guard summary.map({ $0.lots == digest }) ?? lots.isEmpty else {
                throw Self.invalid("the lots are not those of the proved holding")
            }
        }
        let balance = BalanceView(
            unit, available: summary?.available ?? 0, held: summary?.held ?? 0, pending: summary?.pending ?? 0,
            debt: summary?.debt ?? 0)
        return ProvenBalance(balance: balance, verified: verified, proof: proof, lots: lots)
    }

    /// What became of a transaction, proved. Needs the identity of a party of it. Of several nodes another one may have
    /// said that it is certified: one that does not know it yet is given a moment.
    public func provenReceipt(
        of id: TransactionID
    ) throws(NodeClientError) -> (receipt: Receipt, verified: Proof.Verified, proof: Proof) {
        let (proof, verified) = try proof("/v1/transactions/\(id)/proof", mayComeLater: true)
        guard case .receipt(let receipt, _) = verified.subject, receipt.transaction == id else {
            throw Self.invalid("it is about something else")
        }
        return (receipt, verified, proof)
    }

    private func proof(
        _ path: String, mayComeLater: Bool = false
    ) throws(NodeClientError) -> (proof: Proof, verified: Proof.Verified) {
        let bytes = try readBytes(path, needsToken: true, mayComeLater: mayComeLater)
        guard bytes.count <= Proof.bytesMax else { throw Self.invalid("it is larger than a proof may be") }
        let proof: Proof = try decode(bytes, "proof")
        return (proof, try checked { (client) throws(Proof.Refusal) in try proof.verify(by: client) })
    }

    func decode<Value: Canonical>(_ bytes: [UInt8], _ what: String) throws(NodeClientError) -> Value {
        do throws(DecodingError) { return try Value(canonicalBytes: bytes) } catch {
            throw Self.invalid("the \(what) does not decode: \(error)")
        }
    }

    static func invalid(_ reason: String) -> NodeClientError {
        NodeClientError(.proofInvalid, "What the node gave as proof does not hold: \(reason).")
    }
}
