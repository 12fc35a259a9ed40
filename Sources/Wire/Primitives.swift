import Canonical
public import Crypto
import JSON
public import Ledger

/// Values that stand in JSON as text or as a small number. Whatever is 64 bits wide is a string of digits, since many
/// readers keep only 53 bits of a number; smaller integers are numbers.
extension Form {
    /// A string with a meaning.
    /// - Parameter format: names the meaning for whoever makes values by the schema alone.
    static func text(
        _ what: String, pattern: String, format: String? = nil, example: String, _ about: String = "",
        read: @escaping @Sendable (String) -> Value?, write: @escaping @Sendable (Value) -> String
    ) -> Form {
        var json: [JSONValue.Member] = [.init("type", "string"), .init("pattern", .string(pattern))]
        if let format { json.append(.init("format", .string(format))) }
        json.append(.init("examples", [.string(example)]))
        if !about.isEmpty { json.append(.init("description", .string(about))) }
        return Form(
            Schema(.object(json)),
            read: { (json: JSONValue) throws(JSONError) -> Value in
                guard case .string(let text) = json else { throw json.wanted("a string, \(what),") }
                guard let value = read(text) else {
                    throw JSONError("", "“\(JSONError.shortened(text))” is not \(what), such as “\(example)”")
                }
                return value
            }, write: { .string(write($0)) })
    }
}

extension Form where Value == UInt64 {
    /// Digits without sign, point, exponent or leading zero, up to 2⁶⁴ − 1.
    public static let number64 = text(
        "a whole number written in digits", pattern: number64Pattern, example: "1200",
        "A whole number of 64 bits as a string of digits.", read: digits, write: { String($0) }
    ).named("Number64")

    private static func digits(_ text: String) -> UInt64? {
        guard (1...20).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            text == "0" || text.utf8.first != 0x30
        else { return nil }
        return UInt64(text)
    }

    /// Exactly the numbers up to 18446744073709551615: those of 20 digits are told by where they first fall below it.
    private static let number64Pattern: String = {
        let largest = Array(String(UInt64.max).utf8).map { Int($0) - 0x30 }
        var alternatives = ["0", "[1-9][0-9]{0,18}"]
        for (index, digit) in largest.enumerated() where digit > (index == 0 ? 1 : 0) {
            let head = largest[0..<index].map(String.init).joined()
            let low = index == 0 ? 1 : 0
            let one = digit - 1 == low ? "\(low)" : "[\(low)-\(digit - 1)]"
            let rest = largest.count - index - 1
            alternatives.append(head + one + (rest == 0 ? "" : rest == 1 ? "[0-9]" : "[0-9]{\(rest)}"))
        }
        alternatives.append(String(UInt64.max))
        return "^(?:" + alternatives.joined(separator: "|") + ")$"
    }()

    /// A moment.
    public static let time = Form(
        Schema(
            ["allOf": [number64.schema.json], "description": "Milliseconds since 1970 UTC."],
            number64.schema.definitions), read: { (json: JSONValue) throws(JSONError) in try number64.read(json) },
        write: number64.write)
}

/// Small integers, which are JSON numbers.
extension Form where Value: FixedWidthInteger & Sendable {
    static func integer(_ range: ClosedRange<Value>) -> Form {
        Form(
            Schema([
                "type": "integer", "minimum": .integer(Int128(range.lowerBound)),
                "maximum": .integer(Int128(range.upperBound)),
            ]),
            read: { (json: JSONValue) throws(JSONError) -> Value in
                guard case .integer(let number) = json else { throw json.wanted("a whole number") }
                guard let value = Value(exactly: number), range.contains(value) else {
                    throw JSONError("", "has to be from \(range.lowerBound) to \(range.upperBound)")
                }
                return value
            }, write: { .integer(Int128($0)) })
    }

    static var integer: Form { integer(.min ... .max) }
}

extension Form where Value == Bool {
    static let bool = Form(
        Schema(["type": "boolean"]),
        read: { (json: JSONValue) throws(JSONError) -> Bool in
            guard case .bool(let flag) = json else { throw json.wanted("true or false") }
            return flag
        }, write: { .bool($0) })
}

extension Form where Value == String {
    /// Any text of so many characters.
    static func string(_ counts: ClosedRange<Int>) -> Form {
        Form(
            Schema([
                "type": "string", "minLength": JSONValue(counts.lowerBound), "maxLength": JSONValue(counts.upperBound),
            ]),
            read: { (json: JSONValue) throws(JSONError) -> String in
                guard case .string(let text) = json else { throw json.wanted("a string") }
                guard counts.contains(text.unicodeScalars.count) else {
                    throw JSONError("", "has to have \(counts.lowerBound) to \(counts.upperBound) characters")
                }
                return text
            }, write: { .string($0) })
    }
}

extension Form where Value: RawRepresentable & CaseIterable & Sendable {
    /// One of a fixed set of words.
    static func words(_ word: @escaping @Sendable (Value) -> String) -> Form {
        let words = Value.allCases.map { ($0, word($0)) }
        let list = words.map { "“\($0.1)”" }.joined(separator: ", ")
        return Form(
            Schema(["type": "string", "enum": .array(words.map { .string($0.1) })]),
            read: { (json: JSONValue) throws(JSONError) -> Value in
                guard case .string(let text) = json else { throw json.wanted("a string, one of \(list),") }
                guard let found = Value.allCases.first(where: { word($0).utf8.elementsEqual(text.utf8) }) else {
                    throw JSONError("", "“\(JSONError.shortened(text))” is not known; write one of \(list)")
                }
                return found
            }, write: { .string(word($0)) })
    }
}

