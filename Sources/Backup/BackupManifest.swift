public import Canonical
public import Crypto
public import Ledger

/// What a backup consists of: every object with its digest, under one signature. It holds no secret, and is not sealed,
/// so that whoever keeps backups can check that they are whole without being able to read them.
///
/// A backup has no keys and no lock of a vote: a validator that is restored from it votes on nothing that was ordered
/// before it came back.
public struct BackupManifest: Sendable, Equatable {
    public let genesis: Digest
    /// Whose node's tables they are.
    public let organisation: OrganisationID
    public let height: UInt64
    /// The hash of that height's header.
    public let header: Digest
    public let stateRoot: Digest
    /// Block time of the height, milliseconds since 1970 UTC.
    public let blockTime: UInt64
    /// When it was made by the machine's clock, milliseconds since 1970 UTC.
    public let madeAt: UInt64
    /// The version of the program that made it.
    public let program: String
    /// Who can read it, in ascending order.
    public let recipients: [PublicKey]
    /// What the tables are and what lay beside them.
    public let parts: [Part]
    /// The blocks, in ascending order and without overlapping; of a node that began with a snapshot, only those since.
    public let archive: [Segment]
    /// Who made it, and signs it: the voting key of the node.
    public let signer: PublicKey

    /// Something that stands under a name of its own in the place.
    public struct Object: Sendable, Equatable {
        /// Of the parcel, as it lies there.
        public let byteCount: Int
        public let digest: Digest

        init(_ bytes: [UInt8]) {
            byteCount = bytes.count
            digest = SHA256.hash(.backup, bytes)
        }

        func holds(_ bytes: [UInt8]) -> Bool { self == Object(bytes) }
    }

    public struct Part: Sendable, Equatable {
        public enum Content: Sendable, Equatable {
            /// A chunk of the snapshot, in the order of its manifest.
            case chunk
            /// The snapshot's manifest.
            case snapshot
            /// The next piece of a file that lay beside the tables.
            case file(String)
        }

        public let content: Content
        public let object: Object
    }

    /// A run of blocks.
    public struct Segment: Sendable, Equatable {
        public let first: UInt64
        public let last: UInt64
        public let object: Object

        /// Bytes of entries after which a segment is full.
        static let full = 8 << 20
        static let blocksMax = 1 << 20
    }

    public static let bytesMax = 64 << 20
    public static let partsMax = 1 << 19
    public static let segmentsMax = 1 << 19
    public static let fileNameBytesMax = 64
    public static let programBytesMax = 32
    private static let magic = Array("LFBACKUP".utf8)

    /// Bytes of all that it names.
    public var byteCount: Int {
        parts.reduce(0) { $0 + $1.object.byteCount } + archive.reduce(0) { $0 + $1.object.byteCount }
    }

    /// The runs of blocks that follow one another.
    public var archived: [ClosedRange<UInt64>] {
        var runs: [ClosedRange<UInt64>] = []
        for segment in archive {
            if let run = runs.last, run.upperBound + 1 == segment.first {
                runs[runs.count - 1] = run.lowerBound...segment.last
            } else {
                runs.append(segment.first...segment.last)
            }
        }
        return runs
    }

    /// Names of the files that lay beside the tables.
    public var files: [String] {
        var names: [String] = []
        for case .file(let name) in parts.map(\.content) where names.last != name { names.append(name) }
        return names
    }

    // MARK: What parcels stand for

    /// What the parcel of a part is bound to.
    static func bound(_ genesis: Digest, _ height: UInt64, part index: Int) -> [UInt8] {
        var encoder = Encoder()
        encoder.u8(0)
        encoder.u64(height)
        encoder.u32(UInt32(index))
        return Domain.parcel.prefix + genesis.bytes + encoder.bytes
    }

    static func bound(_ genesis: Digest, blocks: ClosedRange<UInt64>) -> [UInt8] {
        var encoder = Encoder()
        encoder.u8(1)
        encoder.u64(blocks.lowerBound)
        encoder.u64(blocks.upperBound)
        return Domain.parcel.prefix + genesis.bytes + encoder.bytes
    }
}

