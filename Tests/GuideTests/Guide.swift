import Foundation
import TestSupport
import Testing

/// docs/api.md taken apart: its snippets, in their order, with what the page says that they print.
///
/// - `sh`: run by one bash, one after the other; what stands in the `text` block behind one is its output. `sh setup`
///   is run before everything else, in every language's directory, and `sh background` keeps running meanwhile.
/// - `js`: one module of Node, beside a copy of lianfen.js.
/// - `swift`: the program in Tests/GuideSteps, word for word.
///
/// In Swift and JavaScript every line that prints ends in a comment that says what. `…` stands for anything within a
/// line.
struct Guide {
    struct Snippet {
        let line: Int
        let language: String
        let kind: String?
        var code: String
        var output: String = ""
    }

    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    let snippets: [Snippet]

    init() throws {
        var snippets: [Snippet] = []
        var open: (line: Int, info: [String], lines: [String])?
        let page = try String(contentsOf: Self.root.appendingPathComponent("docs/api.md"), encoding: .utf8)
        for (number, line) in page.components(separatedBy: "\n").enumerated() {
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
                let last = try #require(snippets.indices.last, "docs/api.md:\(block.line): output of nothing")
                try #require(
                    snippets[last].language == "sh" && snippets[last].output.isEmpty, "docs/api.md:\(block.line)")
                snippets[last].output = text
            default: throw Unknown(what: "docs/api.md:\(block.line): a block of \(block.info)")
            }
        }
        try #require(open == nil, "a block is not closed")
        self.snippets = snippets
    }

    struct Unknown: Error { let what: String }

    func all(_ language: String, _ kind: String? = nil) -> [Snippet] {
        snippets.filter { $0.language == language && $0.kind == kind }
    }

    /// What the comments of printing lines promise, one a line.
    static func promised(_ code: String, by function: String) throws -> [String] {
        try code.split(separator: "\n").filter { $0.contains("\(function)(") }.map { line in
            let parts = line.components(separatedBy: " // ")
            try #require(parts.count == 2, "it does not say what it prints: \(line)")
            return parts[1]
        }
    }

    /// The first line that is not as promised; nil where all are.
    static func difference(_ output: String, _ promised: [String]) -> String? {
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
    static func matches(_ line: String, _ promised: String) -> Bool {
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

/// The directory in which a language's snippets run, with a node of their own.
struct Stall {
    static let address = "127.0.0.1:7878"
    static let secondsMax = 120.0
    private static let bin = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent()

    let directory: URL
    let port: Int

    /// Makes the chain and starts its node as the page says, at another port.
    static func with(_ guide: Guide, _ body: (Stall) throws -> Void) throws {
        try withTemporaryDirectory { directory in
            for setup in guide.all("sh", "setup") {
                let done = try Stall(directory: directory, port: 0).run(["/bin/bash", "-euc", setup.code])
                try #require(done.code == 0, "docs/api.md:\(setup.line): \(done.errors)")
                let difference = Guide.difference(done.output, setup.output.components(separatedBy: "\n"))
                #expect(difference == nil, "docs/api.md:\(setup.line)")
            }
            let command = try #require(guide.all("sh", "background").first).code
            try #require(guide.all("sh", "background").count == 1 && !command.contains("\n"))
            // Below the ports that the system gives to others; one that is taken is left alone.
            for _ in 0..<8 {
                let stall = Stall(directory: directory, port: Int.random(in: 20_000..<32_000))
                let node = try stall.start(["/bin/bash", "-c", "exec " + stall.here(command)], "node")
                defer {
                    if node.isRunning { node.terminate() }
                    node.waitUntilExit()
                }
                guard try stall.isServing(node) else { continue }
                try body(stall)
                node.terminate()
                node.waitUntilExit()
                #expect(node.terminationStatus == 0, "\(stall.text("node.err"))")
                return
            }
            Issue.record("no port was free")
        }
    }

    private func isServing(_ node: Process) throws -> Bool {
        let end = Date(timeIntervalSinceNow: Self.secondsMax)
        while Date() < end {
            if text("node.err").contains("Serving http") { return true }
            guard node.isRunning else {
                try #require(text("node.err").contains("--listen"), "\(text("node.err"))")
                return false
            }
            usleep(20_000)
        }
        throw Guide.Unknown(what: "the node does not start")
    }

    /// With this node's address in place of the page's.
    func here(_ text: String) -> String { text.replacingOccurrences(of: Self.address, with: "127.0.0.1:\(port)") }

    func text(_ name: String) -> String {
        (try? String(contentsOf: directory.appendingPathComponent(name), encoding: .utf8)) ?? ""
    }

    func binary(_ name: String) -> String { Self.bin.appendingPathComponent(name).path }

    /// Runs a program to its end; answers minus the signal that ended it.
    func run(_ words: [String]) throws -> (code: Int32, output: String, errors: String) {
        let process = try start(words, "run")
        let end = Date(timeIntervalSinceNow: Self.secondsMax)
        while process.isRunning, Date() < end { usleep(10_000) }
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
        let code = process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
        return (code, text("run.out"), text("run.err"))
    }

    private func start(_ words: [String], _ name: String) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: words[0])
        process.arguments = Array(words.dropFirst())
        process.currentDirectoryURL = directory
        var environment = ProcessInfo.processInfo.environment
        environment["PATH"] = Self.bin.path + ":" + (environment["PATH"] ?? "/usr/bin:/bin")
        environment["NODE"] = "http://127.0.0.1:\(port)"
        process.environment = environment
        process.standardInput = FileHandle.nullDevice
        // Files, not pipes: nobody has to empty them.
        for (end, take) in [("out", \Process.standardOutput), ("err", \Process.standardError)] {
            let file = directory.appendingPathComponent("\(name).\(end)")
            try Data().write(to: file)
            process[keyPath: take] = try FileHandle(forWritingTo: file)
        }
        try process.run()
        return process
    }
}
