/// Text in columns on a terminal, where a Chinese character takes two places.
enum TextLayout {
    /// Places that a text takes on a terminal.
    static func width(_ text: some StringProtocol) -> Int {
        text.unicodeScalars.reduce(0) { $0 + width($1) }
    }

    private static func width(_ scalar: Unicode.Scalar) -> Int {
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format, .control: return 0
        default: break
        }
        switch scalar.value {
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
            0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
            return 2
        default: return 1
        }
    }

    /// The text followed by blanks up to `columns` places.
    static func padded(_ text: String, to columns: Int) -> String {
        text + String(repeating: " ", count: max(0, columns - width(text)))
    }

    /// The beginning of a text that fits into `columns` places.
    static func clipped(_ text: String, to columns: Int) -> String {
        var used = 0
        var shown = ""
        for character in text {
            used += width(String(character))
            if used > columns { break }
            shown.append(character)
        }
        return shown
    }

    /// The text broken between words into lines of at most `columns` places; a longer word has a line of its own.
    static func wrapped(_ text: String, to columns: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(whereSeparator: \.isWhitespace) {
            if !line.isEmpty, width(line) + 1 + width(word) > columns {
                lines.append(line)
                line = ""
            }
            line += line.isEmpty ? String(word) : " " + word
        }
        if !line.isEmpty { lines.append(line) }
        return lines
    }

    /// Rows of a name and its explanation, the explanations in one column and wrapped to `columns` places.
    ///
    /// A name that would push the column too far to the right gets a line of its own.
    static func table(_ rows: [(String, String)], columns: Int) -> [String] {
        let indent = "  "
        let widest = rows.map { width($0.0) }.filter { $0 <= max(12, columns / 3) }.max() ?? 0
        let start = indent.count + widest + 3
        var lines: [String] = []
        for (name, text) in rows {
            let explained = wrapped(text, to: max(20, columns - start))
            var first = indent + name
            var rest = explained[...]
            if width(name) <= widest, let opening = rest.popFirst() { first = padded(first, to: start) + opening }
            lines.append(first)
            lines += rest.map { String(repeating: " ", count: start) + $0 }
        }
        return lines
    }
}
