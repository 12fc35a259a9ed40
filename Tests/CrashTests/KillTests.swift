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
    static let counts = (0..<factor).flatMap { _ in [1, 2, 3, 5, 8, 13] }
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
    func killedAtEveryCrashPoint(_ point: CrashPoint, _ validators: Int) throws {
        try withTemporaryDirectory { root in
            let campaign = try Campaign(root.path + "/chain", validators: validators, seed: 1)
            for count in Plan.counts {
                try campaign.killed(at: point, count: count)
                try campaign.inspect()
            }
            try campaign.settle()
            try campaign.inspect(everything: true)
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
                try campaign.inspect()
            }
            try campaign.settle()
            try campaign.inspect(everything: true)
            try campaign.audit()
            #expect(campaign.complaints == [], "seed \(seed)")
            #expect(campaign.answered > 0)
        }
    }
}
