import TestSupport

/// What goes wrong, with whom. Nodes and members of the cluster are named by their index.
public enum Fault: Sendable, Equatable {
    /// SIGKILL, and started again.
    case nodeKilled(Int)
    /// SIGSTOP and SIGCONT.
    case nodePaused(Int)
    /// One is killed and another stands still: fewer than a quorum are left.
    case nodesLost(killed: Int, paused: Int)
    /// All nodes and all members are killed at once, and started again.
    case powerLost
    /// A node hears nothing of others, and they of it only where the line is dead on one side.
    case nodeCut(Int, from: Others, isOneSided: Bool)
    /// A member of the cluster hears nothing of anybody, nor anybody of it.
    case memberCut(Int)
    /// Each write of one node to its disk takes part of a second.
    case diskSlow(Int)
    case memberKilled(Int)
    /// One member is left of three.
    case majorityLost(left: Int)
    /// The cluster is what an old copy holds, and the operators begin another epoch.
    case orderRestored
    /// A node's clock jumps there, and back when the fault ends.
    case clockJumped(Int, seconds: Int)

    public enum Others: String, Sendable, CaseIterable {
        case order, peers, everybody
    }

    public enum Kind: String, Sendable, CaseIterable {
        case nodeKilled = "node killed"
        case nodePaused = "node paused"
        case nodesLost = "two nodes lost"
        case powerLost = "power lost"
        case nodeCut = "node cut off"
        case memberCut = "member cut off"
        case diskSlow = "slow disk"
        case memberKilled = "member killed"
        case majorityLost = "majority lost"
        case orderRestored = "order restored"
        case clockJumped = "clock jumped"
    }

    public var kind: Kind {
        switch self {
        case .nodeKilled: .nodeKilled
        case .nodePaused: .nodePaused
        case .nodesLost: .nodesLost
        case .powerLost: .powerLost
        case .nodeCut: .nodeCut
        case .memberCut: .memberCut
        case .diskSlow: .diskSlow
        case .memberKilled: .memberKilled
        case .majorityLost: .majorityLost
        case .orderRestored: .orderRestored
        case .clockJumped: .clockJumped
        }
    }

    /// Whether one node or one member alone fails.
    fileprivate var isTolerated: Bool { ![.nodesLost, .powerLost, .majorityLost, .orderRestored].contains(kind) }

    fileprivate var isOfNode: Bool { [.nodeKilled, .nodePaused, .nodeCut, .diskSlow, .clockJumped].contains(kind) }
}

extension Fault: CustomStringConvertible {
    public var description: String {
        switch self {
        case .nodeKilled(let node): "node \(node + 1) killed"
        case .nodePaused(let node): "node \(node + 1) paused"
        case .nodesLost(let killed, let paused): "node \(killed + 1) killed and node \(paused + 1) paused"
        case .powerLost: "power lost, everybody killed"
        case .nodeCut(let node, let others, let isOneSided):
            "node \(node + 1) \(isOneSided ? "deaf to" : "cut off from") \(others.rawValue)"
        case .memberCut(let member): "member \(member + 1) cut off"
        case .diskSlow(let node): "slow disk of node \(node + 1)"
        case .memberKilled(let member): "member \(member + 1) killed"
        case .majorityLost(let left): "all members but \(left + 1) killed"
        case .orderRestored: "order restored from an old copy, another epoch begun"
        case .clockJumped(let node, let seconds): "clock of node \(node + 1) jumped by \(seconds) s"
        }
    }
}

/// What goes wrong in a campaign, in turn: a function of its seed, of how much is wanted, and of what the machine
/// allows.
public struct FaultPlan: Sendable {
    public struct Step: Sendable, CustomStringConvertible {
        public let fault: Fault
        /// Goes wrong as well from the middle on.
        public let second: Fault?
        /// How long it lasts at least.
        public let milliseconds: Int
        /// Whether everybody comes to one height before the next.
        public let settles: Bool

        public var description: String { "\(fault)" + (second.map { ", then \($0)" } ?? "") }

        /// Whether the others certify blocks meanwhile, provided that all was well before: of the nodes as of the
        /// members one may fail.
        var isTolerated: Bool { fault.isTolerated && (second.map { fault.isOfNode != $0.isOfNode } ?? true) }
    }

    public let seed: UInt64
    public let steps: [Step]

    /// - Parameters:
    ///   - kinds: those that there may be. All of them come before one comes again.
    ///   - isBrief: whether faults are over in a second or two; otherwise some outlast every deadline of the program.
    public init(seed: UInt64, faults: Int, kinds: [Fault.Kind], isBrief: Bool) {
        precondition(!kinds.isEmpty, "something can go wrong everywhere")
        self.seed = seed
        var random = SeededGenerator(seed: seed)
        var deck: [Fault.Kind] = []
        steps = (0..<faults).map { _ in
            if deck.isEmpty { deck = kinds.shuffled(using: &random) }
            let fault = Self.draw(deck.removeLast(), using: &random)
            // Half of them are short, a few longer than what waits for an answer of etcd, a peer or a client.
            let longest = isBrief ? 1_500 : [4_000, 4_000, 12_000, 35_000].randomElement(using: &random)!
            let second = isBrief ? nil : Self.second(beside: fault, using: &random)
            return Step(
                fault: fault, second: second, milliseconds: Int.random(in: longest / 4...longest, using: &random),
                settles: isBrief || Bool.random(using: &random))
        }
    }

    /// Something else in one of three cases. The operators begin an epoch in peace, and nobody starts a node by a clock
    /// that is wrong: it says so and ends.
    private static func second(beside fault: Fault, using random: inout SeededGenerator) -> Fault? {
        let kind = [Fault.Kind.nodeKilled, .nodePaused, .memberKilled].randomElement(using: &random)!
        let second = draw(kind, using: &random)
        guard Int.random(in: 0..<3, using: &random) == 0, fault.kind != .orderRestored, fault.kind != .powerLost,
            second != fault,
            fault.kind != .clockJumped || kind != .nodeKilled
        else { return nil }
        return second
    }

    private static func draw(_ kind: Fault.Kind, using random: inout SeededGenerator) -> Fault {
        let nodes = Array(0..<Campaign.nodeCount).shuffled(using: &random)
        let member = Int.random(in: 0..<Campaign.memberCount, using: &random)
        let jump = Int.random(in: 90...600, using: &random)
        let (isOneSided, isBack) = (Bool.random(using: &random), Bool.random(using: &random))
        let others = Fault.Others.allCases.randomElement(using: &random)!
        return switch kind {
        case .nodeKilled: .nodeKilled(nodes[0])
        case .nodePaused: .nodePaused(nodes[0])
        case .nodesLost: .nodesLost(killed: nodes[0], paused: nodes[1])
        case .powerLost: .powerLost
        case .nodeCut: .nodeCut(nodes[0], from: others, isOneSided: isOneSided)
        case .memberCut: .memberCut(member)
        case .diskSlow: .diskSlow(nodes[0])
        case .memberKilled: .memberKilled(member)
        case .majorityLost: .majorityLost(left: member)
        case .orderRestored: .orderRestored
        case .clockJumped: .clockJumped(nodes[0], seconds: isBack ? -jump : jump)
        }
    }
}
