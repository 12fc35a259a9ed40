/// One measured figure, as `lianfen bench` prints it.
public struct Figure: Sendable {
    /// Such as `accrual-lines`: what a table of floors and goals calls it.
    public let name: String
    /// The median of the runs.
    public var value: Double
    public let unit: String
    /// To what ``Benchmark/ratioTo`` names, where that was measured in the same run.
    public var ratio: Double?
    /// Every run's value, in the order in which they were made.
    public let runs: [Double]
    /// What else was seen: quantiles, memory, bytes.
    public var details: [Detail]
    /// Why the figure should not be believed.
    public var doubts: [String] = []

    public struct Detail: Sendable {
        public let name: String
        public let value: Double

        public init(_ name: String, _ value: Double) {
            self.name = name
            self.value = value
        }
    }

    /// A figure of several runs.
    public init(_ name: String, unit: String, runs: [Double], details: [Detail] = []) {
        self.name = name
        self.unit = unit
        self.runs = runs
        self.details = details
        value = Statistics.median(runs)
        if spread > Self.spreadMax {
            doubts.append("its runs differ by \(Int((spread * 100).rounded())) % of their median")
        }
    }

    /// From the least run to the greatest, as a part of the median.
    public var spread: Double { Statistics.spread(runs) }

    /// Runs that lie further apart than this, as a part of their median, are noise.
    static let spreadMax = 0.3
}

enum Statistics {
    /// The middle one; the mean of both middle ones where their number is even. 0 of none.
    static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        guard !sorted.isEmpty else { return 0 }
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }

    /// From the least to the greatest, as a part of the median.
    static func spread(_ values: [Double]) -> Double {
        guard let low = values.min(), let high = values.max(), median(values) > 0 else { return 0 }
        return (high - low) / median(values)
    }

    /// The least value that at least this part of all values does not exceed.
    static func quantile(_ part: Double, ofSorted values: [Double]) -> Double {
        guard !values.isEmpty else { return 0 }
        let rank = Int((part * Double(values.count)).rounded(.up))
        return values[min(max(rank, 1), values.count) - 1]
    }

    /// p50, p99, p99.9 and the longest of these, in milliseconds.
    static func latencies(nanoseconds: [UInt64]) -> [Figure.Detail] {
        let sorted = nanoseconds.map { Double($0) / 1e6 }.sorted()
        return [
            .init("p50Milliseconds", quantile(0.5, ofSorted: sorted)),
            .init("p99Milliseconds", quantile(0.99, ofSorted: sorted)),
            .init("p999Milliseconds", quantile(0.999, ofSorted: sorted)),
            .init("maxMilliseconds", sorted.last ?? 0),
        ]
    }
}
