import Crypto
import TestSupport
import Testing

struct Base64Tests {
    /// RFC 4648, section 10, and its URL alphabet.
    @Test func textsOfTheStandard() {
        let texts = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]
        for (count, text) in texts.enumerated() {
            let bytes = Array("foobar".utf8.prefix(count))
            #expect(base64(bytes) == text)
            #expect(unbase64(text) == bytes)
            #expect(base64URL(bytes) == text.filter { $0 != "=" })
        }
        #expect(base64([0xFB, 0xFF, 0xFE]) == "+//+")
        #expect(base64URL([0xFB, 0xFF, 0xFE]) == "-__-")
    }

    @Test func everyLengthComesBack() {
        var random = SeededGenerator(seed: 4)
        for count in 0..<200 {
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            #expect(unbase64(base64(bytes)) == bytes)
            #expect(unbase64URL(base64URL(bytes)) == bytes)
        }
    }

    @Test(arguments: ["Zg", "Zg=", "Zh==", "Zm9v\n", " Zm9v", "Zm-v", "Zm9v====", "=", "Zm9=v", "点"])
    func oneTextForOneValue(_ text: String) {
        #expect(unbase64(text) == nil)
    }

    @Test(arguments: ["Zg==", "Zh", "Zm9v\n", "Zm+v", "Z", "点"])
    func oneTextForOneValueInAddresses(_ text: String) {
        #expect(unbase64URL(text) == nil)
    }
}
