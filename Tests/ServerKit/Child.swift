public import Foundation
import TestSupport
public import Testing

/// A process of the tool's own, from the binary beside the tests.
public final class Child {
    private let process = Process()
    private let files: URL
    private static let patienceSeconds = 60.0

    public static let binary = URL(fileURLWithPath: Built.path("lianfen"))

    public convenience init(_ words: String...) throws { try self.init(words) }

    /// - Parameters:
    ///   - through: a program that runs the tool, with its own arguments.
    public init(_ words: [String], environment: [String: String] = [:], through wrapper: [String] = []) throws {
        files = FileManager.default.temporaryDirectory.appendingPathComponent("lianfen-child-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: files, withIntermediateDirectories: true)
        let call = wrapper + [Self.binary.path] + words
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = call
        process.environment = ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"].merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        // Files, not pipes: nobody has to empty them.
        for name in ["output", "errors"] { try Data().write(to: files.appendingPathComponent(name)) }
        process.standardOutput = try FileHandle(forWritingTo: files.appendingPathComponent("output"))
        process.standardError = try FileHandle(forWritingTo: files.appendingPathComponent("errors"))
        try process.run()
    }

    deinit {
        if process.isRunning { Foundation.kill(process.processIdentifier, SIGKILL) }
        try? FileManager.default.removeItem(at: files)
    }

    public var output: String { text("output") }
    public var errors: String { text("errors") }
    public var isRunning: Bool { process.isRunning }
    public var identifier: Int32 { process.processIdentifier }

    public func interrupt() { signal(SIGINT) }
    public func kill() { signal(SIGKILL) }

    public func signal(_ signal: Int32) { Foundation.kill(process.processIdentifier, signal) }

    /// Waits for the end; answers the exit code, or minus the signal that ended it.
    @discardableResult
    public func wait() -> Int32 {
        let deadline = Date(timeIntervalSinceNow: Self.patienceSeconds)
        while process.isRunning, Date() < deadline { usleep(10_000) }
        if process.isRunning { kill() }
        process.waitUntilExit()
        return process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
    }

    /// Waits until it has written these words to either stream.
    public func waitFor(_ words: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let deadline = Date(timeIntervalSinceNow: Self.patienceSeconds)
        while !output.contains(words), !errors.contains(words) {
            try #require(
                isRunning && Date() < deadline, "'\(words)' never came: \(output)\(errors)",
                sourceLocation: sourceLocation)
            usleep(20_000)
        }
    }

    private func text(_ name: String) -> String {
        (try? String(contentsOf: files.appendingPathComponent(name), encoding: .utf8)) ?? ""
    }
}
