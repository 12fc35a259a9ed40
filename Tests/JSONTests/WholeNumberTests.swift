import Testing

@testable import JSON

/// JSON Schema knows no other spelling of an integer than its value; whoever promises its integers takes them all.
@Suite struct WholeNumberTests {
    private static func read(_ text: String, _ numbers: JSONValue.NumberSpelling) throws -> JSONValue {
        try JSONValue(parsing: Array(text.utf8), numbers: numbers)
    }

    @Test(arguments: [
        ("5.0", 5), ("-5.000", -5), ("0.5e1", 5), ("5e0", 5), ("5E+2", 500), ("500e-2", 5), ("1.25e2", 125),
        ("0.0", 0), ("-0.0", 0), ("0e99999", 0), ("0e-99999", 0), ("9223372036854775807.0", Int64.max),
        ("-9223372036854775808.0", Int64.min), ("1e18", 1_000_000_000_000_000_000), ("5e0000000000000001", 50),
        ("5", 5),
    ]) func wholeNumbersInAnySpelling(_ text: String, _ expected: Int64) throws {
        #expect(try Self.read(text, .anyWhole) == JSONValue(expected))
        #expect(try Self.read("[\(text)]", .anyWhole) == [JSONValue(expected)])
        if text.contains(where: { ".eE".contains($0) }) {
            #expect(throws: JSONError.self) { try Self.read(text, .digits) }
        }
    }

    @Test(arguments: [
        "5.5", "5.01", "1e-1", "0.1", "15e-2", "1.5e0", "9223372036854775808.0", "1e19", "1e400", "1e99999999999999999",
        "1e-99999999999999999", "5.", ".5", "5.e1", "5e", "5e+", "5e1.0", "05.0", "5.0.0", "5.0x",
        "1e9223372036854775808",
    ]) func whatIsNoWholeNumberIsRefused(_ text: String) {
        #expect(throws: JSONError.self) { try Self.read(text, .anyWhole) }
    }
}
