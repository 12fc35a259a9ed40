import Ledger
import Node
import Ordering

/// Figures of those on whom a node depends.
extension Metrics {
    /// Peers are labelled by the number of their organisation, members of the ordering cluster by their host and port,
    /// of both of which there are few.
    static func text(_ network: NetworkStanding) -> String {
        var out = ""
        func figures(_ name: String, _ type: String, _ about: String, _ value: (PeerStanding) -> UInt64) {
            out += head(name, type, about)
            for peer in network.peers { out += "\(name){peer=\"\(peer.organisation.number)\"} \(value(peer))\n" }
        }
        figures("lianfen_peer_height", "gauge", "Newest height at which a peer said to stand.") { $0.height }
        figures("lianfen_peer_answering", "gauge", "1 where the last request to a peer went well.") {
            $0.isAnswering ? 1 : 0
        }
        figures("lianfen_peer_answered_milliseconds", "gauge", "When a peer last answered, since 1970 UTC.") {
            $0.answeredAt ?? 0
        }
        figures("lianfen_peer_failures_total", "counter", "Requests to a peer that failed.") { $0.failures }
        guard let order = network.ordering else { return out }
        func one(_ name: String, _ about: String, _ value: UInt64) {
            out += head(name, "gauge", about) + "\(name) \(value)\n"
        }
        one(
            "lianfen_ordering_failing", "1 where the last call to the ordering engine failed.",
            order.complaint == nil ? 0 : 1)
        one("lianfen_ordering_bytes", "What the ordering engine takes on its disks.", order.bytes)
        one("lianfen_ordering_bytes_max", "What it may take.", order.bytesMax)
        one(
            "lianfen_ordering_filling", "1 where it is so full that somebody should look at it.",
            order.isFilling ? 1 : 0)
        one("lianfen_ordering_closed", "1 where it is so full that nothing more is ordered.", order.isClosed ? 1 : 0)
        out += head(
            "lianfen_ordering_member_up", "gauge",
            "1 where a member of the ordering cluster answers, as one of a quorum.")
        for member in order.members {
            out += "lianfen_ordering_member_up{member=\"\(escaped(member.place))\"} \(member.isAnswering ? 1 : 0)\n"
        }
        return out
    }
}
