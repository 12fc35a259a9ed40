import CrashKit
import Foundation
import Glibc
import TestSupport
import Testing

/// Power cuts. A `kill -9` cannot show a missing sync, since the kernel still has what was written; the copied image
/// of a file system does.
///
/// An answered transaction has a quorum's locks, each synced before its vote left: it is in the copy, if not in the
/// tables then in the blocks that the next opening executes again.
@Suite(.serialized) struct PowerCutTests {
    private static let cutsInARow = 15

    @Test(
        .enabled(if: DiskImage.isPermitted, "needs root and loop mounts"),
        arguments: 0..<(Plan.powerCuts / cutsInARow / Plan.validators.count), Plan.validators)
    func powerCutsLoseNothingThatWasAnswered(_ seed: Int, _ validators: Int) throws {
        let campaign = try cut(Self.cutsInARow, validators: validators, seed: UInt64(seed), plant: nil)
        #expect(campaign.complaints == [], "seed \(seed)")
        #expect(campaign.kills == Self.cutsInARow)
        #expect(campaign.answered > Self.cutsInARow)
    }

    @Test(.enabled(if: DiskImage.isPermitted, "needs root and loop mounts"), arguments: Plan.validators)
    func powerCutsFindAStoreThatDoesNotSync(_ validators: Int) throws {
        let campaign = try cut(3, validators: validators, seed: 7, plant: .unsynced)
        #expect(campaign.complaints.contains { $0.contains("lost its lock") })
        // Of four, those that still hold the entry often save the answer; a single one has nobody to save it.
        if validators == 1 {
            #expect(campaign.complaints.contains { $0.contains("answered") || $0.contains("no receipt") })
        }
    }

    /// One disk through several cuts, each going on from what the one before it left.
    private func cut(
        _ count: Int, validators: Int, seed: UInt64, plant: WitnessStore.Plant?
    ) throws -> Campaign {
        var random = SeededGenerator(seed: seed)
        return try DiskImage.with(megabytes: 64) { disk in
            let campaign = try Campaign(disk.mount + "/chain", validators: validators, seed: seed + 500)
            // The names of the new directories, which whoever makes a chain has all the time to sync.
            sync()
            for number in 1...count {
                let child = try campaign.start([CrashProcess.plantVariable: plant?.rawValue ?? ""])
                campaign.listen(child, for: .milliseconds(Int.random(in: 10...150, using: &random)))
                child.pause()
                campaign.listen(child)
                try disk.cut()
                campaign.finish(child, SIGKILL)
                try disk.restart()
                try campaign.inspect(.died)
                try campaign.settle()
                try campaign.inspect(.closed, everything: number == count)
                if plant != nil, !campaign.complaints.isEmpty { break }
            }
            if plant == nil { try campaign.audit() }
            return campaign
        }
    }
}
