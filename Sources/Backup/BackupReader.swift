import Canonical
public import Chain
public import Crypto
public import Ledger
import Node
public import Storage

/// A backup as it lies in a place, of which nothing is believed unchecked.
public struct BackupReader: Sendable {
    public let place: any BackupPlace
    public let manifest: BackupManifest
    private let opener: Opener?

    /// Who opens the parcels.
    enum Opener: Sendable {
        case recipient(SecretKey)
        /// While a backup is made, whoever makes it.
        case sealer(ParcelSealer)

        func open(_ parcel: Parcel, _ bound: [UInt8]) throws(ParcelError) -> [UInt8] {
            switch self {
            case .recipient(let key): try parcel.open(with: key, bound: bound)
            case .sealer(let sealer): try sealer.open(parcel, bound: bound)
            }
        }
    }

    /// Which backup it has to be.
    public struct Wanted: Sendable {
        /// None: the newest there.
        public var height: UInt64?
        /// The chain's genesis, by its hash.
        public var genesis: Digest?
        /// Who has to have signed it; none: whom the manifest names.
        public var signer: PublicKey?

        public init(height: UInt64? = nil, genesis: Digest? = nil, signer: PublicKey? = nil) {
            self.height = height
            self.genesis = genesis
            self.signer = signer
        }
    }

    /// Finds a backup and checks its manifest.
    /// - Parameter key: of one of the recipients; without it nothing can be read, only ``verifyObjects(progress:)``.
    public init(_ place: any BackupPlace, _ wanted: Wanted = Wanted(), key: SecretKey? = nil) throws(BackupError) {
        let heights = BackupNames.heights(try place.names())
        guard let height = wanted.height.map({ height in heights.last { $0 == height } }) ?? heights.last else {
            throw .none(wanted.height, in: place.title)
        }
        let manifest = try Self.manifest(place, height)
        if let genesis = wanted.genesis, manifest.genesis != genesis { throw .genesis(height) }
        if let signer = wanted.signer, manifest.signer != signer {
            throw .signer(height, found: manifest.signer, wanted: signer)
        }
        if let key, !manifest.recipients.contains(key.publicKey) {
            throw .recipient(given: key.publicKey, recipients: manifest.recipients)
        }
        self.init(place, manifest, key.map { .recipient($0) })
    }

    init(_ place: any BackupPlace, _ manifest: BackupManifest, _ opener: Opener?) {
        self.place = place
        self.manifest = manifest
        self.opener = opener
    }

    /// The manifest of a height, whose signature holds; whose it should be is for the caller to say.
    static func manifest(_ place: any BackupPlace, _ height: UInt64) throws(BackupError) -> BackupManifest {
        let name = BackupNames.manifest(height)
        guard let bytes = try place.get(name, max: BackupManifest.bytesMax) else {
            throw .none(height, in: place.title)
        }
        let signed: SignedManifest
        do throws(DecodingError) { signed = try SignedManifest(canonicalBytes: bytes) } catch {
            throw .malformed(name, reason: "\(error)")
        }
        guard signed.manifest.height == height else { throw .malformed(name, reason: "it is of another height") }
        guard signed.isSigned else { throw .signature(height) }
        return signed.manifest
    }

    // MARK: Checking

    /// Counts objects as they are done, of how many.
    public typealias Progress = (_ done: Int, _ total: Int) -> Void

    /// Checks that everything which the manifest names is there, byte for byte. Takes no key and proves nothing of what
    /// is inside.
    public func verifyObjects(progress: Progress = { _, _ in }) throws(BackupError) {
        let total = manifest.parts.count + manifest.archive.count
        for (index, part) in manifest.parts.enumerated() {
            _ = try bytes(BackupNames.part(manifest.height, index), part.object)
            progress(index + 1, total)
        }
        for (index, segment) in manifest.archive.enumerated() {
            _ = try bytes(BackupNames.segment(segment), segment.object)
            progress(manifest.parts.count + index + 1, total)
        }
    }

    /// Reads all of it, and checks that the rows give the state root which a quorum signed, and that the blocks are a
    /// chain up to there which quorums signed.
    /// - Parameter archive: which runs of blocks to read; default: all.
    public func verify(
        genesis: Genesis, archive: (BackupManifest.Segment) -> Bool = { _ in true }, progress: Progress = { _, _ in }
    ) throws(BackupError) {
        let snapshot = try snapshot(genesis)
        let segments = manifest.archive.filter(archive)
        let files = try fileParts(snapshot)
        let total = snapshot.chunks.count + files.count + segments.count
        try withChunks { (chunk) throws(SnapshotError) in
            try Snapshot.verify(
                snapshot, genesis: genesis, trusting: LightClient(genesis),
                progress: { done, _ in progress(done, total) }, chunk: chunk)
        }
        for (done, index) in files.enumerated() {
            _ = try part(index)
            progress(snapshot.chunks.count + done + 1, total)
        }
        var chain = ArchiveChain(genesis, snapshot)
        for (index, segment) in segments.enumerated() {
            try chain.take(try finals(segment), segment)
            progress(snapshot.chunks.count + files.count + index + 1, total)
        }
    }

    // MARK: Restoring

    /// Makes an empty directory one that stands at the backup's height, as ``Node/Snapshot`` does.
    public func restore(
        into store: any Store, genesis: Genesis, progress: @escaping Progress = { _, _ in }
    ) throws(BackupError) {
        let snapshot = try snapshot(genesis)
        try withChunks { (chunk) throws(SnapshotError) in
            try Snapshot.restore(
                snapshot, into: store, genesis: genesis, trusting: LightClient(genesis), progress: progress,
                chunk: chunk)
        }
    }

