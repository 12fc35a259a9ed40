public import Foundation
import Testing

/// A page of docs taken apart: its snippets, in their order, with what the page says that they print.
///
/// - `sh`: run by one bash, one after the other; what stands in the `text` block behind one is its output. A second
///   word says when: in docs/api.md `sh setup` is run before everything else, in every language's directory, and
///   `sh background` keeps running meanwhile; in docs/founding.md `sh after` is run once the nodes run.
/// - `js`: one module of Node, beside a copy of lianfen.js.
/// - `swift`: the program in Tests/GuideSteps, word for word.
///
/// In Swift and JavaScript every line that prints ends in a comment that says what. `…` stands for anything within a
/// line.
public struct Guide {
    public struct Snippet {
        public let line: Int
        public let language: String
        public let kind: String?
        public fileprivate(set) var code: String
        public fileprivate(set) var output: String = ""
    }

    public static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Its path in the repository.
    public let page: String
    public let snippets: [Snippet]

    public init(_ page: String) throws {
        self.page = page
        var snippets: [Snippet] = []
        var open: (line: Int, info: [String], lines: [String])?
        let text = try String(contentsOf: Self.root.appendingPathComponent(page), encoding: .utf8)
        for (number, line) in text.components(separatedBy: "\n").enumerated() {
            guard line.hasPrefix("```") else {
                open?.lines.append(line)
                continue
            }
            guard let block = open else {
                open = (number + 1, line.dropFirst(3).split(separator: " ").map(String.init), [])
                continue
            }
            open = nil
            let text = block.lines.joined(separator: "\n")
            switch block.info.first {
            case "sh", "js", "swift":
                snippets.append(
                    Snippet(
                        line: block.line, language: block.info[0], kind: block.info.dropFirst().first, code: text))
            case "text":
                // What the snippet before it prints.
                let last = try #require(snippets.indices.last, "\(page):\(block.line): output of nothing")
                try #require(
                    snippets[last].language == "sh" && snippets[last].output.isEmpty, "\(page):\(block.line)")
                snippets[last].output = text
            default: throw Unknown(what: "\(page):\(block.line): a block of \(block.info)")
            }
        }
        try #require(open == nil, "a block is not closed")
        self.snippets = snippets
    }

    public struct Unknown: Error {
        let what: String

        public init(what: String) { self.what = what }
    }

    public func all(_ language: String, _ kind: String? = nil) -> [Snippet] {
        snippets.filter { $0.language == language && $0.kind == kind }
    }

    /// What the comments of printing lines promise, one a line.
    public static func promised(_ code: String, by function: String) throws -> [String] {
        try code.split(separator: "\n").filter { $0.contains("\(function)(") }.map { line in
            let parts = line.components(separatedBy: " // ")
            try #require(parts.count == 2, "it does not say what it prints: \(line)")
            return parts[1]
        }
    }

    /// The first line that is not as promised; nil where all are.
    public static func difference(_ output: String, _ promised: [String]) -> String? {
        var lines = output.components(separatedBy: "\n")
        while lines.last == "" { lines.removeLast() }
        for index in 0..<max(lines.count, promised.count) {
            let (is_, wanted) = (
                index < lines.count ? lines[index] : nil, index < promised.count ? promised[index] : nil
            )
            if let is_, let wanted, matches(is_, wanted) { continue }
            return "line \(index + 1): printed \(is_ ?? "nothing"), promised \(wanted ?? "nothing")"
        }
        return nil
    }

    /// Whether a line is what was promised, `…` standing for anything.
    public static func matches(_ line: String, _ promised: String) -> Bool {
        let parts = promised.components(separatedBy: "…")
        var rest = Substring(line)
        for (index, part) in parts.enumerated() {
            if index == 0 {
                guard rest.hasPrefix(part) else { return false }
                rest = rest.dropFirst(part.count)
            } else if index == parts.count - 1 {
                return rest.hasSuffix(part)
            } else if !part.isEmpty {
                guard let found = rest.range(of: part) else { return false }
                rest = rest[found.upperBound...]
            }
        }
        return parts.count == 1 && rest.isEmpty
    }
}
