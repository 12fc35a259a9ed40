import Foundation
import Testing

extension TidyTests {
    /// The lines of a document with their numbers, without those of code blocks.
    private static func prose(_ file: Project.File) -> [(number: Int, text: String)] {
        var fence: Substring?
        var lines: [(Int, String)] = []
        for (index, line) in file.lines.enumerated() {
            if let found = line.firstMatch(of: /^\s*(```+|~~~+)/) {
                if let open = fence {
                    if found.1.hasPrefix(open) { fence = nil }
                } else {
                    fence = found.1
                }
            } else if fence == nil {
                lines.append((index + 1, line))
            }
        }
        return lines
    }

    @Test func eachDocumentHasOneTitle() {
        var bad: [String] = []
        for file in Project.documents {
            let lines = Self.prose(file).filter { !$0.text.isEmpty }
            let titles = lines.filter { $0.text.hasPrefix("# ") }
            if titles.count != 1 || titles.first?.number != lines.first?.number {
                bad.append("\(file.path): \(titles.count) titles, and the first line must be the one")
            }
        }
        #expect(bad == [])
    }

    @Test func linksLeadSomewhere() {
        var bad: [String] = []
        for file in Project.documents {
            let folder = file.path.split(separator: "/").dropLast().joined(separator: "/")
            for (number, line) in Self.prose(file) {
                for found in line.matches(of: /\]\(([^)\s]+)(?:\s+"[^"]*")?\)/) {
                    let target = found.1.prefix { $0 != "#" }
                    if target.isEmpty || target.contains(/^[a-z]+:/) { continue }
                    let path = target.removingPercentEncoding ?? String(target)
                    let place = folder.isEmpty ? path : "\(folder)/\(path)"
                    if path.hasPrefix("/") || !Project.exists(place) {
                        bad.append("\(file.path):\(number): \(found.1)")
                    }
                }
            }
        }
        #expect(bad == [])
    }

    /// Links to a heading of the same or another document name one that is there.
    @Test func linksToHeadingsLeadSomewhere() {
        var bad: [String] = []
        let byPath = Dictionary(uniqueKeysWithValues: Project.documents.map { ($0.path, $0) })
        for file in Project.documents {
            let folder = Project.root.appendingPathComponent(file.path).deletingLastPathComponent()
            for (number, line) in Self.prose(file) {
                for found in line.matches(of: /\]\(([^)\s#:]*)#([^)\s]+)\)/) {
                    let full = folder.appendingPathComponent(String(found.1)).standardizedFileURL.path
                    let path = found.1.isEmpty ? file.path : String(full.dropFirst(Project.root.path.count + 1))
                    guard let document = byPath[path] else { continue }
                    let headings = Self.prose(document).filter { $0.text.hasPrefix("#") }.map { Self.anchor($0.text) }
                    if !headings.contains(String(found.2)) { bad.append("\(file.path):\(number): #\(found.2)") }
                }
            }
        }
        #expect(bad == [])
    }

    /// A heading as the usual viewers name it in a link.
    private static func anchor(_ heading: String) -> String {
        let text = heading.drop { $0 == "#" || $0 == " " }.lowercased()
        let kept = text.filter { $0.isLetter || $0.isNumber || $0 == " " || $0 == "-" || $0 == "_" }
        return kept.replacingOccurrences(of: " ", with: "-")
    }
}