    /// Hands over a file that lay beside the tables, piece by piece.
    public func read(file name: String, _ take: ([UInt8]) throws -> Void) throws {
        for (index, part) in manifest.parts.enumerated() where part.content == .file(name) {
            try take(self.part(index))
        }
    }

    /// The blocks that one archived run holds, certificate by certificate.
    public func finals(_ segment: BackupManifest.Segment) throws(BackupError) -> [FinalBlocks] {
        let name = BackupNames.segment(segment)
        let content = try open(
            name, segment.object, BackupManifest.bound(manifest.genesis, blocks: segment.first...segment.last))
        var decoder = Decoder(content)
        do throws(DecodingError) {
            let finals: [FinalBlocks] = try decoder.sequence(max: BackupManifest.Segment.blocksMax)
            try decoder.finish()
            return finals
        } catch { throw .malformed(name, reason: "\(error)") }
    }

    // MARK: Parts

    /// The manifest of the snapshot, which names what the backup's own does.
    private func snapshot(_ genesis: Genesis) throws(BackupError) -> SnapshotManifest {
        guard manifest.genesis == genesis.hash else { throw .genesis(manifest.height) }
        let chunks = manifest.parts.prefix { $0.content == .chunk }.count
        let name = BackupNames.part(manifest.height, chunks)
        guard chunks < manifest.parts.count, manifest.parts[chunks].content == .snapshot else {
            throw .malformed(BackupNames.manifest(manifest.height), reason: "it names no manifest of a snapshot")
        }
        let content = try part(chunks)
        let found: SnapshotManifest
        do throws(DecodingError) { found = try SnapshotManifest(canonicalBytes: content) } catch {
            throw .malformed(name, reason: "\(error)")
        }
        guard found.height == manifest.height, found.header.hash == manifest.header,
            found.header.state == manifest.stateRoot, found.chunks.count == chunks
        else { throw .malformed(name, reason: "it is of another snapshot than the backup's manifest says") }
        return found
    }

    private func fileParts(_ snapshot: SnapshotManifest) throws(BackupError) -> Range<Int> {
        let files = snapshot.chunks.count + 1..<manifest.parts.count
        for index in files {
            guard case .file = manifest.parts[index].content else {
                throw .malformed(BackupNames.manifest(manifest.height), reason: "its parts are out of order")
            }
        }
        return files
    }

    /// Does what takes the snapshot's chunks. Where one of them cannot be had, it is said why in a backup's own terms.
    private func withChunks(
        _ body: (_ chunk: (_ index: Int) throws(SnapshotError) -> [UInt8]) throws(SnapshotError) -> Void
    ) throws(BackupError) {
        var failure: BackupError?
        do throws(SnapshotError) {
            try body { (index) throws(SnapshotError) in
                do throws(BackupError) { return try part(index) } catch {
                    failure = error
                    throw .unavailable(index, "\(error)")
                }
            }
        } catch { throw failure ?? .snapshot(error) }
    }

    private func part(_ index: Int) throws(BackupError) -> [UInt8] {
        try open(
            BackupNames.part(manifest.height, index), manifest.parts[index].object,
            BackupManifest.bound(manifest.genesis, manifest.height, part: index))
    }

    private func open(
        _ name: String, _ object: BackupManifest.Object, _ bound: [UInt8]
    ) throws(BackupError) -> [UInt8] {
        guard let opener else { preconditionFailure("whoever reads a backup has a key") }
        let bytes = try bytes(name, object)
        let parcel: Parcel
        do throws(DecodingError) { parcel = try Parcel(canonicalBytes: bytes) } catch {
            throw .malformed(name, reason: "\(error)")
        }
        do throws(ParcelError) { return try opener.open(parcel, bound) } catch {
            throw .malformed(name, reason: "\(error)")
        }
    }

    private func bytes(_ name: String, _ object: BackupManifest.Object) throws(BackupError) -> [UInt8] {
        guard let bytes = try place.get(name, max: object.byteCount) else { throw .missing(name) }
        guard object.holds(bytes) else { throw .differs(name) }
        return bytes
    }
}

/// Blocks of an archive, held one after the other against what quorums signed.
private struct ArchiveChain {
    private let client: LightClient
    private var head: Header

    /// - Parameter snapshot: verified; it has the changes of the validators up to its height.
    init(_ genesis: Genesis, _ snapshot: SnapshotManifest) {
        var client = LightClient(genesis)
        // They have been proved with the snapshot.
        for change in snapshot.changes { try? client.advance(to: change) }
        self.client = client
        head = Executor.genesisHeader(genesis)
    }

    mutating func take(_ finals: [FinalBlocks], _ segment: BackupManifest.Segment) throws(BackupError) {
        guard finals.first?.headers.first?.height == segment.first, finals.last?.headers.last?.height == segment.last
        else { throw .archive(height: segment.first, reason: "the blocks are not those that the manifest says") }
        for blocks in finals {
            guard let first = blocks.headers.first, let last = blocks.headers.last,
                blocks.headers.count == blocks.entries.count
            else { throw .archive(height: segment.first, reason: "it has other headers than entries") }
            // After a gap the certificate alone says whose blocks they are.
            guard first.height != head.height + 1 || first.parent == head.hash else {
                throw .archive(height: first.height, reason: "its parent is another block than the one before it")
            }
            for (header, entry) in zip(blocks.headers, blocks.entries) where Entry.hash(raw: entry) != header.entry {
                throw .archive(height: header.height, reason: "its entry is not the one that the header names")
            }
            do throws(LightClient.Refusal) { try client.verify(blocks.headers, by: blocks.certificate) } catch {
                throw .archive(height: last.height, reason: "its certificate does not hold: \(error)")
            }
            head = last
        }
    }
}
