import Canonical
import Chain
import Crypto
import Ledger
import Node
import Storage

/// Sees everything that leaves a node and everything it writes, and knows what must never be.
struct Checker {
    let cast: Cast
    let without: Set<Check>
    /// What every node must compute, as the first one did.
    private var headers: [UInt64: Header] = [:]
    private var certificates: [UInt64: Certificate] = [:]
    private(set) var certifiedMax: UInt64 = 0
    /// Changes of the validators that nodes stored.
    var setCount: Int { sets.count }
    /// Validators by their digest, which stands in headers: those of the genesis, and what nodes store of changes.
    private var sets: [Digest: ValidatorSet]
    /// Those whom nothing may take out.
    private let staying: Set<OrganisationID>
    /// Final blocks, as the first node told them or, where none lived to tell, as its directory holds them.
    private var blocks: [UInt64: Final] = [:]
    struct Final {
        let transactions: [Transaction]
        let receipts: [Receipt]
    }

    /// All that honest validators ever said.
    private var said: [UInt64: [OrganisationID: Vote]] = [:]
    /// Head of the order when the faults ceased.
    var target: UInt64 = 0

    init(cast: Cast, staying: Set<OrganisationID>, without: Set<Check>) {
        self.cast = cast
        self.without = without
        self.staying = staying
        sets = [cast.set.hash: cast.set]
    }

    private func require(_ holds: Bool, _ check: Check, _ detail: @autoclosure () -> String) throws(Failure) {
        if !holds, !without.contains(check) { throw Failure(check, detail()) }
    }

    func note(_ status: NodeCore.Status, of node: Int) throws(Failure) {
        try require(
            status.committed <= status.certified && status.certified <= status.executed, .tablesCertified,
            "node \(node): committed \(status.committed), certified \(status.certified), executed \(status.executed)")
        try require(status.signingStopped == nil, .noHalt, "node \(node): \(status.signingStopped ?? "")")
    }

    mutating func note(locking batch: WriteBatch, height: UInt64, of node: Int) throws(Failure) {
        for case .put(.headers, _, let bytes) in batch.changes {
            guard let header = try? Header(canonicalBytes: bytes), header.height == height else {
                throw Failure(.headersEqual, "node \(node) stores no header at \(height)")
            }
            let known = headers[height] ?? header
            headers[height] = known
            try require(
                known == header, .headersEqual,
                "height \(height): node \(node) has \(header.hash.brief), another had \(known.hash.brief)")
        }
    }

    /// Another epoch begins: what stood elsewhere than the entries that it keeps was never final and comes otherwise,
    /// and votes name the epoch, so each validator speaks anew.
    mutating func begin(_ start: EpochChange.Start) {
        var kept = start.firstHeight - 1
        for entry in start.entries where headers[kept + 1]?.entry == entry { kept += 1 }
        headers = headers.filter { $0.key <= kept }
        said = [:]
    }

    /// What is not final must stay where all can read it.
    func note(trimmedBelow position: UInt64) throws(Failure) {
        try require(position <= certifiedMax, .progress, "the order lets go of \(position), which is not certified")
    }

    mutating func note(committing batch: WriteBatch, height: UInt64) throws(Failure) {
        var newest: UInt64 = 0
        for case .put(.sets, _, let bytes) in batch.changes {
            guard let set = try? ValidatorSet(canonicalBytes: bytes) else {
                throw Failure(.honestStay, "height \(height): validators do not decode")
            }
            try require(
                staying.isSubset(of: set.validators.map(\.id)), .honestStay,
                "height \(height): \(set.validators.map(\.id.number)) are left")
            sets[set.hash] = set
        }
        for case .put(.certificates, _, let bytes) in batch.changes {
            guard let certificate = try? Certificate(canonicalBytes: bytes) else {
                // It was encoded, so what does not decode has signers out of order or twice.
                try require(false, .certificateValid, "height \(height): it does not decode")
                continue
            }
            try note(certificate)
            newest = max(newest, certificate.height)
        }
        try require(newest == height, .tablesCertified, "tables move to \(height), certified is \(newest)")
    }

    private mutating func note(_ certificate: Certificate) throws(Failure) {
        guard let header = headers[certificate.height], let set = sets[header.validators] else {
            throw Failure(.certificateValid, "height \(certificate.height): nobody knows whose it is")
        }
        do throws(Certificate.Refusal) { try certificate.verify(genesis: cast.genesisHash, set: set) } catch {
            try require(false, .certificateValid, "height \(certificate.height): \(error.rawValue)")
        }
        let known = certificates[certificate.height] ?? certificate
        certificates[certificate.height] = known
        try require(
            known.header == certificate.header, .oneCertified,
            "height \(certificate.height): \(known.header.brief) and \(certificate.header.brief)")
        try require(
            headers[certificate.height].map { $0.hash == certificate.header } ?? true, .headersEqual,
            "height \(certificate.height) is certified with another header than was computed")
        certifiedMax = max(certifiedMax, certificate.height)
    }

    mutating func note(sent vote: Vote, from disk: SimulatedDisk) throws(Failure) {
        let durable = disk.durableValue(.locks, bigEndianBytes(vote.height))
        try require(
            durable == vote.canonicalBytes, .voteDurable,
            "\(vote.validator), height \(vote.height): \(durable == nil ? "no" : "another") lock would survive a crash")
        let before = said[vote.height]?[vote.validator] ?? vote
        said[vote.height, default: [:]][vote.validator] = before
        try require(
            before == vote, .oneVote,
            "\(vote.validator), height \(vote.height): \(before.header.brief) at \(before.time), "
                + "then \(vote.header.brief) at \(vote.time)")
    }

