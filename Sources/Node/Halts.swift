import Chain
import Concurrency

/// Why nodes stopped, as their runners say it: where one came apart from the others the bare reason comes first, and
/// the same with its explanation once a peer has shown what was certified.
public final class Halts: Sendable {
    private let patience: Duration
    private let state = Locked(State())

    private struct State: Sendable {
        var halts: [Halt] = []
        /// When the first of them came.
        var since: ContinuousClock.Instant?
    }

    /// Peers have in their tables within moments what they certified, and answer or fail within seconds; where none
    /// has explained by then, a process that waits on would hide that its node has stopped.
    public static let explanationMax = Duration.seconds(15)

    /// - Parameter patience: how long ``settled`` waits for an explanation.
    public init(patience: Duration = explanationMax) { self.patience = patience }

    public func note(_ halt: Halt) {
        state.withLock { state in
            state.since = state.since ?? .now
            if let bare = halt.unexplained, let index = state.halts.firstIndex(of: bare) {
                state.halts[index] = halt
            } else {
                state.halts.append(halt)
            }
        }
    }

    /// In the order in which they came.
    public var all: [Halt] { state.withLock { $0.halts } }

    /// The first reason, once it says all that there is to say, or nobody has explained it for too long.
    public var settled: Halt? {
        let (first, since) = state.withLock { ($0.halts.first, $0.since) }
        guard let first, let since else { return nil }
        return first.isUnexplained && since.duration(to: .now) < patience ? nil : first
    }
}

extension Halt {
    /// Whether a peer may still say more.
    var isUnexplained: Bool {
        if case .diverged(_, _, _, nil) = self { true } else { false }
    }

    /// The same reason before it was explained; nil where there was none.
    fileprivate var unexplained: Halt? {
        guard case .diverged(let height, let own, let certified, .some) = self else { return nil }
        return .diverged(height: height, own: own, certified: certified)
    }
}
