import Foundation
import Simulation
import Testing

@Suite("simulator") struct SimulatorTests {
    /// A thousand runs and more where time is taken for it, else a hundred.
    private static let seeds = UInt64(ProcessInfo.processInfo.environment["LIANFEN_SOAK"] == nil ? 100 : 2000)

    @Test func storms() throws {
        var failures: [String] = []
        for seed in 1...Self.seeds {
            do { _ = try Simulator(.storm(seed: seed)).run() } catch { failures.append("\(error)") }
            if failures.count == 3 { break }
        }
        #expect(failures == [], "\(failures.joined(separator: "\n\n"))")
    }
}
