import Foundation
import Testing

extension TidyTests {
    private struct Feature {
        let line: Int
        let id: String
        let what: String
        let state: String
        let tests: [String]
    }

    private static let founding = Project.shared.appendingPathComponent("design/features.tsv")

    private static func features() throws -> [Feature] {
        let file = try #require(Project.documents.first { $0.path == "docs/features.md" })
        return try file.lines.enumerated().compactMap { index, line in
            guard line.contains(/^\|\s*\d/) else { return nil }
            let cells = line.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast()
                .map { $0.trimmingCharacters(in: .whitespaces) }
            try #require(cells.count == 4, "docs/features.md:\(index + 1): four columns are wanted")
            let tests = cells[3].matches(of: /`([^`]+)`/).map { String($0.1) }
            let rest = cells[3].replacing(/`[^`]+`/, with: "").filter { $0 != "," && $0 != " " }
            try #require(rest.isEmpty, "docs/features.md:\(index + 1): only `Suite/function`, with commas between")
            return Feature(line: index + 1, id: cells[0], what: cells[1], state: cells[2], tests: tests)
        }
    }

    @Test func eachFeatureHasOneRow() throws {
        let features = try Self.features()
        let ids = features.map(\.id)
        #expect(ids.count == Set(ids).count)
        #expect(ids == ids.sorted())
        #expect(features.filter { !$0.id.contains(/^\d-\d\d$/) || $0.what.isEmpty }.map(\.line) == [])
    }

    @Test(.enabled(if: FileManager.default.fileExists(atPath: founding.path), "the list of features is not there"))
    func theRowsAreThoseOfTheFoundingDocuments() throws {
        let table = try String(contentsOf: Self.founding, encoding: .utf8)
        let wanted = table.split(separator: "\n").dropFirst().map { String($0.prefix { $0 != "\t" }) }
        #expect(wanted.count > 200)
        #expect(try Self.features().map(\.id) == wanted)
    }

    @Test func aStateIsShownByTests() throws {
        var bad: [String] = []
        for feature in try Self.features() {
            let place = "docs/features.md:\(feature.line): \(feature.id)"
            switch feature.state {
            case "works", "partly": if feature.tests.isEmpty { bad.append("\(place): no test shows it") }
            case "not yet": if !feature.tests.isEmpty { bad.append("\(place): shown, and yet not there") }
            default: bad.append("\(place): '\(feature.state)' is no state")
            }
        }
        #expect(bad == [])
    }

    @Test func namedTestsExist() throws {
        let texts = Project.tests.map { $0.lines.joined(separator: "\n") }
        var bad: [String] = []
        for feature in try Self.features() {
            for name in feature.tests where !Self.exists(name, in: texts) {
                bad.append("docs/features.md:\(feature.line): \(feature.id): there is no test \(name)")
            }
        }
        #expect(bad == [])
    }

    @Test func namesAreLookedForExactly() {
        let text = "@Suite struct Some {\n  @Test(arguments: [1])\n  func does(_ n: Int) {}\n  func helps() {}\n}"
        #expect(Self.exists("Some/does", in: [text]))
        for name in ["Some/doe", "Som/does", "Some/helps2", "does", "Some/", "Some does"] {
            #expect(!Self.exists(name, in: [text]))
        }
    }

    /// Whether a file declares or extends the suites of a name and holds its function.
    private static func exists(_ name: String, in texts: [String]) -> Bool {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count >= 2, parts.allSatisfy({ $0.wholeMatch(of: /\w+/) != nil }) else { return false }
        return texts.contains { text in
            text.contains("@Test") && text.contains("func \(parts[parts.count - 1])(")
                && parts.dropLast().allSatisfy { suite in
                    text.matches(of: /\b(?:struct|class|enum|actor|extension)\s+([\w.]+)/).contains {
                        $0.1.split(separator: ".").contains(Substring(suite))
                    }
                }
        }
    }
}
