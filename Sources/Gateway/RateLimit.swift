import Concurrency

/// How many requests an address may make: so many a second, and as many at once after a pause. Counted in thousandths
/// of a request, by the machine's own clock.
final class RateLimit: Sendable {
    private struct Bucket {
        var thousandths: UInt64
        var at: UInt64
    }

    private let perSecond: UInt64
    private let buckets = Locked<[String: Bucket]>([:])

    /// Addresses that are remembered; where there are more, those who have been quiet for a second are forgotten, and
    /// then all.
    private static let addressesMax = 65_536

    init(perSecond: UInt64) { self.perSecond = perSecond }

    /// - Parameter cost: requests that this one counts as.
    func allows(_ address: String, cost: UInt64 = 1, now: UInt64) -> Bool {
        let full = perSecond * 1000
        return buckets.withLock { buckets in
            if buckets.count >= Self.addressesMax {
                buckets = buckets.filter { $0.value.at + 1000 > now }
                if buckets.count >= Self.addressesMax { buckets = [:] }
            }
            var bucket = buckets[address] ?? Bucket(thousandths: full, at: now)
            let passed = min(now - min(now, bucket.at), 1000)
            bucket.thousandths = min(full, bucket.thousandths + passed * perSecond)
            bucket.at = now
            let isAllowed = bucket.thousandths >= cost * 1000
            if isAllowed { bucket.thousandths -= cost * 1000 }
            buckets[address] = bucket
            return isAllowed
        }
    }
}
