public import Chain
public import Crypto
public import Ledger

/// Who takes part: a genesis, its keys, and the people of a small bank, all from numbers alone.
public struct Cast: Sendable {
    public let genesis: Genesis
    public let genesisHash: Digest
    public let set: ValidatorSet
    /// Those with which everybody begins; ``keys(_:generation:)`` has those that come after them.
    public let votingKeys: [SecretKey]
    public let issuingKeys: [SecretKey]
    public let governingKeys: [SecretKey]
    /// The validators, then the applicants.
    let organisations: [GenesisOrganisation]
    public let people: [(id: AccountID, key: SecretKey)]
    public let units: [UnitCode]

    public static let genesisTime: UInt64 = 1_800_000_000_000

    /// - Parameters:
    ///   - applicants: organisations that have keys and are no members yet; their numbers come after those of the
    ///     validators.
    ///   - rules: the version of the rules with which the chain begins.
    public init(
        validators: Int, applicants: Int = 0, people: Int = 6, rules: UInt32 = Genesis.rulesVersionsKnown.upperBound
    ) {
        func key(_ kind: UInt8, _ index: Int) -> SecretKey { Self.key(kind, index, 0) }
        let all = 0..<validators + applicants
        let votingKeys = all.map { key(1, $0) }
        let issuingKeys = all.map { key(2, $0) }
        let governingKeys = all.map { key(3, $0) }
        let organisations = all.map { index in
            GenesisOrganisation(
                id: OrganisationID(UInt32(index + 1)), name: "Organisation \(index + 1)",
                votingKey: votingKeys[index].publicKey, issuingKey: issuingKeys[index].publicKey,
                governingKey: governingKeys[index].publicKey, quota: 1_000_000_000)
        }
        self.votingKeys = votingKeys
        self.issuingKeys = issuingKeys
        self.governingKeys = governingKeys
        self.organisations = organisations
        genesis = Genesis(
            chain: "simulated", time: Self.genesisTime, rulesVersion: rules,
            orderingEpoch: [UInt8](repeating: 9, count: 16), organisations: Array(organisations.prefix(validators)))
        genesisHash = genesis.hash
        set = ValidatorSet(genesis)
        self.people = (0..<people).map { index in
            (AccountID(bytes: [UInt8](repeating: UInt8(index + 1), count: 16)), key(4, index))
        }
        units = (0..<min(2, validators)).map { UnitCode("UNIT\($0 + 1)")! }
    }

    private static func key(_ kind: UInt8, _ index: Int, _ generation: Int) -> SecretKey {
        SecretKey(seed: [kind, UInt8(index), UInt8(7 + generation)] + [UInt8](repeating: 7, count: 29))
    }

    /// The keys of an organisation: of generation 0 those with which it begins, of each later one those that take their
    /// place.
    public struct Keys: Sendable {
        public let voting: SecretKey
        public let issuing: SecretKey
        public let governing: SecretKey
    }

    public func keys(_ organisation: Int, generation: Int) -> Keys {
        func key(_ kind: UInt8) -> SecretKey { Self.key(kind, organisation, generation) }
        return Keys(voting: key(1), issuing: key(2), governing: key(3))
    }

    /// What an organisation exchanges its keys by.
    public func exchange(_ organisation: Int, generation: Int) -> Application {
        let (terms, keys) = (organisations[organisation], keys(organisation, generation: generation))
        let new = GenesisOrganisation(
            id: terms.id, name: terms.name, votingKey: keys.voting.publicKey, issuingKey: keys.issuing.publicKey,
            governingKey: keys.governing.publicKey, quota: terms.quota)
        return Application(
            signing: new, genesis: genesisHash, keys: [keys.voting, keys.issuing, keys.governing])
    }

    public func organisation(_ index: Int) -> OrganisationID { OrganisationID(UInt32(index + 1)) }

    /// A transaction that an organisation signs by its issuing key.
    public func issue(
        _ organisation: Int, generation: Int = 0, nonce: UInt64, validUntil: UInt64, _ operations: [Operation]
    ) -> Transaction {
        let key = keys(organisation, generation: generation).issuing
        let signer = Signer(.organisation(self.organisation(organisation)), key.publicKey)
        return Transaction(
            signing: TransactionBody(nonce: nonce, validUntil: validUntil, signers: [signer], operations: operations),
            genesis: genesisHash, keys: [key])
    }

    /// A transaction that an organisation signs by its governing key.
    public func govern(
        _ organisation: Int, generation: Int = 0, nonce: UInt64, validUntil: UInt64, _ operation: Operation
    ) -> Transaction {
        let key = keys(organisation, generation: generation).governing
        let signer = Signer(.governor(self.organisation(organisation)), key.publicKey)
        return Transaction(
            signing: TransactionBody(nonce: nonce, validUntil: validUntil, signers: [signer], operations: [operation]),
            genesis: genesisHash, keys: [key])
    }

    /// What an applicant would be admitted by.
    public func application(_ organisation: Int) -> Application {
        Application(
            signing: organisations[organisation], genesis: genesisHash,
            keys: [votingKeys[organisation], issuingKeys[organisation], governingKeys[organisation]])
    }

    /// A transaction that a person signs.
    public func spend(_ person: Int, nonce: UInt64, validUntil: UInt64, _ operations: [Operation]) -> Transaction {
        let signer = Signer(.account(people[person].id), people[person].key.publicKey)
        return Transaction(
            signing: TransactionBody(nonce: nonce, validUntil: validUntil, signers: [signer], operations: operations),
            genesis: genesisHash, keys: [people[person].key])
    }

    /// The same body under signatures that do not match.
    public static func garbled(_ transaction: Transaction) -> Transaction {
        Transaction(
            body: transaction.body,
            signatures: transaction.signatures.map { signature in
                var bytes = signature.bytes
                bytes[7] ^= 1
                return Signature(bytes: bytes)
            })
    }

    /// What the bank does first: each unit's program, and everybody's account.
    public func foundation(validUntil: UInt64) -> [Transaction] {
        let programs = units.enumerated().map { index, unit in
            issue(
                index, nonce: UInt64(index), validUntil: validUntil,
                [
                    .publish(
                        Program(unit: unit, currency: "EUR", faceMinor: 1, facePoints: 1), issuer: organisation(index))
                ])
        }
        let lines = people.map { OpenLine(account: $0.id, credential: $0.key.publicKey) }
        let open = issue(
            0, nonce: 100, validUntil: validUntil, [.open(OpenList(organisation: organisation(0), lines: lines))])
        return programs + [open]
    }
}
