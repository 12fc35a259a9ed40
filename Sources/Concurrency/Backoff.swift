/// How long to wait before the next try: longer each time, with chance in it so that many clients do not come back
/// together, and never less than the other side asked for.
public struct Backoff: Sendable {
    public static let firstMilliseconds = 100
    public static let longestMilliseconds = 5_000
    /// What a `Retry-After` counts for at most.
    public static let askedMillisecondsMax = 60_000

    private var ceiling: Int
    private let longest: Int

    public init(first: Int = firstMilliseconds, longest: Int = longestMilliseconds) {
        ceiling = first
        self.longest = longest
    }

    /// Milliseconds to wait.
    /// - Parameter asked: what the other side asked for.
    public mutating func next(asked: Int? = nil, using random: inout some RandomNumberGenerator) -> Int {
        defer { ceiling = min(2 * ceiling, longest) }
        let own = Int.random(in: ceiling / 2...ceiling, using: &random)
        guard let asked else { return own }
        return min(asked, Self.askedMillisecondsMax) + own
    }
}
