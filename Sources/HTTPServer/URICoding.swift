/// The escapes of a target.
enum URICoding {
    static func segments(_ path: ArraySlice<UInt8>) -> [String]? {
        guard path.first == UInt8(ascii: "/") else { return nil }
        let rest = path.dropFirst()
        if rest.isEmpty { return [] }
        var segments: [String] = []
        for part in rest.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            guard let text = decoded(part, plusIsSpace: false) else { return nil }
            segments.append(text)
        }
        return segments
    }

    static func parameters(_ query: ArraySlice<UInt8>) -> [(name: String, value: String?)]? {
        var parameters: [(String, String?)] = []
        for part in query.split(separator: UInt8(ascii: "&")) {
            let equals = part.firstIndex(of: UInt8(ascii: "="))
            guard let name = decoded(part[..<(equals ?? part.endIndex)], plusIsSpace: true) else { return nil }
            guard let equals else {
                parameters.append((name, nil))
                continue
            }
            guard let value = decoded(part[(equals + 1)...], plusIsSpace: true) else { return nil }
            parameters.append((name, value))
        }
        return parameters
    }

    /// Nil where an escape is broken, or where the bytes are not UTF-8 or hold a zero.
    private static func decoded(_ bytes: ArraySlice<UInt8>, plusIsSpace: Bool) -> String? {
        var plain: [UInt8] = []
        plain.reserveCapacity(bytes.count)
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let byte = bytes[index]
            if byte == UInt8(ascii: "%") {
                guard bytes.endIndex - index > 2, let high = digit(bytes[index + 1]), let low = digit(bytes[index + 2])
                else { return nil }
                plain.append(high << 4 | low)
                index += 3
            } else {
                plain.append(plusIsSpace && byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
                index += 1
            }
        }
        return plain.contains(0) ? nil : String(validating: plain, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
