/// Reads Binary Canonical Serialization and refuses every input that the encoder would not have written: lengths that
/// are not minimal, booleans other than 0 and 1, bytes left over, maps out of order. It never traps, and a length in
/// the input never makes it reserve more memory than the input is long.
public struct Decoder: Sendable {
    @usableFromInline
    let bytes: [UInt8]
    @usableFromInline
    var position: Int
    @usableFromInline
    let end: Int

    @inlinable
    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
        position = 0
        end = bytes.count
    }

    /// Bytes read so far.
    @inlinable
    public var offset: Int { position }

    @inlinable
    public var remaining: Int { end - position }

    /// The bytes from `start` up to where the decoder stands.
    @inlinable
    public func bytes(from start: Int) -> [UInt8] { Array(bytes[start..<position]) }

    @inlinable
    public func finish() throws(DecodingError) {
        if position != end { throw DecodingError(.trailingBytes, at: position) }
    }

    @inlinable
    public func refusal(_ reason: DecodingError.Reason) -> DecodingError { DecodingError(reason, at: position) }

    @inlinable
    mutating func take(_ count: Int) throws(DecodingError) -> Int {
        guard count <= end - position else { throw DecodingError(.truncated, at: position) }
        defer { position += count }
        return position
    }

    @inlinable
    public mutating func u8() throws(DecodingError) -> UInt8 { bytes[try take(1)] }

    @inlinable
    public mutating func bool() throws(DecodingError) -> Bool {
        switch try u8() {
        case 0: return false
        case 1: return true
        default: throw DecodingError(.invalidBool, at: position - 1)
        }
    }

    @inlinable
    public mutating func u16() throws(DecodingError) -> UInt16 { try fixedWidth() }

    @inlinable
    public mutating func u32() throws(DecodingError) -> UInt32 { try fixedWidth() }

    @inlinable
    public mutating func u64() throws(DecodingError) -> UInt64 { try fixedWidth() }

    @inlinable
    mutating func fixedWidth<I: FixedWidthInteger & BitwiseCopyable>() throws(DecodingError) -> I {
        let start = try take(MemoryLayout<I>.size)
        return I(littleEndian: bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: start, as: I.self) })
    }

    /// A length of at most `max`.
    @inlinable
    public mutating func length(max: Int) throws(DecodingError) -> Int {
        var value: UInt64 = 0
        for index in 0..<5 {
            let byte = try u8()
            value |= UInt64(byte & 0x7F) << UInt64(7 * index)
            if byte & 0x80 == 0 {
                if index > 0 && byte == 0 { throw DecodingError(.nonMinimalLength, at: position - 1) }
                guard value <= UInt64(UInt32.max) else { throw DecodingError(.lengthTooLarge, at: position - 1) }
                guard value <= UInt64(max) else { throw DecodingError(.lengthTooLarge, at: position - 1) }
                return Int(value)
            }
        }
        throw DecodingError(.lengthTooLarge, at: position - 1)
    }

    /// The number of a variant, below `count`.
    @inlinable
    public mutating func variant(below count: Int) throws(DecodingError) -> Int {
        let start = position
        let value = try length(max: Int(UInt32.max))
        guard value < count else { throw DecodingError(.unknownVariant, at: start) }
        return value
    }

    @inlinable
    public mutating func fixed(_ count: Int) throws(DecodingError) -> [UInt8] {
        let start = try take(count)
        return Array(bytes[start..<start + count])
    }

    @inlinable
    public mutating func byteString(max: Int) throws(DecodingError) -> [UInt8] { try fixed(try length(max: max)) }

    /// UTF-8 text of at most `max` bytes.
    @inlinable
    public mutating func string(max: Int) throws(DecodingError) -> String {
        let raw = try byteString(max: max)
        guard let text = String(validating: raw, as: UTF8.self) else { throw DecodingError(.invalidText, at: position) }
        return text
    }

    @inlinable
    public mutating func value<V: Canonical>(_ type: V.Type = V.self) throws(DecodingError) -> V { try V(from: &self) }

    /// From `min` to `max` values. Every value takes a byte at least; a value may be larger in memory than on the wire,
    /// so what is reserved beforehand is never larger than what is left of the input.
    @inlinable
    public mutating func sequence<V: Canonical>(
        of type: V.Type = V.self, min: Int = 0, max: Int
    ) throws(DecodingError) -> [V] {
        let start = position
        let count = try length(max: max)
        guard count >= min else { throw DecodingError(.lengthTooSmall, at: start) }
        guard count <= remaining else { throw DecodingError(.truncated, at: position) }
        var values: [V] = []
        values.reserveCapacity(Swift.min(count, remaining / Swift.max(MemoryLayout<V>.stride, 1)))
        for _ in 0..<count { values.append(try V(from: &self)) }
        return values
    }

    /// Values in strictly ascending order of `key`, as BCS demands of maps and sets.
    @inlinable
    public mutating func ascending<V: Canonical, K: Comparable>(
        of type: V.Type = V.self, min: Int = 0, max: Int, by key: (V) -> K
    ) throws(DecodingError) -> [V] {
        let start = position
        let values: [V] = try sequence(min: min, max: max)
        for (a, b) in zip(values, values.dropFirst()) where !(key(a) < key(b)) {
            throw DecodingError(.unordered, at: start)
        }
        return values
    }

    @inlinable
    public mutating func option<V: Canonical>(of type: V.Type = V.self) throws(DecodingError) -> V? {
        try bool() ? try V(from: &self) : nil
    }

    @inlinable
    public mutating func optionalU64() throws(DecodingError) -> UInt64? { try bool() ? try u64() : nil }
}

/// Why bytes are not the canonical form of a value, and where.
public struct DecodingError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Reason: String, Sendable {
        case truncated = "the bytes end too soon"
        case trailingBytes = "bytes are left over"
        case nonMinimalLength = "a length is not written in the fewest bytes"
        case lengthTooLarge = "a length is beyond its bound"
        case lengthTooSmall = "a list is shorter than it must be"
        case invalidBool = "a boolean is neither 0 nor 1"
        case invalidText = "text is not UTF-8 or holds characters that are not allowed here"
        case invalidValue = "a value is outside its range"
        case unknownVariant = "an unknown kind"
        case unknownSuite = "an unknown signature suite"
        case unordered = "entries are not in ascending order"
    }

    public let reason: Reason
    /// Offset of the byte concerned.
    public let offset: Int

    @inlinable
    public init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    public var description: String { "\(reason.rawValue) (byte \(offset))" }
}
