package import Glibc
import JSON

/// `lianfen node` in a process of its own.
package struct ServedNode: ~Copyable {
    private let child: Child
    package let port: Int

    package var process: pid_t { child.id }
    package var url: String { "http://127.0.0.1:\(port)" }

    /// Starts it, and waits until its door is open. What it says goes to files beside the chain.
    /// - Parameters:
    ///   - directory: the chain's.
    ///   - wanted: the port of its door; 0 for one that is free.
    ///   - secondsMax: after which it ends by itself, should nobody be left to stop it.
    package init(_ tool: String, _ directory: String, port wanted: Int = 0, secondsMax: Int = 600) throws {
        let log = "\(directory)/node.log"
        let errors = "\(directory)/node.errors"
        // What an earlier one has said of its door.
        unlink(log)
        let child = try Child(
            tool,
            [
                "node", "--dir", directory, "--listen", "127.0.0.1:\(wanted)", "--log", log, "--drain", "0",
                "--seconds",
                "\(secondsMax)",
            ], errors: errors)
        let start = Machine.now()
        while Machine.seconds(since: start) < Self.patienceSeconds {
            if let port = Self.port(log) {
                self.child = child
                self.port = port
                return
            }
            Benchmark.pause(milliseconds: 20)
        }
        child.kill(SIGTERM)
        throw BenchError("load", "a node did not open its door: \(Benchmark.lastLine(of: errors))")
    }

    /// Asks it to stop and waits until it has.
    /// - Returns: its exit code; nil where it was killed.
    package consuming func stop() -> Int32? {
        _ = kill(child.id, SIGTERM)
        return child.finish().code
    }

    private static let patienceSeconds = 90.0

    /// The port that its log says it listens at.
    private static func port(_ log: String) -> Int? {
        guard let bytes = Machine.bytes(of: log) else { return nil }
        let lines = bytes.split(separator: UInt8(ascii: "\n")).lazy.compactMap { try? JSONValue(parsing: Array($0)) }
        guard case .integer(let port) = lines.first(where: { $0["event"] == "listening" })?["port"] else { return nil }
        return Int(port)
    }
}
