import Canonical
import Crypto
import JSON
public import Ledger

/// The files of a founding, which organisations send each other before there is a chain.
extension Form where Value == FoundingRequest {
    public static let foundingRequest = object(
        "What one organisation asks to be founded with, signed by each of its keys.",
        Field("terms", .foundingTerms, "The same in the requests of all founders."),
        Field("organisation", .founder),
        Field.optional("node", .nodeURL, "Where its node will be. None: it does not vote.", omitsNull: true),
        Field("signatures", Form<Signature>.signature.list(2...3), "In the order of the keys above."),
        make: {
            (terms: FoundingTerms, organisation: GenesisOrganisation, node: String?, signatures: [Signature])
                throws(JSONError) in
            guard (organisation.votingKey == nil) == (node == nil) else {
                throw JSONError(
                    ".node",
                    node == nil
                        ? "is missing; the others have to know where the node of an organisation that votes will be"
                        : "is given for an organisation that does not vote; only validators are asked")
            }
            return FoundingRequest(terms: terms, organisation: organisation, node: node, signatures: signatures)
        }, parts: { ($0.terms, $0.organisation, $0.node, $0.signatures) }
    ).named("FoundingRequest")
}

extension Form where Value == FoundingApproval {
    public static let foundingApproval = object(
        "An organisation's word that a chain begins with this genesis and these nodes.",
        Field("organisation", .organisation, "Who approves."), Field("genesis", .genesisFields),
        Field(
            "nodes", Form<FoundingApproval.Node>.foundingNode.list(0...Genesis.validatorsMax),
            "Those of the validators, in their order."),
        Field("signature", .signature, "By the governing key that the genesis has for the organisation."),
        make: {
            (organisation: OrganisationID, genesis: Genesis, nodes: [FoundingApproval.Node], signature: Signature)
                throws(JSONError) in
            guard nodes.map(\.organisation) == genesis.validators.map(\.id) else {
                throw JSONError(".nodes", "are not those of the organisations that vote, in their order")
            }
            return FoundingApproval(
                organisation: organisation, genesis: genesis, nodes: nodes, signature: signature)
        }, parts: { ($0.organisation, $0.genesis, $0.nodes, $0.signature) }
    ).named("FoundingApproval")
}

extension Form where Value == FoundingTerms {
    public static let foundingTerms = object(
        "What a chain is founded with beside its organisations.",
        Field("chain", .chainName), Field("rulesVersion", .integer), Field("parameters", .parameters),
        make: { (chain: String, rulesVersion: UInt32, parameters: Parameters) throws(JSONError) in
            FoundingTerms(chain: chain, rulesVersion: rulesVersion, parameters: parameters)
        }, parts: { ($0.chain, $0.rulesVersion, $0.parameters) })
}

extension Form where Value == Genesis {
    /// A genesis field by field, where ``genesis`` is for those who take its bytes.
    public static let genesisFields = object(
        "What all members agree on before the first block. Its hash is that of the canonical bytes.",
        Field("chain", .chainName), Field("time", .time, "Of block 0: milliseconds since 1970 UTC."),
        Field("rulesVersion", .integer),
        Field("orderingEpoch", .hexadecimal(16...16), "16 random bytes of ordering epoch 0."),
        Field("parameters", .parameters),
        Field(
            "organisations", Form<GenesisOrganisation>.founder.list(1...Genesis.organisationsMax),
            "In ascending order of id; at least one of them votes."),
        make: {
            (
                chain: String, time: UInt64, rulesVersion: UInt32, orderingEpoch: [UInt8], parameters: Parameters,
                organisations: [GenesisOrganisation]
            ) throws(JSONError) in
            let genesis = Genesis(
                chain: chain, time: time, rulesVersion: rulesVersion, orderingEpoch: orderingEpoch,
                parameters: parameters, organisations: organisations)
            do { return try Genesis(canonicalBytes: genesis.canonicalBytes) } catch {
                throw JSONError("", "is no genesis: \(error)")
            }
        }, parts: { ($0.chain, $0.time, $0.rulesVersion, $0.orderingEpoch, $0.parameters, $0.organisations) })
}

