import Concurrency
import HTTPServer
import Node

/// What the gateway counts, as Prometheus reads it. Labels are routes and statuses, never an id.
final class Metrics: Sendable {
    private struct Key: Hashable {
        let route: String
        let status: Int
    }

    private struct Counts {
        var requests: [Key: UInt64] = [:]
        var bytesOut: UInt64 = 0
        var buckets = [UInt64](repeating: 0, count: Metrics.boundsMicroseconds.count + 1)
        var microseconds: UInt64 = 0
        var transactions: [String: UInt64] = [:]
    }

    private static let boundsMicroseconds: [UInt64] = [
        100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000,
    ]

    private let counts = Locked(Counts())

    func note(_ record: HTTPRecord) {
        let bucket =
            Self.boundsMicroseconds.firstIndex { record.durationMicroseconds <= $0 } ?? Self.boundsMicroseconds.count
        counts.withLock { counts in
            counts.requests[Key(route: record.route, status: record.status), default: 0] += 1
            counts.bytesOut += record.bytesOut
            // A stream's time says nothing about how fast requests are answered.
            guard !record.route.hasSuffix("events") else { return }
            counts.buckets[bucket] += 1
            counts.microseconds += record.durationMicroseconds
        }
    }

    /// A transaction was answered for, with this result.
    func note(result: String) { counts.withLock { $0.transactions[result, default: 0] += 1 } }

    func text(
        _ status: NodeCore.Status, isOverdue: Bool, age: UInt64, underWay: Int, rulesKnown: UInt32,
        _ network: NetworkStanding?, _ server: HTTPServer.Statistics?
    ) -> String {
        let counts = counts.withLock { $0 }
        var out = ""
        func help(_ name: String, _ type: String, _ about: String) {
            out += Self.head(name, type, about)
        }
        func one(_ name: String, _ type: String, _ about: String, _ value: some BinaryInteger) {
            help(name, type, about)
            out += "\(name) \(value)\n"
        }
        one("lianfen_height_log", "gauge", "Highest position seen in the order.", status.logHead)
        one("lianfen_height_certified", "gauge", "Newest certified height.", status.certified)
        one("lianfen_height_executed", "gauge", "Newest executed height.", status.executed)
        one("lianfen_height_committed", "gauge", "Height at which the tables and all answers stand.", status.committed)
        one("lianfen_lag", "gauge", "Positions of the order that are not certified.", status.lag)
        one(
            "lianfen_certificates_overdue", "gauge",
            "1 where the order stands above the certified height and that does not move on.", isOverdue ? 1 : 0)
        if let network { out += Self.text(network) }
        one("lianfen_head_age_milliseconds", "gauge", "Age of the newest certified block by its time.", age)
        one("lianfen_pool_transactions", "gauge", "Transactions that wait or are under way.", status.pooled)
        one("lianfen_submissions_under_way", "gauge", "Transactions that this gateway waits for.", underWay)
        one("lianfen_rules_version", "gauge", "Version of the rules of the next height.", status.rulesVersion)
        one("lianfen_rules_known", "gauge", "Newest version of the rules that the program knows.", rulesKnown)
        one("lianfen_halted", "gauge", "1 where the node has stopped.", status.halted == nil ? 0 : 1)
        help("lianfen_transactions_total", "counter", "Transactions answered for, by result.")
        for (result, count) in counts.transactions.sorted(by: { $0.key < $1.key }) {
            out += "lianfen_transactions_total{result=\"\(result)\"} \(count)\n"
        }
        help("lianfen_http_requests_total", "counter", "Requests, by route and status.")
        for (key, count) in counts.requests.sorted(by: { ($0.key.route, $0.key.status) < ($1.key.route, $1.key.status) }
        ) {
            out += "lianfen_http_requests_total{route=\"\(key.route)\",status=\"\(key.status)\"} \(count)\n"
        }
        help("lianfen_http_request_seconds", "histogram", "From the end of a request's head to the end of its answer.")
        var sum: UInt64 = 0
        for (index, bound) in Self.boundsMicroseconds.enumerated() {
            sum += counts.buckets[index]
            out += "lianfen_http_request_seconds_bucket{le=\"\(Self.seconds(bound))\"} \(sum)\n"
        }
        sum += counts.buckets[Self.boundsMicroseconds.count]
        out += "lianfen_http_request_seconds_bucket{le=\"+Inf\"} \(sum)\n"
        out += "lianfen_http_request_seconds_sum \(Self.seconds(counts.microseconds))\n"
        out += "lianfen_http_request_seconds_count \(sum)\n"
        one("lianfen_http_answer_bytes_total", "counter", "Bytes of answers.", counts.bytesOut)
        if let server {
            one("lianfen_http_connections", "gauge", "Connections open.", server.connections)
            one("lianfen_http_streams", "gauge", "Event streams open.", server.streams)
            one("lianfen_http_body_bytes", "gauge", "Bytes of request bodies in memory.", server.bodiesBytes)
            one("lianfen_http_shed_total", "counter", "Connections and requests shed for want of room.", server.shed)
            one("lianfen_http_timeouts_total", "counter", "Requests that did not come in time.", server.timeouts)
        }
        return out
    }

    static func head(_ name: String, _ type: String, _ about: String) -> String {
        "# HELP \(name) \(about)\n# TYPE \(name) \(type)\n"
    }

    /// Microseconds as decimal seconds, without a floating point number.
    private static func seconds(_ microseconds: UInt64) -> String {
        let fraction = String(microseconds % 1_000_000)
        return "\(microseconds / 1_000_000)." + String(repeating: "0", count: 6 - fraction.count) + fraction
    }
}
