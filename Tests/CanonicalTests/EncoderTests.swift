import Canonical
import TestSupport
import Testing

/// The encoder beside an array of bytes to which everything is appended.
@Suite struct EncoderTests {
    @Test(arguments: UInt64(1)...20) func writesWhatAnArrayWouldHold(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var encoder = Encoder(capacity: Int.random(in: 0...100, using: &random))
        var model: [UInt8] = []
        func little<I: FixedWidthInteger>(_ value: I) -> [UInt8] { withUnsafeBytes(of: value.littleEndian, Array.init) }
        for _ in 0..<300 {
            let word = random.next()
            let raw = (0..<Int.random(in: 0...200, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random)
            }
            switch Int.random(in: 0..<10, using: &random) {
            case 0:
                encoder.u8(UInt8(truncatingIfNeeded: word))
                model.append(UInt8(truncatingIfNeeded: word))
            case 1:
                encoder.u16(UInt16(truncatingIfNeeded: word))
                model += little(UInt16(truncatingIfNeeded: word))
            case 2:
                encoder.u32(UInt32(truncatingIfNeeded: word))
                model += little(UInt32(truncatingIfNeeded: word))
            case 3:
                encoder.u64(word)
                model += little(word)
            case 4:
                encoder.fixed(raw)
                model += raw
            case 5:
                // No array, and not in one place.
                encoder.fixed(raw.lazy.map { $0 ^ 1 })
                model += raw.map { $0 ^ 1 }
            case 6:
                encoder.fixed(raw.span.bytes)
                model += raw
            case 7:
                let back = Int.random(in: 0...min(20, model.count), using: &random)
                encoder.removeLast(back)
                model.removeLast(back)
            case 8:
                let count = min(raw.count, model.count)
                let start = Int.random(in: 0...model.count - count, using: &random)
                let part = Array(raw[..<count])
                encoder.overwrite(from: start, part.span.bytes)
                model.replaceSubrange(start..<start + count, with: part)
            default:
                // Looked at in between, it goes on as before.
                #expect(encoder.bytes == model)
                let start = Int.random(in: 0...model.count, using: &random)
                #expect(encoder.withBytes(from: start) { $0.withUnsafeBytes { Array($0) } } == Array(model[start...]))
            }
            #expect(encoder.count == model.count)
        }
        #expect(encoder.bytes == model)
    }
}
