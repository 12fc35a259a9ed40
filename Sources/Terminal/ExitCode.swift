/// What the tool answers to the shell. The numbers are part of its interface: append, never renumber.
public struct ExitCode: RawRepresentable, Hashable, Sendable {
    public let rawValue: Int32

    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// 0: done, and every check held.
    public static let ok = ExitCode(rawValue: 0)
    /// 1: the ledger refused, a check failed, or the input was wrong; the same call would fail again.
    public static let refused = ExitCode(rawValue: 1)
    /// 2: the command line itself was wrong; nothing was started.
    public static let usage = ExitCode(rawValue: 2)
    /// 3: the machine stood in the way: a full disk, a missing permission, a directory in use by another process.
    public static let environment = ExitCode(rawValue: 3)
    /// 4: stopped by a signal before the work was finished; what was done until then is kept.
    public static let interrupted = ExitCode(rawValue: 4)

    /// The codes with their meaning, as the help of the tool prints them.
    static let table: [(code: ExitCode, meaning: String)] = [
        (.ok, "done, every check held"),
        (.refused, "refused by the ledger, a failed check, or wrong input"),
        (.usage, "wrong command line, nothing was started"),
        (.environment, "the machine stood in the way: disk, permission, lock"),
        (.interrupted, "stopped by a signal before the end"),
    ]
}
