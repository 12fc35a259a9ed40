public import Ledger

/// Where another member's node is.
public struct PeerConfiguration: Sendable, Hashable {
    public let organisation: OrganisationID
    /// Of its HTTP interface, such as `https://node.example:8443`.
    public let url: String
    /// The PEM file of the authorities that vouch for it; none: those that the machine trusts.
    public let authorities: String?

    public init(organisation: OrganisationID, url: String, authorities: String? = nil) {
        self.organisation = organisation
        self.url = url
        self.authorities = authorities
    }
}