    mutating func note(certified final: CertifiedBlock) throws(Failure) {
        let block = final.block
        let height = block.header.height
        try note(final.certificate)
        try require(
            headers[height] == block.header, .headersEqual, "height \(height) is shown with another header")
        try require(final.certificate.height >= height, .certificateValid, "height \(height) is shown too early")
        try note(
            Final(transactions: block.decoded.entry?.transactions ?? [], receipts: block.output.receipts), at: height)
    }

    private mutating func note(_ block: Final, at height: UInt64) throws(Failure) {
        let known = blocks[height] ?? block
        blocks[height] = known
        try require(known.receipts == block.receipts, .nothingLost, "receipts of height \(height) differ")
    }

    /// Takes in what a directory holds of final blocks, at the end.
    mutating func note(directory store: BlockStore) throws(Failure) {
        let height = try stored(try store.height())
        for at in 0..<height {
            guard let raw = try stored(try store.block(at + 1)), let receipts = try stored(try store.receipts(at + 1)),
                let previous = try stored(try store.header(at))
            else { throw Failure(.nothingLost, "height \(at + 1) is not whole in a directory") }
            let entry = try? Entry(
                raw: raw, position: at + 1, previous: previous.entry, genesis: cast.genesisHash,
                set: try stored(try store.set(at: at + 1)),
                rules: try stored(try store.header(at + 1))?.rulesVersion ?? 0)
            try note(Final(transactions: entry?.transactions ?? [], receipts: receipts), at: at + 1)
        }
    }

    /// What must hold of tables at any moment.
    func checkTables(_ store: BlockStore) throws(Failure) {
        let height = try stored(try store.height())
        try require(height <= certifiedMax, .tablesCertified, "tables at \(height), above \(certifiedMax)")
        for unit in try stored(try store.units()) {
            try require(unit.isConserved, .conserved, "\(unit.code) at height \(height)")
        }
    }

    /// Every answer is the receipt that the chain holds, and no body took effect twice.
    func checkAnswers(_ bank: Bank) throws(Failure) {
        var burnt: [TransactionID: Place] = [:]
        for (height, block) in blocks.sorted(by: { $0.key < $1.key }) {
            for (index, receipt) in block.receipts.enumerated() where receipt.burnsNonce {
                let id = receipt.transaction
                let there = burnt[id]
                try require(
                    there == nil, .nothingLost, "\(id.brief) took effect at \(there?.height ?? 0) and \(height)")
                burnt[id] = Place(height: height, index: UInt32(index))
            }
        }
        for (id, receipt, place) in bank.receipts {
            guard let block = blocks[place.height] else {
                throw Failure(.nothingLost, "\(id.brief) was answered with height \(place.height), which is not there")
            }
            let receipts = block.receipts
            try require(
                Int(place.index) < receipts.count && receipts[Int(place.index)] == receipt, .nothingLost,
                "\(id.brief) was answered with another receipt than stands at \(place.height)")
            if receipt.result == .duplicate {
                try require(
                    receipt.first == burnt[id], .nothingLost, "\(id.brief) is said to stand where it does not")
            }
        }
    }

    /// The tables at their height against a bank that only adds and subtracts.
    func checkBalances(_ store: BlockStore) throws(Failure) {
        let height = try stored(try store.height())
        var model = Model()
        for at in 0..<height {
            guard let block = blocks[at + 1] else {
                throw Failure(.nothingLost, "height \(at + 1) was never shown as certified")
            }
            model.apply(block)
        }
        for code in cast.units {
            var total: UInt64 = 0
            for person in cast.people {
                let summary = try stored(try store.holding(person.id, code)).map(\.summary)
                let found = Model.Balance(
                    pending: summary?.pending ?? 0, available: summary?.available ?? 0, held: summary?.held ?? 0)
                let wanted = model.balance(person.id, code)
                try require(
                    found == wanted, .nothingLost,
                    "\(person.id) has \(found) \(code) at height \(height), not \(wanted)")
                total += found.pending + found.available + found.held
            }
            let outstanding = try stored(try store.unit(code)).map(\.outstanding) ?? 0
            try require(total == outstanding, .conserved, "\(code): holdings sum to \(total), not \(outstanding)")
        }
    }

    /// A certificate that proves nothing, made from a good one where there is one.
    func badCertificate(_ random: inout SeededRandom) -> Certificate? {
        guard let good = certificates[certifiedMax] else { return nil }
        var signatures = good.signatures
        switch random.below(3) {
        case 0:
            let first = signatures[0]
            signatures[0] = .init(validator: first.validator, time: first.time + 1, signature: first.signature)
        case 1: signatures.append(signatures[signatures.count - 1])
        default: signatures.removeLast()
        }
        return Certificate(epoch: good.epoch, height: good.height, header: good.header, signatures: signatures)
    }
}

extension Receipt {
    /// Whether the transaction was judged by its content, once for ever.
    fileprivate var burnsNonce: Bool { result == .done || result >= .signerMissing }
}

/// Reads a directory that must be readable.
func stored<R>(_ read: @autoclosure () throws(StorageError) -> R) throws(Failure) -> R {
    do throws(StorageError) { return try read() } catch { throw Failure(.opens, "\(error)") }
}
