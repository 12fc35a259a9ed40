import Canonical
import Chain
import CrashKit
import Crypto
import Foundation
import Glibc
import Ledger
import Node
import Storage
import TestSupport

/// One chain through many deaths: remembers all that its processes ever said and holds the directories against it.
///
/// Nothing here asks a process whether it is well. What is checked is read from the directories after its end, and
/// what is found wrong is collected, so that a test can also ask for something to be wrong.
final class Campaign {
    let bank: Bank
    private(set) var complaints: [String] = []
    private(set) var kills = 0
    private var random: SeededGenerator
    private var session: UInt64

    private struct Given {
        let id: TransactionID
        let place: Place
        let member: OrganisationID
        let result: ResultCode
        let first: Place?
    }

    private struct Lock: Equatable {
        let header: Digest
        let vote: Digest
    }

    /// All certified answers; those from `unchecked` on came since the last look into closed directories.
    private var answers: [Given] = []
    private var unchecked = 0
    /// Sent and not answered: a client would send them again.
    private var open: [TransactionID: Transaction] = [:]
    /// Every lock that was ever read, or said to be written.
    private var locks: [OrganisationID: [UInt64: Lock]] = [:]

    static let reopenMax: Duration = .seconds(5)
    /// Longer than any crash point may take to be passed.
    private static let patience: Duration = .seconds(20)

    /// Makes a chain in `path`, which must not exist or be empty.
    init(_ path: String, validators: Int, seed: UInt64) throws {
        let status = try Child(["create", path, "\(validators)"]).end()
        guard status == 0 else { throw Child.Failed(description: "the chain was not made: \(status)") }
        bank = try Bank(path)
        random = SeededGenerator(seed: seed)
        session = seed &* 1000
    }

    private func complain(_ reason: String) {
        complaints.append("session \(session): \(reason)")
    }

    var answered: Int { answers.count }

    // MARK: Processes

    /// Starts the load, with what nobody answered for, and waits until it runs.
    /// - Returns: nil where it died before.
    func start(_ environment: [String: String] = [:], waits: Bool = true) throws -> Child {
        session += 1
        let again = "\(bank.path)/again"
        let lines = open.values.map { hex($0.bytes) + "\n" }.joined()
        try Data(lines.utf8).write(to: URL(fileURLWithPath: again))
        open = [:]
        let child = try Child(["load", bank.path, "\(session)", again], environment: environment)
        if waits { awaitReady(child) }
        return child
    }

    private func awaitReady(_ child: Child) {
        child.read(for: Self.patience) { word in
            note(word)
            if case .ready = word { return false }
            return true
        }
        if child.age > Self.reopenMax { complain("it took \(child.age) to open") }
    }

    /// Lets it run for a while, or to its own end; without a time, takes what a stopped or dead process had said.
    func listen(_ child: Child, for time: Duration? = nil) {
        child.read(for: time) {
            note($0)
            return true
        }
    }

    /// One process that dies at a point.
    func killed(at point: CrashPoint, count: Int, plant: WitnessStore.Plant? = nil) throws {
        var environment = ["LIANFEN_CRASH_POINT": "\(point.rawValue):\(count)"]
        environment[CrashProcess.plantVariable] = plant?.rawValue
        let child = try start(environment, waits: false)
        awaitReady(child)
        listen(child, for: Self.patience)
        if !finish(child, nil) { complain("\(point.rawValue):\(count) was not passed") }
    }

    /// One process that is killed at a moment nobody chose, now and then while it still opens the directories.
    func killedAtRandom() throws {
        let isEarly = Int.random(in: 0..<4, using: &random) == 0
        let child = try start(waits: !isEarly)
        listen(child, for: .milliseconds(Int.random(in: 0...120, using: &random)))
        _ = finish(child, SIGKILL)
    }

    /// Ends a process and reads what it had left to say.
    /// - Parameter signal: none for one that should have ended by itself; it is not left behind.
    /// - Returns: whether a kill was its end.
    @discardableResult
    func finish(_ child: Child, _ signal: Int32?) -> Bool {
        kills += 1
        let status = child.end(signal ?? (isDead(child) ? nil : SIGTERM))
        listen(child)
        return status & 0x7F == SIGKILL
    }

    private func isDead(_ child: Child) -> Bool {
        let stat = (try? String(contentsOfFile: "/proc/\(child.pid)/stat", encoding: .utf8)) ?? ""
        return ["Z", "X"].contains(stat.split(separator: ")").last?.dropFirst().first)
    }

    /// Opens the chain once more, lets every member come to one height and closes it.
    func settle(_ environment: [String: String] = [:]) throws {
        session += 1
        let child = try Child(["settle", bank.path, "\(session)"], environment: environment)
        awaitReady(child)
        var isSettled = false
        child.read(for: Self.patience) { word in
            note(word)
            if case .settled = word { isSettled = true }
            return true
        }
        if child.end(isSettled ? nil : SIGKILL) != 0 || !isSettled { complain("the chain does not go on") }
    }

