public import Canonical
public import Crypto

/// An account's id: 16 random bytes, drawn by whoever opens it and derived from nothing. Shown as Bech32m with the
/// prefix `lf`.
public struct AccountID: Hashable, Comparable, Sendable {
    let high: UInt64
    let low: UInt64

    public static let byteCount = 16
    public static let prefix = "lf"

    /// - Precondition: 16 bytes.
    public init(bytes: some Collection<UInt8>) { (high, low) = words(bytes) }

    public static func random() -> AccountID { AccountID(bytes: randomBytes(byteCount)) }

    public var bytes: [UInt8] { wordBytes(high, low) }

    public static func < (a: Self, b: Self) -> Bool { a.high == b.high ? a.low < b.low : a.high < b.high }

    /// Both words, since openers choose ids: equal halves must not let one of them flood a table.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(high)
        hasher.combine(low)
    }
}

extension AccountID: Canonical {
    public func encode(to encoder: inout Encoder) {
        encoder.u64(high.byteSwapped)
        encoder.u64(low.byteSwapped)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        high = try decoder.u64().byteSwapped
        low = try decoder.u64().byteSwapped
    }
}

extension AccountID: CustomStringConvertible {
    public var description: String { Bech32m.encode(prefix: Self.prefix, bytes) }

    /// - Throws: why the text is no account id; a text of another length fails as `.padding`.
    public init(text: String) throws(Bech32m.Failure) {
        let bytes = try Bech32m.decode(prefix: Self.prefix, text)
        guard bytes.count == Self.byteCount else { throw .padding }
        self.init(bytes: bytes)
    }
}

/// A member organisation's number in the chain, from 1 on.
public struct OrganisationID: Hashable, Comparable, Sendable, Canonical, CustomStringConvertible {
    public let number: UInt32

    public init(_ number: UInt32) { self.number = number }

    public static func < (a: Self, b: Self) -> Bool { a.number < b.number }
    public func encode(to encoder: inout Encoder) { encoder.u32(number) }
    public init(from decoder: inout Decoder) throws(DecodingError) { number = try decoder.u32() }
    public var description: String { "organisation \(number)" }

    var bytes: [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: number >> UInt32(24 - 8 * $0)) } }
}

/// A unit's code: 1 to 16 of `A–Z 0–9 - _`, beginning with a letter.
public struct UnitCode: Hashable, Comparable, Sendable {
    let high: UInt64
    let low: UInt64

    public static let byteCountMax = 16

    public init?(_ text: String) { self.init(bytes: Array(text.utf8)) }

    private init?(bytes raw: [UInt8]) {
        guard (1...Self.byteCountMax).contains(raw.count), raw.indices.allSatisfy({ Self.takes(raw[$0], at: $0) })
        else { return nil }
        (high, low) = words(raw + [UInt8](repeating: 0, count: Self.byteCountMax - raw.count))
    }

    private static func takes(_ byte: UInt8, at index: Int) -> Bool {
        switch byte {
        case 0x41...0x5A: true
        case 0x30...0x39, 0x2D, 0x5F: index > 0
        default: false
        }
    }

    /// 16 bytes, padded with zeros: the form in keys.
    public var paddedBytes: [UInt8] { wordBytes(high, low) }

    public static func < (a: Self, b: Self) -> Bool { a.high == b.high ? a.low < b.low : a.high < b.high }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        let count = try decoder.length(max: Self.byteCountMax)
        var (high, low): (UInt64, UInt64) = (0, 0)
        var isCode = count > 0
        // Every operation names a unit: no array is made for it.
        for index in 0..<count {
            let byte = try decoder.u8()
            if !Self.takes(byte, at: index) { isCode = false }
            let shifted = UInt64(byte) << UInt64(56 - index % 8 * 8)
            if index < 8 { high |= shifted } else { low |= shifted }
        }
        guard isCode else { throw decoder.refusal(.invalidText) }
        (self.high, self.low) = (high, low)
    }
}

extension UnitCode: Canonical, CustomStringConvertible {
    /// As text: a unit's code has no zero in it, and the padding is left out.
    public func encode(to encoder: inout Encoder) {
        let padding = low == 0 ? 8 + high.trailingZeroBitCount / 8 : low.trailingZeroBitCount / 8
        encoder.length(Self.byteCountMax - padding)
        encoder.u64(high.byteSwapped)
        encoder.u64(low.byteSwapped)
        encoder.removeLast(padding)
    }

    public var description: String { String(decoding: paddedBytes.prefix { $0 != 0 }, as: UTF8.self) }
}

public typealias TransactionID = Digest
public typealias HoldID = Digest
public typealias ProposalID = Digest

