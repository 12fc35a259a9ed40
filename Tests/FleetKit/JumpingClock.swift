import Foundation
import TestSupport

/// A time of day of one's own, which jumps while processes run by it: for nodes, and what is made for them.
public final class JumpingClock {
    private let path: String
    private let file: FileHandle

    init(at path: String) throws {
        self.path = path
        try Data(repeating: 0, count: MemoryLayout<Int64>.size).write(to: URL(fileURLWithPath: path))
        file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
    }

    deinit { try? file.close() }

    /// Sets it so far before the machine's own, or behind it.
    func jump(toMilliseconds milliseconds: Int64) {
        var value = milliseconds
        let written = unsafe pwrite(file.fileDescriptor, &value, MemoryLayout<Int64>.size, 0)
        precondition(written == MemoryLayout<Int64>.size, "a file of eight bytes is written at once")
    }

    /// Of a process that is to go by it.
    var environment: [String: String] { ["LD_PRELOAD": Self.library, "LIANFEN_CLOCK": path] }

    /// The same as words before a program, which meets nobody else on the way there.
    var wrapper: [String] { ["env"] + environment.map { "\($0)=\($1)" }.sorted() }

    private static let library = Built.path("libClockShim.so")
}
