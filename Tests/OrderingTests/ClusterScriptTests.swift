import EtcdKit
import FleetKit
import Foundation
import ServerKit
import TestSupport
import Testing

extension RunningTests {
    /// `make cluster`: seven processes and a load, by one script.
    @Suite struct ClusterScriptTests {
        @Test func theScriptsClusterOutlivesANodeAndEndsWithoutATrace() throws {
            try withTemporaryDirectory { root in
                let cluster = try ScriptedCluster(in: root)
                let nowhere = root.appendingPathComponent("nowhere").path
                for words in [["kill", "node", "2"], ["status"], ["down"]] {
                    let asked = try cluster.attempt(words, directory: nowhere)
                    #expect(asked.code == 3 && asked.errors.contains("there is no cluster in \(nowhere)"), "\(words)")
                }
                let running = try cluster.start("run")
                let (first, begun) = try cluster.waitFor("blocks") {
                    $0.heights.count == 4 && $0.heights.allSatisfy { $0.value > 5 }
                }
                #expect(first.processes.count == 8 && Set(first.states.values) == ["runs"])

                // Another cluster at the same ports is told so, and neither is hurt.
                let other = try cluster.attempt("up", directory: root.appendingPathComponent("other").path)
                #expect(other.code == 3 && other.errors.contains("is taken by somebody else"), "\(other.errors)")

                try cluster.run("kill", "node", "2")
                #expect(try cluster.attempt("kill", "node-2").errors.contains("node-2 does not run"))
                let (without, later) = try cluster.waitFor("blocks of three") { $0.heights[1] ?? 0 > begun + 10 }
                #expect(without.states["node-2"] == "down" && without.heights[2] == nil && later > begun)
                try cluster.run("start", "node-2")
                _ = try cluster.waitFor("node-2 to catch up") { $0.heights[2] ?? 0 >= later }
                try cluster.run("pause", "etcd-3")
                #expect(try cluster.status().states["etcd-3"] == "paused")
                try cluster.run("resume", "etcd", "3")
                #expect(try cluster.attempt("pause", "node", "5").errors.contains("there is no part 'node 5'"))

                // Ctrl-C ends all of it; a second start goes on with the same chain, and leaves no trace either.
                let (last, height) = try cluster.waitFor("everybody") { $0.heights.count == 4 }
                running.interrupt()
                running.waitUntilExit()
                #expect(running.terminationStatus == 0)
                let load = try cluster.log("load")
                #expect(load.contains("transactions (") && !load.contains("not certified"), "\(load)")
                try Fleet.run(["audit", cluster.directory + "/mall/2"])
                try cluster.run("up")
                let again = try cluster.status()
                #expect(again.processes.count == 7 && again.heights.allSatisfy { $0.value >= height })
                try cluster.run("down")
                for process in first.processes.union(last.processes).union(again.processes) {
                    #expect(ScriptedCluster.hasEnded(process), "\(process)")
                }
            }
        }
    }
}

/// The script with a directory and ports of its own.
private final class ScriptedCluster {
    struct Failed: Error { let what: String }

    /// What `status` says.
    struct Status {
        var states: [String: String] = [:]
        var processes: Set<Int32> = []
        /// Of the nodes that answer, by number.
        var heights: [Int: Int] = [:]

        init(_ text: String) {
            for line in text.split(separator: "\n").dropFirst() {
                let words = line.split(separator: " ").map(String.init)
                states[words[0]] = words[1]
                if let process = Int32(words[2]) { processes.insert(process) }
                guard words[0].hasPrefix("node-"), words.count > 4, words[3] == "height" else { continue }
                heights[Int(words[0].suffix(1))!] = Int(words[4].prefix { $0 != "," })
            }
        }
    }

    let directory: String
    private let root: URL
    private let port: Int
    /// Whatever happens to the test, nothing of it is left running.
    private let lifeline: Lifeline
    private static let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("scripts/cluster").path
    private static let ports = 24
    private static let patienceSeconds = 60.0

    init(in root: URL) throws {
        self.root = root
        directory = root.appendingPathComponent("cluster").path
        port = try Self.freeRange()
        lifeline = try Lifeline("DIR=\"$0\" \(Self.script) down 2>/dev/null; rm -rf \"$0\"", directory)
    }

    /// Below the ports that the system gives to others.
    private static func freeRange() throws -> Int {
        for _ in 0..<20 {
            let first = Int.random(in: 20_000..<32_000)
            if (1..<ports).allSatisfy({ EtcdCluster.isFree(first + $0) }) { return first }
        }
        throw Failed(what: "no range of ports is free")
    }

    func run(_ words: String...) throws {
        let done = try call(words, directory)
        try #require(done.code == 0, "\(words): \(done.errors)")
    }

    func attempt(_ words: String..., directory: String? = nil) throws -> (code: Int32, errors: String) {
        try attempt(words, directory: directory)
    }

    func attempt(_ words: [String], directory: String?) throws -> (code: Int32, errors: String) {
        let done = try call(words, directory ?? self.directory)
        return (done.code, done.errors)
    }

    func status() throws -> Status { Status(try call(["status"], directory).output) }

    /// Asks until it is so; answers that, and the highest height then.
    func waitFor(_ what: String, _ isSo: (Status) -> Bool) throws -> (Status, height: Int) {
        let end = Date(timeIntervalSinceNow: Self.patienceSeconds)
        while Date() < end {
            let status = try status()
            if isSo(status) { return (status, status.heights.values.max() ?? 0) }
        }
        throw Failed(what: "\(what) did not come: \(try call(["status"], directory).output)")
    }

    /// Whether a process is no more, or at most waits for somebody to take note of its end.
    static func hasEnded(_ process: Int32) -> Bool {
        guard let status = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8) else { return true }
        return status.contains("State:\tZ")
    }

    func log(_ part: String) throws -> String {
        try String(contentsOfFile: directory + "/log/\(part).log", encoding: .utf8)
    }

    private func call(_ words: [String], _ directory: String) throws -> (code: Int32, output: String, errors: String) {
        let process = try start(words, directory, "call")
        process.waitUntilExit()
        func text(_ name: String) throws -> String {
            try String(contentsOf: root.appendingPathComponent("call." + name), encoding: .utf8)
        }
        return (process.terminationStatus, try text("output"), try text("errors"))
    }

    /// Returns at once.
    func start(_ words: String...) throws -> Process { try start(words, directory, "start") }

    private func start(_ words: [String], _ directory: String, _ name: String) throws -> Process {
        let process = Process()
        // The threads of tests block signals, and what they start would never hear of a Ctrl-C.
        let unblocked =
            "import os,signal,sys; signal.pthread_sigmask(signal.SIG_SETMASK, []); os.execv(sys.argv[1], sys.argv[1:])"
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        process.arguments = ["-c", unblocked, Self.script] + words
        process.environment = [
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DIR": directory, "PORT": "\(port)",
            "LIANFEN": Child.binary.path,
            // As an operator has them who looks after a cluster elsewhere: etcd's tool would refuse every call.
            "ETCDCTL_ENDPOINTS": "https://127.0.0.1:1", "ETCDCTL_USER": "root:elsewhere", "ROOT_PASSWORD": "elsewhere",
        ]
        process.standardInput = FileHandle.nullDevice
        // Files, not pipes: what the script starts may hold them.
        for (stream, take) in [("output", \Process.standardOutput), ("errors", \Process.standardError)] {
            let file = root.appendingPathComponent("\(name).\(stream)")
            try Data().write(to: file)
            process[keyPath: take] = try FileHandle(forWritingTo: file)
        }
        try process.run()
        return process
    }
}
