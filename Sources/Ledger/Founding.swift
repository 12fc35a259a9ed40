public import Canonical
public import Crypto

/// What a chain is founded with beside its organisations: the same in the request of each of them.
public struct FoundingTerms: Sendable, Equatable {
    /// As in ``Genesis/chain``.
    public let chain: String
    public let rulesVersion: UInt32
    public let parameters: Parameters

    public init(
        chain: String, rulesVersion: UInt32 = Genesis.rulesVersionsKnown.upperBound,
        parameters: Parameters = Parameters()
    ) {
        self.chain = chain
        self.rulesVersion = rulesVersion
        self.parameters = parameters
    }
}

/// What one organisation asks to be founded with, in its own words: signed by each of its keys, so that no chain is
/// founded with a key that nobody has, or that is another's. No secret is in it.
public struct FoundingRequest: Sendable, Equatable {
    public let terms: FoundingTerms
    public let organisation: GenesisOrganisation
    /// The URL of its node; none where it does not vote.
    public let node: String?
    /// By the voting key where there is one, the issuing key, the governing key.
    public let signatures: [Signature]

    public static let nodeBytesMax = 512

    public init(terms: FoundingTerms, organisation: GenesisOrganisation, node: String?, signatures: [Signature]) {
        self.terms = terms
        self.organisation = organisation
        self.node = node
        self.signatures = signatures
    }

    /// Signs a request.
    /// - Parameter keys: the secret keys of ``Application/keys(of:)``, in that order.
    public init(signing terms: FoundingTerms, organisation: GenesisOrganisation, node: String?, keys: [SecretKey]) {
        let message = Self.signedBytes(terms: terms, organisation: organisation, node: node)
        self.init(
            terms: terms, organisation: organisation, node: node, signatures: keys.map { $0.sign(message) })
    }

    /// The chain has no hash yet, so its name and its terms stand in what is signed.
    public static func signedBytes(
        terms: FoundingTerms, organisation: GenesisOrganisation, node: String?
    ) -> [UInt8] {
        var encoder = Encoder()
        encoder.fixed(Domain.foundingRequest.prefix)
        encoder.string(terms.chain)
        encoder.u32(terms.rulesVersion)
        encoder.value(terms.parameters)
        encoder.value(organisation)
        // An option of a text.
        encoder.variant(node == nil ? 0 : 1)
        if let node { encoder.string(node) }
        return encoder.bytes
    }

    /// The index of the first signature that does not hold, or that is missing or surplus; nil where all hold.
    public var signatureFailed: Int? {
        let keys = Application.keys(of: organisation)
        let message = Self.signedBytes(terms: terms, organisation: organisation, node: node)
        let failed = zip(keys, signatures).enumerated().first { !$1.0.verifies($1.1, of: message) }
        return failed?.offset ?? (keys.count == signatures.count ? nil : min(keys.count, signatures.count))
    }
}

/// An organisation's word that a chain begins with this genesis and these nodes and no others.
public struct FoundingApproval: Sendable, Equatable {
    /// Where an organisation's node is.
    public struct Node: Sendable, Equatable, Canonical {
        public let organisation: OrganisationID
        public let url: String

        public init(organisation: OrganisationID, url: String) {
            self.organisation = organisation
            self.url = url
        }

        public func encode(to encoder: inout Encoder) {
            encoder.value(organisation)
            encoder.string(url)
        }

        public init(from decoder: inout Decoder) throws(DecodingError) {
            organisation = try decoder.value()
            url = try decoder.string(max: FoundingRequest.nodeBytesMax)
        }
    }

    /// Who approves.
    public let organisation: OrganisationID
    /// The whole genesis, so that whoever has another one learns where the two differ.
    public let genesis: Genesis
    /// Those of the validators, in their order.
    public let nodes: [Node]
    /// By the governing key that the genesis has for the organisation.
    public let signature: Signature

    public init(organisation: OrganisationID, genesis: Genesis, nodes: [Node], signature: Signature) {
        self.organisation = organisation
        self.genesis = genesis
        self.nodes = nodes
        self.signature = signature
    }

    /// Signs an approval with the organisation's governing key.
    public init(signing genesis: Genesis, nodes: [Node], by organisation: OrganisationID, key: SecretKey) {
        let message = Self.signedBytes(organisation: organisation, genesis: genesis.hash, nodes: nodes)
        self.init(organisation: organisation, genesis: genesis, nodes: nodes, signature: key.sign(message))
    }

    public static func signedBytes(organisation: OrganisationID, genesis: Digest, nodes: [Node]) -> [UInt8] {
        var encoder = Encoder()
        encoder.fixed(Domain.foundingApproval.prefix)
        encoder.fixed(genesis.bytes)
        encoder.value(organisation)
        encoder.sequence(nodes)
        return encoder.bytes
    }

    /// Whether the genesis in it has the organisation, and its governing key has signed.
    public var verifies: Bool {
        guard let founder = genesis.organisations.first(where: { $0.id == organisation }) else { return false }
        let message = Self.signedBytes(organisation: organisation, genesis: genesis.hash, nodes: nodes)
        return founder.governingKey.verifies(signature, of: message)
    }
}

extension Genesis {
    /// The genesis that these organisations ask for.
    /// - Parameter founders: their requests, in any order, with the same terms in all of them.
    public init(_ terms: FoundingTerms, founders: [FoundingRequest], time: UInt64, orderingEpoch: [UInt8]) {
        self.init(
            chain: terms.chain, time: time, rulesVersion: terms.rulesVersion, orderingEpoch: orderingEpoch,
            parameters: terms.parameters,
            organisations: founders.map(\.organisation).sorted { $0.id < $1.id })
    }

    /// In which field a byte of the canonical form lies, as its place in JSON; for bytes that are no genesis any more,
    /// and have to be told from one.
    /// - Parameter offset: one past the last byte, or beyond it, has none.
    public func field(at offset: Int) -> String? {
        fieldEnds.first { offset < $0.end }?.place
    }

    /// The fields in the order of the canonical form, each with the offset behind it.
    var fieldEnds: [(place: String, end: Int)] {
        var encoder = Encoder()
        var ends: [(String, Int)] = []
        func field(_ place: String, _ write: (inout Encoder) -> Void) {
            write(&encoder)
            ends.append(("$." + place, encoder.bytes.count))
        }
        field("chain") { $0.string(chain) }
        field("time") { $0.u64(time) }
        field("rulesVersion") { $0.u32(rulesVersion) }
        field("orderingEpoch") { $0.fixed(orderingEpoch) }
        field("parameters.replayWindowMilliseconds") { $0.u64(parameters.replayWindowMilliseconds) }
        field("parameters.openingsPerMinuteMax") { $0.u32(parameters.openingsPerMinuteMax) }
        field("parameters.unitsPerOrganisationMax") { $0.u32(parameters.unitsPerOrganisationMax) }
        field("parameters.reservationMillisecondsMax") { $0.u64(parameters.reservationMillisecondsMax) }
        field("organisations") { $0.length(organisations.count) }
        for (index, organisation) in organisations.enumerated() {
            let place = "organisations[\(index)]"
            field(place + ".id") { $0.value(organisation.id) }
            field(place + ".name") { $0.string(organisation.name) }
            field(place + ".votingKey") { $0.option(organisation.votingKey) }
            field(place + ".issuingKey") { $0.value(organisation.issuingKey) }
            field(place + ".governingKey") { $0.value(organisation.governingKey) }
            field(place + ".quota") { $0.u64(organisation.quota) }
        }
        return ends
    }
}
