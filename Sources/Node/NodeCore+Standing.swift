public import Chain
public import Crypto

/// Where the node stands, for those who look after it.
extension NodeCore {
    /// One screen's worth of it.
    public var status: Status {
        Status(
            logHead: max(logHead, executed), executed: executed, certified: certified, committed: committed,
            time: committedHeader.time, stateRoot: committedHeader.state, pooled: pool.count,
            validators: executor.set, uncertifiedSince: uncertified?.since, signingStopped: signingStopped,
            rulesVersion: executor.rulesVersion, halted: halted)
    }

    public struct Status: Sendable {
        /// The highest position that was seen in the order.
        public let logHead: UInt64
        public let executed: UInt64
        public let certified: UInt64
        public let committed: UInt64
        /// Block time of the committed height.
        public let time: UInt64
        public let stateRoot: Digest
        public let pooled: Int
        /// Those who govern the height after the newest executed one.
        public let validators: ValidatorSet
        /// Since when, by the node's clock, the order has stood above the certified height without that moving on; nil
        /// where all is certified.
        public let uncertifiedSince: UInt64?
        public let signingStopped: String?
        /// The version of the rules by which the next height is executed.
        public let rulesVersion: UInt32
        public let halted: Halt?

        /// Positions of the order that are not certified.
        public var lag: UInt64 { logHead - min(logHead, certified) }

        /// Whether certificates should long have come for what was ordered: too few validators vote, or they differ.
        public func isOverdue(now: UInt64) -> Bool {
            uncertifiedSince.map { now > $0 + NodeCore.certificateMilliseconds } ?? false
        }
    }

    /// A certificate takes fractions of a second; where it takes longer than this, somebody should look.
    public static let certificateMilliseconds: UInt64 = 10_000

    mutating func noteStanding(_ now: UInt64) {
        if max(logHead, executed) <= certified {
            uncertified = nil
        } else if uncertified?.above != certified {
            uncertified = (now, certified)
        }
    }
}
