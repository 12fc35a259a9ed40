import Concurrency
import EtcdKit
public import Foundation
import HTTPClient
import JSON
import ServerKit
import TestSupport
import Testing
import Wire

/// Real nodes over a real cluster, under load, while one thing after the other goes wrong; afterwards everything that
/// anybody was told is held against the directories.
///
/// What is found wrong is collected. Deadlines judge faults, not slowness: they are many times what a busy machine
/// takes.
public final class Campaign {
    public static let nodeCount = 4
    public static let memberCount = 3

    /// What was found wrong; empty is the good end.
    public private(set) var complaints: [String] = []
    private let fleet: Fleet
    private let network: Network?
    private let disk: SlowDisk?
    private let plan: FaultPlan
    private let say: (String) -> Void
    private let http: HTTPClient
    private var random: SeededGenerator
    /// Of the cluster, from some time ago, with the height that was certified then and the epoch that it was.
    private var copy: (file: String, height: UInt64, epoch: Int)
    private var epoch = 0
    /// Whether all nodes stood at one height when the last fault was over.
    private var allIsWell = true
    private var slowest = (seconds: 0.0, fault: "")

    /// The next certified block has to come within this time, and so has everybody's coming to one height.
    private static let progressSeconds = 90.0
    private static let settleSeconds = 180.0
    /// Blocks that a fault may find under way; further ones were begun during it.
    private static let underWayMax: UInt64 = 8
    /// For one look at a node's head, which may be gone.
    private static let lookMilliseconds = 1_500
    private static let writesPerSecond = 5

    /// What can go wrong on this machine, and why the rest cannot.
    public static func possible(in directory: URL) -> (kinds: [Fault.Kind], leftOut: [(kind: Fault.Kind, why: String)])
    {
        var why: [Fault.Kind: String] = [:]
        why[.nodeCut] = Network.impediment()
        why[.memberCut] = why[.nodeCut]
        why[.diskSlow] = SlowDisk.impediment(in: directory)
        why[.clockJumped] = JumpingClock.impediment(in: directory)
        let kinds = Fault.Kind.allCases
        return (kinds.filter { why[$0] == nil }, kinds.compactMap { kind in why[kind].map { (kind, $0) } })
    }

    /// Founds the chain and starts everybody.
    /// - Parameters:
    ///   - directory: for everything; must be there, and empty.
    ///   - say: is told of each fault, and of what came of it.
    public init(_ plan: FaultPlan, in directory: URL, say: @escaping (String) -> Void) throws {
        self.plan = plan
        self.say = say
        random = SeededGenerator(seed: plan.seed ^ 0xFA17)
        let kinds = Set(plan.steps.map(\.fault.kind))
        network =
            kinds.isDisjoint(with: [.nodeCut, .memberCut])
            ? nil : try Network(hosts: Self.nodeCount + Self.memberCount)
        disk = kinds.contains(.diskSlow) ? try SlowDisk(in: directory) : nil
        fleet = try Fleet(
            validators: Self.nodeCount, in: directory, network: network, clocksJump: kinds.contains(.clockJumped))
        http = try HTTPClient(fleet.configuration)
        try fleet.start(Array(0..<Self.nodeCount))
        try fleet.found(people: 12)
        copy = (try fleet.cluster.copy(), 0, 0)
        copy.height = highest()
    }

    /// Lets everything in the plan go wrong, and judges what is left.
    public func run() throws {
        defer { fleet.end() }
        let traffic = try Traffic(fleet, seed: plan.seed)
        do {
            for (index, step) in plan.steps.enumerated() where complaints.isEmpty {
                traffic.note(fault: "\(step.fault)")
                try run(step, "[\(index + 1)/\(plan.steps.count)]")
            }
            traffic.note(fault: "nothing any more")
            settle("the last fault")
        } catch {
            complain("the campaign itself came to no end: \(error)")
        }
        let (sent, failures) = traffic.stop()
        guard complaints.isEmpty else { return sayWhatNodesSaid() }
        settle("the end of the load")
        var verdict = Verdict(fleet, sent)
        try verdict.judge()
        for complaint in verdict.complaints { complain(complaint) }
        if !complaints.isEmpty { sayWhatNodesSaid() }
        say(verdict.summary)
        say(
            "Not answered or refused: "
                + (failures.sorted { $0.value > $1.value }.map { "\($1) \($0)" }.joined(separator: ", ")))
        say("Slowest to the next block: \(Self.text(slowest.seconds)) after \(slowest.fault).")
        say(complaints.isEmpty ? "All is as it should be." : "\(complaints.count) things are wrong.")
    }

