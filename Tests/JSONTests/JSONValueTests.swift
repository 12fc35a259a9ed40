import Testing

@testable import JSON

@Suite struct JSONValueTests {
    @Test(arguments: [
        ("", #""""#), ("plain", #""plain""#), ("a\"b\\c/", #""a\"b\\c/""#), ("\n\r\t\u{8}\u{C}", #""\n\r\t\b\f""#),
        ("\u{0}\u{1}\u{1F}", #""\u0000\u0001\u001f""#), ("\u{7F}\u{9B}", #""\u007f\u009b""#),
        ("\u{2028}\u{2029}", #""\u2028\u2029""#), ("联分😀é", #""联分😀é""#), ("\r\n", #""\r\n""#),
    ]) func escapes(_ string: String, _ expected: String) {
        #expect(JSONValue.string(string).text == expected)
    }

    @Test func membersKeepTheirOrder() {
        let value: JSONValue = ["z": 1, "a": [true, false, nil, "x"], "m": [:], "e": []]
        #expect(value.text == #"{"z":1,"a":[true,false,null,"x"],"m":{},"e":[]}"#)
    }

    @Test func integersAreExact() {
        #expect(JSONValue(UInt64.max).text == "18446744073709551615")
        #expect(JSONValue(Int64.min).text == "-9223372036854775808")
        #expect(JSONValue(0).text == "0")
    }

    @Test func namesAreEscapedToo() {
        #expect(JSONValue.object([.init("a\"\n", 1)]).text == #"{"a\"\n":1}"#)
    }
}
