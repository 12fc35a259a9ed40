import Foundation

/// Somebody who cleans up once this process lets go or ends, in whatever way.
public final class Lifeline: Sendable {
    private let pipe = Pipe()

    /// - Parameter script: of sh; `$0` is `place`.
    public init(_ script: String, _ place: String) throws {
        // What is started meanwhile must not hold it, or nobody would ever clean up.
        _ = fcntl(pipe.fileHandleForWriting.fileDescriptor, F_SETFD, FD_CLOEXEC)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", "cat >/dev/null; " + script, place]
        process.standardInput = pipe
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        try pipe.fileHandleForReading.close()
    }

    deinit { try? pipe.fileHandleForWriting.close() }
}
