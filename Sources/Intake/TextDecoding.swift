import Glibc

/// Converts the text of single fields from GB18030, through the C library.
///
/// The reader cuts records and fields in the raw bytes: no byte of a multi-byte GB18030 character can be a quote, a
/// line break or one of the delimiters allowed here. A field is therefore always whole, and no state crosses a chunk.
final class GB18030Decoder {
    private let handle: iconv_t
    private var scratch = [UInt8](repeating: 0, count: 4096)

    /// - Throws: ``IntakeError`` where the system's C library has no table for GB18030.
    init(place: String) throws(IntakeError) {
        guard let opened = iconv_open("UTF-8", "GB18030"), opened != iconv_t(bitPattern: -1) else {
            throw IntakeError(.encoding, "the C library of this system cannot convert GB18030", place: place)
        }
        handle = opened
    }

    deinit { iconv_close(handle) }

    /// Appends the UTF-8 form of `field` to `output`, and says whether all of it was valid.
    func decode(_ field: UnsafeBufferPointer<UInt8>, into output: inout [UInt8]) -> Bool {
        // A character of two bytes becomes at most three, one of four at most four.
        let room = field.count * 2 + 4
        if scratch.count < room { scratch = [UInt8](repeating: 0, count: room) }
        iconv(handle, nil, nil, nil, nil)
        var input = UnsafeMutableRawPointer(mutating: field.baseAddress)?.assumingMemoryBound(to: CChar.self)
        var inputLeft = field.count
        return scratch.withUnsafeMutableBytes { raw in
            var target = raw.baseAddress?.assumingMemoryBound(to: CChar.self)
            var targetLeft = raw.count
            guard iconv(handle, &input, &inputLeft, &target, &targetLeft) != -1, inputLeft == 0 else { return false }
            output.append(contentsOf: raw.prefix(raw.count - targetLeft))
            return true
        }
    }

    /// The text of `bytes` with U+FFFD for what is not GB18030: for showing, never for keeping.
    func lossy(_ bytes: [UInt8]) -> String {
        var output: [UInt8] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            // One character at a time: one, two or four bytes.
            let taken = [1, 2, 4].first { length in
                rest.count >= length
                    && rest.prefix(length).withUnsafeBufferPointer { decode($0, into: &output) }
            }
            if taken == nil { output += [0xEF, 0xBF, 0xBD] }
            rest = rest.dropFirst(taken ?? 1)
        }
        return String(decoding: output, as: UTF8.self)
    }
}

/// Whether the bytes are well-formed UTF-8: no overlong forms, no surrogates, nothing past U+10FFFF.
func isUTF8(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    var i = 0
    while i < bytes.count {
        let lead = bytes[i]
        if lead < 0x80 {
            i += 1
            continue
        }
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch lead {
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: length = 4
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        default: return false
        }
        guard i + length <= bytes.count, second.contains(bytes[i + 1]) else { return false }
        for k in 2..<max(length, 2) where bytes[i + k] & 0xC0 != 0x80 { return false }
        i += length
    }
    return true
}
