import Canonical
import Chain
import Crypto
import Ledger
import Node
import Ordering
import Simulation
import Storage
import Testing

/// Joining from a snapshot: what is taken is what a quorum signed, and whoever joined with it acts as the others do.
@Suite struct SnapshotTests {
    /// A snapshot in memory.
    struct Written {
        var manifest: SnapshotManifest
        var chunks: [[UInt8]]

        init(_ disk: any Store, _ genesis: Genesis, chunkBytes: Int = SnapshotManifest.Chunk.bytesMax) throws {
            var chunks: [[UInt8]] = []
            manifest = try Snapshot.write(BlockStore(disk), genesis: genesis, chunkBytes: chunkBytes) {
                (index, bytes) throws(SnapshotError) in
                guard index == chunks.count else { throw .refused("chunks come in order") }
                chunks.append(bytes)
            }
            self.chunks = chunks
        }

        init(manifest: SnapshotManifest, chunks: [[UInt8]]) {
            self.manifest = manifest
            self.chunks = chunks
        }

        @discardableResult
        func restore(
            _ genesis: Genesis, into disk: SimulatedDisk = SimulatedDisk(), trusting client: LightClient? = nil,
            failingAt failing: Int? = nil
        ) throws(SnapshotError) -> SimulatedDisk {
            try Snapshot.restore(manifest, into: disk, genesis: genesis, trusting: client ?? LightClient(genesis)) {
                (index) throws(SnapshotError) in
                if index == failing { throw .unavailable(index, "the line is cut") }
                return chunks[index]
            }
            return disk
        }

        /// The same with another manifest.
        func with(
            changes: [LightStep]? = nil, headers: [Header]? = nil, certificate: Certificate? = nil,
            carried: Certificate?? = nil, roots: SubRoots? = nil, dropped: AppendTree? = nil
        ) -> Written {
            let old = manifest
            return Written(
                manifest: SnapshotManifest(
                    genesis: old.genesis, changes: changes ?? old.changes, headers: headers ?? old.headers,
                    certificate: certificate ?? old.certificate, carried: carried ?? old.carried,
                    roots: roots ?? old.roots, dropped: dropped ?? old.dropped, chunks: old.chunks), chunks: chunks)
        }

        /// The same with other rows, under digests that fit them.
        func with(_ table: Table, _ change: ([SnapshotRow]) -> [SnapshotRow]) throws -> Written {
            var chunks: [(table: Table, bytes: [UInt8])] = []
            for (chunk, bytes) in zip(manifest.chunks, self.chunks) {
                guard chunk.table == table else {
                    chunks.append((chunk.table, bytes))
                    continue
                }
                var encoder = Encoder()
                for row in change(try Self.rows(bytes)) { encoder.value(row) }
                if encoder.count > 0 { chunks.append((table, encoder.bytes)) }
            }
            let old = manifest
            return Written(
                manifest: SnapshotManifest(
                    genesis: old.genesis, changes: old.changes, headers: old.headers, certificate: old.certificate,
                    carried: old.carried, roots: old.roots, dropped: old.dropped,
                    chunks: chunks.map { .init($0.table, $0.bytes) }), chunks: chunks.map(\.bytes))
        }

        static func rows(_ bytes: [UInt8]) throws -> [SnapshotRow] {
            var decoder = Decoder(bytes)
            var rows: [SnapshotRow] = []
            while decoder.remaining > 0 { rows.append(try decoder.value()) }
            return rows
        }
    }

