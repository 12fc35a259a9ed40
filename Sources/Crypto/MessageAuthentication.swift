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

/// Base64 of the kind that stands in an address or a header as it is, without padding.
public func base64URL(_ bytes: [UInt8]) -> String {
    let variant = Int32(sodium_base64_VARIANT_URLSAFE_NO_PADDING)
    var out = [CChar](repeating: 0, count: sodium_base64_encoded_len(bytes.count, variant))
    _ = unsafe sodium_bin2base64(&out, out.count, bytes, bytes.count, variant)
    return String(decoding: out.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// The bytes of such a text, or nil where it is none. One text for one value.
public func unbase64URL(_ text: String) -> [UInt8]? {
    let variant = Int32(sodium_base64_VARIANT_URLSAFE_NO_PADDING)
    let characters = Array(text.utf8).map { CChar(bitPattern: $0) }
    var out = [UInt8](repeating: 0, count: characters.count)
    var count = 0
    let done = unsafe sodium_base642bin(
        &out, out.count, characters, characters.count, nil, &count, nil, variant)
    guard done == 0 else { return nil }
    let bytes = Array(out[0..<count])
    return base64URL(bytes) == text ? bytes : nil
}
