/// What pgbench says at the end of a run.
struct PgbenchReport: Equatable {
    /// Transactions of a script that were done.
    let transactions: Int
    /// How many a second, without the time of connecting.
    let rate: Double

    /// - Parameter lines: what it wrote to its output.
    /// - Throws: ``BenchError`` where something is missing, or a transaction failed.
    init(_ lines: [String]) throws(BenchError) {
        func number<N: LosslessStringConvertible>(_ start: String) -> N? {
            guard let line = lines.first(where: { $0.hasPrefix(start) }) else { return nil }
            return N(String(line.dropFirst(start.count).prefix { $0.isNumber || $0 == "." }))
        }
        guard let transactions: Int = number("number of transactions actually processed: "), transactions > 0,
            let failed: Int = number("number of failed transactions: "), failed == 0,
            let rate: Double = number("tps = ")
        else {
            throw BenchError("postgresql", "pgbench did not do its work: \(lines.joined(separator: "; "))")
        }
        self.transactions = transactions
        self.rate = rate
    }

    /// How long each transaction took, from the file that `--log` writes: the third word of a line, in microseconds.
    static func nanoseconds(log lines: [String]) throws(BenchError) -> [UInt64] {
        var times: [UInt64] = []
        for line in lines {
            let words = line.split(separator: " ")
            guard words.count >= 6, let microseconds = UInt64(words[2]) else {
                throw BenchError("postgresql", "pgbench wrote no time: \(line)")
            }
            times.append(microseconds * 1000)
        }
        return times
    }
}