    private func note(_ word: Word) {
        switch word {
        case .ready, .settled: break
        case .sent(let transaction): open[transaction.id] = transaction
        case .answer(let id, let place, let member, let result, let first):
            open[id] = nil
            answers.append(Given(id: id, place: place, member: member, result: result, first: first))
        case .lock(let member, let height, let header, let vote):
            note(Lock(header: header, vote: vote), member, height)
        case .failed(let reason): complain("a process says: \(reason)")
        }
    }

    /// Two different votes of one validator for one height must never be seen, wherever the two come from.
    private func note(_ lock: Lock, _ member: OrganisationID, _ height: UInt64) {
        if let there = locks[member]?[height], there != lock {
            complain(
                there.header == lock.header
                    ? "\(member) signed height \(height) twice with two times"
                    : "two votes of \(member) at height \(height)")
        }
        locks[member, default: [:]][height] = lock
    }

    // MARK: Directories

    /// The newest height that any member holds, and its entry in each directory that has one.
    func newestEntries() throws -> (height: UInt64, entries: [[UInt8]]) {
        let height = try bank.members.map { try bank.read($0) { try $0.newestBlock() } }.max()!
        return (height, try entries(at: height))
    }

    /// What the members hold at a height, those that hold nothing left out.
    func entries(at height: UInt64) throws -> [[UInt8]] {
        try bank.members.compactMap { try bank.read($0) { try $0.block(height) } }
    }

    /// Reads every member's directory and holds locks and answers against what was said.
    ///
    /// After a death the tables may lie behind, since their rows wait in memory and need no sync: then the member that
    /// answered must hold the block, from which the next opening makes them again.
    /// - Parameter everything: all answers ever given, not only those since the last close. A chain only grows, so an
    ///   answer that was lost once is still missing at the end.
    func inspect(_ end: End, everything: Bool = false) throws {
        let expected = answers[(everything ? 0 : unchecked)...]
        for member in bank.members {
            try bank.read(member) { blocks in
                try inspectLocks(blocks, member)
                let (height, newestBlock) = (try blocks.height(), try blocks.newestBlock())
                for given in expected {
                    if height >= given.place.height {
                        try inspect(given, blocks, member)
                    } else if member == given.member, end == .closed || newestBlock < given.place.height {
                        complain(
                            "\(member) answered for \(given.id) at \(given.place.height), stands at \(height) and "
                                + "holds blocks up to \(newestBlock)")
                    }
                }
            }
        }
        if end == .closed { unchecked = answers.count }
    }

    /// How the last process came to its end.
    enum End {
        case died, closed
    }

    private func inspectLocks(_ blocks: BlockStore, _ member: OrganisationID) throws {
        var stored: Set<UInt64> = []
        var rows: [(UInt64, [UInt8])] = []
        try blocks.store.scan(.locks) { key, value in
            rows.append((key.reduce(0) { $0 << 8 | UInt64($1) }, value))
            return true
        }
        for (height, bytes) in rows {
            let vote = try Vote(canonicalBytes: bytes)
            note(Lock(header: vote.header, vote: SHA256.hash(bytes)), member, height)
            stored.insert(height)
        }
        for height in (locks[member] ?? [:]).keys.sorted() where !stored.contains(height) {
            complain("\(member) lost its lock of height \(height)")
        }
    }

    private func inspect(_ given: Given, _ blocks: BlockStore, _ member: OrganisationID) throws {
        guard let receipts = try blocks.receipts(given.place.height), given.place.index < receipts.count else {
            return complain("\(member) has no receipt where \(given.id) was")
        }
        let receipt = receipts[Int(given.place.index)]
        if receipt.transaction != given.id || receipt.result != given.result || receipt.first != given.first {
            complain("\(member) has another receipt at \(given.place) than the answer for \(given.id)")
        }
        if try blocks.place(given.id) != given.first ?? given.place {
            complain("\(member) finds \(given.id) elsewhere than at \(given.first ?? given.place)")
        }
    }

    /// Replays every member's directory: the audit, each transaction's effect once, balances equal to the sum of the
    /// receipts, certificates made of nothing but known locks.
    func audit() throws {
        var roots: [UInt64: Digest] = [:]
        for member in bank.members {
            try bank.read(member) { blocks in
                let report = try Audit.run(blocks.store, trusted: bank.genesis)
                if let fault = report.firstWrong {
                    complain("\(member): audit: height \(fault.height), \(fault.part): \(fault.reason)")
                }
                if roots[report.height, default: report.stateRoot] != report.stateRoot {
                    complain("\(member) has another state root at \(report.height)")
                }
                roots[report.height] = report.stateRoot
                try Tally(blocks, bank).compare(complain: { complain("\(member): \($0)") })
                for height in stride(from: 1, through: report.height, by: 1) {
                    guard let certificate = try blocks.certificate(height) else { continue }
                    for part in certificate.signatures
                    where locks[part.validator]?[height]?.header != certificate.header {
                        complain("the certificate of \(height) has a vote of \(part.validator) that has no lock")
                    }
                }
            }
        }
    }
}
