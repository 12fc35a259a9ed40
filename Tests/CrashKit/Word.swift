package import Crypto
import Glibc
package import Ledger

/// What a process under load says, one line each. A line leaves it in one write, so that whatever arrives is whole.
package enum Word: Sendable {
    /// The directories are open and the nodes run.
    case ready
    /// From here on this may be in the chain; without an answer nobody knows.
    case sent(Transaction)
    /// A certified answer.
    case answer(TransactionID, Place, member: OrganisationID, result: ResultCode, first: Place?)
    /// A store said that this lock is on stable storage: from here on the vote may be with others.
    case lock(member: OrganisationID, height: UInt64, header: Digest, vote: Digest)
    /// Every member has certified a transaction that was sent after the opening.
    case settled
    case failed(String)

    private var line: String {
        switch self {
        case .ready: "ready"
        case .sent(let transaction): "sent \(hex(transaction.bytes))"
        case .answer(let id, let place, let member, let result, let first):
            "answer \(id) \(place.height) \(place.index) \(member.number) \(result.rawValue)"
                + (first.map { " \($0.height) \($0.index)" } ?? "")
        case .lock(let member, let height, let header, let vote): "lock \(member.number) \(height) \(header) \(vote)"
        case .settled: "settled"
        case .failed(let reason): "failed \(reason)"
        }
    }

    /// Longest line that a pipe takes whole, whoever else writes.
    private static let bytesMax = 4096

    /// Says it to whoever started this process.
    package func say() {
        let bytes = Array((line + "\n").utf8)
        precondition(bytes.count <= Self.bytesMax, "a line goes into a pipe whole")
        guard write(1, bytes, bytes.count) == bytes.count else { exit(3) }
    }

    package init?(_ line: Substring) {
        let parts = line.split(separator: " ")
        func number(_ index: Int) -> UInt64? { parts.indices.contains(index) ? UInt64(parts[index]) : nil }
        func place(_ index: Int) -> Place? {
            guard let height = number(index), let at = number(index + 1) else { return nil }
            return Place(height: height, index: UInt32(at))
        }
        func digest(_ index: Int) -> Digest? {
            parts.indices.contains(index) ? Digest(hex: String(parts[index])) : nil
        }
        switch parts.first {
        case "ready": self = .ready
        case "settled": self = .settled
        case "failed": self = .failed(String(line.dropFirst(7)))
        case "sent":
            guard parts.count == 2, let bytes = unhex(String(parts[1])),
                let transaction = try? Transaction(envelope: bytes)
            else { return nil }
            self = .sent(transaction)
        case "answer":
            guard let id = digest(1), let at = place(2), let member = number(4), let result = number(5) else {
                return nil
            }
            self = .answer(
                id, at, member: OrganisationID(UInt32(member)), result: ResultCode(rawValue: UInt16(result)),
                first: place(6))
        case "lock":
            guard let member = number(1), let height = number(2), let header = digest(3), let vote = digest(4) else {
                return nil
            }
            self = .lock(member: OrganisationID(UInt32(member)), height: height, header: header, vote: vote)
        default: return nil
        }
    }
}
