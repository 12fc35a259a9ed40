/// Places between the steps of a node's runner at which a test may end the process, to see that a start from there is
/// sound. The runner calls its hook at each; outside tests the hook does nothing.
public enum CrashPoint: String, CaseIterable, Sendable {
    case beforeAppend = "before-append"
    case afterAppend = "after-append"
    /// Executed, nothing written.
    case beforeLock = "before-lock"
    /// Block, header and lock synced, vote not sent.
    case afterLock = "after-lock"
    case afterSend = "after-send"
    /// Certified, tables not written.
    case beforeCommit = "before-commit"
    case afterCommit = "after-commit"
    case beforeAnswer = "before-answer"
}
