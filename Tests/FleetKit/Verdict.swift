import Canonical
import Chain
import Crypto
import Foundation
import JSON
import Ledger
import Node
import ServerKit
import Storage
import StorageRocksDB

/// Holds what clients were told, and what must be true of every chain, against what all nodes have in the end.
struct Verdict {
    private let fleet: Fleet
    private let sent: [TransactionID: Traffic.Sent]
    private(set) var complaints: [String] = []
    private(set) var summary = ""
    /// When each node's last process was started.
    private let births: [ContinuousClock.Instant]
    /// The keys by which each organisation votes or has voted.
    private var votingKeys: [OrganisationID: Set<PublicKey>] = [:]

    /// How many of a kind are told of one by one.
    private static let namedMax = 5
    /// Looks at all balances until they are of one height.
    private static let looksMax = 40

    init(_ fleet: Fleet, _ sent: [TransactionID: Traffic.Sent]) {
        self.fleet = fleet
        self.sent = sent
        births = fleet.machines.map(\.launchedAt)
    }

    /// Where a transaction stands in a chain, each time that it does.
    private struct Standing {
        let place: Place
        let receipt: Receipt
        let time: UInt64
    }

    private struct Chain {
        var headers: [Header] = []
        var standings: [TransactionID: [Standing]] = [:]
    }

    /// The nodes run and stand at one height when this begins; they have ended afterwards.
    mutating func judge() throws {
        let nodes = Array(fleet.machines.indices)
        let total = UInt64(fleet.people.count) * Fleet.pointsEach
        for node in nodes {
            // What was taken up may still be on its way while one person after the other is asked for.
            var there: UInt64 = 0
            for _ in 0..<Self.looksMax where there != total { there = try fleet.total(at: node) }
            if there != total { complaints.append("node \(node + 1) tells of \(there) points, and there are \(total)") }
        }
        for node in nodes {
            let last = try fleet.stop(node)
            if last["alarm"] != false { complaints.append("node \(node + 1) ended with an alarm: \(last.text)") }
            let said = fleet.machines[node].said
            for words in ["does not vote any more", "Fatal error", "offence"] where said.contains(words) {
                complaints.append("node \(node + 1) said '\(words)': \(said.suffix(2_000))")
            }
        }
        var first: Chain?
        for node in nodes {
            let chain = try read(node)
            if first == nil { try readKeys(node) }
            do {
                try Fleet.run(["audit", fleet.machines[node].directory])
            } catch { complaints.append("node \(node + 1), audit: \(error)") }
            guard let other = first else {
                first = chain
                continue
            }
            if let height = zip(chain.headers, other.headers).first(where: { $0 != $1 })?.0.height {
                complaints.append("node \(node + 1) has another header than node 1 at height \(height)")
            }
        }
        if let first { compare(first) }
    }

    private func store(_ node: Int) throws -> RocksDBStore {
        try RocksDBStore(directory: "\(fleet.machines[node].directory)/nodes/\(node + 1)/db", mode: .readOnly)
    }

    private mutating func readKeys(_ node: Int) throws {
        let store = try store(node)
        defer { store.close() }
        for organisation in fleet.genesis.organisations {
            votingKeys[organisation.id] = Set([organisation.votingKey].compactMap(\.self))
        }
        var sets: [ValidatorSet] = []
        try store.scan(.sets) { _, value in
            if let set = try? ValidatorSet(canonicalBytes: value) { sets.append(set) }
            return true
        }
        for validator in sets.flatMap(\.validators) { votingKeys[validator.id, default: []].insert(validator.key) }
    }

