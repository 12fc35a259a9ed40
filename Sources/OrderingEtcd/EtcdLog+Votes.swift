public import Ordering

/// Votes beside the ring, each validator's under a prefix of its own, which its etcd role alone may write.
extension EtcdLog: VoteBoard {
    /// A few votes in Base64 with their keys. Whoever puts up more hides what it has said itself, and nothing else.
    private static let votesBytesMax = 64 << 10

    public func put(_ votes: [PostedVote]) throws(OrderingError) {
        guard let voter = client.configuration.voter, let first = votes.first, let last = votes.last else { return }
        // Whatever is put stays in etcd's history until the ring is compacted: the same vote is put once.
        let there = (try? standing(of: voter, heights: first.height...last.height)) ?? []
        let missing = votes.filter { !there.contains($0) }
        guard !missing.isEmpty else { return }
        let outcome: EtcdOutcome
        do throws(EtcdError) {
            outcome = try client.transact(
                [.holds(keys.epoch, epoch.bytes)],
                then: [.delete(from: keys.vote(of: voter, 0), to: keys.vote(of: voter, first.height))]
                    + missing.map { .put(keys.vote(of: voter, $0.height), $0.bytes) }, repeats: true)
        } catch {
            if error.kind == .refused {
                note(
                    votesComplaint: "this node's votes cannot be put up beside it: \(error); the user of this node has "
                        + "to be allowed to write under \(keys.votes(of: voter))")
            }
            throw .unreachable("\(error)")
        }
        note(votesComplaint: nil)
        guard outcome.succeeded else { throw .foreign("the ring is of another epoch; no vote was put up") }
    }

    public func votes(of validator: UInt32, heights: ClosedRange<UInt64>) throws(OrderingError) -> [PostedVote] {
        do throws(EtcdError) { return try standing(of: validator, heights: heights) } catch {
            if error.kind == .oversized { return [] }
            throw .unreachable("\(error)")
        }
    }

    /// Asked once: whoever waits for votes asks again.
    private func standing(
        of validator: UInt32, heights: ClosedRange<UInt64>
    ) throws(EtcdError) -> [PostedVote] {
        let range = EtcdOperation.range(
            from: keys.vote(of: validator, heights.lowerBound), to: keys.vote(of: validator, heights.upperBound + 1),
            limit: heights.count)
        let outcome = try client.transact(then: [range], repeats: false, bytesMax: Self.votesBytesMax)
        return (outcome.ranges.first ?? []).compactMap { pair in
            keys.height(pair.key, ofVotesBy: validator).map { PostedVote(height: $0, bytes: pair.value) }
        }
    }

    /// Takes down this node's own below a position, as far as that may be: to others' it has no access, and few stand
    /// there, since each puts up only what nobody certifies and takes down its older ones then.
    func trimVotes(below position: UInt64) {
        guard let voter = client.configuration.voter else { return }
        let old = EtcdOperation.delete(from: keys.vote(of: voter, 0), to: keys.vote(of: voter, position))
        _ = try? client.transact([.holds(keys.epoch, epoch.bytes)], then: [old], repeats: true)
    }
}
