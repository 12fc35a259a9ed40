public import Chain
public import Ledger
public import Wire

/// A header that a quorum of those who voted at its height signed, itself or a descendant, checked here.
public struct CertifiedHeader: Sendable {
    public let header: Header
    /// Of this height or of a later one.
    public let certificate: Certificate
    /// Organisations that signed.
    public let signers: [OrganisationID]
}

/// A transaction's receipt in a certified block, as a node says it; ``NodeClient/provenReceipt(of:)`` proves it.
public struct CertifiedReceipt: Sendable {
    public let receipt: Receipt
    public let place: Place

    public init(receipt: Receipt, place: Place) {
        self.receipt = receipt
        self.place = place
    }
}

/// A balance that was proved: what it is, of which height, and who signed that height.
public struct ProvenBalance: Sendable {
    public let balance: BalanceView
    public let verified: Proof.Verified
    /// The proof itself, for others to check.
    public let proof: Proof
    /// The lots of the holding in the order in which they are spent, where they were asked for: the proof holds for
    /// them too.
    public let lots: [Lot]?
}
