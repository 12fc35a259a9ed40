import Canonical
import Chain
public import Crypto
public import Ledger
public import Node
import Storage

/// Makes backups of one node's directory in one place: the tables at their certified height, the files beside them,
/// and the blocks that no backup there has yet.
///
/// Nothing counts before all of it has been read back and has given the state root that a quorum signed: only then the
/// manifest is written, which makes a backup of it. After a failure what was put is taken away again, and the backups
/// that were there are as they were. One writer at a time may use a place.
public struct BackupWriter: Sendable {
    public let place: any BackupPlace
    public let genesis: Genesis
    public let organisation: OrganisationID
    /// The node's voting key.
    public let signer: SecretKey
    /// Each once, in ascending order.
    public let recipients: [PublicKey]
    /// The version of the program, which the manifest names.
    public let program: String

    /// Bytes of a file that one part has.
    static let pieceBytes = 4 << 20

    public init(
        _ place: any BackupPlace, genesis: Genesis, organisation: OrganisationID, signer: SecretKey,
        recipients: [PublicKey], program: String
    ) {
        self.place = place
        self.genesis = genesis
        self.organisation = organisation
        self.signer = signer
        self.recipients = Set(recipients).sorted()
        self.program = program
    }

    /// A file that lies beside the tables, such as a database of who is who.
    public struct File {
        public let name: String
        /// Its next bytes, at most so many; none at its end.
        public let read: (_ max: Int) throws(BackupError) -> [UInt8]

        /// - Parameter name: lower-case ASCII letters and points, not beginning with one.
        public init(_ name: String, read: @escaping (_ max: Int) throws(BackupError) -> [UInt8]) {
            self.name = name
            self.read = read
        }
    }

    /// How far it is.
    public enum Phase: Sendable { case writing, readingBack }

    /// Makes a backup.
    /// - Parameters:
    ///   - blocks: tables that stand still: a directory opened only to be read.
    ///   - now: milliseconds since 1970 UTC.
    /// - Throws: ``BackupError``.
    public func create(
        _ blocks: BlockStore, files: [File] = [], now: UInt64, progress: @escaping (Phase, Int) -> Void = { _, _ in }
    ) throws(BackupError) -> BackupManifest {
        let sealer: ParcelSealer
        do throws(ParcelError) { sealer = try ParcelSealer(to: recipients) } catch { throw .recipients(error) }
        let names = try place.names()
        let height = try storage { () throws(StorageError) in try blocks.height() }
        let heights = BackupNames.heights(names)
        guard !heights.contains(height) else { throw .exists(height) }
        let writing = Writing(self, sealer, height)
        do throws(BackupError) {
            let base = try newest(heights, below: height, among: Set(names), blocks)
            let snapshot = try writing.tables(blocks, progress)
            for file in files { try writing.file(file) }
            let old = base?.archive ?? []
            let fresh = try writing.archive(blocks, above: old.last?.last ?? 0, to: height)
            let manifest = BackupManifest(
                genesis: genesis.hash, organisation: organisation, height: height, header: snapshot.header.hash,
                stateRoot: snapshot.header.state, blockTime: snapshot.header.time, madeAt: now, program: program,
                recipients: recipients, parts: writing.parts, archive: old + fresh,
                signer: signer.publicKey)
            let firstNew = fresh.first?.first ?? .max
            try BackupReader(place, manifest, .sealer(sealer)).verify(
                genesis: genesis, archive: { $0.first >= firstNew },
                progress: { done, _ in progress(.readingBack, done) })
            try put(manifest, writing)
            return manifest
        } catch {
            for name in writing.put.reversed() { try? place.remove(name) }
            throw error
        }
    }

    /// Writes the manifest, and reads it back.
    private func put(_ manifest: BackupManifest, _ writing: Writing) throws(BackupError) {
        let bytes = SignedManifest(manifest, by: signer).canonicalBytes
        guard bytes.count <= BackupManifest.bytesMax else {
            throw .refused("the manifest would have \(bytes.count) bytes, more than \(BackupManifest.bytesMax)")
        }
        try writing.put(BackupNames.manifest(manifest.height), bytes)
        guard try BackupReader.manifest(place, manifest.height) == manifest else {
            throw .differs(BackupNames.manifest(manifest.height))
        }
    }

    /// The newest backup of this chain that the same node has made for the same recipients, whose blocks need not be
    /// written again. Where any of them are gone, all are.
    ///
    /// What was signed with a voting key from before an exchange counts only where this directory has not got the first
    /// blocks, which would be in no backup otherwise: somebody else may have that key by now.
    private func newest(
        _ heights: [UInt64], below height: UInt64, among names: Set<String>, _ blocks: BlockStore
    ) throws(BackupError) -> BackupManifest? {
        let lacksBlocks = try storage { () throws(StorageError) in try blocks.beginning() } > 0
        for old in heights.reversed() where old < height {
            guard let manifest = try? BackupReader.manifest(place, old), manifest.genesis == genesis.hash,
                manifest.recipients == recipients
            else { continue }
            if manifest.signer != signer.publicKey {
                guard lacksBlocks, try wasOwn(manifest.signer, blocks) else { continue }
            }
            return manifest.archive.allSatisfy { names.contains(BackupNames.segment($0)) } ? manifest : nil
        }
        return nil
    }

