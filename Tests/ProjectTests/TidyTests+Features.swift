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
        try rows("docs/features.md", columns: 4).map { line, cells in
            Feature(line: line, id: cells[0], what: cells[1], state: cells[2], tests: try names(cells[3], line))
        }
    }

    /// The checks that the design of the consortium asks for, of which it numbers so many.
    private static func checks() throws -> [(line: Int, number: Int?, tests: [String])] {
        try rows("docs/checks.md", columns: 3).map { ($0, Int($1[0]), try names($1[2], $0)) }
    }

    private static let checkCount = 23

    /// The procedures of running a node, each by its number, with the text of its cell.
    private static func procedures() throws -> [(line: Int, number: Int?, what: String, tests: [String])] {
        try rows("docs/operations.md", columns: 3).map { ($0, Int($1[0]), $1[1], try names($1[2], $0)) }
    }

    /// The cells of a document's table, where their row begins with a digit.
    private static func rows(_ path: String, columns: Int) throws -> [(line: Int, cells: [String])] {
        let file = try #require(Project.documents.first { $0.path == path })
        return try file.lines.enumerated().compactMap { index, line in
            guard line.contains(/^\|\s*\d/) else { return nil }
            let cells = line.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast()
                .map { $0.trimmingCharacters(in: .whitespaces) }
            try #require(cells.count == columns, "\(path):\(index + 1): \(columns) columns are wanted")
            return (index + 1, cells)
        }
    }

    private static func names(_ cell: String, _ line: Int) throws -> [String] {
        let rest = cell.replacing(/`[^`]+`/, with: "").filter { $0 != "," && $0 != " " }
        try #require(rest.isEmpty, "line \(line): only `Suite/function`, with commas between")
        return cell.matches(of: /`([^`]+)`/).map { String($0.1) }
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
        let named =
            try Self.features().map { ("docs/features.md:\($0.line)", $0.tests) }
            + Self.checks().map { ("docs/checks.md:\($0.line)", $0.tests) }
            + Self.procedures().map { ("docs/operations.md:\($0.line)", $0.tests) }
        var bad: [String] = []
        for (place, tests) in named {
            for name in tests where !Self.exists(name, in: texts) { bad.append("\(place): there is no test \(name)") }
        }
        #expect(bad == [])
    }

    @Test func eachCheckIsShown() throws {
        let checks = try Self.checks()
        #expect(checks.map(\.number) == Array(1...Self.checkCount))
        #expect(checks.filter { $0.tests.isEmpty }.map(\.line) == [])
        // A test that bears a number shows that check, and stands there.
        let numbered = Project.tests.flatMap(\.code).compactMap { _, text in
            text.firstMatch(of: /func (check(\d+)[A-Z]\w*)\(/).map { (name: String($0.1), number: Int($0.2)) }
        }
        #expect(numbered.count > 20)
        for (name, number) in numbered {
            let row = checks.first { $0.number == number }
            #expect(row?.tests.contains { $0.hasSuffix("/\(name)") } == true, "\(name) stands in no row of its number")
        }
    }

    /// A procedure that no test runs is a story.
    @Test func eachProcedureIsShown() throws {
        let procedures = try Self.procedures()
        #expect(procedures.map(\.number) == Array(1...procedures.count))
        #expect(procedures.filter { $0.tests.isEmpty }.map(\.line) == [])
        let page = try #require(Project.documents.first { $0.path == "docs/operations.md" })
        let told = page.lines.filter { $0.hasPrefix("## ") }.map { String($0.dropFirst(3)) }
        let shown = procedures.flatMap { $0.what.matches(of: /\[([^\]]+)\]/).map { String($0.1) } }
        #expect(told.filter { $0 != "Shown by" }.sorted() == shown.sorted())
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
