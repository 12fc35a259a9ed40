import Canonical
import Chain
import Crypto
import Ledger
import Node
import ServerKit
import Simulation
import Storage
import Testing

@testable import Backup

/// What a backup holds comes back, and nothing else is taken for it.
@Suite(.serialized, .ownThread) struct BackupTests {
    private let key = SecretKey(seed: [UInt8](repeating: 5, count: 32))
    private let other = SecretKey(seed: [UInt8](repeating: 6, count: 32))

    private func restored(_ reader: BackupReader, _ genesis: Genesis) throws(BackupError) -> BlockStore {
        let store = MemoryStore()
        try reader.restore(into: store, genesis: genesis)
        return BlockStore(store)
    }

    @Test func itComesBackWithItsRootItsBlocksAndItsFiles() throws {
        let (chain, place) = (try Chain(), MemoryPlace())
        var manifests: [BackupManifest] = []
        for _ in 0..<3 {
            manifests.append(try chain.back(place, to: [key, other], file: Chain.fileBytes))
            try chain.moveOn()
        }
        for (index, manifest) in manifests.enumerated() {
            for recipient in [key, other] {
                let wanted = BackupReader.Wanted(
                    height: manifest.height, genesis: chain.cast.genesisHash, signer: chain.cast.votingKeys[0].publicKey
                )
                let reader = try BackupReader(place, wanted, key: recipient)
                #expect(reader.manifest == manifest)
                try reader.verify(genesis: chain.cast.genesis)
                let blocks = try restored(reader, chain.cast.genesis)
                #expect(try blocks.height() == manifest.height)
                #expect(try blocks.header(manifest.height)?.state == manifest.stateRoot)
                #expect(try blocks.header(manifest.height) == chain.tables.header(manifest.height))
                // No lock of a vote comes with it.
                #expect(try blocks.firstLock(of: chain.cast.organisation(0)) == nil)
                var file: [UInt8] = []
                try reader.read(file: "people.sqlite") { file += $0 }
                #expect(file == Chain.fileBytes)
                let entries = try manifest.archive.flatMap { try reader.finals($0) }.flatMap(\.entries)
                #expect(try entries == (1...manifest.height).map { try chain.tables.block($0)! })
            }
            #expect(manifest.archived == [1...manifest.height])
            #expect(manifest.archive.count == index + 1, "each adds the blocks since the one before")
        }
        #expect(try BackupShelf.list(place).map(\.height) == manifests.map(\.height))
        #expect(throws: BackupError.self) { try BackupReader(place, .init(height: 9999)) }
    }

