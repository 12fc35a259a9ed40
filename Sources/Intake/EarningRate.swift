/// So many points for so much money: an exact fraction, applied to an order's whole amount and floored once.
public struct EarningRate: Equatable, Sendable {
    /// The largest number of points in a rate.
    public static let pointsMax: UInt64 = 1_000_000_000

    /// Whole points of the unit.
    public let points: UInt64
    /// The money they are given for, in the smallest part of the mapping's money format.
    public let per: UInt64

    public init(points: UInt64, per: UInt64) {
        precondition((1...Self.pointsMax).contains(points) && per > 0)
        self.points = points
        self.per = per
    }

    /// The points for an amount, in the unit's smallest part, which is 10^-`unitDecimals` points.
    /// - Returns: nil when that is more than ``Order/pointsMax``.
    public func points(for money: UInt64, unitDecimals: Int) -> UInt64? {
        let scale: [UInt128] = [1, 10, 100, 1000, 10_000]
        // At most 2^64 · 2^30 · 2^14, which leaves 20 bits free.
        let exact = UInt128(money) * UInt128(points) * scale[unitDecimals] / UInt128(per)
        return exact <= UInt128(Order.pointsMax) ? UInt64(exact) : nil
    }
}
