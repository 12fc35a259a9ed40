import Crypto
import Ledger
import Node
import Storage

/// The bank's clients, and the end of a run.
extension Simulator {
    func clientActs() throws(Failure) {
        guard let transaction = bank.next(now: now) else { return }
        submit(transaction)
        schedule(.client, in: random.between(1, 2 * scenario.stormMilliseconds / UInt64(scenario.transactions)))
    }

    private func submit(_ transaction: Int) {
        let node = honest[random.below(honest.count)]
        let (envelope, request) = bank.request(transaction)
        schedule(.event(node: node.index, life: nil, .submit(envelope, request: request)), in: delay())
        if happens(50) {
            // Somebody sends the same body under another signature, there or elsewhere.
            let (garbled, request) = bank.garbledRequest(transaction)
            let other = honest[random.below(honest.count)]
            schedule(.event(node: other.index, life: nil, .submit(garbled, request: request)), in: delay())
        }
        schedule(.patience(transaction: transaction), in: random.between(1000, 5000))
    }

    /// What was not answered is sent again, as it is, perhaps to another node.
    func losePatience(_ transaction: Int) {
        if !bank.isAnswered(transaction) { submit(transaction) }
    }

    /// Whether everything is answered, and all nodes stand where the order stood when the faults ceased, and where
    /// answers said that transactions are.
    var isSettled: Bool {
        guard bank.isDone else { return false }
        let target = max(checker.target, bank.highestPlace)
        return honest.allSatisfy { ($0.core?.status.committed ?? 0) >= target }
    }

    /// Where all stand, for whoever reads that they came no further.
    var standing: String {
        let heights = honest.map { node in
            node.core.map { "n\(node.index) \($0.status.executed)/\($0.status.certified)/\($0.status.committed)" }
                ?? "n\(node.index) down"
        }
        return "order at \(log.head), executed/certified/committed: \(heights.joined(separator: ", ")), "
            + "\(bank.answeredCount) of \(bank.count) answered"
    }

    /// After the run: the answers against the chain, the tables against a simpler bank, and every directory once more.
    func finish() throws(Failure) {
        for node in honest { try checker.note(directory: BlockStore(node.disk)) }
        try checker.checkAnswers(bank)
        for node in honest {
            try checker.checkBalances(BlockStore(node.disk))
            // A last power cut: what is left must open, and its tables give their state root.
            crash(node)
            let blocks = BlockStore(node.disk)
            _ = try stored(try blocks.executor(genesis: cast.genesis) { _ in })
            try checker.checkTables(blocks)
        }
    }
}
