import Canonical
import Crypto
import TestSupport
import Testing

@Suite struct DigestTests {
    /// FIPS 180-4's examples, and lengths on both sides of the block and the padding.
    @Test(arguments: [
        ("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (
            "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
                + "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
            1, "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
        ),
        ("a", 1_000_000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ])
    func vectorsOfTheStandard(text: String, times: Int, digest: String) {
        let bytes = Array(String(repeating: text, count: times).utf8)
        #expect(SHA256.hash(bytes).description == digest)
        for cut in [0, 1, bytes.count / 2, bytes.count] where cut <= bytes.count {
            #expect(SHA256.hash(Array(bytes.prefix(cut)), Array(bytes.dropFirst(cut))).description == digest)
        }
    }

    /// Every length up to 300: one block, two, and more, on all sides of the padding. The constant is another
    /// implementation's.
    @Test func everyShortLength() {
        var digests: [UInt8] = []
        for count in 0...300 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7 + count) }
            let digest = SHA256.hash(bytes)
            digests += digest.bytes
            for cut in Set([0, count / 3, count]) {
                #expect(SHA256.hash(Array(bytes[..<cut]), Array(bytes[cut...])) == digest, "\(count) cut at \(cut)")
            }
        }
        #expect(SHA256.hash(digests).description == "60d63ff40b5558727a9b786ac0be9300f7ca58fd9ddd3b2f3681b369018a87dc")
    }

    @Test func pairIsTheDigestOfATagAndBothDigests() {
        let (left, right) = (SHA256.hash([1]), SHA256.hash([2]))
        for tag in [0, 1, 255] as [UInt8] {
            #expect(SHA256.pair(tag, left, right) == SHA256.hash([tag] + left.bytes + right.bytes))
        }
    }

    @Test func domainIsItsTagInFront() {
        #expect(SHA256.hash(.row, [1, 2]) == SHA256.hash([13] + Array("lianfen/1/row".utf8) + [1, 2]))
        let bytes: [UInt8] = [0, 1, 2, 3]
        let (part, none) = (SHA256.hash(.row, bytes[1..<3].span.bytes), SHA256.hash(.row, bytes[1..<1].span.bytes))
        #expect(part == SHA256.hash(.row, [1, 2]))
        #expect(none == SHA256.hash(.row, []))
        for domain in Domain.allCases { #expect(SHA256.hash(domain, []) == SHA256.hash(domain.prefix)) }
    }

    /// No tag with its length is the beginning of another, so bytes of one kind are never those of another.
    @Test func domainsAreDistinct() {
        for one in Domain.allCases {
            for other in Domain.allCases where one != other { #expect(!other.prefix.starts(with: one.prefix)) }
        }
    }

    @Test func orderOfDigestsIsOrderOfBytes() {
        var random = SeededGenerator(seed: 3)
        let digests = (0..<300).map { number in
            // Many equal bytes in front, so that every word decides at times.
            var bytes = [UInt8](repeating: 0x7F, count: 32)
            for place in Int.random(in: 0..<32, using: &random)..<32 { bytes[place] = UInt8.random(in: 0...255) }
            return Digest(bytes: bytes)
        }
        for one in digests {
            for other in digests {
                #expect((one < other) == one.bytes.lexicographicallyPrecedes(other.bytes))
                #expect((one == other) == (one.bytes == other.bytes))
                let bits = (0..<256).first { one.bit($0) != other.bit($0) } ?? 256
                #expect(one.commonBits(with: other) == bits)
            }
        }
    }

    @Test func bitsAndWordsAreThoseOfTheBytes() {
        let digest = SHA256.hash([7])
        for bit in 0..<256 { #expect(digest.bit(bit) == (digest.bytes[bit / 8] >> UInt8(7 - bit % 8) & 1 == 1)) }
        #expect(digest.leadingWord == digest.bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) })
    }

    @Test func everyFormRoundTrips() throws {
        let digest = SHA256.hash([9])
        #expect(Digest(bytes: digest.bytes) == digest)
        #expect(Digest(hex: digest.description) == digest)
        #expect(digest.canonicalBytes == digest.bytes)
        #expect(try Digest(canonicalBytes: digest.bytes) == digest)
        for count in 0..<32 {
            #expect(throws: DecodingError.self) { try Digest(canonicalBytes: Array(digest.bytes.prefix(count))) }
        }
    }

    @Test func textThatIsNoDigestIsNil() {
        let text = SHA256.hash([9]).description
        #expect(Digest(hex: String(text.dropLast())) == nil)
        #expect(Digest(hex: String(text.dropLast(2))) == nil)
        #expect(Digest(hex: text + "00") == nil)
        #expect(Digest(hex: text.dropLast() + "g") == nil)
        #expect(Digest(hex: "") == nil)
        #expect(unhex("") == [])
        #expect(unhex("0") == nil)
        #expect(unhex("0x") == nil)
        #expect(unhex("aF") == [0xAF])
        #expect(hex([0, 0x0F, 0xF0]) == "000ff0")
    }
}
