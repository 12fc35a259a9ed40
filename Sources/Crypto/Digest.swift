internal import COpenSSL
public import Canonical

/// A SHA-256 digest as four words, so that comparing, hashing into a table and copying it cost nothing.
public struct Digest: Hashable, Comparable, Sendable {
    /// The 32 bytes read as big-endian words, first word first: order of words is order of bytes.
    @usableFromInline
    var words: (UInt64, UInt64, UInt64, UInt64)

    public static let zero = Digest(0, 0, 0, 0)
    public static let byteCount = 32

    @inlinable
    public init(_ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64) { words = (a, b, c, d) }

    /// - Precondition: 32 bytes.
    public init(bytes: some Collection<UInt8>) {
        precondition(bytes.count == 32, "a digest has 32 bytes")
        var w: [UInt64] = [0, 0, 0, 0]
        for (index, byte) in bytes.enumerated() { w[index / 8] = w[index / 8] << 8 | UInt64(byte) }
        words = (w[0], w[1], w[2], w[3])
    }

    @inlinable
    public static func == (a: Self, b: Self) -> Bool {
        a.words.0 == b.words.0 && a.words.1 == b.words.1 && a.words.2 == b.words.2 && a.words.3 == b.words.3
    }

    @inlinable
    public static func < (a: Self, b: Self) -> Bool {
        if a.words.0 != b.words.0 { return a.words.0 < b.words.0 }
        if a.words.1 != b.words.1 { return a.words.1 < b.words.1 }
        if a.words.2 != b.words.2 { return a.words.2 < b.words.2 }
        return a.words.3 < b.words.3
    }

    /// The first word alone is as good as all four, a digest being uniform.
    @inlinable
    public func hash(into hasher: inout Hasher) { hasher.combine(words.0) }

    public var bytes: [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(32)
        append(to: &out)
        return out
    }

    @inlinable
    public func append(to out: inout [UInt8]) {
        let words = (words.0.bigEndian, words.1.bigEndian, words.2.bigEndian, words.3.bigEndian)
        unsafe withUnsafeBytes(of: words) { unsafe out.append(contentsOf: $0) }
    }

    /// Bit `index`, counted from the most significant bit of the first byte.
    @inlinable
    public func bit(_ index: Int) -> Bool {
        let word = index < 128 ? (index < 64 ? words.0 : words.1) : (index < 192 ? words.2 : words.3)
        return word >> UInt64(63 - index % 64) & 1 == 1
    }

    /// How many bits, from the first, are the same in both.
    @inlinable
    public func commonBits(with other: Self) -> Int {
        let first = words.0 ^ other.words.0
        if first != 0 { return first.leadingZeroBitCount }
        let second = words.1 ^ other.words.1
        if second != 0 { return 64 + second.leadingZeroBitCount }
        let third = words.2 ^ other.words.2
        if third != 0 { return 128 + third.leadingZeroBitCount }
        return 192 + (words.3 ^ other.words.3).leadingZeroBitCount
    }

    /// The first 8 bytes as a number: sorts digests, but for ties, without moving them.
    @inlinable
    public var leadingWord: UInt64 { words.0 }
}

extension Digest: Canonical {
    @inlinable
    public func encode(to encoder: inout Encoder) {
        encoder.u64(words.0.byteSwapped)
        encoder.u64(words.1.byteSwapped)
        encoder.u64(words.2.byteSwapped)
        encoder.u64(words.3.byteSwapped)
    }

    /// Reads words, which are big-endian here and nowhere else, rather than bytes through an array of their own.
    @inlinable
    public init(from decoder: inout Decoder) throws(DecodingError) {
        self.init(
            try decoder.u64().byteSwapped, try decoder.u64().byteSwapped, try decoder.u64().byteSwapped,
            try decoder.u64().byteSwapped)
    }
}

extension Digest: CustomStringConvertible {
    public var description: String { hex(bytes) }

    public init?(hex text: String) {
        guard let bytes = unhex(text), bytes.count == 32 else { return nil }
        self.init(bytes: bytes)
    }
}

/// What a digest or a signature is about. The tag stands in front of the bytes, so that those of one kind can never be
/// taken for those of another. The texts are part of the format.
public enum Domain: Int, Sendable, CaseIterable {
    case genesis, transactionBody, transactionSignature, envelope, entry, entrySignature,
        header, vote, certificate, validators, naturalKey, hold,
        ticket, leaf, row, lots, additions, stateRoot,
        receipt, list, proof, session, application, proposal, offence, submission, epochStatement, epochChange,
        snapshot, snapshotChunk, sideProof, sideClaim, parcel, backup, foundingRequest, foundingApproval

