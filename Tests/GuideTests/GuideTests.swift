import Foundation
import ServerKit
import Testing

/// Every snippet of docs/api.md, run against a node that the page's own lines have started.
@Suite(.ownThread) struct GuideTests {
    @Test func curl() throws {
        let guide = try Guide("docs/api.md")
        let snippets = guide.all("sh")
        try #require(snippets.count > 5)
        try Stall.with(guide) { stall in
            let mark = "\u{1}"
            let script =
                "set -eu\n" + snippets.map { stall.here($0.code) + "\nprintf '\(mark)'\n" }.joined()
            try script.write(to: stall.directory.appendingPathComponent("guide.sh"), atomically: true, encoding: .utf8)
            let done = try stall.run(["/bin/bash", "guide.sh"])
            let outputs = done.output.components(separatedBy: mark)
            for (snippet, output) in zip(snippets, outputs) {
                let promised = snippet.output.isEmpty ? [] : snippet.output.components(separatedBy: "\n")
                let difference = Guide.difference(output, promised)
                #expect(difference == nil, "docs/api.md:\(snippet.line): \(output)\(done.errors)")
            }
            #expect(done.code == 0 && outputs.count == snippets.count + 1, "\(done.errors)")
        }
    }

    @Test func javaScript() throws {
        let guide = try Guide("docs/api.md")
        let snippets = guide.all("js")
        try #require(snippets.count > 5)
        let code = snippets.map(\.code).joined(separator: "\n\n") + "\n"
        try Stall.with(guide) { stall in
            try code.write(to: stall.directory.appendingPathComponent("guide.mjs"), atomically: true, encoding: .utf8)
            try FileManager.default.copyItem(
                at: Guide.root.appendingPathComponent("Web/lianfen.js"),
                to: stall.directory.appendingPathComponent("lianfen.js"))
            // As the module's own directory says it.
            try #"{"type": "module"}"#.write(
                to: stall.directory.appendingPathComponent("package.json"), atomically: true, encoding: .utf8)
            let done = try stall.run(["/usr/bin/env", "node", "guide.mjs"])
            #expect(done.code == 0, "\(done.errors)")
            #expect(Guide.difference(done.output, try Guide.promised(code, by: "console.log")) == nil)
        }
    }

    @Test func swift() throws {
        let guide = try Guide("docs/api.md")
        let snippets = guide.all("swift")
        try #require(snippets.count > 5)
        let code = snippets.map(\.code).joined(separator: "\n\n") + "\n"
        let file = Guide.root.appendingPathComponent("Tests/GuideSteps/main.swift")
        if ProcessInfo.processInfo.environment["LIANFEN_WRITE_DOCS"] != nil {
            try code.write(to: file, atomically: true, encoding: .utf8)
        }
        let compiled = try String(contentsOf: file, encoding: .utf8)
        try #require(compiled == code, "write Tests/GuideSteps/main.swift anew with LIANFEN_WRITE_DOCS=1")
        try Stall.with(guide) { stall in
            let done = try stall.run([stall.binary("GuideSteps")])
            #expect(done.code == 0, "\(done.errors)")
            #expect(Guide.difference(done.output, try Guide.promised(code, by: "print")) == nil)
        }
    }

    /// The page cannot promise less than it prints.
    @Test func promisesAreHeldLineByLine() {
        #expect(Guide.difference("a\nb 12 c\n", ["a", "b … c"]) == nil)
        #expect(Guide.difference("a\n", ["a", "b"]) != nil)
        #expect(Guide.difference("a\nb\n", ["a"]) != nil)
        #expect(Guide.difference("", []) == nil)
        for (line, promised, holds) in [
            ("abc", "abc", true), ("abc", "ab", false), ("abc", "…c", true), ("abc", "a…", true), ("abc", "…", true),
            ("abc", "a…b", false), ("a1b2c", "a…b…c", true), ("a1b2", "a…b…c", false), ("ab", "abc", false),
        ] {
            #expect(Guide.matches(line, promised) == holds, "\(line) \(promised)")
        }
    }
}
