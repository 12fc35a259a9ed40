import Foundation
import ServerKit
import TestSupport
import Testing

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
                try #require(done.code == 0, "\(guide.page):\(setup.line): \(done.errors)")
                let difference = Guide.difference(done.output, setup.output.components(separatedBy: "\n"))
                #expect(difference == nil, "\(guide.page):\(setup.line)")
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
