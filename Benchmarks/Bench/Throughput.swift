extension Benchmark {
    /// How much a second goes through, and what one of it costs in processor time and written bytes.
    /// - Parameters:
    ///   - each: how much one envelope holds.
    ///   - load: makes the envelopes of a run.
    ///   - submit: sends them and answers how many seconds that took.
    static func throughput(
        _ setting: Setting, _ name: String, each: Int = 1, load: (Int) throws -> [[UInt8]],
        submit: ([[UInt8]]) throws -> Double
    ) throws -> Figure {
        let written = Machine.bytesWritten
        var total = 0.0
        var costs: [Double] = []
        let runs = try setting.measured(load) { load in
            let amount = Double(load.count * each)
            let before = Machine.processorSeconds
            let seconds = try submit(load)
            costs.append((Machine.processorSeconds - before) * 1e6 / amount)
            total += amount
            return amount / seconds
        }
        return Figure(
            name, unit: "1/s", runs: runs,
            details: [
                // Without the run that warms up.
                .init("processorMicrosecondsEach", Statistics.median(Array(costs.dropFirst()))),
                .init("residentBytes", Machine.memory.resident),
                .init("bytesWrittenEach", (Machine.bytesWritten - written) / total),
            ])
    }
}
