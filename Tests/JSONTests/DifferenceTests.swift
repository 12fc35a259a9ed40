import JSON
import Testing

/// Two values that differ are told apart at the innermost place.
@Suite struct DifferenceTests {
    private static func difference(_ here: String, _ there: String) throws -> JSONValue.Difference? {
        try JSONValue(parsing: Array(here.utf8)).difference(from: JSONValue(parsing: Array(there.utf8)))
    }

    @Test(arguments: [
        ("1", "1"), ("{}", "{}"), (#"{"a": [1, {"b": null}], "c": "x"}"#, #"{"c": "x", "a": [1, {"b": null}]}"#),
    ])
    func equalOnesHaveNone(_ here: String, _ there: String) throws {
        #expect(try Self.difference(here, there) == nil)
    }

    private static let different: [(here: String, there: String, path: String, mine: String?, theirs: String?)] = [
        ("1", "2", "$", "1", "2"), ("1", "true", "$", "1", "true"),
        (#"{"a": 1}"#, #"{"a": 2}"#, "$.a", "1", "2"), (#"{"a": 1}"#, "{}", "$.a", "1", nil),
        ("{}", #"{"a b": 1}"#, #"$["a b"]"#, nil, "1"), ("[1, 2]", "[1, 3]", "$[1]", "2", "3"),
        ("[1]", "[1, 2]", "$[1]", nil, "2"), ("[1, 2]", "[1]", "$[1]", "2", nil), ("[]", "{}", "$", "[]", "{}"),
        (#"{"a": [0, {"b": "x"}], "c": 1}"#, #"{"a": [0, {"b": "y"}], "c": 2}"#, "$.a[1].b", "\"x\"", "\"y\""),
    ]

    @Test func theFirstPlaceIsNamed() throws {
        for sample in Self.different {
            let found = try #require(try Self.difference(sample.here, sample.there))
            #expect(found.path == sample.path)
            #expect(found.here?.text == sample.mine && found.there?.text == sample.theirs)
        }
    }

    /// Two spellings of one letter look alike and compare as equal, and are other bytes.
    @Test func textsAreComparedByTheirBytes() {
        let (composed, decomposed) = (JSONValue.string("\u{e9}"), JSONValue.string("e\u{301}"))
        #expect(composed == decomposed)
        #expect(composed.difference(from: decomposed)?.path == "$")
    }
}