    @Test func everyObjectThatIsAnotherOneIsNamed() throws {
        let (chain, place) = (try Chain(), MemoryPlace())
        let manifest = try chain.back(place, to: [key])
        let reader = try BackupReader(place, key: key)
        let whole = place.objects
        func said(_ body: () throws -> Void) -> String {
            do {
                try body()
                return "nothing"
            } catch { return "\(error)" }
        }
        let names = whole.keys.filter { !$0.hasSuffix("/manifest") }.sorted()
        #expect(names.count == manifest.parts.count + manifest.archive.count)
        for name in names {
            for change in 0..<3 {
                place.objects = whole
                switch change {
                case 0: place.objects[name]![place.objects[name]!.count / 2] ^= 1
                case 1: place.objects[name]!.removeLast()
                default: place.objects[name] = nil
                }
                for check in [
                    said { try reader.verifyObjects() }, said { try reader.verify(genesis: chain.cast.genesis) },
                ] { #expect(check.hasPrefix(name), "\(change): \(check)") }
            }
        }
        // Two that have changed places.
        place.objects = whole
        let (first, second) = (BackupNames.part(manifest.height, 0), BackupNames.part(manifest.height, 1))
        place.objects[first] = whole[second]
        place.objects[second] = whole[first]
        #expect(said { try reader.verifyObjects() }.hasPrefix(first))
        #expect(said { _ = try restored(reader, chain.cast.genesis) }.hasPrefix(first))
    }

    /// Of a manifest no byte may be another.
    @Test func aManifestIsOfWhomItNamesOrOfNoUse() throws {
        let (chain, place) = (try Chain(), MemoryPlace())
        let manifest = try chain.back(place, to: [key])
        let name = BackupNames.manifest(manifest.height)
        let good = try #require(place.objects[name])
        for index in good.indices {
            var bad = good
            bad[index] ^= 1
            place.objects[name] = bad
            #expect(throws: BackupError.self, "byte \(index)") { try BackupReader(place, .init(), key: key) }
        }
        let signed = SignedManifest(
            BackupManifest(
                genesis: manifest.genesis, organisation: manifest.organisation, height: manifest.height,
                header: manifest.header, stateRoot: manifest.stateRoot, blockTime: manifest.blockTime,
                madeAt: manifest.madeAt, program: manifest.program, recipients: manifest.recipients,
                parts: manifest.parts, archive: manifest.archive, signer: other.publicKey), by: other)
        place.objects[name] = signed.canonicalBytes
        let wanted = BackupReader.Wanted(signer: chain.cast.votingKeys[0].publicKey)
        #expect {
            try BackupReader(place, wanted, key: key)
        } throws: { error in
            guard case BackupError.signer(manifest.height, other.publicKey, _) = error else { return false }
            return "\(error)".contains("\(other.publicKey)")
        }
        place.objects[name] = good
        #expect {
            try BackupReader(place, wanted, key: other)
        } throws: { error in
            guard case BackupError.recipient(other.publicKey, [key.publicKey]) = error else { return false }
            return true
        }
        #expect {
            try BackupReader(place, .init(genesis: SHA256.hash([1])))
        } throws: {
            if case BackupError.genesis = $0 { true } else { false }
        }
    }

    /// Whoever may sign and seal still cannot make rows or blocks that a quorum has not certified.
    @Test func aLiarWithTheKeysOfANodeConvincesNobody() throws {
        let (chain, place) = (try Chain(), MemoryPlace())
        let manifest = try chain.back(place, to: [key])
        let honest = try BackupReader(place, key: key)
        let whole = place.objects
        let sealer = try ParcelSealer(to: [key.publicKey])
        let segment = try #require(manifest.archive.first)
        let finals = try honest.finals(segment)

        func check(_ parts: [BackupManifest.Part], _ archive: [BackupManifest.Segment]) -> BackupError? {
            let lie = SignedManifest(
                BackupManifest(
                    genesis: manifest.genesis, organisation: manifest.organisation, height: manifest.height,
                    header: manifest.header, stateRoot: manifest.stateRoot, blockTime: manifest.blockTime,
                    madeAt: manifest.madeAt, program: manifest.program, recipients: manifest.recipients, parts: parts,
                    archive: archive, signer: manifest.signer), by: chain.cast.votingKeys[0])
            place.objects[BackupNames.manifest(manifest.height)] = lie.canonicalBytes
            defer { place.objects = whole }
            do throws(BackupError) {
                try BackupReader(place, key: key).verify(genesis: chain.cast.genesis)
                return nil
            } catch { return error }
        }
        func blocks(_ finals: [FinalBlocks]) -> BackupError? {
            let bytes = sealer.seal(
                finals.canonicalBytesOfAll,
                bound: BackupManifest.bound(manifest.genesis, blocks: segment.first...segment.last)
            ).canonicalBytes
            let lie = BackupManifest.Segment(
                first: segment.first, last: segment.last, object: BackupManifest.Object(bytes))
            place.objects[BackupNames.segment(lie)] = bytes
            return check(manifest.parts, [lie])
        }
        #expect(blocks(finals) == nil, "the same blocks, sealed again")
        var changed = finals
        changed[0] = FinalBlocks(
            headers: finals[0].headers, entries: finals[0].entries.map { $0 + [0] }, certificate: finals[0].certificate)
        let last = finals.count - 1
        var unsigned = finals
        unsigned[last] = FinalBlocks(
            headers: finals[last].headers, entries: finals[last].entries, certificate: finals[0].certificate)
        for lie in [changed, unsigned, Array(finals.dropFirst()), Array(finals.dropLast()), finals.reversed()] {
            guard case .archive? = blocks(lie) else {
                Issue.record("\(String(describing: blocks(lie)))")
                continue
            }
        }
        // A row that nobody certified, under digests that fit it.
        var chunk = try sealerOpens(honest, manifest, 0)
        chunk[chunk.count - 1] ^= 1
        let bytes = sealer.seal(chunk, bound: BackupManifest.bound(manifest.genesis, manifest.height, part: 0))
            .canonicalBytes
        place.objects[BackupNames.part(manifest.height, 0)] = bytes
        var parts = manifest.parts
        parts[0] = BackupManifest.Part(content: .chunk, object: BackupManifest.Object(bytes))
        guard case .snapshot? = check(parts, manifest.archive) else {
            Issue.record("a changed row was taken")
            return
        }
    }

    private func sealerOpens(_ reader: BackupReader, _ manifest: BackupManifest, _ part: Int) throws -> [UInt8] {
        let bytes = try #require(try reader.place.get(BackupNames.part(manifest.height, part), max: 1 << 30))
        return try Parcel(canonicalBytes: bytes).open(
            with: key, bound: BackupManifest.bound(manifest.genesis, manifest.height, part: part))
    }

    /// Cut off at any call, what was there is as it was; and the next one puts everything in order.
    @Test func oneThatFailsAnywhereLeavesTheOthersAsTheyWere() throws {
        let (chain, place) = (try Chain(), MemoryPlace())
        _ = try chain.back(place, to: [key])
        try chain.moveOn()
        let before = place.objects
        place.fail(from: .max)
        let next = try chain.back(place, to: [key])
        let calls = place.calls
        #expect(calls > 20)
        for failing in 0..<calls {
            // Whoever fails may no more clean up either: the power is gone.
            place.objects = before
            place.fail(from: failing)
            #expect(throws: BackupError.self) { try chain.back(place, to: [key]) }
            place.fail(from: .max)
            for (name, bytes) in before { #expect(place.objects[name] == bytes) }
            let heights = try BackupShelf.list(place).map(\.height)
            // After the manifest was put only its reading back is left, and it is as good.
            #expect(heights == BackupNames.heights(Array(before.keys)) || failing == calls - 1, "\(failing)")
            if heights.last == next.height { continue }
            let writer = chain.writer(place, to: [key])
            let again = try chain.back(place, to: [key])
            #expect(try writer.tidy(Retention(newest: 9), keeping: again.height) == [])
            let reader = try BackupReader(place, key: key)
            try reader.verify(genesis: chain.cast.genesis)
            let fresh = again.parts.count + (again.archive.count - 1) + 1
            #expect(place.objects.count == before.count + fresh, "nothing that belongs to no backup is left")
        }
    }

    @Test func whatNeedNotStayGoesWithAllThatIsItsOwn() throws {
        let (chain, place) = (try Chain(), MemoryPlace())
        var heights: [UInt64] = []
        for _ in 0..<4 {
            heights.append(try chain.back(place, to: [key]).height)
            try chain.moveOn()
        }
        let writer = chain.writer(place, to: [key])
        #expect(try writer.tidy(Retention(newest: 2), keeping: heights[3]) == Array(heights[0...1]))
        for height in heights[2...] {
            try BackupReader(place, .init(height: height), key: key).verify(genesis: chain.cast.genesis)
        }
        #expect(
            place.objects.keys.allSatisfy { name in BackupNames.height(name).map { heights[2...].contains($0) } ?? true
            })
        // Another node's backups are not its business, and what cannot be read is left alone with all the rest.
        let all = place.objects
        let foreign = BackupWriter(
            place, genesis: chain.cast.genesis, organisation: chain.cast.organisation(1),
            signer: chain.cast.votingKeys[1], recipients: [key.publicKey], program: "test")
        #expect(throws: BackupError.self) { try foreign.tidy(Retention(newest: 1), keeping: heights[3]) }
        place.objects[BackupNames.manifest(heights[2])]![3] ^= 1
        #expect(throws: BackupError.self) { try writer.tidy(Retention(newest: 1), keeping: heights[3]) }
        place.objects[BackupNames.manifest(heights[2])]![3] ^= 1
        #expect(place.objects == all)
    }

    @Test func aChainThatHasNotMovedOnMakesNoSecondOne() throws {
        let (chain, place) = (try Chain(), MemoryPlace())
        let manifest = try chain.back(place, to: [key])
        let before = place.objects
        #expect {
            try chain.back(place, to: [key])
        } throws: {
            if case BackupError.exists(manifest.height) = $0 { true } else { false }
        }
        #expect(place.objects == before)
        // Blocks that were lost are written again, all of them.
        try chain.moveOn()
        place.objects[BackupNames.segment(manifest.archive[0])] = nil
        let again = try chain.back(place, to: [key])
        #expect(again.archive.count == 1 && again.archived == [1...again.height])
        try BackupReader(place, key: key).verify(genesis: chain.cast.genesis)
        // Another recipient cannot read the old blocks, so they are written anew.
        try chain.moveOn()
        let more = try chain.back(place, to: [other])
        #expect(more.archive.count == 1 && more.archived == [1...more.height])
        try BackupReader(place, key: other).verify(genesis: chain.cast.genesis)
    }
}

extension [FinalBlocks] {
    fileprivate var canonicalBytesOfAll: [UInt8] {
        var encoder = Encoder()
        encoder.sequence(self)
        return encoder.bytes
    }
}
