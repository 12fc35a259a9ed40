internal import CSodium
public import Canonical

/// Bytes that only those can read to whose public keys they are addressed.
///
/// Each parcel has its own random nonce; the parcels of one ``ParcelSealer`` have one random key, which stands in each
/// of them once for every addressee, sealed to that addressee's key (libsodium's sealed box over X25519, to which the
/// Ed25519 key is converted). The content is sealed with XChaCha20-Poly1305, and everything that stands before it is
/// bound to it, with what the parcel is to stand for: a parcel that was put in another's place does not open.
///
/// Layout (BCS): magic `LFPARCEL`, version 1, the addressees {public key, box of 80 bytes} in ascending order of key,
/// the nonce of 24 bytes, the sealed content with its length.
public struct Parcel: Sendable, Equatable {
    struct Addressee: Sendable, Equatable {
        let key: PublicKey
        let box: [UInt8]
    }

    let addressees: [Addressee]
    let nonce: [UInt8]
    let box: [UInt8]

    public static let addresseesMax = 16
    /// Bytes of content that a parcel may have.
    public static let contentBytesMax = 64 << 20
    /// Bytes that a parcel may have beside its content.
    public static let overheadBytesMax = 4096
    private static let magic = Array("LFPARCEL".utf8)
    static let nonceCount = 24
    static let tagCount = 16
    static let boxCount = ParcelSealer.keyCount + 48

    /// To whom it is addressed, in ascending order.
    public var recipients: [PublicKey] { addressees.map(\.key) }

    /// Its content.
    /// - Parameter bound: what the parcel was sealed for.
    /// - Throws: ``ParcelError``: addressed to others, or changed, or sealed for something else.
    public func open(with key: SecretKey, bound: [UInt8]) throws(ParcelError) -> [UInt8] {
        guard let addressee = addressees.first(where: { $0.key == key.publicKey }) else { throw .addressedToOthers }
        guard var secret = key.unseal(addressee.box) else { throw .damaged }
        defer { unsafe sodium_memzero(&secret, secret.count) }
        guard secret.count == ParcelSealer.keyCount else { throw .damaged }
        return try unsafe open(secret, bound)
    }

    fileprivate func open(_ secret: UnsafePointer<UInt8>, _ bound: [UInt8]) throws(ParcelError) -> [UInt8] {
        var content = [UInt8](repeating: 0, count: box.count - Self.tagCount)
        let bound = bound + head
        let opened = unsafe crypto_aead_xchacha20poly1305_ietf_decrypt(
            &content, nil, nil, box, UInt64(box.count), bound, UInt64(bound.count), nonce, secret)
        guard opened == 0 else { throw .damaged }
        return content
    }

    /// What stands before the sealed content.
    private var head: [UInt8] {
        var encoder = Encoder(capacity: Self.overheadBytesMax)
        encodeHead(to: &encoder)
        return encoder.bytes
    }

    fileprivate static func head(_ addressees: [Addressee], _ nonce: [UInt8]) -> [UInt8] {
        Parcel(addressees: addressees, nonce: nonce, box: []).head
    }
}

/// Seals the parcels of one undertaking, and can open them again until it is gone: only so can be read back what is
/// addressed to others.
///
/// `@unchecked Sendable` is true because the memory is written only in `init`.
@safe
public final class ParcelSealer: @unchecked Sendable {
    private let memory: UnsafeMutablePointer<UInt8>
    private let addressees: [Parcel.Addressee]

    static let keyCount = 32

    /// Draws a key.
    /// - Parameter recipients: 1 to ``Parcel/addresseesMax`` keys.
    /// - Throws: ``ParcelError`` `.recipientInvalid` for a key that is no point of the curve, `.recipientsCount`.
    public init(to recipients: [PublicKey]) throws(ParcelError) {
        let recipients = Set(recipients).sorted()
        guard (1...Parcel.addresseesMax).contains(recipients.count) else { throw .recipientsCount }
        Sodium.start()
        var secret = randomBytes(Self.keyCount)
        defer { unsafe sodium_memzero(&secret, secret.count) }
        var addressees: [Parcel.Addressee] = []
        for key in recipients {
            guard let box = key.seal(secret) else { throw .recipientInvalid(key) }
            addressees.append(Parcel.Addressee(key: key, box: box))
        }
        self.addressees = addressees
        unsafe memory = sodium_malloc(Self.keyCount)!.assumingMemoryBound(to: UInt8.self)
        for (index, byte) in secret.enumerated() { unsafe memory[index] = byte }
    }

    deinit { unsafe sodium_free(memory) }

    /// - Parameters:
    ///   - content: at most ``Parcel/contentBytesMax`` bytes.
    ///   - bound: what the parcel stands for; whoever opens it has to say the same.
    public func seal(_ content: [UInt8], bound: [UInt8]) -> Parcel {
        precondition(content.count <= Parcel.contentBytesMax, "a parcel's content is bounded")
        let nonce = randomBytes(Parcel.nonceCount)
        let bound = bound + Parcel.head(addressees, nonce)
        var box = [UInt8](repeating: 0, count: content.count + Parcel.tagCount)
        _ = unsafe crypto_aead_xchacha20poly1305_ietf_encrypt(
            &box, nil, content, UInt64(content.count), bound, UInt64(bound.count), nil, nonce, memory)
        return Parcel(addressees: addressees, nonce: nonce, box: box)
    }

    /// Opens a parcel that this one has sealed.
    public func open(_ parcel: Parcel, bound: [UInt8]) throws(ParcelError) -> [UInt8] {
        try unsafe parcel.open(memory, bound)
    }
}

extension Parcel: Canonical {
    private func encodeHead(to encoder: inout Encoder) {
        encoder.fixed(Self.magic)
        encoder.u8(1)
        encoder.sequence(addressees)
        encoder.fixed(nonce)
    }

    public func encode(to encoder: inout Encoder) {
        encodeHead(to: &encoder)
        encoder.byteString(box)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        guard try decoder.fixed(Self.magic.count) == Self.magic, try decoder.u8() == 1 else {
            throw decoder.refusal(.invalidValue)
        }
        addressees = try decoder.ascending(min: 1, max: Self.addresseesMax, by: \.key)
        nonce = try decoder.fixed(Self.nonceCount)
        box = try decoder.byteString(max: Self.contentBytesMax + Self.tagCount)
        guard box.count >= Self.tagCount else { throw decoder.refusal(.invalidValue) }
    }
}

extension Parcel.Addressee: Canonical {
    func encode(to encoder: inout Encoder) {
        encoder.value(key)
        encoder.fixed(box)
    }

    init(from decoder: inout Decoder) throws(DecodingError) {
        key = try decoder.value()
        box = try decoder.fixed(Parcel.boxCount)
    }
}

/// Why a parcel is not sealed, or does not open.
public enum ParcelError: Error, Sendable, Equatable, CustomStringConvertible {
    case addressedToOthers
    case damaged
    case recipientInvalid(PublicKey)
    case recipientsCount

    public var description: String {
        switch self {
        case .addressedToOthers: "it is addressed to others than the key that was given"
        case .damaged: "its bytes were changed, or it stands in another one's place"
        case .recipientInvalid(let key): "\(key) is no public key to which anything can be addressed"
        case .recipientsCount: "1 to \(Parcel.addresseesMax) recipients are possible"
        }
    }
}
