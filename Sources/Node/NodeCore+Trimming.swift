import Chain
import Ledger

/// Letting the order forget what everybody has, so that it stays a ring and never becomes the ledger.
extension NodeCore {
    /// After an entry of this node's own at a position that makes it its turn. Never above the newest certified height:
    /// what is not final must stay where all can read it.
    mutating func trim(at position: UInt64) {
        guard position % configuration.trimEvery == 0 else { return }
        // This node itself has all that is committed.
        let others = executor.set.validators.filter { $0.id != configuration.validator }
        let stored = others.map { votedTo[$0.id] ?? 0 }.reduce(committed, min)
        let floor = min(certified, max(stored, ring.position(keeping: configuration.ringBytesMax)))
        if floor > 0 { effects.append(.trim(below: floor)) }
    }

    /// Whether a vote for a height that is certified is worth a look: not each, since each costs a signature.
    func isWorthNoting(late vote: Vote) -> Bool {
        vote.height % Self.lateVotesEvery == 0 && vote.height > votedTo[vote.validator] ?? 0
            && vote.height + Self.lateVotesEvery > certified
    }

    private static let lateVotesEvery: UInt64 = 16

    mutating func noteVoted(_ validator: OrganisationID, _ height: UInt64) {
        votedTo[validator] = max(height, votedTo[validator] ?? 0)
    }
}

/// How many bytes of entries stand from which position on, as far as this process has seen them.
struct RingSize: Sendable {
    /// Some positions, ascending, and the bytes up to each, the first of them counted from nothing.
    private var marks: [(position: UInt64, bytes: Int)] = []
    private var total = 0

    /// Far enough apart to be few, near enough for a ring of small entries to be cut well.
    private static let bytesEach = 1 << 16
    private static let marksMax = 1 << 14

    mutating func note(_ position: UInt64, bytes: Int) {
        if marks.isEmpty || total - marks[marks.count - 1].bytes >= Self.bytesEach { marks.append((position, total)) }
        total += bytes
        if marks.count > Self.marksMax { marks.removeFirst(Self.marksMax / 2) }
    }

    /// The lowest position from which on no more than so many bytes stand; 0 where all that is known may stay.
    func position(keeping bytesMax: Int) -> UInt64 {
        guard let first = marks.first, total - first.bytes > bytesMax else { return 0 }
        return marks.first { total - $0.bytes <= bytesMax }?.position ?? marks[marks.count - 1].position
    }
}