    private func complain(_ reason: String) {
        complaints.append(reason)
        say("WRONG: \(reason)")
    }

    // MARK: One fault

    private func run(_ step: FaultPlan.Step, _ number: String) throws {
        // A node that is still starting would refuse to by a clock that is wrong.
        if step.fault.kind == .clockJumped, !allIsWell { settle("what was before: \(step)") }
        let mustGoOn = step.isTolerated && allIsWell
        let begin = ContinuousClock.now
        try start(step.fault)
        let half = UInt64(step.milliseconds / 2)
        _ = Waiter<Void>().wait(within: half)
        if let second = step.second { try start(second) }
        let before = highest()
        _ = Waiter<Void>().wait(within: half)
        // What the others can bear they have to bear: it lasts until they have shown it.
        let isShown = { self.highest() > before + Self.underWayMax }
        if mustGoOn, wait(for: "blocks during: \(step)", Self.progressSeconds, isShown) == nil { return }
        let during = highest()
        if let second = step.second { try end(second) }
        try end(step.fault)
        let lasted = Self.seconds(ContinuousClock.now - begin)
        guard let took = wait(for: "block after: \(step)", Self.progressSeconds, { self.highest() > during })
        else { return }
        if took > slowest.seconds { slowest = (took, "\(step)") }
        say(
            "\(number) \(step), \(Self.text(lasted)): \(during - before) blocks in its second half, the next one "
                + "\(Self.text(took)) after its end")
        if step.settles { settle("\(step)") } else { allIsWell = false }
        for (index, machine) in fleet.machines.enumerated() where machine.process?.isRunning != true {
            complain("node \(index + 1) has ended by itself: \(machine.process?.errors.suffix(2_000) ?? "")")
        }
        if step.settles, Int.random(in: 0..<4, using: &random) == 0 { try takeCopy() }
    }

    private func start(_ fault: Fault) throws {
        switch fault {
        case .nodeKilled(let node): fleet.kill(node)
        case .nodePaused(let node): signal(node, SIGSTOP)
        case .nodesLost(let killed, let paused):
            fleet.kill(killed)
            signal(paused, SIGSTOP)
        case .powerLost:
            for node in 0..<Self.nodeCount { fleet.kill(node) }
            for member in 0..<Self.memberCount { fleet.cluster.kill(member) }
        case .nodeCut(let node, let others, let isOneSided):
            let (nodes, members) = (0..<Self.nodeCount, Self.nodeCount..<Self.nodeCount + Self.memberCount)
            let from =
                switch others {
                case .order: Array(members)
                case .peers: Array(nodes)
                case .everybody: Array(nodes) + Array(members)
                }
            try lines.cut(node, from: from.filter { $0 != node }, isOneSided: isOneSided)
        case .memberCut(let member):
            let all = 0..<Self.nodeCount + Self.memberCount
            try lines.cut(Self.nodeCount + member, from: all.filter { $0 != Self.nodeCount + member })
        case .diskSlow(let node):
            guard let process = fleet.machines[node].process else { return }
            try slowDisk.slow(process.identifier, writesPerSecond: Self.writesPerSecond)
        case .memberKilled(let member): fleet.cluster.kill(member)
        case .majorityLost(let left):
            for member in 0..<Self.memberCount where member != left { fleet.cluster.kill(member) }
        case .orderRestored:
            // One that is as new as the cluster itself would bring nothing back.
            let isOld = { self.highest() > self.copy.height + Self.underWayMax }
            guard wait(for: "blocks after the copy", Self.progressSeconds, isOld) != nil else { return }
            try fleet.cluster.restore(copy.file)
        case .clockJumped(let node, let seconds):
            fleet.machines[node].clock?.jump(toMilliseconds: Int64(seconds) * 1000)
        }
    }

    private func end(_ fault: Fault) throws {
        switch fault {
        case .nodeKilled(let node): try revive(node)
        case .nodePaused(let node): signal(node, SIGCONT)
        case .nodesLost(let killed, let paused):
            signal(paused, SIGCONT)
            try revive(killed)
        case .powerLost:
            for member in 0..<Self.memberCount { try fleet.cluster.start(member) }
            for node in 0..<Self.nodeCount { try revive(node) }
        case .nodeCut, .memberCut: try lines.join()
        case .diskSlow(let node):
            guard let process = fleet.machines[node].process else { return }
            try slowDisk.heal(process.identifier)
        case .memberKilled, .majorityLost: for member in 0..<Self.memberCount { try fleet.cluster.start(member) }
        case .orderRestored: try beginEpoch()
        case .clockJumped(let node, _): fleet.machines[node].clock?.jump(toMilliseconds: 0)
        }
    }

