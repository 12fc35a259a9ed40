import Chain
import Ledger
import Node

/// A bug to be planted: every vote that arrives counts, whoever sent it.
struct CarelessVotes: VoteCounting {
    private var votes: [UInt64: [Vote]] = [:]

    func vote(of validator: OrganisationID, at height: UInt64) -> Vote? { nil }
    func votes(at height: UInt64) -> [Vote] { votes[height] ?? [] }
    mutating func count(_ vote: Vote) { votes[vote.height, default: []].append(vote) }
    mutating func forget(upTo height: UInt64) { votes = votes.filter { $0.key > height } }
    mutating func keep(from height: UInt64, where isKept: (Vote) -> Bool) {}
}
