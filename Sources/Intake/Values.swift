/// The bytes without the blanks around them: space, tab, and the full-width space of Chinese and Japanese text.
func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var rest = bytes
    while let first = rest.first {
        if first == 0x20 || first == 0x09 {
            rest = rest.dropFirst()
        } else if first == 0xE3, rest.starts(with: [0xE3, 0x80, 0x80]) {
            rest = rest.dropFirst(3)
        } else {
            break
        }
    }
    while let last = rest.last {
        if last == 0x20 || last == 0x09 {
            rest = rest.dropLast()
        } else if last == 0x80, rest.suffix(3).elementsEqual([0xE3, 0x80, 0x80]) {
            rest = rest.dropLast(3)
        } else {
            break
        }
    }
    return rest
}

/// How much of a value a sentence repeats.
private let quotedScalarsMax = 60

/// A value from a file as it may stand in a sentence: cut, and without control characters.
func quoted(_ bytes: ArraySlice<UInt8>) -> String {
    var text = ""
    for (count, scalar) in String(decoding: bytes, as: UTF8.self).unicodeScalars.enumerated() {
        if count == quotedScalarsMax {
            text += "…"
            break
        }
        text.unicodeScalars.append(scalar.properties.generalCategory == .control ? " " : scalar)
    }
    return "“\(text)”"
}