    /// Two faults may have killed it.
    private func revive(_ node: Int) throws { if fleet.machines[node].process == nil { try fleet.launch(node) } }

    /// A plan has no fault for which there is nothing here.
    private var lines: Network {
        get throws {
            guard let network else { throw Fleet.Failed("there are no lines to cut") }
            return network
        }
    }

    private var slowDisk: SlowDisk {
        get throws {
            guard let disk else { throw Fleet.Failed("there is no disk to slow down") }
            return disk
        }
    }

    private func signal(_ node: Int, _ signal: Int32) { fleet.machines[node].process?.signal(signal) }

    private func takeCopy() throws { copy = (try fleet.cluster.copy(), highest(), epoch) }

    /// As docs/machines.md has it for an order that was lost: everybody has noticed, a quorum signs, one starts, all
    /// join.
    private func beginEpoch() throws {
        let nodes = Array(0..<Self.nodeCount)
        for node in nodes { try fleet.machines[node].process?.waitFor("`lianfen epoch`") }
        for node in nodes { fleet.kill(node) }
        // The ring of an epoch that is long over is not replaced: such a cluster is emptied first.
        if copy.epoch < epoch { try fleet.cluster.wipe(secured: true) }
        epoch += 1
        let signers = Array(nodes.shuffled(using: &random).prefix(Int.random(in: 3...4, using: &random)))
        let first = try fleet.sign(signers[0], number: epoch, "--new")
        guard let bytes = first.bytes else { throw Fleet.Failed("no bytes were drawn for epoch \(epoch)") }
        let files =
            try [first.file] + signers.dropFirst().map { try fleet.sign($0, number: epoch, "--bytes", bytes).file }
        let starter = nodes.randomElement(using: &random)!
        try fleet.epoch(["start", "--replace"] + files, at: starter)
        for node in nodes where node != starter { try fleet.epoch(["join"] + files, at: node) }
        // The next copy that is restored may be of an epoch before.
        if Bool.random(using: &random) { try takeCopy() }
        for node in nodes { try fleet.launch(node) }
    }

    // MARK: Looking

    /// The certified heights that nodes tell; nil where one does not answer.
    private func heads() -> [UInt64?] {
        fleet.machines.map { machine in
            var request = HTTPClientRequest("GET", machine.url + "/v1/chain")
            request.connectMilliseconds = Self.lookMilliseconds
            request.totalMilliseconds = Self.lookMilliseconds
            guard machine.process != nil, let response = try? http.perform(request), response.status == 200,
                let json = try? JSONValue(parsing: response.body),
                let head = try? Form.chainHead.stamped("chain").parse(json)
            else { return nil }
            return head.stamp.height
        }
    }

    private var highestSeen: UInt64 = 0

    private func highest() -> UInt64 {
        highestSeen = max(highestSeen, heads().compactMap(\.self).max() ?? 0)
        return highestSeen
    }

    /// Waits until everybody stands where the furthest stood.
    private func settle(_ after: String) {
        let goal = highest()
        let took = wait(for: "all nodes at height \(goal) after: \(after)", Self.settleSeconds) {
            self.heads().allSatisfy { $0.map { $0 >= goal } ?? false }
        }
        allIsWell = took != nil
    }

    /// Waits for something; answers how long it took, or complains.
    private func wait(for what: String, _ seconds: Double, _ isThere: () -> Bool) -> Double? {
        let begin = ContinuousClock.now
        while !isThere() {
            guard ContinuousClock.now < begin + .seconds(seconds) else {
                complain("no \(what), within \(Int(seconds)) s; heads are \(heads().map { $0.map { "\($0)" } ?? "-" })")
                return nil
            }
            _ = Waiter<Void>().wait(within: 50)
        }
        return Self.seconds(ContinuousClock.now - begin)
    }

    private func sayWhatNodesSaid() {
        for (index, machine) in fleet.machines.enumerated() {
            say("Node \(index + 1) said at the end: \((machine.said + (machine.process?.errors ?? "")).suffix(3_000))")
        }
    }

    private static func seconds(_ duration: Duration) -> Double { duration / .seconds(1) }

    private static func text(_ seconds: Double) -> String { "\((seconds * 10).rounded() / 10) s" }
}
