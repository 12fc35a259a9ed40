/// Whether a node at the end of its load is as it was after five minutes.
struct Verdict {
    let faults: [String]
    /// By what part resident memory differs. None: the load was too short for two windows that say anything.
    let growth: Double?
    private let windows: [Window]

    /// By how much memory may differ.
    static let toleratedPart = 0.05
    /// Minute around which the first window lies, and the length of both. What fills up by design is full by then.
    static let firstMiddle = 5.0
    static let windowMinutes = 2.0
    static let minutesMin = firstMiddle + 2 * windowMinutes
    /// Table files that the store lets itself hold open (`Options.openFilesMax` of `StorageRocksDB`).
    static let tablesMax = 1000

    /// Some minutes, and what a node held in them: its mean memory, and the medians of all else, since a single sample
    /// may meet a connection that is just closing.
    private struct Window {
        let minutes: ClosedRange<Double>
        let residentBytes: Double
        let descriptors: Int
        let tables: Int
        let threads: Int

        /// Nil where there is no sample of these minutes.
        init?(_ minutes: ClosedRange<Double>, _ all: [Sample]) {
            let samples = all.filter { minutes.contains($0.seconds / 60) }
            guard !samples.isEmpty else { return nil }
            func middle(_ value: (Sample) -> Int) -> Int { samples.map(value).sorted()[samples.count / 2] }
            self.minutes = minutes
            residentBytes = samples.reduce(0) { $0 + $1.residentBytes } / Double(samples.count)
            descriptors = middle { $0.descriptors }
            tables = middle { $0.tables }
            threads = middle { $0.threads }
        }

        var text: String {
            """
            minutes \(Int(minutes.lowerBound)) to \(Int(minutes.upperBound)): \(Sample.megabytes(residentBytes)) MB \
            resident, \(descriptors) descriptors, \(tables) table files, \(threads) threads
            """
        }
    }

    init(_ samples: [Sample], minutes: Double) {
        var faults: [String] = []
        if let most = samples.map(\.tables).max(), most > Self.tablesMax {
            faults.append("\(most) table files were open, and the store's bound is \(Self.tablesMax)")
        }
        let half = Self.windowMinutes / 2
        // The last sample may be a moment late.
        let (middle, end) = (Self.firstMiddle, max(minutes, (samples.last?.seconds ?? 0) / 60))
        guard minutes >= Self.minutesMin, let first = Window(middle - half...middle + half, samples),
            let last = Window(minutes - Self.windowMinutes...end, samples)
        else {
            (growth, windows, self.faults) = (nil, [], faults)
            return
        }
        let growth = last.residentBytes / first.residentBytes - 1
        if abs(growth) > Self.toleratedPart { faults.append("resident memory differs by \(Self.percent(growth))") }
        if first.descriptors != last.descriptors {
            faults.append("\(first.descriptors) descriptors became \(last.descriptors)")
        }
        if first.threads != last.threads { faults.append("\(first.threads) threads became \(last.threads)") }
        (self.growth, windows, self.faults) = (growth, [first, last], faults)
    }

    var holds: Bool { faults.isEmpty }

    var text: String {
        guard let growth else {
            return faults.isEmpty
                ? "Not judged: that takes \(Int(Self.minutesMin)) minutes or more." : faults.joined(separator: "\n")
        }
        return windows.map { "\($0.text)\n" }.joined() + "Resident memory differs by \(Self.percent(growth)), where "
            + "\(Self.percent(Self.toleratedPart)) are allowed. "
            + (holds ? "It holds." : "IT DOES NOT HOLD: " + faults.joined(separator: "; ") + ".")
    }

    private static func percent(_ part: Double) -> String {
        let tenths = Int((abs(part) * 1000).rounded())
        return (part < 0 ? "-" : "") + "\(tenths / 10).\(tenths % 10) %"
    }
}
