/// How long to wait before the next try: longer each time, with chance in it so that many clients do not come back
/// together, and never less than the other side asked for.
struct Backoff {
    static let firstMilliseconds = 100
    static let longestMilliseconds = 5_000
    /// What a `Retry-After` counts for at most.
    static let askedMillisecondsMax = 60_000

    private var ceiling = firstMilliseconds

    /// - Parameter asked: what the other side asked for.
    mutating func next(asked: Int?, using random: inout some RandomNumberGenerator) -> Int {
        defer { ceiling = min(2 * ceiling, Self.longestMilliseconds) }
        let own = Int.random(in: ceiling / 2...ceiling, using: &random)
        guard let asked else { return own }
        return min(asked, Self.askedMillisecondsMax) + own
    }
}
