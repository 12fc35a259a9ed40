/// What a simulation runs: all of it follows from these values.
public struct Scenario: Sendable {
    public var seed: UInt64
    /// 1 to 7.
    public var validators: Int
    /// The last of the validators is no node of ours: it votes for anything, twice, and writes what it likes.
    public var hasByzantine: Bool
    /// Whether members decide who belongs meanwhile: one more is admitted, and one is suspended and released.
    public var changesMembers = false
    /// Whether organisations exchange their keys meanwhile, alone and by a quorum.
    public var changesKeys = false
    public var faults: Faults
    /// Milliseconds with faults; then none, until all is answered.
    public var stormMilliseconds: UInt64 = 20_000
    /// The longest that it may take from the end of the faults until everything is answered everywhere.
    public var calmMillisecondsMax: UInt64 = 120_000
    public var transactions = 30
    public var planted: PlantedBug?
    /// Checks that are left out, to see that another one finds the same bug.
    public var without: Set<Check> = []

    public init(seed: UInt64, validators: Int = 4, hasByzantine: Bool = false, faults: Faults = Faults()) {
        precondition((1...7).contains(validators), "a simulation has 1 to 7 validators")
        self.seed = seed
        self.validators = validators
        self.hasByzantine = hasByzantine
        self.faults = faults
    }

    /// An ordinary storm: rates are drawn from the seed too, so that runs differ in kind and not in detail alone.
    public static func storm(seed: UInt64) -> Scenario {
        var random = SeededRandom(seed: seed ^ 0x5EED)
        // Mostly four; now and then any number from one to seven.
        let validators = random.chance(perMille: 700) ? 4 : 1 + random.below(7)
        var scenario = Scenario(seed: seed, validators: validators)
        scenario.hasByzantine = validators >= 4 && random.chance(perMille: 400)
        scenario.faults = Faults(drawing: &random)
        scenario.changesMembers = validators >= 3 && random.chance(perMille: 400)
        if scenario.changesMembers { scenario.transactions = 50 }
        scenario.faults.losesOrder = random.chance(perMille: 300)
        scenario.changesKeys = random.chance(perMille: 400)
        if scenario.changesKeys { scenario.transactions = 60 }
        return scenario
    }
}

/// How often things go wrong, in a thousand.
public struct Faults: Sendable {
    /// Before an effect is carried out, in a hundred thousand.
    public var crashes = 100
    public var lostVotes = 50
    public var doubledVotes = 50
    public var lostWakes = 100
    public var failedReads = 50
    public var lostAppends = 50
    public var lostAnswers = 100
    /// Messages take 1 to this many milliseconds.
    public var delayMilliseconds: UInt64 = 40
    /// Once in a while one takes this long.
    public var longDelayMilliseconds: UInt64 = 3000
    public var clockJumps = true
    public var garbage = true
    /// The order lets go of certified entries that not everybody has read.
    public var trims = false
    /// Votes that nobody certifies are put up beside the order too, from where they are lost as appends and reads are.
    public var hasBoard = false
    /// The order is lost once or more, and begun anew by the statements of a quorum.
    public var losesOrder = false

    public init() {}

    public init(drawing random: inout SeededRandom) {
        func rate(_ values: [Int]) -> Int { values[random.below(values.count)] }
        crashes = rate([0, 50, 200, 600])
        lostVotes = rate([0, 20, 200, 500])
        doubledVotes = rate([0, 50, 300])
        lostWakes = rate([0, 100, 1000])
        failedReads = rate([0, 50, 300])
        lostAppends = rate([0, 50, 300])
        lostAnswers = rate([0, 100, 500])
        delayMilliseconds = UInt64(rate([1, 10, 40, 200]))
        clockJumps = random.chance(perMille: 500)
        garbage = random.chance(perMille: 500)
        trims = random.chance(perMille: 500)
        hasBoard = random.chance(perMille: 500)
    }

    public static let none: Faults = {
        var faults = Faults()
        faults.crashes = 0
        faults.lostVotes = 0
        faults.doubledVotes = 0
        faults.lostWakes = 0
        faults.failedReads = 0
        faults.lostAppends = 0
        faults.lostAnswers = 0
        faults.delayMilliseconds = 2
        faults.longDelayMilliseconds = 2
        faults.clockJumps = false
        faults.garbage = false
        faults.trims = false
        return faults
    }()
}

/// Bugs that a checker must find, each put in through a seam: the disk, the tally, the order, or the hands that carry
/// out effects.
public enum PlantedBug: String, Sendable, CaseIterable {
    /// The disk says that it synced, and did not.
    case syncIgnored
    /// A vote is sent when its lock is written, not when it is durable.
    case voteBeforeLock
    /// A signer counts as often as its vote arrives.
    case signerCountedTwice
    /// A read of the order leaves an entry out.
    case rangeSkipped
}

/// What is checked while a simulation runs.
public enum Check: String, Sendable, CaseIterable {
    case voteDurable = "a vote leaves only after its lock is durable"
    case oneVote = "a validator never says two things about one height"
    case headersEqual = "all nodes compute the same header for a height"
    case certificateValid = "a certificate names a quorum of distinct validators"
    case honestStay = "nobody but who contradicts itself is suspended"
    case oneCertified = "no two headers of one height are certified"
    case tablesCertified = "tables never stand above a certified height"
    case conserved = "points are conserved"
    case nothingLost = "what was answered stays, and took effect once"
    case noHalt = "no honest node halts or stops signing"
    case progress = "once faults cease, everything is answered and all nodes come together"
    case rests = "a node with nothing to do rests"
    case opens = "every directory opens again"
}

/// A check that failed, with what is needed to see it again.
public struct Violation: Error, Sendable, CustomStringConvertible {
    public let check: Check
    public let seed: UInt64
    public let detail: String
    public let trace: [String]

    public var description: String {
        "seed \(seed): \(check.rawValue): \(detail)\n" + trace.joined(separator: "\n")
    }
}
