import EtcdKit
import FleetKit
import Foundation
import TestSupport
import Testing

extension EtcdTests {
    /// Faults of every kind that the machine allows, against real processes under load.
    @Suite struct ChaosTests {
        @Test func tenFaultsHurtNobody() throws {
            try withTemporaryDirectory { root in
                _ = try Self.run(faults: 10, seed: 1, isBrief: true, only: [], in: root)
            }
        }

        /// `make chaos`: a directory is kept where something was wrong.
        @Test(.enabled(if: Orders.fromEnvironment != nil, "only as `make chaos`"))
        func manyFaultsHurtNobody() throws {
            let orders = try #require(Orders.fromEnvironment)
            let root = orders.directory.appendingPathComponent("chaos-\(orders.seed)-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
            let isWell = try Self.run(
                faults: orders.faults, seed: orders.seed, isBrief: false, only: orders.only, in: root)
            guard isWell else { return }
            // Whoever cleans up after the cluster may be at it at the same time.
            for _ in 0..<10 where FileManager.default.fileExists(atPath: root.path) {
                try? FileManager.default.removeItem(at: root)
                usleep(100_000)
            }
        }

        /// What `make chaos` asks for.
        private struct Orders {
            let faults: Int
            let seed: UInt64
            let directory: URL
            /// Kinds that there may be; none for all.
            let only: Set<String>

            static var fromEnvironment: Orders? {
                let environment = ProcessInfo.processInfo.environment
                guard let faults = environment["LIANFEN_CHAOS_FAULTS"].flatMap({ Int($0) }), faults > 0,
                    let seed = environment["LIANFEN_CHAOS_SEED"].flatMap({ UInt64($0) }),
                    let directory = environment["LIANFEN_CHAOS_DIR"]
                else { return nil }
                return Orders(
                    faults: faults, seed: seed, directory: URL(fileURLWithPath: directory),
                    only: Set((environment["LIANFEN_CHAOS_ONLY"] ?? "").split(separator: ",").map(String.init)))
            }
        }

        /// Answers whether all was as it should be.
        private static func run(faults: Int, seed: UInt64, isBrief: Bool, only: Set<String>, in root: URL) throws
            -> Bool
        {
            let (possible, leftOut) = Campaign.possible(in: root)
            let kinds = possible.filter { only.isEmpty || only.contains($0.rawValue) }
            try #require(!kinds.isEmpty, "possible are \(possible.map(\.rawValue))")
            let plan = FaultPlan(seed: seed, faults: faults, kinds: kinds, isBrief: isBrief)
            // At once, while it happens.
            let say = { (line: String) in FileHandle.standardOutput.write(Data("\(line)\n".utf8)) }
            say("\(faults) faults of seed \(seed) in \(root.path)")
            for (kind, why) in leftOut { say("Left out, '\(kind.rawValue)': \(why)") }
            let campaign = try Campaign(plan, in: root, say: say)
            try campaign.run()
            #expect(campaign.complaints == [], "`make chaos FAULTS=\(faults) SEED=\(seed)` begins the same again")
            return campaign.complaints == []
        }
    }
}
