/// Writes Binary Canonical Serialization (BCS): the one byte form of a value that is hashed or signed.
///
/// Integers are little-endian and of fixed width, lengths and variant numbers are ULEB128, structures are their fields
/// one after the other. There is one encoding of a value and no other, so equal values have equal bytes.
public struct Encoder: Sendable {
    /// What is written, then room for what comes next: a number is stored where it belongs, in one step, which is
    /// cheaper than to append its bytes to an array.
    @usableFromInline
    var room: [UInt8]
    @usableFromInline
    var end = 0

    /// Bytes written so far.
    @inlinable
    public var count: Int { end }

    @inlinable
    public init(capacity: Int = 0) {
        room = []
        if capacity > 0 { grow(by: capacity) }
    }

    /// What is written so far.
    @inlinable
    public var bytes: [UInt8] {
        mutating get {
            if room.count > end { room.removeLast(room.count - end) }
            return room
        }
    }

    /// Looks at what is written from `start` on, without a copy of it.
    @inlinable
    public func withBytes<R>(from start: Int = 0, _ body: (RawSpan) throws -> R) rethrows -> R {
        try body(room.span.bytes.extracting(start..<end))
    }

    /// Takes the last bytes back.
    /// - Precondition: so many are written.
    @inlinable
    public mutating func removeLast(_ bytes: Int) {
        precondition(bytes <= end, "no more is taken back than was written")
        end -= bytes
    }

    @inlinable
    public mutating func u8(_ value: UInt8) { fixedWidth(value) }

    @inlinable
    public mutating func bool(_ value: Bool) { u8(value ? 1 : 0) }

    @inlinable
    public mutating func u16(_ value: UInt16) { fixedWidth(value) }

    @inlinable
    public mutating func u32(_ value: UInt32) { fixedWidth(value) }

    @inlinable
    public mutating func u64(_ value: UInt64) { fixedWidth(value) }

    @inlinable
    mutating func fixedWidth<I: FixedWidthInteger & BitwiseCopyable>(_ value: I) {
        let start = take(MemoryLayout<I>.size)
        room.withUnsafeMutableBytes { $0.storeBytes(of: value.littleEndian, toByteOffset: start, as: I.self) }
    }

    /// Makes room for so many bytes more; answers where they begin.
    @inlinable @inline(__always)
    mutating func take(_ more: Int) -> Int {
        if more > room.count - end { grow(by: more) }
        defer { end += more }
        return end
    }

    @usableFromInline
    mutating func grow(by more: Int) {
        let count = room.count + max(more, room.count, Self.roomMin)
        room.reserveCapacity(count)
        while room.count < count { room.append(contentsOf: Self.zeros.prefix(count - room.count)) }
    }

    private static let roomMin = 64
    private static let zeros = [UInt8](repeating: 0, count: 4096)

    /// A length or a variant number, in the fewest bytes.
    /// - Precondition: 32 bits hold it. Lengths come from values in memory here, never from outside.
    @inlinable
    public mutating func length(_ value: Int) {
        var rest = UInt32(value)
        while rest >= 0x80 {
            u8(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        u8(UInt8(rest))
    }

    @inlinable
    public mutating func variant(_ value: Int) { length(value) }

    /// Bytes with their length in front.
    @inlinable
    public mutating func byteString(_ value: some Collection<UInt8>) {
        length(value.count)
        fixed(value)
    }

    /// Bytes of a length that both sides know.
    @inlinable
    public mutating func fixed(_ value: some Collection<UInt8>) {
        let start = take(value.count)
        room.withUnsafeMutableBytes { room in room[start...].copyBytes(from: value) }
    }

    /// The same of bytes that lie wherever they lie.
    @inlinable
    public mutating func fixed(_ value: RawSpan) {
        let start = take(value.byteCount)
        overwrite(from: start, value)
    }

    /// Writes other bytes in the place of some that are written.
    /// - Precondition: so many are written from `start` on.
    @inlinable
    public mutating func overwrite(from start: Int, _ value: RawSpan) {
        precondition(start + value.byteCount <= end, "only what is written is written over")
        room.withUnsafeMutableBytes { room in
            value.withUnsafeBytes { room[start..<start + $0.count].copyBytes(from: $0) }
        }
    }

    @inlinable
    public mutating func byteString(_ value: RawSpan) {
        length(value.byteCount)
        fixed(value)
    }

    @inlinable
    public mutating func string(_ value: String) { byteString(value.utf8) }

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

extension [UInt8] {
    /// The bytes of a span that may not outlive what it looks at.
    @inlinable
    package init(copying bytes: RawSpan) { self = bytes.withUnsafeBytes { Array($0) } }
}
