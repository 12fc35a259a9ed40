/// One thing that is measured, in a process of its own.
public struct Benchmark: Sendable {
    public let name: String
    /// One line for the list.
    public let about: String
    /// The figure to which this one's ratio is; none where a ratio means nothing.
    public let ratioTo: String?
    /// What the project promises at the least, and what it strives for.
    public let floor: Bound?
    public let goal: Bound?
    /// For a point of a curve: how many accounts or lines it is for. 0 of everything else.
    public let size: Int
    /// What it leaves on the disk, where that is much.
    let ledger: Ledger?
    let run: @Sendable (Setting) throws -> [Figure]

    /// A ledger that several benchmarks may share, and the most that it takes up while one of them works on it.
    struct Ledger: Sendable {
        let name: String
        let bytes: Double
    }

    public enum Bound: Sendable {
        case atLeast(Double)
        case atMost(Double)
        case ratioAtLeast(Double)

        public func holds(_ figure: Figure) -> Bool? {
            switch self {
            case .atLeast(let least): figure.value >= least
            case .atMost(let most): figure.value <= most
            case .ratioAtLeast(let least): figure.ratio.map { $0 >= least }
            }
        }
    }

    /// Where and how long a benchmark is run.
    public struct Setting: Sendable {
        public let directory: BenchDirectory
        /// Measured runs after the one that warms up.
        public let runs: Int
        /// A path to the tool itself, for what is measured from outside.
        public let tool: String

        public init(directory: BenchDirectory, runs: Int = 5, tool: String) {
            self.directory = directory
            self.runs = runs
            self.tool = tool
        }

        /// Warms up, then measures. What a run needs is made outside of what it times.
        func measured<Load>(
            _ load: (Int) throws -> Load, _ run: (Load) throws -> Double
        ) rethrows -> [Double] {
            _ = try run(try load(0))
            return try (1...runs).map { try run(try load($0)) }
        }
    }

    init(
        _ name: String, _ about: String, ratioTo: String? = nil, floor: Bound? = nil, goal: Bound? = nil,
        size: Int = 0, ledger: Ledger? = nil, run: @escaping @Sendable (Setting) throws -> [Figure]
    ) {
        self.name = name
        self.about = about
        self.ratioTo = ratioTo
        self.floor = floor
        self.goal = goal
        self.size = size
        self.ledger = ledger
        self.run = run
    }

    /// Measures. The first figure is the benchmark's own; others that come with it have its name as their prefix.
    public func measure(_ setting: Setting) throws -> [Figure] {
        let figures = try run(setting)
        #if DEBUG
            return figures.map { figure in
                var figure = figure
                figure.doubts.append("it comes from a debug build")
                return figure
            }
        #else
            return figures
        #endif
    }

    /// All of them, in the order in which they are run.
    public static let all: [Benchmark] =
        [verifyLimit] + transfers + accruals + latencies + http + imports + openings + backups
        + consortium + postgres

    /// Points of the curves of growth, those of a curve one after the other from the smallest on.
    public static let growth: [Benchmark] = accountsGrowth + historyGrowth + batchGrowth

    /// The most that large ledgers of these take up on the disk together.
    public static func bytesOnDisk(_ benchmarks: [Benchmark]) -> Double {
        let ledgers = benchmarks.compactMap(\.ledger).map { ($0.name, $0.bytes) }
        return Dictionary(ledgers, uniquingKeysWith: max).values.reduce(0, +)
    }
}
