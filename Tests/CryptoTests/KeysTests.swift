import Canonical
import Crypto
import Testing

@Suite struct KeysTests {
    /// RFC 8032, 7.1: tests 1, 2, 3 and SHA(abc).
    static let vectors: [(seed: String, key: String, message: String, signature: String)] = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
                + "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                + "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
                + "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
        (
            "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
            "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                + "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
                + "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"
        ),
    ]

    @Test(arguments: 0..<4)
    func vectorsOfTheStandard(number: Int) {
        let vector = Self.vectors[number]
        let key = SecretKey(seed: unhex(vector.seed)!)
        let message = unhex(vector.message)!
        #expect(key.publicKey == PublicKey(bytes: unhex(vector.key)!))
        #expect(hex(key.sign(message).bytes) == vector.signature)
        #expect(key.publicKey.verifies(Signature(bytes: unhex(vector.signature)!), of: message))
    }

    @Test func changedBitsDoNotVerify() {
        let key = SecretKey(seed: [UInt8](repeating: 5, count: 32))
        let message: [UInt8] = [1, 2, 3]
        let signature = key.sign(message)
        for bit in 0..<64 * 8 {
            var bytes = signature.bytes
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(!key.publicKey.verifies(Signature(bytes: bytes), of: message), "bit \(bit)")
        }
        for bit in 0..<3 * 8 {
            var changed = message
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(!key.publicKey.verifies(signature, of: changed))
        }
        #expect(!key.publicKey.verifies(signature, of: []))
        #expect(!key.publicKey.verifies(signature, of: message + [0]))
        #expect(!SecretKey().publicKey.verifies(signature, of: message))
    }

    /// S beyond the group's order, a key of small order: signatures that some libraries take.
    @Test func signaturesOfAnotherFormDoNotVerify() {
        let vector = Self.vectors[1]
        var bytes = unhex(vector.signature)!
        let order = unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")!
        var carry = 0
        for index in 0..<32 {
            let sum = Int(bytes[32 + index]) + Int(order[index]) + carry
            bytes[32 + index] = UInt8(truncatingIfNeeded: sum)
            carry = sum >> 8
        }
        #expect(!PublicKey(bytes: unhex(vector.key)!).verifies(Signature(bytes: bytes), of: unhex(vector.message)!))
        let neutral = PublicKey(bytes: [1] + [UInt8](repeating: 0, count: 31))
        let trivial = Signature(bytes: [1] + [UInt8](repeating: 0, count: 63))
        #expect(!neutral.verifies(trivial, of: [1, 2, 3]))
        #expect(!PublicKey(bytes: [UInt8](repeating: 0, count: 32)).verifies(trivial, of: []))
        #expect(!PublicKey(bytes: [UInt8](repeating: 0xFF, count: 32)).verifies(trivial, of: []))
    }

    @Test func everyFormRoundTrips() throws {
        let key = SecretKey(seed: [UInt8](repeating: 6, count: 32))
        let signature = key.sign([])
        #expect(key.publicKey.canonicalBytes.count == PublicKey.byteCount)
        #expect(try PublicKey(canonicalBytes: key.publicKey.canonicalBytes) == key.publicKey)
        #expect(PublicKey(hex: key.publicKey.description) == key.publicKey)
        #expect(try Signature(canonicalBytes: signature.canonicalBytes) == signature)
        #expect(PublicKey(hex: "01") == nil)
        #expect(PublicKey(hex: "02" + key.publicKey.description.dropFirst(2)) == nil)
    }

    @Test(arguments: [0, 2, 255] as [UInt8])
    func unknownSuitesAreRefused(suite: UInt8) {
        #expect(throws: DecodingError.self) {
            try PublicKey(canonicalBytes: [suite] + [UInt8](repeating: 1, count: 32))
        }
        #expect(throws: DecodingError.self) {
            try Signature(canonicalBytes: [suite] + [UInt8](repeating: 1, count: 64))
        }
    }

    @Test func secretIsNeverPrinted() {
        let seed = (0..<32).map { UInt8($0 + 100) }
        expectSilence(about: seed, SecretKey(seed: seed))
    }

    @Test func randomBytesDiffer() {
        #expect(randomBytes(0) == [])
        #expect(randomBytes(32).count == 32)
        #expect(randomBytes(32) != randomBytes(32))
        #expect(SecretKey().publicKey != SecretKey().publicKey)
    }
}

/// Expects that no way of printing the value shows the bytes, in decimal or in hexadecimal.
func expectSilence(about secret: [UInt8], _ value: Any, sourceLocation: SourceLocation = #_sourceLocation) {
    var dumped = ""
    dump(value, to: &dumped)
    for text in [String(describing: value), String(reflecting: value), "\(value)", dumped, "\([value])"] {
        #expect(!text.contains(hex(secret)), sourceLocation: sourceLocation)
        #expect(!text.contains(hex(secret.prefix(8))), sourceLocation: sourceLocation)
        for separator in [", ", "\n"] {
            let run = secret.prefix(3).map { "\($0)" }.joined(separator: separator)
            #expect(!text.contains(run), sourceLocation: sourceLocation)
        }
        // Dumps write an element a line.
        #expect(!secret.prefix(3).allSatisfy { text.contains("- \($0)\n") }, sourceLocation: sourceLocation)
    }
}
