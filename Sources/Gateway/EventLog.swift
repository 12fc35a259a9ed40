import Concurrency
public import JSON

/// One event a line, as JSON, for whoever runs the node: what was asked and how it went, under the request's id. Never
/// a secret, a token, a body, an account or an amount.
///
/// Lines are written by a thread of their own; those that find no room are counted, and the count is told.
public final class EventLog: Sendable {
    public enum Level: Int, Sendable, Comparable, CaseIterable {
        case debug, info, warning, error

        public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
    }

    private static let linesMax = 16_384

    private let lines = Mailbox<[UInt8]>(countMax: linesMax)
    private let dropped = Locked<UInt64>(0)
    private let level: Level
    private let clock: @Sendable () -> UInt64
    private let thread: WorkerThread

    /// - Parameter write: takes whole lines; called on the log's thread alone, may block.
    public init(
        level: Level = .info, clock: @escaping @Sendable () -> UInt64, write: @escaping @Sendable ([UInt8]) -> Void
    ) {
        self.level = level
        self.clock = clock
        thread = WorkerThread("event-log") { [lines] in
            while let batch = lines.take(within: nil) { write(Array(batch.joined())) }
        }
    }

    public func isOn(_ level: Level) -> Bool { level >= self.level }

    public func note(_ level: Level, _ event: String, _ members: [JSONValue.Member] = []) {
        guard isOn(level) else { return }
        let lost = dropped.withLock { count in
            defer { count = 0 }
            return count
        }
        var all: [JSONValue.Member] = [
            .init("time", JSONValue(clock())), .init("level", .string("\(level)")), .init("event", .string(event)),
        ]
        all += members
        if lost > 0 { all.append(.init("linesLost", JSONValue(lost))) }
        if !lines.post(JSONValue.object(all).bytes + [0x0A]) { dropped.withLock { $0 += lost + 1 } }
    }

    /// Writes what waits, and ends.
    public func stop() {
        lines.close()
        thread.join()
    }
}
