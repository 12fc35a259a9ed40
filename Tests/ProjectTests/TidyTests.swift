import Testing

/// The habits of the house that a program can check. Each test collects every place that breaks its rule, so that one
/// run shows them all.
@Suite("tidy") struct TidyTests {
    private static let swift = Project.sources + Project.tests + Project.fuzz + Project.manifest

    @Test func thereIsSomethingToRead() {
        #expect(!Project.sources.isEmpty)
        #expect(!Project.tests.isEmpty)
        #expect(!Project.documents.isEmpty)
        #expect(Project.manifest.count == 1)
    }

    @Test func linesEndAtColumn120() {
        var bad: [String] = []
        for file in Self.swift {
            for (index, line) in file.lines.enumerated() where line.count > 120 {
                bad.append("\(file.path):\(index + 1): \(line.count) columns")
            }
        }
        #expect(bad == [])
    }

    @Test func sourceFilesHoldOneIdea() {
        let lines_max = 700
        let bad = Project.sources.filter { $0.lines.count > lines_max }.map { "\($0.path): \($0.lines.count) lines" }
        #expect(bad == [])
    }

    @Test func sourcesLeaveNoNotesForLater() {
        #expect(Self.places(in: Project.sources, wholeLine: true) { $0.contains(/\b(TODO|FIXME|HACK)\b|\bXXX:/) } == [])
    }

    /// The report of the runner counts a cancelled test as passed, so a feature could seem shown that was not.
    @Test func testsSkipByConditionOnly() {
        let word = "Test." + "cancel("
        #expect(Self.places(in: Project.tests) { $0.contains(word) && !$0.contains("\"") } == [])
    }

    @Test func theCoreDoesWithoutFoundation() {
        let core: Set<String> = ["Canonical", "Crypto", "Ledger", "Chain"]
        let banned: Set<String> = ["Foundation", "FoundationEssentials", "Dispatch"]
        var bad: [String] = []
        for file in Project.sources where core.contains(file.target) {
            for (number, module) in file.imports where banned.contains(module) {
                bad.append("\(file.path):\(number): imports \(module)")
            }
        }
        #expect(bad == [])
    }

    @Test func theLedgerKnowsNoFractionsAndNoClock() {
        let ledger = Project.sources.filter { $0.target == "Ledger" }
        let banned = /\b(Double|Float|Float16|Float80|CGFloat|Decimal|ContinuousClock|SuspendingClock)\b|\bDate\s*\(/
        #expect(!ledger.isEmpty)
        #expect(Self.places(in: ledger) { $0.contains(banned) } == [])
    }

    @Test func theLedgerIsNoGambler() {
        let ledger = Project.sources.filter { $0.target == "Ledger" }
        let banned = /SystemRandomNumberGenerator|\.random\s*\(|\.shuffled\s*\(\s*\)|\.randomElement\s*\(\s*\)/
        #expect(Self.places(in: ledger) { $0.contains(banned) } == [])
    }

    /// `path:line: text` of every line that a rule finds; comments are left out unless the whole line is asked for.
    private static func places(
        in files: [Project.File], wholeLine: Bool = false, where isBad: (String) -> Bool
    ) -> [String] {
        files.flatMap { file in
            let lines = wholeLine ? file.lines.enumerated().map { ($0 + 1, $1) } : file.code
            return lines.filter { isBad($0.1) }.map { "\(file.path):\($0.0): \($0.1)" }
        }
    }
}
