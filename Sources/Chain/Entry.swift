import Canonical
public import Crypto
public import Ledger

/// A batch as one validator submits it to the order: what stands at one position, for ever.
public struct Entry: Sendable {
    public let position: UInt64
    /// Hash of the raw bytes at the position before; the genesis hash at position 1.
    public let previous: Digest
    public let proposer: OrganisationID
    /// The newest certificate the proposer has that the log does not carry yet. It moves block time.
    public let certificate: Certificate?
    /// The statements by which an epoch of the order begins; in the first new entry of its ring, and none else.
    public let epoch: EpochChange?
    public let transactions: [Transaction]

    public static let bytesMax = 1 << 20
    /// What any order takes at one position: more than an entry may have, so that what is no entry is seen for that.
    public static let orderedBytesMax = 2 << 20
    /// The smallest transaction has some 180 bytes, so an entry cannot hold more.
    public static let transactionsMax = 8192
    /// Room for transactions in an entry of a large set of validators: the rest is its certificate and frame.
    public static let transactionBytesMax = bytesMax - 16_384

    public init(
        position: UInt64, previous: Digest, proposer: OrganisationID, certificate: Certificate?,
        epoch: EpochChange? = nil, transactions: [Transaction]
    ) {
        self.position = position
        self.previous = previous
        self.proposer = proposer
        self.certificate = certificate
        self.epoch = epoch
        self.transactions = transactions
    }

    /// The raw bytes that are ordered: the entry, then the proposer's signature.
    public func signed(genesis: Digest, key: SecretKey) -> [UInt8] {
        var encoder = Encoder(capacity: transactions.reduce(512) { $0 + $1.bytes.count + 4 })
        encoder.u64(position)
        encoder.value(previous)
        encoder.value(proposer)
        encoder.option(certificate)
        encoder.option(epoch)
        encoder.length(transactions.count)
        for transaction in transactions { encoder.byteString(transaction.bytes) }
        encoder.value(key.sign(Self.signedBytes(genesis: genesis, entry: encoder.bytes)))
        return encoder.bytes
    }

    private static func signedBytes(genesis: Digest, entry: [UInt8]) -> [UInt8] {
        Domain.entrySignature.prefix + genesis.bytes + SHA256.hash(.entry, entry).bytes
    }

    /// Hash of raw bytes at a position, whatever they are.
    public static func hash(raw: [UInt8]) -> Digest { SHA256.hash(.entry, raw) }

    /// Why bytes at a position make an empty block.
    public enum Fault: String, Error, Sendable, CaseIterable {
        case tooLarge = "the entry is larger than 1 MiB"
        /// Or it holds what the rules at its height do not have.
        case malformed = "the entry does not decode"
        case position = "the entry names another position"
        case previous = "the entry names another previous entry"
        case proposer = "the entry's proposer is no validator of that height"
        case signature = "the entry's signature does not match"
        case certificate = "the entry carries a certificate that does not verify"
        case epoch = "the entry carries statements by which no epoch begins there"
    }

    /// Reads raw bytes at a position and checks all that can be checked without their certificate's header.
    /// - Parameter rules: the version of the rules at that height: what it does not have does not decode.
    public init(
        raw: [UInt8], position: UInt64, previous: Digest, genesis: Digest, set: ValidatorSet, rules: UInt32
    ) throws(Fault) {
        guard raw.count <= Self.bytesMax else { throw .tooLarge }
        var decoder = Decoder(raw)
        let signedCount: Int
        let signature: Signature
        do throws(DecodingError) {
            self.position = try decoder.u64()
            self.previous = try decoder.value()
            proposer = try decoder.value()
            certificate = try decoder.option()
            epoch = try decoder.option()
            let count = try decoder.length(max: Self.transactionsMax)
            var transactions: [Transaction] = []
            transactions.reserveCapacity(min(count, decoder.remaining))
            for _ in 0..<count {
                transactions.append(try Transaction(envelope: try decoder.byteString(max: Transaction.bytesMax)))
            }
            self.transactions = transactions
            signedCount = decoder.offset
            signature = try decoder.value()
            try decoder.finish()
        } catch {
            throw .malformed
        }
        guard transactions.allSatisfy({ $0.rulesNeeded <= rules }) else { throw .malformed }
        guard self.position == position else { throw .position }
        guard self.previous == previous else { throw .previous }
        guard let validator = set[proposer] else { throw .proposer }
        let message = Self.signedBytes(genesis: genesis, entry: Array(raw[0..<signedCount]))
        guard validator.key.verifies(signature, of: message) else { throw .signature }
    }
}
