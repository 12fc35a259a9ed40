import Backup
import Concurrency
import Terminal
import Wire

/// Makes the backups of a running node when they are due, on a thread of its own. When the last one was made stands in
/// the directory, so a restart neither forgets one nor makes one too many.
final class BackupClock: Sendable {
    private let maker: BackupMaker
    private let everyMilliseconds: UInt64
    private let committed: @Sendable () -> UInt64
    private let note: @Sendable (String) -> Void
    private let ending = Waiter<Void>()
    private let isEnding = Locked(false)
    private let thread = Locked<WorkerThread?>(nil)

    /// After a failure the next try comes at least so soon.
    private static let retryMilliseconds: UInt64 = 15 * 60_000
    /// At least so long lies between the end of one and the beginning of the next.
    private static let restMilliseconds: UInt64 = 60_000
    /// How often to look at the clock, which may jump.
    private static let lookMilliseconds: UInt64 = 1000

    /// Starts at once.
    /// - Parameters:
    ///   - committed: the height of the tables; 0 while there is nothing to keep yet.
    ///   - note: tells people of each backup, and of each that failed.
    init(
        _ maker: BackupMaker, everySeconds: UInt64, committed: @escaping @Sendable () -> UInt64,
        note: @escaping @Sendable (String) -> Void
    ) {
        self.maker = maker
        everyMilliseconds = everySeconds * 1000
        self.committed = committed
        self.note = note
        let thread = WorkerThread("backup") { [self] in run() }
        self.thread.withLock { $0 = thread }
    }

    /// Ends it; a backup that is being made is given up, and what was put of it is taken away by the next one.
    func stop() {
        isEnding.withLock { $0 = true }
        maker.place.cancel()
        ending.fulfil(())
        thread.withLock { thread in
            thread?.join()
            thread = nil
        }
    }

    private func run() {
        // Of this height there is one.
        var (restUntil, kept): (UInt64, UInt64) = (0, 0)
        while !isEnding.withLock({ $0 }) {
            let (now, standing) = (wallClockMilliseconds(), BackupRecord.read(maker.path))
            if ProgressBar.monotonic() >= restUntil, committed() > kept,
                Self.isDue(standing, every: everyMilliseconds, now: now)
            {
                kept = makeOne() ?? kept
                // Whatever came of it: also a record that cannot be written must not make it one after the other.
                restUntil = ProgressBar.monotonic() + min(everyMilliseconds, Self.restMilliseconds) * 1_000_000
            }
            if ending.wait(within: Self.lookMilliseconds) != nil { return }
        }
    }

    /// - Returns: the height of which there is one, where there is.
    private func makeOne() -> UInt64? {
        do {
            let made = try maker.make()
            note(
                "Backup: height \(made.manifest.height), \(made.manifest.byteCount) bytes, made and read back in "
                    + "\(made.milliseconds) ms.")
            if let reason = made.untidied { note("Backup: older ones were not taken away: \(reason).") }
            return made.manifest.height
        } catch BackupError.exists(let height) {
            return height
        } catch BackupError.ended {
            return nil
        } catch {
            note("Backup failed: \(BackupCommands.explain(error).reason).")
            return nil
        }
    }

    /// Whether another one is to be made now.
    static func isDue(_ standing: BackupStanding, every: UInt64, now: UInt64) -> Bool {
        // A clock that was set back must not put the next one off.
        func hasPassed(_ milliseconds: UInt64, since: UInt64) -> Bool { since > now || now - since >= milliseconds }
        if let failure = standing.failure, !hasPassed(min(every, retryMilliseconds), since: failure.at) { return false }
        return standing.verified.map { hasPassed(every, since: $0.madeAt) } ?? true
    }
}
