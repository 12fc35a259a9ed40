/// Several benchmarks, one after the other, each in a process of its own.
public struct Suite: Sendable {
    private let setting: Benchmark.Setting
    private var medians: [String: Double] = [:]
    private var doubts: [String] = []

    public init(_ setting: Benchmark.Setting) { self.setting = setting }

    /// Runs one and puts what it measured in relation to what was measured before.
    /// - Parameter arguments: with which the tool measures this one alone and prints each figure's ``Figure/line``.
    public mutating func run(_ benchmark: Benchmark, arguments: [String]) throws -> [Figure] {
        let (lines, code) = try Child(setting.tool, arguments).finish()
        guard code == 0 else {
            throw BenchError("benchmark-failed", "\(benchmark.name) did not come to its end")
        }
        var figures = lines.compactMap { Figure(line: $0) }
        for index in figures.indices {
            let figure = figures[index]
            medians[figure.name] = figure.value
            if let other = benchmark.ratioTo.flatMap({ medians[$0] }), other > 0 {
                figures[index].ratio = figure.value / other
            }
            // Where the machine was too busy, it was so for all that comes after.
            figures[index].doubts += doubts
        }
        if benchmark.name == Benchmark.verifyLimit.name {
            doubts = figures.flatMap { figure in figure.doubts.map { "\(figure.name): \($0)" } }
        }
        return figures
    }
}
