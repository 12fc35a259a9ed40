/// Writes Binary Canonical Serialization (BCS): the one byte form of a value that is hashed or signed.
///
/// Integers are little-endian and of fixed width, lengths and variant numbers are ULEB128, structures are their fields
/// one after the other. There is one encoding of a value and no other, so equal values have equal bytes.
public struct Encoder: Sendable {
    public var bytes: [UInt8] = []

    @inlinable
    public init(capacity: Int = 0) {
        if capacity > 0 { bytes.reserveCapacity(capacity) }
    }

    @inlinable
    public mutating func u8(_ value: UInt8) { bytes.append(value) }

    @inlinable
    public mutating func bool(_ value: Bool) { bytes.append(value ? 1 : 0) }

    @inlinable
    public mutating func u16(_ value: UInt16) { fixedWidth(value) }

    @inlinable
    public mutating func u32(_ value: UInt32) { fixedWidth(value) }

    @inlinable
    public mutating func u64(_ value: UInt64) { fixedWidth(value) }

    @inlinable
    mutating func fixedWidth<I: FixedWidthInteger>(_ value: I) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// A length or a variant number, in the fewest bytes.
    /// - Precondition: 32 bits hold it. Lengths come from values in memory here, never from outside.
    @inlinable
    public mutating func length(_ value: Int) {
        var rest = UInt32(value)
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    @inlinable
    public mutating func variant(_ value: Int) { length(value) }

    /// Bytes with their length in front.
    @inlinable
    public mutating func byteString(_ value: some Collection<UInt8>) {
        length(value.count)
        bytes.append(contentsOf: value)
    }

    /// Bytes of a length that both sides know.
    @inlinable
    public mutating func fixed(_ value: some Sequence<UInt8>) { bytes.append(contentsOf: value) }

    @inlinable
    public mutating func string(_ value: String) { byteString(Array(value.utf8)) }

    @inlinable
    public mutating func value(_ value: some Canonical) { value.encode(to: &self) }

    @inlinable
    public mutating func sequence<C: Collection>(_ values: C) where C.Element: Canonical {
        length(values.count)
        for value in values { value.encode(to: &self) }
    }

    @inlinable
    public mutating func option<V: Canonical>(_ value: V?) {
        bool(value != nil)
        if let value { value.encode(to: &self) }
    }

    @inlinable
    public mutating func option(_ value: UInt64?) {
        bool(value != nil)
        if let value { u64(value) }
    }
}

/// A value with one byte form.
public protocol Canonical {
    func encode(to encoder: inout Encoder)
    init(from decoder: inout Decoder) throws(DecodingError)
}

extension Canonical {
    @inlinable
    public var canonicalBytes: [UInt8] {
        // Room for most rows at once, rather than for 16 bytes, then 32, then 64.
        var encoder = Encoder(capacity: 128)
        encode(to: &encoder)
        return encoder.bytes
    }

    /// Reads a value that takes all of `bytes`; anything left over is refused.
    @inlinable
    public init(canonicalBytes bytes: [UInt8]) throws(DecodingError) {
        var decoder = Decoder(bytes)
        try self.init(from: &decoder)
        try decoder.finish()
    }
}
