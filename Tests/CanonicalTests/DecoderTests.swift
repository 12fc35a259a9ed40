import Canonical
import TestSupport
import Testing

/// A value with every shape that the encoding knows.
private struct Everything: Canonical, Equatable {
    var flag = true
    var small: UInt8 = 0xA5
    var medium: UInt16 = 0x0102
    var wide: UInt32 = 0x0102_0304
    var widest: UInt64 = 0x0102_0304_0506_0708
    var kind = 300
    var text = "联分 é"
    var raw: [UInt8] = [9, 8, 7]
    var fixed: [UInt8] = [1, 2, 3, 4]
    var list = [Number(1), Number(0xFFFF)]
    var sorted = [Number(3), Number(4), Number(500)]
    var some: Number? = Number(6)
    var none: Number?
    var someWide: UInt64? = 5
    var noneWide: UInt64?

    init() {}

    func encode(to encoder: inout Encoder) {
        encoder.bool(flag)
        encoder.u8(small)
        encoder.u16(medium)
        encoder.u32(wide)
        encoder.u64(widest)
        encoder.variant(kind)
        encoder.string(text)
        encoder.byteString(raw)
        encoder.fixed(fixed)
        encoder.sequence(list)
        encoder.sequence(sorted)
        encoder.option(some)
        encoder.option(none)
        encoder.option(someWide)
        encoder.option(noneWide)
    }

    init(from decoder: inout Decoder) throws(DecodingError) {
        flag = try decoder.bool()
        small = try decoder.u8()
        medium = try decoder.u16()
        wide = try decoder.u32()
        widest = try decoder.u64()
        kind = try decoder.variant(below: 400)
        text = try decoder.string(max: 64)
        raw = try decoder.byteString(max: 8)
        fixed = try decoder.fixed(4)
        list = try decoder.sequence(max: 4)
        sorted = try decoder.ascending(max: 4) { $0.value }
        some = try decoder.option()
        none = try decoder.option()
        someWide = try decoder.optionalU64()
        noneWide = try decoder.optionalU64()
    }
}

private struct Number: Canonical, Equatable {
    var value: UInt16

    init(_ value: UInt16) { self.value = value }
    func encode(to encoder: inout Encoder) { encoder.u16(value) }
    init(from decoder: inout Decoder) throws(DecodingError) { value = try decoder.u16() }
}

@Suite struct DecoderTests {
    private let sample = Everything().canonicalBytes

    @Test func bytesAreThoseOfTheFormat() throws {
        let expected: [UInt8] =
            [1, 0xA5, 2, 1, 4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1, 0xAC, 0x02]
            + [9, 0xE8, 0x81, 0x94, 0xE5, 0x88, 0x86, 0x20, 0xC3, 0xA9] + [3, 9, 8, 7] + [1, 2, 3, 4]
            + [2, 1, 0, 0xFF, 0xFF] + [3, 3, 0, 4, 0, 0xF4, 1] + [1, 6, 0] + [0] + [1, 5, 0, 0, 0, 0, 0, 0, 0] + [0]
        #expect(sample == expected)
        #expect(try Everything(canonicalBytes: expected) == Everything())
    }

    @Test func truncatedAtEveryByteIsRefused() {
        for count in 0..<sample.count {
            expect("at \(count)", reason: .truncated) { try Everything(canonicalBytes: Array(sample.prefix(count))) }
        }
    }

