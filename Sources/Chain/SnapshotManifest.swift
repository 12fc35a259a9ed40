public import Canonical
public import Crypto
public import Ledger

/// What a node's tables hold at a certified height, in chunks that can be had from anybody: each by its digest, and
/// all of them by the state root that a quorum signed. Its bytes end with a digest of all before them.
public struct SnapshotManifest: Sendable, Equatable {
    public let genesis: Digest
    /// The changes of the validators from the genesis on, up to the snapshot's height.
    public let changes: [LightStep]
    /// From the height of the newest certificate that entries have carried up to the snapshot's own height, each the
    /// parent of the next: what the next entries may refer to. From height 0 where none has been carried.
    public let headers: [Header]
    /// Of the last header.
    public let certificate: Certificate
    /// The newest certificate that entries have carried.
    public let carried: Certificate?
    public let roots: SubRoots
    /// Of the table of replays, the leaves of all heights whose nonces have left the window: proved by the table's
    /// root, together with the heights that are in the chunks.
    public let dropped: AppendTree
    /// By table in ascending name, and by key within a table.
    public let chunks: [Chunk]

    /// Rows of one table, one after the other, each as key and value: ``SnapshotRow``.
    public struct Chunk: Sendable, Equatable, Canonical {
        public let table: Table
        public let byteCount: Int
        public let digest: Digest

        public init(_ table: Table, _ bytes: [UInt8]) {
            self.table = table
            byteCount = bytes.count
            digest = SHA256.hash(.snapshotChunk, bytes)
        }

        public static let bytesMax = 4 << 20

        /// Whether these are its bytes.
        public func holds(_ bytes: [UInt8]) -> Bool { self == Chunk(table, bytes) }

        public func encode(to encoder: inout Encoder) {
            encoder.string(table.rawValue)
            encoder.u32(UInt32(byteCount))
            encoder.value(digest)
        }

        public init(from decoder: inout Decoder) throws(DecodingError) {
            guard let table = Table(rawValue: try decoder.string(max: 32)) else {
                throw decoder.refusal(.unknownVariant)
            }
            self.table = table
            byteCount = Int(try decoder.u32())
            guard (1...Self.bytesMax).contains(byteCount) else { throw decoder.refusal(.invalidValue) }
            digest = try decoder.value()
        }
    }

    /// A node runs few heights ahead of what entries carry.
    public static let headersMax = 1024
    public static let chunksMax = 1 << 18
    public static let bytesMax = 16 << 20
    private static let magic = Array("LFSNAPSHOT".utf8)

    public init(
        genesis: Digest, changes: [LightStep], headers: [Header], certificate: Certificate, carried: Certificate?,
        roots: SubRoots, dropped: AppendTree, chunks: [Chunk]
    ) {
        self.genesis = genesis
        self.changes = changes
        self.headers = headers
        self.certificate = certificate
        self.carried = carried
        self.roots = roots
        self.dropped = dropped
        self.chunks = chunks
    }

    /// The snapshot's own header.
    public var header: Header { headers[headers.count - 1] }
    public var height: UInt64 { header.height }
    /// Bytes of all chunks.
    public var byteCount: Int { chunks.reduce(0) { $0 + $1.byteCount } }

    // MARK: Verifying

    /// Why a manifest is not of a certified height of this chain.
    public enum Refusal: Error, Sendable, Equatable, CustomStringConvertible {
        case genesis
        case changes(LightClient.Refusal)
        case headers
        case certificate(LightClient.Refusal)
        case carried
        case state
        case dropped
        case order

        public var description: String {
            switch self {
            case .genesis: "the snapshot belongs to a chain with another genesis"
            case .changes(let refusal): "a change of the validators does not hold: \(refusal)"
            case .headers: "its headers are not a chain, each the parent of the next"
            case .certificate(let refusal): "its height is not certified: \(refusal)"
            case .carried: "its headers do not carry the certificate that it names as the newest carried"
            case .state: "its tables' roots do not give the header's state root"
            case .dropped: "it drops more heights of nonces than there are"
            case .order: "its chunks are not in the order of their tables"
            }
        }
    }

    /// Checks all that can be checked without the chunks.
    /// - Parameter client: at the genesis, or at a checkpoint that is trusted; it takes up the changes after it.
    public func verify(genesis: Genesis, trusting client: LightClient) throws(Refusal) {
        guard self.genesis == genesis.hash, client.genesis == self.genesis else { throw .genesis }
        // Also those before a checkpoint, since the directory will show them to others.
        var (client, fromGenesis) = (client, LightClient(genesis))
        do throws(LightClient.Refusal) {
            for change in changes {
                try fromGenesis.advance(to: change)
                if change.headers[0].height > client.trusted.height { try client.advance(to: change) }
            }
        } catch { throw .changes(error) }
        guard Header.areLinked(headers) else { throw .headers }
        guard let last = headers.last, last.height < UInt64(AppendTree.countMax) else { throw .headers }
        // Its own set has to be among the changes: not what comes after.
        guard fromGenesis.trusted.height <= last.height, last.nextValidators == fromGenesis.validators.hash else {
            throw .changes(.step(.setMissing))
        }
        do throws(LightClient.Refusal) { try client.verify([last], by: certificate) } catch {
            throw .certificate(error)
        }
        let newest = headers.last { $0.certificate != .zero }?.certificate
        if let carried {
            guard newest == carried.hash, headers[0].height == carried.height, headers[0].hash == carried.header else {
                throw .carried
            }
        } else {
            guard newest == nil, headers[0].height == 0 else { throw .carried }
        }
        guard roots.stateRoot == last.state else { throw .state }
        guard UInt64(dropped.count) <= last.height + 1 else { throw .dropped }
        guard zip(chunks, chunks.dropFirst()).allSatisfy({ $0.table.rawValue <= $1.table.rawValue }) else {
            throw .order
        }
    }
}

extension SnapshotManifest: Canonical {
    public func encode(to encoder: inout Encoder) {
        encoder.closed(.snapshot, magic: Self.magic) { encoder in
            encoder.value(genesis)
            encoder.sequence(changes)
            encoder.sequence(headers)
            encoder.value(certificate)
            encoder.option(carried)
            encoder.value(roots)
            encoder.value(dropped)
            encoder.sequence(chunks)
        }
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        self = try decoder.closed(.snapshot, magic: Self.magic) { (decoder) throws(DecodingError) in
            Self(
                genesis: try decoder.value(), changes: try decoder.sequence(max: LightSteps.countMax),
                headers: try decoder.sequence(min: 1, max: Self.headersMax), certificate: try decoder.value(),
                carried: try decoder.option(), roots: try decoder.value(), dropped: try decoder.value(),
                chunks: try decoder.sequence(max: Self.chunksMax))
        }
    }
}

/// A row in a chunk. Of a table that rows are only ever added to, a height (8 bytes, big-endian) and all that it
/// added, in the order of execution: the list whose digest is the height's leaf.
public struct SnapshotRow: Sendable, Equatable, Canonical {
    public let key: [UInt8]
    public let value: [UInt8]

    public static let keyBytesMax = 64

    public init(key: [UInt8], value: [UInt8]) {
        self.key = key
        self.value = value
    }

    public func encode(to encoder: inout Encoder) {
        encoder.byteString(key)
        encoder.byteString(value)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        key = try decoder.byteString(max: Self.keyBytesMax)
        value = try decoder.byteString(max: SnapshotManifest.Chunk.bytesMax)
    }
}
