internal import CSodium
public import Canonical

/// The signature suites there are. The byte stands in front of every key and signature, so that another (SM2/SM3) can
/// be added without changing what exists.
public enum Suite: UInt8, Sendable {
    case ed25519 = 1
}

/// A public key: suite byte, then 32 bytes.
public struct PublicKey: Hashable, Comparable, Sendable {
    public let suite: Suite
    public let raw: Digest

    public static let byteCount = 33

    /// - Precondition: 32 bytes. Any 32 are taken; those that are no point of the curve verify nothing.
    public init(suite: Suite = .ed25519, bytes: some Collection<UInt8>) {
        self.suite = suite
        raw = Digest(bytes: bytes)
    }

    public static func < (a: Self, b: Self) -> Bool {
        a.suite == b.suite ? a.raw < b.raw : a.suite.rawValue < b.suite.rawValue
    }

    /// Whether `signature` is this key's signature of `message`; a function of these bytes alone.
    public func verifies(_ signature: Signature, of message: [UInt8]) -> Bool {
        guard suite == signature.suite else { return false }
        Sodium.start()
        return unsafe crypto_sign_verify_detached(signature.bytes, message, UInt64(message.count), raw.bytes) == 0
    }
}

extension PublicKey {
    /// The key for key agreement (X25519) that belongs to this one; nil where it is no point of the curve.
    var agreementBytes: [UInt8]? {
        Sodium.start()
        var out = [UInt8](repeating: 0, count: crypto_box_publickeybytes())
        return unsafe crypto_sign_ed25519_pk_to_curve25519(&out, raw.bytes) == 0 ? out : nil
    }

    /// Seals a few bytes so that only the holder of this key can read them; nil where it is no point of the curve.
    func seal(_ content: [UInt8]) -> [UInt8]? {
        guard let key = agreementBytes else { return nil }
        var box = [UInt8](repeating: 0, count: content.count + crypto_box_sealbytes())
        let done = unsafe crypto_box_seal(&box, content, UInt64(content.count), key)
        return done == 0 ? box : nil
    }
}

extension PublicKey: Canonical {
    public func encode(to encoder: inout Encoder) {
        encoder.u8(suite.rawValue)
        encoder.value(raw)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        guard let suite = Suite(rawValue: try decoder.u8()) else { throw decoder.refusal(.unknownSuite) }
        self.suite = suite
        raw = try decoder.value()
    }
}

extension PublicKey: CustomStringConvertible {
    public var description: String { hex(canonicalBytes) }

    public init?(hex text: String) {
        guard let bytes = unhex(text), let key = try? PublicKey(canonicalBytes: bytes) else { return nil }
        self = key
    }
}

/// A signature: suite byte, then 64 bytes.
public struct Signature: Hashable, Sendable {
    public let suite: Suite
    public let bytes: [UInt8]

    /// - Precondition: 64 bytes.
    public init(suite: Suite = .ed25519, bytes: [UInt8]) {
        precondition(bytes.count == 64, "a signature has 64 bytes")
        self.suite = suite
        self.bytes = bytes
    }
}

extension Signature: Canonical {
    public func encode(to encoder: inout Encoder) {
        encoder.u8(suite.rawValue)
        encoder.fixed(bytes)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        guard let suite = Suite(rawValue: try decoder.u8()) else { throw decoder.refusal(.unknownSuite) }
        self.init(suite: suite, bytes: try decoder.fixed(64))
    }
}

/// A secret key in locked memory that is wiped when the last reference goes.
///
/// `@unchecked Sendable` is true because the memory is written only in `init`.
@safe
public final class SecretKey: @unchecked Sendable, CustomStringConvertible {
    private let memory: UnsafeMutablePointer<UInt8>
    public let publicKey: PublicKey

    private static let secretCount = 64
    public static let seedCount = 32

    /// A new key from the system's random source.
    public convenience init() {
        Sodium.start()
        var seed = [UInt8](repeating: 0, count: Self.seedCount)
        unsafe randombytes_buf(&seed, seed.count)
        defer { unsafe sodium_memzero(&seed, seed.count) }
        self.init(seed: seed)
    }

    /// The key that a seed of 32 bytes stands for.
    /// - Precondition: 32 bytes.
    public init(seed: [UInt8]) {
        precondition(seed.count == Self.seedCount, "a seed has 32 bytes")
        Sodium.start()
        unsafe memory = sodium_malloc(Self.secretCount)!.assumingMemoryBound(to: UInt8.self)
        var publicBytes = [UInt8](repeating: 0, count: 32)
        unsafe crypto_sign_seed_keypair(&publicBytes, memory, seed)
        publicKey = PublicKey(bytes: publicBytes)
    }

    deinit { unsafe sodium_free(memory) }

    public func sign(_ message: [UInt8]) -> Signature {
        var out = [UInt8](repeating: 0, count: 64)
        unsafe crypto_sign_detached(&out, nil, message, UInt64(message.count), memory)
        return Signature(bytes: out)
    }

    /// Runs `body` with the seed, which is wiped afterwards.
    func withSeed<R>(_ body: (inout [UInt8]) throws -> R) rethrows -> R {
        var seed = [UInt8](repeating: 0, count: Self.seedCount)
        unsafe crypto_sign_ed25519_sk_to_seed(&seed, memory)
        defer { unsafe sodium_memzero(&seed, seed.count) }
        return try body(&seed)
    }

    /// Opens what was sealed to the public key for key agreement that belongs to this one.
    /// - Returns: nil where it was sealed to another key, or changed.
    func unseal(_ box: [UInt8]) -> [UInt8]? {
        guard box.count >= crypto_box_sealbytes() else { return nil }
        var own = [UInt8](repeating: 0, count: crypto_box_secretkeybytes())
        defer { unsafe sodium_memzero(&own, own.count) }
        unsafe crypto_sign_ed25519_sk_to_curve25519(&own, memory)
        guard let other = publicKey.agreementBytes else { return nil }
        var content = [UInt8](repeating: 0, count: box.count - crypto_box_sealbytes())
        guard unsafe crypto_box_seal_open(&content, box, UInt64(box.count), other, own) == 0 else { return nil }
        return content
    }

    /// Never the secret, whatever prints it.
    public var description: String { "secret key of \(publicKey)" }
}

/// The library wants one call before any other.
enum Sodium {
    static func start() { precondition(started, "libsodium starts") }
    private static let started = sodium_init() >= 0
}

/// Bytes from the system's random source.
public func randomBytes(_ count: Int) -> [UInt8] {
    Sodium.start()
    var out = [UInt8](repeating: 0, count: count)
    unsafe randombytes_buf(&out, count)
    return out
}