extension Form where Value == [UInt8] {
    /// Bytes in hexadecimal.
    public static func hexadecimal(_ counts: ClosedRange<Int>) -> Form {
        let repeats =
            counts.lowerBound == counts.upperBound
            ? "{\(counts.lowerBound)}" : "{\(counts.lowerBound),\(counts.upperBound)}"
        return text(
            "\(counts.lowerBound) to \(counts.upperBound) bytes in lower-case hexadecimal",
            pattern: "^(?:[0-9a-f]{2})\(repeats)$", example: "00ff",
            read: { lowerHex($0).flatMap { counts.contains($0.count) ? $0 : nil } }, write: { hex($0) })
    }

    /// A short string of bytes that is nearly always text: printable ASCII as it is, anything else as `hex:` and its
    /// digits.
    static func byteString(_ counts: ClosedRange<Int>, spaces: Bool, exact: Int? = nil) -> Form {
        let printable: ClosedRange<UInt8> = spaces ? 0x20...0x7E : 0x21...0x7E
        let characters = spaces ? "[ -~]" : "[!-~]"
        let hexCounts = exact.map { "{\($0)}" } ?? "{\(max(1, counts.lowerBound)),\(counts.upperBound)}"
        return text(
            "\(counts.lowerBound) to \(counts.upperBound) printable ASCII characters, or “hex:” and digits",
            pattern:
                "^(?:hex:(?:[0-9a-f]{2})\(hexCounts)"
                + "|(?!hex:)\(characters){\(counts.lowerBound),\(counts.upperBound)})$",
            example: "A-2026-000017",
            read: { text in
                let bytes = Array(text.utf8)
                guard !bytes.starts(with: "hex:".utf8) else {
                    guard let bytes = lowerHex(String(text.dropFirst(4))) else { return nil }
                    let isRight = exact.map { $0 == bytes.count } ?? (counts.contains(bytes.count) && !bytes.isEmpty)
                    return isRight ? bytes : nil
                }
                return counts.contains(bytes.count) && bytes.allSatisfy(printable.contains) ? bytes : nil
            },
            write: { bytes in
                bytes.allSatisfy(printable.contains) && !bytes.starts(with: "hex:".utf8)
                    ? String(decoding: bytes, as: UTF8.self) : "hex:" + hex(bytes)
            })
    }
}

/// Bytes of lower-case hexadecimal text alone: one text for one value.
func lowerHex(_ text: String) -> [UInt8]? {
    text.utf8.contains { (0x41...0x46).contains($0) } ? nil : unhex(text)
}

extension Form where Value == Digest {
    public static let digest = text(
        "a digest of 64 lower-case hexadecimal digits", pattern: "^[0-9a-f]{64}$",
        example: String(repeating: "00", count: 32), "A SHA-256 digest in hexadecimal.",
        read: { lowerHex($0).flatMap { $0.count == 32 ? Digest(bytes: $0) : nil } }, write: { $0.description }
    ).named("Digest")
}

extension Form where Value == PublicKey {
    public static let publicKey = text(
        "a public key: 01 and 64 lower-case hexadecimal digits", pattern: "^01[0-9a-f]{64}$",
        format: "lianfen-public-key", example: "01" + String(repeating: "ab", count: 32),
        "A public key in hexadecimal: the suite's byte (01 for Ed25519), then 32 bytes.",
        read: { lowerHex($0).flatMap { try? PublicKey(canonicalBytes: $0) } }, write: { $0.description }
    ).named("PublicKey")
}

extension Form where Value == Signature {
    public static let signature = text(
        "a signature: 01 and 128 lower-case hexadecimal digits", pattern: "^01[0-9a-f]{128}$",
        example: "01" + String(repeating: "cd", count: 64),
        "A signature in hexadecimal: the suite's byte (01 for Ed25519), then 64 bytes.",
        read: { lowerHex($0).flatMap { try? Signature(canonicalBytes: $0) } }, write: { hex($0.canonicalBytes) }
    ).named("Signature")
}

extension Form where Value == AccountID {
    public static let account = text(
        "an account id (lf1 and 32 more characters whose check holds)", pattern: "^lf1[02-9ac-hj-np-z]{32}$",
        format: "lianfen-account", example: "lf1qqqsyqcyq5rqwzqfpg9scrgwputzxf6z",
        "An account's id: 16 random bytes as Bech32m text.",
        read: { text in
            guard text.utf8.allSatisfy({ !(0x41...0x5A).contains($0) }) else { return nil }
            return try? AccountID(text: text)
        }, write: { $0.description }
    ).named("AccountID")
}

extension Form where Value == UnitCode {
    public static let unit = text(
        "a unit's code: 1 to 16 of A–Z 0–9 - _, a letter first", pattern: "^[A-Z][A-Z0-9_-]{0,15}$", example: "GALAXY",
        "The code of a kind of points.", read: { UnitCode($0) }, write: { $0.description }
    ).named("UnitCode")
}

extension Form where Value == OrganisationID {
    public static let organisation = Form<UInt32>.integer.map(
        read: { (number: UInt32) throws(JSONError) in OrganisationID(number) }, write: { $0.number })
}

/// A name of our own as the interface has words: `swappedIn` as `swapped-in`.
func dashed(_ name: String) -> String {
    name.unicodeScalars.map { $0.properties.isUppercase ? "-\($0.properties.lowercaseMapping)" : "\($0)" }.joined()
}
