import Foundation
import Testing
import WebFiles

@Suite("web files") struct WebFilesTests {
    private static let web = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Web")

    /// Every file of `Web/` is in the program, once, as it is now.
    @Test func theProgramHoldsTheFiles() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.web.path).filter { !$0.hasPrefix(".") }
        #expect(WebFiles.all.map(\.path).sorted() == names.sorted())
        for file in WebFiles.all {
            let bytes = try Data(contentsOf: Self.web.appendingPathComponent(file.path))
            #expect(Data(file.bytes) == bytes, "\(file.path) in the program is not the file in Web/")
        }
    }

    @Test func theTypeIsThatOfTheName() {
        let types = [
            "html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8",
            "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml",
        ]
        for file in WebFiles.all { #expect(file.type == types[URL(fileURLWithPath: file.path).pathExtension]) }
    }

    /// The policy under which pages are served (`default-src 'self'`) lets nothing of these run.
    @Test func thePagesHaveNothingInlineAndNothingFromElsewhere() {
        for file in WebFiles.all where file.path.hasSuffix(".html") {
            let text = String(decoding: file.bytes, as: UTF8.self)
            #expect(!text.contains(/<script(?![^>]*\ssrc=)/.ignoresCase()))
            #expect(!text.contains(/<style|\sstyle=|\son\w+=|javascript:/.ignoresCase()))
            #expect(!text.contains(/(?:src|href)="(?:https?:)?\/\//.ignoresCase()))
        }
    }
}
