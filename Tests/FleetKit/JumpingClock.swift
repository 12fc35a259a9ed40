import Foundation
import TestSupport

/// A time of day of one's own, which jumps while processes run by it: for nodes, and what is made for them.
public final class JumpingClock {
    private let path: String
    private let file: FileHandle

    /// Why clocks do not jump here; nil where they do. A library that is not loaded is only complained of.
    static func impediment(in directory: URL) -> String? {
        let path = directory.appendingPathComponent("probe").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        do {
            let clock = try JumpingClock(at: path)
            clock.jump(toMilliseconds: -3_600_000)
            let script = "test $(($(date +%s) - $(\(clock.wrapper.joined(separator: " ")) date +%s))) -ge 3600"
            try runScript(script, in: directory)
            return nil
        } catch { return "\(library) is not loaded before the C library" }
    }

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
