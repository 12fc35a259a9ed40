import CrashKit
import Foundation
import Node
import TestSupport
import Testing

/// How often the campaigns kill: in an ordinary run, and many times as often where LIANFEN_SOAK asks for it.
enum Plan {
    static let factor = ProcessInfo.processInfo.environment["LIANFEN_SOAK"] == nil ? 1 : 10
    static let validators = [1, 4]
    /// The pass of a point at which the process dies: the first is often part of the opening itself.
    static let counts = (0..<factor).flatMap { _ in [1, 2, 3, 5, 13, 34] }
    static let chains = 4 * factor
    static let killsAtRandom = 14
    static let killsWhileLocking = 10
    static let powerCuts = 30 * factor

    static let kills =
        validators.count * (CrashPoint.allCases.count * counts.count + chains * killsAtRandom) + killsWhileLocking
}

/// `kill -9` on real processes under load. A kill loses nothing that was written, synced or not; what it shows is
/// whether every state between two steps can be started from.
@Suite(.serialized) struct KillTests {
    @Test func theCampaignsKillTwoHundredTimes() { #expect(Plan.kills >= 200) }

    @Test(arguments: CrashPoint.allCases, Plan.validators)
    func check5KilledAtEveryCrashPoint(_ point: CrashPoint, _ validators: Int) throws {
        try withTemporaryDirectory { root in
            let campaign = try Campaign(root.path + "/chain", validators: validators, seed: 1)
            for count in Plan.counts {
                try campaign.killed(at: point, count: count)
                try campaign.inspect(.died)
            }
            try campaign.settle()
            try campaign.inspect(.closed, everything: true)
            try campaign.audit()
            #expect(campaign.complaints == [])
            #expect(campaign.kills == Plan.counts.count)
        }
    }

    @Test(arguments: 0..<Plan.chains, Plan.validators)
    func killedAtRandomMoments(_ seed: Int, _ validators: Int) throws {
        try withTemporaryDirectory { root in
            let campaign = try Campaign(root.path + "/chain", validators: validators, seed: UInt64(seed) + 100)
            for _ in 0..<Plan.killsAtRandom {
                try campaign.killedAtRandom()
                try campaign.inspect(.died)
            }
            try campaign.settle()
            try campaign.inspect(.closed, everything: true)
            try campaign.audit()
            #expect(campaign.complaints == [], "seed \(seed)")
            #expect(campaign.answered > 0)
        }
    }

    /// Four validators, killed when only some of them have locked the newest height: the entry that one of them holds
    /// stays in its place, and the chain goes on with it.
    @Test func killedWhenOnlySomeHaveLockedGoesOnWithThatEntry() throws {
        try withTemporaryDirectory { root in
            let campaign = try Campaign(root.path + "/chain", validators: 4, seed: 22)
            var holders: [Int] = []
            for number in 0..<Plan.killsWhileLocking {
                // The first lock of a process, at one time of the first height too, and locks under full load.
                try campaign.killed(at: .afterLock, count: number % 2 == 0 ? 1 : 4 * number + 1)
                let (height, entries) = try campaign.newestEntries()
                holders.append(entries.count)
                let entry = try #require(entries.first)
                #expect(Set(entries).count == 1, "two entries stand at \(height)")
                try campaign.inspect(.died)
                try campaign.settle()
                #expect(
                    try campaign.entries(at: height) == Array(repeating: entry, count: 4),
                    "the chain did not go on with the entry of \(height) that \(entries.count) of four held")
            }
            try campaign.inspect(.closed, everything: true)
            try campaign.audit()
            #expect(campaign.complaints == [])
            #expect(holders.contains { $0 < 3 }, "killed with fewer than a quorum: \(holders)")
        }
    }

    /// The campaign is worth something only if it finds what it is there for.
    @Test(arguments: Plan.validators)
    func killsFindAStoreThatWritesLocksLate(_ validators: Int) throws {
        try withTemporaryDirectory { root in
            let campaign = try Campaign(root.path + "/chain", validators: validators, seed: 3)
            for count in [3, 5, 8] where campaign.complaints.isEmpty {
                try campaign.killed(at: .beforeCommit, count: count, plant: .late)
                try campaign.inspect(.died)
                try campaign.settle()
            }
            #expect(campaign.complaints.contains { $0.contains("lost its lock") })
            #expect(campaign.complaints.contains { $0.contains("two votes") } || validators > 1)
        }
    }
}