    public var tag: String {
        switch self {
        case .genesis: "lianfen/1/genesis"
        case .transactionBody: "lianfen/1/transaction-body"
        case .transactionSignature: "lianfen/1/transaction-signature"
        case .envelope: "lianfen/1/envelope"
        case .entry: "lianfen/1/entry"
        case .entrySignature: "lianfen/1/entry-signature"
        case .header: "lianfen/1/header"
        case .vote: "lianfen/1/vote"
        case .certificate: "lianfen/1/certificate"
        case .validators: "lianfen/1/validators"
        case .naturalKey: "lianfen/1/natural-key"
        case .hold: "lianfen/1/hold"
        case .ticket: "lianfen/1/ticket"
        case .leaf: "lianfen/1/leaf"
        case .row: "lianfen/1/row"
        case .lots: "lianfen/1/lots"
        case .additions: "lianfen/1/additions"
        case .stateRoot: "lianfen/1/state-root"
        case .receipt: "lianfen/1/receipt"
        case .list: "lianfen/1/list"
        case .proof: "lianfen/1/proof"
        case .session: "lianfen/1/session"
        case .application: "lianfen/1/application"
        case .proposal: "lianfen/1/proposal"
        case .offence: "lianfen/1/offence"
        case .submission: "lianfen/1/submission"
        case .epochStatement: "lianfen/1/epoch-statement"
        case .epochChange: "lianfen/1/epoch-change"
        case .snapshot: "lianfen/1/snapshot"
        case .snapshotChunk: "lianfen/1/snapshot-chunk"
        case .sideProof: "lianfen/1/side-proof"
        case .sideClaim: "lianfen/1/side-claim"
        case .parcel: "lianfen/1/parcel"
        case .backup: "lianfen/1/backup"
        case .foundingRequest: "lianfen/1/founding-request"
        case .foundingApproval: "lianfen/1/founding-approval"
        }
    }

    /// Length of the tag, the tag.
    public var prefix: [UInt8] { [UInt8(tag.utf8.count)] + Array(tag.utf8) }
}

public enum SHA256 {
    /// Digest of `bytes`.
    public static func hash(_ bytes: [UInt8]) -> Digest { hash(bytes, []) }

    /// Digest of `a` followed by `b`.
    public static func hash(_ a: [UInt8], _ b: [UInt8]) -> Digest {
        var out: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        let done = unsafe withUnsafeMutableBytes(of: &out) { out in
            unsafe lf_sha256(a, a.count, b, b.count, out.baseAddress!.assumingMemoryBound(to: UInt8.self))
        }
        precondition(done == 1, "OpenSSL computes SHA-256")
        return Digest(out.0.bigEndian, out.1.bigEndian, out.2.bigEndian, out.3.bigEndian)
    }

    /// Digest of `bytes` under a domain tag.
    public static func hash(_ domain: Domain, _ bytes: [UInt8]) -> Digest { hash(prefixes[domain.rawValue], bytes) }

    /// The same of bytes that lie wherever they lie: a part of an array, or a row in a store's own memory.
    public static func hash(_ domain: Domain, _ bytes: RawSpan) -> Digest {
        let prefix = prefixes[domain.rawValue]
        var out: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        let done = unsafe withUnsafeMutableBytes(of: &out) { out in
            unsafe bytes.withUnsafeBytes { bytes in
                unsafe lf_sha256(
                    prefix, prefix.count, bytes.baseAddress, bytes.count,
                    out.baseAddress!.assumingMemoryBound(to: UInt8.self))
            }
        }
        precondition(done == 1, "OpenSSL computes SHA-256")
        return Digest(out.0.bigEndian, out.1.bigEndian, out.2.bigEndian, out.3.bigEndian)
    }

    /// Digest of a byte and two digests: an inner node of a Merkle tree.
    @inline(__always)
    public static func pair(_ tag: UInt8, _ left: Digest, _ right: Digest) -> Digest {
        var input: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (
            left.words.0.bigEndian, left.words.1.bigEndian, left.words.2.bigEndian, left.words.3.bigEndian,
            right.words.0.bigEndian, right.words.1.bigEndian, right.words.2.bigEndian, right.words.3.bigEndian
        )
        var out: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        let done = unsafe withUnsafeMutableBytes(of: &out) { out in
            unsafe withUnsafeBytes(of: &input) { input in
                unsafe lf_sha256_pair(
                    tag, input.baseAddress!, out.baseAddress!.assumingMemoryBound(to: UInt8.self))
            }
        }
        precondition(done == 1, "OpenSSL computes SHA-256")
        return Digest(out.0.bigEndian, out.1.bigEndian, out.2.bigEndian, out.3.bigEndian)
    }

    private static let prefixes: [[UInt8]] = Domain.allCases.map(\.prefix)
}

/// Lower-case hexadecimal.
@inlinable
public func hex(_ bytes: some Sequence<UInt8>) -> String {
    var out: [UInt8] = []
    out.reserveCapacity(2 * bytes.underestimatedCount)
    for byte in bytes {
        let (high, low) = (byte >> 4, byte & 15)
        out.append(high < 10 ? 0x30 + high : 0x57 + high)
        out.append(low < 10 ? 0x30 + low : 0x57 + low)
    }
    return String(decoding: out, as: UTF8.self)
}

/// Bytes of hexadecimal text, or nil where it is not.
public func unhex(_ text: String) -> [UInt8]? {
    var nibbles: [UInt8] = []
    for character in text.utf8 {
        switch character {
        case 0x30...0x39: nibbles.append(character - 0x30)
        case 0x61...0x66: nibbles.append(character - 0x61 + 10)
        case 0x41...0x46: nibbles.append(character - 0x41 + 10)
        default: return nil
        }
    }
    guard nibbles.count % 2 == 0 else { return nil }
    return stride(from: 0, to: nibbles.count, by: 2).map { nibbles[$0] << 4 | nibbles[$0 + 1] }
}
