internal import CSodium

/// A key that this process makes and never gives away: what it authenticates, only this process can have written.
/// HMAC-SHA-256.
public struct AuthenticationKey: Sendable {
    private let bytes: [UInt8]

    public static let tagCount = 32

    /// A new key from the system's random source.
    public init() { bytes = randomBytes(32) }

    public func tag(_ message: [UInt8]) -> [UInt8] {
        Sodium.start()
        var tag = [UInt8](repeating: 0, count: Self.tagCount)
        let done = unsafe crypto_auth_hmacsha256(&tag, message, UInt64(message.count), bytes)
        precondition(done == 0, "libsodium computes an HMAC")
        return tag
    }

    /// In constant time.
    public func verifies(_ tag: [UInt8], of message: [UInt8]) -> Bool {
        Sodium.start()
        guard tag.count == Self.tagCount else { return false }
        return unsafe crypto_auth_hmacsha256_verify(tag, message, UInt64(message.count), bytes) == 0
    }
}