    /// Four members of a chain with rows in every table, nonces that have left the window and nonces in it.
    private static func stage() throws -> Stage {
        let stage = try Stage()
        stage.found()
        let unit = stage.cast.units[0]
        func key(_ order: UInt8) -> NaturalKey { NaturalKey(source: SourceID("till")!, order: [order]) }
        func issue(_ nonce: UInt64, _ operation: Operation) {
            stage.submit(
                stage.cast.issue(0, nonce: nonce, validUntil: stage.now + 60_000, [operation]), to: 0)
        }
        let lines = (50..<60).map {
            AccrualLine(account: stage.cast.people[1].id, key: key($0), amount: 100, pending: true)
        }
        issue(1, .accrue(AccrueList(unit: unit, lines: lines)))
        issue(2, .vest(TotalList(unit: unit, lines: [TotalLine(key: key(50), total: 100)])))
        issue(3, .vest(TotalList(unit: unit, lines: [TotalLine(key: key(51), total: 40)])))
        issue(4, .clawBack(TotalList(unit: unit, lines: [TotalLine(key: key(50), total: 30)])))
        stage.pass(120_000)
        stage.submit(stage.earning(1), to: 0)
        stage.submit(
            stage.cast.spend(
                0, nonce: 7, validUntil: stage.now + 60_000,
                [
                    .reserve(
                        Reservation(
                            account: stage.cast.people[0].id, unit: unit, amount: 3,
                            organisation: OrganisationID(1), use: .redeem(Reference([1])),
                            deadline: stage.now + 3_600_000))
                ]), to: 0)
        stage.submit(
            govern(stage, 0, nonce: 8, .propose(.quota(OrganisationID(1), 2_000_000_000), by: OrganisationID(1))), to: 0
        )
        stage.pass(11_000)
        return stage
    }

    /// A transaction that an organisation signs by its governing key.
    private static func govern(_ stage: Stage, _ index: Int, nonce: UInt64, _ operation: Operation) -> Transaction {
        let key = SecretKey(seed: [3, UInt8(index)] + [UInt8](repeating: 7, count: 30))
        let signer = Signer(.governor(stage.cast.organisation(index)), key.publicKey)
        return Transaction(
            signing: TransactionBody(
                nonce: nonce, validUntil: stage.now + 60_000, signers: [signer], operations: [operation]),
            genesis: stage.cast.genesisHash, keys: [key])
    }

    /// The organisations but the last suspend it.
    private static func suspendLast(_ stage: Stage) -> UInt64 {
        let proposing = govern(
            stage, 0, nonce: 70, .propose(.suspend(stage.cast.organisation(3)), by: stage.cast.organisation(0)))
        stage.submit(proposing, to: 0)
        let id = SHA256.hash(.proposal, proposing.id.bytes + [0])
        for index in 1...2 {
            stage.submit(govern(stage, index, nonce: 70, .approve(id, by: stage.cast.organisation(index))), to: 0)
        }
        return stage.status(0).committed
    }

    private func join(_ stage: Stage, _ index: Int, from peer: Int) throws -> Written {
        let written = try Written(stage.members[peer].disk, stage.cast.genesis)
        stage.kill(index)
        stage.members[index].disk = try written.restore(stage.cast.genesis)
        stage.members[index].sent = []
        try stage.open(index)
        stage.run()
        return written
    }

    private func refusal(_ body: () throws(SnapshotError) -> Void) -> String? {
        do throws(SnapshotError) {
            try body()
            return nil
        } catch { return "\(error)" }
    }

    @Test func aTableOfEachKindIsInIt() throws {
        let stage = try Self.stage()
        let written = try Written(stage.members[0].disk, stage.cast.genesis)
        // Rules that changed, epochs of the order, contradictions and exchanged keys are left out: no such chain is
        // short.
        let none: Set<Table> = [.rules, .epochs, .offences, .votingKeys]
        #expect(Set(written.manifest.chunks.map(\.table)) == Set(Table.allCases).subtracting(none))
        #expect(written.manifest.dropped.count > 0)
        #expect(written.manifest.carried != nil)
        #expect(try SnapshotManifest(canonicalBytes: written.manifest.canonicalBytes) == written.manifest)
        #expect(written.manifest.byteCount == written.chunks.reduce(0) { $0 + $1.count })
    }

    @Test func whoJoinedGoesOnAsTheOthersDo() throws {
        let stage = try Self.stage()
        let written = try join(stage, 3, from: 0)
        // Without its vote there is no quorum.
        stage.kill(2)
        for order in 2..<6 as Range<UInt8> {
            stage.submit(stage.earning(order), to: Int(order) % 2 == 0 ? 3 : 0)
            stage.pass(2000)
        }
        let height = stage.status(3).committed
        #expect(height >= written.manifest.height + 4)
        #expect(try stage.header(height, at: 3) == stage.header(height, at: 0))
        #expect(try stage.balance(0, at: 3) == 47)
        #expect(stage.members[3].halted == nil && stage.members[0].halted == nil)
        // It votes above what had been ordered when it began, and nothing twice.
        #expect(stage.members[3].sent.allSatisfy { $0.height > written.manifest.height })
        #expect(!stage.members[3].sent.isEmpty)
    }