extension Form where Value == FoundingApproval.Node {
    static let foundingNode = object(
        "Where an organisation's node will be.", Field("organisation", .organisation), Field("url", .nodeURL),
        make: { (organisation: OrganisationID, url: String) throws(JSONError) in
            FoundingApproval.Node(organisation: organisation, url: url)
        }, parts: { ($0.organisation, $0.url) })
}

extension Form where Value == Parameters {
    static let parameters = object(
        "Limits that the members agree on.",
        Field(
            "replayWindowMilliseconds", .number64(in: Parameters.replayWindowMillisecondsRange),
            "How far a transaction's validUntil may lie after the block's time."),
        Field("openingsPerMinuteMax", .integer, "Accounts that one organisation may open in a minute."),
        Field("unitsPerOrganisationMax", .integer, "Units that one organisation may publish."),
        Field(
            "reservationMillisecondsMax", .number64(in: Parameters.reservationMillisecondsMaxRange),
            "How far a reservation's deadline may lie ahead."),
        make: { (window: UInt64, openings: UInt32, units: UInt32, reservation: UInt64) throws(JSONError) in
            var parameters = Parameters()
            parameters.replayWindowMilliseconds = window
            parameters.openingsPerMinuteMax = openings
            parameters.unitsPerOrganisationMax = units
            parameters.reservationMillisecondsMax = reservation
            return parameters
        },
        parts: {
            (
                $0.replayWindowMilliseconds, $0.openingsPerMinuteMax, $0.unitsPerOrganisationMax,
                $0.reservationMillisecondsMax
            )
        })
}

extension Form where Value == GenesisOrganisation {
    /// An organisation that could stand in a genesis.
    static let founder = organisation.map(
        read: { (founder: GenesisOrganisation) throws(JSONError) -> GenesisOrganisation in
            guard founder.id.number > 0 else { throw JSONError(".id", "is 0; numbers begin with 1") }
            guard founder.name.utf8.count <= GenesisOrganisation.nameBytesMax else {
                throw JSONError(
                    ".name",
                    "has \(founder.name.utf8.count) bytes of UTF-8; it takes at most "
                        + "\(GenesisOrganisation.nameBytesMax)")
            }
            guard founder.issuingKey != founder.votingKey else {
                throw JSONError(".issuingKey", "is the voting key too; each has to be a key of its own")
            }
            guard founder.governingKey != founder.issuingKey, founder.governingKey != founder.votingKey else {
                throw JSONError(".governingKey", "is another of its keys too; each has to be a key of its own")
            }
            return founder
        }, write: { $0 })
}

extension Form where Value == String {
    static let chainName = text(
        "a chain's name: 1 to \(Genesis.chainBytesMax) printable ASCII characters without spaces",
        pattern: "^[!-~]{1,\(Genesis.chainBytesMax)}$", example: "mall",
        read: { text in
            let isName =
                (1...Genesis.chainBytesMax).contains(text.utf8.count)
                && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
            return isName ? text : nil
        }, write: { $0 })
}

extension Form where Value == UInt64 {
    /// As ``number64``, between two bounds, which a schema of strings can only tell.
    static func number64(in range: ClosedRange<UInt64>) -> Form {
        let bounds = "from \(range.lowerBound) to \(range.upperBound)"
        return Form(
            Schema(
                ["allOf": [number64.schema.json], "$comment": .string(bounds)], number64.schema.definitions),
            read: { (json: JSONValue) throws(JSONError) -> UInt64 in
                let number = try number64.read(json)
                guard range.contains(number) else { throw JSONError("", "has to be \(bounds)") }
                return number
            }, write: number64.write)
    }
}
