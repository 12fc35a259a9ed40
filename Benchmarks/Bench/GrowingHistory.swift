import Glibc
import Ledger
import Wallet

/// One ledger on which accruals go on from benchmark to benchmark: each brings its history to a number of lines and
/// measures the last of them. Natural keys stay unique for ever, so this shows whether to look for them gets dearer.
struct GrowingHistory {
    let setting: Benchmark.Setting
    let accounts: Int
    /// Lines of a batch; as many as there may be where nothing else is asked for.
    var lines = ListBounds.linesMax
    /// Batches of a run, where the history has room for as many.
    var batchesMax = 20
    /// Clients' waits for a single line that are measured.
    var singles = 500

    static func name(accounts: Int) -> String { "history-\(accounts)" }

    /// Goes on where an earlier call ended, or begins anew where there is none or it went further.
    /// - Throws: ``BenchError`` where the runs do not fit between that and `target`.
    func grow(to target: Int, _ name: String) throws -> Figure {
        let ledger = Self.name(accounts: accounts)
        var past = Past(under: setting.directory.ledger(ledger))
        if let there = past, there.lines >= target { past = nil }
        let runs = setting.runs + 1
        let distance = target - (past?.lines ?? 0) - singles
        let batches = min(batchesMax, distance / (lines * runs))
        guard batches > 0 else {
            throw BenchError(
                "runs-too-many",
                "\(runs) runs of \(lines) lines each do not fit between a history of \(past?.lines ?? 0) lines and one "
                    + "of \(target); measure fewer runs")
        }
        if past == nil { setting.directory.remove(ledger) }
        let chain = try BenchChain.prepared(ledger, in: setting.directory, accounts: accounts, kept: true)
        let begin = past ?? Past(lines: 0, bytesBefore: Machine.bytes(under: chain.path))
        // Where this is cut short, nobody knows how far it came.
        Past.forget(under: chain.path)
        let unmeasured = distance - batches * lines * runs
        var figure = try chain.running { running in
            // Made while they are sent: a history is far larger than memory.
            try running.submit(
                count: (unmeasured + lines - 1) / lines, window: Benchmark.batchesUnderWay,
                envelope: filling(chain, from: begin.lines, unmeasured))
            var figure = try Benchmark.throughput(
                setting, name, each: lines,
                load: {
                    Benchmark.accrualBatches(chain, count: batches, lines: lines, accounts: accounts, run: $0)
                },
                submit: { try running.submit($0, window: Benchmark.batchesUnderWay) })
            let times = try running.timesOfEach(
                Benchmark.accrualBatches(chain, count: singles, lines: 1, accounts: accounts, run: runs))
            figure.details += Statistics.latencies(nanoseconds: times)
            return figure.at(target)
        }
        let end = Past(lines: target, bytesBefore: begin.bytesBefore)
        figure.details.append(
            .init("bytesOnDiskEach", (Machine.bytes(under: chain.path) - end.bytesBefore) / Double(end.lines)))
        figure = try Benchmark.opened(figure, chain)
        try end.note(under: chain.path)
        return figure
    }

    /// Makes the batches of so many lines, by their number.
    private func filling(_ chain: BenchChain, from begin: Int, _ count: Int) -> @Sendable (Int) -> [UInt8] {
        let (accounts, lines) = (accounts, lines)
        let first = Machine.now() / 1000
        return { batch in
            let start = batch * lines
            var numbers = Numbers(seed: UInt64(begin + start) << 8 | 0xF1)
            return Benchmark.accrualBatch(
                chain, order: "\(first)-\(start)", lines: min(lines, count - start), accounts: accounts, &numbers)
        }
    }

    /// How far a ledger's history goes.
    private struct Past {
        let lines: Int
        /// What the ledger took up on its disk before its first line.
        let bytesBefore: Double

        init(lines: Int, bytesBefore: Double) {
            self.lines = lines
            self.bytesBefore = bytesBefore
        }

        /// Nil where it is not known.
        init?(under path: String) {
            guard let bytes = try? BenchChain.read(Self.file(path)) else { return nil }
            let words = String(decoding: bytes, as: UTF8.self).split(separator: " ")
            guard words.count == 2, let lines = Int(words[0]), let before = Double(words[1]) else { return nil }
            self.init(lines: lines, bytesBefore: before)
        }

        func note(under path: String) throws(BenchError) {
            try BenchChain.write(Array("\(lines) \(bytesBefore)".utf8), to: Self.file(path))
        }

        static func forget(under path: String) { unlink(file(path)) }

        private static func file(_ path: String) -> String { "\(path)/history" }
    }
}