extension BackupManifest: Canonical {
    public func encode(to encoder: inout Encoder) {
        encoder.fixed(Self.magic)
        encoder.u8(1)
        encoder.value(genesis)
        encoder.value(organisation)
        encoder.u64(height)
        encoder.value(header)
        encoder.value(stateRoot)
        encoder.u64(blockTime)
        encoder.u64(madeAt)
        encoder.string(program)
        encoder.sequence(recipients)
        encoder.sequence(parts)
        encoder.sequence(archive)
        encoder.value(signer)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        guard try decoder.fixed(Self.magic.count) == Self.magic, try decoder.u8() == 1 else {
            throw decoder.refusal(.invalidValue)
        }
        genesis = try decoder.value()
        organisation = try decoder.value()
        height = try decoder.u64()
        header = try decoder.value()
        stateRoot = try decoder.value()
        blockTime = try decoder.u64()
        madeAt = try decoder.u64()
        program = try decoder.string(max: Self.programBytesMax)
        recipients = try decoder.ascending(min: 1, max: Parcel.addresseesMax, by: \.self)
        parts = try decoder.sequence(min: 1, max: Self.partsMax)
        archive = try decoder.sequence(max: Self.segmentsMax)
        guard zip(archive, archive.dropFirst()).allSatisfy({ $0.last < $1.first }), (archive.last?.last ?? 0) <= height
        else { throw decoder.refusal(.unordered) }
        signer = try decoder.value()
    }
}

/// A manifest as it lies in a place.
public struct SignedManifest: Sendable, Equatable, Canonical {
    public let manifest: BackupManifest
    public let signature: Signature

    /// - Precondition: the key is that of the manifest's signer.
    init(_ manifest: BackupManifest, by key: SecretKey) {
        precondition(manifest.signer == key.publicKey, "whom a manifest names signs it")
        self.manifest = manifest
        signature = key.sign(Self.signedBytes(manifest))
    }

    private static func signedBytes(_ manifest: BackupManifest) -> [UInt8] {
        Domain.backup.prefix + manifest.canonicalBytes
    }

    /// Whether whom it names has signed it.
    public var isSigned: Bool { manifest.signer.verifies(signature, of: Self.signedBytes(manifest)) }

    public func encode(to encoder: inout Encoder) {
        encoder.value(manifest)
        encoder.value(signature)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        manifest = try decoder.value()
        signature = try decoder.value()
    }
}

extension BackupManifest.Object: Canonical {
    public func encode(to encoder: inout Encoder) {
        encoder.u32(UInt32(byteCount))
        encoder.value(digest)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        byteCount = Int(try decoder.u32())
        guard (1...Self.bytesMax).contains(byteCount) else { throw decoder.refusal(.invalidValue) }
        digest = try decoder.value()
    }

    static let bytesMax = Parcel.contentBytesMax + Parcel.overheadBytesMax
}

extension BackupManifest.Part: Canonical {
    public func encode(to encoder: inout Encoder) {
        switch content {
        case .chunk: encoder.variant(0)
        case .snapshot: encoder.variant(1)
        case .file(let name):
            encoder.variant(2)
            encoder.string(name)
        }
        encoder.value(object)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        switch try decoder.variant(below: 3) {
        case 0: content = .chunk
        case 1: content = .snapshot
        default:
            let name = try decoder.string(max: BackupManifest.fileNameBytesMax)
            // It becomes the name of a file where it is restored, and leads nowhere else.
            guard let first = name.utf8.first, first != UInt8(ascii: "."),
                name.utf8.allSatisfy({ (0x61...0x7A).contains($0) || $0 == UInt8(ascii: ".") })
            else { throw decoder.refusal(.invalidText) }
            content = .file(name)
        }
        object = try decoder.value()
    }
}

extension BackupManifest.Segment: Canonical {
    public func encode(to encoder: inout Encoder) {
        encoder.u64(first)
        encoder.u64(last)
        encoder.value(object)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        first = try decoder.u64()
        last = try decoder.u64()
        guard first > 0, first <= last, last - first < UInt64(Self.blocksMax) else {
            throw decoder.refusal(.invalidValue)
        }
        object = try decoder.value()
    }
}