    private func read(_ node: Int) throws -> Chain {
        let store = try store(node)
        defer { store.close() }
        let blocks = BlockStore(store)
        var chain = Chain()
        for height in 0...(try blocks.height()) {
            guard let block = try blocks.contents(height, genesis: fleet.genesis) else {
                throw Fleet.Failed("node \(node + 1) has no block at \(height)")
            }
            chain.headers.append(block.header)
            for (index, receipt) in block.receipts.enumerated() where sent[receipt.transaction] != nil {
                chain.standings[receipt.transaction, default: []].append(
                    Standing(
                        place: Place(height: height, index: UInt32(index)), receipt: receipt, time: block.header.time))
            }
        }
        let there = try fleet.people.reduce(0) { $0 + (try blocks.holding($1.account, fleet.unit)?.available ?? 0) }
        if there != UInt64(fleet.people.count) * Fleet.pointsEach {
            throw Fleet.Failed("the tables of node \(node + 1) hold \(there) points")
        }
        var offences = 0
        try store.scan(.offences) { _, _ in
            offences += 1
            return true
        }
        if offences > 0 { throw Fleet.Failed("node \(node + 1) holds \(offences) offences of honest validators") }
        return chain
    }

    private mutating func compare(_ chain: Chain) {
        var wrong: [String] = []
        var counts = (certified: 0, refused: 0, promised: 0, promisedThere: 0, late: 0, absent: 0, there: 0)
        // Promised by a process that has lived from then to the end: no death explains it.
        var forgotten = 0
        var (late, absent): ([String: Int], [String: Int]) = ([:], [:])
        for (id, sent) in sent {
            let standings = chain.standings[id] ?? []
            let done = standings.filter { $0.receipt.result == .done }
            if !standings.isEmpty { counts.there += 1 }
            if done.count > 1 { wrong.append("\(id) took effect \(done.count) times, at \(done.map(\.place))") }
            for said in sent.receipts {
                guard let there = standings.first(where: { $0.place == said.place }) else {
                    wrong.append("\(id), which node \(said.node + 1) answered for at \(said.place), is not there")
                    continue
                }
                if there.receipt != said.receipt { wrong.append("\(id) has another receipt at \(said.place)") }
            }
            for refusal in sent.refusals where !standings.contains(where: { $0.place == refusal.place }) {
                wrong.append("\(id), refused as \(refusal.code) at \(refusal.place), is not there")
            }
            counts.certified += sent.receipts.isEmpty ? 0 : 1
            counts.refused += sent.refusals.isEmpty ? 0 : 1
            for promise in sent.promises {
                let keys = votingKeys[promise.validator] ?? []
                if !keys.contains(where: { promise.verifies(genesis: fleet.genesis.hash, key: $0) }) {
                    wrong.append("the word of \(promise.validator) for \(id) does not verify")
                }
            }
            guard let promise = sent.promises.min(by: { $0.orderedBy < $1.orderedBy }) else { continue }
            counts.promised += 1
            guard let place = standings.first else {
                counts.absent += 1
                absent[sent.during, default: 0] += 1
                let node = fleet.machines.indices.first { UInt32($0 + 1) == promise.validator.number }
                if let born = node.map({ births[$0] }), sent.madeAt > born { forgotten += 1 }
                continue
            }
            counts.promisedThere += 1
            guard place.time > promise.orderedBy else { continue }
            counts.late += 1
            late[sent.during, default: 0] += 1
        }
        if counts.certified == 0 || counts.promised == 0 { wrong.append("hardly anything was answered: \(counts)") }
        complaints += wrong.prefix(Self.namedMax)
        if wrong.count > Self.namedMax { complaints.append("and \(wrong.count - Self.namedMax) more of that kind") }
        summary =
            "\(chain.headers.count - 1) blocks. Of \(sent.count) transactions \(counts.there) are in them; "
            + "\(counts.certified) were answered as certified, \(counts.refused) as refused there. "
            + "\(counts.promised) were promised: \(counts.promisedThere) of them are in a block, \(counts.late) later "
            + "than promised\(Self.listed(late)), and \(counts.absent) are in none\(Self.listed(absent)), "
            + "\(forgotten) of them without the death of who promised."
    }

    /// During which faults most of them were made.
    private static func listed(_ counts: [String: Int]) -> String {
        guard !counts.isEmpty else { return "" }
        let named = counts.sorted { $0.value > $1.value }.prefix(namedMax).map { "\($1) \($0)" }
        return " (made during: \(named.joined(separator: ", ")))"
    }
}