    @Test func bytesLeftOverAreRefused() {
        #expect(throws: DecodingError(.trailingBytes, at: sample.count)) {
            try Everything(canonicalBytes: sample + [0])
        }
    }

    /// Whatever the bytes, the decoder refuses them or reads a value that encodes to just these bytes.
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func changedBytesAreRefusedOrAnotherValue(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for round in 0..<2000 {
            var bytes = sample
            for _ in 0...Int.random(in: 0..<3, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            guard let value = try? Everything(canonicalBytes: bytes) else { continue }
            #expect(value.canonicalBytes == bytes, "seed \(seed), round \(round)")
        }
        for round in 0..<2000 {
            let count = Int.random(in: 0..<80, using: &random)
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            guard let value = try? Everything(canonicalBytes: bytes) else { continue }
            #expect(value.canonicalBytes == bytes, "seed \(seed), random round \(round)")
        }
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        let bytes: [UInt8]
        let reason: DecodingError.Reason
        let testDescription: String
        let read: @Sendable (inout Decoder) throws(DecodingError) -> Void

        init(
            _ name: String, _ bytes: [UInt8], _ reason: DecodingError.Reason,
            _ read: @escaping @Sendable (inout Decoder) throws(DecodingError) -> Void
        ) {
            (testDescription, self.bytes, self.reason, self.read) = (name, bytes, reason, read)
        }
    }

    static let refusals: [Refusal] = [
        Refusal("boolean of 2", [2], .invalidBool) { d throws(DecodingError) in _ = try d.bool() },
        Refusal("boolean of 255", [255], .invalidBool) { d throws(DecodingError) in _ = try d.bool() },
        Refusal("zero in two bytes", [0x80, 0], .nonMinimalLength) { d throws(DecodingError) in
            _ = try d.length(max: 9)
        },
        Refusal("127 in two bytes", [0xFF, 0], .nonMinimalLength) { d throws(DecodingError) in
            _ = try d.length(max: 999)
        },
        Refusal("128 in three bytes", [0x80, 0x81, 0], .nonMinimalLength) { d throws(DecodingError) in
            _ = try d.length(max: 999_999)
        },
        Refusal("one in five bytes", [0x81, 0x80, 0x80, 0x80, 0], .nonMinimalLength) { d throws(DecodingError) in
            _ = try d.length(max: 9)
        },
        Refusal("length beyond 32 bits", [0xFF, 0xFF, 0xFF, 0xFF, 0x1F], .lengthTooLarge) { d throws(DecodingError) in
            _ = try d.length(max: .max)
        },
        Refusal("length of six bytes", [0x80, 0x80, 0x80, 0x80, 0x80, 1], .lengthTooLarge) { d throws(DecodingError) in
            _ = try d.length(max: .max)
        },
        Refusal("length beyond its bound", [10], .lengthTooLarge) { d throws(DecodingError) in
            _ = try d.length(max: 9)
        },
        Refusal("length that does not end", [0x80], .truncated) { d throws(DecodingError) in _ = try d.length(max: 9) },
        Refusal("unknown variant", [3], .unknownVariant) { d throws(DecodingError) in _ = try d.variant(below: 3) },
        Refusal("largest variant", [0xFF, 0xFF, 0xFF, 0xFF, 0x0F], .unknownVariant) { d throws(DecodingError) in
            _ = try d.variant(below: 3)
        },
        Refusal("variant in two bytes", [0x81, 0], .nonMinimalLength) { d throws(DecodingError) in
            _ = try d.variant(below: 3)
        },
        Refusal("text that is not UTF-8", [2, 0xC3, 0x28], .invalidText) { d throws(DecodingError) in
            _ = try d.string(max: 9)
        },
        Refusal("overlong UTF-8", [2, 0xC0, 0x80], .invalidText) { d throws(DecodingError) in _ = try d.string(max: 9)
        },
        Refusal("surrogate in UTF-8", [3, 0xED, 0xA0, 0x80], .invalidText) { d throws(DecodingError) in
            _ = try d.string(max: 9)
        },
        Refusal("bytes beyond the bound", [3, 1, 2, 3], .lengthTooLarge) { d throws(DecodingError) in
            _ = try d.byteString(max: 2)
        },
        Refusal("bytes beyond the end", [3, 1, 2], .truncated) { d throws(DecodingError) in
            _ = try d.byteString(max: 9)
        },
        Refusal("4 GiB that are not there", [0xFF, 0xFF, 0xFF, 0xFF, 0x0F], .truncated) { d throws(DecodingError) in
            _ = try d.byteString(max: .max)
        },
        Refusal("list beyond its bound", [2, 1, 0, 2, 0], .lengthTooLarge) { d throws(DecodingError) in
            _ = try d.sequence(of: Number.self, max: 1)
        },
        Refusal("list below its bound", [1, 1, 0], .lengthTooSmall) { d throws(DecodingError) in
            _ = try d.sequence(of: Number.self, min: 2, max: 4)
        },
        Refusal("list longer than the bytes", [9, 1, 0, 2, 0], .truncated) { d throws(DecodingError) in
            _ = try d.sequence(of: Number.self, max: 9)
        },
        Refusal("list without an end", [4, 1, 0, 2, 0], .truncated) { d throws(DecodingError) in
            _ = try d.sequence(of: Number.self, max: 9)
        },
        Refusal("list of billions", [0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 1, 0], .truncated) { d throws(DecodingError) in
            _ = try d.sequence(of: Number.self, max: .max)
        },
        Refusal("descending keys", [2, 2, 0, 1, 0], .unordered) { d throws(DecodingError) in
            _ = try d.ascending(of: Number.self, max: 9) { $0.value }
        },
        Refusal("equal keys", [2, 2, 0, 2, 0], .unordered) { d throws(DecodingError) in
            _ = try d.ascending(of: Number.self, max: 9) { $0.value }
        },
        Refusal("last key out of order", [3, 1, 0, 5, 0, 4, 0], .unordered) { d throws(DecodingError) in
            _ = try d.ascending(of: Number.self, max: 9) { $0.value }
        },
        Refusal("option of 2", [2, 1, 0], .invalidBool) { d throws(DecodingError) in
            _ = try d.option(of: Number.self)
        },
        Refusal("option without its value", [1, 1], .truncated) { d throws(DecodingError) in
            _ = try d.option(of: Number.self)
        },
        Refusal("number of seven bytes", [1, 2, 3, 4, 5, 6, 7], .truncated) { d throws(DecodingError) in
            _ = try d.u64()
        },
    ]

    @Test(arguments: refusals)
    func refuses(_ refusal: Refusal) {
        var decoder = Decoder(refusal.bytes)
        expect(refusal.testDescription, reason: refusal.reason) { try refusal.read(&decoder) }
    }

    @Test func lengthsRoundTripInTheFewestBytes() throws {
        for (value, count) in [
            (0, 1), (1, 1), (127, 1), (128, 2), (16_383, 2), (16_384, 3), (2_097_151, 3), (2_097_152, 4),
            (268_435_455, 4), (268_435_456, 5), (Int(UInt32.max), 5),
        ] {
            var encoder = Encoder()
            encoder.length(value)
            #expect(encoder.bytes.count == count, "\(value)")
            var decoder = Decoder(encoder.bytes)
            #expect(try decoder.length(max: value) == value)
            #expect(throws: Never.self) { try decoder.finish() }
        }
    }

    @Test func limitsOfIntegersRoundTrip() throws {
        for value in [0, 1, 0xFF, 0x100, UInt64.max >> 1, UInt64.max] {
            var encoder = Encoder()
            encoder.u64(value)
            encoder.u32(UInt32(truncatingIfNeeded: value))
            encoder.u16(UInt16(truncatingIfNeeded: value))
            var decoder = Decoder(encoder.bytes)
            #expect(try decoder.u64() == value)
            #expect(try decoder.u32() == UInt32(truncatingIfNeeded: value))
            #expect(try decoder.u16() == UInt16(truncatingIfNeeded: value))
        }
    }

    @Test func placesAreCounted() throws {
        var decoder = Decoder([1, 2, 3, 4])
        _ = try decoder.u8()
        let start = decoder.offset
        _ = try decoder.u16()
        #expect(decoder.bytes(from: start) == [2, 3])
        #expect(decoder.remaining == 1)
        #expect(throws: DecodingError(.truncated, at: 3)) { try decoder.u16() }
        #expect(throws: DecodingError(.trailingBytes, at: 3)) { try decoder.finish() }
    }
}

/// Expects `body` to refuse its bytes for this reason.
private func expect(
    _ name: String, reason: DecodingError.Reason, sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws -> some Any
) {
    let error = #expect(throws: DecodingError.self, "\(name)", sourceLocation: sourceLocation) { _ = try body() }
    #expect(error?.reason == reason, "\(name)", sourceLocation: sourceLocation)
}