    /// Whether the chain knows a key as one that this node voted by.
    private func wasOwn(_ key: PublicKey, _ blocks: BlockStore) throws(BackupError) -> Bool {
        try storage { () throws(StorageError) in try blocks.votingKey(key) }?.organisation == organisation
    }
}

private func storage<Value>(_ body: () throws(StorageError) -> Value) throws(BackupError) -> Value {
    do throws(StorageError) { return try body() } catch { throw .storage(error) }
}

/// What has been put into the place for one backup so far.
private final class Writing {
    private let writer: BackupWriter
    private let sealer: ParcelSealer
    private let height: UInt64
    private(set) var parts: [BackupManifest.Part] = []
    /// Names, in the order in which they were put.
    private(set) var put: [String] = []

    init(_ writer: BackupWriter, _ sealer: ParcelSealer, _ height: UInt64) {
        self.writer = writer
        self.sealer = sealer
        self.height = height
    }

    func put(_ name: String, _ bytes: [UInt8]) throws(BackupError) {
        // Before the call, since one that fails may have left something there.
        put.append(name)
        try writer.place.put(name, bytes)
    }

    private func add(_ content: BackupManifest.Part.Content, _ bytes: [UInt8]) throws(BackupError) {
        guard parts.count < BackupManifest.partsMax else {
            throw .refused("it would have more than \(BackupManifest.partsMax) parts")
        }
        let bound = BackupManifest.bound(writer.genesis.hash, height, part: parts.count)
        let sealed = sealer.seal(bytes, bound: bound).canonicalBytes
        try put(BackupNames.part(height, parts.count), sealed)
        parts.append(BackupManifest.Part(content: content, object: BackupManifest.Object(sealed)))
    }

    /// The tables, chunk by chunk, and their manifest.
    func tables(
        _ blocks: BlockStore, _ progress: @escaping (BackupWriter.Phase, Int) -> Void
    ) throws(BackupError) -> SnapshotManifest {
        var failure: BackupError?
        do throws(SnapshotError) {
            let manifest = try Snapshot.write(blocks, genesis: writer.genesis) { (index, bytes) throws(SnapshotError) in
                do throws(BackupError) { try self.add(.chunk, bytes) } catch {
                    failure = error
                    throw .unavailable(index, "\(error)")
                }
                progress(.writing, self.parts.count)
            }
            guard manifest.height == height else {
                throw SnapshotError.refused("the tables moved on while they were read")
            }
            let bytes = manifest.canonicalBytes
            guard bytes.count <= SnapshotManifest.bytesMax else {
                throw SnapshotError.refused("the snapshot's manifest would have \(bytes.count) bytes")
            }
            do throws(BackupError) { try add(.snapshot, bytes) } catch {
                failure = error
                throw SnapshotError.unavailable(parts.count, "\(error)")
            }
            return manifest
        } catch { throw failure ?? .snapshot(error) }
    }

    func file(_ file: BackupWriter.File) throws(BackupError) {
        var isFirst = true
        while true {
            let piece = try file.read(BackupWriter.pieceBytes)
            // An empty file is one all the same.
            guard !piece.isEmpty || isFirst else { return }
            try add(.file(file.name), piece)
            isFirst = false
        }
    }

    /// The blocks above a height, as far as this directory has them.
    func archive(
        _ blocks: BlockStore, above height: UInt64, to last: UInt64
    ) throws(BackupError) -> [BackupManifest.Segment] {
        var segments: [BackupManifest.Segment] = []
        var next = max(height, try storage { () throws(StorageError) in try blocks.beginning() }) + 1
        while next <= last {
            var (finals, byteCount): ([FinalBlocks], Int) = ([], 0)
            let first = next
            while next <= last, byteCount < BackupManifest.Segment.full,
                next - first
                    < UInt64(BackupManifest.Segment.blocksMax - 2 * FinalBlocks.countMax * BlockStore.finalsMax)
            {
                let more = try storage { () throws(StorageError) in try blocks.finals(above: next - 1) }
                    .filter { $0.certificate.height <= last }
                guard let end = more.last?.certificate.height else {
                    throw .archive(height: next, reason: "this directory has no certified block there; run an audit")
                }
                finals += more
                byteCount += more.reduce(0) { $0 + $1.entries.reduce(0) { $0 + $1.count } }
                next = end + 1
            }
            segments.append(try put(finals, first...next - 1))
        }
        return segments
    }

    private func put(
        _ finals: [FinalBlocks], _ heights: ClosedRange<UInt64>
    ) throws(BackupError) -> BackupManifest.Segment {
        var encoder = Encoder()
        encoder.sequence(finals)
        let bound = BackupManifest.bound(writer.genesis.hash, blocks: heights)
        let sealed = sealer.seal(encoder.bytes, bound: bound).canonicalBytes
        let segment = BackupManifest.Segment(
            first: heights.lowerBound, last: heights.upperBound, object: BackupManifest.Object(sealed))
        try put(BackupNames.segment(segment), sealed)
        return segment
    }
}
