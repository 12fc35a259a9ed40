import Foundation
import Simulation
import Testing

/// Every failure names its seed; `LIANFEN_SEED=n swift test --filter SimulatorTests/storms` plays it again.
@Suite("simulator") struct SimulatorTests {
    private static let environment = ProcessInfo.processInfo.environment

    /// A hundred, two thousand in a soak, or the one that is named.
    private static let seeds: [UInt64] =
        if let seed = environment["LIANFEN_SEED"].flatMap({ UInt64($0) }) {
            [seed]
        } else {
            Array(1...(environment["LIANFEN_SOAK"] == nil ? 100 : 2000))
        }

    /// In two parts, side by side.
    @Test(arguments: [0, 1]) func storms(_ part: Int) {
        var failures: [String] = []
        for seed in Self.seeds where Int(seed % 2) == part && failures.count < 3 {
            do { _ = try Simulator(.storm(seed: seed)).run() } catch { failures.append("\(error)") }
        }
        #expect(failures.isEmpty, "\(failures.joined(separator: "\n\n"))")
    }

    @Test(arguments: [3, 17] as [UInt64]) func aSeedPlaysTheSameAgain(_ seed: UInt64) throws {
        let first = try Simulator(.storm(seed: seed)).run()
        let second = try Simulator(.storm(seed: seed)).run()
        #expect(first.digest == second.digest)
        #expect(first.events == second.events)
        #expect(try Simulator(.storm(seed: seed + 1)).run().digest != first.digest)
    }

    /// Wakes alone: half of them lost, some doubled, those of one moment in any order and seconds apart.
    @Test func check9WakesLostDoubledAndReorderedSkipNothing() throws {
        for seed in 1...10 as ClosedRange<UInt64> {
            var scenario = Scenario(seed: seed)
            scenario.faults = .none
            scenario.faults.lostWakes = 500
            scenario.faults.delayMilliseconds = 200
            scenario.faults.longDelayMilliseconds = 3000
            let outcome = try Simulator(scenario).run()
            #expect(outcome.answered == scenario.transactions)
        }
    }

    /// Where the order lets go of what some have not read, they have it from their peers, and come together.
    @Test func whoFallsBehindTheOrderCatchesUp() throws {
        var catchUps = 0
        for seed in 1...20 as ClosedRange<UInt64> {
            var scenario = Scenario(seed: seed, hasByzantine: seed % 2 == 0)
            scenario.faults.trims = true
            scenario.faults.crashes = 400
            catchUps += try Simulator(scenario).run().catchUps
        }
        #expect(catchUps > 20)
    }

    /// Members come, go, and contradict themselves in the middle of a storm; nobody is taken out who should stay.
    @Test func membersComeAndGoInStorms() throws {
        var sets = 0
        for seed in 1...20 as ClosedRange<UInt64> {
            var scenario = Scenario(seed: seed, validators: 3 + Int(seed % 3), hasByzantine: seed % 3 == 1)
            scenario.faults.trims = true
            scenario.faults.crashes = 200
            scenario.changesMembers = true
            scenario.transactions = 50
            sets += try Simulator(scenario).run().sets
        }
        #expect(sets > 40)
    }

    /// The order is lost in the middle of a storm, with a liar among those who state how far they came. Nothing that
    /// was answered is lost, and everybody comes together again.
    @Test func aLostOrderIsBegunAnewInStorms() throws {
        var (losses, sets) = (0, 0)
        for seed in 1...20 as ClosedRange<UInt64> {
            var scenario = Scenario(seed: seed, hasByzantine: seed % 2 == 0)
            scenario.faults.losesOrder = true
            scenario.faults.trims = seed % 3 == 0
            scenario.changesMembers = seed % 4 == 3
            let outcome = try Simulator(scenario).run()
            (losses, sets) = (losses + outcome.losses, sets + outcome.sets)
        }
        #expect(losses > 10 && sets > 5, "\(losses) losses, \(sets) sets")
    }

    /// Runs seeds until one fails.
    private func find(_ bug: PlantedBug, without: Set<Check> = []) -> Violation? {
        for seed in 1...30 as ClosedRange<UInt64> {
            var scenario = Scenario(seed: seed)
            scenario.planted = bug
            scenario.without = without
            do { _ = try Simulator(scenario).run() } catch { return error }
        }
        return nil
    }

    @Test(arguments: [
        (PlantedBug.syncIgnored, Check.voteDurable), (.voteBeforeLock, .voteDurable),
        (.signerCountedTwice, .certificateValid), (.rangeSkipped, .headersEqual),
    ])
    func aPlantedBugIsFound(_ bug: PlantedBug, _ check: Check) throws {
        let found = try #require(find(bug), "\(bug) was not found")
        #expect(found.check == check, "\(found)")
        #expect(!found.trace.isEmpty)
        #expect("\(found)".contains("seed \(found.seed)"))
    }

    @Test func aFailurePlaysTheSameAgain() throws {
        let found = try #require(find(.voteBeforeLock))
        #expect(found.description == find(.voteBeforeLock)?.description)
    }

    @Test(arguments: 1...7) func anyNumberOfValidatorsIsPlayed(_ validators: Int) throws {
        let outcome = try Simulator(Scenario(seed: 1, validators: validators)).run()
        #expect(outcome.answered == 30)
        #expect(outcome.crashes > 0)
    }

    /// What a lost lock leads to is found too: the same validator says something else after its restart.
    @Test func aLostLockIsFoundByWhatIsSaidTwice() throws {
        let found = try #require(find(.syncIgnored, without: [.voteDurable, .noHalt]))
        #expect(found.check == .oneVote, "\(found)")
    }
}
