import Chain
import Crypto
import Ledger

/// Headers of a chain whose validators change, made and signed by hand: four that the genesis names, then one for
/// another, then three more, at once a new key for one of them, and at last the first four again.
struct LightChain {
    static let genesis = Sample.genesis
    static let heights = 40

    /// A set from organisations and the seeds of their keys.
    static func set(_ members: [(UInt32, UInt8)]) -> ValidatorSet {
        ValidatorSet(members.map { Validator(id: OrganisationID($0), key: Sample.key($1).publicKey) })
    }

    static func set(_ organisations: [UInt32]) -> ValidatorSet { set(organisations.map { ($0, UInt8($0)) }) }

    /// Which set votes from which height on.
    static let changes: [(first: UInt64, set: ValidatorSet)] = [
        (0, ValidatorSet(genesis)), (6, set([1, 2, 3, 5])), (10, set([1, 2, 3, 5, 6, 7, 8])),
        (11, set([(1, 1), (2, 2), (3, 3), (5, 32), (6, 6), (7, 7), (8, 8)])), (31, set([1, 2, 3, 4])),
    ]

    static func validators(_ height: Int) -> ValidatorSet { changes.last { $0.first <= UInt64(height) }!.set }

    /// Height 7 holds one receipt, so that something can be proved of it.
    static let receipt = Receipt(transaction: sample(7), result: .done, outcomes: [.done])

    static let headers: [Header] = {
        var headers: [Header] = []
        for height in 0...heights {
            headers.append(
                Header(
                    height: UInt64(height), parent: headers.last?.hash ?? .zero, entry: sample(height),
                    transactions: .zero,
                    receipts: height == 7 ? MerkleTree.countedRoot(of: [Proof.leaf(receipt)]) : .zero,
                    state: sample(height + 100), validators: validators(height).hash,
                    nextValidators: validators(height + 1).hash, rulesVersion: 1,
                    time: genesis.time + 1000 * UInt64(height), certificate: .zero))
        }
        return headers
    }()

    /// A certificate by a quorum of the height's validators, or by those of another height.
    static func certificate(
        of header: Header, by height: Int? = nil, epoch: UInt32 = 0, chain: Digest = genesis.hash,
        signers: Int? = nil
    ) -> Certificate {
        let set = validators(height ?? Int(header.height))
        // The seed is the organisation's number but for the key that was exchanged.
        let votes = set.validators.suffix(signers ?? set.quorum).map { validator in
            let seed = validator.key == Sample.key(32).publicKey ? 32 : UInt8(validator.id.number)
            return Vote(
                signing: header.hash, height: header.height, epoch: epoch, time: header.time + 1, genesis: chain,
                validator: validator.id, key: Sample.key(seed))
        }
        return Certificate(joining: votes)
    }

    /// The step to a height, over the headers from `first` on, with the set where one is announced.
    static func step(_ height: Int, from first: Int? = nil, epoch: UInt32 = 0) -> LightStep {
        let header = headers[height]
        return LightStep(
            Array(headers[(first ?? height)...height]), certificate: certificate(of: header, epoch: epoch),
            set: header.validators == header.nextValidators ? nil : validators(height + 1))
    }

    static let receiptProof = Proof(
        genesis: genesis.hash, subject: .receipt(receipt, path: MerkleTree.path(of: 0, in: [Proof.leaf(receipt)])),
        headers: Array(headers[7...8]), certificate: certificate(of: headers[8]))
}
