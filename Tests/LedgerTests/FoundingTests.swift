import Canonical
import Crypto
import Testing

@testable import Ledger

/// What founders sign, and where in a genesis a byte belongs.
@Suite struct FoundingTests {
    private static let keys = (0..<9).map { SecretKey(seed: [UInt8](repeating: UInt8($0), count: 32)) }

    private static func founder(_ number: UInt32, votes: Bool = true) -> GenesisOrganisation {
        let first = Int(number - 1) * 3
        return GenesisOrganisation(
            id: OrganisationID(number), name: "商城 \(number)", votingKey: votes ? keys[first].publicKey : nil,
            issuingKey: keys[first + 1].publicKey, governingKey: keys[first + 2].publicKey, quota: 1000)
    }

    private static let genesis = Genesis(
        chain: "mall", time: 77, orderingEpoch: Array(1...16),
        organisations: [founder(1), founder(2, votes: false), founder(3)])

    @Test func everyByteOfAGenesisHasItsField() throws {
        let bytes = Self.genesis.canonicalBytes
        #expect(Self.genesis.fieldEnds.last?.end == bytes.count)
        #expect(Self.genesis.field(at: bytes.count) == nil)
        #expect(Self.genesis.field(at: 0) == "$.chain")
        #expect(Self.genesis.field(at: bytes.count - 1) == "$.organisations[2].quota")
        // Wherever another byte still gives a genesis, it is the named field that differs.
        let right = Self.fields(Self.genesis)
        var named: Set<String> = []
        for offset in bytes.indices {
            var changed = bytes
            changed[offset] ^= 1
            guard let other = try? Genesis(canonicalBytes: changed) else { continue }
            let field = try #require(Self.genesis.field(at: offset))
            named.insert(field)
            #expect(Self.fields(other).filter { right[$0.key] != $0.value }.map(\.key) == [field])
        }
        // All but those that the order of ids, or what comes after, holds fast.
        let fast = ["", "[0].id", "[1].id", "[1].votingKey"].map { "$.organisations" + $0 }
        #expect(named == Set(Self.genesis.fieldEnds.map(\.place)).subtracting(fast))
    }

    private static func fields(_ genesis: Genesis) -> [String: [UInt8]] {
        var start = 0
        var fields: [String: [UInt8]] = [:]
        let bytes = genesis.canonicalBytes
        for (place, end) in genesis.fieldEnds {
            fields[place] = Array(bytes[start..<end])
            start = end
        }
        return fields
    }

    @Test func aRequestHoldsOnlyAsItWasSigned() {
        let terms = FoundingTerms(chain: "mall")
        let keys = Array(Self.keys[0..<3])
        let url = "https://a.example"
        let request = FoundingRequest(signing: terms, organisation: Self.founder(1), node: url, keys: keys)
        #expect(request.signatureFailed == nil)
        func with(
            _ terms: FoundingTerms? = nil, _ organisation: GenesisOrganisation? = nil, node: String? = url,
            signatures: [Signature]? = nil
        ) -> Int? {
            FoundingRequest(
                terms: terms ?? request.terms, organisation: organisation ?? request.organisation, node: node,
                signatures: signatures ?? request.signatures
            ).signatureFailed
        }
        #expect(with() == nil)
        var parameters = Parameters()
        parameters.unitsPerOrganisationMax += 1
        #expect(with(FoundingTerms(chain: "mall", parameters: parameters)) == 0)
        #expect(with(FoundingTerms(chain: "wall")) == 0)
        #expect(with(FoundingTerms(chain: "mall", rulesVersion: 1)) == 0)
        #expect(with(nil, Self.founder(2)) == 0)
        #expect(with(node: "https://b.example") == 0)
        #expect(with(node: nil) == 0)
        let (first, second, third) = (request.signatures[0], request.signatures[1], request.signatures[2])
        #expect(with(signatures: [first, third, second]) == 1)
        #expect(with(signatures: [first, second]) == 2)
        #expect(with(signatures: [first, second, third, third]) == 3)
    }

    @Test func anApprovalHoldsOnlyAsItWasSigned() {
        let nodes = [FoundingApproval.Node(organisation: OrganisationID(1), url: "https://a.example")]
        let approval = FoundingApproval(
            signing: Self.genesis, nodes: nodes, by: OrganisationID(1), key: Self.keys[2])
        #expect(approval.verifies)
        func with(_ number: UInt32 = 1, _ genesis: Genesis = Self.genesis, nodes: [FoundingApproval.Node]) -> Bool {
            FoundingApproval(
                organisation: OrganisationID(number), genesis: genesis, nodes: nodes, signature: approval.signature
            ).verifies
        }
        #expect(with(nodes: nodes))
        #expect(!with(2, nodes: nodes))
        #expect(!with(9, nodes: nodes))
        #expect(!with(nodes: []))
        let other = Genesis(
            chain: "mall", time: 78, orderingEpoch: Array(1...16), organisations: Self.genesis.organisations)
        #expect(!with(1, other, nodes: nodes))
        // Another of its keys does not do.
        let issued = FoundingApproval(signing: Self.genesis, nodes: nodes, by: OrganisationID(1), key: Self.keys[1])
        #expect(!issued.verifies)
    }

    @Test func theGenesisIsWhatIsAskedForInAnyOrder() {
        let terms = FoundingTerms(chain: "mall")
        let requests = [3, 1, 2].map { (number: UInt32) in
            FoundingRequest(
                signing: terms, organisation: Self.founder(number, votes: number != 2),
                node: number != 2 ? "https://\(number).example" : nil, keys: [])
        }
        #expect(Genesis(terms, founders: requests, time: 77, orderingEpoch: Array(1...16)) == Self.genesis)
    }
}
