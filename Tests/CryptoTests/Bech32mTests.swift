import Crypto
import Testing

@Suite struct Bech32mTests {
    static let prefix = "lfacc"
    static let text = Bech32m.encode(prefix: prefix, Array(0..<16))

    /// BIP 350's valid texts, with the bytes they hold; nil where their groups of five bits are not whole bytes.
    @Test(
        arguments: [
            ("a", "a1lqfn3a", ""), ("a", "A1LQFN3A", ""), ("?", "?1v759aa", ""),
            (
                "an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber1",
                "an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg6", ""
            ),
            ("abcdef", "abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx", "ffbbcdeb38bdab49ca307b9ac5a928398a418820"),
            (
                "split", "split1checkupstagehandshakeupstreamerranterredcaperredlc445v",
                "c5f38b70305f519bf66d85fb6cf03058f3dde463ecd7918f2dc743918f2d"
            ),
            ("1", "11llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllludsr8", nil),
        ] as [(String, String, String?)])
    func validTextsOfTheStandard(prefix: String, text: String, bytes: String?) throws {
        if let bytes {
            #expect(hex(try Bech32m.decode(prefix: prefix, text)) == bytes)
            #expect(Bech32m.encode(prefix: prefix, unhex(bytes)!) == text.lowercased())
        } else {
            #expect(throws: Bech32m.Failure.padding) { try Bech32m.decode(prefix: prefix, text) }
        }
    }

    @Test(arguments: [
        (" ", " 1xj0phk"), ("\u{7F}", "\u{7F}1g6xzxy"), ("\u{80}", "\u{80}1vctc34"), ("", "qyrz8wqd2c9m"),
        ("", "1qyrz8wqd2c9m"), ("y", "y1b0jsk6g"), ("lt", "lt1igcx5c0"), ("in", "in1muywd"), ("mm", "mm1crxm3i"),
        ("au", "au1s5cgom"), ("m", "M1VUXWEZ"), ("", "16plkw9"), ("", "1p2gdwpf"),
    ])
    func invalidTextsOfTheStandard(prefix: String, text: String) {
        #expect(throws: Bech32m.Failure.self) { try Bech32m.decode(prefix: prefix, text) }
    }

    @Test func roundTrips() throws {
        for count in [0, 1, 2, 3, 4, 5, 16, 32, 33, Bech32m.bytesMax] {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 37) }
            let text = Bech32m.encode(prefix: Self.prefix, bytes)
            #expect(try Bech32m.decode(prefix: Self.prefix, text) == bytes)
            #expect(try Bech32m.decode(prefix: Self.prefix, text.uppercased()) == bytes)
        }
    }

    @Test func everyChangedCharacterIsRefused() {
        let characters = Array(Self.text)
        for place in characters.indices {
            for other in (0x20...0x7E).map({ Character(UnicodeScalar($0)) }) where other != characters[place] {
                var changed = characters
                changed[place] = other
                #expect(throws: Bech32m.Failure.self, "\(String(changed))") {
                    try Bech32m.decode(prefix: Self.prefix, String(changed))
                }
            }
        }
    }

    @Test func everyMissingDoubledOrExchangedCharacterIsRefused() {
        let characters = Array(Self.text)
        for place in characters.indices {
            var (missing, doubled, exchanged) = (characters, characters, characters)
            missing.remove(at: place)
            doubled.insert(characters[place], at: place)
            exchanged.swapAt(place, min(place + 1, characters.count - 1))
            for changed in [missing, doubled, exchanged] where changed != characters {
                #expect(throws: Bech32m.Failure.self, "\(String(changed))") {
                    try Bech32m.decode(prefix: Self.prefix, String(changed))
                }
            }
        }
    }

    @Test func otherPrefixesAndMixedCaseAreRefused() {
        #expect(throws: Bech32m.Failure.prefix) { try Bech32m.decode(prefix: "lfkey", Self.text) }
        #expect(throws: Bech32m.Failure.prefix) { try Bech32m.decode(prefix: "lfac", Self.text) }
        #expect(throws: Bech32m.Failure.prefix) { try Bech32m.decode(prefix: Self.prefix, "") }
        #expect(throws: Bech32m.Failure.mixedCase) {
            try Bech32m.decode(prefix: Self.prefix, "LF" + Self.text.dropFirst(2))
        }
    }

    /// The Kelvin sign is a K to whoever folds case by Unicode, and there must be one text for an account only.
    @Test func lettersOutsideASCIIAreRefused() throws {
        let text = try #require(
            (0..<100).map { Bech32m.encode(prefix: Self.prefix, [$0, 1, 2, 3]) }.first { $0.dropFirst(6).contains("k") }
        )
        let foreign = String(text.uppercased().map { $0 == "K" ? "\u{212A}" : $0 })
        #expect(Array(foreign.utf8) != Array(text.uppercased().utf8))
        #expect(throws: Bech32m.Failure.self) { try Bech32m.decode(prefix: Self.prefix, foreign) }
        for other in ["\u{17F}", "\u{130}", "é", "q\u{301}", "\u{0}"] {
            #expect(throws: Bech32m.Failure.self) { try Bech32m.decode(prefix: Self.prefix, text.dropLast() + other) }
        }
    }

    @Test func longTextIsRefused() {
        let long = Self.text + String(repeating: "q", count: 2000)
        #expect(throws: Bech32m.Failure.length) { try Bech32m.decode(prefix: Self.prefix, long) }
    }
}
