import Canonical
import Crypto
import Testing

@Suite struct KeyFileTests {
    static let seed = (0..<32).map { UInt8($0 + 100) }
    static let passphrase = Array("correct horse".utf8)

    let key = SecretKey(seed: Self.seed)
    let sealed: KeyFile

    init() { sealed = KeyFile(sealing: key, passphrase: Self.passphrase, cost: .test) }

    @Test func opensWithItsPassphrase() throws {
        #expect(sealed.isSealed)
        let read = try KeyFile(canonicalBytes: sealed.canonicalBytes)
        let opened = try read.open(passphrase: Self.passphrase)
        #expect(opened.publicKey == key.publicKey)
        #expect(opened.sign([1]) == key.sign([1]))
    }

    @Test func emptyPassphraseIsAPassphrase() throws {
        let file = KeyFile(sealing: key, passphrase: [], cost: .test)
        #expect(try file.open(passphrase: []).publicKey == key.publicKey)
        #expect(throws: KeyFileError.passphraseWrong) { try file.open(passphrase: [0]) }
        #expect(throws: KeyFileError.passphraseMissing) { try file.open(passphrase: nil) }
    }

    @Test(arguments: ["", "correct hors", "correct horse ", "Correct horse"])
    func wrongPassphraseIsRefused(passphrase: String) {
        #expect(throws: KeyFileError.passphraseWrong) { try sealed.open(passphrase: Array(passphrase.utf8)) }
    }

    @Test func missingPassphraseIsRefused() {
        #expect(throws: KeyFileError.passphraseMissing) { try sealed.open(passphrase: nil) }
    }

    @Test func clearFileOpensWithoutPassphrase() throws {
        let clear = try KeyFile(canonicalBytes: KeyFile(clear: key).canonicalBytes)
        #expect(!clear.isSealed)
        #expect(try clear.open(passphrase: nil).publicKey == key.publicKey)
    }

    /// The memory cost stands at bytes 15 to 22: a changed one may stand for a gigabyte, so it has a test of its own.
    @Test func changedByteIsRefused() {
        let bytes = sealed.canonicalBytes
        #expect(bytes.count == 5 + 1 + 1 + 8 + 8 + 16 + 24 + 48 + 33)
        for place in bytes.indices where !(15..<23).contains(place) {
            // All of what is checked on reading, a sample of what costs a try of the passphrase.
            guard place < 15 || place % 5 == 0 || place == bytes.count - 33 else { continue }
            var changed = bytes
            changed[place] ^= 1
            #expect(throws: (any Error).self, "byte \(place)") {
                _ = try KeyFile(canonicalBytes: changed).open(passphrase: Self.passphrase)
            }
        }
    }

    @Test(
        arguments: [
            (0, 8 << 20), (17, 8 << 20), (UInt64.max, 8 << 20), (1, 0), (1, 8191), (1, 1 << 30 + 1), (1, UInt64.max),
        ] as [(UInt64, UInt64)])
    func costsOutsideTheirBoundsAreRefused(operations: UInt64, memoryBytes: UInt64) {
        var encoder = Encoder()
        encoder.u64(operations)
        encoder.u64(memoryBytes)
        var bytes = sealed.canonicalBytes
        bytes.replaceSubrange(7..<23, with: encoder.bytes)
        #expect(throws: DecodingError.self) { try KeyFile(canonicalBytes: bytes) }
    }

    @Test func otherCostsDoNotOpen() throws {
        var encoder = Encoder()
        encoder.u64(8 << 20 | 1 << 10)
        var bytes = sealed.canonicalBytes
        bytes.replaceSubrange(15..<23, with: encoder.bytes)
        let file = try KeyFile(canonicalBytes: bytes)
        #expect(throws: KeyFileError.passphraseWrong) { try file.open(passphrase: Self.passphrase) }
    }

    @Test func changedClearFileIsRefused() {
        let bytes = KeyFile(clear: key).canonicalBytes
        for place in bytes.indices {
            var changed = bytes
            changed[place] ^= 1
            #expect(throws: (any Error).self, "byte \(place)") {
                _ = try KeyFile(canonicalBytes: changed).open(passphrase: nil)
            }
        }
    }

    @Test func truncatedFileIsRefused() {
        for bytes in [sealed.canonicalBytes, KeyFile(clear: key).canonicalBytes] {
            for count in 0..<bytes.count {
                #expect(throws: DecodingError.self) { try KeyFile(canonicalBytes: Array(bytes.prefix(count))) }
            }
            #expect(throws: DecodingError.self) { try KeyFile(canonicalBytes: bytes + [0]) }
        }
    }

    @Test func secretIsNeverPrinted() {
        expectSilence(about: Self.seed, KeyFile(clear: key))
        expectSilence(about: Self.seed, sealed)
        expectSilence(about: Self.passphrase, sealed)
        expectSilence(about: Self.seed, KeyFileError.damaged)
    }

    @Test func sealedBytesHoldNeitherSeedNorPassphrase() {
        let text = hex(sealed.canonicalBytes)
        #expect(!text.contains(hex(Self.seed.prefix(8))))
        #expect(!text.contains(hex(Self.passphrase.prefix(6))))
    }
}
