/// How a head says that its body comes, and whether it may say so.
///
/// Whatever two readers of one head could understand differently is refused: that is how requests are smuggled past a
/// proxy.
struct RequestFraming {
    private var hosts = 0
    private var lengths = 0
    private var length: UInt64?
    private var codings = 0
    private var isChunked = false
    private var isEncoded = false
    private var isBroken = false

    /// Bytes of body that the head announces; nil where it does not know.
    var declared: UInt64? { codings > 0 ? nil : length ?? 0 }

    mutating func note(name: some Collection<UInt8>, value: some Collection<UInt8>) {
        if name.isEmpty || !name.allSatisfy(Self.isTokenCharacter) || !value.allSatisfy(Self.isValueCharacter) {
            isBroken = true
        }
        switch name.count {
        case 4 where Self.equal(name, "host"): hosts += 1
        case 14 where Self.equal(name, "content-length"):
            lengths += 1
            length = Self.number(value)
            if length == nil { isBroken = true }
        case 16 where Self.equal(name, "content-encoding"): isEncoded = isEncoded || !Self.equal(value, "identity")
        case 17 where Self.equal(name, "transfer-encoding"):
            codings += 1
            isChunked = Self.equal(value, "chunked")
        default: break
        }
    }

    /// What is wrong with the head as a whole.
    /// - Parameter isVersion11: HTTP/1.1, not HTTP/1.0.
    func problem(isVersion11: Bool, bodyBytesMax: Int) -> HTTPServerProblem? {
        if isBroken || lengths > 1 { return .malformed }
        if codings > 0, codings > 1 || lengths > 0 || !isChunked || !isVersion11 { return .malformed }
        if isVersion11 ? hosts != 1 : hosts > 1 { return .host }
        if isEncoded { return .encodingUnsupported }
        if let length, length > UInt64(bodyBytesMax) { return .bodyTooLarge }
        return nil
    }

    private static func equal(_ text: some Collection<UInt8>, _ lowered: StaticString) -> Bool {
        lowered.withUTF8Buffer { word in
            unsafe text.count == word.count && zip(text, word).allSatisfy { RequestHead.lowered($0) == $1 }
        }
    }

    /// Digits and nothing else; what has too many of them is as large as can be.
    private static func number(_ text: some Collection<UInt8>) -> UInt64? {
        guard !text.isEmpty else { return nil }
        var number: UInt64 = 0
        for byte in text {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            let (shifted, isTooLarge) = number.multipliedReportingOverflow(by: 10)
            let (sum, isPastEnd) = shifted.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
            number = isTooLarge || isPastEnd ? .max : sum
        }
        return number
    }

    private static func isTokenCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
            UInt8(ascii: "!"), UInt8(ascii: "#")...UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"),
            UInt8(ascii: "^"), UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
            true
        default: false
        }
    }

    /// No controls but the tab; what is beyond ASCII is somebody else's text and stays.
    private static func isValueCharacter(_ byte: UInt8) -> Bool { byte >= 0x20 && byte != 0x7F || byte == 0x09 }
}
