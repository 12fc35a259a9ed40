public import Canonical
public import Crypto
import Ledger

/// What validators sign of a block. Everything that the block did follows from these few digests.
public struct Header: Sendable, Equatable, Canonical {
    /// Equal to the entry's position, for ever. 0 is the genesis block.
    public let height: UInt64
    /// Hash of the header before; zero at height 0.
    public let parent: Digest
    /// Hash of the entry's raw bytes as ordered, also where they are malformed; the genesis hash at height 0.
    public let entry: Digest
    /// Root over the number and the envelope digests of its transactions.
    public let transactions: Digest
    /// Root over the number and the digests of its receipts.
    public let receipts: Digest
    /// Digest over the tables' names and sub-roots.
    public let state: Digest
    public let validators: Digest
    public let nextValidators: Digest
    public let rulesVersion: UInt32
    /// Block time, milliseconds since 1970 UTC. The clock of all rules.
    public let time: UInt64
    /// Hash of the certificate that the entry carries; zero where it carries none that counts.
    public let certificate: Digest

    public init(
        height: UInt64, parent: Digest, entry: Digest, transactions: Digest, receipts: Digest, state: Digest,
        validators: Digest, nextValidators: Digest, rulesVersion: UInt32, time: UInt64, certificate: Digest
    ) {
        self.height = height
        self.parent = parent
        self.entry = entry
        self.transactions = transactions
        self.receipts = receipts
        self.state = state
        self.validators = validators
        self.nextValidators = nextValidators
        self.rulesVersion = rulesVersion
        self.time = time
        self.certificate = certificate
    }

    public var hash: Digest { SHA256.hash(.header, canonicalBytes) }

    /// Block time: the certificate's median where there is a certificate, but no later than ``Genesis/timeMax``, and
    /// always past the parent's.
    public static func time(parent: UInt64, certificate: Certificate?) -> UInt64 {
        max(parent + 1, min(certificate?.medianTime ?? 0, Genesis.timeMax))
    }

    /// Whether each header is the parent of the next.
    static func areLinked(_ headers: [Header]) -> Bool {
        // Whoever wrote them may have written any height: nothing is added to it.
        zip(headers, headers.dropFirst()).allSatisfy {
            $1.height > 0 && $1.height - 1 == $0.height && $1.parent == $0.hash
        }
    }

    public func encode(to encoder: inout Encoder) {
        encoder.u64(height)
        for digest in [parent, entry, transactions, receipts, state, validators, nextValidators] {
            encoder.value(digest)
        }
        encoder.u32(rulesVersion)
        encoder.u64(time)
        encoder.value(certificate)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        height = try decoder.u64()
        parent = try decoder.value()
        entry = try decoder.value()
        transactions = try decoder.value()
        receipts = try decoder.value()
        state = try decoder.value()
        validators = try decoder.value()
        nextValidators = try decoder.value()
        rulesVersion = try decoder.u32()
        time = try decoder.u64()
        certificate = try decoder.value()
    }
}
