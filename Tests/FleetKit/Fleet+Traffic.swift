import Ledger
import Testing

/// A fleet that has work to do while something else happens to it.
extension Fleet {
    /// What came of it.
    public struct Outcome {
        /// What must not be: what clients were told against what all nodes have, audits, points, offences.
        public let complaints: [String]
        /// How often what was not answered as it should be.
        public let failures: [String: Int]
        public let summary: String
    }

    /// Runs `body` while clients pass points on through all nodes. Then everything that they were told is held against
    /// the directories, as after a campaign; all nodes have to run at the end of `body`, and have ended after this.
    public func underTraffic(seed: UInt64, _ body: () throws -> Void) throws -> Outcome {
        let traffic = try Traffic(self, seed: seed)
        let told: (sent: [TransactionID: Traffic.Sent], failures: [String: Int])
        do {
            try body()
            told = traffic.stop()
        } catch {
            _ = traffic.stop()
            throw error
        }
        let all = Array(machines.indices)
        try agree(all, at: all.map { try height($0) }.max() ?? 0)
        var verdict = Verdict(self, told.sent)
        try verdict.judge()
        return Outcome(complaints: verdict.complaints, failures: told.failures, summary: verdict.summary)
    }
}
