/// Bech32m (BIP 350): bytes as text that is safe to read aloud, with a check that catches mistyped characters.
///
/// The check finds any two changed characters in texts of up to 1,023 groups of five bits, prefix included, which is
/// where ``bytesMax`` comes from. The standard stops at 90 characters, within which it finds any four.
public enum Bech32m {
    private static let alphabet = Array("qpzry9x8gf2tvdw0s3jn54khce6mua7l".utf8)
    private static let constant: UInt32 = 0x2bc8_30a3
    private static let upper: ClosedRange<UInt8> = 0x41...0x5A
    private static let checksumCount = 6
    private static let prefixCountMax = 83

    /// The most bytes that a text stands for.
    public static let bytesMax = 512

    /// Why a text is not the Bech32m form of bytes under a prefix.
    public enum Failure: String, Error, Sendable {
        case length = "it is longer than any text of this form"
        case mixedCase = "upper and lower case are mixed"
        case prefix = "it does not begin with the expected prefix"
        case character = "it holds a character that does not occur in this form"
        case checksum = "its check does not hold: a character is mistyped or missing"
        case padding = "its last character holds bits that stand for nothing"
    }

    /// - Precondition: at most ``bytesMax`` bytes; a prefix of 1 to 83 printable ASCII characters without upper case.
    public static func encode(prefix: String, _ bytes: [UInt8]) -> String {
        precondition(isPrefix(prefix), "a prefix is of printable ASCII without upper case")
        precondition(bytes.count <= bytesMax, "bytes to read aloud are few")
        let data = regroup(bytes, from: 8, to: 5, pad: true)!
        let checked = expand(prefix) + data + [UInt8](repeating: 0, count: checksumCount)
        let check = polynomial(checked) ^ constant
        let tail = (0..<checksumCount).map { UInt8(check >> UInt32(5 * (5 - $0)) & 31) }
        return prefix + "1" + String(decoding: (data + tail).map { alphabet[Int($0)] }, as: UTF8.self)
    }

    /// The bytes of a text that is all in lower or all in upper case; there is no other text for them.
    public static func decode(prefix: String, _ text: String) throws(Failure) -> [UInt8] {
        guard isPrefix(prefix) else { throw .prefix }
        let head = Array((prefix + "1").utf8)
        guard text.utf8.count <= head.count + (bytesMax * 8 + 4) / 5 + checksumCount else { throw .length }
        // Case by ASCII alone: to Unicode the Kelvin sign is a K, too.
        var characters = Array(text.utf8)
        if characters.contains(where: { upper.contains($0) }) {
            guard !characters.contains(where: { (0x61...0x7A).contains($0) }) else { throw .mixedCase }
            characters = characters.map { upper.contains($0) ? $0 | 0x20 : $0 }
        }
        guard characters.starts(with: head) else { throw .prefix }
        guard characters.count >= head.count + checksumCount else { throw .checksum }
        var values: [UInt8] = []
        for character in characters.dropFirst(head.count) {
            guard let value = alphabet.firstIndex(of: character) else { throw .character }
            values.append(UInt8(value))
        }
        guard polynomial(expand(prefix) + values) == constant else { throw .checksum }
        guard let bytes = regroup(values.dropLast(checksumCount), from: 5, to: 8, pad: false) else { throw .padding }
        return bytes
    }

    private static func isPrefix(_ prefix: String) -> Bool {
        (1...prefixCountMax).contains(prefix.utf8.count)
            && prefix.utf8.allSatisfy { (0x21...0x7E).contains($0) && !upper.contains($0) }
    }

    private static func expand(_ prefix: String) -> [UInt8] {
        prefix.utf8.map { $0 >> 5 } + [0] + prefix.utf8.map { $0 & 31 }
    }

    private static func polynomial(_ values: [UInt8]) -> UInt32 {
        let generator: [UInt32] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3]
        var check: UInt32 = 1
        for value in values {
            let top = check >> 25
            check = (check & 0x1ff_ffff) << 5 ^ UInt32(value)
            for bit in 0..<5 where top >> UInt32(bit) & 1 == 1 { check ^= generator[bit] }
        }
        return check
    }

    private static func regroup(_ values: some Sequence<UInt8>, from: UInt32, to: UInt32, pad: Bool) -> [UInt8]? {
        var accumulator: UInt32 = 0
        var bits: UInt32 = 0
        var out: [UInt8] = []
        for value in values {
            accumulator = (accumulator << from | UInt32(value)) & 0xfff
            bits += from
            while bits >= to {
                bits -= to
                out.append(UInt8(accumulator >> bits & ((1 << to) - 1)))
            }
        }
        let rest = UInt8(accumulator << (to - bits) & ((1 << to) - 1))
        if pad { return bits > 0 ? out + [rest] : out }
        return bits < from && rest == 0 ? out : nil
    }
}
