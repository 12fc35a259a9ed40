public import Foundation

/// Runs a script of bash's in a directory, in silence.
/// - Parameter environment: what it is told beside what this process was.
/// - Throws: where it fails.
public func runScript(_ script: String, in directory: URL, environment: [String: String] = [:]) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    process.arguments = ["-c", "set -e\n" + script]
    process.currentDirectoryURL = directory
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw ScriptFailure(script: script) }
}

private struct ScriptFailure: Error {
    let script: String
}
