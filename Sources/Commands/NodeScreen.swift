import Concurrency
import Crypto
import JSON
import Ledger
import Node
import Ordering
import Terminal

/// What a running node shows: a status line where there is a terminal, a line of JSON for each new height, and a
/// sentence whenever something begins or ceases to be wrong.
final class NodeScreen {
    private let console: Console
    private let transactions: Counter
    private var shown: (height: UInt64, isOverdue: Bool) = (0, false)
    private var wasBehind = false
    private var wasSilent: String?
    private var orderSaid: (sentence: String, at: UInt64)?
    /// URLs of members of the ordering cluster that were said not to answer.
    private var silentMembers: Set<String> = []

    /// The order's complaints come and go with each call; the same one is told of at most this often.
    private static let complaintEveryMilliseconds: UInt64 = 30_000

    init(_ console: Console, _ transactions: Counter) {
        self.console = console
        self.transactions = transactions
    }

    func refresh(_ status: NodeCore.Status, _ network: NetworkStanding?) {
        let now = wallClockMilliseconds()
        let isOverdue = status.isOverdue(now: now)
        tellOfAlarm(status, isOverdue)
        tellOfClock(status, now)
        if let reason = status.signingStopped, reason != wasSilent {
            wasSilent = reason
            console.note("This validator does not vote any more: \(reason).")
        }
        if let order = network?.ordering {
            tellOfOrder(order, now)
            tellOfMembers(order.members)
        }
        console.setStatus(line(status, network, now))
        if console.json, status.committed != shown.height || isOverdue != shown.isOverdue {
            console.answer(json(status, network), text: "")
        }
        shown = (status.committed, isOverdue)
    }

    private func tellOfAlarm(_ status: NodeCore.Status, _ isOverdue: Bool) {
        guard isOverdue != shown.isOverdue else { return }
        console.note(
            isOverdue
                ? "Alarm: the order has come to height \(status.logHead), and nothing above \(status.certified) is "
                    + "certified for more than \(NodeCore.certificateMilliseconds / 1000) s. Too few validators vote, "
                    + "or their headers differ: look at those whose nodes do not answer."
                : "Certificates come again; height \(status.certified) is certified.")
    }

    private func tellOfClock(_ status: NodeCore.Status, _ now: UInt64) {
        let isBehind = now + NodeCore.clockBehindMaxMilliseconds < status.time
        if isBehind, !wasBehind {
            console.note(
                "This machine's clock has fallen behind the certified time by more than "
                    + "\(NodeCore.clockBehindMaxMilliseconds / 1000) s: its validators do not vote until it is set.")
        }
        wasBehind = isBehind
    }

    private func tellOfOrder(_ order: OrderingCondition, _ now: UInt64) {
        let sentence: String
        if let complaint = order.complaint {
            sentence = "The order of entries cannot be used: \(complaint)"
        } else if order.isClosed {
            sentence =
                "The ordering cluster is so full that nothing more is ordered: raise its quota, or defragment it."
        } else if order.isFilling {
            sentence = "The ordering cluster is filling: \(order.bytes) of \(order.bytesMax) bytes are taken."
        } else {
            return
        }
        if let said = orderSaid, said.sentence == sentence, now < said.at + Self.complaintEveryMilliseconds { return }
        orderSaid = (sentence, now)
        console.note(sentence)
    }

    private func tellOfMembers(_ members: [OrderingMember]) {
        for member in members {
            if let failure = member.failure {
                guard silentMembers.insert(member.url).inserted else { continue }
                console.note("The ordering cluster's member \(member.url) does not answer: \(failure)")
            } else if silentMembers.remove(member.url) != nil {
                console.note("The ordering cluster's member \(member.url) answers again.")
            }
        }
    }

    private func line(_ status: NodeCore.Status, _ network: NetworkStanding?, _ now: UInt64) -> String {
        let age = (now - min(now, status.time)) / 1000
        var parts = ["certified \(status.certified)", "executed \(status.executed)"]
        if let network {
            parts = ["log \(status.logHead)", "certified \(status.certified)", "lag \(status.lag)"]
            let peers = network.peers.map { "\($0.organisation.number):\($0.isAnswering ? "\($0.height)" : "-")" }
            parts.append("peers \(peers.isEmpty ? "none" : peers.joined(separator: " "))")
            if network.ordering?.complaint != nil { parts.append("ORDER FAILS") }
        }
        if status.isOverdue(now: now) { parts.insert("ALARM: no certificates", at: 0) }
        parts += ["transactions \(transactions.value)", "block time \(age) s ago"]
        return parts.joined(separator: "  ")
    }

    func json(_ status: NodeCore.Status, _ network: NetworkStanding?) -> JSONValue {
        var members: [JSONValue.Member] = [
            .init("height", JSONValue(status.committed)), .init("stateRoot", .string(status.stateRoot.description)),
            .init("time", JSONValue(status.time)), .init("transactions", JSONValue(transactions.value)),
            .init("logHeight", JSONValue(status.logHead)), .init("certified", JSONValue(status.certified)),
            .init("lag", JSONValue(status.lag)), .init("alarm", .bool(status.isOverdue(now: wallClockMilliseconds()))),
        ]
        if let network {
            let order = network.ordering.map { order -> JSONValue in
                [
                    "complaint": order.complaint.map { .string($0) } ?? .null, "bytes": JSONValue(order.bytes),
                    "bytesMax": JSONValue(order.bytesMax),
                ]
            }
            members.append(.init("ordering", order ?? .null))
            members.append(
                .init(
                    "peers",
                    .array(
                        network.peers.map { peer in
                            [
                                "organisation": JSONValue(peer.organisation.number), "height": JSONValue(peer.height),
                                "answering": .bool(peer.isAnswering),
                                "failure": peer.failure.map { .string($0) } ?? .null,
                            ]
                        })))
        }
        return .object(members)
    }
}
