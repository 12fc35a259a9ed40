internal import CSodium
public import Canonical

/// A secret key at rest: encrypted under a passphrase (Argon2id for the key, XChaCha20-Poly1305 for the seal), or, in
/// development chains only, in the clear and saying so.
///
/// Layout (BCS): magic `LFKEY`, version 1, variant 0 = clear {seed} or 1 = sealed {operations u64, memory bytes u64,
/// salt 16, nonce 24, box 48}, public key. The public key is bound to the box as associated data, so a file whose
/// public part was exchanged does not open.
public struct KeyFile: Sendable {
    enum Content: Sendable {
        case clear(seed: [UInt8])
        case sealed(operations: UInt64, memoryBytes: UInt64, salt: [UInt8], nonce: [UInt8], box: [UInt8])
    }

    let content: Content
    public let publicKey: PublicKey

    public var isSealed: Bool { if case .sealed = content { true } else { false } }

    /// Cost of one guess at a passphrase. `interactive` is some 0.1 s and 64 MiB here, `test` is for tests alone.
    public enum Cost: Sendable { case interactive, test }

    private static let magic = Array("LFKEY".utf8)
    private static let saltCount = 16
    private static let nonceCount = 24
    private static let boxCount = 32 + 16
    private static let operationsMax: UInt64 = 16
    private static let memoryBytesMax: UInt64 = 1 << 30

    /// Keeps a key in the clear.
    public init(clear key: SecretKey) {
        content = .clear(seed: key.withSeed { Array($0) })
        publicKey = key.publicKey
    }

    /// Seals a key under a passphrase.
    public init(sealing key: SecretKey, passphrase: [UInt8], cost: Cost = .interactive) {
        let operations: UInt64 = cost == .interactive ? 2 : 1
        let memoryBytes: UInt64 = cost == .interactive ? 64 << 20 : 8 << 20
        let salt = randomBytes(Self.saltCount)
        let nonce = randomBytes(Self.nonceCount)
        var box = [UInt8](repeating: 0, count: Self.boxCount)
        var secret = Self.derive(passphrase, salt: salt, operations: operations, memoryBytes: memoryBytes)!
        defer { unsafe sodium_memzero(&secret, secret.count) }
        let bound = key.publicKey.canonicalBytes
        key.withSeed { seed in
            _ = unsafe crypto_aead_xchacha20poly1305_ietf_encrypt(
                &box, nil, seed, UInt64(seed.count), bound, UInt64(bound.count), nil, nonce, secret)
        }
        content = .sealed(operations: operations, memoryBytes: memoryBytes, salt: salt, nonce: nonce, box: box)
        publicKey = key.publicKey
    }

    /// The key itself.
    /// - Throws: ``KeyFileError``: no passphrase for a sealed file, a wrong one, or bytes that were changed.
    public func open(passphrase: [UInt8]?) throws(KeyFileError) -> SecretKey {
        var seed: [UInt8]
        switch content {
        case .clear(let clear): seed = clear
        case .sealed(let operations, let memoryBytes, let salt, let nonce, let box):
            guard let passphrase else { throw .passphraseMissing }
            guard
                var secret = Self.derive(passphrase, salt: salt, operations: operations, memoryBytes: memoryBytes)
            else { throw .outOfMemory }
            defer { unsafe sodium_memzero(&secret, secret.count) }
            seed = [UInt8](repeating: 0, count: SecretKey.seedCount)
            let bound = publicKey.canonicalBytes
            let opened = unsafe crypto_aead_xchacha20poly1305_ietf_decrypt(
                &seed, nil, nil, box, UInt64(box.count), bound, UInt64(bound.count), nonce, secret)
            guard opened == 0 else { throw .passphraseWrong }
        }
        defer { unsafe sodium_memzero(&seed, seed.count) }
        let key = SecretKey(seed: seed)
        guard key.publicKey == publicKey else { throw .damaged }
        return key
    }

    private static func derive(
        _ passphrase: [UInt8], salt: [UInt8], operations: UInt64, memoryBytes: UInt64
    ) -> [UInt8]? {
        Sodium.start()
        var out = [UInt8](repeating: 0, count: 32)
        var text = passphrase.map { CChar(bitPattern: $0) }
        defer { unsafe sodium_memzero(&text, text.count) }
        let done = unsafe crypto_pwhash(
            &out, 32, text, UInt64(text.count), salt, operations, Int(memoryBytes), crypto_pwhash_ALG_ARGON2ID13)
        return done == 0 ? out : nil
    }
}

extension KeyFile: Canonical {
    public func encode(to encoder: inout Encoder) {
        encoder.fixed(Self.magic)
        encoder.u8(1)
        switch content {
        case .clear(let seed):
            encoder.variant(0)
            encoder.fixed(seed)
        case .sealed(let operations, let memoryBytes, let salt, let nonce, let box):
            encoder.variant(1)
            encoder.u64(operations)
            encoder.u64(memoryBytes)
            encoder.fixed(salt)
            encoder.fixed(nonce)
            encoder.fixed(box)
        }
        encoder.value(publicKey)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        guard try decoder.fixed(Self.magic.count) == Self.magic, try decoder.u8() == 1 else {
            throw decoder.refusal(.invalidValue)
        }
        if try decoder.variant(below: 2) == 0 {
            content = .clear(seed: try decoder.fixed(SecretKey.seedCount))
        } else {
            let operations = try decoder.u64()
            let memoryBytes = try decoder.u64()
            // The costs come from the file: bounded, so that a planted file cannot take all memory or hours.
            guard (1...Self.operationsMax).contains(operations), (8192...Self.memoryBytesMax).contains(memoryBytes)
            else { throw decoder.refusal(.invalidValue) }
            content = .sealed(
                operations: operations, memoryBytes: memoryBytes, salt: try decoder.fixed(Self.saltCount),
                nonce: try decoder.fixed(Self.nonceCount), box: try decoder.fixed(Self.boxCount))
        }
        publicKey = try decoder.value()
    }
}

extension KeyFile: CustomStringConvertible, CustomReflectable {
    /// Never the secret, whatever prints or dumps it: in a clear file it stands among the fields.
    public var description: String { "\(isSealed ? "sealed" : "clear") key file of \(publicKey)" }

    public var customMirror: Mirror { Mirror(self, children: ["publicKey": publicKey, "isSealed": isSealed]) }
}

/// Why a key file does not open. Says nothing of the passphrase itself.
public enum KeyFileError: String, Error, Sendable {
    case passphraseMissing = "the key is sealed and no passphrase was given"
    case passphraseWrong = "the passphrase does not open this key, or the file was changed"
    case outOfMemory = "not enough memory to try the passphrase"
    case damaged = "the secret does not belong to the public key beside it"
}