/// Whoever numbers the orders: 16 bytes, ASCII text padded with zeros.
public struct SourceID: Hashable, Sendable, Canonical, CustomStringConvertible {
    public let bytes: [UInt8]

    public static let byteCount = 16

    /// Text of 1 to 16 printable ASCII characters.
    public init?(_ text: String) {
        let raw = Array(text.utf8)
        guard (1...Self.byteCount).contains(raw.count), raw.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            return nil
        }
        bytes = raw + [UInt8](repeating: 0, count: Self.byteCount - raw.count)
    }

    public func encode(to encoder: inout Encoder) { encoder.fixed(bytes) }
    public init(from decoder: inout Decoder) throws(DecodingError) { bytes = try decoder.fixed(Self.byteCount) }
    public var description: String { String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }
}

/// The business key of an accrual: used once, for ever, within its issuer. The issuer is that of the unit.
public struct NaturalKey: Hashable, Sendable, Canonical {
    public let source: SourceID
    /// The order's number at its source, 1 to 48 bytes.
    public let order: [UInt8]
    public let line: UInt32
    /// What the points are for: 0 purchase; other numbers are the source's own.
    public let kind: UInt8

    public static let orderBytesMax = 48

    /// - Precondition: 1 to 48 bytes of order.
    public init(source: SourceID, order: [UInt8], line: UInt32 = 0, kind: UInt8 = 0) {
        precondition((1...Self.orderBytesMax).contains(order.count), "an order's number has 1 to 48 bytes")
        self.source = source
        self.order = order
        self.line = line
        self.kind = kind
    }

    public func encode(to encoder: inout Encoder) {
        encoder.value(source)
        encoder.byteString(order)
        encoder.u32(line)
        encoder.u8(kind)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        source = try decoder.value()
        order = try decoder.byteString(max: Self.orderBytesMax)
        if order.isEmpty { throw decoder.refusal(.lengthTooSmall) }
        line = try decoder.u32()
        kind = try decoder.u8()
    }

    /// The key of its rows.
    public func digest(issuer: OrganisationID) -> Digest {
        var encoder = Encoder(capacity: 80)
        encoder.value(issuer)
        encode(to: &encoder)
        return encoder.withBytes { SHA256.hash(.naturalKey, $0) }
    }
}

/// Who signs or sends: an organisation by its issuing key, an account, the guardian that an account named when it was
/// opened, an organisation by the key with which it decides about the consortium, or by the one with which it votes.
/// What one of an organisation's keys may do none of the others can.
public enum Party: Hashable, Sendable, Canonical, CustomStringConvertible {
    case organisation(OrganisationID)
    case account(AccountID)
    case guardian(AccountID)
    case governor(OrganisationID)
    case validator(OrganisationID)

    public func encode(to encoder: inout Encoder) {
        switch self {
        case .organisation(let id):
            encoder.variant(0)
            encoder.value(id)
        case .account(let id):
            encoder.variant(1)
            encoder.value(id)
        case .guardian(let id):
            encoder.variant(2)
            encoder.value(id)
        case .governor(let id):
            encoder.variant(3)
            encoder.value(id)
        case .validator(let id):
            encoder.variant(4)
            encoder.value(id)
        }
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        switch try decoder.variant(below: 5) {
        case 0: self = .organisation(try decoder.value())
        case 1: self = .account(try decoder.value())
        case 2: self = .guardian(try decoder.value())
        case 3: self = .governor(try decoder.value())
        default: self = .validator(try decoder.value())
        }
    }

    public var description: String {
        switch self {
        case .organisation(let id): id.description
        case .account(let id): "account \(id)"
        case .guardian(let id): "guardian of \(id)"
        case .governor(let id): "governor of \(id)"
        case .validator(let id): "validator of \(id)"
        }
    }
}

/// 8 bytes, big-endian: heights and times in keys, which then sort by number.
public func bigEndianBytes(_ value: UInt64) -> [UInt8] {
    withUnsafeBytes(of: value.bigEndian) { Array($0) }
}

private func words(_ bytes: some Collection<UInt8>) -> (UInt64, UInt64) {
    precondition(bytes.count == 16, "an id has 16 bytes")
    var high: UInt64 = 0
    var low: UInt64 = 0
    for (index, byte) in bytes.enumerated() {
        if index < 8 { high = high << 8 | UInt64(byte) } else { low = low << 8 | UInt64(byte) }
    }
    return (high, low)
}

private func wordBytes(_ high: UInt64, _ low: UInt64) -> [UInt8] {
    withUnsafeBytes(of: (high.bigEndian, low.bigEndian)) { Array($0) }
}
