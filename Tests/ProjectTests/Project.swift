import Foundation

/// The files of the project, as the tidy tests read them.
enum Project {
    struct File: Sendable {
        /// From the root of the project, such as `Sources/Chain/Header.swift`.
        let path: String
        let lines: [String]

        /// The directory under `Sources` or `Tests`, which is the name of the target.
        var target: String {
            let parts = path.split(separator: "/")
            return parts.count > 2 ? String(parts[1]) : ""
        }

        /// The lines with their numbers, without what stands behind `//`.
        var code: [(number: Int, text: String)] {
            lines.enumerated().map { number, line in
                let end = line.range(of: "//")?.lowerBound ?? line.endIndex
                return (number + 1, String(line[..<end]))
            }
        }

        /// The modules that this file imports, with the number of the line.
        var imports: [(number: Int, module: String)] {
            let words = /^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:\w+\s+)?import\s+(?:[a-z]+\s+)?(\w+)/
            return code.compactMap { number, text in
                text.firstMatch(of: words).map { (number, String($0.1)) }
            }
        }
    }

    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// The real data and the founding documents, which lie beside the project where they are there at all.
    static let shared = root.deletingLastPathComponent().appendingPathComponent("shared")

    static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
    }

    static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: root.appendingPathComponent(path).path)
    }

    static let sources = files(under: "Sources", ending: ".swift") + files(under: "Benchmarks", ending: ".swift")
    static let tests = files(under: "Tests", ending: ".swift")
    static let fuzz = files(under: "Fuzz", ending: ".swift")
    static let manifest = files(under: "", ending: "Package.swift").filter { $0.path == "Package.swift" }
    static let documents = files(under: "", ending: ".md")

    /// Every file below a directory, hidden and built ones left out, in a fixed order.
    private static func files(under directory: String, ending: String) -> [File] {
        let start = root.appendingPathComponent(directory)
        let found = FileManager.default.enumerator(
            at: start, includingPropertiesForKeys: nil, options: [.skipsHiddenFiles])
        var paths: [String] = []
        while let url = found?.nextObject() as? URL {
            if url.path.hasSuffix(ending) { paths.append(String(url.path.dropFirst(root.path.count + 1))) }
        }
        return paths.sorted().compactMap { path in
            guard let text = try? text(path) else { return nil }
            var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            if lines.last == "" { lines.removeLast() }
            return File(path: path, lines: lines)
        }
    }
}
