import Foundation
import Testing

extension TidyTests {
    /// The charts and tables of growth are those which the kept measurements give.
    @Test func theCurvesFollowFromTheMeasurements() throws {
        let (code, errors) = try Self.checkGrowth(Project.root.appendingPathComponent("docs"))
        #expect(code == 0, "\(errors)")
    }

    @Test(arguments: ["performance.md", "performance/growth.jsonl", "performance/history.svg"])
    func aCurveThatWasTouchedIsFound(_ file: String) throws {
        let manager = FileManager.default
        let docs = manager.temporaryDirectory.appendingPathComponent("growth-\(UUID().uuidString)")
        defer { try? manager.removeItem(at: docs) }
        try manager.createDirectory(at: docs, withIntermediateDirectories: true)
        for name in ["performance.md", "performance"] {
            try manager.copyItem(
                at: Project.root.appendingPathComponent("docs/\(name)"), to: docs.appendingPathComponent(name))
        }
        #expect(try Self.checkGrowth(docs).code == 0)
        let place = docs.appendingPathComponent(file)
        var text = try String(contentsOf: place, encoding: .utf8)
        // The first digit of what was measured, in each of them.
        let begin = try #require(
            text.range(of: "growth: begin") ?? text.range(of: "SHA-256 ") ?? text.range(of: "runs"))
        let digit = try #require(text[begin.upperBound...].firstIndex { $0.isHexDigit && $0.isNumber })
        text.replaceSubrange(digit...digit, with: text[digit] == "7" ? "3" : "7")
        try text.write(to: place, atomically: true, encoding: .utf8)
        let (code, errors) = try Self.checkGrowth(docs)
        #expect(code == 1)
        #expect(errors.contains("run scripts/draw-growth"), "\(errors)")
    }

    private static func checkGrowth(_ docs: URL) throws -> (code: Int32, errors: String) {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "python3", Project.root.appendingPathComponent("scripts/draw-growth").path, "--check", "--docs", docs.path,
        ]
        process.standardError = pipe
        try process.run()
        let errors = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: errors, as: UTF8.self))
    }
}