    /// Check 10, after a snapshot join.
    @Test func check10WhoJoinedRefusesTheSameReplays() throws {
        let stage = try Self.stage()
        let earning = stage.earning(20)
        let old = stage.earning(21, validFor: 1000)
        let first = try #require(stage.receipt(stage.submit(earning, to: 0), at: 0))
        stage.submit(old, to: 0)
        stage.pass(6000)
        _ = try join(stage, 3, from: 1)
        stage.kill(0)
        // The same body: its nonce is burnt.
        let again = try #require(stage.receipt(stage.submit(earning, to: 3), at: 3)).receipt
        #expect(again.result == .duplicate)
        #expect(again.first == first.place)
        // The same order under another nonce: its natural key is used, for ever.
        for order in [20, 21, 50] as [UInt8] {
            let key = NaturalKey(source: SourceID("till")!, order: [order])
            let isOld = order == 50
            let line = AccrualLine(
                account: stage.cast.people[isOld ? 1 : 0].id, key: key, amount: isOld ? 100 : 10, pending: isOld)
            let other = stage.cast.issue(
                0, nonce: 900 + UInt64(order), validUntil: stage.now + 60_000,
                [.accrue(AccrueList(unit: stage.cast.units[0], lines: [line]))])
            let receipt = try #require(stage.receipt(stage.submit(other, to: 3), at: 3)).receipt
            guard case .lines(let done, let exceptions)? = receipt.outcomes.first else {
                Issue.record("\(receipt)")
                continue
            }
            #expect(done == 0 && exceptions.map(\.result) == [.exists])
        }
        // After its window.
        #expect(stage.members[3].answers[stage.submit(old, to: 3)] == .refused(.expired))
        stage.order(stage.entry([old]))
        stage.pass(1000)
        #expect(
            stage.members[3].certified.last { !$0.block.output.receipts.isEmpty }?.block.output.receipts.map(\.result)
                == [.expired])
        #expect(try stage.balance(0, at: 3) == 27)
    }

    /// What a node wrote that itself joined is what any other writes of the height.
    @Test func whoJoinedWritesTheSameSnapshot() throws {
        let stage = try Self.stage()
        _ = try join(stage, 3, from: 0)
        stage.submit(stage.earning(30), to: 0)
        // Long enough that nonces leave which were in the snapshot.
        stage.pass(75_000)
        stage.submit(stage.earning(31), to: 3)
        stage.pass(7000)
        #expect(stage.status(3).committed == stage.status(0).committed)
        let (here, there) = (
            try Written(stage.members[3].disk, stage.cast.genesis, chunkBytes: 700),
            try Written(stage.members[0].disk, stage.cast.genesis, chunkBytes: 700)
        )
        #expect(here.manifest.header == there.manifest.header)
        #expect(here.manifest.roots == there.manifest.roots)
        #expect(here.manifest.dropped == there.manifest.dropped)
        #expect(here.chunks == there.chunks)
        #expect(here.chunks.count > here.manifest.roots.roots.count)
        let disk = try here.restore(stage.cast.genesis)
        for table in Table.allCases {
            #expect(rows(disk, table) == rows(stage.members[0].disk, table), "\(table)")
        }
    }

    /// Validators that change at the snapshot's height vote two heights later, for who joined with it as for the
    /// others.
    @Test func aChangeThatIsUnderWayIsInIt() throws {
        let stage = try Self.stage()
        let changed = Self.suspendLast(stage)
        let three = ValidatorSet(stage.cast.set.validators.dropLast())
        #expect(try BlockStore(stage.members[0].disk).set(at: changed + 2) == three)
        let written = try join(stage, 2, from: 0)
        #expect(written.manifest.height == changed)
        #expect(written.manifest.changes.isEmpty)
        for order in 60..<65 as Range<UInt8> {
            stage.submit(stage.earning(order), to: 2)
            stage.pass(2000)
        }
        let height = stage.status(2).committed
        #expect(height > changed + 2)
        #expect(stage.members[2].halted == nil)
        #expect(try stage.header(height, at: 2) == stage.header(height, at: 0))
        #expect(try stage.header(changed + 1, at: 2)?.nextValidators == three.hash)
        #expect(try stage.header(height, at: 2)?.validators == three.hash)
        // Who joined shows the change to light clients as the others do.
        let steps = try BlockStore(stage.members[2].disk).lightSteps(after: 0, max: 10)
        #expect(steps == (try BlockStore(stage.members[0].disk).lightSteps(after: 0, max: 10)))
        #expect(steps.map(\.set) == [three])
        var client = LightClient(stage.cast.genesis)
        try client.advance(to: #require(steps.first))
        #expect(client.validators == three)
    }

    /// A snapshot of a height after a change has the change with it.
    @Test func aSnapshotAfterAChangeIsProvedFromTheGenesis() throws {
        let stage = try Self.stage()
        _ = Self.suspendLast(stage)
        stage.pass(20_000)
        let genesis = stage.cast.genesis
        let written = try Written(stage.members[0].disk, genesis)
        #expect(written.manifest.changes.count == 1)
        let disk = try written.restore(genesis)
        #expect(try BlockStore(disk).set(at: written.manifest.height).count == 3)
        #expect(try BlockStore(disk).lightSteps(after: 0, max: 9) == written.manifest.changes)
        #expect(try Written(disk, genesis).manifest.changes == written.manifest.changes)
        let said = refusal { () throws(SnapshotError) in try written.with(changes: []).restore(genesis) }
        #expect(said?.contains("they are not shown") == true, "\(said ?? "")")
        let twice = written.with(changes: written.manifest.changes + written.manifest.changes)
        #expect(
            refusal { () throws(SnapshotError) in try twice.restore(genesis) }?.contains("does not lie above") == true)
    }

    private func rows(_ store: any Store, _ table: Table) -> [[UInt8]] {
        var rows: [[UInt8]] = []
        try? store.scan(BlockStore.column(table)) { key, value in
            rows.append(key + [0xFF] + value)
            return true
        }
        return rows
    }

    /// An entry may carry a certificate that is older than what was carried: who has no header of that height any more
    /// makes the same block of it.
    @Test func anOldCertificateMakesNoDifference() throws {
        let stage = try Self.stage()
        let written = try join(stage, 3, from: 0)
        let old = try #require(try BlockStore(stage.members[0].disk).certificate(2))
        #expect(written.manifest.headers[0].height > 2)
        stage.order(stage.entry([stage.earning(40)], certificate: old))
        stage.pass(1000)
        let height = stage.status(0).committed
        #expect(stage.status(3).committed == height)
        #expect(try stage.header(height, at: 3) == stage.header(height, at: 0))
        #expect(try stage.balance(0, at: 3) == 17)
    }

    /// Check 17. One bit, in the manifest or in a chunk.
    @Test func check17AFlippedBitIsRefused() throws {
        let stage = try Self.stage()
        let written = try Written(stage.members[0].disk, stage.cast.genesis)
        let bytes = written.manifest.canonicalBytes
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 1 << UInt8(index % 8)
            #expect(throws: DecodingError.self, "byte \(index)") { try SnapshotManifest(canonicalBytes: changed) }
        }
        for (number, chunk) in written.chunks.enumerated() {
            for index in stride(from: number, to: chunk.count, by: 13) {
                var changed = written
                changed.chunks[number][index] ^= 1 << UInt8(index % 8)
                let disk = SimulatedDisk()
                let said = refusal { () throws(SnapshotError) in
                    try changed.restore(stage.cast.genesis, into: disk)
                }
                #expect(said?.contains("chunk \(number) is not the one") == true, "chunk \(number), byte \(index)")
                #expect(throws: StorageError(.notFound, "", place: "")) { try BlockStore(disk).genesis() }
            }
            var cut = written
            cut.chunks[number].removeLast()
            let said = refusal { () throws(SnapshotError) in try cut.restore(stage.cast.genesis) }
            #expect(said?.contains("chunk \(number) is not the one") == true)
        }
    }

    /// The same by somebody who makes manifest and digests fit: what the rows are is under the state root.
    @Test func rowsThatWereChangedAreRefusedByTheirTable() throws {
        let stage = try Self.stage()
        let written = try Written(stage.members[0].disk, stage.cast.genesis)
        for table in Set(written.manifest.chunks.map(\.table)).sorted(by: { $0.rawValue < $1.rawValue }) {
            let without = try written.with(table) { Array($0.dropLast()) }
            var said = refusal { () throws(SnapshotError) in try without.restore(stage.cast.genesis) }
            #expect(said?.contains("the rows of \(table.rawValue) do not give") == true, "\(table): \(said ?? "")")
            let altered = try written.with(table) { rows in
                rows.map { row in
                    var value = row.value
                    value[value.count - 1] ^= 1
                    return SnapshotRow(key: row.key, value: value)
                }
            }
            said = refusal { () throws(SnapshotError) in try altered.restore(stage.cast.genesis) }
            #expect(said != nil, "\(table)")
            let twice = try written.with(table) { [$0[0]] + $0 }
            said = refusal { () throws(SnapshotError) in try twice.restore(stage.cast.genesis) }
            #expect(said?.contains("ascending order") == true, "\(table): \(said ?? "")")
            guard table.isLog else { continue }
            // The same additions at another height.
            let moved = try written.with(table) { rows in
                let last = rows[rows.count - 1]
                let height = last.key.reduce(0) { $0 << 8 | UInt64($1) } + 1
                return rows.dropLast() + [SnapshotRow(key: bigEndianBytes(height), value: last.value)]
            }
            #expect(refusal { () throws(SnapshotError) in try moved.restore(stage.cast.genesis) } != nil, "\(table)")
        }
    }

    @Test func aManifestThatDoesNotHoldIsRefusedByName() throws {
        let stage = try Self.stage()
        let (genesis, disk) = (stage.cast.genesis, stage.members[0].disk)
        let written = try Written(disk, genesis)
        let manifest = written.manifest
        let before = try #require(try BlockStore(disk).header(manifest.height - 1))
        let earlier = try #require(try BlockStore(disk).certificate(manifest.height - 1))
        let second = try #require(try BlockStore(disk).certificate(2))
        let roots = try #require(try BlockStore(disk).roots(1))
        var longer = AppendTree()
        for _ in 0...manifest.height + 1 { longer.append(.zero) }
        var other = manifest.dropped
        other.append(.zero)
        let few = Certificate(
            epoch: 0, height: manifest.height, header: manifest.header.hash,
            signatures: Array(manifest.certificate.signatures.prefix(2)))
        for (name, changed, said) in [
            ("too few", written.with(certificate: few), "fewer validators signed"),
            ("another height", written.with(certificate: earlier), "of another header or height"),
            ("an older header", written.with(headers: [before]), "of another header or height"),
            ("a header left out", written.with(headers: [manifest.headers[0], manifest.header]), "not a chain"),
            ("nothing carried", written.with(carried: .some(nil)), "as the newest carried"),
            ("another carried", written.with(carried: .some(second)), "as the newest carried"),
            ("roots of another height", written.with(roots: roots), "the header's state root"),
            ("too many dropped", written.with(dropped: longer), "more heights of nonces"),
            ("one more dropped", written.with(dropped: other), "replays"),
            ("none dropped", written.with(dropped: AppendTree()), "the rows of replays do not give"),
        ] {
            if name == "a header left out" && manifest.headers.count < 3 { continue }
            let found = refusal { () throws(SnapshotError) in try changed.restore(genesis) }
            #expect(found?.contains(said) == true, "\(name): \(found ?? "accepted")")
        }
        let sibling = Cast(validators: 7).genesis
        let found = refusal { () throws(SnapshotError) in try written.restore(sibling) }
        #expect(found?.contains("another genesis") == true)
    }

    @Test func aCheckpointIsHeldAgainstIt() throws {
        let stage = try Self.stage()
        let disk = stage.members[0].disk
        let written = try Written(disk, stage.cast.genesis)
        let header = try #require(try BlockStore(disk).header(3))
        let client = try LightClient(
            genesis: stage.cast.genesisHash, checkpoint: Checkpoint(height: 3, header: header.hash), header: header,
            set: stage.cast.set)
        try written.restore(stage.cast.genesis, trusting: client)
        // One that lies above the snapshot tells nothing of it.
        let head = stage.status(0).committed
        #expect(head >= written.manifest.height)
        let strangers = ValidatorSet(Cast(validators: 7).genesis)
        let foreign = Header(
            height: 3, parent: .zero, entry: .zero, transactions: .zero, receipts: .zero, state: .zero,
            validators: strangers.hash, nextValidators: strangers.hash, rulesVersion: 1, time: 1, certificate: .zero)
        let wrong = try LightClient(
            genesis: stage.cast.genesisHash, checkpoint: Checkpoint(height: 3, header: foreign.hash), header: foreign,
            set: strangers)
        let said = refusal { () throws(SnapshotError) in try written.restore(stage.cast.genesis, trusting: wrong) }
        #expect(said?.contains("not certified") == true)
    }

    @Test func whatWasCutOffSaysSo() throws {
        let stage = try Self.stage()
        let genesis = stage.cast.genesis
        let written = try Written(stage.members[0].disk, genesis)
        for failing in [0, written.chunks.count / 2, written.chunks.count - 1] {
            let disk = SimulatedDisk()
            let said = refusal { () throws(SnapshotError) in
                try written.restore(genesis, into: disk, failingAt: failing)
            }
            #expect(said?.contains("chunk \(failing) could not be had: the line is cut") == true)
            var random = SeededRandom(seed: UInt64(failing))
            _ = disk.crash(&random)
            #expect(throws: StorageError(.notFound, "", place: "")) {
                _ = try NodeCore.open(
                    store: disk, genesis: genesis,
                    configuration: .init(validator: stage.cast.organisation(3), votingKey: stage.cast.votingKeys[3]),
                    epoch: OrderingEpoch(genesis: genesis), logHead: stage.log.head, now: stage.now)
            }
            let again = refusal { () throws(SnapshotError) in try written.restore(genesis, into: disk) }
            #expect(again?.contains("delete the directory and join again") == true)
        }
        let full = refusal { () throws(SnapshotError) in
            try written.restore(genesis, into: stage.members[1].disk)
        }
        #expect(full?.contains("needs an empty directory") == true)
    }

    @Test func whatIsNotHereIsSaid() throws {
        let stage = try Self.stage()
        let written = try join(stage, 3, from: 0)
        stage.submit(stage.earning(41), to: 3)
        stage.pass(1000)
        let here = BlockStore(stage.members[3].disk)
        let began = written.manifest.height
        #expect(try here.beginning() == began)
        #expect(try BlockStore(stage.members[0].disk).beginning() == 0)
        for height in [1, began] {
            #expect(throws: StorageError(.notFound, "", place: "")) {
                try here.contents(height, genesis: stage.cast.genesis)
            }
        }
        #expect(try here.contents(began + 1, genesis: stage.cast.genesis)?.transactions.count == 1)
        #expect(throws: StorageError(.notFound, "", place: "")) {
            try Audit.run(stage.members[3].disk, trusted: stage.cast.genesis)
        }
        #expect(try here.finals(above: 1).isEmpty)
        #expect(try !here.finals(above: began).isEmpty)
        #expect(try here.newestBlock() > began)
        // A restart is one like any other.
        stage.kill(3)
        try stage.open(3)
        stage.run()
        stage.pass(1000)
        #expect(stage.members[3].halted == nil)
        #expect(stage.status(3).committed == stage.status(0).committed)
    }

    @Test func nothingIsWrittenOfADamagedDirectory() throws {
        let stage = try Self.stage()
        let genesis = stage.cast.genesis
        let written = try Written(stage.members[0].disk, genesis)
        for table in Set(written.manifest.chunks.map(\.table)).subtracting([.replays]) {
            let disk = try written.restore(genesis)
            var key: [UInt8]?
            try disk.scan(BlockStore.column(table)) { found, _ in
                key = found
                return false
            }
            var batch = WriteBatch()
            batch.delete(BlockStore.column(table), try #require(key))
            try disk.write(batch, synced: true)
            #expect(throws: SnapshotError.self, "\(table)") { _ = try Written(disk, genesis) }
        }
        let empty = SimulatedDisk()
        try empty.write(BlockStore.genesisBatch(genesis), synced: true)
        #expect(throws: SnapshotError.self) { _ = try Written(empty, genesis) }
    }
}
