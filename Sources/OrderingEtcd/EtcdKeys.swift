/// Where a chain's values stand in etcd.
struct EtcdKeys {
    private let root: String

    init(chain: String) { root = "/lianfen/\(chain)" }

    /// The 16 bytes of the ordering epoch.
    var epoch: String { root + "/epoch" }
    /// The lowest position that is still there, in decimal digits; missing until the ring was first trimmed.
    var floor: String { root + "/floor" }
    /// The newest position, in decimal digits. Only to be watched: it is small, and a watch carries whole values.
    var tip: String { root + "/tip" }

    func entry(_ position: UInt64) -> String { log + Self.digits(position) }

    /// A validator's vote for a height.
    func vote(of validator: UInt32, _ height: UInt64) -> String { votes(of: validator) + Self.digits(height) }

    /// The position of an entry's key; nil for a key of any other form.
    func position(_ key: String) -> UInt64? { Self.number(key, under: log) }

    /// The height of a key of a validator's vote; nil for a key of any other form.
    func height(_ key: String, ofVotesBy validator: UInt32) -> UInt64? {
        Self.number(key, under: votes(of: validator))
    }

    /// Where a validator's votes stand.
    func votes(of validator: UInt32) -> String { root + "/votes/\(validator)/" }

    private static func number(_ key: String, under prefix: String) -> UInt64? {
        guard key.hasPrefix(prefix) else { return nil }
        let digits = key.dropFirst(prefix.count)
        guard digits.utf8.count == digitCount, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return UInt64(digits)
    }

    private var log: String { root + "/log/" }
    /// Keys of so many digits are in order of the numbers.
    private static let digitCount = 20

    private static func digits(_ number: UInt64) -> String {
        let text = String(number)
        return String(repeating: "0", count: digitCount - text.utf8.count) + text
    }
}
