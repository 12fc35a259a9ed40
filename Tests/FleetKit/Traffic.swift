import Chain
import Concurrency
import Foundation
import HTTPClient
import JSON
import Ledger
import Node
import TestSupport
import Wallet
import Wire

/// Clients of a fleet's nodes that pass points on among a few people, so that their total stays what it was. Half of
/// them wait for certificates, half are content with a node's word. What each was told is kept.
///
/// `@unchecked Sendable` is true because everything that changes lies in locks, and of the fleet nothing is read but
/// what was fixed when it was founded.
final class Traffic: @unchecked Sendable {
    /// One transaction and what was said of it.
    struct Sent: Sendable {
        let transaction: Transaction
        let madeAt = ContinuousClock.now
        /// What was wrong when it was made.
        let during: String
        /// Certified, by whom, where and with which receipt.
        var receipts: [Said] = []
        /// In a certified block, and refused there.
        var refusals: [(code: String, place: Place)] = []
        var promises: [SubmissionReceipt] = []
    }

    struct Said: Sendable {
        let node: Int
        let place: Place
        let receipt: Receipt
    }

    private struct Book: Sendable {
        var sent: [TransactionID: Sent] = [:]
        /// Nobody answered for them; the newest.
        var open: [TransactionID] = []
        var failures: [String: Int] = [:]
        var present = "nothing"
        var isOver = false
    }

    private let book = Locked(Book())
    private let threads = Locked<[WorkerThread]>([])
    private let urls: [String]
    private let people: [Author]
    private let unit: UnitCode
    private let genesis: Genesis
    private let http: HTTPClient
    private let cancellation = HTTPCancellation()

    static let clients = 6
    /// A client sends, and rests so long.
    private static let restMilliseconds: UInt64 = 60
    /// How long a client stays away from a node that did not answer.
    private static let shunMilliseconds = 3_000
    private static let connectMilliseconds = 2_000
    /// How long it waits for a certificate, and for a node's word.
    private static let waitSeconds = 6
    private static let wordMilliseconds = 4_000
    /// Unanswered transactions that may be sent again.
    private static let openMax = 256

    init(_ fleet: Fleet, seed: UInt64) throws {
        urls = fleet.machines.map(\.url)
        (people, unit, genesis) = (fleet.people, fleet.unit, fleet.genesis)
        http = try HTTPClient(fleet.configuration)
        let started = (0..<Self.clients).map { number in
            WorkerThread("client") { [self] in run(number, SeededGenerator(seed: seed &+ UInt64(number))) }
        }
        threads.withLock { $0 = started }
    }

    /// Ends the clients; answers all that was sent, and how often what failed.
    func stop() -> (sent: [TransactionID: Sent], failures: [String: Int]) {
        book.withLock { $0.isOver = true }
        cancellation.cancel()
        for thread in threads.withLock({ $0 }) { thread.join() }
        return book.withLock { ($0.sent, $0.failures) }
    }

    /// Tells what is wrong now.
    func note(fault: String) { book.withLock { $0.present = fault } }

    private func run(_ number: Int, _ generator: SeededGenerator) {
        var random = generator
        let waits = number.isMultiple(of: 2)
        var shunned = [ContinuousClock.Instant?](repeating: nil, count: urls.count)
        while !book.withLock({ $0.isOver }) {
            let now = ContinuousClock.now
            let awake = urls.indices.filter { shunned[$0].map { $0 < now } ?? true }
            if let node = awake.randomElement(using: &random) {
                let again = Int.random(in: 0..<4, using: &random) == 0 ? takeOpen(using: &random) : nil
                let transaction = again ?? make(using: &random)
                if !send(transaction, to: node, waits: waits) {
                    shunned[node] = now + .milliseconds(Self.shunMilliseconds)
                }
            }
            _ = Waiter<Void>().wait(within: Self.restMilliseconds)
        }
    }

    private func make(using random: inout SeededGenerator) -> Transaction {
        let pair = people.shuffled(using: &random)
        let operation = Operation.transfer(
            from: pair[0].account, to: pair[1].account, unit: unit, amount: UInt64.random(in: 1...9, using: &random))
        let transaction = Transaction.signed(
            [operation], by: [pair[0]], genesis: genesis.hash, now: wallClockMilliseconds())
        book.withLock { $0.sent[transaction.id] = Sent(transaction: transaction, during: $0.present) }
        return transaction
    }

    private func takeOpen(using random: inout SeededGenerator) -> Transaction? {
        book.withLock { book in
            guard let index = book.open.indices.randomElement(using: &random) else { return nil }
            return book.sent[book.open.remove(at: index)]?.transaction
        }
    }

    /// Sends the bytes once, and keeps what was said.
    /// - Returns: whether the node said anything at all.
    private func send(_ transaction: Transaction, to node: Int, waits: Bool) -> Bool {
        var request = HTTPClientRequest(
            "POST", urls[node] + "/v1/transactions",
            headers: [
                HTTPField("Content-Type", "application/octet-stream"),
                HTTPField("Prefer", waits ? "wait=\(Self.waitSeconds)" : "respond-async"),
            ], body: transaction.bytes)
        request.connectMilliseconds = Self.connectMilliseconds
        request.totalMilliseconds = waits ? Self.waitSeconds * 1000 + Self.wordMilliseconds : Self.wordMilliseconds
        do throws(HTTPClientError) {
            note(try http.perform(request, until: cancellation), to: transaction, by: node)
            return true
        } catch {
            note(transaction.id, failure: "\(error.code)", mayBeSentAgain: true)
            return false
        }
    }

    private func note(_ response: HTTPClientResponse, to transaction: Transaction, by node: Int) {
        let id = transaction.id
        guard let json = try? JSONValue(parsing: response.body) else {
            return note(id, failure: "status \(response.status)", mayBeSentAgain: true)
        }
        if response.status == 200 || response.status == 202, let answer = try? Form.submission.parse(json) {
            book.withLock { book in
                if let receipt = answer.receipt, let place = answer.transaction.place {
                    book.sent[id]?.receipts.append(Said(node: node, place: place, receipt: receipt))
                } else if let promise = answer.promise {
                    book.sent[id]?.promises.append(promise)
                }
            }
            if answer.receipt == nil, answer.promise == nil { note(id, failure: "under way", mayBeSentAgain: true) }
            return
        }
        let code = if case .string(let code)? = json["code"] { code } else { "status \(response.status)" }
        if let place = json["place"].flatMap({ try? Form<Place>.place.parse($0) }) {
            book.withLock { $0.sent[id]?.refusals.append((code, place)) }
        }
        note(id, failure: code, mayBeSentAgain: response.status == 503 || response.status == 429)
    }

    private func note(_ id: TransactionID, failure: String, mayBeSentAgain: Bool) {
        book.withLock { book in
            book.failures[failure, default: 0] += 1
            guard mayBeSentAgain else { return }
            if book.open.count == Self.openMax { book.open.removeFirst() }
            book.open.append(id)
        }
    }
}
